#include "tables.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace {

using std::size_t;
using std::uint64_t;

constexpr size_t kMaxDegree = 1 << 15;
constexpr size_t kMaxPrimes = 8;
constexpr uint64_t kPrimeLimit = uint64_t{1} << 50;

uint64_t times(uint64_t a, uint64_t b, uint64_t p) { return static_cast<uint64_t>(static_cast<unsigned __int128>(a) * b % p); }

uint64_t power(uint64_t base, uint64_t exponent, uint64_t p) {
    uint64_t result = 1;
    for (base %= p; exponent; exponent >>= 1, base = times(base, base, p))
        if (exponent & 1) result = times(result, base, p);
    return result;
}

uint64_t inverse_of(uint64_t a, uint64_t p) { return power(a, p - 2, p); }

double centred(uint64_t x, uint64_t p) {
    return x > p / 2 ? -static_cast<double>(p - x) : static_cast<double>(x);
}

// The least primitive 2n-th root of unity: the one that SEAL takes.
uint64_t least_root(size_t n, uint64_t p) {
    uint64_t root = 0;
    for (uint64_t g = 2; root == 0; g++) {
        if (g == 1000) throw std::invalid_argument("every modulus must be prime. " + std::to_string(p) + " has no root of unity");
        const uint64_t candidate = power(g, (p - 1) / (2 * n), p);
        if (power(candidate, n, p) == p - 1) root = candidate;
    }
    const uint64_t square = times(root, root, p);
    uint64_t least = root;
    for (size_t i = 0; i < n; i++, root = times(root, square, p)) least = std::min(least, root);
    return least;
}

size_t reversed(size_t value, unsigned bits) {
    size_t out = 0;
    for (unsigned i = 0; i < bits; i++) out |= (value >> i & 1) << (bits - 1 - i);
    return out;
}

std::vector<double> powers_of(uint64_t root, size_t n, uint64_t p) {
    const unsigned bits = static_cast<unsigned>(__builtin_ctzll(n));
    std::vector<double> out(n);
    uint64_t value = 1;
    for (size_t i = 0; i < n; i++, value = times(value, root, p)) out[reversed(i, bits)] = centred(value, p);
    return out;
}

std::vector<double> ratios(const std::vector<double>& powers, double p) {
    std::vector<double> out(powers);
    for (double& one : out) one /= p;
    return out;
}

// For transforms of 64, 128, … words: the twiddles of their last three levels, lane l of a row for block l of eight.
std::vector<double> last_levels(const std::vector<double>& w) {
    std::vector<double> out;
    for (size_t n = 64; n <= w.size(); n *= 2)
        for (size_t first = 0; first < n / 8; first += 8)
            for (size_t parts = 1; parts <= 4; parts *= 2)
                for (size_t part = 0; part < parts; part++)
                    for (size_t lane = 0; lane < 8; lane++) out.push_back(w[n / 8 * parts + parts * (first + lane) + part]);
    return out;
}

void check(size_t degree, const std::vector<uint64_t>& primes) {
    if (degree < 2 || degree > kMaxDegree || degree & (degree - 1))
        throw std::invalid_argument("the ring degree must be a power of two from 2 to 32768. Got " + std::to_string(degree) + " instead");
    if (primes.empty() || primes.size() > kMaxPrimes)
        throw std::invalid_argument("a ring must have 1 to 8 primes. Got " + std::to_string(primes.size()) + " instead");
    for (uint64_t p : primes) {
        if (p < 3 || p >= kPrimeLimit || p % (2 * degree) != 1)
            throw std::invalid_argument("every prime must be below 2^50 and 1 modulo " + std::to_string(2 * degree) + ". Got " + std::to_string(p) + " instead");
        if (std::count(primes.begin(), primes.end(), p) != 1)
            throw std::invalid_argument("the primes must be distinct. Got " + std::to_string(p) + " twice");
    }
}

}  // namespace

Tables::Tables(size_t n, const std::vector<uint64_t>& given) : degree(n), primes(given) {
    check(n, given);
    for (uint64_t p : primes) {
        const uint64_t root = least_root(n, p);
        const double q = static_cast<double>(p), scale = centred(inverse_of(n, p), p);
        moduli.push_back({q, 1 / q, n, twiddles(root, p), twiddles(inverse_of(root, p), p), scale, scale / q});
    }
    for (uint64_t p : primes)
        for (uint64_t other : primes) drop.push_back(p == other ? 0 : centred(inverse_of(other % p, p), p));
}

// A vector keeps its memory when the vector of vectors that holds it grows.
Twiddles Tables::twiddles(uint64_t root, uint64_t prime) {
    const double p = static_cast<double>(prime);
    powers_.push_back(powers_of(root, degree, prime));
    powers_.push_back(ratios(powers_.back(), p));
    powers_.push_back(last_levels(powers_[powers_.size() - 2]));
    powers_.push_back(ratios(powers_.back(), p));
    const auto* end = powers_.data() + powers_.size();
    return {end[-4].data(), end[-3].data(), end[-2].data(), end[-1].data()};
}
