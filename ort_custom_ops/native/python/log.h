// Messages of kernels go to Python's logging.
#pragma once

#include <nanobind/nanobind.h>

namespace ort_ops::python {

/// `write(severity, text)` takes messages, `severity()` tells the lowest severity that is shown.
void set_python_logger(nanobind::callable write, nanobind::callable severity);

}  // namespace ort_ops::python
