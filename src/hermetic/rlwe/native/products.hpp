// Sums of products of query polynomials with weights, dense or sparse.
#pragma once

#include "transform.hpp"

namespace {

constexpr size_t kWords = 16;    // words whose sums stay in registers
constexpr size_t kTile = 512;    // words of every block that stay in the cache while the weights pass by
constexpr size_t kGroups = 4;    // result polynomials that share a loaded word of the query
constexpr size_t kUnreduced = 8; // products of 5/8 p at most that are added before a reduction: 5.6p
constexpr size_t kBlocks = 4;    // sparse weights of a result polynomial that are transformed before they are used
constexpr size_t kSparseTile = 128; // words of kGroups·kBlocks of them that stay in the nearest cache
static_assert(kGroups * kBlocks == kSparseScratch);

template <size_t Groups>
INLINE void load(double (&total)[Groups][kWords], const double* out, size_t out_stride) {
    for (size_t g = 0; g < Groups; g++)
        for (size_t i = 0; i < kWords; i++) total[g][i] = out[g * out_stride + i];
}

template <size_t Groups>
INLINE void store_centred(double (&total)[Groups][kWords], double* out, size_t out_stride, double p, double inverse) {
    for (size_t g = 0; g < Groups; g++) {
        centre_row(total[g], kWords, p, inverse);
        for (size_t i = 0; i < kWords; i++) out[g * out_stride + i] = total[g][i];
    }
}

// `Groups` sums of kWords words each: out[g] = sum over b of x[b] · w[g][b]. A weight counts for 2^shift words.
template <size_t Groups>
void sums(const double* x, size_t x_stride, const double* w, size_t group_stride, size_t block_stride,
          size_t word, unsigned shift, size_t blocks, double* out, size_t out_stride, bool add, const Modulus& m) {
    double total[Groups][kWords] = {};
    if (add) load<Groups>(total, out, out_stride);
    const double p = m.p, inverse = m.inverse;
    for (size_t b = 0; b < blocks; b++) {
        const double* words = x + b * x_stride;
        for (size_t g = 0; g < Groups; g++) {
            const double* weights = w + g * group_stride + b * block_stride;
            if (shift == 0) {
                for (size_t i = 0; i < kWords; i++)
                    total[g][i] += product(words[i], weights[word + i], weights[word + i] * inverse, p);
            } else if (shift >= 4) {
                const double one = weights[word >> shift], ratio = one * inverse;
                for (size_t i = 0; i < kWords; i++) total[g][i] += product(words[i], one, ratio, p);
            } else {
                for (size_t i = 0; i < kWords; i++) {
                    const double one = weights[(word + i) >> shift];
                    total[g][i] += product(words[i], one, one * inverse, p);
                }
            }
        }
        if (b % kUnreduced == kUnreduced - 1)
            for (size_t g = 0; g < Groups; g++) reduce_row(total[g], kWords, p, inverse);
    }
    store_centred<Groups>(total, out, out_stride, p, inverse);
}

void products(const double* query, const double* weights, double* out, size_t groups, size_t blocks, size_t n,
              size_t points, bool add, const Modulus* moduli, size_t primes) {
    const unsigned shift = static_cast<unsigned>(__builtin_ctzll(n / points));
    const size_t size = n < kTile ? n : kTile;
    const size_t block_stride = primes * points, group_stride = blocks * block_stride;
    for (size_t l = 0; l < primes; l++)
        for (size_t tile = 0; tile < n; tile += size)
            for (size_t g = 0; g < groups; g += kGroups)
                for (size_t c = 0; c < 2; c++)
                    for (size_t word = tile; word < tile + size; word += kWords) {
                        const double* x = query + (c * primes + l) * n + word;
                        const double* w = weights + g * group_stride + l * points;
                        double* y = out + ((2 * g + c) * primes + l) * n + word;
                        const size_t x_stride = 2 * primes * n;
                        const auto sum = groups - g >= 4   ? sums<4>
                                         : groups - g == 3 ? sums<3>
                                         : groups - g == 2 ? sums<2>
                                                           : sums<1>;
                        sum(x, x_stride, w, group_stride, block_stride, word, shift, blocks, y, x_stride, add, moduli[l]);
                    }
}

// The same for weights as they come from a transform, within 6.3p: the query's word is the factor within p/2, whose
// ratio all groups share. A product is within 1.7p, and kBlocks of them and what was there within 7.3p.
template <size_t Groups>
void uncentred_sums(const double* x, size_t x_stride, const double* w, size_t n, size_t blocks, double* out,
                    size_t out_stride, bool add, const Modulus& m) {
    double total[Groups][kWords] = {};
    if (add) load<Groups>(total, out, out_stride);
    const double p = m.p, inverse = m.inverse;
    for (size_t b = 0; b < blocks; b++) {
        const double* words = x + b * x_stride;
        double ratio[kWords];
        for (size_t i = 0; i < kWords; i++) ratio[i] = words[i] * inverse;
        for (size_t g = 0; g < Groups; g++) {
            const double* weights = w + (g * kBlocks + b) * n;
            for (size_t i = 0; i < kWords; i++) total[g][i] += product(weights[i], words[i], ratio[i], p);
        }
    }
    store_centred<Groups>(total, out, out_stride, p, inverse);
}

// One sparse polynomial as its N values. A sum of two lanes is within p, so it is exact and reduced again.
INLINE void transformed(const Sparse& weights, size_t row, double* out, size_t n, const Modulus& m) {
    for (size_t i = 0; i < n; i++) out[i] = 0;
    for (int64_t i = weights.starts[row]; i < weights.starts[row + 1]; i++) {
        double& word = out[weights.places[i]];
        word = centred(reduced(word + from_integer(weights.values[i], m), m.p, m.inverse), m.p);
    }
    forward_levels(out, n, m);
}

void sparse_products(const double* query, const Sparse& weights, double* out, size_t groups, size_t blocks, size_t n,
                     double* scratch, const Modulus* moduli, size_t primes) {
    const size_t size = n < kSparseTile ? n : kSparseTile, stride = 2 * primes * n;
    for (size_t l = 0; l < primes; l++)
        for (size_t g = 0; g < groups; g += kGroups)
            for (size_t b = 0; b < blocks; b += kBlocks) {
                const size_t group_count = groups - g < kGroups ? groups - g : kGroups;
                const size_t block_count = blocks - b < kBlocks ? blocks - b : kBlocks;
                for (size_t i = 0; i < group_count; i++)
                    for (size_t j = 0; j < block_count; j++)
                        transformed(weights, (g + i) * blocks + b + j, scratch + (i * kBlocks + j) * n, n, moduli[l]);
                const auto sum = group_count == 4   ? uncentred_sums<4>
                                 : group_count == 3 ? uncentred_sums<3>
                                 : group_count == 2 ? uncentred_sums<2>
                                                    : uncentred_sums<1>;
                for (size_t tile = 0; tile < n; tile += size)
                    for (size_t c = 0; c < 2; c++)
                        for (size_t word = tile; word < tile + size; word += kWords)
                            sum(query + ((2 * b + c) * primes + l) * n + word, stride, scratch + word, n, block_count,
                                out + ((2 * g + c) * primes + l) * n + word, stride, b > 0, moduli[l]);
            }
}

}  // namespace
