// A library of custom operators: loading it and what it registers.
#pragma once

#include <string>
#include <vector>

#include "host/operator.h"

namespace ort_ops {

/// Loads the library at `path` and lets it register its operators; it stays loaded for ever, because the operators and
/// the table refer to each other from static objects. Throws `Error`; the library may be loaded nevertheless.
std::vector<Operator> load_library(const std::string& path);

}  // namespace ort_ops
