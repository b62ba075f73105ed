// Values: tensors of every element type, and sequences of them.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "host/abi.h"
#include "host/dims.h"
#include "host/handle.h"

namespace ort_ops {

/// A tensor, or a sequence of values. A tensor of strings keeps them in `strings`; every other one has `data`.
class Value : public Handle {
 public:
  Value() = default;
  Value(const Value&) = delete;
  Value& operator=(const Value&) = delete;
  ~Value() { clear(); }

  OnnxType kind = OnnxType::tensor;
  int32_t type = element::undefined;
  Dims dims;
  void* data = nullptr;
  size_t count = 0;
  std::vector<std::string> strings;
  std::vector<std::shared_ptr<const Value>> items;

  bool is_tensor() const { return kind == OnnxType::tensor; }
  bool is_string() const { return type == element::string; }
  /// The first element, which for strings is a `std::string`, as in ONNX Runtime.
  void* elements() { return is_string() ? strings.data() : data; }

  /// Sets type and shape, and points to memory of somebody else.
  void refer(int32_t element_type, std::span<const int64_t> shape, void* memory);
  /// Sets type and shape, with zeros or empty strings in memory of its own (of `allocator`, if one is given).
  void allocate(int32_t element_type, std::span<const int64_t> shape, Allocator* allocator = nullptr);
  /// Gives its memory to `allocator` when it ends; null: it is a block of `allocate_block`.
  void own(Allocator* allocator);
  /// The memory of the elements, a block of `bytes()` that is the caller's from now on.
  void* release_data();
  void clear();
  /// A tensor of its own with the same contents.
  std::unique_ptr<Value> copy(Allocator* allocator = nullptr) const;
  size_t bytes() const { return bytes_; }

 private:
  void reshape(int32_t element_type, std::span<const int64_t> shape);
  Allocator* owner_ = nullptr;
  size_t bytes_ = 0;
  bool owned_ = false;
};

}  // namespace ort_ops
