// One CPU target's kernels. CMake compiles this file once a target, with that target's flags and HERMETIC_TARGET set.
// Everything but the table stays in an unnamed namespace, and no library template is used: the linker could otherwise
// take one target's copy of a function for another's.

#include "answers.hpp"
#include "bits.hpp"
#include "keyswitching.hpp"

#define STRING_(x) #x
#define STRING(x) STRING_(x)
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)

namespace {

bool lift(const int64_t* __restrict in, double* __restrict out, size_t n, const Modulus& m) {
    const double p = m.p;
    const uint64_t most = static_cast<uint64_t>(p) - 1;
    uint64_t outside = 0;  // its highest bit: below 0, or above the most
    for (size_t i = 0; i < n; i++) {
        const uint64_t word = static_cast<uint64_t>(in[i]);
        outside |= word | (most - word);
        out[i] = lifted(in[i] & 0x000fffffffffffff, p);
    }
    return outside >> 63 == 0;
}

void lower(const double* __restrict in, int64_t* __restrict out, size_t n, const Modulus& m) {
    const double p = m.p;
    for (size_t i = 0; i < n; i++) out[i] = lowered(in[i], p);
}

void reduce_integers(const int64_t* in, double factor, double* out, size_t n, const Modulus& m) {
    for (size_t i = 0; i < n; i++) out[i] = from_integer(in[i], m);
    if (factor == 1) return;
    scale_row(out, n, factor, factor * m.inverse, m.p);
    centre_row(out, n, m.p, m.inverse);
}

bool supported() {
#if defined(__AVX512F__)
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("fma") &&
           __builtin_cpu_supports("bmi2");
#elif defined(__AVX2__)
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2") &&
           __builtin_cpu_supports("popcnt");
#else
    return true;
#endif
}

}  // namespace

extern const Kernels JOIN(kernels_, HERMETIC_TARGET);
const Kernels JOIN(kernels_, HERMETIC_TARGET) = {
    STRING(HERMETIC_TARGET), supported,    forward, inverse, lift,   lower,         reduce_integers,
    products,                sparse_products, mask,         rescale, target_words,
    coefficients,            carried,         switch_row,   divide,  divide_coefficients,
    extend,                  multiply,        add,
    pack,                    unpack,       accept,  small_uniform, centred_binomial,
};
