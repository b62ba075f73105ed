// `saturate`: the element of a type that is nearest to a number.
#pragma once

#include <cmath>
#include <limits>
#include <type_traits>

#include "engine/half.h"

namespace ort_cpu {

/// `value` as an element: integers cut it and hold to their limits, NaN being 0.
template <class T>
T saturate(double value) {
  if constexpr (std::is_integral_v<T>) {
    if (std::isnan(value)) return 0;
    if (value <= static_cast<double>(std::numeric_limits<T>::min())) return std::numeric_limits<T>::min();
    if (value >= static_cast<double>(std::numeric_limits<T>::max())) return std::numeric_limits<T>::max();
    return static_cast<T>(value);
  } else if constexpr (std::is_same_v<T, double>) {
    return value;
  } else {
    return T(static_cast<float>(value));
  }
}

}  // namespace ort_cpu
