// Which kernels this build holds. CMake defines HERMETIC_TARGETS as X(name) X(name) …, best first.

#include "kernels.hpp"

#define X(name) extern const Kernels kernels_##name;
HERMETIC_TARGETS
#undef X

const Kernels* const* all_kernels(std::size_t& count) {
#define X(name) &kernels_##name,
    static const Kernels* const all[] = {HERMETIC_TARGETS};
#undef X
    count = sizeof all / sizeof *all;
    return all;
}
