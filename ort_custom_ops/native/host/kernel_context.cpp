#include "host/kernel_context.h"

#include <cstdlib>
#include <cstring>
#include <exception>
#include <mutex>

#include "host/elements.h"
#include "host/logger.h"
#include "host/memory.h"
#include "host/table.h"
#include "host/threads.h"

namespace ort_ops {

KernelContext::KernelContext(const CallPlan& call_plan) : plan(call_plan), inputs(call_plan.input_types.size()) {
  for (size_t i = 0; i < plan.input_types.size(); ++i) values.push_back(std::make_unique<Value>());
  for (size_t i = 0; i < plan.output_types.size(); ++i) outputs.push_back(std::make_unique<Output>());
}

Value& KernelContext::next_input(size_t index, int32_t type) {
  const int32_t expected = plan.input_types[index];
  if (expected != element::undefined && expected != type)
    throw Error{Code::invalid_argument, "input " + std::to_string(index) + " is tensor(" + element_name(type) +
                                            "), the operator takes tensor(" + element_name(expected) + ")"};
  inputs[index] = values[index].get();
  return *values[index];
}

void KernelContext::set_input(size_t index, int32_t type, std::span<const int64_t> dims, void* data) {
  Value& value = next_input(index, type);
  if (elements_per_byte(type) == 1) {
    value.refer(type, dims, data);
    return;
  }
  value.allocate(type, dims);
  pack_elements(type, static_cast<const uint8_t*>(data), value.count, static_cast<uint8_t*>(value.data));
}

std::vector<std::string>& KernelContext::set_strings(size_t index, std::span<const int64_t> dims) {
  Value& value = next_input(index, element::string);
  value.allocate(element::string, dims);
  return value.strings;
}

void KernelContext::set_absent(size_t index) {
  if (plan.input_required[index])
    throw Error{Code::invalid_argument, "input " + std::to_string(index) + " is absent, the operator requires it"};
  inputs[index] = nullptr;
}

bool KernelContext::is_wanted(size_t output) const {
  return output < plan.wanted.size() && plan.wanted[output] && (engine == nullptr || engine->wanted[output] != 0);
}

void KernelContext::check_outputs() const {
  for (size_t i = 0; i < plan.wanted.size(); ++i)
    if (is_wanted(i) && !outputs[i]->made)
      throw Error{Code::runtime_exception, "the kernel returned without making output " + std::to_string(i)};
}

void KernelContext::reset() {
  for (const auto& value : values) value->clear();
  for (const auto& output : outputs) {
    if (!output->made) continue;
    output->value.clear();
    output->made = false;
  }
  scratch.clear();
  engine = nullptr;
}

namespace {

Status* input_count(const KernelContext* context, size_t* out) {
  *out = context->inputs.size();
  return nullptr;
}
Status* output_count(const KernelContext* context, size_t* out) {
  *out = context->plan.wanted.size();
  return nullptr;
}

Status* input(const KernelContext* context, size_t index, const Value** out) {
  *out = index < context->inputs.size() ? context->inputs[index] : nullptr;
  return nullptr;
}

int32_t output_type(const KernelContext& context, size_t index) {
  if (const int32_t type = context.plan.output_types[index]; type != element::undefined) return type;
  if (!context.plan.output_follows[index]) return element::undefined;
  for (const size_t i : context.plan.untyped_inputs)
    if (context.inputs[i] != nullptr) return context.inputs[i]->type;
  return element::undefined;
}

/// ONNX Runtime lets the two share memory, where it can; kernels may leave elements as they were.
void copy_alias(const KernelContext& context, size_t index, Value& made) {
  const int32_t alias = context.plan.output_alias[index];
  const Value* input = alias < 0 ? nullptr : context.inputs[alias];
  if (input == nullptr || input->type != made.type || input->count != made.count) return;
  if (made.is_string()) made.strings = input->strings;
  else if (made.bytes() > 0) std::memcpy(made.data, input->data, made.bytes());
}

/// An output that nobody wants gets memory all the same: kernels write to it without asking.
Status* output(KernelContext* context, size_t index, const int64_t* dims, size_t rank, Value** out) {
  *out = nullptr;
  if (index >= context->outputs.size())
    return make_status(Code::invalid_argument, "the node has " + std::to_string(context->plan.wanted.size()) +
                                                   " outputs, the kernel asks for number " + std::to_string(index));
  KernelContext::Output& made = *context->outputs[index];
  const std::span<const int64_t> shape(dims, rank);
  if (made.made) {
    if (!std::ranges::equal(made.value.dims.span(), shape))
      return make_status(Code::runtime_exception,
                         "output " + std::to_string(index) + " was made with another shape before");
    *out = &made.value;
    return nullptr;
  }
  const int32_t type = output_type(*context, index);
  if (type == element::undefined)
    return make_status(Code::runtime_exception,
                       "the element type of output " + std::to_string(index) + " is not known");
  if (const OrtCoreCall* engine = context->engine;
      engine != nullptr && context->is_wanted(index) && type != element::string && elements_per_byte(type) == 1) {
    const size_t bytes = tensor_bytes(type, element_count(shape));
    void* memory = engine->allocate(engine->engine, index, onnx_number(type), dims, static_cast<int32_t>(rank));
    if (memory == nullptr) return make_status(Code::runtime_exception, "no memory for output " + std::to_string(index));
    made.value.refer(type, shape, memory);
    if (bytes > 0) std::memset(memory, 0, bytes);
  } else {
    made.value.allocate(type, shape);
  }
  copy_alias(*context, index, made.value);
  made.made = true;
  *out = &made.value;
  return nullptr;
}

Status* no_stream(const KernelContext*, void** out) {
  *out = nullptr;
  return nullptr;
}

Status* resource(const KernelContext*, int32_t, int32_t, void** out) {
  *out = nullptr;
  return make_status(Code::invalid_argument, "kernels on the CPU have no stream, and so no resources of one");
}

Status* allocator(const KernelContext*, const MemoryInfo*, Allocator** out) {
  *out = &cpu_allocator();
  return nullptr;
}

Status* scratch(const KernelContext* context, const MemoryInfo*, size_t bytes, void** out) {
  *out = nullptr;
  if (bytes == 0) return nullptr;
  auto& self = *const_cast<KernelContext*>(context);
  std::shared_ptr<void> memory(allocate(bytes), std::free);
  *out = memory.get();
  const std::lock_guard lock(self.scratch_mutex);
  self.scratch.push_back(std::move(memory));
  return nullptr;
}

Status* logger(const KernelContext*, const Logger** out) {
  *out = &the_logger();
  return nullptr;
}

/// Keeps exceptions of the function away from the engine's threads.
struct Guarded {
  void (*function)(void*, size_t);
  void* user;
  std::mutex mutex;
  std::exception_ptr error;

  static void call(void* self, size_t index) {
    auto* guarded = static_cast<Guarded*>(self);
    try {
      guarded->function(guarded->user, index);
    } catch (...) {
      const std::lock_guard lock(guarded->mutex);
      if (guarded->error == nullptr) guarded->error = std::current_exception();
    }
  }
};

Status* run_parallel(const KernelContext* context, void (*function)(void*, size_t), size_t total, size_t batches,
                     void* user) {
  if (function == nullptr || total == 0) return nullptr;
  if (context->engine == nullptr) {
    parallel_for(function, total, batches, user);
    return nullptr;
  }
  Guarded guarded{function, user, {}, {}};
  context->engine->parallel_for(context->engine->engine, Guarded::call, total, batches, &guarded);
  if (guarded.error != nullptr) std::rethrow_exception(guarded.error);
  return nullptr;
}

}  // namespace

void offer_kernel_context(Table& table) {
  offer<"KernelContext_GetInputCount", input_count>(table);
  offer<"KernelContext_GetOutputCount", output_count>(table);
  offer<"KernelContext_GetInput", input>(table);
  offer<"KernelContext_GetOutput", output>(table);
  offer<"KernelContext_GetGPUComputeStream", no_stream>(table);
  offer<"KernelContext_GetSyncStream", no_stream>(table);
  offer<"KernelContext_GetResource", resource>(table);
  offer<"KernelContext_GetAllocator", allocator>(table);
  offer<"KernelContext_GetScratchBuffer", scratch>(table);
  offer<"KernelContext_GetLogger", logger>(table);
  offer<"KernelContext_ParallelFor", run_parallel>(table);
}

}  // namespace ort_ops
