#include "host/operations.h"

#include "host/kernel_context.h"
#include "host/kernel_info.h"
#include "host/table.h"

namespace ort_ops {

namespace {

OperationMaker make_operation = nullptr;

struct CallableOperator : Handle {
  std::unique_ptr<Operation> operation;
};

/// Type constraints follow from the inputs of each call, so they are not looked at.
Status* create(const KernelInfo*, const char* name, const char* domain, int32_t version, const char**, const int32_t*,
               int32_t, const Attribute* const* attributes, int32_t attribute_count, int32_t, int32_t,
               CallableOperator** out) {
  *out = nullptr;
  if (make_operation == nullptr) return make_status(Code::not_implemented, "CreateOp: there are no operators to call");
  OperationRequest request{name, domain == nullptr ? "" : domain, version, {}};
  request.attributes.assign(attributes, attributes + attribute_count);
  auto made = std::make_unique<CallableOperator>();
  made->operation = make_operation(request);
  *out = made.release();
  return nullptr;
}

/// Attributes are made without an object that tells for which runtime, so an array may hold ours for the other one.
Status* create_anywhere(const KernelInfo* info, const char* name, const char* domain, int32_t version,
                        const char** constraints, const int32_t* types, int32_t type_count,
                        const Attribute* const* attributes, int32_t attribute_count, int32_t inputs, int32_t outputs,
                        CallableOperator** out) {
  using Here = Slot<slot_index("CreateOp"), create>;
  void* const other = is_foreign(info) ? foreign_slot(slot_index("CreateOp")) : nullptr;
  if (other == nullptr)
    return Here::call(info, name, domain, version, constraints, types, type_count, attributes, attribute_count, inputs,
                      outputs, out);
  try {
    const TranslatedArray<const Attribute> theirs(attributes, attribute_count);
    return reinterpret_cast<decltype(&create)>(other)(info, name, domain, version, constraints, types, type_count,
                                                      theirs.data(), attribute_count, inputs, outputs, out);
  } catch (...) {
    return status_of_exception();
  }
}

Status* invoke(const KernelContext*, const CallableOperator* op, const Value* const* inputs, int32_t input_count,
               Value* const* outputs, int32_t output_count) {
  if (op == nullptr) return make_status(Code::invalid_argument, "InvokeOp: the operator is null");
  for (int32_t i = 0; i < input_count; ++i)
    if (is_foreign(inputs[i])) return make_status(Code::invalid_argument, "InvokeOp: an input is of another runtime");
  for (int32_t i = 0; i < output_count; ++i)
    if (is_foreign(outputs[i])) return make_status(Code::invalid_argument, "InvokeOp: an output is of another runtime");
  op->operation->run({inputs, static_cast<size_t>(input_count)}, {outputs, static_cast<size_t>(output_count)});
  return nullptr;
}

Status* invoke_anywhere(const KernelContext* context, const CallableOperator* op, const Value* const* inputs,
                        int32_t input_count, Value* const* outputs, int32_t output_count) {
  using Here = Slot<slot_index("InvokeOp"), invoke>;
  void* const other = is_foreign(context) ? foreign_slot(slot_index("InvokeOp")) : nullptr;
  if (other == nullptr) return Here::call(context, op, inputs, input_count, outputs, output_count);
  try {
    const TranslatedArray<const Value> from(inputs, input_count);
    const TranslatedArray<Value> to(outputs, output_count);
    return reinterpret_cast<decltype(&invoke)>(other)(context, op, from.data(), input_count, to.data(), output_count);
  } catch (...) {
    return status_of_exception();
  }
}

void release(CallableOperator* op) { delete op; }

}  // namespace

void set_operation_maker(OperationMaker maker) { make_operation = maker; }

void offer_operations(Table& table) {
  offer<"CreateOp", create>(table);
  offer<"InvokeOp", invoke>(table);
  offer<"ReleaseOp", release>(table);
  table.slots[slot_index("CreateOp")] = reinterpret_cast<void*>(&create_anywhere);
  table.slots[slot_index("InvokeOp")] = reinterpret_cast<void*>(&invoke_anywhere);
}

}  // namespace ort_ops
