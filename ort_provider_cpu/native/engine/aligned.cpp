#include "engine/aligned.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif
#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace ort_cpu {

namespace {

constexpr size_t kLine = 64;
/// A multiple of the page of every system: Arm has pages of up to 64 KB.
constexpr size_t kPage = 64 << 10;
constexpr size_t kHugePage = size_t{2} << 20;
/// Blocks from here on have pages of their own.
constexpr size_t kOwnPages = 128 << 10;
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
  Slab* slab;    // null: the array has a block of its own
  size_t bytes;  // of that block
};

std::mutex slab_mutex;
Slab* open_slab = nullptr;

}  // namespace

#if defined(__linux__)

void* allocate_aligned(size_t bytes) {
  if (bytes > SIZE_MAX / 2) throw std::bad_alloc();
  if (bytes < kOwnPages) {
    void* memory = std::aligned_alloc(kLine, round_up(std::max<size_t>(bytes, 1), kLine));
    if (memory == nullptr) throw std::bad_alloc();
    return memory;
  }
  const bool huge = bytes >= 2 * kHugePage;
  const size_t size = round_up(bytes, kPage), slack = huge ? kHugePage : 0;
  void* mapped = mmap(nullptr, size + slack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) throw std::bad_alloc();
  if (!huge) return mapped;
  auto* start = static_cast<std::byte*>(mapped);
  auto* aligned = reinterpret_cast<std::byte*>(round_up(reinterpret_cast<uintptr_t>(start), kHugePage));
  const size_t before = static_cast<size_t>(aligned - start), after = slack - before;
  if (before > 0) munmap(start, before);
  if (after > 0) munmap(aligned + size, after);
  madvise(aligned, size, MADV_HUGEPAGE);
  return aligned;
}

void free_aligned(void* memory, size_t bytes) {
  if (bytes < kOwnPages) std::free(memory);
  else munmap(memory, round_up(bytes, kPage));
}

#else

void* allocate_aligned(size_t bytes) { return ::operator new(std::max<size_t>(bytes, 1), std::align_val_t{kLine}); }

void free_aligned(void* memory, size_t) { ::operator delete(memory, std::align_val_t{kLine}); }

#endif

void trim_small_blocks() {
#if defined(__GLIBC__)
  malloc_trim(0);
#endif
}

void* allocate_weights(size_t bytes) {
  if (bytes > SIZE_MAX / 2) throw std::bad_alloc();
  const size_t needed = round_up(bytes, kLine) + sizeof(Header);
  if (bytes < kSmall) {
    auto* header = static_cast<Header*>(allocate_aligned(needed));
    header->slab = nullptr;
    header->bytes = needed;
    return header + 1;
  }
  const std::lock_guard lock(slab_mutex);
  if (open_slab == nullptr || open_slab->bytes - open_slab->used < needed) {
    const size_t size = std::max(kSlab, round_up(needed + sizeof(Header), kHugePage));
    auto* slab = new (allocate_aligned(size)) Slab{size, round_up(sizeof(Slab), kLine), 0};
    if (open_slab != nullptr && open_slab->arrays == 0) free_aligned(open_slab, open_slab->bytes);
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
    free_aligned(header, header->bytes);
    return;
  }
  const std::lock_guard lock(slab_mutex);
  Slab* slab = header->slab;
  if (--slab->arrays > 0) return;
  if (slab == open_slab) open_slab = nullptr;
  free_aligned(slab, slab->bytes);
}

}  // namespace ort_cpu
