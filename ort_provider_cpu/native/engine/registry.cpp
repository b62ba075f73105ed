#include "engine/registry.h"

#include <algorithm>

namespace ort_cpu {

Registry& Registry::instance() {
  static Registry registry;
  return registry;
}

void Registry::add(KernelEntry entry) {
  const auto key = std::make_pair(entry.domain, entry.op);
  if (!index_.emplace(key, entries_.size()).second)
    throw Error(ErrorKind::runtime_exception, message("the kernel ", entry.domain, "::", entry.op, " is registered twice"));
  entries_.push_back(std::make_unique<KernelEntry>(std::move(entry)));
}

const KernelEntry* Registry::find(const std::string& domain, const std::string& op) const {
  const auto found = index_.find({domain, op});
  return found == index_.end() ? nullptr : entries_[found->second].get();
}

namespace {

std::string names_of(DTypeSet set) {
  std::string names;
  for (int i = 1; i <= static_cast<int>(DType::f6e3m2); ++i)
    if (set.contains(static_cast<DType>(i)))
      names += (names.empty() ? "" : ", ") + std::string(name_of(static_cast<DType>(i)));
  return "{" + names + "}";
}

std::optional<std::string> mismatch(const char* kind, int position, DType got, const std::vector<DTypeSet>& allowed) {
  if (got == DType::none || allowed.empty()) return std::nullopt;
  const DTypeSet set = allowed[std::min<size_t>(position, allowed.size() - 1)];
  if (set.contains(got)) return std::nullopt;
  return message("got ", kind, " ", position, " of type ", name_of(got), ", have ", names_of(set));
}

}  // namespace

std::optional<std::string> Registry::decline_reason(const std::string& domain, const NodeSpec& node) const {
  const KernelEntry* entry = find(domain, node.op);
  if (entry == nullptr) return message("no kernel for ", domain.empty() ? "ai.onnx" : domain, "::", node.op);
  for (int i = 0; i < node.n_inputs(); ++i)
    if (auto reason = mismatch("input", i, node.dtype(i), entry->inputs)) return reason;
  for (size_t i = 0; i < node.outputs.size(); ++i)
    if (auto reason = mismatch("output", static_cast<int>(i), node.outputs[i], entry->outputs)) return reason;
  return entry->declines ? entry->declines(node) : std::nullopt;
}

std::vector<const KernelEntry*> Registry::entries() const {
  std::vector<const KernelEntry*> all;
  for (const auto& entry : entries_) all.push_back(entry.get());
  return all;
}

}  // namespace ort_cpu
