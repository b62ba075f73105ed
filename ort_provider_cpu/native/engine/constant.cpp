#include "engine/constant.h"

#include <algorithm>
#include <cstring>

#include "engine/aligned.h"

namespace ort_cpu {

namespace {
constexpr size_t kLine = 64;
}

std::shared_ptr<void> TransferMemory::take(size_t bytes) {
  const size_t size = (std::max<size_t>(bytes, 1) + kLine - 1) / kLine * kLine;
  if (capacity_ - used_ < size) {
    free();
    block_ = {static_cast<std::byte*>(allocate_aligned(size)), [size](std::byte* p) { free_aligned(p, size); }};
    capacity_ = size;
    used_ = 0;
  }
  std::byte* const start = block_.get() + used_;
  used_ += size;
  return {block_, start};
}

Constant::Constant(const Tensor& tensor, std::shared_ptr<const void> owner)
    : tensor_(tensor), owner_(std::move(owner)) {}

Constant::Constant(DType dtype, const Shape& shape, std::unique_ptr<ConstantFile> file, TransferMemory& transfer)
    : tensor_{nullptr, dtype, shape}, file_(std::move(file)), transfer_(&transfer) {
  checked_size_bytes(dtype, shape);
}

const Tensor& Constant::load() {
  if (file_ != nullptr && tensor_.data == nullptr) {
    std::shared_ptr<void> memory = transfer_->take(tensor_.size_bytes());
    file_->read(0, memory.get(), tensor_.size_bytes());
    tensor_.data = memory.get();
    owner_ = std::move(memory);
  }
  return tensor_;
}

const void* Constant::piece(size_t offset, size_t bytes) {
  if (tensor_.data != nullptr) return static_cast<const std::byte*>(tensor_.data) + offset;
  if (piece_bytes_ < bytes) {
    piece_ = transfer_->take(bytes);
    piece_bytes_ = bytes;
  }
  file_->read(offset, piece_.get(), bytes);
  return piece_.get();
}

void Constant::keep() {
  piece_.reset();
  if (file_ == nullptr) return;
  const size_t bytes = tensor_.size_bytes();
  const std::shared_ptr<void> memory(allocate_weights(std::max<size_t>(bytes, 1)), free_weights);
  if (tensor_.data != nullptr) std::memcpy(memory.get(), tensor_.data, bytes);
  else file_->read(0, memory.get(), bytes);
  tensor_.data = memory.get();
  owner_ = memory;
  file_.reset();
}

void Constant::drop() {
  piece_.reset();
  owner_.reset();
  file_.reset();
  tensor_.data = nullptr;
}

}  // namespace ort_cpu
