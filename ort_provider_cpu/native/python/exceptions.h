// From errors of the engine to exceptions of ort_core.
#pragma once

#include <Python.h>

namespace ort_cpu::python {

/// Tells which Python class stands for which kind; `classes` maps its number to the class.
void set_exception_classes(PyObject* classes);

/// Sets the Python error that corresponds to the C++ exception being handled.
void set_python_error() noexcept;

}  // namespace ort_cpu::python
