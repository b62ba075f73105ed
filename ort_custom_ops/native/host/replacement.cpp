#include "host/replacement.h"

#include <dlfcn.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "host/elf.h"
#include "host/table.h"

namespace ort_ops {

namespace {

constexpr const char* kFile = "libonnxruntime.so.1";
/// A name that the file has for no other purpose than to be overwritten.
constexpr std::string_view kRoom = "ort_custom_ops_room_for_another_name_of_this_library";

/// The file is beside this shared object.
std::string path_of_file() {
  Dl_info info;
  if (dladdr(reinterpret_cast<const void*>(&provide_onnxruntime), &info) == 0) return kFile;
  return std::filesystem::path(info.dli_fname).parent_path() / kFile;
}

/// The file with another name of its own; empty if that is not possible.
std::string renamed(const std::string& path, const std::string& name) {
  std::ifstream stream(path, std::ios::binary);
  std::string image{std::istreambuf_iterator<char>(stream), {}};
  const ElfFacts facts = read_elf(path);
  const size_t room = image.find(kRoom);
  if (facts.own_name_entry == 0 || room == std::string::npos || room < facts.names || name.size() > kRoom.size())
    return {};
  image.replace(room, name.size() + 1, name.c_str(), name.size() + 1);
  ElfW(Dyn) entry;
  std::memcpy(&entry, image.data() + facts.own_name_entry, sizeof entry);
  entry.d_un.d_val = room - facts.names;
  std::memcpy(image.data() + facts.own_name_entry, &entry, sizeof entry);
  return image;
}

/// Loads a library from memory; null if that fails. The file stays open if it is loaded: the dynamic linker knows libraries
/// by their path, which another file would get.
void* load_image(const std::string& image) {
  const int file = memfd_create(kFile, MFD_CLOEXEC);
  if (file < 0) return nullptr;
  const bool is_written = write(file, image.data(), image.size()) == static_cast<ssize_t>(image.size());
  const std::string path = "/proc/self/fd/" + std::to_string(file);
  void* handle = is_written ? dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL) : nullptr;
  if (handle == nullptr) close(file);
  return handle;
}

}  // namespace

bool provide_onnxruntime(const std::string& name) {
  if (void* present = dlopen(name.c_str(), RTLD_NOW | RTLD_NOLOAD)) {
    dlclose(present);
    return true;
  }
  const std::string path = path_of_file();
  void* handle = name == kFile ? dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL) : load_image(renamed(path, name));
  if (handle == nullptr) return false;
  const auto set_base = reinterpret_cast<void (*)(const void*)>(dlsym(handle, "ort_custom_ops_set_api_base"));
  if (set_base != nullptr) set_base(&api_base());
  return set_base != nullptr;
}

}  // namespace ort_ops
