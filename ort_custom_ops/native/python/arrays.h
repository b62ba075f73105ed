// Between numpy's arrays and values.
#pragma once

#include "python/numpy_api.h"

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "host/kernel_context.h"
#include "host/values.h"

namespace ort_ops::python {

/// The element type of an array, `element::string` for objects; throws Error for one that the ABI does not have.
int32_t element_of(PyArrayObject* array);

std::span<const int64_t> dims_of(PyArrayObject* array);

/// The array itself as a new reference, or a copy in the order that kernels need; throws PythonError.
PyArrayObject* in_row_major(PyArrayObject* array);

/// Copies the elements of an array of `str` (or `bytes`) as UTF-8; throws PythonError or Error.
void read_strings(PyArrayObject* array, std::vector<std::string>& out);

/// A tensor over the memory of an array, which it keeps alive; sub-byte types and strings are copied. Throws.
std::shared_ptr<const Value> value_of(PyObject* array);

/// An array over the memory of a tensor, which must outlive it; sub-byte types and strings are copied. A new reference;
/// throws.
PyObject* view_of(const Value& value);

/// Copies an array into a tensor of the same type and shape; throws.
void assign(Value& value, PyObject* array);

/// The array of an output, which gives up its memory. A new reference; throws PythonError.
PyObject* array_of(Value& value);

}  // namespace ort_ops::python
