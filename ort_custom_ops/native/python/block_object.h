// The Python object that keeps the memory of an array.
#pragma once

#include <Python.h>

#include <cstddef>

namespace ort_ops::python {

/// Owns a block of `allocate_block` from now on, also when it fails. A new reference; throws PythonError.
PyObject* new_block_object(void* block, size_t bytes);

}  // namespace ort_ops::python
