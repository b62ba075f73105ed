// Values as unsigned integers of the same order, and pairs of such a key and an index.
#pragma once

#include <bit>
#include <compare>
#include <cstdint>
#include <type_traits>

#include "engine/half.h"

namespace ort_cpu {

template <size_t kBytes>
using UnsignedOf = std::conditional_t<kBytes == 1, uint8_t, std::conditional_t<kBytes == 2, uint16_t, std::conditional_t<kBytes == 4, uint32_t, uint64_t>>>;

/// An integer that orders as the values do: -0 equals 0, and NaN equals NaN and is above everything.
template <class T>
UnsignedOf<sizeof(T)> order_key(T value) {
  using Key = UnsignedOf<sizeof(T)>;
  constexpr Key kSign = static_cast<Key>(Key{1} << (8 * sizeof(T) - 1));
  if constexpr (std::is_integral_v<T>) {
    return static_cast<Key>(static_cast<Key>(value) ^ (std::is_signed_v<T> ? kSign : Key{0}));
  } else {
    const compute_t<T> number = value;
    if (number != number) return static_cast<Key>(~Key{0});
    const Key bits = number == 0 ? Key{0} : std::bit_cast<Key>(value);
    return (bits & kSign) != 0 ? static_cast<Key>(~bits) : static_cast<Key>(bits | kSign);
  }
}

/// An element of a row and its index; greater is better, and equal values are better the lower their index.
template <class T, bool kLargest>
struct RankedEntry {
  uint64_t key;
  uint64_t reversed_index;

  static RankedEntry make(T value, int64_t index) {
    const auto key = order_key(value);
    return {kLargest ? static_cast<uint64_t>(key) : ~static_cast<uint64_t>(key), ~static_cast<uint64_t>(index)};
  }
  int64_t index() const { return static_cast<int64_t>(~reversed_index); }
  auto operator<=>(const RankedEntry&) const = default;
};

}  // namespace ort_cpu
