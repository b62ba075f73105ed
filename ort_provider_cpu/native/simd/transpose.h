// Copies of rows, and transposes of matrices, of elements of 1, 2, 4, 8 and 16 bytes.
#pragma once

#include <cstddef>

#include "simd/isa.h"

namespace ort_cpu::simd {

/// Strides are in bytes; sources and destinations do not overlap.
struct MovementTable {
  /// dst[column][row] = src[row][column] for elements of `1 << i` bytes; entry i.
  void (*transpose[5])(const void* src, ptrdiff_t src_stride, void* dst, ptrdiff_t dst_stride, ptrdiff_t rows,
                       ptrdiff_t columns);
  /// Copies `rows` runs of `bytes`.
  void (*copy_rows)(const void* src, ptrdiff_t src_stride, void* dst, ptrdiff_t dst_stride, ptrdiff_t rows,
                    size_t bytes);
};

}  // namespace ort_cpu::simd

ORT_CPU_TABLE(MovementTable, movement_table)
