// The Python object that calls a kernel.
#pragma once

#include <Python.h>

#include <memory>
#include <string>

#include "host/kernel.h"

namespace ort_ops::python {

/// Makes the type; throws PythonError.
PyTypeObject* kernel_type();

/// A callable `kernel(*inputs)`; `where` names the node in messages, `name` is that of the library. Throws PythonError.
PyObject* new_kernel_object(std::unique_ptr<Kernel> kernel, std::string where);

}  // namespace ort_ops::python
