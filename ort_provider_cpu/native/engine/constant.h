// `Constant`: a tensor of the model, in memory or still in a file.
#pragma once

#include <memory>

#include "engine/tensor.h"

namespace ort_cpu {

/// The stored bytes of a tensor in a file.
class ConstantFile {
 public:
  virtual ~ConstantFile() = default;
  /// Reads `bytes` bytes from `offset` on.
  virtual void read(size_t offset, void* to, size_t bytes) = 0;
};

/// Memory through which constants pass from files to the kernels that pack them.
class TransferMemory {
 public:
  /// `bytes` of memory, aligned to 64, that stay as they are until `reuse`.
  std::shared_ptr<void> take(size_t bytes);
  void reuse() { used_ = 0; }
  void free() { *this = {}; }

 private:
  std::shared_ptr<std::byte> block_;
  size_t capacity_ = 0, used_ = 0;
};

/// A constant of a program. Kernels see it while they are made; those that pack it let go of the original.
class Constant {
 public:
  /// In memory that `owner` keeps alive.
  Constant(const Tensor& tensor, std::shared_ptr<const void> owner);
  /// In a file; `transfer` is where it is read to while a kernel is made.
  Constant(DType dtype, const Shape& shape, std::unique_ptr<ConstantFile> file, TransferMemory& transfer);

  /// The tensor; its data is null while it is in the file, and once it was dropped.
  const Tensor& tensor() const { return tensor_; }
  /// The tensor with its data.
  const Tensor& load();
  /// `bytes` bytes from `offset` on, valid until the next call.
  const void* piece(size_t offset, size_t bytes);
  /// From now on the data is in memory, for as long as the constant lives.
  void keep();
  /// From now on there is no data.
  void drop();

 private:
  Tensor tensor_;
  std::shared_ptr<const void> owner_;
  std::unique_ptr<ConstantFile> file_;
  TransferMemory* transfer_ = nullptr;
  std::shared_ptr<void> piece_;
  size_t piece_bytes_ = 0;
};

}  // namespace ort_cpu
