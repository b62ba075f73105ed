#include "host/operator.h"

#include "host/shape_inference.h"
#include "host/status.h"

namespace ort_ops {

namespace {

/// The callbacks of either direction.
struct Direction {
  size_t (*count)(const CustomOp*);
  int32_t (*type)(const CustomOp*, size_t);
  Arity (*arity)(const CustomOp*, size_t);
  int32_t (*minimum)(const CustomOp*);
  int32_t (*homogeneous)(const CustomOp*);
};

DeclaredPorts declared(const CustomOp& op, const Direction& direction, const std::string& where) {
  DeclaredPorts declared;
  const size_t n = direction.count(&op);
  for (size_t i = 0; i < n; ++i) {
    const bool has_arity = op.version >= since::optional_ports && direction.arity != nullptr;
    const Arity arity = has_arity ? direction.arity(&op, i) : Arity::required;
    declared.ports.push_back({direction.type(&op, i), arity});
    if (arity != Arity::variadic) continue;
    if (op.version < since::variadic_ports || i + 1 != n)
      throw Error{Code::fail, where + " declares a variadic port that is not the last one"};
    declared.minimum = static_cast<size_t>(std::max(direction.minimum(&op), 0));
    declared.homogeneous = direction.homogeneous(&op) != 0;
  }
  return declared;
}

}  // namespace

DeclaredPort DeclaredPorts::of(size_t i) const {
  if (i >= ports.size() && !is_variadic())
    throw Error{Code::invalid_graph, "the operator declares " + std::to_string(ports.size()) +
                                         " values where the node has " + std::to_string(i + 1) + " or more"};
  return is_free(i) ? DeclaredPort{element::undefined, Arity::variadic} : ports[std::min(i, ports.size() - 1)];
}

Operator::Operator(std::string domain_name, const CustomOp& custom_op, TablePointers table_pointers)
    : op(&custom_op), pointers(table_pointers), domain(std::move(domain_name)), name(op->name(op)) {
  const std::string where = "operator " + domain + "::" + name;
  if (op->version == 0 || op->version > kNewestApi)
    throw Error{Code::fail, where + " was built against version " + std::to_string(op->version) +
                                " of the API; versions 1 to " + std::to_string(kNewestApi) +
                                " are offered. Build it against onnxruntime 1." + std::to_string(kNewestApi) +
                                " or older, or upgrade ort-custom-ops"};
  if (const char* type = op->provider == nullptr ? nullptr : op->provider(op)) provider = type;
  const bool is_variadic_aware = op->version >= since::variadic_ports;
  inputs = declared(*op,
                    {op->input_count, op->input_type, op->version >= since::optional_ports ? op->input_arity : nullptr,
                     is_variadic_aware ? op->variadic_input_minimum : nullptr,
                     is_variadic_aware ? op->variadic_input_homogeneous : nullptr},
                    where);
  outputs =
      declared(*op,
               {op->output_count, op->output_type, op->version >= since::optional_ports ? op->output_arity : nullptr,
                is_variadic_aware ? op->variadic_output_minimum : nullptr,
                is_variadic_aware ? op->variadic_output_homogeneous : nullptr},
               where);
  if (op->version < since::shape_inference) return;
  if (op->start_version != nullptr) start_version = op->start_version(op);
  if (op->end_version != nullptr) end_version = op->end_version(op);
  if (op->version < since::aliases || op->alias_map == nullptr) return;
  int32_t *from = nullptr, *to = nullptr;
  const size_t count = op->alias_map(&from, &to);
  for (size_t i = 0; i < count; ++i) aliases.emplace_back(from[i], to[i]);
  if (count > 0 && op->release_alias_map != nullptr) op->release_alias_map(from, to);
}

std::vector<TensorInfo> Operator::infer(std::vector<TensorInfo> input_types, std::vector<TensorInfo> output_types,
                                        const Attributes& attributes) const {
  pointers.claim();
  ShapeContext context{{}, std::move(input_types), std::move(output_types), &attributes};
  try {
    // What it returns is neither read nor released: the official C++ wrapper returns a status that it has released.
    op->infer_shapes(op, &context);
  } catch (...) {
    throw error_of_exception();
  }
  return std::move(context.outputs);
}

}  // namespace ort_ops
