// Python module cgsim.nn.native._learning: arrays come as addresses, checked by the Python side.
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <cstdint>
#include <cstring>

#include "python.hpp"

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

#define KERNELS "gradients.hpp"
#include "levels.hpp"

template <class Arguments, bool (*Level::*kernel)(const Arguments &)>
PyObject *call(PyObject *, PyObject *const *values, Py_ssize_t n_values) {
    Arguments given;
    if (!read(values, n_values, reinterpret_cast<char *>(&given), sizeof given)) return nullptr;
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
    return created(&definition);
}
