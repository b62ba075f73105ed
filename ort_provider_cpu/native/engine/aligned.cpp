#include "engine/aligned.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace ort_cpu {

namespace {

constexpr size_t kLine = 64;
constexpr size_t kHugePage = size_t{2} << 20;
/// Arrays below this come from the C library.
constexpr size_t kSmall = 64 << 10;
/// Pages of a slab are only backed when they are written, so a large one costs nothing.
constexpr size_t kSlab = 32 * kHugePage;

size_t round_up(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

struct Slab {
  size_t bytes;
  size_t used;
  size_t arrays;
};

/// What lies in the cache line before each array.
struct alignas(kLine) Header {
  Slab* slab;  // null: the array has a block of its own
};

std::mutex slab_mutex;
Slab* open_slab = nullptr;

}  // namespace

void* allocate_aligned(size_t bytes) {
  const size_t alignment = bytes >= 2 * kHugePage ? kHugePage : kLine;
  if (bytes > SIZE_MAX / 2) throw std::bad_alloc();
  void* memory = std::aligned_alloc(alignment, round_up(std::max<size_t>(bytes, 1), alignment));
  if (memory == nullptr) throw std::bad_alloc();
#if defined(__linux__)
  if (alignment == kHugePage) madvise(memory, bytes, MADV_HUGEPAGE);
#endif
  return memory;
}

void* allocate_weights(size_t bytes) {
  if (bytes > SIZE_MAX / 2) throw std::bad_alloc();
  const size_t needed = round_up(bytes, kLine) + sizeof(Header);
  if (bytes < kSmall) {
    auto* header = static_cast<Header*>(allocate_aligned(needed));
    header->slab = nullptr;
    return header + 1;
  }
  const std::lock_guard lock(slab_mutex);
  if (open_slab == nullptr || open_slab->bytes - open_slab->used < needed) {
    const size_t size = std::max(kSlab, round_up(needed + sizeof(Header), kHugePage));
    auto* slab = new (allocate_aligned(size)) Slab{size, round_up(sizeof(Slab), kLine), 0};
    if (open_slab != nullptr && open_slab->arrays == 0) std::free(open_slab);
    open_slab = slab;
  }
  auto* header = reinterpret_cast<Header*>(reinterpret_cast<std::byte*>(open_slab) + open_slab->used);
  header->slab = open_slab;
  open_slab->used += needed;
  ++open_slab->arrays;
  return header + 1;
}

void free_weights(void* memory) {
  Header* header = static_cast<Header*>(memory) - 1;
  if (header->slab == nullptr) {
    std::free(header);
    return;
  }
  const std::lock_guard lock(slab_mutex);
  Slab* slab = header->slab;
  if (--slab->arrays > 0) return;
  if (slab == open_slab) open_slab = nullptr;
  std::free(slab);
}

}  // namespace ort_cpu
