// The Python class of a level of ciphertexts that are multiplied: levels.cpp.
#pragma once

#include <nanobind/nanobind.h>

void add_level(nanobind::module_& m);
