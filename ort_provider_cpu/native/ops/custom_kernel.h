// Kernels of custom operators, by their native entry.
#pragma once

#include <memory>
#include <vector>

#include "engine/kernel.h"
#include "ops/native_kernel.h"

namespace ort_cpu {

/// The kernel that `entry` computes; outputs of type `none` are not wanted. `owner` keeps the entry alive.
///
/// Raises NotImplemented if the entry is of another version than this engine knows.
std::unique_ptr<Kernel> make_custom_kernel(const OrtCoreKernel* entry, std::shared_ptr<const void> owner,
                                           std::vector<DType> outputs);

}  // namespace ort_cpu
