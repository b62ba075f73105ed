// Operators that kernels call are run by Python.
#pragma once

#include <nanobind/nanobind.h>

namespace ort_ops::python {

/// `make(name, domain, version, attributes)` gives a function from a list of arrays (None: absent) and a number
/// of outputs to a list of arrays.
void set_operation_maker(nanobind::callable make);

}  // namespace ort_ops::python
