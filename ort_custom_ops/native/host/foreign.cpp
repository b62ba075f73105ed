#include "host/foreign.h"

#include <dlfcn.h>
#include <link.h>

#include <atomic>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>

#include "host/table.h"

namespace ort_ops {

namespace {
std::atomic<void* const*> foreign_table = nullptr;
std::atomic<void (*)()> foreign_search = nullptr;

/// The mangled names of the pointers in the C++ wrappers of ONNX Runtime and of its extensions. The dynamic linker may
/// have merged them with those of another library.
constexpr const char* kPointerSymbols[] = {"_ZZN4OrtW3API8instanceEPK6OrtApiE4self", "_ZN3Ort6GlobalIvE4api_E",
                                           "_ZZN3Ort6detail6Global3ApiEPK6OrtApiE3api"};

/// The writable memory of a library's static objects.
std::vector<std::span<const void*>> static_objects(void* library) {
  link_map* map = nullptr;
  if (dlinfo(library, RTLD_DI_LINKMAP, &map) != 0) return {};
  struct Search {
    ElfW(Addr) base;
    std::vector<std::span<const void*>> found;
  } search{map->l_addr, {}};
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* user) {
        auto* wanted = static_cast<Search*>(user);
        if (info->dlpi_addr != wanted->base) return 0;
        for (const ElfW(Phdr) & segment : std::span(info->dlpi_phdr, info->dlpi_phnum)) {
          if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) == 0) continue;
          constexpr size_t kWord = sizeof(void*);
          const size_t begin = (info->dlpi_addr + segment.p_vaddr + kWord - 1) / kWord * kWord;
          const size_t end = (info->dlpi_addr + segment.p_vaddr + segment.p_memsz) / kWord * kWord;
          if (end > begin) wanted->found.emplace_back(reinterpret_cast<const void**>(begin), (end - begin) / kWord);
        }
        return 1;
      },
      &search);
  return search.found;
}
}  // namespace

void note_foreign_api(const ApiBase& base) {
  if (&base == &api_base()) return;
  const std::string version = base.version_string();
  const size_t dot = version.find('.');
  const void* found = dot == std::string::npos ? nullptr : base.get_api(std::atoi(version.c_str() + dot + 1));
  if (found != nullptr && found != table().slots.data()) foreign_table = static_cast<void* const*>(found);
}

void set_foreign_search(void (*search)()) { foreign_search = search; }

void* foreign_slot(size_t slot) {
  if (foreign_table == nullptr) {
    if (auto* search = foreign_search.load()) search();
  }
  void* const* found = foreign_table;
  return found == nullptr ? nullptr : found[slot];
}

TablePointers::TablePointers(void* library) {
  const void* ours = table().slots.data();
  const void* theirs = foreign_table.load();
  std::vector<const void**> found;
  for (const char* symbol : kPointerSymbols)
    if (void* pointer = dlsym(library, symbol)) found.push_back(static_cast<const void**>(pointer));
  for (const std::span<const void*> words : static_objects(library))
    for (const void*& word : words)
      if (word == ours || (theirs != nullptr && word == theirs)) found.push_back(&word);
  pointers_ = std::make_shared<const std::vector<const void**>>(std::move(found));
}

/// Whether a pointer leads into another onnxruntime. What else a word of static memory holds by now is the library's own.
static bool is_table(const void* pointer) {
  if (pointer == foreign_table.load()) return true;
  Dl_info info;
  if (dladdr(pointer, &info) == 0 || info.dli_fname == nullptr) return false;
  const std::string_view path = info.dli_fname, file = path.substr(path.rfind('/') + 1);
  return file.starts_with("libonnxruntime.so") || file.starts_with("onnxruntime_pybind11_state");
}

void TablePointers::claim() const {
  if (pointers_ == nullptr) return;
  const void* ours = table().slots.data();
  for (const void** pointer : *pointers_) {
    const void* current = __atomic_load_n(pointer, __ATOMIC_RELAXED);
    if (current == nullptr || current == ours || !is_table(current)) continue;
    void* const* expected = nullptr;
    foreign_table.compare_exchange_strong(expected, static_cast<void* const*>(current));
    __atomic_store_n(pointer, ours, __ATOMIC_RELAXED);
  }
}

}  // namespace ort_ops
