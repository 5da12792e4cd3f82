// Ciphertexts modulo the first l data primes, and the special prime that key switching needs, as a Python class.

#include "levels.hpp"

#include "arrays.hpp"

#include <cmath>
#include <optional>

namespace {

class Level {
  public:
    Level(size_t degree, std::vector<std::uint64_t> primes, std::uint64_t special)
        : rows_(primes.size()), tables_(degree, with(std::move(primes), special)) {
        must_be(degree >= 64, "the ring degree must be at least 64. Got " + std::to_string(degree) + " instead.");
        for (std::uint64_t p : tables_.primes) {
            const double remainder = static_cast<double>(special % p);
            special_.push_back(remainder > static_cast<double>(p) / 2 ? remainder - static_cast<double>(p) : remainder);
        }
        for (size_t last = 1; last <= rows_; last++)
            for (size_t i = 0; i < last; i++) factors_.push_back(tables_.drop[i * (rows_ + 1) + last]);
    }

    void decompose(const Input& polynomial, const Output& digits) const {
        const double* in = checked<const double>(polynomial, "polynomial", {rows_, degree()});
        double* out = checked<double>(digits, "digits", {rows_, rows_ + 1, degree()});
        must_be_apart(polynomial, digits);
        nb::gil_scoped_release release;
        std::vector<double> scratch(degree());
        kernels->decompose(in, out, scratch.data(), degree(), tables_.moduli.data(), rows_);
    }

    void switch_key(const Input& digits, const Input& key, const std::optional<Input>& permutation,
                    const std::optional<Input>& addend, const Output& extended) const {
        const size_t n = degree();
        const bool whole = addend && addend->ndim() == 2 && addend->shape(0) == rows_ + 1;
        const size_t added = whole ? rows_ + 1 : rows_;
        Switching given{checked<const double>(digits, "digits", {rows_, rows_ + 1, n}),
                        checked<const double>(key, "key", {rows_, 2, rows_ + 1, n}),
                        addend ? checked<const double>(*addend, "addend", {added, n}) : nullptr,
                        special_.data(),
                        permutation ? checked<const std::int32_t>(*permutation, "permutation", {n}) : nullptr,
                        rows_, added};
        double* out = checked<double>(extended, "extended", {2, rows_ + 1, n});
        must_be_apart(digits, extended);
        must_be_apart(key, extended);
        if (addend) must_be_apart(*addend, extended);
        if (permutation) must_be_apart(*permutation, extended);
        bool inside = true;
        for (size_t i = 0; given.permutation && i < n; i++)
            inside &= static_cast<std::uint32_t>(given.permutation[i]) < n;
        must_be(inside, "every entry of the permutation must be inside a polynomial. One is not.");
        nb::gil_scoped_release release;
        std::vector<double> scratch(n);
        kernels->switch_key(given, out, scratch.data(), n, tables_.moduli.data());
    }

    void extend(const Input& ciphertext, const Output& extended) const {
        must_be(ciphertext.ndim() == 3, "ciphertext must have shape (components, l, N).");
        const size_t components = ciphertext.shape(0);
        const double* in = checked<const double>(ciphertext, "ciphertext", {components, rows_, degree()});
        double* out = checked<double>(extended, "extended", {components, rows_ + 1, degree()});
        must_be_apart(ciphertext, extended);
        nb::gil_scoped_release release;
        kernels->extend(in, out, special_.data(), components, degree(), tables_.moduli.data(), rows_);
    }

    // Extended rows divided by the special prime.
    void shrink(const Input& extended, const Output& ciphertext) const {
        must_be(extended.ndim() == 3, "extended must have shape (components, l+1, N).");
        const size_t components = extended.shape(0), n = degree();
        const double* in = checked<const double>(extended, "extended", {components, rows_ + 1, n});
        double* out = checked<double>(ciphertext, "ciphertext", {components, rows_, n});
        must_be_apart(extended, ciphertext);
        nb::gil_scoped_release release;
        divide(in, out, components, rows_ + 1);
    }

    // Divided by the last data prime.
    void rescale(const Input& ciphertext, const Output& lower) const {
        must_be(ciphertext.ndim() == 3 && rows_ > 1, "ciphertext must have shape (components, l, N) with l >= 2.");
        const size_t components = ciphertext.shape(0), n = degree();
        const double* in = checked<const double>(ciphertext, "ciphertext", {components, rows_, n});
        double* out = checked<double>(lower, "lower", {components, rows_ - 1, n});
        must_be_apart(ciphertext, lower);
        nb::gil_scoped_release release;
        divide(in, out, components, rows_);
    }

    void multiply(const Input& a, const Input& b, const Output& product) const {
        const double* left = checked<const double>(a, "a", {2, rows_, degree()});
        const double* right = checked<const double>(b, "b", {2, rows_, degree()});
        double* out = checked<double>(product, "product", {3, rows_, degree()});
        must_be_apart(a, product);
        must_be_apart(b, product);
        nb::gil_scoped_release release;
        kernels->multiply(left, right, out, degree(), tables_.moduli.data(), rows_);
    }

    void add(const Output& total, const Input& other) const {
        must_be(total.ndim() == 3 && (total.shape(1) == rows_ || total.shape(1) == rows_ + 1), "total must have shape (components, l or l+1, N).");
        const size_t components = total.shape(0), rows = total.shape(1);
        double* out = checked<double>(total, "total", {components, rows, degree()});
        const double* in = checked<const double>(other, "other", {components, rows, degree()});
        must_be_apart(other, total);
        nb::gil_scoped_release release;
        kernels->add(out, in, components, degree(), tables_.moduli.data(), rows);
    }

    // The sum over b of ciphertexts[b] · weights[b]; rows are l, or l+1 where they are extended.
    void products(const Input& ciphertexts, const Input& weights, const Output& total) const {
        must_be(ciphertexts.ndim() == 4 && (ciphertexts.shape(2) == rows_ || ciphertexts.shape(2) == rows_ + 1), "ciphertexts must have shape (m, 2, l or l+1, N).");
        const size_t blocks = ciphertexts.shape(0), rows = ciphertexts.shape(2), n = degree();
        must_be(blocks >= 1, "a product must have at least one ciphertext.");
        const double* x = checked<const double>(ciphertexts, "ciphertexts", {blocks, 2, rows, n});
        const double* w = checked<const double>(weights, "weights", {blocks, rows, n});
        double* out = checked<double>(total, "total", {2, rows, n});
        must_be_apart(ciphertexts, total);
        must_be_apart(weights, total);
        nb::gil_scoped_release release;
        std::vector<double> scratch(product_scratch(blocks));
        kernels->products(x, w, out, 1, blocks, n, n, false, scratch.empty() ? nullptr : scratch.data(), tables_.moduli.data(), rows);
    }

    // Integers (count, N) times a factor a row (count, l+1), as extended values (count, l+1, N).
    void encode(const Input& integers, const Input& factors, const Output& values) const {
        must_be(integers.ndim() == 2, "integers must have shape (count, N).");
        const size_t count = integers.shape(0), n = degree(), rows = rows_ + 1;
        const int64_t* in = checked<const int64_t>(integers, "integers", {count, n});
        const double* factor = checked<const double>(factors, "factors", {rows});
        double* out = checked<double>(values, "values", {count, rows, n});
        must_be_apart(integers, values);
        must_be_apart(factors, values);
        bool fits = true;
        for (size_t j = 0; j < rows; j++) fits &= std::fabs(factor[j]) <= tables_.moduli[j].p / 2 && factor[j] == std::rint(factor[j]);
        must_be(fits, "factors must be whole numbers within half their primes. One is not.");
        nb::gil_scoped_release release;
        for (size_t i = 0; i < count * rows; i++) {
            kernels->reduce_integers(in + i / rows * n, factor[i % rows], out + i * n, n, tables_.moduli[i % rows]);
            kernels->forward(out + i * n, 1, n, tables_.moduli[i % rows]);
        }
    }

    void lift(const Input& residues, const Output& lanes) const {
        must_be(residues.ndim() == 3 && (residues.shape(1) == rows_ || residues.shape(1) == rows_ + 1), "residues must have shape (count, l or l+1, N).");
        const size_t count = residues.shape(0), rows = residues.shape(1), n = degree();
        const int64_t* in = checked<const int64_t>(residues, "residues", {count, rows, n});
        double* out = checked<double>(lanes, "lanes", {count, rows, n});
        must_be_apart(residues, lanes);
        bool inside = true;
        {
            nb::gil_scoped_release release;
            for (size_t i = 0; i < count * rows; i++) inside &= kernels->lift(in + i * n, out + i * n, n, tables_.moduli[i % rows]);
        }
        must_be(inside, "every residue must be at least 0 and below its prime. One is not.");
    }

  private:
    static std::vector<std::uint64_t> with(std::vector<std::uint64_t> primes, std::uint64_t special) {
        primes.push_back(special);
        return primes;
    }

    size_t degree() const { return tables_.degree; }

    // Each component of `rows` rows by the last of them: 1/p_last modulo the primes before it.
    void divide(const double* in, double* out, size_t components, size_t rows) const {
        std::vector<double> scratch(2 * degree());
        const double* factors = factors_.data() + (rows - 1) * (rows - 2) / 2;
        for (size_t c = 0; c < components; c++)
            kernels->divide(in + c * rows * degree(), out + c * (rows - 1) * degree(), scratch.data(), degree(), tables_.moduli.data(), rows, factors);
    }

    size_t rows_;
    Tables tables_;
    std::vector<double> special_;
    std::vector<double> factors_;
};

}  // namespace

void add_level(nb::module_& m) {
    nb::class_<Level>(m, "Level")
        .def(nb::init<size_t, std::vector<std::uint64_t>, std::uint64_t>(), "degree"_a, "primes"_a, "special"_a)
        .def("lift", &Level::lift, "residues"_a, "lanes"_a)
        .def("encode", &Level::encode, "integers"_a, "factors"_a, "values"_a)
        .def("products", &Level::products, "ciphertexts"_a, "weights"_a, "total"_a)
        .def("add", &Level::add, "total"_a, "other"_a)
        .def("multiply", &Level::multiply, "a"_a, "b"_a, "product"_a)
        .def("decompose", &Level::decompose, "polynomial"_a, "digits"_a)
        .def("switch_key", &Level::switch_key, "digits"_a, "key"_a, "permutation"_a.none(), "addend"_a.none(), "extended"_a)
        .def("extend", &Level::extend, "ciphertext"_a, "extended"_a)
        .def("shrink", &Level::shrink, "extended"_a, "ciphertext"_a)
        .def("rescale", &Level::rescale, "ciphertext"_a, "lower"_a);
}
