// Real ONNX Runtime in the same process: its table, and the pointers to tables that libraries keep.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "host/abi.h"

namespace ort_ops {

/// The function of the other runtime in that slot; null if no other runtime is known.
void* foreign_slot(size_t slot);

/// Keeps the table of another runtime; ours is ignored.
void note_foreign_api(const ApiBase& base);

/// Called once when an object of another runtime arrives and no table of one is known yet.
void set_foreign_search(void (*search)());

/// Libraries keep pointers to a table that are one for the process, whoever registered last. Those of `library` (a
/// handle of `dlopen`, after it has registered) then point to ours, which passes on what belongs to the other runtime.
class TablePointers {
 public:
  TablePointers() = default;
  explicit TablePointers(void* library);
  void claim() const;

 private:
  std::shared_ptr<const std::vector<const void**>> pointers_;
};

}  // namespace ort_ops
