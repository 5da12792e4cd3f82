// Ciphertexts modulo the first l data primes, and the special prime that key switching needs, as a Python class.

#include "levels.hpp"

#include "arrays.hpp"
#include "team.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
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

    void decompose(const Input& polynomial, const Output& digits, size_t threads) const {
        const size_t n = degree();
        const double* in = checked<const double>(polynomial, "polynomial", {rows_, n});
        double* out = checked<double>(digits, "digits", {rows_, rows_ + 1, n});
        must_be_apart(polynomial, digits);
        nb::gil_scoped_release release;
        const Rows coefficients = rows_of(rows_);
        run(threads, [&](const Team::Member& me) {
            coefficients_of(in, coefficients.get(), rows_, me);
            me.wait();
            each(me, rows_ + 1, [&](size_t j) { digits_of(coefficients.get(), in, out + j * n, (rows_ + 1) * n, j); });
        });
    }

    // From digits that were made before, for many keys.
    void switch_key(const Input& digits, const Input& key, const std::optional<Input>& permutation,
                    const std::optional<Input>& addend, const Output& extended, size_t threads) const {
        const size_t n = degree();
        const double* in = checked<const double>(digits, "digits", {rows_, rows_ + 1, n});
        double* out = checked<double>(extended, "extended", {2, rows_ + 1, n});
        must_be_apart(digits, extended);
        const Switching given = switching(key, permutation, addend, std::nullopt, extended);
        nb::gil_scoped_release release;
        const Rows scratch = rows_of(most(threads));
        run(threads, [&](const Team::Member& me) {
            double* own = scratch.get() + me.number() * n;
            each(me, rows_ + 1, [&](size_t j) {
                kernels->switch_row(given, j, in + j * n, (rows_ + 1) * n, out, own, n, tables_.moduli[j]);
            });
        });
    }

    // From a polynomial, or from an extended one, which is divided by the special prime first. Digits of one prime are
    // made, used and forgotten. `rest`, extended, is added.
    void switch_polynomial(const Input& polynomial, const Input& key, const std::optional<Input>& permutation,
                           const std::optional<Input>& addend, const std::optional<Input>& rest, const Output& extended,
                           size_t threads) const {
        const size_t n = degree(), whole = rows_ + 1;
        must_be(polynomial.ndim() == 2 && (polynomial.shape(0) == rows_ || polynomial.shape(0) == whole),
                "polynomial must have shape (l or l+1, N).");
        const size_t rows = polynomial.shape(0);
        const double* in = checked<const double>(polynomial, "polynomial", {rows, n});
        double* out = checked<double>(extended, "extended", {2, whole, n});
        must_be_apart(polynomial, extended);
        const Switching given = switching(key, permutation, addend, rest, extended);
        nb::gil_scoped_release release;
        const Rows coefficients = rows_of(rows), scratch = rows_of(most(threads) * whole);
        run(threads, [&](const Team::Member& me) {
            double *own = scratch.get() + me.number() * whole * n, *digits = own + n;
            coefficients_of(in, coefficients.get(), rows, me);
            me.wait();
            if (rows == whole) {
                each(me, rows_, [&](size_t d) {
                    kernels->divide_coefficients(coefficients.get() + d * n, coefficients.get() + rows_ * n, own, n,
                                                 factors_of(whole)[d], tables_.moduli[d]);
                });
                me.wait();
            }
            each(me, whole, [&](size_t j) {
                digits_of(coefficients.get(), rows == whole ? nullptr : in, digits, n, j);
                kernels->switch_row(given, j, digits, n, out, own, n, tables_.moduli[j]);
            });
        });
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
    void shrink(const Input& extended, const Output& ciphertext, size_t threads) const {
        must_be(extended.ndim() == 3, "extended must have shape (components, l+1, N).");
        const size_t components = extended.shape(0), n = degree();
        const double* in = checked<const double>(extended, "extended", {components, rows_ + 1, n});
        double* out = checked<double>(ciphertext, "ciphertext", {components, rows_, n});
        must_be_apart(extended, ciphertext);
        nb::gil_scoped_release release;
        divide(in, out, components, rows_ + 1, threads);
    }

    // Divided by the last data prime.
    void rescale(const Input& ciphertext, const Output& lower, size_t threads) const {
        must_be(ciphertext.ndim() == 3 && rows_ > 1, "ciphertext must have shape (components, l, N) with l >= 2.");
        const size_t components = ciphertext.shape(0), n = degree();
        const double* in = checked<const double>(ciphertext, "ciphertext", {components, rows_, n});
        double* out = checked<double>(lower, "lower", {components, rows_ - 1, n});
        must_be_apart(ciphertext, lower);
        nb::gil_scoped_release release;
        divide(in, out, components, rows_, threads);
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

    // The sum over b of ciphertexts[b] · weights[b]; rows are l, or l+1 where they are extended. `add` keeps what is there.
    void products(const Input& ciphertexts, const Input& weights, const Output& total, bool add, size_t threads) const {
        must_be(ciphertexts.ndim() == 4 && (ciphertexts.shape(2) == rows_ || ciphertexts.shape(2) == rows_ + 1), "ciphertexts must have shape (m, 2, l or l+1, N).");
        const size_t blocks = ciphertexts.shape(0), rows = ciphertexts.shape(2), n = degree();
        must_be(blocks >= 1, "a product must have at least one ciphertext.");
        const double* x = checked<const double>(ciphertexts, "ciphertexts", {blocks, 2, rows, n});
        const double* w = checked<const double>(weights, "weights", {blocks, rows, n});
        double* out = checked<double>(total, "total", {2, rows, n});
        must_be_apart(ciphertexts, total);
        must_be_apart(weights, total);
        nb::gil_scoped_release release;
        const size_t own = product_scratch(blocks);
        const std::unique_ptr<double[]> scratch(own ? new double[own * most(threads)] : nullptr);
        run(threads, [&](const Team::Member& me) {
            const Team::Range mine = me.share(rows);
            kernels->products(x, w, out, 1, blocks, n, n, add, own ? scratch.get() + me.number() * own : nullptr,
                              tables_.moduli.data(), rows, mine.first, mine.last);
        });
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

    using Rows = std::unique_ptr<double[]>;

    size_t degree() const { return tables_.degree; }

    // Room for rows of a polynomial; what is in it is not defined.
    Rows rows_of(size_t count) const { return Rows(new double[count * degree()]); }

    // No more threads than an extended polynomial has rows.
    size_t most(size_t threads) const { return std::clamp<size_t>(threads, 1, rows_ + 1); }

    template <typename Work>
    void run(size_t threads, const Work& work) const {
        Team::run(most(threads), work);
    }

    template <typename Work>
    static void each(const Team::Member& me, size_t count, const Work& work) {
        const Team::Range mine = me.share(count);
        for (size_t i = mine.first; i < mine.last; i++) work(i);
    }

    // 1/p_last modulo the primes before the last of so many.
    const double* factors_of(size_t rows) const { return factors_.data() + (rows - 1) * (rows - 2) / 2; }

    // What digits are multiplied with, checked against where the sums go.
    Switching switching(const Input& key, const std::optional<Input>& permutation, const std::optional<Input>& addend,
                        const std::optional<Input>& rest, const Output& extended) const {
        const size_t n = degree();
        const bool whole = addend && addend->ndim() == 2 && addend->shape(0) == rows_ + 1;
        const size_t added = whole ? rows_ + 1 : rows_;
        const Switching given{checked<const double>(key, "key", {rows_, 2, rows_ + 1, n}),
                              addend ? checked<const double>(*addend, "addend", {added, n}) : nullptr,
                              special_.data(),
                              permutation ? checked<const std::int32_t>(*permutation, "permutation", {n}) : nullptr,
                              rest ? checked<const double>(*rest, "rest", {2, rows_ + 1, n}) : nullptr,
                              rows_, added};
        must_be_apart(key, extended);
        if (addend) must_be_apart(*addend, extended);
        if (permutation) must_be_apart(*permutation, extended);
        if (rest) must_be_apart(*rest, extended);
        bool inside = true;
        for (size_t i = 0; given.permutation && i < n; i++)
            inside &= static_cast<std::uint32_t>(given.permutation[i]) < n;
        must_be(inside, "every entry of the permutation must be inside a polynomial. One is not.");
        return given;
    }

    void coefficients_of(const double* values, double* out, size_t rows, const Team::Member& me) const {
        const size_t n = degree();
        each(me, rows, [&](size_t r) { kernels->coefficients(values + r * n, out + r * n, n, tables_.moduli[r]); });
    }

    // Every digit modulo prime j. A digit modulo its own prime is the polynomial's row, where its values are there.
    void digits_of(const double* coefficients, const double* values, double* out, size_t stride, size_t j) const {
        const size_t n = degree();
        for (size_t d = 0; d < rows_; d++) {
            if (values && d == j)
                std::copy_n(values + d * n, n, out + d * stride);
            else
                kernels->carried(coefficients + d * n, out + d * stride, n, tables_.moduli[j]);
        }
    }

    // Each component of `rows` rows by the last of them.
    void divide(const double* in, double* out, size_t components, size_t rows, size_t threads) const {
        const size_t n = degree(), last = rows - 1;
        const Rows carries = rows_of(components), scratch = rows_of(most(threads));
        run(threads, [&](const Team::Member& me) {
            double* own = scratch.get() + me.number() * n;
            each(me, components, [&](size_t c) {
                kernels->coefficients(in + (c * rows + last) * n, carries.get() + c * n, n, tables_.moduli[last]);
            });
            me.wait();
            each(me, components * last, [&](size_t row) {
                const size_t c = row / last, j = row % last;
                kernels->divide(in + (c * rows + j) * n, carries.get() + c * n, out + row * n, own, n,
                                factors_of(rows)[j], tables_.moduli[j]);
            });
        });
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
        .def("products", &Level::products, "ciphertexts"_a, "weights"_a, "total"_a, "add"_a = false, "threads"_a = 1)
        .def("add", &Level::add, "total"_a, "other"_a)
        .def("multiply", &Level::multiply, "a"_a, "b"_a, "product"_a)
        .def("decompose", &Level::decompose, "polynomial"_a, "digits"_a, "threads"_a = 1)
        .def("switch_key", &Level::switch_key, "digits"_a, "key"_a, "permutation"_a.none(), "addend"_a.none(), "extended"_a, "threads"_a = 1)
        .def("switch_polynomial", &Level::switch_polynomial, "polynomial"_a, "key"_a, "permutation"_a.none(), "addend"_a.none(), "rest"_a.none(), "extended"_a, "threads"_a = 1)
        .def("extend", &Level::extend, "ciphertext"_a, "extended"_a)
        .def("shrink", &Level::shrink, "extended"_a, "ciphertext"_a, "threads"_a = 1)
        .def("rescale", &Level::rescale, "ciphertext"_a, "lower"_a, "threads"_a = 1);
}
