// Element types: ONNX numbering, sizes in host memory, sets, and dispatch from a runtime type to a C++ type.
#pragma once

#include <complex>
#include <cstddef>
#include <cstdint>
#include <initializer_list>

#include "engine/half.h"

namespace ort_cpu {

/// Numbered as `onnx.TensorProto.DataType`. Sub-byte types take one byte per element in host memory.
enum class DType : uint8_t {
  none = 0,
  f32 = 1,
  u8 = 2,
  i8 = 3,
  u16 = 4,
  i16 = 5,
  i32 = 6,
  i64 = 7,
  string = 8,
  boolean = 9,
  f16 = 10,
  f64 = 11,
  u32 = 12,
  u64 = 13,
  c64 = 14,
  c128 = 15,
  bf16 = 16,
  f8e4m3fn = 17,
  f8e4m3fnuz = 18,
  f8e5m2 = 19,
  f8e5m2fnuz = 20,
  u4 = 21,
  i4 = 22,
  f4e2m1 = 23,
  f8e8m0 = 24,
  u2 = 25,
  i2 = 26,
  f6e2m3 = 27,
  f6e3m2 = 28,
};

/// Bytes of one element in host memory.
constexpr size_t size_of(DType type) {
  switch (type) {
    case DType::none: return 0;
    case DType::f32:
    case DType::i32:
    case DType::u32: return 4;
    case DType::u16:
    case DType::i16:
    case DType::f16:
    case DType::bf16: return 2;
    case DType::i64:
    case DType::u64:
    case DType::f64:
    case DType::c64:
    case DType::string: return 8;
    case DType::c128: return 16;
    default: return 1;
  }
}

/// The name that ONNX Runtime gives the type: `float`, `int64`, `bfloat16`.
const char* name_of(DType type);

/// A set of element types.
class DTypeSet {
 public:
  constexpr DTypeSet() = default;
  constexpr DTypeSet(std::initializer_list<DType> types) {
    for (DType type : types) bits_ |= bit(type);
  }
  constexpr bool contains(DType type) const { return (bits_ & bit(type)) != 0; }
  constexpr DTypeSet operator|(DTypeSet other) const { return from_bits(bits_ | other.bits_); }
  constexpr DTypeSet operator-(DTypeSet other) const { return from_bits(bits_ & ~other.bits_); }
  constexpr uint32_t bits() const { return bits_; }

 private:
  static constexpr uint32_t bit(DType type) { return 1u << static_cast<unsigned>(type); }
  static constexpr DTypeSet from_bits(uint32_t bits) {
    DTypeSet set;
    set.bits_ = bits;
    return set;
  }
  uint32_t bits_ = 0;
};

inline constexpr DTypeSet kFloats{DType::f32, DType::f64, DType::f16, DType::bf16};
inline constexpr DTypeSet kSigned{DType::i8, DType::i16, DType::i32, DType::i64};
inline constexpr DTypeSet kUnsigned{DType::u8, DType::u16, DType::u32, DType::u64};
inline constexpr DTypeSet kIntegers = kSigned | kUnsigned;
inline constexpr DTypeSet kNumbers = kFloats | kIntegers;
inline constexpr DTypeSet kBool{DType::boolean};
inline constexpr DTypeSet kIndices{DType::i32, DType::i64};
/// Every type that is a fixed number of bytes: all but strings.
inline constexpr DTypeSet kFixedSize =
    kNumbers | kBool | DTypeSet{DType::c64,        DType::c128, DType::f8e4m3fn, DType::f8e4m3fnuz, DType::f8e5m2,
                                DType::f8e5m2fnuz, DType::u4,   DType::i4,       DType::f4e2m1,     DType::f8e8m0,
                                DType::u2,         DType::i2,   DType::f6e2m3,   DType::f6e3m2};

template <class T>
struct DTypeOf;
template <>
struct DTypeOf<float> {
  static constexpr DType value = DType::f32;
};
template <>
struct DTypeOf<double> {
  static constexpr DType value = DType::f64;
};
template <>
struct DTypeOf<Half> {
  static constexpr DType value = DType::f16;
};
template <>
struct DTypeOf<BFloat16> {
  static constexpr DType value = DType::bf16;
};
template <>
struct DTypeOf<int8_t> {
  static constexpr DType value = DType::i8;
};
template <>
struct DTypeOf<int16_t> {
  static constexpr DType value = DType::i16;
};
template <>
struct DTypeOf<int32_t> {
  static constexpr DType value = DType::i32;
};
template <>
struct DTypeOf<int64_t> {
  static constexpr DType value = DType::i64;
};
template <>
struct DTypeOf<uint8_t> {
  static constexpr DType value = DType::u8;
};
template <>
struct DTypeOf<uint16_t> {
  static constexpr DType value = DType::u16;
};
template <>
struct DTypeOf<uint32_t> {
  static constexpr DType value = DType::u32;
};
template <>
struct DTypeOf<uint64_t> {
  static constexpr DType value = DType::u64;
};
template <>
struct DTypeOf<bool> {
  static constexpr DType value = DType::boolean;
};

[[noreturn]] void throw_unsupported_dtype(DType type);

/// Calls `f.template operator()<T>()` with the C++ type of a float type: float, double, Half, BFloat16.
template <class F>
decltype(auto) dispatch_float(DType type, F&& f) {
  switch (type) {
    case DType::f32: return f.template operator()<float>();
    case DType::f64: return f.template operator()<double>();
    case DType::f16: return f.template operator()<Half>();
    case DType::bf16: return f.template operator()<BFloat16>();
    default: throw_unsupported_dtype(type);
  }
}

/// As `dispatch_float`, for the integer types.
template <class F>
decltype(auto) dispatch_integer(DType type, F&& f) {
  switch (type) {
    case DType::i8: return f.template operator()<int8_t>();
    case DType::i16: return f.template operator()<int16_t>();
    case DType::i32: return f.template operator()<int32_t>();
    case DType::i64: return f.template operator()<int64_t>();
    case DType::u8: return f.template operator()<uint8_t>();
    case DType::u16: return f.template operator()<uint16_t>();
    case DType::u32: return f.template operator()<uint32_t>();
    case DType::u64: return f.template operator()<uint64_t>();
    default: throw_unsupported_dtype(type);
  }
}

/// As `dispatch_float`, for floats and integers.
template <class F>
decltype(auto) dispatch_number(DType type, F&& f) {
  return kFloats.contains(type) ? dispatch_float(type, f) : dispatch_integer(type, f);
}

/// Calls `f` with an unsigned type as wide as the elements: for operators that only move data. 16 bytes are
/// `std::complex<double>`.
template <class F>
decltype(auto) dispatch_size(DType type, F&& f) {
  switch (size_of(type)) {
    case 1: return f.template operator()<uint8_t>();
    case 2: return f.template operator()<uint16_t>();
    case 4: return f.template operator()<uint32_t>();
    case 8: return f.template operator()<uint64_t>();
    case 16: return f.template operator()<std::complex<double>>();
    default: throw_unsupported_dtype(type);
  }
}

}  // namespace ort_cpu
