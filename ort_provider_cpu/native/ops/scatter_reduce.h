// What scattering does with the value that is there already.
#pragma once

#include <complex>
#include <optional>
#include <string>
#include <type_traits>

#include "engine/dtype.h"
#include "engine/error.h"

namespace ort_cpu {

enum class Reduction { none, add, mul, max, min };

inline Reduction parse_reduction(const std::string& name) {
  if (name == "none") return Reduction::none;
  if (name == "add") return Reduction::add;
  if (name == "mul") return Reduction::mul;
  if (name == "max") return Reduction::max;
  if (name == "min") return Reduction::min;
  throw_invalid("the reduction '", name, "' is unknown; it must be none, add, mul, max or min");
}

/// a R b; integers wrap around, NaN stays NaN, booleans are or (add, max) and and (mul, min).
template <Reduction R, class T>
T reduced(T a, T b) {
  if constexpr (R == Reduction::none) {
    return b;
  } else if constexpr (std::is_same_v<T, bool>) {
    return R == Reduction::add || R == Reduction::max ? a || b : a && b;
  } else if constexpr (std::is_integral_v<T>) {
    if constexpr (R == Reduction::add) return static_cast<T>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
    if constexpr (R == Reduction::mul) return static_cast<T>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
    if constexpr (R == Reduction::max) return a > b ? a : b;
    if constexpr (R == Reduction::min) return a < b ? a : b;
  } else {
    const compute_t<T> x = a, y = b;
    if constexpr (R == Reduction::add) return T(x + y);
    if constexpr (R == Reduction::mul) return T(x * y);
    if constexpr (R == Reduction::max) return x > y || x != x ? a : b;
    if constexpr (R == Reduction::min) return x < y || x != x ? a : b;
  }
}

/// Calls `f.template operator()<R, T>()`; without a reduction, T is any type of that size.
template <class F>
void dispatch_reduction(Reduction reduction, DType dtype, F&& f) {
  const auto by_type = [&]<Reduction R>() {
    if (dtype == DType::boolean) return f.template operator()<R, bool>();
    dispatch_number(dtype, [&]<class T>() { f.template operator()<R, T>(); });
  };
  switch (reduction) {
    case Reduction::none: return dispatch_size(dtype, [&]<class T>() { f.template operator()<Reduction::none, T>(); });
    case Reduction::add: return by_type.template operator()<Reduction::add>();
    case Reduction::mul: return by_type.template operator()<Reduction::mul>();
    case Reduction::max: return by_type.template operator()<Reduction::max>();
    case Reduction::min: return by_type.template operator()<Reduction::min>();
  }
}

/// Why a reduction of such a type is left to others; nullopt if it is not.
inline std::optional<std::string> decline_reduction(DType dtype, const std::string& reduction) {
  if (reduction == "none" || (kNumbers | kBool).contains(dtype)) return std::nullopt;
  return message("reduction ", reduction, " of ", name_of(dtype));
}

}  // namespace ort_cpu
