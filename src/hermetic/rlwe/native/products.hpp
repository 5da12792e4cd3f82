// Sums of products of query polynomials with weights, dense or sparse.
#pragma once

#include "transform.hpp"

namespace {

constexpr size_t kWords = 16;    // words whose sums stay in registers
constexpr size_t kShared = 2;    // result polynomials whose weights are multiplied with both components of a loaded word
constexpr size_t kAhead = 32;    // words ahead of their use that weights are fetched from memory
constexpr size_t kUnreduced = 8; // products of 5/8 p at most that are added before a reduction: 5.6p
constexpr size_t kGroups = 4;    // result polynomials that share a word of the query, with sparse weights
constexpr size_t kBlocks = 4;    // sparse weights of a result polynomial that are transformed before they are used
constexpr size_t kSparseTile = 128; // words of kGroups·kBlocks of them that stay in the nearest cache
static_assert(kGroups * kBlocks == kSparseScratch);
static_assert(kProductTile % kWords == 0);

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

// kWords words of a query: those of block b and component c are at words + b·block + c·component.
struct Strip {
    const double* words;
    size_t block, component;
};

// Weights (groups, blocks) of one prime. One counts for 2^shift words; those that are far come from memory.
struct Dense {
    const double* words;
    size_t group, block;
    unsigned shift;
    bool far;
};

enum class Weights { kOwn, kFew, kShared };  // one a word; one for some words; one for kWords or more

// total[c] += x[c] · w, of one block and result polynomial.
template <Weights Kind>
INLINE void add_products(double (*total)[kWords], const double* words, size_t component, const double* weights, size_t word,
                         unsigned shift, double p, double inverse) {
    if constexpr (Kind == Weights::kShared) {
        const double one = weights[word >> shift], ratio = one * inverse;
        for (size_t c = 0; c < 2; c++)
            for (size_t i = 0; i < kWords; i++) total[c][i] += product(words[c * component + i], one, ratio, p);
    } else {
        double factor[kWords], ratio[kWords];
        for (size_t i = 0; i < kWords; i++) factor[i] = weights[Kind == Weights::kOwn ? word + i : (word + i) >> shift];
        for (size_t i = 0; i < kWords; i++) ratio[i] = factor[i] * inverse;
        for (size_t c = 0; c < 2; c++)
            for (size_t i = 0; i < kWords; i++) total[c][i] += product(words[c * component + i], factor[i], ratio[i], p);
    }
}

// Both components of `Groups` result polynomials: out[g, c] += sum over up to kUnreduced b of x[b, c] · w[g, b].
template <size_t Groups, Weights Kind>
void sums(const Strip& x, const Dense& w, size_t word, size_t blocks, double* out, size_t component, bool add,
          const Modulus& m) {
    double total[2 * Groups][kWords] = {};
    if (add) load<2 * Groups>(total, out, component);
    const double p = m.p, inverse = m.inverse;
    for (size_t b = 0; b < blocks; b++) {
        for (size_t g = 0; g < Groups; g++) {
            const double* weights = w.words + g * w.group + b * w.block;
            if (Kind == Weights::kOwn && w.far) {
                __builtin_prefetch(weights + word + kAhead);
                __builtin_prefetch(weights + word + kAhead + kWords / 2);
            }
            add_products<Kind>(total + 2 * g, x.words + b * x.block, x.component, weights, word, w.shift, p, inverse);
        }
    }
    store_centred<2 * Groups>(total, out, component, p, inverse);
}

// A tile of every result polynomial. A few blocks at a time are read word after word: all of a word's would be a power of
// two apart, in the same few places of a cache.
template <Weights Kind>
void tile_products(const double* query, const Dense& weights, double* out, size_t groups, size_t blocks, size_t component,
                   size_t tile, size_t size, bool add, const double* strips, const Modulus& m) {
    for (size_t g = 0; g < groups; g += kShared)
        for (size_t b = 0; b < blocks; b += kUnreduced)
            for (size_t word = tile; word < tile + size; word += kWords) {
                const Strip x = strips ? Strip{strips + ((word - tile) * blocks + b * kWords) * 2, 2 * kWords, kWords}
                                       : Strip{query + 2 * b * component + word, 2 * component, component};
                const Dense w{weights.words + g * weights.group + b * weights.block, weights.group, weights.block,
                              weights.shift, weights.far};
                const auto sum = groups - g >= 2 ? sums<2, Kind> : sums<1, Kind>;
                const size_t count = blocks - b < kUnreduced ? blocks - b : kUnreduced;
                sum(x, w, word, count, out + 2 * g * component + word, component, add || b, m);
            }
}

// A tile of every block and component, strip by strip: (size/kWords, blocks, 2, kWords). Where they come from, they are
// a power of two apart, and would push each other out of the cache.
INLINE void pack_strips(const double* query, size_t blocks, size_t component, size_t size, double* out) {
    for (size_t b = 0; b < 2 * blocks; b++)
        for (size_t word = 0; word < size; word++)
            out[(word / kWords * 2 * blocks + b) * kWords + word % kWords] = query[b * component + word];
}

void products(const double* query, const double* weights, double* out, size_t groups, size_t blocks, size_t n,
              size_t points, bool add, double* scratch, const Modulus* moduli, size_t primes, size_t first, size_t last) {
    const size_t size = n < kProductTile ? n : kProductTile, component = primes * n;
    const unsigned shift = static_cast<unsigned>(__builtin_ctzll(n / points));
    const auto tile_of = shift == 0           ? tile_products<Weights::kOwn>
                         : n / points < kWords ? tile_products<Weights::kFew>
                                               : tile_products<Weights::kShared>;
    for (size_t l = first; l < last; l++)
        for (size_t tile = 0; tile < n; tile += size) {
            if (scratch) pack_strips(query + l * n + tile, blocks, component, size, scratch);
            const Dense w{weights + l * points, blocks * primes * points, primes * points, shift, scratch != nullptr};
            tile_of(query + l * n, w, out + l * n, groups, blocks, component, tile, size, add, scratch, moduli[l]);
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
