// What every class of the Python module does with arrays that it is given, and the kernels that were chosen.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <string>
#include <vector>

#include "kernels.hpp"
#include "tables.hpp"

namespace nb = nanobind;
using nb::literals::operator""_a;
using std::int64_t;
using std::size_t;
using std::uint8_t;

extern const Kernels* kernels;  // the best that the CPU has, or the one that was asked for

using Input = nb::ndarray<nb::ro>;
using Output = nb::ndarray<>;
using Shape = std::vector<size_t>;

constexpr size_t kAny = ~size_t{0};

template <typename T>
const char* name_of();
template <>
inline const char* name_of<double>() { return "float64"; }
template <>
inline const char* name_of<int64_t>() { return "int64"; }
template <>
inline const char* name_of<uint8_t>() { return "uint8"; }
template <>
inline const char* name_of<std::int32_t>() { return "int32"; }

inline std::string words_for(const Shape& shape) {
    std::string out;
    for (size_t n : shape) out += (out.empty() ? "" : ", ") + (n == kAny ? "any" : std::to_string(n));
    return "(" + out + ")";
}

template <typename Array>
Shape shape_of(const Array& array) {
    Shape shape(array.ndim());
    for (size_t i = 0; i < shape.size(); i++) shape[i] = array.shape(i);
    return shape;
}

template <typename Array>
bool contiguous(const Array& array) {
    int64_t expected = 1;
    for (size_t i = array.ndim(); i-- > 0; expected *= static_cast<int64_t>(array.shape(i)))
        if (array.shape(i) != 1 && array.stride(i) != expected) return array.size() == 0;
    return true;
}

// The memory of an array that has this type and shape, C order and alignment; ValueError for any other.
template <typename T, typename Array>
T* checked(const Array& array, const char* name, const Shape& shape) {
    using Element = std::remove_const_t<T>;
    const Shape found = shape_of(array);
    bool fits = found.size() == shape.size();
    for (size_t i = 0; fits && i < shape.size(); i++) fits = shape[i] == kAny || shape[i] == found[i];
    const std::string must = std::string(name) + " must be " + name_of<Element>() + " of shape " + words_for(shape);
    if (!fits) throw nb::value_error((must + ". Got shape " + words_for(found) + " instead.").c_str());
    if (array.dtype() != nb::dtype<Element>() || array.device_type() != nb::device::cpu::value)
        throw nb::value_error((must + ". Got another type instead.").c_str());
    if (!contiguous(array)) throw nb::value_error((must + " in C order. Got other strides instead.").c_str());
    T* data = static_cast<T*>(array.data());
    if (reinterpret_cast<std::uintptr_t>(data) % alignof(Element))
        throw nb::value_error((must + ", aligned. Got an odd address instead.").c_str());
    return data;
}

inline void must_be(bool condition, const std::string& message) {
    if (!condition) throw nb::value_error(message.c_str());
}

template <typename A, typename B>
void must_be_apart(const A& in, const B& out) {
    const char *a = static_cast<const char*>(in.data()), *b = static_cast<const char*>(out.data());
    must_be(a + in.nbytes() <= b || b + out.nbytes() <= a, "arrays that are read and written must not share memory.");
}
