// Dropout, as inference has it.
#include <cstring>
#include <optional>

#include "engine/registry.h"

namespace ort_cpu {
namespace {

constexpr DTypeSet kData = kFloats | DTypeSet{DType::f8e4m3fn, DType::f8e4m3fnuz, DType::f8e5m2, DType::f8e5m2fnuz};

/// The data itself, and a mask of the same shape that is true everywhere.
class Dropout : public Kernel {
 public:
  explicit Dropout(const NodeSpec&) {}
  void plan(PlanContext& ctx) const override {
    ctx.alias(0, 0, ctx.shape(0));
    ctx.output(1, DType::boolean, ctx.shape(0));
  }
  void run(RunContext& ctx) const override {
    if (ctx.wants(1) && ctx.output(1).size() > 0) std::memset(ctx.output(1).data, 1, ctx.output(1).size_bytes());
  }
};

std::optional<std::string> decline(const NodeSpec& node) {
  if (!node.has_input(2)) return std::nullopt;
  const Tensor* training = node.constant(2);
  if (training == nullptr) return "training_mode is no constant";
  if (training->size() != 1 || *training->as<uint8_t>() != 0) return "training_mode is not supported";
  return std::nullopt;
}

const Registration registration{
    {.op = "Dropout", .inputs = {kData, kData, kBool}, .make = make_kernel<Dropout>, .declines = decline},
};

}  // namespace
}  // namespace ort_cpu
