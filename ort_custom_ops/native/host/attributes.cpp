#include "host/attributes.h"

#include <cstring>
#include <type_traits>

#include "host/kernel_info.h"
#include "host/memory.h"
#include "host/table.h"

namespace ort_ops {

Status* copy_string(const std::string& string, char* out, size_t* size) {
  const size_t needed = string.size() + 1;
  const bool has_room = out == nullptr || *size >= needed;
  *size = needed;
  if (!has_room)
    return make_status(Code::invalid_argument,
                       "the buffer is too small for a string of " + std::to_string(needed) + " bytes");
  if (out != nullptr) std::memcpy(out, string.c_str(), needed);
  return nullptr;
}

namespace {

constexpr const char* kTypeNames[] = {"undefined", "int",     "ints",  "float", "floats",
                                      "string",    "strings", "graph", "tensor"};

/// The attribute of a node; throws `Error` if it is not there or is of another type.
template <AttributeType Type>
const auto& find(const KernelInfo* info, const char* name) {
  const Attributes& attributes = info->node->attributes;
  const auto found = name == nullptr ? attributes.end() : attributes.find(name);
  if (found == attributes.end())
    throw Error{Code::fail, "No attribute with name:'" + std::string(name == nullptr ? "" : name) + "'is defined."};
  const auto* value = found->second.get_if<Type>();
  if (value == nullptr)
    throw Error{Code::fail, "attribute '" + found->first + "' is of type " +
                                kTypeNames[static_cast<int>(found->second.type())] + ", the operator asks for " +
                                kTypeNames[static_cast<int>(Type)]};
  return *value;
}

template <AttributeType Type, class T>
Status* get_number(const KernelInfo* info, const char* name, T* out) {
  *out = find<Type>(info, name);
  return nullptr;
}

template <AttributeType Type, class T>
Status* get_numbers(const KernelInfo* info, const char* name, T* out, size_t* size) {
  const auto& values = find<Type>(info, name);
  const bool has_room = out == nullptr || *size >= values.size();
  *size = values.size();
  if (!has_room)
    return make_status(Code::invalid_argument,
                       "the buffer is too small for " + std::to_string(values.size()) + " values");
  if (out != nullptr) std::copy(values.begin(), values.end(), out);
  return nullptr;
}

Status* get_string(const KernelInfo* info, const char* name, char* out, size_t* size) {
  return copy_string(find<AttributeType::string>(info, name), out, size);
}

char* duplicate(Allocator* allocator, const std::string& string) {
  auto* copy = static_cast<char*>(allocator->alloc(allocator, string.size() + 1));
  if (copy == nullptr) throw std::bad_alloc();
  std::memcpy(copy, string.c_str(), string.size() + 1);
  return copy;
}

Status* get_strings(const KernelInfo* info, const char* name, Allocator* allocator, char*** out, size_t* size) {
  const auto& strings = find<AttributeType::strings>(info, name);
  *size = strings.size();
  if (out == nullptr) return nullptr;
  *out = nullptr;
  if (strings.empty()) return nullptr;
  auto** copies = static_cast<char**>(allocator->alloc(allocator, strings.size() * sizeof(char*)));
  if (copies == nullptr) throw std::bad_alloc();
  for (size_t i = 0; i < strings.size(); ++i) copies[i] = duplicate(allocator, strings[i]);
  *out = copies;
  return nullptr;
}

Status* get_tensor(const KernelInfo* info, const char* name, Allocator* allocator, Value** out) {
  *out = find<AttributeType::tensor>(info, name)->copy(allocator).release();
  return nullptr;
}

Status* create(const char* name, const void* data, int32_t length, int32_t type, Attribute** out) {
  auto made = std::make_unique<Attribute>();
  made->name = name;
  const auto n = static_cast<size_t>(length);
  const bool is_single = type == static_cast<int32_t>(AttributeType::int_) || type == static_cast<int32_t>(AttributeType::float_);
  if (length < 0 || (data == nullptr && (n > 0 || is_single))) return make_status(Code::invalid_argument, "the attribute has no data");
  const auto* ints = static_cast<const int64_t*>(data);
  const auto* floats = static_cast<const float*>(data);
  const auto* strings = static_cast<const char* const*>(data);
  switch (static_cast<AttributeType>(type)) {
    case AttributeType::int_: made->value.emplace<1>(*ints); break;
    case AttributeType::ints: made->value.emplace<2>(ints, ints + n); break;
    case AttributeType::float_: made->value.emplace<3>(*floats); break;
    case AttributeType::floats: made->value.emplace<4>(floats, floats + n); break;
    case AttributeType::string: made->value.emplace<5>(static_cast<const char*>(data), n); break;
    case AttributeType::strings: made->value.emplace<6>(strings, strings + n); break;
    default:
      return make_status(Code::invalid_argument, "attributes of type " + std::to_string(type) + " cannot be made");
  }
  *out = made.release();
  return nullptr;
}

void release(Attribute* attribute) { delete attribute; }

/// A single string is read without its terminator, which is added where there is room; several have theirs.
struct Reader {
  void* data;
  size_t room;
  size_t* needed;

  Status* too_small() const {
    return make_status(Code::invalid_argument, "the attribute takes " + std::to_string(*needed) +
                                                   " bytes, there is room for " + std::to_string(room));
  }
  Status* copy(const void* from, size_t bytes) const {
    *needed = bytes;
    if (room < bytes) return too_small();
    if (bytes > 0) std::memcpy(data, from, bytes);
    return nullptr;
  }
  Status* operator()(int64_t value) const { return copy(&value, sizeof value); }
  Status* operator()(float value) const { return copy(&value, sizeof value); }
  template <class T>
    requires std::is_arithmetic_v<T>
  Status* operator()(const std::vector<T>& values) const {
    return copy(values.data(), values.size() * sizeof(T));
  }
  Status* operator()(const std::string& value) const {
    Status* status = copy(value.data(), value.size());
    if (status == nullptr && room > value.size()) static_cast<char*>(data)[value.size()] = '\0';
    return status;
  }
  Status* operator()(const std::vector<std::string>& values) const {
    std::string joined;
    for (const std::string& value : values) joined.append(value.c_str(), value.size() + 1);
    return copy(joined.data(), joined.size());
  }
  template <class T>
  Status* operator()(const T&) const {
    return make_status(Code::invalid_argument, "ReadOpAttr reads numbers and strings only");
  }
};

Status* read(const Attribute* attribute, int32_t type, void* data, size_t room, size_t* out) {
  *out = 0;
  if (type != static_cast<int32_t>(attribute->type()))
    return make_status(Code::invalid_argument,
                       "attribute '" + attribute->name + "' is of type " + kTypeNames[attribute->value.index()]);
  return std::visit(Reader{data, room, out}, attribute->value);
}

Status* tensor_of(const Attribute* attribute, Value** out) {
  const auto* tensor = attribute->get_if<AttributeType::tensor>();
  if (tensor == nullptr) return make_status(Code::invalid_argument, "attribute '" + attribute->name + "' is no tensor");
  *out = (*tensor)->copy().release();
  return nullptr;
}

Status* type_of(const Attribute* attribute, int32_t* out) {
  *out = static_cast<int32_t>(attribute->type());
  return nullptr;
}

Status* name_of(const Attribute* attribute, const char** out) {
  *out = attribute->name.c_str();
  return nullptr;
}

}  // namespace

void offer_attributes(Table& table) {
  offer<"KernelInfoGetAttribute_int64", get_number<AttributeType::int_, int64_t>>(table);
  offer<"KernelInfoGetAttribute_float", get_number<AttributeType::float_, float>>(table);
  offer<"KernelInfoGetAttribute_string", get_string>(table);
  offer<"KernelInfoGetAttribute_tensor", get_tensor>(table);
  offer<"KernelInfoGetAttributeArray_int64", get_numbers<AttributeType::ints, int64_t>>(table);
  offer<"KernelInfoGetAttributeArray_float", get_numbers<AttributeType::floats, float>>(table);
  offer<"KernelInfoGetAttributeArray_string", get_strings>(table);
  offer<"CreateOpAttr", create>(table);
  offer<"ReleaseOpAttr", release>(table);
  offer<"ReadOpAttr", read>(table);
  offer<"OpAttr_GetType", type_of>(table);
  offer<"OpAttr_GetName", name_of>(table);
  offer<"OpAttr_GetTensorAttributeAsOrtValue", tensor_of>(table);
}

}  // namespace ort_ops
