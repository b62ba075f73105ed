// Tensors of strings: UTF-8 without terminators.
#include <cstring>

#include "host/table.h"
#include "host/values.h"

namespace ort_ops {

namespace {

Status* check(const Value* value) {
  return value->is_tensor() && value->is_string()
             ? nullptr
             : make_status(Code::invalid_argument, "the value is not a tensor of strings");
}

Status* check(const Value* value, size_t index) {
  if (Status* status = check(value)) return status;
  if (index < value->strings.size()) return nullptr;
  return make_status(Code::invalid_argument, "the tensor has no element " + std::to_string(index));
}

Status* fill(Value* value, const char* const* strings, size_t n) {
  if (Status* status = check(value)) return status;
  if (n != value->strings.size())
    return make_status(Code::invalid_argument, "got " + std::to_string(n) + " strings for a tensor of " +
                                                   std::to_string(value->strings.size()));
  for (size_t i = 0; i < n; ++i) value->strings[i] = strings[i];
  return nullptr;
}

Status* fill_element(Value* value, const char* string, size_t index) {
  if (Status* status = check(value, index)) return status;
  value->strings[index] = string;
  return nullptr;
}

Status* resized_element(Value* value, size_t index, size_t bytes, char** out) {
  if (Status* status = check(value, index)) return status;
  value->strings[index].resize(bytes);
  *out = value->strings[index].data();
  return nullptr;
}

Status* total_length(const Value* value, size_t* out) {
  if (Status* status = check(value)) return status;
  size_t total = 0;
  for (const std::string& string : value->strings) total += string.size();
  *out = total;
  return nullptr;
}

Status* content(const Value* value, void* buffer, size_t bytes, size_t* offsets, size_t n) {
  if (Status* status = check(value)) return status;
  if (n != value->strings.size())
    return make_status(Code::fail, "there is room for " + std::to_string(n) + " offsets, the tensor has " +
                                       std::to_string(value->strings.size()) + " strings");
  size_t total = 0;
  total_length(value, &total);
  if (bytes < total)
    return make_status(Code::fail,
                       "the buffer has " + std::to_string(bytes) + " bytes, the strings take " + std::to_string(total));
  size_t at = 0;
  for (size_t i = 0; i < n; ++i) {
    const std::string& string = value->strings[i];
    offsets[i] = at;
    if (!string.empty()) std::memcpy(static_cast<char*>(buffer) + at, string.data(), string.size());
    at += string.size();
  }
  return nullptr;
}

Status* element_length(const Value* value, size_t index, size_t* out) {
  if (Status* status = check(value, index)) return status;
  *out = value->strings[index].size();
  return nullptr;
}

Status* get_element(const Value* value, size_t bytes, size_t index, void* buffer) {
  if (Status* status = check(value, index)) return status;
  const std::string& string = value->strings[index];
  if (bytes < string.size())
    return make_status(Code::fail, "the buffer has " + std::to_string(bytes) + " bytes, the string takes " +
                                       std::to_string(string.size()));
  if (!string.empty()) std::memcpy(buffer, string.data(), string.size());
  return nullptr;
}

}  // namespace

void offer_strings(Table& table) {
  offer<"FillStringTensor", fill>(table);
  offer<"FillStringTensorElement", fill_element>(table);
  offer<"GetResizedStringTensorElementBuffer", resized_element>(table);
  offer<"GetStringTensorDataLength", total_length>(table);
  offer<"GetStringTensorContent", content>(table);
  offer<"GetStringTensorElementLength", element_length>(table);
  offer<"GetStringTensorElement", get_element>(table);
}

}  // namespace ort_ops
