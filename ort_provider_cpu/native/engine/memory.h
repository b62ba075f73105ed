// `MemoryPool` and `Buffer`: memory for activations that is recycled between runs, counted, and limited.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

namespace ort_cpu {

class MemoryPool;

/// Shared ownership of a block of a pool's memory; the block outlives the session that made it.
class Buffer {
 public:
  Buffer() = default;
  void* data() const { return block_ ? block_->data : nullptr; }
  size_t capacity() const { return block_ ? block_->capacity : 0; }
  explicit operator bool() const { return block_ != nullptr; }
  void reset() { block_.reset(); }
  /// Whether nobody else holds the block.
  bool unique() const { return block_.use_count() == 1; }

 private:
  friend class MemoryPool;
  struct Block {
    Block(std::shared_ptr<MemoryPool> pool, void* data, size_t capacity)
        : pool(std::move(pool)), data(data), capacity(capacity) {}
    ~Block();
    std::shared_ptr<MemoryPool> pool;
    void* data;
    size_t capacity;
  };
  explicit Buffer(std::shared_ptr<Block> block) : block_(std::move(block)) {}
  std::shared_ptr<Block> block_;
};

struct MemoryStats {
  size_t in_use_bytes = 0;
  size_t cached_bytes = 0;
  size_t peak_bytes = 0;
  size_t allocations = 0;
  size_t limit_bytes = 0;  // 0: none
};

/// Recycles blocks by size. Capacities are rounded up, so that slowly growing tensors find their old block again.
class MemoryPool : public std::enable_shared_from_this<MemoryPool> {
 public:
  /// `recycle`: keep freed blocks. `limit_bytes`: the most that may be in use, 0 for no limit.
  MemoryPool(bool recycle, size_t limit_bytes) : recycle_(recycle), limit_(limit_bytes) {}
  ~MemoryPool();

  /// At least `bytes`, aligned to 64. Throws Error(out_of_memory) over the limit or when the system has none.
  Buffer allocate(size_t bytes);
  /// Gives all cached blocks back to the system; returns how many bytes that were.
  size_t trim();
  MemoryStats stats() const;
  size_t limit() const { return limit_; }

 private:
  friend struct Buffer::Block;
  static constexpr int kClasses = 64 * 8;
  static int class_of(size_t bytes);
  static size_t capacity_of(int size_class);
  using Blocks = std::array<std::vector<void*>, kClasses>;
  static void free_all(const Blocks& blocks);
  void release(void* data, size_t capacity);

  const bool recycle_;
  const size_t limit_;
  mutable std::mutex mutex_;
  Blocks free_;
  MemoryStats stats_;
};

}  // namespace ort_cpu
