// The kernels of a module once for every instruction set, and the fastest of them that runs here.
//
// Included once, after the struct Level of function pointers, with KERNELS the file of the kernels
// and ALL_OF(level) the functions of one namespace.

namespace plain {
#define WIDE 8
#define REGISTERS 16
#include KERNELS
#undef WIDE
#undef REGISTERS
}  // namespace plain

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define HAS_LEVELS
#pragma GCC push_options
#pragma GCC target("avx2,fma")
namespace avx2 {
#define WIDE 8
#define REGISTERS 16
#include KERNELS
#undef WIDE
#undef REGISTERS
}  // namespace avx2
#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma,prefer-vector-width=512")
namespace avx512 {
#define WIDE 16
#define REGISTERS 32
#include KERNELS
#undef WIDE
#undef REGISTERS
}  // namespace avx512
#pragma GCC pop_options
#endif

Level fastest() {
#ifdef HAS_LEVELS
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw"))
        return ALL_OF(avx512);
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return ALL_OF(avx2);
#endif
    return ALL_OF(plain);
}

const Level &level() {
    static const Level own = fastest();
    return own;
}
