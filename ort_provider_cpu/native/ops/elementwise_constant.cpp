// Constant.
#include <algorithm>
#include <cstring>
#include <optional>

#include "engine/registry.h"

namespace ort_cpu {
namespace {

/// The tensor of an attribute. No inputs -> output of its shape and type.
class Constant : public Kernel {
 public:
  explicit Constant(const NodeSpec& node) : value_(read(node.attributes)) {}

  void plan(PlanContext& ctx) const override { ctx.output(0, value_->view().dtype, value_->view().shape); }
  void run(RunContext& ctx) const override {
    if (value_->view().size() > 0) std::memcpy(ctx.output(0).data, value_->view().data, value_->view().size_bytes());
  }
  bool only_needs_shapes() const override { return true; }

 private:
  template <class T>
  static std::shared_ptr<const OwnedTensor> copy(DType type, const Shape& shape, const T* values, size_t n) {
    auto tensor = std::make_shared<OwnedTensor>(type, shape);
    std::copy(values, values + n, tensor->view().template as<T>());
    return tensor;
  }
  static std::shared_ptr<const OwnedTensor> read(const Attributes& attributes) {
    if (attributes.has("value")) return attributes.tensor("value");
    if (attributes.has("value_float")) {
      const float value = attributes.real("value_float", 0);
      return copy(DType::f32, {}, &value, 1);
    }
    if (attributes.has("value_int")) {
      const int64_t value = attributes.integer("value_int", 0);
      return copy(DType::i64, {}, &value, 1);
    }
    if (attributes.has("value_floats")) {
      const auto values = attributes.reals("value_floats");
      return copy(DType::f32, {static_cast<int64_t>(values.size())}, values.data(), values.size());
    }
    require(attributes.has("value_ints"), "there is no attribute with the value");
    const auto values = attributes.integers("value_ints");
    return copy(DType::i64, {static_cast<int64_t>(values.size())}, values.data(), values.size());
  }
  const std::shared_ptr<const OwnedTensor> value_;
};

std::optional<std::string> decline_constant(const NodeSpec& node) {
  for (const char* name : {"sparse_value", "value_string", "value_strings"})
    if (node.attributes.has(name)) return message("the attribute '", name, "' is not supported");
  return std::nullopt;
}

const Registration registration{
    {.op = "Constant",
     .inputs = {},
     .outputs = {kFixedSize},
     .make = make_kernel<Constant>,
     .declines = decline_constant},
};

}  // namespace
}  // namespace ort_cpu
