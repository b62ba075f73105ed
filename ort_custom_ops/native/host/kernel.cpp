#include "host/kernel.h"

#include <algorithm>
#include <cstring>

#include "host/elements.h"
#include "host/status.h"
#include "host/table.h"

namespace ort_ops {

namespace {

int32_t known_type(const Port& port) {
  return port.type.kind == OnnxType::tensor ? port.type.tensor.type : element::undefined;
}

CallPlan plan_of(const Operator& of, const NodeFacts& node) {
  CallPlan plan;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const DeclaredPort declared = of.inputs.of(i);
    plan.input_types.push_back(declared.type);
    plan.input_required.push_back(declared.arity == Arity::required);
    if (declared.type == element::undefined && !of.inputs.is_free(i)) plan.untyped_inputs.push_back(i);
  }
  const size_t n_declared = of.outputs.ports.size() - (of.outputs.is_variadic() ? 1 : 0);
  for (size_t i = 0; i < std::max(node.outputs.size(), n_declared); ++i) {
    const DeclaredPort declared = of.outputs.of(i);
    const int32_t of_node = i < node.outputs.size() ? known_type(node.outputs[i]) : element::undefined;
    plan.output_types.push_back(declared.type != element::undefined ? declared.type : of_node);
    plan.output_follows.push_back(!of.outputs.is_free(i));
  }
  plan.output_alias.assign(plan.output_types.size(), -1);
  for (const auto& [input, output] : of.aliases)
    if (static_cast<size_t>(output) < plan.output_alias.size() && static_cast<size_t>(input) < plan.input_types.size())
      plan.output_alias[output] = input;
  for (const Port& port : node.outputs) plan.wanted.push_back(!port.name.empty());
  return plan;
}

}  // namespace

Kernel::Kernel(const Operator& of, NodeFacts node)
    : destroy_(of.op->destroy),
      compute_(of.op->compute),
      compute_v2_(of.op->version >= since::second_callbacks ? of.op->compute_v2 : nullptr),
      pointers_(of.pointers),
      plan_(plan_of(of, node)),
      native_{ORT_CORE_NATIVE_KERNEL_VERSION, this, native_compute} {
  info_.node = std::make_shared<NodeFacts>(std::move(node));
  pointers_.claim();
  const void* api = table().slots.data();
  Status* status = nullptr;
  try {
    if (of.op->version >= since::second_callbacks && of.op->create_kernel_v2 != nullptr)
      status = of.op->create_kernel_v2(of.op, api, &info_, &state_);
    else state_ = of.op->create_kernel(of.op, api, &info_);
  } catch (...) {
    throw Error{Code::runtime_exception, error_of_exception().message};
  }
  // As in ONNX Runtime, whatever the code of the status is.
  if (status != nullptr) throw Error{Code::runtime_exception, take(status).message};
}

Kernel::~Kernel() {
  pointers_.claim();
  try {
    destroy_(state_);
  } catch (...) {
    // There is nobody to tell.
  }
  delete last_.load();
}

std::unique_ptr<KernelContext> Kernel::take_context() {
  if (KernelContext* last = last_.exchange(nullptr)) return std::unique_ptr<KernelContext>(last);
  {
    const std::lock_guard lock(mutex_);
    if (!spare_.empty()) {
      auto context = std::move(spare_.back());
      spare_.pop_back();
      return context;
    }
  }
  return std::make_unique<KernelContext>(plan_);
}

void Kernel::give_back(std::unique_ptr<KernelContext> context) {
  constexpr size_t kMostSpare = 64;
  context->reset();
  KernelContext* nothing = nullptr;
  if (last_.compare_exchange_strong(nothing, context.get())) {
    context.release();
    return;
  }
  const std::lock_guard lock(mutex_);
  if (spare_.size() >= kMostSpare) return;
  try {
    spare_.push_back(std::move(context));
  } catch (const std::bad_alloc&) {
    // A destructor calls this: where there is no memory for the entry, the context goes.
  }
}

void Kernel::compute(KernelContext& context) const {
  pointers_.claim();
  Status* status = nullptr;
  try {
    if (compute_v2_ != nullptr) status = compute_v2_(state_, &context);
    else compute_(state_, &context);
  } catch (...) {
    throw error_of_exception();
  }
  if (status != nullptr) throw take(status);
  context.check_outputs();
}

void Kernel::compute_for(const OrtCoreCall& call) {
  Call lease(*this);
  KernelContext& context = lease.context();
  if (call.n_inputs != context.inputs.size() || call.n_outputs != plan_.wanted.size())
    throw Error{Code::invalid_argument, "the kernel has " + std::to_string(context.inputs.size()) + " inputs and " +
                                            std::to_string(plan_.wanted.size()) + " outputs, the call has " +
                                            std::to_string(call.n_inputs) + " and " + std::to_string(call.n_outputs)};
  context.engine = &call;
  for (size_t i = 0; i < call.n_inputs; ++i) {
    const OrtCoreTensor& input = call.inputs[i];
    const int32_t type = from_onnx_number(input.element);
    if (input.element == 0) context.set_absent(i);
    else if (type == element::undefined || type == element::string)
      throw Error{Code::not_implemented, "input " + std::to_string(i) + " is of a type that engines cannot pass"};
    else context.set_input(i, type, {input.dims, static_cast<size_t>(input.rank)}, input.data);
  }
  lease.compute();
  for (size_t i = 0; i < call.n_outputs; ++i) {
    if (!context.is_wanted(i)) continue;
    const Value& value = context.outputs[i]->value;
    if (value.is_string())
      throw Error{Code::not_implemented, "output " + std::to_string(i) + " holds strings, which engines cannot take"};
    if (elements_per_byte(value.type) == 1) continue;
    void* memory = call.allocate(call.engine, i, onnx_number(value.type), value.dims.data(),
                                 static_cast<int32_t>(value.dims.rank()));
    if (memory == nullptr) throw Error{Code::runtime_exception, "no memory for output " + std::to_string(i)};
    unpack_elements(value.type, static_cast<const uint8_t*>(value.data), value.count, static_cast<uint8_t*>(memory));
  }
}

int32_t Kernel::native_compute(void* state, const OrtCoreCall* call, char* message, size_t message_bytes) {
  try {
    static_cast<Kernel*>(state)->compute_for(*call);
    return 0;
  } catch (...) {
    const Error error = error_of_exception();
    if (message_bytes > 0) {
      const std::string text = valid_utf8(error.message, message_bytes - 1);
      std::memcpy(message, text.c_str(), text.size() + 1);
    }
    return static_cast<int32_t>(error.code);
  }
}

}  // namespace ort_ops
