#include "host/translation.h"

#include <string>
#include <string_view>
#include <vector>

#include "host/attributes.h"
#include "host/memory.h"
#include "host/registration.h"
#include "host/table.h"
#include "host/types.h"
#include "host/values.h"

namespace ort_ops {

namespace {

/// Calls a slot of the other runtime; a failure leaves the results as they are.
template <SlotName Name, class... A>
void call_theirs(A... arguments) {
  if (void* function = foreign_slot(slot_index(Name.view())))
    if (Status* status = reinterpret_cast<Status* (*)(A...)>(function)(arguments...)) release_status(status);
}

/// A slot of the other runtime that must be there. Throws `Error`.
template <SlotName Name, class F>
F their_slot() {
  void* const function = foreign_slot(slot_index(Name.view()));
  if (function == nullptr) throw Error{Code::fail, std::string(Name.view()) + ": no other runtime is known"};
  return reinterpret_cast<F>(function);
}

void check(Status* status) {
  if (status != nullptr) throw take(status);
}

const Attribute* made_there(const Attribute& ours) {
  using Make = Status* (*)(const char*, const void*, int32_t, int32_t, const Attribute**);
  const auto make = their_slot<"CreateOpAttr", Make>();
  const Attribute* made = nullptr;
  const auto give = [&](const void* data, size_t n) {
    check(make(ours.name.c_str(), data, static_cast<int32_t>(n), static_cast<int32_t>(ours.type()), &made));
  };
  if (const auto* integer = ours.get_if<AttributeType::int_>()) give(integer, 1);
  else if (const auto* integers = ours.get_if<AttributeType::ints>()) give(integers->data(), integers->size());
  else if (const auto* real = ours.get_if<AttributeType::float_>()) give(real, 1);
  else if (const auto* reals = ours.get_if<AttributeType::floats>()) give(reals->data(), reals->size());
  else if (const auto* text = ours.get_if<AttributeType::string>()) give(text->c_str(), text->size());
  else if (const auto* texts = ours.get_if<AttributeType::strings>()) {
    std::vector<const char*> items;
    for (const std::string& item : *texts) items.push_back(item.c_str());
    give(items.data(), items.size());
  } else {
    throw Error{Code::not_implemented, "attribute '" + ours.name + "' cannot be handed to the other runtime"};
  }
  return made;
}

Value* made_there(const Value& ours) {
  if (!ours.is_tensor() || ours.is_string())
    throw Error{Code::not_implemented, "only tensors of numbers can be handed to the other runtime"};
  using Make =
      Status* (*)(const MemoryInfo*, void*, size_t, const int64_t*, size_t, int32_t, Value**);
  const auto make = their_slot<"CreateTensorWithDataAsOrtValue", Make>();
  MemoryInfo* host = nullptr;
  check(their_slot<"CreateCpuMemoryInfo", Status* (*)(int32_t, int32_t, MemoryInfo**)>()(0, 0, &host));
  Value* made = nullptr;
  Status* const status = make(host, ours.data, ours.bytes(), ours.dims.data(), ours.dims.rank(), ours.type, &made);
  their_slot<"ReleaseMemoryInfo", void (*)(MemoryInfo*)>()(host);
  check(status);
  return made;
}

void release_there(const Attribute* made) { their_slot<"ReleaseOpAttr", void (*)(const Attribute*)>()(made); }
void release_there(const Value* made) { their_slot<"ReleaseValue", void (*)(const Value*)>()(made); }

}  // namespace

template <class T>
TranslatedArray<T>::TranslatedArray(T* const* objects, int32_t count) : objects_(objects, objects + std::max(count, 0)) {
  try {
    for (T*& object : objects_) {
      if (object == nullptr || is_foreign(object)) continue;
      made_.push_back(nullptr);
      object = made_.back() = made_there(*object);
    }
  } catch (...) {
    release();
    throw;
  }
}

template <class T>
void TranslatedArray<T>::release() {
  for (T* object : made_)
    if (object != nullptr) release_there(object);
}

template <class T>
TranslatedArray<T>::~TranslatedArray() {
  release();
}

template class TranslatedArray<const Attribute>;
template class TranslatedArray<const Value>;
template class TranslatedArray<Value>;

Translated<const MemoryInfo*>::Translated(const MemoryInfo* ours) : theirs_(ours) {
  if (ours == nullptr || is_foreign(ours)) return;
  static MemoryInfo* const host = [] {
    MemoryInfo* made = nullptr;
    call_theirs<"CreateCpuMemoryInfo">(int32_t{0}, int32_t{0}, &made);
    return made;
  }();
  if (host != nullptr) theirs_ = host;
}

Translated<const TensorInfo*>::Translated(const TensorInfo* ours) : ours_(ours) {
  if (ours == nullptr || is_foreign(ours)) return;
  call_theirs<"CreateTensorTypeAndShapeInfo">(&theirs_);
  if (theirs_ == nullptr) return;
  std::vector<const char*> symbols(ours->dims.rank(), "");
  for (size_t i = 0; i < std::min(symbols.size(), ours->symbols.size()); ++i) symbols[i] = ours->symbols[i].c_str();
  call_theirs<"SetTensorElementType">(theirs_, ours->type);
  call_theirs<"SetDimensions">(theirs_, ours->dims.data(), ours->dims.rank());
  call_theirs<"SetSymbolicDimensions">(theirs_, symbols.data(), symbols.size());
}

Translated<const TensorInfo*>::~Translated() {
  if (theirs_ == nullptr) return;
  void* release = foreign_slot(slot_index("ReleaseTensorTypeAndShapeInfo"));
  reinterpret_cast<void (*)(TensorInfo*)>(release)(theirs_);
}

Translated<Domain*>::Translated(Domain* ours) : theirs_(ours) {
  if (ours == nullptr || is_foreign(ours)) return;
  Domain* made = nullptr;
  call_theirs<"CreateCustomOpDomain">(ours->name.c_str(), &made);
  if (made == nullptr) return;
  for (const CustomOp* op : ours->ops) call_theirs<"CustomOpDomain_Add">(made, op);
  theirs_ = made;
}

}  // namespace ort_ops
