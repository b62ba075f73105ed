#include "host/shape_inference.h"

#include "host/table.h"

namespace ort_ops {

namespace {

Status* input_count(const ShapeContext* context, size_t* out) {
  *out = context->inputs.size();
  return nullptr;
}

Status* input(const ShapeContext* context, size_t index, const TensorInfo** out) {
  if (index >= context->inputs.size())
    return make_status(Code::invalid_argument, "the node has no input " + std::to_string(index));
  *out = &context->inputs[index];
  return nullptr;
}

Status* attribute(const ShapeContext* context, const char* name, const Attribute** out) {
  if (name == nullptr) return make_status(Code::invalid_argument, "the name of the attribute is null");
  const auto found = context->attributes->find(name);
  if (found == context->attributes->end())
    return make_status(Code::invalid_argument, "the node has no attribute '" + std::string(name) + "'");
  *out = &found->second;
  return nullptr;
}

Status* set_output(ShapeContext* context, size_t index, const TensorInfo* info) {
  if (info == nullptr) return make_status(Code::invalid_argument, "the shape is null");
  if (index >= context->outputs.size())
    return make_status(Code::invalid_argument, "the node has no output " + std::to_string(index));
  TensorInfo& output = context->outputs[index];
  const int32_t type = output.type;
  output = *info;
  output.has_shape = true;
  if (type != element::undefined) output.type = type;
  return nullptr;
}

}  // namespace

void offer_shape_inference(Table& table) {
  offer<"ShapeInferContext_GetInputCount", input_count>(table);
  offer<"ShapeInferContext_GetInputTypeShape", input>(table);
  offer<"ShapeInferContext_GetAttribute", attribute>(table);
  offer<"ShapeInferContext_SetOutputTypeShape", set_output>(table);
}

}  // namespace ort_ops
