// Measures the machine, to hold benchmarks against.
#pragma once

#include <cstddef>

namespace ort_cpu {

/// GFLOP/s of fused multiply-adds in registers, of `threads` threads together for about `seconds`.
double probe_fma_gflops(double seconds, int threads);

/// GB/s (10^9 bytes) at which `threads` threads together read `size_bytes` of memory, the best of a few passes.
double probe_read_bandwidth(size_t size_bytes, int threads);

}  // namespace ort_cpu
