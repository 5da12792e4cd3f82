// Random words from byte streams that the caller draws. No generator lives here.
#pragma once

#include "modular.hpp"

namespace {

constexpr size_t kUniformBytes = 4;
constexpr size_t kBinomialBytes = 6;
constexpr uint64_t kBinomialHalf = (1u << 21) - 1;

template <typename T>
INLINE T little_endian(const uint8_t* bytes) {
    T value;
    __builtin_memcpy(&value, bytes, sizeof value);
    return value;
}

// Uniform in [-2^(bits-1), 2^(bits-1)).
INLINE double small_uniform_at(const uint8_t* stream, unsigned bits, size_t i) {
    const uint32_t word = little_endian<uint32_t>(stream + kUniformBytes * i) >> (32 - bits);
    return static_cast<double>(static_cast<int32_t>(word) - (1 << (bits - 1)));
}

// The set bits among the low 21 less those among the next 21, of 48.
INLINE int binomial_at(const uint8_t* stream, size_t i) {
    const uint8_t* bytes = stream + kBinomialBytes * i;
    const uint64_t word = little_endian<uint32_t>(bytes) | static_cast<uint64_t>(little_endian<uint16_t>(bytes + 4)) << 32;
    return __builtin_popcountll(word & kBinomialHalf) - __builtin_popcountll(word >> 21 & kBinomialHalf);
}

void small_uniform(const uint8_t* stream, unsigned bits, double* out, size_t n) {
    for (size_t i = 0; i < n; i++) out[i] = small_uniform_at(stream, bits, i);
}

void centred_binomial(const uint8_t* stream, double* out, size_t n) {
    for (size_t i = 0; i < n; i++) out[i] = binomial_at(stream, i);
}

size_t accept(const uint8_t* stream, size_t words, int64_t prime, int64_t* out, size_t room) {
    const int64_t mask = static_cast<int64_t>(~uint64_t{0} >> __builtin_clzll(static_cast<uint64_t>(prime)));
    size_t taken = 0;
    for (size_t i = 0; i < words && taken < room; i++) {
        const int64_t word = little_endian<int64_t>(stream + 8 * i) & mask;
        out[taken] = word;
        taken += word < prime;
    }
    return taken;
}

}  // namespace
