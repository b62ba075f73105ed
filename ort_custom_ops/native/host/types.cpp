#include "host/types.h"

#include "host/elements.h"
#include "host/table.h"
#include "host/values.h"

namespace ort_ops {

namespace {

Status* create(TensorInfo** out) {
  *out = new TensorInfo;
  return nullptr;
}
void release_tensor_info(TensorInfo* info) { delete info; }
void release_type_info(TypeInfo* info) { delete info; }
/// A cast gives no new object, so there is none to release.
void release_cast(TypeInfo*) {}

Status* set_element_type(TensorInfo* info, int32_t type) {
  info->type = type;
  return nullptr;
}

Status* set_dims(TensorInfo* info, const int64_t* dims, size_t rank) {
  info->dims.assign({dims, rank});
  info->has_shape = true;
  if (info->symbols.size() > rank) info->symbols.resize(rank);
  return nullptr;
}

Status* set_symbols(TensorInfo* info, const char** symbols, size_t n) {
  info->symbols.assign(symbols, symbols + n);
  return nullptr;
}

Status* element_type(const TensorInfo* info, int32_t* out) {
  *out = info->type;
  return nullptr;
}
Status* rank(const TensorInfo* info, size_t* out) {
  *out = info->dims.rank();
  return nullptr;
}
bool has_shape(const TensorInfo* info) { return info->has_shape; }

Status* get_dims(const TensorInfo* info, int64_t* out, size_t n) {
  std::copy_n(info->dims.data(), std::min(n, info->dims.rank()), out);
  return nullptr;
}

Status* get_symbols(const TensorInfo* info, const char** out, size_t n) {
  for (size_t i = 0; i < std::min(n, info->dims.rank()); ++i)
    out[i] = i < info->symbols.size() ? info->symbols[i].c_str() : "";
  return nullptr;
}

/// As ONNX Runtime has it, -1 where a dimension is unknown.
Status* shape_elements(const TensorInfo* info, size_t* out) {
  const auto dims = info->dims.span();
  const bool is_known = std::ranges::none_of(dims, [](int64_t dim) { return dim < 0; });
  *out = is_known ? element_count(dims) : static_cast<size_t>(-1);
  return nullptr;
}

Status* type_of_value(const Value* value, TypeInfo** out) {
  auto info = std::make_unique<TypeInfo>();
  info->kind = value->kind;
  const Value* tensor = value->kind == OnnxType::sequence && !value->items.empty() ? value->items[0].get() : value;
  TypeInfo of_tensor;
  of_tensor.kind = OnnxType::tensor;
  of_tensor.tensor.type = tensor->type;
  if (value->kind == OnnxType::sequence) {
    of_tensor.tensor.has_shape = false;
    info->inner = std::make_shared<TypeInfo>(of_tensor);
  } else {
    info->tensor.type = tensor->type;
    info->tensor.dims = tensor->dims;
  }
  *out = info.release();
  return nullptr;
}

Status* kind(const TypeInfo* info, int32_t* out) {
  *out = static_cast<int32_t>(info->kind);
  return nullptr;
}

Status* cast_to_tensor(const TypeInfo* info, const TensorInfo** out) {
  *out = info->kind == OnnxType::tensor || info->kind == OnnxType::sparse_tensor ? &info->tensor : nullptr;
  return nullptr;
}

template <OnnxType Kind>
Status* cast_to(const TypeInfo* info, const TypeInfo** out) {
  *out = info->kind == Kind ? info : nullptr;
  return nullptr;
}

Status* inner(const TypeInfo* info, TypeInfo** out) {
  if (info->inner == nullptr) return make_status(Code::invalid_argument, "the type has no element type");
  *out = new TypeInfo(*info->inner);
  return nullptr;
}

Status* map_key(const TypeInfo* info, int32_t* out) {
  *out = info->key;
  return nullptr;
}

Status* denotation(const TypeInfo*, const char** out, size_t* length) {
  *out = "";
  *length = 0;
  return nullptr;
}

}  // namespace

void offer_types(Table& table) {
  offer<"CreateTensorTypeAndShapeInfo", create>(table);
  offer<"ReleaseTensorTypeAndShapeInfo", release_tensor_info>(table);
  offer<"SetTensorElementType", set_element_type>(table);
  offer<"SetDimensions", set_dims>(table);
  offer<"SetSymbolicDimensions", set_symbols>(table);
  offer<"GetTensorElementType", element_type>(table);
  offer<"GetDimensionsCount", rank>(table);
  offer<"GetDimensions", get_dims>(table);
  offer<"GetSymbolicDimensions", get_symbols>(table);
  offer<"GetTensorShapeElementCount", shape_elements>(table);
  offer<"TensorTypeAndShape_HasShape", has_shape>(table);
  offer<"GetTypeInfo", type_of_value>(table);
  offer<"ReleaseTypeInfo", release_type_info>(table);
  offer<"GetOnnxTypeFromTypeInfo", kind>(table);
  offer<"CastTypeInfoToTensorInfo", cast_to_tensor>(table);
  offer<"CastTypeInfoToSequenceTypeInfo", cast_to<OnnxType::sequence>>(table);
  offer<"CastTypeInfoToOptionalTypeInfo", cast_to<OnnxType::optional>>(table);
  offer<"CastTypeInfoToMapTypeInfo", cast_to<OnnxType::map>>(table);
  offer<"GetSequenceElementType", inner>(table);
  offer<"GetOptionalContainedTypeInfo", inner>(table);
  offer<"GetMapKeyType", map_key>(table);
  offer<"GetMapValueType", inner>(table);
  offer<"ReleaseSequenceTypeInfo", release_cast>(table);
  offer<"ReleaseMapTypeInfo", release_cast>(table);
  offer<"GetDenotationFromTypeInfo", denotation>(table);
}

}  // namespace ort_ops
