// Python module cgsim.nn.native._kernels: arrays come as addresses, checked by the Python side.
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <cstdint>
#include <cstring>

#define INLINE inline __attribute__((always_inline))

namespace {

constexpr int MOST_ATTR = 128;    // invariants of an edge
constexpr int MOST_BEADS = 1024;  // of a system whose pairs are all looked at

struct Messages {
    int64_t n_channels, n_attr, first, last;
    const int64_t *start, *source;
    const float *attr, *harmonics, *envelope, *handedness, *scalar, *vector, *ends;
    const float *w_edge, *b_edge, *w_hidden, *b_hidden, *w_path, *b_path;
    float *out_scalar, *out_vector;
};

struct Pairs {
    int64_t n_systems;
    double cutoff_square;
    const int64_t *first;
    const float *x, *y, *z;
    const int64_t *known, *known_source;
    int64_t *start, *source, *destination, *which;
};

namespace plain {
#define WIDE 8
#define TILE 6
#include "messages.hpp"
#include "pairs.hpp"
#undef WIDE
#undef TILE
}  // namespace plain

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define HAS_LEVELS
#pragma GCC push_options
#pragma GCC target("avx2,fma")
namespace avx2 {
#define WIDE 8
#define TILE 6
#include "messages.hpp"
#include "pairs.hpp"
#undef WIDE
#undef TILE
}  // namespace avx2
#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma,prefer-vector-width=512")
namespace avx512 {
#define WIDE 16
#define TILE 12
#include "messages.hpp"
#include "pairs.hpp"
#undef WIDE
#undef TILE
}  // namespace avx512
#pragma GCC pop_options
#endif

struct Level {
    bool (*messages)(const Messages &);
    void (*pairs)(const Pairs &);
};

Level fastest() {
#ifdef HAS_LEVELS
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw"))
        return {avx512::messages, avx512::pairs};
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return {avx2::messages, avx2::pairs};
#endif
    return {plain::messages, plain::pairs};
}

const Level &level() {
    static const Level own = fastest();
    return own;
}

PyObject *py_messages(PyObject *, PyObject *arguments) {
    long long n[4];
    unsigned long long at[17];
    if (!PyArg_ParseTuple(arguments, "(LLLL)(KKKKKKKKKKKKKKKKK)", &n[0], &n[1], &n[2], &n[3],
                          &at[0], &at[1], &at[2], &at[3], &at[4], &at[5], &at[6], &at[7], &at[8],
                          &at[9], &at[10], &at[11], &at[12], &at[13], &at[14], &at[15], &at[16]))
        return nullptr;
    if (n[1] > MOST_ATTR) {
        PyErr_Format(PyExc_ValueError, "at most %d invariants of an edge, got %lld", MOST_ATTR,
                     n[1]);
        return nullptr;
    }
    Messages g;
    static_assert(sizeof g == 21 * 8, "four numbers and seventeen addresses");
    std::memcpy(&g, n, sizeof n);
    std::memcpy(reinterpret_cast<char *>(&g) + sizeof n, at, sizeof at);
    bool done;
    Py_BEGIN_ALLOW_THREADS;
    done = level().messages(g);
    Py_END_ALLOW_THREADS;
    if (!done) {
        PyErr_Format(PyExc_ValueError, "no kernel for %lld channels", n[0]);
        return nullptr;
    }
    Py_RETURN_NONE;
}

PyObject *py_pairs(PyObject *, PyObject *arguments) {
    Pairs g;
    long long n_systems;
    unsigned long long at[10];
    if (!PyArg_ParseTuple(arguments, "Ld(KKKKKKKKKK)", &n_systems, &g.cutoff_square, &at[0], &at[1],
                          &at[2], &at[3], &at[4], &at[5], &at[6], &at[7], &at[8], &at[9]))
        return nullptr;
    g.n_systems = n_systems;
    static_assert(sizeof g == 12 * 8, "two numbers and ten addresses");
    std::memcpy(&g.first, at, sizeof at);
    Py_BEGIN_ALLOW_THREADS;
    level().pairs(g);
    Py_END_ALLOW_THREADS;
    Py_RETURN_NONE;
}

PyMethodDef methods[] = {{"pairs", py_pairs, METH_VARARGS,
                          "Count edges, or write them: n_systems, cutoff_square, 10 addresses."},
                         {"messages", py_messages, METH_VARARGS,
                          "Sum messages: (n_channels, n_attr, first, last), 17 addresses."},
                         {nullptr, nullptr, 0, nullptr}};

PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_kernels", nullptr, -1, methods,
                          nullptr, nullptr, nullptr, nullptr};

}  // namespace

PyMODINIT_FUNC PyInit__kernels() { return PyModule_Create(&definition); }
