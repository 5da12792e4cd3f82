// What is done to products before anything is released: masks, errors, flooding, rescaling.
#pragma once

#include "products.hpp"
#include "sampling.hpp"

namespace {

// sum += key · scratch, one row.
INLINE void add_product(double* __restrict sum, const double* __restrict key, const double* __restrict scratch, size_t n,
                        double p, double inverse) {
    for (size_t i = 0; i < n; i++) {
        const double term = product(key[i], scratch[i], scratch[i] * inverse, p);
        sum[i] = centred(reduced(sum[i] + term, p, inverse), p);
    }
}

void mask(double* answer, const double* key, const uint8_t* u, unsigned bits, double* scratch, const Modulus* moduli,
          size_t primes) {
    const size_t n = moduli[0].degree;
    for (size_t l = 0; l < primes; l++) {
        const Modulus& m = moduli[l];
        small_uniform(u, bits, scratch, n);
        forward_row(scratch, n, m);
        for (size_t c = 0; c < 2; c++)
            add_product(answer + (c * primes + l) * n, key + (c * primes + l) * n, scratch, n, m.p, m.inverse);
    }
}

constexpr size_t kMaxPrimes = 8;
constexpr size_t kStrip = 64;

// A strip of lanes modulo every prime, x[l][j], divided by the primes that go and rounded to nearest (Cheon, Han, Kim,
// Kim and Song, SAC 2018). The lanes that stay are in [-p/2, p/2].
INLINE void rescale_strip(double (*x)[kStrip], const Rescaling& r) {
    for (size_t last = r.count - 1; last >= r.keep; last--)
        for (size_t i = 0; i < last; i++) {
            const double p = r.moduli[i].p, inverse = r.moduli[i].inverse;
            const double factor = r.drop[i * r.count + last], ratio = factor * inverse;
            for (size_t j = 0; j < kStrip; j++) {
                const double gap = reduced(x[i][j] - x[last][j], p, inverse);
                x[i][j] = centred(reduced(product(gap, factor, ratio, p), p, inverse), p);
            }
        }
}

void rescale(const double* lanes, const uint8_t* errors, int64_t* out, size_t n, const Rescaling& r) {
    double x[kMaxPrimes][kStrip], error[kStrip];
    for (size_t start = 0; start < n; start += kStrip) {
        centred_binomial(errors + kBinomialBytes * start, error, kStrip);
        for (size_t l = 0; l < r.count; l++) {
            const double p = r.moduli[l].p;
            for (size_t j = 0; j < kStrip; j++) x[l][j] = centred(lanes[l * n + start + j] + error[j], p);
        }
        rescale_strip(x, r);
        for (size_t l = 0; l < r.keep; l++) {
            const double p = r.moduli[l].p;
            for (size_t j = 0; j < kStrip; j++) out[l * n + start + j] = lowered(x[l][j], p);
        }
    }
}

// A uniform integer of `bits` <= 128 bits, less half its range, as a lane.
INLINE double flood_lane(const uint8_t* bytes, unsigned bits, const Modulus& m) {
    unsigned __int128 value = little_endian<uint64_t>(bytes) | static_cast<unsigned __int128>(little_endian<uint64_t>(bytes + 8)) << 64;
    value >>= 128 - bits;
    const uint64_t p = static_cast<uint64_t>(m.p);
    const uint64_t residue = static_cast<uint64_t>(value % p);
    const uint64_t half = static_cast<uint64_t>((static_cast<unsigned __int128>(1) << (bits - 1)) % p);
    return lifted(static_cast<int64_t>(residue >= half ? residue - half : residue + p - half), m.p);
}

void target_words(const double* answer, size_t n, const Targets& t, int64_t* out, const Rescaling& r) {
    for (size_t start = 0; start < t.count; start += kStrip) {
        const size_t words = t.count - start < kStrip ? t.count - start : kStrip;
        double x[kMaxPrimes][kStrip] = {};
        for (size_t j = 0; j < words; j++) {
            const size_t i = start + j, place = static_cast<size_t>(t.places[i]);
            const double error = binomial_at(t.errors, i);
            for (size_t l = 0; l < r.count; l++) {
                const Modulus& m = r.moduli[l];
                const double sum = answer[(2 * (place / n) * r.count + l) * n + place % n] + error +
                                   lifted(t.offsets[i * r.count + l], m.p) +
                                   flood_lane(t.flood + 16 * i, t.flood_bits, m);
                x[l][j] = centred(reduced(sum, m.p, m.inverse), m.p);
            }
        }
        rescale_strip(x, r);
        for (size_t l = 0; l < r.keep; l++)
            for (size_t j = 0; j < words; j++) out[l * t.count + start + j] = lowered(x[l][j], r.moduli[l].p);
    }
}

}  // namespace
