// Operators of the runtime that kernels call.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "host/attributes.h"
#include "host/values.h"

namespace ort_ops {

struct OperationRequest {
  std::string name, domain;
  int32_t version;
  std::vector<const Attribute*> attributes;
};

/// An operator with its attributes; may run on several threads at once.
class Operation {
 public:
  virtual ~Operation() = default;
  /// Computes into outputs that have their types and shapes. A null input is absent. Throws `Error`.
  virtual void run(std::span<const Value* const> inputs, std::span<Value* const> outputs) = 0;
};

/// Throws `Error` if the runtime has no such operator.
using OperationMaker = std::unique_ptr<Operation> (*)(const OperationRequest&);

void set_operation_maker(OperationMaker maker);

}  // namespace ort_ops
