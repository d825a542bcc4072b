// Python module cgsim.nn.native._kernels: arrays come as addresses, checked by the Python side.

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <cstdint>
#include <cstring>
#include <vector>

#include "pool.hpp"
#include "python.hpp"

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

struct Level {
    bool (*convolution)(const Convolution &);
    bool (*edges)(const Edges &);
    bool (*couplings)(const Couplings &);
    bool (*pairs)(const Pairs &);
};

#define ALL_OF(level) {level::convolution, level::edges, level::couplings, level::pairs}

#define KERNELS "kernels.hpp"
#include "levels.hpp"

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
    return created(&definition);
}
