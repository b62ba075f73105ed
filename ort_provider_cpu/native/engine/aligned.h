// `AlignedArray`: memory for packed weights, aligned to cache lines, in huge pages where it is large.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace ort_cpu {

inline constexpr size_t kHugePage = size_t{2} << 20;

/// `bytes` of memory aligned to 64 bytes, or to huge pages when it is several of them. Release with `std::free`.
inline void* allocate_aligned(size_t bytes) {
  const bool huge = bytes >= 2 * kHugePage;
  const size_t alignment = huge ? kHugePage : 64;
  void* memory = std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment + (bytes == 0 ? alignment : 0));
  if (memory == nullptr) throw std::bad_alloc();
#if defined(__linux__)
  if (huge) madvise(memory, bytes, MADV_HUGEPAGE);
#endif
  return memory;
}

/// A fixed number of uninitialised elements of a trivial type.
template <class T>
class AlignedArray {
 public:
  AlignedArray() = default;
  explicit AlignedArray(size_t size) : data_(static_cast<T*>(allocate_aligned(size * sizeof(T)))), size_(size) {}
  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T& operator[](size_t i) { return data_.get()[i]; }
  const T& operator[](size_t i) const { return data_.get()[i]; }

 private:
  struct Free {
    void operator()(T* p) const { std::free(p); }
  };
  std::unique_ptr<T, Free> data_;
  size_t size_ = 0;
};

}  // namespace ort_cpu
