// The negacyclic number-theoretic transform in SEAL's order: value i is the polynomial at psi^(2·bitreverse(i)+1)
// (Longa and Naehrig, CANS 2016), on lanes (van der Hoeven, Lecerf and Quintin, 2016).
#pragma once

#include "modular.hpp"

namespace {

constexpr size_t kBlock = 8;            // the last three levels work on 8 blocks of 8
constexpr size_t kTransposed = kBlock * kBlock;
constexpr unsigned kForwardLevels = 8;  // levels without a reduction: 7.6p at most, see README.md
constexpr unsigned kBackwardLevels = 4; // sums double in each: 8p at most

INLINE void reduce_row(double* a, size_t n, double p, double inverse) {
    for (size_t i = 0; i < n; i++) a[i] = reduced(a[i], p, inverse);
}

INLINE void centre_row(double* a, size_t n, double p, double inverse) {
    for (size_t i = 0; i < n; i++) a[i] = centred(reduced(a[i], p, inverse), p);
}

INLINE void scale_row(double* a, size_t n, double w, double ratio, double p) {
    for (size_t i = 0; i < n; i++) a[i] = product(a[i], w, ratio, p);
}

struct Forward {
    static constexpr bool kLargeFirst = true;

    static INLINE void butterfly(double& x, double& y, double w, double ratio, double p) {
        const double v = product(y, w, ratio, p), u = x;
        x = u + v;
        y = u - v;
    }
};

struct Backward {
    static constexpr bool kLargeFirst = false;

    static INLINE void butterfly(double& x, double& y, double w, double ratio, double p) {
        const double u = x, v = y;
        x = u + v;
        y = product(u - v, w, ratio, p);
    }
};

// One level: `blocks` blocks of 2·half words each.
template <typename Direction>
INLINE void level(double* a, size_t blocks, size_t half, const double* w, const double* r, double p) {
    for (size_t i = 0; i < blocks; i++) {
        const double W = w[blocks + i], R = r[blocks + i];
        double* __restrict x = a + 2 * i * half;
        double* __restrict y = x + half;
        for (size_t j = 0; j < half; j++) Direction::butterfly(x[j], y[j], W, R, p);
    }
}

// Two levels in one pass: `blocks` blocks of 4·quarter words.
template <typename Direction>
INLINE void pair(double* a, size_t blocks, size_t quarter, const double* w, const double* r, double p) {
    for (size_t i = 0; i < blocks; i++) {
        const size_t k = blocks + i;
        const double W = w[k], R = r[k], W0 = w[2 * k], R0 = r[2 * k], W1 = w[2 * k + 1], R1 = r[2 * k + 1];
        double* __restrict x0 = a + 4 * i * quarter;
        double* __restrict x1 = x0 + quarter;
        double* __restrict x2 = x1 + quarter;
        double* __restrict x3 = x2 + quarter;
        for (size_t j = 0; j < quarter; j++) {
            double b0 = x0[j], b1 = x1[j], b2 = x2[j], b3 = x3[j];
            if (Direction::kLargeFirst) {
                Direction::butterfly(b0, b2, W, R, p);
                Direction::butterfly(b1, b3, W, R, p);
            }
            Direction::butterfly(b0, b1, W0, R0, p);
            Direction::butterfly(b2, b3, W1, R1, p);
            if (!Direction::kLargeFirst) {
                Direction::butterfly(b0, b2, W, R, p);
                Direction::butterfly(b1, b3, W, R, p);
            }
            x0[j] = b0, x1[j] = b1, x2[j] = b2, x3[j] = b3;
        }
    }
}

constexpr size_t kLastTwiddles = 7 * kBlock;

// Where the last levels' twiddles of a transform of n words start.
INLINE size_t last_offset(size_t n) { return (n - kTransposed) / kTransposed * kLastTwiddles; }

// The three levels of half = 4, 2 and 1, on 64 words at a time, transposed so that lanes are blocks and nothing is
// shuffled between levels.
template <typename Direction>
INLINE void small_levels(double* __restrict a, size_t n, const Twiddles& t, double p) {
    const double* __restrict w = t.last + last_offset(n);
    const double* __restrict r = t.last_ratio + last_offset(n);
    for (size_t base = 0; base < n; base += kTransposed, w += kLastTwiddles, r += kLastTwiddles) {
        double b[kBlock][kBlock];
        for (size_t j = 0; j < kBlock; j++)
            for (size_t l = 0; l < kBlock; l++) b[j][l] = a[base + kBlock * l + j];
        for (size_t step = 1; step < kBlock; step *= 2) {
            const size_t half = Direction::kLargeFirst ? kBlock / 2 / step : step, parts = kBlock / 2 / half;
            for (size_t part = 0; part < parts; part++)
                for (size_t j = 0; j < half; j++) {
                    double *x = b[2 * half * part + j], *y = x + half * kBlock;
                    const size_t row = (parts - 1 + part) * kBlock;
                    for (size_t l = 0; l < kBlock; l++) Direction::butterfly(x[l], y[l], w[row + l], r[row + l], p);
                }
        }
        for (size_t l = 0; l < kBlock; l++)
            for (size_t j = 0; j < kBlock; j++) a[base + kBlock * l + j] = b[j][l];
    }
}

// Levels since the last reduction; `spend` reduces the row before more would be too many.
struct Levels {
    double* a;
    size_t n;
    const Modulus& m;
    unsigned most, used;

    INLINE void spend(unsigned levels) {
        if (used + levels > most) {
            reduce_row(a, n, m.p, m.inverse);
            used = 0;
        }
        used += levels;
    }
};

// All levels of one row, whose words come out within 6.3p.
INLINE void forward_levels(double* a, size_t n, const Modulus& m) {
    const double *w = m.forward.w, *r = m.forward.ratio;
    Levels levels{a, n, m, kForwardLevels, 0};
    const size_t last = n >= kTransposed ? kBlock : 1;
    size_t size = n;  // of a block
    const auto single = [&] {
        levels.spend(1);
        level<Forward>(a, n / size, size / 2, w, r, m.p);
        size /= 2;
    };
    if (__builtin_ctzll(size / last) % 2) single();
    for (; size > last && size >= 4 * kBlock; size /= 4) {
        levels.spend(2);
        pair<Forward>(a, n / size, size / 4, w, r, m.p);
    }
    while (size > last) single();
    if (last == kBlock) {
        levels.spend(3);
        small_levels<Forward>(a, n, m.forward, m.p);
    }
    levels.spend(1);
}

INLINE void forward_row(double* a, size_t n, const Modulus& m) {
    forward_levels(a, n, m);
    centre_row(a, n, m.p, m.inverse);
}

INLINE void backward_row(double* a, size_t n, const Modulus& m) {
    const double *w = m.backward.w, *r = m.backward.ratio;
    Levels levels{a, n, m, kBackwardLevels, 0};
    size_t size = 1;
    if (n >= kTransposed) {
        levels.spend(3);
        small_levels<Backward>(a, n, m.backward, m.p);
        for (size = kBlock; 4 * size <= n; size *= 4) {
            levels.spend(2);
            pair<Backward>(a, n / (4 * size), size, w, r, m.p);
        }
    }
    for (; size < n; size *= 2) {
        levels.spend(1);
        level<Backward>(a, n / (2 * size), size, w, r, m.p);
    }
    scale_row(a, n, m.scale, m.scale_ratio, m.p);
    centre_row(a, n, m.p, m.inverse);
}

void forward(double* rows, size_t count, size_t n, const Modulus& m) {
    for (size_t i = 0; i < count; i++) forward_row(rows + i * n, n, m);
}

void inverse(double* rows, size_t count, const Modulus& m) {
    for (size_t i = 0; i < count; i++) backward_row(rows + i * m.degree, m.degree, m);
}

}  // namespace
