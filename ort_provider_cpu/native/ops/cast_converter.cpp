#include <bit>
#include <cmath>
#include <cstring>

#include "ops/cast.h"
#include "ops/elementwise_narrow.h"

namespace ort_cpu {
namespace {

constexpr int64_t kPiece = 512;

/// Bytes that hold true and false: whatever is not 0 is true.
struct Truth {
  uint8_t byte;
};
template <class T>
T read(T x) {
  return x;
}
bool read(Truth x) { return x.byte != 0; }

template <class From, class To>
void convert(const void* px, void* py, int64_t n) {
  const From* x = static_cast<const From*>(px);
  if constexpr (std::is_same_v<To, Truth>) {
    uint8_t* y = static_cast<uint8_t*>(py);
    for (int64_t i = 0; i < n; ++i) y[i] = convert_number<bool>(read(x[i])) ? 1 : 0;
  } else {
    To* y = static_cast<To*>(py);
    for (int64_t i = 0; i < n; ++i) y[i] = convert_number<To>(read(x[i]));
  }
}

/// Doubles as floats whose last bit tells that they are inexact, so that rounding them is as rounding the doubles.
void convert_for_rounding(const void* px, void* py, int64_t n) {
  const double* x = static_cast<const double*>(px);
  float* y = static_cast<float*>(py);
  for (int64_t i = 0; i < n; ++i) {
    const float nearest = static_cast<float>(x[i]);
    uint32_t bits = std::bit_cast<uint32_t>(nearest);
    if (static_cast<double>(nearest) != x[i] && std::isfinite(nearest) && (bits & 1) == 0)
      bits += std::fabs(static_cast<double>(nearest)) > std::fabs(x[i]) ? -1 : 1;
    y[i] = std::bit_cast<float>(bits);
  }
}

template <class F>
auto dispatch_plain(DType type, F&& f) {
  if (type == DType::boolean) return f.template operator()<Truth>();
  if (type == DType::f32) return f.template operator()<float>();
  if (type == DType::f64) return f.template operator()<double>();
  return dispatch_integer(type, f);
}

using Loop = void (*)(const void*, void*, int64_t);

template <auto kMember, class From, class To>
void by_table(const void* x, void* y, int64_t n) {
  (simd::convert_table().*kMember)(static_cast<const From*>(x), static_cast<To*>(y), n);
}

Loop loop_between(DType from, DType to) {
  using Table = simd::ConvertTable;
  if (from == DType::f32 && to == DType::i32) return by_table<&Table::to_int32, float, int32_t>;
  if (from == DType::f32 && to == DType::i64) return by_table<&Table::to_int64, float, int64_t>;
  if (from == DType::i64 && to == DType::f32) return by_table<&Table::from_int64, int64_t, float>;
  if (from == DType::boolean && to == DType::f32) return by_table<&Table::from_bool, uint8_t, float>;
  return dispatch_plain(from, [to]<class From>() -> Loop {
    return dispatch_plain(to, []<class To>() -> Loop { return convert<From, To>; });
  });
}

}  // namespace

DType carrier_of(DType type) {
  if (is_narrow(type)) return DType::f32;
  return is_small(type) ? carrier_of_small(type) : type;
}

Converter::Converter(DType from, DType to, CastOptions options)
    : from_(from), to_(to), from_carrier_(carrier_of(from)), to_carrier_(carrier_of(to)), options_(options) {
  if (from_carrier_ == to_carrier_) return;
  convert_ = from == DType::f64 && to == DType::f16 ? convert_for_rounding : loop_between(from_carrier_, to_carrier_);
}

void Converter::operator()(const void* x, void* y, int64_t n) const {
  if (from_ == to_) {
    if (n > 0) std::memcpy(y, x, static_cast<size_t>(n) * size_of(from_));
  } else if (from_ == from_carrier_ && to_ == to_carrier_) {
    convert_(x, y, n);
  } else {
    for (int64_t i = 0; i < n; i += kPiece)
      piece(static_cast<const std::byte*>(x) + i * static_cast<int64_t>(size_of(from_)),
            static_cast<std::byte*>(y) + i * static_cast<int64_t>(size_of(to_)), n - i < kPiece ? n - i : kPiece);
  }
}

void Converter::piece(const void* x, void* y, int64_t n) const {
  alignas(64) std::byte decoded[kPiece * sizeof(double)], converted[kPiece * sizeof(double)];
  const void* value = x;
  if (is_narrow(from_)) {
    void* target = to_ == DType::f32 ? y : decoded;
    narrow_float(from_).decode(static_cast<const uint16_t*>(x), static_cast<float*>(target), n);
    value = target;
  } else if (is_small(from_)) {
    void* target = to_ == from_carrier_ ? y : decoded;
    decode_small(from_, static_cast<const uint8_t*>(x), target, n);
    value = target;
  }
  if (value == y) return;
  if (convert_ != nullptr) {
    void* target = to_ == to_carrier_ ? y : converted;
    convert_(value, target, n);
    value = target;
  }
  if (is_narrow(to_)) {
    narrow_float(to_).encode(static_cast<const float*>(value), static_cast<uint16_t*>(y), n);
  } else if (is_small(to_)) {
    encode_small(to_, value, static_cast<uint8_t*>(y), n, options_);
  }
}

}  // namespace ort_cpu
