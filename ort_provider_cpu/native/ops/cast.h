// Conversions of numbers, defined for every value: what x86 processors give where C++ leaves it open.
#pragma once

#include <cstdint>
#include <limits>
#include <type_traits>

#include "ops/cast_small.h"

namespace ort_cpu {

/// A float or double as int32: towards zero, the smallest int32 if it is out of range or NaN.
template <class F>
inline int32_t to_int32(F x) {
  const bool above = std::is_same_v<F, float> ? x >= F(-2147483648.0) : x > F(-2147483649.0);
  return above && x < F(2147483648.0) ? static_cast<int32_t>(x) : std::numeric_limits<int32_t>::min();
}
/// A float or double as uint32: towards zero, negative numbers modulo 2^32; 2^31 for NaN and below int32, 0 above.
template <class F>
inline uint32_t to_uint32(F x) {
  if (!(x >= F(2147483648.0))) return static_cast<uint32_t>(to_int32(x));
  return static_cast<uint32_t>(to_int32(x - F(2147483648.0))) ^ (uint32_t{1} << 31);
}
/// As `to_int32`, to int64.
template <class F>
inline int64_t to_int64(F x) {
  const bool fits = x >= F(-9223372036854775808.0) && x < F(9223372036854775808.0);
  return fits ? static_cast<int64_t>(x) : std::numeric_limits<int64_t>::min();
}
template <class F>
inline uint64_t to_uint64(F x) {
  if (!(x >= F(9223372036854775808.0))) return static_cast<uint64_t>(to_int64(x));
  return static_cast<uint64_t>(to_int64(x - F(9223372036854775808.0))) ^ (uint64_t{1} << 63);
}

/// A number as another type: integers lose their high bits, floats their fraction, booleans are `x != 0`.
template <class To, class From>
inline To convert_number(From x) {
  if constexpr (std::is_same_v<To, bool>) {
    return x != From(0);
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    if constexpr (std::is_same_v<To, uint64_t>) {
      return to_uint64(x);
    } else if constexpr (std::is_same_v<To, uint32_t>) {
      return to_uint32(x);
    } else if constexpr (std::is_same_v<To, int64_t>) {
      return to_int64(x);
    } else {
      return static_cast<To>(to_int32(x));
    }
  } else {
    return static_cast<To>(x);
  }
}

/// Converts elements of one type to another: any that have a fixed size and are not complex.
class Converter {
 public:
  Converter(DType from, DType to, CastOptions options = {});
  /// Both arrays have `n` elements and do not overlap.
  void operator()(const void* x, void* y, int64_t n) const;

 private:
  using Loop = void (*)(const void* x, void* y, int64_t n);
  void piece(const void* x, void* y, int64_t n) const;
  DType from_, to_;
  DType from_carrier_, to_carrier_;
  CastOptions options_;
  Loop convert_ = nullptr;  // from carrier to carrier; null if they are one
};

/// The type of C++ numbers that holds all values of a type: itself, float, int8 or uint8.
DType carrier_of(DType type);

}  // namespace ort_cpu
