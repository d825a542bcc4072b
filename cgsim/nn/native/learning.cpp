// Python module cgsim.nn.native._learning: arrays come as addresses, checked by the Python side.
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <cstdint>
#include <cstring>

#include "sources.hpp"

#define INLINE inline __attribute__((always_inline))

namespace {

constexpr int64_t MOST_IN = 128;  // columns of the rows of a linear layer

// A convolution and its edges; weights [n_in][n_out].
struct Network {
    int64_t n_channels, first, last;
    const int64_t *start, *source, *row;
    const float *known, *harmonics, *envelope, *handedness, *scalar, *vector, *ends;
    const float *w_hidden, *b_hidden, *w_path, *b_path;
};

struct Sums {
    Network network;
    float *scalar, *vector, *norm;

    bool is_chiral() const { return network.handedness; }
    int64_t channels() const { return network.n_channels; }
};

// Slopes of the sums come in, with weights [n_out][n_in], and slopes of all else go out.
struct Slopes {
    Network network;
    const float *of_hidden, *of_path, *of_scalar, *of_vector;
    float *scalar, *vector, *ends, *known, *w_hidden, *b_hidden, *w_path, *b_path;

    bool is_chiral() const { return network.handedness; }
    int64_t channels() const { return network.n_channels; }
};

// What beads make of the sums; weights [n_in][n_out], of both what they were and the sums.
struct Update {
    int64_t n_channels, chiral, first, last;
    const float *scale, *scalar, *vector, *sum_scalar, *sum_vector, *w_scalar, *w_vector;
    float *open_scalar, *open_vector, *out_scalar, *out_vector;

    bool is_chiral() const { return chiral; }
    int64_t channels() const { return n_channels; }
};

// Slopes of what they made come in, with weights [n_out][n_in]; those of the sums are normalised.
struct UpdateSlopes {
    int64_t n_channels, chiral, first, last;
    const float *scale, *scalar, *vector, *sum_scalar, *sum_vector, *turned_scalar, *turned_vector;
    const float *open_scalar, *open_vector, *norm, *of_scalar, *of_vector;
    float *to_scalar, *to_vector, *to_sum_scalar, *to_sum_vector, *w_scalar, *w_vector;

    bool is_chiral() const { return chiral; }
    int64_t channels() const { return n_channels; }
};

// A linear layer of many rows; its weight [n_in][n_channels], with rows of zeros up to a multiple of 8.
struct Linear {
    int64_t n_channels, n_in, n_rows;
    const float *rows, *weight, *bias;
    float *out;

    bool is_chiral() const { return false; }
    int64_t channels() const { return n_in <= MOST_IN ? n_channels : 0; }
};

// The slope of what it made comes in; that of the rows goes out where it is asked for.
struct LinearSlopes {
    int64_t n_channels, n_in, n_rows;
    const float *rows, *turned, *slope;
    float *of_rows, *of_weight, *of_bias;

    bool is_chiral() const { return false; }
    int64_t channels() const { return n_in <= MOST_IN ? n_channels : 0; }
};

namespace plain {
#define WIDE 8
#define REGISTERS 16
#include "lanes.hpp"
#include "learning.hpp"
#include "update.hpp"
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
#include "lanes.hpp"
#include "learning.hpp"
#include "update.hpp"
#undef WIDE
#undef REGISTERS
}  // namespace avx2
#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma,prefer-vector-width=512")
namespace avx512 {
#define WIDE 16
#define REGISTERS 32
#include "lanes.hpp"
#include "learning.hpp"
#include "update.hpp"
#undef WIDE
#undef REGISTERS
}  // namespace avx512
#pragma GCC pop_options
#endif

struct Level {
    bool (*sums)(const Sums &);
    bool (*slopes)(const Slopes &);
    bool (*update)(const Update &);
    bool (*update_slopes)(const UpdateSlopes &);
    bool (*linear)(const Linear &);
    bool (*linear_slopes)(const LinearSlopes &);
};

#define ALL_OF(level)                                                                             \
    {level::kernel<Sums>, level::kernel<Slopes>, level::kernel<Update>,                            \
     level::kernel<UpdateSlopes>, level::kernel<Linear>, level::kernel<LinearSlopes>}

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

// The fields of a struct, all of eight bytes, from the numbers and addresses of a call.
template <class Arguments, bool (*Level::*kernel)(const Arguments &)>
PyObject *call(PyObject *, PyObject *const *values, Py_ssize_t n_values) {
    constexpr Py_ssize_t n_fields = sizeof(Arguments) / 8;
    if (n_values != n_fields)
        return PyErr_Format(PyExc_TypeError, "expected %zd numbers, got %zd", n_fields, n_values);
    unsigned long long fields[n_fields];
    for (Py_ssize_t i = 0; i < n_fields; ++i) {
        fields[i] = PyLong_AsUnsignedLongLongMask(values[i]);
        if (PyErr_Occurred()) return nullptr;
    }
    Arguments given;
    static_assert(sizeof given == sizeof fields, "all fields have eight bytes");
    std::memcpy(&given, fields, sizeof given);
    bool done;
    Py_BEGIN_ALLOW_THREADS;
    done = (level().*kernel)(given);
    Py_END_ALLOW_THREADS;
    if (!done)
        return PyErr_Format(PyExc_ValueError, "no kernel for %lld channels",
                            static_cast<long long>(given.channels()));
    Py_RETURN_NONE;
}

#define METHOD(name, Arguments)                                                                  \
    {#name,                                                                                      \
     reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(call<Arguments, &Level::name>)), \
     METH_FASTCALL, "The fields of the struct " #Arguments ", in order."}

PyMethodDef methods[] = {
    METHOD(sums, Sums), METHOD(slopes, Slopes), METHOD(update, Update),
    METHOD(update_slopes, UpdateSlopes), METHOD(linear, Linear),
    METHOD(linear_slopes, LinearSlopes), {nullptr, nullptr, 0, nullptr}};

PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_learning", nullptr, -1, methods,
                          nullptr, nullptr, nullptr, nullptr};

}  // namespace

PyMODINIT_FUNC PyInit__learning() {
    PyObject *module = PyModule_Create(&definition);
    if (module && PyModule_AddIntConstant(module, "SOURCES", SOURCES) < 0) Py_CLEAR(module);
    return module;
}
