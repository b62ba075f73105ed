// A library of custom operators: loading it and what it registers.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "host/operator.h"

namespace ort_ops {

/// Loads the library at `path` and lets it register its operators; it stays loaded for ever, because the operators and
/// the table refer to each other from static objects. It may ask for the entries of `config` while it does. Throws
/// `Error`; the library may be loaded nevertheless.
std::vector<Operator> load_library(const std::string& path, std::map<std::string, std::string> config);

}  // namespace ort_ops
