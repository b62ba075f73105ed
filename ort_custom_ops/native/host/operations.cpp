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

Status* invoke(const KernelContext*, const CallableOperator* op, const Value* const* inputs, int32_t input_count,
               Value* const* outputs, int32_t output_count) {
  if (op == nullptr) return make_status(Code::invalid_argument, "InvokeOp: the operator is null");
  op->operation->run({inputs, static_cast<size_t>(input_count)}, {outputs, static_cast<size_t>(output_count)});
  return nullptr;
}

void release(CallableOperator* op) { delete op; }

}  // namespace

void set_operation_maker(OperationMaker maker) { make_operation = maker; }

void offer_operations(Table& table) {
  offer<"CreateOp", create>(table);
  offer<"InvokeOp", invoke>(table);
  offer<"ReleaseOp", release>(table);
}

}  // namespace ort_ops
