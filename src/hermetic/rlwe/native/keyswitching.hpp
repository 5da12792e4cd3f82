// Key switching, products of ciphertexts and the primes that they use up, on lanes in evaluation form. Rows belong to
// the first l data primes; an extended row has the special prime after them.
#pragma once

#include "products.hpp"

namespace {

INLINE void copy_row(const double* in, double* out, size_t n) {
    for (size_t i = 0; i < n; i++) out[i] = in[i];
}

// A row of values as coefficients, balanced.
void coefficients(const double* in, double* out, size_t n, const Modulus& m) {
    copy_row(in, out, n);
    backward_row(out, n, m);
}

// A row of coefficients within another prime's half, as values modulo this one, within 6.3p.
void carried(const double* in, double* out, size_t n, const Modulus& m) {
    for (size_t i = 0; i < n; i++) out[i] = reduced(in[i], m.p, m.inverse);
    forward_levels(out, n, m);
}

constexpr size_t kUnreducedDigits = 4;  // products of 1.7p at most that are added before a reduction: 6.8p

// One row of the sum over digits of digit · key, and of an addend times a factor.
INLINE void switched_row(const double* __restrict digits, const double* __restrict key, size_t count, size_t digit_stride,
                         size_t key_stride, const double* __restrict addend, double factor, double* __restrict out,
                         size_t n, const Modulus& m) {
    const double p = m.p, inverse = m.inverse, ratio = factor * inverse;
    for (size_t start = 0; start < n; start += kWords) {
        double total[kWords] = {};
        for (size_t d = 0; d < count; d++) {
            for (size_t i = 0; i < kWords; i++) {
                const double one = key[d * key_stride + start + i];
                total[i] += product(digits[d * digit_stride + start + i], one, one * inverse, p);
            }
            if (d % kUnreducedDigits == kUnreducedDigits - 1) reduce_row(total, kWords, p, inverse);
        }
        if (addend)
            for (size_t i = 0; i < kWords; i++) total[i] += product(addend[start + i], factor, ratio, p);
        centre_row(total, kWords, p, inverse);
        for (size_t i = 0; i < kWords; i++) out[start + i] = total[i];
    }
}

// The rows of prime j, of both components, from its digits, which are `stride` words apart.
void switch_row(const Switching& s, size_t j, const double* digits, size_t stride, double* out, double* scratch,
                size_t n, const Modulus& m) {
    const size_t extended = s.rows + 1;
    for (size_t c = 0; c < 2; c++) {
        const size_t place = (c * extended + j) * n;
        double* row = out + place;
        double* sum = s.permutation ? scratch : row;
        const double* addend = s.addend && c == 0 && j < s.addend_rows ? s.addend + j * n : nullptr;
        switched_row(digits, s.key + place, s.rows, stride, 2 * extended * n, addend,
                     s.addend_rows > s.rows ? 1.0 : s.special[j], sum, n, m);
        if (s.permutation)
            for (size_t i = 0; i < n; i++) row[i] = scratch[s.permutation[i]];
        if (s.rest)
            for (size_t i = 0; i < n; i++) row[i] = centred(reduced(row[i] + s.rest[place + i], m.p, m.inverse), m.p);
    }
}

// Extended rows (c, l+1, N) of a ciphertext (c, l, N) times the special prime: what key switching adds to.
void extend(const double* in, double* out, const double* special, size_t components, size_t n, const Modulus* moduli,
            size_t rows) {
    for (size_t c = 0; c < components; c++) {
        for (size_t j = 0; j < rows; j++) {
            const Modulus& m = moduli[j];
            double* row = out + (c * (rows + 1) + j) * n;
            copy_row(in + (c * rows + j) * n, row, n);
            scale_row(row, n, special[j], special[j] * m.inverse, m.p);
            centre_row(row, n, m.p, m.inverse);
        }
        for (size_t i = 0; i < n; i++) out[(c * (rows + 1) + rows) * n + i] = 0;
    }
}

// A row less a carry, within 6.3p, times 1/p_last: what is left of it when the last prime is divided away.
INLINE void divided(const double* in, const double* carry, double* out, size_t n, double factor, const Modulus& m) {
    const double p = m.p, inverse = m.inverse, ratio = factor * inverse;
    for (size_t i = 0; i < n; i++) out[i] = centred(reduced(product(in[i] - carry[i], factor, ratio, p), p, inverse), p);
}

// A row of values divided by the last prime, whose coefficients are `last`, and rounded to nearest.
void divide(const double* in, const double* last, double* out, double* scratch, size_t n, double factor,
            const Modulus& m) {
    carried(last, scratch, n, m);
    divided(in, scratch, out, n, factor, m);
}

// The same of coefficients, in place.
void divide_coefficients(double* row, const double* last, double* scratch, size_t n, double factor, const Modulus& m) {
    for (size_t i = 0; i < n; i++) scratch[i] = reduced(last[i], m.p, m.inverse);
    divided(row, scratch, row, n, factor, m);
}

// The product of two ciphertexts, of three components (3, l, N).
void multiply(const double* a, const double* b, double* out, size_t n, const Modulus* moduli, size_t rows) {
    for (size_t j = 0; j < rows; j++) {
        const double p = moduli[j].p, inverse = moduli[j].inverse;
        const double *a0 = a + j * n, *a1 = a0 + rows * n, *b0 = b + j * n, *b1 = b0 + rows * n;
        double *c0 = out + j * n, *c1 = c0 + rows * n, *c2 = c1 + rows * n;
        for (size_t i = 0; i < n; i++) {
            const double r0 = b0[i] * inverse, r1 = b1[i] * inverse;
            const double cross = product(a0[i], b1[i], r1, p) + product(a1[i], b0[i], r0, p);
            c0[i] = centred(reduced(product(a0[i], b0[i], r0, p), p, inverse), p);
            c1[i] = centred(reduced(cross, p, inverse), p);
            c2[i] = centred(reduced(product(a1[i], b1[i], r1, p), p, inverse), p);
        }
    }
}

// a += b, row by row; rows belong to the primes in turn.
void add(double* a, const double* b, size_t count, size_t n, const Modulus* moduli, size_t rows) {
    for (size_t r = 0; r < count * rows; r++) {
        const Modulus& m = moduli[r % rows];
        for (size_t i = 0; i < n; i++) a[r * n + i] = centred(reduced(a[r * n + i] + b[r * n + i], m.p, m.inverse), m.p);
    }
}

}  // namespace
