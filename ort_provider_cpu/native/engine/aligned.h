// Memory that is aligned to cache lines, in huge pages where there is much of it.
#pragma once

#include <cstddef>
#include <memory>
#include <type_traits>

namespace ort_cpu {

/// `bytes` of memory aligned to 64 bytes. A large block has pages of its own, huge ones where they fit, which
/// `free_aligned` (with the same number of bytes) gives back to the system. Throws std::bad_alloc.
void* allocate_aligned(size_t bytes);
void free_aligned(void* memory, size_t bytes);
/// Gives back what the C library keeps of small blocks that were freed.
void trim_small_blocks();

/// Memory for packed weights: many arrays together in slabs of huge pages, aligned to 64 bytes. Throws std::bad_alloc.
void* allocate_weights(size_t bytes);
/// Gives back what `allocate_weights` gave; the slab goes with its last array.
void free_weights(void* memory);

/// A fixed number of uninitialised elements of a trivial type, for weights.
template <class T>
class AlignedArray {
 public:
  AlignedArray() = default;
  explicit AlignedArray(size_t size) : data_(static_cast<T*>(allocate_weights(size * sizeof(T)))), size_(size) {}
  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T& operator[](size_t i) { return data_.get()[i]; }
  const T& operator[](size_t i) const { return data_.get()[i]; }

 private:
  struct Free {
    void operator()(T* p) const { free_weights(const_cast<std::remove_const_t<T>*>(p)); }
  };
  std::unique_ptr<T, Free> data_;
  size_t size_ = 0;
};

}  // namespace ort_cpu
