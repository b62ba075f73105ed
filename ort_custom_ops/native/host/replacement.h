// What stands for libonnxruntime where libraries of custom operators are linked to it.
#pragma once

#include <string>

namespace ort_ops {

/// Lets the dynamic linker find a library of that name (`libonnxruntime.so.1`, `libonnxruntime.so.1.17.0`, ...) whose
/// OrtGetApiBase gives our table, unless the process has such a library already. False if that is not possible.
bool provide_onnxruntime(const std::string& name);

}  // namespace ort_ops
