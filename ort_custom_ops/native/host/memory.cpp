#include "host/memory.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <new>

#include "host/key_values.h"
#include "host/status.h"
#include "host/table.h"

namespace ort_ops {

void* allocate(size_t bytes) {
  const size_t rounded = (std::max<size_t>(bytes, 1) + kAlignment - 1) / kAlignment * kAlignment;
  void* memory = rounded < bytes ? nullptr : std::aligned_alloc(kAlignment, rounded);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

namespace {

/// The spare blocks of a thread, by the power of two of their size.
class Spare {
 public:
  static constexpr size_t kMostBytes = 16 << 10;

  ~Spare() {
    for (const Class& blocks : classes_)
      for (size_t i = 0; i < blocks.count; ++i) std::free(blocks.items[i]);
    alive() = false;
  }
  /// False in the destructors of a thread that run after this one.
  static bool& alive() {
    static thread_local bool alive = true;
    return alive;
  }

  void* take(size_t bytes) {
    Class& blocks = classes_[index_of(bytes)];
    return blocks.count > 0 ? blocks.items[--blocks.count] : allocate(kAlignment << index_of(bytes));
  }
  void give(void* block, size_t bytes) {
    Class& blocks = classes_[index_of(bytes)];
    if (blocks.count < kMost) blocks.items[blocks.count++] = block;
    else std::free(block);
  }

 private:
  static constexpr size_t kMost = 8;
  struct Class {
    size_t count = 0;
    void* items[kMost];
  };
  static size_t index_of(size_t bytes) { return bytes <= kAlignment ? 0 : std::bit_width((bytes - 1) / kAlignment); }
  Class classes_[std::bit_width(kMostBytes / kAlignment)];
};

thread_local Spare spare;

}  // namespace

void* allocate_block(size_t bytes) {
  return bytes <= Spare::kMostBytes && Spare::alive() ? spare.take(bytes) : allocate(bytes);
}

void free_block(void* block, size_t bytes) noexcept {
  if (block != nullptr && bytes <= Spare::kMostBytes && Spare::alive()) spare.give(block, bytes);
  else std::free(block);
}

const MemoryInfo& cpu_memory() {
  static const auto* const info = new MemoryInfo;
  return *info;
}

namespace {
void* allocator_alloc(Allocator*, size_t bytes) {
  try {
    return bytes == 0 ? nullptr : allocate(bytes);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}
void allocator_free(Allocator*, void* memory) { std::free(memory); }
const MemoryInfo* allocator_info(const Allocator*) { return &cpu_memory(); }
Status* allocator_stats(const Allocator*, KeyValues** out) {
  *out = new KeyValues;
  return nullptr;
}
void* allocator_alloc_on_stream(Allocator* self, size_t bytes, void*) { return allocator_alloc(self, bytes); }
Status* allocator_shrink(Allocator*) { return nullptr; }
}  // namespace

Allocator& cpu_allocator() {
  static auto* const allocator =
      new Allocator{kNewestApi,      allocator_alloc,           allocator_free,  allocator_info, allocator_alloc,
                    allocator_stats, allocator_alloc_on_stream, allocator_shrink};
  return *allocator;
}

namespace {
Status* create_memory_info(const char* name, int32_t allocator_type, int32_t id, int32_t memory_type,
                           MemoryInfo** out) {
  auto info = MemoryInfo{{}, name, allocator_type, id, memory_type};
  info.device_type = info.name == "Cpu" ? 0 : 1;
  *out = new MemoryInfo(std::move(info));
  return nullptr;
}

Status* create_cpu_memory_info(int32_t allocator_type, int32_t memory_type, MemoryInfo** out) {
  *out = new MemoryInfo{{}, "Cpu", allocator_type, 0, memory_type};
  return nullptr;
}

Status* create_memory_info_v2(const char* name, int32_t device_type, uint32_t vendor, int32_t id,
                              int32_t device_memory_type, size_t, int32_t allocator_type, MemoryInfo** out) {
  *out = new MemoryInfo{{}, name, allocator_type, id, 0, device_type, device_memory_type, vendor};
  return nullptr;
}

void release_memory_info(MemoryInfo* info) {
  if (info != &cpu_memory()) delete info;
}

Status* compare(const MemoryInfo* a, const MemoryInfo* b, int32_t* out) {
  const bool equal = a->name == b->name && a->id == b->id && a->memory_type == b->memory_type &&
                     a->allocator_type == b->allocator_type && a->vendor == b->vendor;
  *out = equal ? 0 : -1;
  return nullptr;
}

Status* name(const MemoryInfo* info, const char** out) {
  *out = info->name.c_str();
  return nullptr;
}
Status* id(const MemoryInfo* info, int32_t* out) {
  *out = info->id;
  return nullptr;
}
Status* memory_type(const MemoryInfo* info, int32_t* out) {
  *out = info->memory_type;
  return nullptr;
}
Status* allocator_type(const MemoryInfo* info, int32_t* out) {
  *out = info->allocator_type;
  return nullptr;
}
void device_type(const MemoryInfo* info, int32_t* out) { *out = info->device_type; }
int32_t device_memory_type(const MemoryInfo* info) { return info->device_memory_type; }
uint32_t vendor(const MemoryInfo* info) { return info->vendor; }

Status* alloc_with(Allocator* allocator, size_t bytes, void** out) {
  *out = allocator->alloc(allocator, bytes);
  return *out != nullptr || bytes == 0 ? nullptr
                                       : make_status(Code::runtime_exception, "the system has no memory left");
}
Status* free_with(Allocator* allocator, void* memory) {
  allocator->free(allocator, memory);
  return nullptr;
}
Status* info_of(const Allocator* allocator, const MemoryInfo** out) {
  *out = allocator->info(allocator);
  return nullptr;
}
Status* stats_of(const Allocator* allocator, KeyValues** out) { return allocator_stats(allocator, out); }
Status* default_allocator(Allocator** out) {
  *out = &cpu_allocator();
  return nullptr;
}
void release_allocator(Allocator*) {}
}  // namespace

void offer_memory(Table& table) {
  offer<"CreateMemoryInfo", create_memory_info>(table);
  offer<"CreateCpuMemoryInfo", create_cpu_memory_info>(table);
  offer<"CreateMemoryInfo_V2", create_memory_info_v2>(table);
  offer<"ReleaseMemoryInfo", release_memory_info>(table);
  offer<"CompareMemoryInfo", compare>(table);
  offer<"MemoryInfoGetName", name>(table);
  offer<"MemoryInfoGetId", id>(table);
  offer<"MemoryInfoGetMemType", memory_type>(table);
  offer<"MemoryInfoGetType", allocator_type>(table);
  offer<"MemoryInfoGetDeviceType", device_type>(table);
  offer<"MemoryInfoGetDeviceMemType", device_memory_type>(table);
  offer<"MemoryInfoGetVendorId", vendor>(table);
  offer<"AllocatorAlloc", alloc_with>(table);
  offer<"AllocatorFree", free_with>(table);
  offer<"AllocatorGetInfo", info_of>(table);
  offer<"AllocatorGetStats", stats_of>(table);
  offer<"GetAllocatorWithDefaultOptions", default_allocator>(table);
  offer<"ReleaseAllocator", release_allocator>(table);
}

}  // namespace ort_ops
