// `AlignedFloats`: memory for packed weights.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>

#include "engine/error.h"

namespace ort_cpu {

/// Floats aligned to cache lines, zero at first.
class AlignedFloats {
 public:
  AlignedFloats() = default;
  explicit AlignedFloats(size_t count) {
    require(count < (size_t{1} << 60), count, " packed weights are more than memory can address");
    const size_t bytes = (count * sizeof(float) + 127) / 64 * 64;
    void* memory = std::aligned_alloc(64, bytes);
    if (memory == nullptr) throw std::bad_alloc();
    std::fill_n(static_cast<float*>(memory), bytes / sizeof(float), 0.0f);
    data_.reset(static_cast<float*>(memory));
  }
  float* data() { return data_.get(); }
  const float* data() const { return data_.get(); }

 private:
  struct Free {
    void operator()(float* p) const { std::free(p); }
  };
  std::unique_ptr<float[], Free> data_;
};

}  // namespace ort_cpu
