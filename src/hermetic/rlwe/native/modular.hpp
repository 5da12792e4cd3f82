// Arithmetic modulo a prime p < 2^50 on doubles. README.md says why each step is exact.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels.hpp"

namespace {

using std::int64_t;
using std::size_t;
using std::uint64_t;

#define INLINE inline __attribute__((always_inline))

// x modulo p, within p/2 and a hair: exact for |x| <= 8p.
INLINE double reduced(double x, double p, double inverse) {
    return __builtin_fma(-__builtin_rint(x * inverse), p, x);
}

// a·w modulo p, for |w| <= p/2 and ratio = w/p: at most p·(1/2 + |a|/8p), exact for |a| <= 8p.
INLINE double product(double a, double w, double ratio, double p) {
    const double high = a * w;
    const double quotient = __builtin_rint(a * ratio);
    const double low = __builtin_fma(a, w, -high);
    return __builtin_fma(-quotient, p, high) + low;
}

// The representative in [-p/2, p/2] of an x within p/2 and a hair; p is odd.
INLINE double centred(double x, double p) {
    const double half = p * 0.5;
    x = x > half ? x - p : x;
    return x < -half ? x + p : x;
}

// Integers 0 <= x < 2^52 as doubles, and back, by the bits of x + 2^52: vector units before AVX-512 have no conversion.
INLINE double from_bits(int64_t x) { return __builtin_bit_cast(double, x | 0x4330000000000000) - 0x1p52; }
INLINE int64_t to_bits(double x) { return __builtin_bit_cast(int64_t, x + 0x1p52) & 0x000fffffffffffff; }

// A residue in [0, p) as a lane in [-p/2, p/2].
INLINE double lifted(int64_t residue, double p) {
    const double x = from_bits(residue);
    return x > p * 0.5 ? x - p : x;
}

// A lane in [-p/2, p/2] as a residue in [0, p).
INLINE int64_t lowered(double x, double p) { return to_bits(x < 0 ? x + p : x); }

// Any integer as a lane in [-p/2, p/2].
INLINE double from_integer(int64_t x, const Modulus& modulus) {
    const int64_t p = static_cast<int64_t>(modulus.p), half = p / 2;
    if (x > half || x < -half) {
        x %= p;
        x = x > half ? x - p : x < -half ? x + p : x;
    }
    return static_cast<double>(x);
}

}  // namespace
