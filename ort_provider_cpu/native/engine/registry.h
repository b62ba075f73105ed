// The registry of kernels: which operators there are, for which types, and how to make them.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/kernel.h"

namespace ort_cpu {

/// One operator.
struct KernelEntry {
  std::string op;
  std::string domain = "";
  /// The types that each input takes; the last entry holds for all further inputs.
  std::vector<DTypeSet> inputs;
  /// The types that each output may have; empty: whatever follows from the inputs. The last entry holds for further
  /// outputs.
  std::vector<DTypeSet> outputs = {};
  std::function<std::unique_ptr<Kernel>(const NodeSpec&)> make;
  /// Why a node is not supported though its types are; nullopt if it is. Attributes that are wrong are not its
  /// business.
  std::function<std::optional<std::string>(const NodeSpec&)> declines = nullptr;
};

/// All kernels, by domain and operator.
class Registry {
 public:
  static Registry& instance();
  void add(KernelEntry entry);
  const KernelEntry* find(const std::string& domain, const std::string& op) const;
  /// Why no kernel takes the node; nullopt if one does.
  std::optional<std::string> decline_reason(const std::string& domain, const NodeSpec& node) const;
  std::vector<const KernelEntry*> entries() const;

 private:
  std::vector<std::unique_ptr<KernelEntry>> entries_;
  std::map<std::pair<std::string, std::string>, size_t> index_;
};

/// A namespace-scope object of this type registers kernels when the library is loaded.
class Registration {
 public:
  Registration(std::initializer_list<KernelEntry> entries) {
    for (const KernelEntry& entry : entries) Registry::instance().add(entry);
  }
};

/// The usual `make`: constructs a `K` from the node.
template <class K>
std::unique_ptr<Kernel> make_kernel(const NodeSpec& node) {
  return std::make_unique<K>(node);
}

}  // namespace ort_cpu
