// What the kernels take and give: plain pointers into arrays that the caller owns. One table of them a CPU target.
#pragma once

#include <cstddef>
#include <cstdint>

// Powers of a root of unity as centred doubles w and as ratios w/p: in bit-reversed order, and once more as the last
// three levels take them, 7 rows of 8 lanes for every 64 words, for each transform of 64, 128, … words.
struct Twiddles {
    const double *w, *ratio;
    const double *last, *last_ratio;
};

// A prime p < 2^50 and what its transform needs.
struct Modulus {
    double p;
    double inverse;
    std::size_t degree;
    Twiddles forward, backward;  // powers of psi, and of its inverse
    double scale, scale_ratio;   // 1/degree
};

// All moduli of a ring; `keep` of them stay after rescaling. drop[i·count + j] is p_j^-1 modulo p_i.
struct Rescaling {
    const Modulus* moduli;
    std::size_t count, keep;
    const double* drop;
};

// Where the target words of an answer are, and what is added to them. One entry a word: its place in (G, N), the
// residues of its offset (L a word), 6 bytes of e0 and 16 bytes of flooding, of which `flood_bits` bits count.
struct Targets {
    std::size_t count;
    const std::int64_t* places;
    const std::int64_t* offsets;
    const std::uint8_t *errors, *flood;
    unsigned flood_bits;
};

// Polynomials (G, m, N) of few coefficients, row by row: those of a row are at starts[row] … starts[row + 1] - 1, each
// an integer and its place below N. What shares a place is added.
struct Sparse {
    const std::int64_t *starts, *places, *values;
};

constexpr std::size_t kSparseScratch = 16;
constexpr std::size_t kProductTile = 256;
constexpr std::size_t kFewBlocks = 8;

// What digits are multiplied with: a switching key (l, 2, l+1, N), and the special prime modulo each prime (l+1).
// `addend` (l, N), or null, is added to the first component, times the special prime; or as it is, where it is extended
// (l+1, N) already: `addend_rows` says which. `permutation` (N), or null, is applied to the sum: word i is the one that
// was at permutation[i]. `rest` (2, l+1, N), or null, is added to all that.
struct Switching {
    const double *key, *addend, *special;
    const std::int32_t* permutation;
    const double* rest;
    std::size_t rows, addend_rows;
};

// How many lanes products of so many blocks need as scratch.
inline std::size_t product_scratch(std::size_t blocks) { return blocks > kFewBlocks ? 2 * blocks * kProductTile : 0; }

struct Kernels {
    const char* target;
    bool (*supported)();

    // Rows of lanes in place. Forward: n coefficients of polynomials in X^(degree/n) to their n distinct values.
    // Inverse: values to coefficients, n = degree.
    void (*forward)(double* rows, std::size_t count, std::size_t n, const Modulus&);
    void (*inverse)(double* rows, std::size_t count, const Modulus&);

    // Residues to lanes, false if one is not below p; lanes to residues; any integers times a lane to lanes.
    bool (*lift)(const std::int64_t* in, double* out, std::size_t n, const Modulus&);
    void (*lower)(const double* in, std::int64_t* out, std::size_t n, const Modulus&);
    void (*reduce_integers)(const std::int64_t* in, double factor, double* out, std::size_t n, const Modulus&);

    // out[g, c, l] = sum over b of query[b, c, l] · weights[g, b, l], where each weight counts for n/points words; added
    // to what is there if `add`; for l of first … last - 1. `scratch` holds 2·blocks·kProductTile lanes; null is as good up
    // to kFewBlocks.
    void (*products)(const double* query, const double* weights, double* out, std::size_t groups, std::size_t blocks,
                     std::size_t n, std::size_t points, bool add, double* scratch, const Modulus* moduli,
                     std::size_t primes, std::size_t first, std::size_t last);

    // The same for sparse weights: answer[g, c, l] = sum over b of query[b, c, l] · NTT(weights[g, b]), modulo each prime.
    // `scratch` holds kSparseScratch rows of n lanes.
    void (*sparse_products)(const double* query, const Sparse& weights, double* out, std::size_t groups,
                            std::size_t blocks, std::size_t n, double* scratch, const Modulus* moduli,
                            std::size_t primes);

    // answer[c, l] += key[c, l] · NTT(u), for one result polynomial; u has 4 bytes a coefficient, `bits` of them count.
    void (*mask)(double* answer, const double* key, const std::uint8_t* u, unsigned bits, double* scratch,
                 const Modulus* moduli, std::size_t primes);

    // Lanes (L, N) plus centred-binomial errors, divided by the primes that go and rounded: residues (keep, N).
    void (*rescale)(const double* lanes, const std::uint8_t* errors, std::int64_t* out, std::size_t n, const Rescaling&);

    // The target words of c0, lanes (G, 2, L, N) of which the first component counts, rescaled: residues (keep, count).
    void (*target_words)(const double* answer, std::size_t n, const Targets&, std::int64_t* out, const Rescaling&);

    // Ciphertexts in evaluation form, see keyswitching.hpp; `rows` is l, the data primes that are left. The first five
    // do one row, so that threads may share them.
    void (*coefficients)(const double* in, double* out, std::size_t n, const Modulus&);
    void (*carried)(const double* in, double* out, std::size_t n, const Modulus&);
    void (*switch_row)(const Switching&, std::size_t j, const double* digits, std::size_t stride, double* out,
                       double* scratch, std::size_t n, const Modulus&);
    void (*divide)(const double* in, const double* last, double* out, double* scratch, std::size_t n, double factor,
                   const Modulus&);
    void (*divide_coefficients)(double* row, const double* last, double* scratch, std::size_t n, double factor,
                                const Modulus&);
    void (*extend)(const double* in, double* out, const double* special, std::size_t components, std::size_t n,
                   const Modulus* moduli, std::size_t rows);
    void (*multiply)(const double* a, const double* b, double* out, std::size_t n, const Modulus* moduli,
                     std::size_t rows);
    void (*add)(double* a, const double* b, std::size_t count, std::size_t n, const Modulus* moduli, std::size_t rows);

    // Little-endian strings of w-bit words, w <= 57, in whole 64-bit limbs. Writing is false if a word does not fit;
    // reading gives the largest word.
    bool (*pack)(const std::int64_t* in, std::size_t n, unsigned width, std::uint64_t* out);
    std::int64_t (*unpack)(const std::uint8_t* in, std::size_t bytes, std::size_t n, unsigned width, std::int64_t* out);

    // The words of a stream, cut to the prime's bits, that are below it: how many of at most `room` were written.
    std::size_t (*accept)(const std::uint8_t* stream, std::size_t words, std::int64_t prime, std::int64_t* out,
                          std::size_t room);

    // Small integers from a byte stream: uniform in [-2^(bits-1), 2^(bits-1)), 4 bytes each; centred binomial in
    // [-21, 21], 6 bytes each.
    void (*small_uniform)(const std::uint8_t* stream, unsigned bits, double* out, std::size_t n);
    void (*centred_binomial)(const std::uint8_t* stream, double* out, std::size_t n);
};

// The tables of this build, best first. A table is used only where its `supported` holds.
const Kernels* const* all_kernels(std::size_t& count);
