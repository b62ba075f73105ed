// Numbers of at most 8 bits: their codes as floats or bytes, and back.
#pragma once

#include "engine/dtype.h"

namespace ort_cpu {

/// How numbers become types that are too narrow for them.
struct CastOptions {
  /// Floats of 8 bits take their largest value for what is larger, rather than infinity or NaN.
  bool saturate = true;
  /// Rounding to powers of two (float8e8m0).
  enum RoundMode { up, down, nearest } round_mode = up;
};

/// Whether elements have at most 8 bits and are no int8, uint8 or bool.
bool is_small(DType type);
/// The type that holds all values of a small type: float, int8 or uint8.
DType carrier_of_small(DType type);

/// Codes to elements of the carrier type.
void decode_small(DType type, const uint8_t* codes, void* values, int64_t n);
/// Elements of the carrier type to codes: floats rounded to nearest, ties to even, integers cut to their low bits.
void encode_small(DType type, const void* values, uint8_t* codes, int64_t n, CastOptions options);

}  // namespace ort_cpu
