#include "host/translation.h"

#include <vector>

#include "host/memory.h"
#include "host/registration.h"
#include "host/table.h"
#include "host/types.h"

namespace ort_ops {

namespace {

/// Calls a slot of the other runtime; a failure leaves the results as they are.
template <SlotName Name, class... A>
void call_theirs(A... arguments) {
  if (void* function = foreign_slot(slot_index(Name.view())))
    if (Status* status = reinterpret_cast<Status* (*)(A...)>(function)(arguments...)) release_status(status);
}

}  // namespace

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
