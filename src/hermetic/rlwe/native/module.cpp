// The kernels as a Python module. Every array is checked here; the kernels themselves trust what they get.

#include "arrays.hpp"

#include <cstdlib>
#include <initializer_list>

#include "levels.hpp"

const Kernels* kernels = nullptr;

namespace {

constexpr size_t kUniformBytes = 4, kBinomialBytes = 6, kFloodBytes = 16;

std::vector<const Kernels*> supported() {
    size_t count;
    const Kernels* const* all = all_kernels(count);
    std::vector<const Kernels*> out;
    for (size_t i = 0; i < count; i++)
        if (all[i]->supported()) out.push_back(all[i]);
    return out;
}

const Kernels& choose() {
    const char* wanted = std::getenv("HERMETIC_NATIVE_TARGET");
    const bool any = !wanted || !*wanted;
    std::string known;
    for (const Kernels* one : supported()) {
        if (any || std::string(wanted) == one->target) return *one;
        known += std::string(known.empty() ? "" : ", ") + one->target;
    }
    if (known.empty()) throw nb::import_error("this build of Hermetic is for another kind of CPU: install it from source on this machine");
    throw nb::import_error(("HERMETIC_NATIVE_TARGET must be one that this CPU has: " + known + ". Got " + wanted + " instead").c_str());
}

std::vector<std::string> targets() {
    std::vector<std::string> out;
    for (const Kernels* one : supported()) out.emplace_back(one->target);
    return out;
}

class Ring {
  public:
    Ring(size_t degree, const std::vector<std::uint64_t>& primes, size_t keep) : tables_(degree, primes), keep_(keep) {
        must_be(keep >= 1 && keep <= primes.size(), "keep must be 1 to the number of primes. Got " + std::to_string(keep) + " instead.");
    }

    void forward(const Output& lanes) const {
        must_be(lanes.ndim() == 3, "lanes must have shape (count, l, n).");
        const size_t count = lanes.shape(0), rows = lanes.shape(1), n = lanes.shape(2);
        must_be(rows <= primes() && n && !(n & (n - 1)) && n <= degree(), "lanes must have shape (count, l <= " + std::to_string(primes()) + ", a power of two <= " + std::to_string(degree()) + "). Got " + words_for(shape_of(lanes)) + " instead.");
        double* data = checked<double>(lanes, "lanes", {count, rows, n});
        nb::gil_scoped_release release;
        for (size_t i = 0; i < count * rows; i++) kernels->forward(data + i * n, 1, n, tables_.moduli[i % rows]);
    }

    void inverse(const Output& lanes) const {
        must_be(lanes.ndim() == 3 && lanes.shape(1) <= primes(), "lanes must have shape (count, l <= " + std::to_string(primes()) + ", N). Got " + words_for(shape_of(lanes)) + " instead.");
        const size_t count = lanes.shape(0), rows = lanes.shape(1);
        double* data = checked<double>(lanes, "lanes", {count, rows, degree()});
        nb::gil_scoped_release release;
        for (size_t i = 0; i < count * rows; i++) kernels->inverse(data + i * degree(), 1, tables_.moduli[i % rows]);
    }

    void lift(const Input& residues, const Output& lanes) const {
        must_be(residues.ndim() == 3 && residues.shape(1) <= primes(), "residues must have shape (count, l <= " + std::to_string(primes()) + ", n). Got " + words_for(shape_of(residues)) + " instead.");
        const size_t count = residues.shape(0), rows = residues.shape(1), n = residues.shape(2);
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

    // One row of ciphertexts: c0 and c1, residues (m, L, N) each, as lanes (m, 2, L, N).
    void lift_pairs(const Input& c0, const Input& c1, const Output& lanes) const {
        must_be(c0.ndim() == 3, "c0 must have shape (m, L, N).");
        const size_t count = c0.shape(0), row = primes() * degree();
        const int64_t* halves[] = {checked<const int64_t>(c0, "c0", {count, primes(), degree()}),
                                   checked<const int64_t>(c1, "c1", {count, primes(), degree()})};
        double* out = checked<double>(lanes, "lanes", {count, 2, primes(), degree()});
        must_be_apart(c0, lanes);
        must_be_apart(c1, lanes);
        bool inside = true;
        {
            nb::gil_scoped_release release;
            for (size_t i = 0; i < count; i++)
                for (size_t c = 0; c < 2; c++)
                    for (size_t l = 0; l < primes(); l++)
                        inside &= kernels->lift(halves[c] + i * row + l * degree(), out + (2 * i + c) * row + l * degree(), degree(), tables_.moduli[l]);
        }
        must_be(inside, "every residue must be at least 0 and below its prime. One is not.");
    }

    void lower(const Input& lanes, const Output& residues) const {
        must_be(lanes.ndim() == 3 && lanes.shape(1) <= primes(), "lanes must have shape (count, l <= " + std::to_string(primes()) + ", n). Got " + words_for(shape_of(lanes)) + " instead.");
        const size_t count = lanes.shape(0), rows = lanes.shape(1), n = lanes.shape(2);
        const double* in = checked<const double>(lanes, "lanes", {count, rows, n});
        int64_t* out = checked<int64_t>(residues, "residues", {count, rows, n});
        must_be_apart(lanes, residues);
        nb::gil_scoped_release release;
        for (size_t i = 0; i < count * rows; i++) kernels->lower(in + i * n, out + i * n, n, tables_.moduli[i % rows]);
    }

    void reduce_integers(const Input& integers, const Input& factors, const Output& lanes) const {
        must_be(integers.ndim() == 2 && lanes.ndim() == 3 && lanes.shape(1) <= primes(), "integers must have shape (count, n) and lanes (count, l, n).");
        const size_t count = integers.shape(0), rows = lanes.shape(1), n = integers.shape(1);
        const int64_t* in = checked<const int64_t>(integers, "integers", {count, n});
        const double* factor = checked<const double>(factors, "factors", {rows});
        double* out = checked<double>(lanes, "lanes", {count, rows, n});
        nb::gil_scoped_release release;
        for (size_t i = 0; i < count * rows; i++) kernels->reduce_integers(in + i / rows * n, factor[i % rows], out + i * n, n, tables_.moduli[i % rows]);
    }

    void products(const Input& query, const Input& weights, const Output& answer, bool add) const {
        must_be(query.ndim() == 4 && weights.ndim() == 4, "query must have shape (m, 2, L, N) and weights (G, m, L, points).");
        const size_t groups = weights.shape(0), blocks = query.shape(0), points = weights.shape(3);
        must_be(degree() >= 64 && blocks >= 1, "a product must have at least one polynomial of degree 64 or more.");
        must_be(points && !(points & (points - 1)) && points <= degree(), "points must be a power of two up to the ring degree. Got " + std::to_string(points) + " instead.");
        const double* x = checked<const double>(query, "query", {blocks, 2, primes(), degree()});
        const double* w = checked<const double>(weights, "weights", {groups, blocks, primes(), points});
        double* out = checked<double>(answer, "answer", {groups, 2, primes(), degree()});
        must_be_apart(query, answer);
        must_be_apart(weights, answer);
        nb::gil_scoped_release release;
        std::vector<double> scratch(product_scratch(blocks));
        kernels->products(x, w, out, groups, blocks, degree(), points, add, scratch.empty() ? nullptr : scratch.data(), tables_.moduli.data(), primes(), 0, primes());
    }

    // Sparse weights (G, m, N): row r has values[i] at places[i] for i from starts[r] to starts[r + 1].
    void sparse_products(const Input& query, const Input& starts, const Input& places, const Input& values,
                         const Output& answer) const {
        must_be(query.ndim() == 4 && answer.ndim() == 4 && places.ndim() == 1, "query must have shape (m, 2, L, N), answer (G, 2, L, N) and places (e,).");
        const size_t groups = answer.shape(0), blocks = query.shape(0), count = places.shape(0);
        must_be(degree() >= 64 && blocks >= 1, "a product must have at least one polynomial of degree 64 or more.");
        const double* x = checked<const double>(query, "query", {blocks, 2, primes(), degree()});
        double* out = checked<double>(answer, "answer", {groups, 2, primes(), degree()});
        const Sparse weights{checked<const int64_t>(starts, "starts", {groups * blocks + 1}),
                             checked<const int64_t>(places, "places", {count}),
                             checked<const int64_t>(values, "values", {count})};
        must_be_apart(query, answer);
        bool inside = true;
        {
            nb::gil_scoped_release release;
            inside &= weights.starts[0] >= 0 && weights.starts[groups * blocks] <= static_cast<int64_t>(count);
            for (size_t row = 0; row < groups * blocks; row++) inside &= weights.starts[row] <= weights.starts[row + 1];
            for (size_t i = 0; i < count; i++) inside &= static_cast<std::uint64_t>(weights.places[i]) < degree();
            std::vector<double> scratch(kSparseScratch * degree());
            if (inside)
                kernels->sparse_products(x, weights, out, groups, blocks, degree(), scratch.data(), tables_.moduli.data(), primes());
        }
        must_be(inside, "starts must rise from 0 to the number of places, and places be inside a polynomial. Some do not.");
    }

    void mask(const Output& answer, const Input& key, const Input& stream, unsigned bits) const {
        must_be(bits >= 1 && bits <= 30, "bits must be 1 to 30. Got " + std::to_string(bits) + " instead.");
        must_be(answer.ndim() == 4, "answer must have shape (G, 2, L, N).");
        const size_t groups = answer.shape(0), row = primes() * degree();
        double* out = checked<double>(answer, "answer", {groups, 2, primes(), degree()});
        const double* half = checked<const double>(key, "key", {2, primes(), degree()});
        const uint8_t* u = checked<const uint8_t>(stream, "stream", {groups * degree() * kUniformBytes});
        must_be_apart(key, answer);
        nb::gil_scoped_release release;
        std::vector<double> scratch(degree());
        for (size_t g = 0; g < groups; g++)
            kernels->mask(out + 2 * g * row, half, u + g * degree() * kUniformBytes, bits, scratch.data(), tables_.moduli.data(), primes());
    }

    // The c1 of an answer, as coefficients: errors added, rescaled.
    void rescale(const Input& answer, const Input& errors, const Output& out) const {
        must_be(answer.ndim() == 4 && degree() >= 64, "answer must have shape (G, 2, L, N) with N >= 64.");
        const size_t groups = answer.shape(0), row = primes() * degree();
        const double* in = checked<const double>(answer, "answer", {groups, 2, primes(), degree()});
        const uint8_t* error = checked<const uint8_t>(errors, "errors", {groups * degree() * kBinomialBytes});
        int64_t* c1 = checked<int64_t>(out, "out", {groups, keep_, degree()});
        nb::gil_scoped_release release;
        for (size_t g = 0; g < groups; g++)
            kernels->rescale(in + (2 * g + 1) * row, error + g * degree() * kBinomialBytes, c1 + g * keep_ * degree(), degree(), rescaling());
    }

    // The words of c0 at places (in (G, N), flattened), as coefficients: errors, offsets and flooding added, rescaled.
    void target_words(const Input& answer, const Input& places, const Input& offsets, const Input& errors,
                      const Input& flood, unsigned flood_bits, const Output& out) const {
        must_be(flood_bits >= 1 && flood_bits <= 128, "flood_bits must be 1 to 128. Got " + std::to_string(flood_bits) + " instead.");
        must_be(answer.ndim() == 4 && places.ndim() == 1, "answer must have shape (G, 2, L, N) and places (T,).");
        const size_t groups = answer.shape(0), count = places.shape(0);
        const double* in = checked<const double>(answer, "answer", {groups, 2, primes(), degree()});
        const Targets given{count,
                            checked<const int64_t>(places, "places", {count}),
                            checked<const int64_t>(offsets, "offsets", {count, primes()}),
                            checked<const uint8_t>(errors, "errors", {count * kBinomialBytes}),
                            checked<const uint8_t>(flood, "flood", {count * kFloodBytes}),
                            flood_bits};
        int64_t* words = checked<int64_t>(out, "out", {keep_, count});
        for (size_t i = 0; i < count; i++) {
            must_be(given.places[i] >= 0 && static_cast<size_t>(given.places[i]) < groups * degree(), "every place must be inside the answer. One is not.");
            for (size_t l = 0; l < primes(); l++)
                must_be(given.offsets[i * primes() + l] >= 0 && static_cast<std::uint64_t>(given.offsets[i * primes() + l]) < tables_.primes[l], "every offset must be at least 0 and below its prime. One is not.");
        }
        nb::gil_scoped_release release;
        kernels->target_words(in, degree(), given, words, rescaling());
    }

  private:
    size_t degree() const { return tables_.degree; }
    size_t primes() const { return tables_.primes.size(); }
    Rescaling rescaling() const { return {tables_.moduli.data(), primes(), keep_, tables_.drop.data()}; }

    Tables tables_;
    size_t keep_;
};

void check_width(unsigned width) {
    must_be(width >= 1 && width <= 57, "a word must have 1 to 57 bits. Got " + std::to_string(width) + " instead.");
}

// Without the product of both, which may overflow for an array that claims more words than there is memory.
size_t limbs(size_t words, unsigned width) { return words / 64 * width + (words % 64 * width + 63) / 64; }

void pack(const Input& words, unsigned width, const Output& out) {
    check_width(width);
    must_be(words.ndim() == 1, "words must have shape (n,).");
    const size_t n = words.shape(0);
    const int64_t* in = checked<const int64_t>(words, "words", {n});
    int64_t* to = checked<int64_t>(out, "out", {limbs(n, width)});
    bool fits;
    {
        nb::gil_scoped_release release;
        fits = kernels->pack(in, n, width, reinterpret_cast<std::uint64_t*>(to));
    }
    must_be(fits, "every word must have at most " + std::to_string(width) + " bits. One has more.");
}

int64_t unpack(const Input& data, unsigned width, const Output& words) {
    check_width(width);
    must_be(words.ndim() == 1, "words must have shape (n,).");
    const size_t n = words.shape(0), bytes = 8 * limbs(n, width);
    const uint8_t* in = checked<const uint8_t>(data, "data", {bytes});
    int64_t* out = checked<int64_t>(words, "words", {n});
    nb::gil_scoped_release release;
    return kernels->unpack(in, bytes, n, width, out);
}

size_t accept(const Input& stream, int64_t prime, const Output& out) {
    must_be(prime >= 2 && prime < int64_t{1} << 62, "the prime must be 2 to 2^62. Got " + std::to_string(prime) + " instead.");
    must_be(stream.ndim() == 1 && out.ndim() == 1 && stream.shape(0) % 8 == 0, "stream must have shape (8·n,) and out (room,).");
    const uint8_t* in = checked<const uint8_t>(stream, "stream", {stream.shape(0)});
    int64_t* to = checked<int64_t>(out, "out", {out.shape(0)});
    nb::gil_scoped_release release;
    return kernels->accept(in, stream.shape(0) / 8, prime, to, out.shape(0));
}

void small_uniform(const Input& stream, unsigned bits, const Output& out) {
    must_be(bits >= 1 && bits <= 30, "bits must be 1 to 30. Got " + std::to_string(bits) + " instead.");
    must_be(out.ndim() == 1, "out must have shape (n,).");
    const size_t n = out.shape(0);
    const uint8_t* in = checked<const uint8_t>(stream, "stream", {n * kUniformBytes});
    double* to = checked<double>(out, "out", {n});
    nb::gil_scoped_release release;
    kernels->small_uniform(in, bits, to, n);
}

void centred_binomial(const Input& stream, const Output& out) {
    must_be(out.ndim() == 1, "out must have shape (n,).");
    const size_t n = out.shape(0);
    const uint8_t* in = checked<const uint8_t>(stream, "stream", {n * kBinomialBytes});
    double* to = checked<double>(out, "out", {n});
    nb::gil_scoped_release release;
    kernels->centred_binomial(in, to, n);
}

}  // namespace

NB_MODULE(_native, m) {
    nb::set_leak_warnings(false); // rings are kept until the interpreter ends
    kernels = &choose();
    m.attr("target") = kernels->target;
    m.attr("sources") = HERMETIC_SOURCES;
    m.def("targets", &targets);
    nb::class_<Ring>(m, "Ring")
        .def(nb::init<size_t, const std::vector<std::uint64_t>&, size_t>(), "degree"_a, "primes"_a, "keep"_a)
        .def("forward", &Ring::forward, "lanes"_a)
        .def("inverse", &Ring::inverse, "lanes"_a)
        .def("lift", &Ring::lift, "residues"_a, "lanes"_a)
        .def("lift_pairs", &Ring::lift_pairs, "c0"_a, "c1"_a, "lanes"_a)
        .def("lower", &Ring::lower, "lanes"_a, "residues"_a)
        .def("reduce_integers", &Ring::reduce_integers, "integers"_a, "factors"_a, "lanes"_a)
        .def("products", &Ring::products, "query"_a, "weights"_a, "answer"_a, "add"_a)
        .def("sparse_products", &Ring::sparse_products, "query"_a, "starts"_a, "places"_a, "values"_a, "answer"_a)
        .def("mask", &Ring::mask, "answer"_a, "key"_a, "stream"_a, "bits"_a)
        .def("rescale", &Ring::rescale, "answer"_a, "errors"_a, "out"_a)
        .def("target_words", &Ring::target_words, "answer"_a, "places"_a, "offsets"_a, "errors"_a, "flood"_a,
             "flood_bits"_a, "out"_a);
    add_level(m);
    m.def("pack", &pack, "words"_a, "width"_a, "out"_a);
    m.def("unpack", &unpack, "data"_a, "width"_a, "words"_a);
    m.def("accept", &accept, "stream"_a, "prime"_a, "out"_a);
    m.def("small_uniform", &small_uniform, "stream"_a, "bits"_a, "out"_a);
    m.def("centred_binomial", &centred_binomial, "stream"_a, "out"_a);
}
