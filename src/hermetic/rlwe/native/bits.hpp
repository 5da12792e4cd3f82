// Strings of w-bit words, least significant bit first: word i is bits i·w to i·w + w - 1.
#pragma once

#include "sampling.hpp"

namespace {

bool pack(const int64_t* in, size_t n, unsigned width, uint64_t* out) {
    uint64_t limb = 0, all = 0;
    unsigned filled = 0;
    for (size_t i = 0; i < n; i++) {
        const uint64_t word = static_cast<uint64_t>(in[i]);
        all |= word;
        limb |= word << filled;
        filled += width;
        if (filled >= 64) {
            *out++ = limb;
            filled -= 64;
            limb = filled ? word >> (width - filled) : 0;
        }
    }
    if (filled) *out = limb;
    return all >> width == 0;
}

// A word lies in 8 bytes from the byte it starts in, for w <= 57; the last words are read from a copy with zeros behind.
int64_t unpack(const uint8_t* in, size_t bytes, size_t n, unsigned width, int64_t* out) {
    const uint64_t mask = (uint64_t{1} << width) - 1;
    int64_t largest = 0;
    const auto read = [&](const uint8_t* from, size_t start, size_t i) {
        const size_t bit = i * width;
        const int64_t word = static_cast<int64_t>(little_endian<uint64_t>(from + bit / 8 - start) >> bit % 8 & mask);
        largest = word > largest ? word : largest;
        out[i] = word;
    };
    size_t safe = bytes >= 8 ? ((bytes - 8) * 8 + 7) / width + 1 : 0;
    safe = safe < n ? safe : n;
    while (safe && (safe - 1) * width / 8 + 8 > bytes) safe--;
    for (size_t i = 0; i < safe; i++) read(in, 0, i);
    uint8_t tail[24] = {};
    const size_t start = bytes > 16 ? bytes - 16 : 0;
    __builtin_memcpy(tail, in + start, bytes - start);
    for (size_t i = safe; i < n; i++) read(tail, start, i);
    return largest;
}

}  // namespace
