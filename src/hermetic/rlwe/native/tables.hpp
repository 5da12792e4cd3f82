// A ring's primes and the powers of their roots of unity, made once and never changed.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels.hpp"

class Tables {
  public:
    // Degree a power of two from 2 to 2^15, at most 8 distinct odd primes p = 1 mod 2·degree below 2^50. Throws
    // std::invalid_argument with words for anything else.
    Tables(std::size_t degree, const std::vector<std::uint64_t>& primes);
    Tables(const Tables&) = delete;

    const std::size_t degree;
    const std::vector<std::uint64_t> primes;
    std::vector<Modulus> moduli;
    std::vector<double> drop;  // p_j^-1 modulo p_i at i·L + j

  private:
    Twiddles twiddles(std::uint64_t root, std::uint64_t prime);

    std::vector<std::vector<double>> powers_;
};
