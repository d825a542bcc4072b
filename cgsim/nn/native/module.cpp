// Python module cgsim.nn.native._kernels: arrays come as addresses, checked by the Python side.

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <cstdint>
#include <cstring>
#include <vector>

#include "pool.hpp"

#include "sources.hpp"

#define INLINE inline __attribute__((always_inline))

namespace {

constexpr int MOST_ATTR = 128;    // invariants of an edge
constexpr int MOST_BEADS = 1024;  // of a system whose pairs are all looked at

// Of every kernel: its share of the work, from first to last, and what it works on.

struct Convolution {
    int64_t first, last, n_channels, n_attr;
    double of_silu, of_sigmoid;
    const int64_t *start, *source;
    const float *attr, *harmonics, *envelope, *handedness, *scalar, *vector, *ends;
    const float *w_edge, *b_edge, *w_hidden, *b_hidden, *w_path, *b_path, *w_scalar, *w_vector;
    float *out_scalar, *out_vector;
};

struct Edges {
    int64_t first, last, n_radial, n_hop_classes, n_pair, n_attr, n_known;
    double inverse_width, cutoff, stretch;
    const float *vector;
    const int64_t *hop, *source, *destination;
    const float *known, *kind, *centres, *before, *seen;
    float *attr, *harmonics, *envelope;
};

struct Couplings {
    int64_t first, last, n_channels, n_attr, n_values;
    const int64_t *once, *source, *destination;
    const float *scalar, *ends, *attr, *w_pair, *b_pair, *w_out, *b_out;
    float *out;
};

struct Pairs {
    int64_t first, last;
    double cutoff_square;
    const int64_t *first_bead;
    const float *x, *y, *z;
    const int64_t *known, *known_source;
    int64_t *start, *source, *destination, *which;
};

namespace plain {
#define WIDE 8
#define REGISTERS 16
#include "kernels.hpp"
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
#include "kernels.hpp"
#undef WIDE
#undef REGISTERS
}  // namespace avx2
#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma,prefer-vector-width=512")
namespace avx512 {
#define WIDE 16
#define REGISTERS 32
#include "kernels.hpp"
#undef WIDE
#undef REGISTERS
}  // namespace avx512
#pragma GCC pop_options
#endif

struct Level {
    bool (*convolution)(const Convolution &);
    bool (*edges)(const Edges &);
    bool (*couplings)(const Couplings &);
    bool (*pairs)(const Pairs &);
};

#define ALL_OF(level) {level::convolution, level::edges, level::couplings, level::pairs}

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

// The fields of a struct after first and last, all of eight bytes.
bool read(PyObject *const *values, Py_ssize_t n_values, char *at, size_t n_bytes) {
    if (n_values * 8 != static_cast<Py_ssize_t>(n_bytes)) {
        PyErr_Format(PyExc_TypeError, "expected %zu numbers, got %zd", n_bytes / 8, n_values);
        return false;
    }
    for (Py_ssize_t i = 0; i < n_values; ++i, at += 8) {
        if (PyFloat_Check(values[i])) {
            const double number = PyFloat_AS_DOUBLE(values[i]);
            std::memcpy(at, &number, 8);
        } else {
            const unsigned long long number = PyLong_AsUnsignedLongLongMask(values[i]);
            if (PyErr_Occurred()) return false;
            std::memcpy(at, &number, 8);
        }
    }
    return true;
}

// Where the shares begin and end, of a list of numbers.
bool read_bounds(PyObject *list, std::vector<int64_t> *bounds) {
    if (!PyList_Check(list)) {
        PyErr_SetString(PyExc_TypeError, "expected a list of bounds");
        return false;
    }
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); ++i)
        bounds->push_back(PyLong_AsLongLong(PyList_GET_ITEM(list, i)));
    return !PyErr_Occurred();
}

template <class Arguments, bool (*Level::*kernel)(const Arguments &)>
PyObject *call(PyObject *, PyObject *const *values, Py_ssize_t n_values) {
    Arguments given;
    std::vector<int64_t> bounds;
    constexpr size_t SHARE = 2 * sizeof(int64_t);
    if (n_values < 2) {
        PyErr_SetString(PyExc_TypeError, "expected a number of threads and bounds");
        return nullptr;
    }
    const long n_threads = PyLong_AsLong(values[0]);
    if (PyErr_Occurred() || !read_bounds(values[1], &bounds)) return nullptr;
    if (!read(values + 2, n_values - 2, reinterpret_cast<char *>(&given) + SHARE,
              sizeof given - SHARE))
        return nullptr;
    std::atomic<bool> done{true};
    Py_BEGIN_ALLOW_THREADS;
    const std::function<void(int)> job = [&](int i) {
        Arguments own = given;
        own.first = bounds[i];
        own.last = bounds[i + 1];
        if (!(level().*kernel)(own)) done = false;
    };
    Pool::run(static_cast<int>(n_threads), static_cast<int>(bounds.size()) - 1, job);
    Py_END_ALLOW_THREADS;
    if (!done) {
        PyErr_SetString(PyExc_ValueError, "there is no kernel for so many channels or invariants");
        return nullptr;
    }
    Py_RETURN_NONE;
}

#define METHOD(name, Arguments)                                                                  \
    {#name, reinterpret_cast<PyCFunction>(                                                       \
                reinterpret_cast<void (*)()>(call<Arguments, &Level::name>)),                    \
     METH_FASTCALL, "Threads, bounds of the shares, and the fields of the struct " #Arguments ", in order."}

PyMethodDef methods[] = {METHOD(convolution, Convolution), METHOD(edges, Edges),
                         METHOD(couplings, Couplings), METHOD(pairs, Pairs),
                         {nullptr, nullptr, 0, nullptr}};

PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_kernels", nullptr, -1, methods,
                          nullptr, nullptr, nullptr, nullptr};

}  // namespace

PyMODINIT_FUNC PyInit__kernels() {
    PyObject *module = PyModule_Create(&definition);
    if (module && PyModule_AddIntConstant(module, "SOURCES", SOURCES) < 0) Py_CLEAR(module);
    return module;
}
