// Values as unsigned integers of the same order, and such keys together with an index.
#pragma once

#include <bit>
#include <compare>
#include <cstdint>
#include <type_traits>

#include "engine/half.h"

namespace ort_cpu {

template <size_t kBytes>
struct UnsignedOfSize;
template <>
struct UnsignedOfSize<1> {
  using type = uint8_t;
};
template <>
struct UnsignedOfSize<2> {
  using type = uint16_t;
};
template <>
struct UnsignedOfSize<4> {
  using type = uint32_t;
};
template <>
struct UnsignedOfSize<8> {
  using type = uint64_t;
};
/// The unsigned integer as wide as T.
template <class T>
using order_key_t = typename UnsignedOfSize<sizeof(T)>::type;

/// An integer that orders as the values do: -0 equals 0, and NaN equals NaN and is above everything.
template <class T>
order_key_t<T> order_key(T value) {
  using Key = order_key_t<T>;
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

/// A key and an index below 2^32; greater is better, and equal keys are better the lower their index.
class PackedEntry {
 public:
  PackedEntry() = default;
  PackedEntry(uint32_t key, int64_t index) : bits_(uint64_t{key} << 32 | static_cast<uint32_t>(~index)) {}
  int64_t index() const { return static_cast<uint32_t>(~bits_); }
  auto operator<=>(const PackedEntry&) const = default;

 private:
  uint64_t bits_;
};

/// As `PackedEntry`, for keys of 8 bytes.
class WideEntry {
 public:
  WideEntry() = default;
  WideEntry(uint64_t key, int64_t index) : key_(key), reversed_index_(~static_cast<uint64_t>(index)) {}
  int64_t index() const { return static_cast<int64_t>(~reversed_index_); }
  auto operator<=>(const WideEntry&) const = default;

 private:
  uint64_t key_, reversed_index_;
};

template <class T>
using RankedEntry = std::conditional_t<sizeof(T) <= 4, PackedEntry, WideEntry>;

}  // namespace ort_cpu
