// The equation of Einsum: which labels name the dimensions of the inputs and of the output, and their sizes.
#pragma once

#include <string>
#include <vector>

#include "engine/shape.h"

namespace ort_cpu {

/// Labels are numbered from 0; those of the ellipsis among them.
struct EinsumEquation {
  std::vector<std::vector<int>> inputs;
  std::vector<int> output;
  std::vector<int64_t> sizes;  // by label; dimensions of 1 are broadcast

  /// The equation for inputs of those shapes. Raises InvalidArgument when it is none, or does not fit them.
  EinsumEquation(const std::string& text, const std::vector<Shape>& shapes);
};

}  // namespace ort_cpu
