// The threads of `KernelContext_ParallelFor`.
#pragma once

#include <cstddef>

namespace ort_ops {

/// Calls `function(user, i)` for every i below `total` on at most `batches` threads (0: as many as there are), the
/// caller's among them. Throws the first exception that the function throws, after all calls have ended. Calls may be
/// nested.
void parallel_for(void (*function)(void*, size_t), size_t total, size_t batches, void* user);

}  // namespace ort_ops
