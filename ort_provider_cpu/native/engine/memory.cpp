#include "engine/memory.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <new>

#include "engine/aligned.h"
#include "engine/error.h"

namespace ort_cpu {

namespace {
constexpr size_t kSmallest = 256;
constexpr size_t kLargest = size_t{1} << 62;
/// Cached bytes beyond this many times the peak in use are given back at once.
constexpr size_t kMostCached = 2;
}  // namespace

// Eight classes for each power of two: at most an eighth of a block is wasted.
int MemoryPool::class_of(size_t bytes) {
  bytes = std::max(bytes, kSmallest);
  const int power = std::bit_width(bytes - 1) - 1;
  const size_t step = size_t{1} << (power >= 3 ? power - 3 : 0);
  const size_t within = (bytes - (size_t{1} << power) + step - 1) / step;
  return power * 8 + static_cast<int>(within);
}

size_t MemoryPool::capacity_of(int size_class) {
  const int power = size_class / 8;
  return (size_t{1} << power) + static_cast<size_t>(size_class % 8) * (size_t{1} << (power - 3));
}

Buffer MemoryPool::allocate(size_t bytes) {
  if (bytes > kLargest)
    throw Error(ErrorKind::out_of_memory, message("needs ", bytes, " bytes, more than memory can address"));
  auto block = std::make_shared<Buffer::Block>(shared_from_this(), nullptr, 0);
  const int size_class = class_of(bytes);
  const size_t capacity = capacity_of(size_class);
  void* data = nullptr;
  {
    std::lock_guard lock(mutex_);
    if (limit_ != 0 && stats_.in_use_bytes + capacity > limit_)
      throw Error(ErrorKind::out_of_memory,
                  message("needs ", bytes, " bytes more, ", stats_.in_use_bytes, " of the limit of ", limit_,
                          " bytes are in use. Raise the memory limit of the session."));
    if (!free_[size_class].empty()) {
      data = free_[size_class].back();
      free_[size_class].pop_back();
      stats_.cached_bytes -= capacity;
    }
    stats_.in_use_bytes += capacity;
    stats_.peak_bytes = std::max(stats_.peak_bytes, stats_.in_use_bytes);
    stats_.allocations += data == nullptr;
  }
  if (data == nullptr) {
    try {
      data = allocate_aligned(capacity);
    } catch (const std::bad_alloc&) {
      std::lock_guard lock(mutex_);
      stats_.in_use_bytes -= capacity;
      throw Error(ErrorKind::out_of_memory, message("the system has no ", bytes, " bytes of memory left"));
    }
  }
  block->data = data;
  block->capacity = capacity;
  return Buffer(std::move(block));
}

void MemoryPool::release(void* data, size_t capacity) {
  if (data == nullptr) return;
  {
    std::lock_guard lock(mutex_);
    stats_.in_use_bytes -= capacity;
    if (recycle_ && stats_.cached_bytes + capacity <= kMostCached * stats_.peak_bytes) {
      // Destructors end here: where there is no memory for the entry, the block goes back to the system.
      try {
        free_[class_of(capacity)].push_back(data);
        stats_.cached_bytes += capacity;
        return;
      } catch (const std::bad_alloc&) {
      }
    }
  }
  free_aligned(data, capacity);
}

size_t MemoryPool::trim() {
  Blocks blocks;
  size_t bytes = 0;
  {
    std::lock_guard lock(mutex_);
    blocks.swap(free_);
    bytes = stats_.cached_bytes;
    stats_.cached_bytes = 0;
    stats_.peak_bytes = stats_.in_use_bytes;
  }
  free_all(blocks);
  trim_small_blocks();
  return bytes;
}

MemoryStats MemoryPool::stats() const {
  std::lock_guard lock(mutex_);
  MemoryStats stats = stats_;
  stats.limit_bytes = limit_;
  return stats;
}

MemoryPool::~MemoryPool() { free_all(free_); }

void MemoryPool::free_all(const Blocks& blocks) {
  for (int size_class = 0; size_class < kClasses; ++size_class)
    for (void* block : blocks[static_cast<size_t>(size_class)]) free_aligned(block, capacity_of(size_class));
}

Buffer::Block::~Block() { pool->release(data, capacity); }

}  // namespace ort_cpu
