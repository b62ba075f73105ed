#include "ops/cast_small.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

namespace ort_cpu {
namespace {

/// A float of `exponent` and `mantissa` bits below a sign.
struct Format {
  int exponent, mantissa, bias;
  /// Codes of magnitudes: the largest number, what a larger one becomes without saturation, NaN.
  uint8_t largest, overflow, nan;
  /// Of numbers that have no negative zero: its code is NaN.
  bool unsigned_zero = false;

  int bits() const { return 1 + exponent + mantissa; }
  uint8_t sign() const { return static_cast<uint8_t>(1 << (exponent + mantissa)); }
};

Format format_of(DType type) {
  switch (type) {
    case DType::f8e4m3fn: return {4, 3, 7, 0x7e, 0x7f, 0x7f};
    case DType::f8e4m3fnuz: return {4, 3, 8, 0x7f, 0x80, 0x80, true};
    case DType::f8e5m2: return {5, 2, 15, 0x7b, 0x7c, 0x7e};
    case DType::f8e5m2fnuz: return {5, 2, 16, 0x7f, 0x80, 0x80, true};
    // Without infinities and NaN, which becomes -0.
    case DType::f6e2m3: return {2, 3, 1, 0x1f, 0x1f, 0x20};
    case DType::f6e3m2: return {3, 2, 3, 0x1f, 0x1f, 0x20};
    default: return {2, 1, 1, 0x7, 0x7, 0x8};  // f4e2m1
  }
}

float decode_float(const Format& format, DType type, uint8_t code) {
  const uint8_t magnitude = code & (format.sign() - 1);
  const bool negative = (code & format.sign()) != 0;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  if (format.unsigned_zero && negative && magnitude == 0) return nan;
  if (type == DType::f8e4m3fn && magnitude == 0x7f) return negative ? -nan : nan;
  if (type == DType::f8e5m2 && magnitude >= 0x7c) {
    const float special = magnitude == 0x7c ? std::numeric_limits<float>::infinity() : nan;
    return negative ? -special : special;
  }
  const int exponent = magnitude >> format.mantissa, fraction = magnitude & ((1 << format.mantissa) - 1);
  const int significand = exponent == 0 ? fraction : fraction + (1 << format.mantissa);
  const float value =
      std::ldexp(static_cast<float>(significand), std::max(exponent, 1) - format.bias - format.mantissa);
  return negative ? -value : value;
}

using Table = std::array<float, 256>;

Table make_table(DType type) {
  Table table;
  for (int code = 0; code < 256; ++code) {
    if (type == DType::f8e8m0) {
      table[code] = code == 255 ? std::numeric_limits<float>::quiet_NaN() : std::ldexp(1.f, code - 127);
    } else {
      const Format format = format_of(type);
      table[code] = decode_float(format, type, static_cast<uint8_t>(code & ((1 << format.bits()) - 1)));
    }
  }
  return table;
}

template <DType kType>
const Table& table_of() {
  static const Table table = make_table(kType);
  return table;
}

const Table& table_of(DType type) {
  switch (type) {
    case DType::f8e4m3fn: return table_of<DType::f8e4m3fn>();
    case DType::f8e4m3fnuz: return table_of<DType::f8e4m3fnuz>();
    case DType::f8e5m2: return table_of<DType::f8e5m2>();
    case DType::f8e5m2fnuz: return table_of<DType::f8e5m2fnuz>();
    case DType::f6e2m3: return table_of<DType::f6e2m3>();
    case DType::f6e3m2: return table_of<DType::f6e3m2>();
    case DType::f8e8m0: return table_of<DType::f8e8m0>();
    default: return table_of<DType::f4e2m1>();
  }
}

uint8_t encode_float(const Format& format, float x, bool saturate) {
  const uint32_t bits = std::bit_cast<uint32_t>(x), magnitude = bits & 0x7fffffffu;
  const uint8_t sign = (bits >> 31) != 0 ? format.sign() : uint8_t{0};
  if (magnitude > 0x7f800000u) return format.nan | (format.nan < format.sign() ? sign : uint8_t{0});
  int code = format.largest + 1;
  if (magnitude < 0x7f800000u) {
    // In units of the last place, where the unit stops shrinking at the subnormal numbers.
    const int exponent = std::max(static_cast<int>(magnitude >> 23) - 127, 1 - format.bias);
    if (exponent + format.bias < (2 << format.exponent)) {
      const float units_per_one = std::bit_cast<float>(static_cast<uint32_t>(127 + format.mantissa - exponent) << 23);
      // The sum has no room for a fraction, so it rounds to nearest even.
      constexpr float kNoFraction = 8388608.f;
      const float rounded = std::bit_cast<float>(magnitude) * units_per_one + kNoFraction - kNoFraction;
      const int units = static_cast<int>(rounded);
      code = ((exponent + format.bias - 1) << format.mantissa) + units;
    }
  }
  if (code > format.largest) code = saturate ? format.largest : format.overflow;
  if (format.unsigned_zero && (code == 0 || code == format.nan)) return static_cast<uint8_t>(code);
  return static_cast<uint8_t>(code | sign);
}

uint8_t encode_power(float x, CastOptions options) {
  constexpr int kBias = 127, kLargest = 254, kNaN = 255;
  if (std::isnan(x)) return kNaN;
  if (std::isinf(x)) return options.saturate ? kLargest : kNaN;
  if (x == 0) return options.saturate ? 0 : kNaN;
  int exponent = 0;
  const double fraction = std::frexp(std::fabs(static_cast<double>(x)), &exponent);
  const bool away = options.round_mode == CastOptions::up        ? fraction > 0.5
                    : options.round_mode == CastOptions::nearest ? fraction >= 0.75
                                                                 : false;
  const int code = exponent - 1 + (away ? 1 : 0) + kBias;
  if (code >= 0 && code <= kLargest) return static_cast<uint8_t>(code);
  return static_cast<uint8_t>(options.saturate ? std::clamp(code, 0, kLargest) : kNaN);
}

int bits_of_integer(DType type) { return type == DType::i4 || type == DType::u4 ? 4 : 2; }

}  // namespace

bool is_small(DType type) {
  return size_of(type) == 1 && type != DType::i8 && type != DType::u8 && type != DType::boolean;
}

DType carrier_of_small(DType type) {
  if (type == DType::i4 || type == DType::i2) return DType::i8;
  return type == DType::u4 || type == DType::u2 ? DType::u8 : DType::f32;
}

void decode_small(DType type, const uint8_t* codes, void* values, int64_t n) {
  const DType carrier = carrier_of_small(type);
  if (carrier == DType::f32) {
    const Table& table = table_of(type);
    for (int64_t i = 0; i < n; ++i) static_cast<float*>(values)[i] = table[codes[i]];
    return;
  }
  const int shift = 8 - bits_of_integer(type);
  if (carrier == DType::i8) {
    for (int64_t i = 0; i < n; ++i)
      static_cast<int8_t*>(values)[i] = static_cast<int8_t>(static_cast<int8_t>(codes[i] << shift) >> shift);
  } else {
    for (int64_t i = 0; i < n; ++i)
      static_cast<uint8_t*>(values)[i] = static_cast<uint8_t>(static_cast<uint8_t>(codes[i] << shift) >> shift);
  }
}

void encode_small(DType type, const void* values, uint8_t* codes, int64_t n, CastOptions options) {
  if (carrier_of_small(type) != DType::f32) {
    const uint8_t mask = static_cast<uint8_t>((1 << bits_of_integer(type)) - 1);
    for (int64_t i = 0; i < n; ++i) codes[i] = static_cast<const uint8_t*>(values)[i] & mask;
    return;
  }
  const float* x = static_cast<const float*>(values);
  if (type == DType::f8e8m0) {
    for (int64_t i = 0; i < n; ++i) codes[i] = encode_power(x[i], options);
    return;
  }
  const Format format = format_of(type);
  for (int64_t i = 0; i < n; ++i) codes[i] = encode_float(format, x[i], options.saturate);
}

}  // namespace ort_cpu
