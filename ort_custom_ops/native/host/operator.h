// An operator of a library: what its callbacks say about it.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "host/abi.h"
#include "host/foreign.h"
#include "host/kernel_info.h"
#include "host/types.h"

namespace ort_ops {

struct DeclaredPort {
  /// Undefined: any type.
  int32_t type;
  Arity arity;
};

/// The inputs or the outputs. The last one may be variadic, with `minimum` values at least, of one type if
/// `homogeneous`.
struct DeclaredPorts {
  std::vector<DeclaredPort> ports;
  size_t minimum = 1;
  bool homogeneous = true;

  bool is_variadic() const { return !ports.empty() && ports.back().arity == Arity::variadic; }
  /// Whether the i-th value of a node has a type of its own, whatever is declared.
  bool is_free(size_t i) const { return is_variadic() && !homogeneous && i + 1 >= ports.size(); }
  /// The declaration of the i-th value of a node; throws `Error` if there is none.
  DeclaredPort of(size_t i) const;
};

struct Operator {
  /// Asks the callbacks; throws `Error` if the operator needs a newer version of the API, or declares what nothing can.
  Operator(std::string domain, const CustomOp& op, TablePointers pointers);

  const CustomOp* op;
  TablePointers pointers;
  std::string domain, name;
  /// The execution provider whose device it computes on; empty for the CPU.
  std::string provider;
  int32_t start_version = 1, end_version = INT32_MAX;
  DeclaredPorts inputs, outputs;
  /// Inputs and the outputs that share their memory.
  std::vector<std::pair<int32_t, int32_t>> aliases;

  bool infers_shapes() const { return op->version >= since::shape_inference && op->infer_shapes != nullptr; }

  /// The types of the outputs, as the operator infers them; `outputs` are those that are known without. Throws `Error`.
  std::vector<TensorInfo> infer(std::vector<TensorInfo> inputs, std::vector<TensorInfo> outputs,
                                const Attributes& attributes) const;
};

}  // namespace ort_ops
