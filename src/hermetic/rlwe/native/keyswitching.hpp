// Key switching, products of ciphertexts and the primes that they use up, on lanes in evaluation form. Rows belong to
// the first l data primes; an extended row has the special prime after them.
#pragma once

#include "products.hpp"

namespace {

INLINE void copy_row(const double* in, double* out, size_t n) {
    for (size_t i = 0; i < n; i++) out[i] = in[i];
}

// A row of coefficients within another prime's half, as values modulo this one, within 6.3p.
INLINE void carried(const double* in, double* out, size_t n, const Modulus& m) {
    for (size_t i = 0; i < n; i++) out[i] = reduced(in[i], m.p, m.inverse);
    forward_levels(out, n, m);
}

// The digits of a polynomial: its residue modulo each data prime, balanced, modulo all of them and the special prime;
// within 6.3p.
void decompose(const double* polynomial, double* digits, double* scratch, size_t n, const Modulus* moduli, size_t rows) {
    for (size_t d = 0; d < rows; d++) {
        copy_row(polynomial + d * n, scratch, n);
        backward_row(scratch, n, moduli[d]);
        for (size_t j = 0; j <= rows; j++) {
            double* out = digits + (d * (rows + 1) + j) * n;
            if (j == d)
                copy_row(polynomial + d * n, out, n);
            else
                carried(scratch, out, n, moduli[j]);
        }
    }
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

void switch_key(const Switching& s, double* out, double* scratch, size_t n, const Modulus* moduli) {
    const size_t extended = s.rows + 1;
    for (size_t c = 0; c < 2; c++)
        for (size_t j = 0; j < extended; j++) {
            double* row = out + (c * extended + j) * n;
            double* sum = s.permutation ? scratch : row;
            const double* addend = s.addend && c == 0 && j < s.addend_rows ? s.addend + j * n : nullptr;
            switched_row(s.digits + j * n, s.key + (c * extended + j) * n, s.rows, extended * n, 2 * extended * n, addend,
                         s.addend_rows > s.rows ? 1.0 : s.special[j], sum, n, moduli[j]);
            if (s.permutation)
                for (size_t i = 0; i < n; i++) row[i] = scratch[s.permutation[i]];
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

// A polynomial of `rows` rows divided by the last prime and rounded to nearest: rows - 1 of them.
void divide(const double* in, double* out, double* scratch, size_t n, const Modulus* moduli, size_t rows,
            const double* factors) {
    const size_t last = rows - 1;
    double* carry = scratch + n;
    copy_row(in + last * n, scratch, n);
    backward_row(scratch, n, moduli[last]);
    for (size_t j = 0; j < last; j++) {
        const double p = moduli[j].p, inverse = moduli[j].inverse, factor = factors[j], ratio = factor * inverse;
        carried(scratch, carry, n, moduli[j]);
        for (size_t i = 0; i < n; i++)
            out[j * n + i] = centred(reduced(product(in[j * n + i] - carry[i], factor, ratio, p), p, inverse), p);
    }
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
