// What modules of kernels share in their talk with Python.

#include "sources.hpp"

namespace {

// The fields of a struct, all of eight bytes, from the numbers and addresses of a call.
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

// A module that says which sources it was built from (see cgsim.nn.native.sources).
PyObject *created(PyModuleDef *definition) {
    PyObject *module = PyModule_Create(definition);
    if (module && PyModule_AddIntConstant(module, "SOURCES", SOURCES) < 0) Py_CLEAR(module);
    return module;
}

}  // namespace
