// Memory of the host: what allocates it, and what describes where it is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "host/abi.h"
#include "host/handle.h"

namespace ort_ops {

constexpr size_t kAlignment = 64;

struct MemoryInfo : Handle {
  std::string name = "Cpu";
  int32_t allocator_type = 0, id = 0, memory_type = 0, device_type = 0, device_memory_type = 0;
  uint32_t vendor = 0;
};

/// Aligned to `kAlignment`, given back with `std::free`; at least one byte. Throws std::bad_alloc.
void* allocate(size_t bytes);

/// The same for blocks that are given back with their size. Small ones are kept by the thread that gives them back:
/// `aligned_alloc` and `free` cost more than many kernels.
void* allocate_block(size_t bytes);
void free_block(void* block, size_t bytes) noexcept;

/// These live as long as the process: libraries use them in their static destructors.
const MemoryInfo& cpu_memory();
Allocator& cpu_allocator();

}  // namespace ort_ops
