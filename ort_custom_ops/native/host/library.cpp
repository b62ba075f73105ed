#include "host/library.h"

#include <dlfcn.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <mutex>

#include "host/elf.h"
#include "host/registration.h"
#include "host/replacement.h"
#include "host/status.h"
#include "host/table.h"

namespace ort_ops {

namespace {

constexpr const char* kEntry = "RegisterCustomOps";
constexpr const char* kOnnxRuntime = "libonnxruntime.so";

std::string supported_versions() {
  return "this ort-custom-ops offers versions 1 to " + std::to_string(kNewestApi) + " (onnxruntime 1." +
         std::to_string(kNewestApi) + ")";
}

std::string last_dl_error() {
  const char* error = dlerror();
  return error == nullptr ? "unknown reason" : error;
}

[[noreturn]] void fail(const std::string& path, const std::string& cause, const std::string& remedy) {
  throw Error{Code::fail, "the library of custom operators '" + path + "' cannot be used: " + cause + ". " + remedy};
}

std::string remedy_for(const std::string& path, const std::string& error) {
  const auto has = [&](const char* text) { return error.find(text) != std::string::npos; };
  if (!std::filesystem::exists(path)) return "Check the path";
  if (std::filesystem::is_directory(path)) return "Give the path of the library's file, not of a folder";
  if (has("invalid ELF header") || has("file too short") || has("wrong ELF class") || has("wrong architecture"))
    return "Give a shared library that was built for this machine";
  if (has("VERS_")) return "It is linked to another onnxruntime than is offered: " + supported_versions();
  if (has("cannot open shared object file"))
    return "Install the library that it needs, or put its folder into LD_LIBRARY_PATH before Python starts";
  if (has("not found")) return "Build it for the C library and the C++ library of this machine";
  if (has("undefined symbol")) return "Link it to the library that has this symbol";
  return "Check that `ldd` on it finds everything";
}

void* open(const std::string& path) {
  const ElfFacts facts = read_elf(path);
  if (facts.is_truncated) fail(path, "the file is cut short", "Copy or download it again");
  for (const std::string& needed : facts.needed)
    if (needed.starts_with(kOnnxRuntime) && !provide_onnxruntime(needed))
      fail(path, "it is linked to " + needed + ", which cannot be replaced",
           "Link it without onnxruntime: the table comes through " + std::string(kEntry));
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const std::string error = last_dl_error();
    fail(path, error, remedy_for(path, error));
  }
  return handle;
}

/// Empty, and the same whenever a library registers. Kept for ever: libraries may keep its address.
Registry* registry_of(void* handle) {
  static auto* const registries = new std::map<void*, Registry*>;
  Registry*& registry = (*registries)[handle];
  if (registry == nullptr) registry = new Registry;
  registry->domains.clear();
  return registry;
}

void register_ops(const std::string& path, void* handle, Registry& registry) {
  using Entry = Status* (*)(Registry*, const ApiBase*);
  const auto entry = reinterpret_cast<Entry>(dlsym(handle, kEntry));
  if (entry == nullptr)
    fail(path, "it has no function " + std::string(kEntry),
         "Give a library that was built to hold custom operators for ONNX Runtime");
  std::string error;
  try {
    if (Status* status = entry(&registry, &api_base())) error = take(status).message;
  } catch (...) {
    error = error_of_exception().message;
  }
  const uint32_t refused = refused_version();
  if (refused != 0 && (!error.empty() || registry.domains.empty()))
    fail(path,
         "it asks for version " + std::to_string(refused) + " of ONNX Runtime's API, and " + supported_versions() +
             (error.empty() ? "" : " (" + error + ")"),
         "Upgrade ort-custom-ops, or build the library against an older onnxruntime");
  if (!error.empty()) fail(path, std::string(kEntry) + " failed: " + error, "Ask the author of the library");
}

}  // namespace

std::vector<Operator> load_library(const std::string& path, std::map<std::string, std::string> config) {
  static std::recursive_mutex mutex;
  const std::lock_guard lock(mutex);
  forget_refused_version();
  void* handle = open(path);
  Registry* registry = registry_of(handle);
  registry->config = std::move(config);
  register_ops(path, handle, *registry);
  const TablePointers pointers(handle);
  pointers.claim();
  std::vector<Operator> operators;
  for (const Domain* domain : registry->domains) {
    for (const CustomOp* op : domain->ops) {
      try {
        operators.emplace_back(domain->name, *op, pointers);
      } catch (...) {
        fail(path, error_of_exception().message, "Ask the author of the library");
      }
    }
  }
  return operators;
}

}  // namespace ort_ops
