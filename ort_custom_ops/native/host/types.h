// Types of values as libraries see them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "host/abi.h"
#include "host/dims.h"
#include "host/handle.h"

namespace ort_ops {

/// Element type and shape of a tensor. Unknown dimensions are -1; `symbols` names them, or is empty.
struct TensorInfo : Handle {
  int32_t type = element::undefined;
  bool has_shape = true;
  Dims dims;
  std::vector<std::string> symbols;
};

/// Any type; sequences and optionals have an element, maps a key too. A cast to the kind's own handle is the same
/// object.
struct TypeInfo : Handle {
  OnnxType kind = OnnxType::unknown;
  TensorInfo tensor;
  int32_t key = element::undefined;
  std::shared_ptr<const TypeInfo> inner;
};

}  // namespace ort_ops
