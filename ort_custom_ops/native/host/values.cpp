#include "host/values.h"

#include <cstring>
#include <utility>

#include "host/elements.h"
#include "host/memory.h"
#include "host/table.h"
#include "host/types.h"

namespace ort_ops {

void Value::reshape(int32_t element_type, std::span<const int64_t> shape) {
  clear();
  kind = OnnxType::tensor;
  count = element_count(shape);
  bytes_ = tensor_bytes(element_type, count);
  type = element_type;
  dims.assign(shape);
}

void Value::refer(int32_t element_type, std::span<const int64_t> shape, void* memory) {
  reshape(element_type, shape);
  data = memory;
}

void Value::allocate(int32_t element_type, std::span<const int64_t> shape, Allocator* allocator) {
  reshape(element_type, shape);
  if (is_string()) {
    strings.resize(count);
    return;
  }
  if (allocator == &cpu_allocator()) allocator = nullptr;
  if (allocator == nullptr) {
    data = std::memset(allocate_block(bytes_), 0, bytes_);
  } else {
    data = allocator->alloc(allocator, bytes_);
    if (data == nullptr && bytes_ > 0) throw std::bad_alloc();
    if (bytes_ > 0) std::memset(data, 0, bytes_);
  }
  own(allocator);
}

void Value::own(Allocator* allocator) {
  owner_ = allocator;
  owned_ = true;
}

void* Value::release_data() {
  owned_ = false;
  return std::exchange(data, nullptr);
}

void Value::clear() {
  if (owned_ && owner_ == nullptr) free_block(data, bytes_);
  else if (owned_) owner_->free(owner_, data);
  owned_ = false;
  data = nullptr;
  strings.clear();
  items.clear();
}

std::unique_ptr<Value> Value::copy(Allocator* allocator) const {
  auto made = std::make_unique<Value>();
  made->allocate(type, dims.span(), allocator);
  if (is_string()) made->strings = strings;
  else if (bytes() > 0) std::memcpy(made->data, data, bytes());
  return made;
}

namespace {

Status* not_a_tensor() { return make_status(Code::invalid_argument, "the value is not a tensor"); }

Status* create_tensor(Allocator* allocator, const int64_t* shape, size_t rank, int32_t type, Value** out) {
  auto value = std::make_unique<Value>();
  value->allocate(type, {shape, rank}, allocator);
  *out = value.release();
  return nullptr;
}

Status* create_over(void* data, size_t bytes, const int64_t* shape, size_t rank, int32_t type, Allocator* owner,
                    Value** out) {
  auto value = std::make_unique<Value>();
  if (type == element::string)
    return make_status(Code::invalid_argument, "a tensor of strings cannot be made over memory of the caller");
  value->refer(type, {shape, rank}, data);
  if (bytes < value->bytes())
    return make_status(Code::invalid_argument, "the buffer has " + std::to_string(bytes) + " bytes, the tensor takes " +
                                                   std::to_string(value->bytes()));
  if (owner != nullptr) value->own(owner);
  *out = value.release();
  return nullptr;
}

Status* create_with_data(const MemoryInfo*, void* data, size_t bytes, const int64_t* shape, size_t rank, int32_t type,
                         Value** out) {
  return create_over(data, bytes, shape, rank, type, nullptr, out);
}

Status* create_with_deleter(Allocator* deleter, void* data, size_t bytes, const int64_t* shape, size_t rank,
                            int32_t type, Value** out) {
  return create_over(data, bytes, shape, rank, type, deleter, out);
}

Status* is_tensor(const Value* value, int32_t* out) {
  *out = value->is_tensor();
  return nullptr;
}
Status* is_sparse(const Value*, int32_t* out) {
  *out = 0;
  return nullptr;
}
Status* has_value(const Value* value, int32_t* out) {
  *out = value->kind != OnnxType::unknown;
  return nullptr;
}
Status* value_type(const Value* value, int32_t* out) {
  *out = static_cast<int32_t>(value->kind);
  return nullptr;
}

Status* mutable_data(Value* value, void** out) {
  if (!value->is_tensor()) return not_a_tensor();
  *out = value->elements();
  return nullptr;
}

Status* const_data(const Value* value, const void** out) {
  return mutable_data(const_cast<Value*>(value), const_cast<void**>(out));
}

Status* size_in_bytes(const Value* value, size_t* out) {
  if (!value->is_tensor() || value->is_string())
    return make_status(Code::invalid_argument, "the size in bytes is that of tensors of numbers");
  *out = value->bytes();
  return nullptr;
}

Status* element_at(Value* value, const int64_t* location, size_t rank, void** out) {
  if (!value->is_tensor()) return not_a_tensor();
  if (value->is_string() || elements_per_byte(value->type) > 1)
    return make_status(Code::invalid_argument, "elements of this type have no address");
  if (rank != value->dims.rank())
    return make_status(Code::invalid_argument, "the location has not as many indices as the tensor has dimensions");
  size_t offset = 0;
  for (size_t i = 0; i < rank; ++i) {
    const int64_t dim = value->dims.data()[i];
    if (location[i] < 0 || location[i] >= dim)
      return make_status(Code::invalid_argument, "the location is outside the tensor");
    offset = offset * dim + location[i];
  }
  *out = static_cast<char*>(value->data) + offset * element_bytes(value->type);
  return nullptr;
}

Status* memory_of(const Value*, const MemoryInfo** out) {
  *out = &cpu_memory();
  return nullptr;
}

Status* type_and_shape(const Value* value, TensorInfo** out) {
  if (!value->is_tensor()) return not_a_tensor();
  auto info = std::make_unique<TensorInfo>();
  info->type = value->type;
  info->dims = value->dims;
  *out = info.release();
  return nullptr;
}

Status* type_and_shape_reference(const Value* value, int32_t* type, const int64_t** dims, size_t* rank) {
  if (!value->is_tensor()) return not_a_tensor();
  *type = value->type;
  *dims = value->dims.data();
  *rank = value->dims.rank();
  return nullptr;
}

void release(Value* value) { delete value; }

}  // namespace

void offer_values(Table& table) {
  offer<"CreateTensorAsOrtValue", create_tensor>(table);
  offer<"CreateTensorWithDataAsOrtValue", create_with_data>(table);
  offer<"CreateTensorWithDataAndDeleterAsOrtValue", create_with_deleter>(table);
  offer<"IsTensor", is_tensor>(table);
  offer<"IsSparseTensor", is_sparse>(table);
  offer<"HasValue", has_value>(table);
  offer<"GetValueType", value_type>(table);
  offer<"GetTensorMutableData", mutable_data>(table);
  offer<"GetTensorData", const_data>(table);
  offer<"GetTensorSizeInBytes", size_in_bytes>(table);
  offer<"TensorAt", element_at>(table);
  offer<"GetTensorMemoryInfo", memory_of>(table);
  offer<"GetTensorTypeAndShape", type_and_shape>(table);
  offer<"GetTensorElementTypeAndShapeDataReference", type_and_shape_reference>(table);
  offer<"ReleaseValue", release>(table);
}

}  // namespace ort_ops
