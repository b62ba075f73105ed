// The inference of shapes by the operators themselves.
#pragma once

#include <vector>

#include "host/attributes.h"
#include "host/handle.h"
#include "host/types.h"

namespace ort_ops {

/// Inputs and outputs stay this object's; an output that the operator did not set keeps its type and has no shape.
struct ShapeContext : Handle {
  std::vector<TensorInfo> inputs, outputs;
  const Attributes* attributes;
};

}  // namespace ort_ops
