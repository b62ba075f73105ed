// `Attributes`: the attributes of a node, by name, with the operator's defaults given where they are read.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "engine/tensor.h"

namespace ort_cpu {

class Program;

/// A tensor that owns its memory.
class OwnedTensor {
 public:
  OwnedTensor(DType dtype, Shape shape)
      : bytes_(std::make_unique<std::byte[]>(checked_size_bytes(dtype, shape) + 1)),
        view_{bytes_.get(), dtype, shape} {}
  const Tensor& view() const { return view_; }

 private:
  std::unique_ptr<std::byte[]> bytes_;
  Tensor view_;
};

using AttributeValue = std::variant<int64_t, float, std::string, std::vector<int64_t>, std::vector<float>,
                                    std::vector<std::string>, std::shared_ptr<OwnedTensor>, std::shared_ptr<Program>>;

/// Attributes by name. Reading one as another kind than it has raises InvalidArgument.
class Attributes {
 public:
  void set(std::string name, AttributeValue value) { values_.insert_or_assign(std::move(name), std::move(value)); }
  bool has(const std::string& name) const { return values_.contains(name); }

  int64_t integer(const std::string& name, int64_t fallback) const { return get<int64_t>(name).value_or(fallback); }
  float real(const std::string& name, float fallback) const { return get<float>(name).value_or(fallback); }
  std::string text(const std::string& name, std::string fallback) const {
    return get<std::string>(name).value_or(std::move(fallback));
  }
  std::vector<int64_t> integers(const std::string& name, std::vector<int64_t> fallback = {}) const {
    return get<std::vector<int64_t>>(name).value_or(std::move(fallback));
  }
  std::vector<float> reals(const std::string& name, std::vector<float> fallback = {}) const {
    return get<std::vector<float>>(name).value_or(std::move(fallback));
  }
  std::vector<std::string> texts(const std::string& name) const {
    return get<std::vector<std::string>>(name).value_or(std::vector<std::string>{});
  }
  /// A tensor attribute, or null.
  std::shared_ptr<const OwnedTensor> tensor(const std::string& name) const {
    return get<std::shared_ptr<OwnedTensor>>(name).value_or(nullptr);
  }
  /// A subgraph, compiled. Raises InvalidArgument when it is absent.
  std::shared_ptr<const Program> program(const std::string& name) const {
    auto found = get<std::shared_ptr<Program>>(name);
    require(found.has_value(), "the attribute '", name, "' is missing");
    return *found;
  }

 private:
  template <class T>
  std::optional<T> get(const std::string& name) const {
    const auto found = values_.find(name);
    if (found == values_.end()) return std::nullopt;
    const T* value = std::get_if<T>(&found->second);
    require(value != nullptr, "the attribute '", name, "' has another kind than the operator defines");
    return *value;
  }
  std::map<std::string, AttributeValue> values_;
};

}  // namespace ort_cpu
