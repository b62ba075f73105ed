// Element-wise functions of two tensors of doubles or integers, and the choice between two tensors by a mask.
#pragma once

#include "simd/binary.h"

namespace ort_cpu::simd {

/// The types of the loops, by their bits: f64, then signed and unsigned integers.
enum class Element { f64, i8, i16, i32, i64, u8, u16, u32, u64, count };
/// Sums and products of integers wrap; `max` and `min` of doubles give NaN if either is.
enum class Arithmetic { add, sub, mul, max, min, count };
enum class Bitwise { bit_and, bit_or, bit_xor, count };

/// y[i] = c[i * c_step] ? a[i * a_step] : b[i * b_step]; y may be a or b.
using SelectLoop = void (*)(const uint8_t* c, const void* a, const void* b, void* y, int64_t n, int c_step, int a_step,
                            int b_step);

struct BinaryTypesTable {
  BinaryLoop arithmetic[static_cast<int>(Element::count)][static_cast<int>(Arithmetic::count)];
  /// To bytes: 1 where the comparison holds.
  BinaryLoop compare[static_cast<int>(Element::count)][static_cast<int>(Compare::count)];
  /// Of bytes.
  BinaryLoop bitwise[static_cast<int>(Bitwise::count)];
  /// For elements of 1, 2, 4 and 8 bytes.
  SelectLoop select[4];
};

}  // namespace ort_cpu::simd

ORT_CPU_TABLE(BinaryTypesTable, binary_types_table)
