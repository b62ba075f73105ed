// Sequences of values.
#include "host/table.h"
#include "host/values.h"

namespace ort_ops {

namespace {

Status* get(const Value* value, int32_t index, Allocator* allocator, Value** out) {
  if (value->kind != OnnxType::sequence) return make_status(Code::invalid_argument, "the value is not a sequence");
  if (index < 0 || static_cast<size_t>(index) >= value->items.size())
    return make_status(Code::invalid_argument, "the sequence has no item " + std::to_string(index));
  *out = value->items[index]->copy(allocator).release();
  return nullptr;
}

Status* count(const Value* value, size_t* out) {
  if (value->kind != OnnxType::sequence) return make_status(Code::invalid_argument, "the value is not a sequence");
  *out = value->items.size();
  return nullptr;
}

Status* create(const Value* const* items, size_t n, int32_t kind, Value** out) {
  if (static_cast<OnnxType>(kind) != OnnxType::sequence)
    return make_status(Code::not_implemented, "CreateValue makes sequences of tensors only");
  auto value = std::make_unique<Value>();
  value->kind = OnnxType::sequence;
  for (size_t i = 0; i < n; ++i) {
    if (items[i] == nullptr || is_foreign(items[i]) || !items[i]->is_tensor())
      return make_status(Code::invalid_argument, "the items of a sequence are tensors");
    value->items.push_back(items[i]->copy());
  }
  *out = value.release();
  return nullptr;
}

}  // namespace

void offer_sequences(Table& table) {
  offer<"GetValue", get>(table);
  offer<"GetValueCount", count>(table);
  offer<"CreateValue", create>(table);
}

}  // namespace ort_ops
