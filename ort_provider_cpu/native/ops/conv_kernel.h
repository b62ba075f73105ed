// `PackedConvKernel`: the kernel around a convolution with constant, packed weights and a blocked result.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "engine/aligned.h"
#include "ops/conv_blocked.h"

namespace ort_cpu {

enum class ConvInput { plain, blocked };

/// Inputs x, w, b (optional), residual (optional; blocked). If the model tells the rank of x, the weights are packed
/// when the kernel is made, and their originals released. Otherwise they are packed at the first plan that needs a
/// certain algorithm.
class PackedConvKernel : public Kernel {
 public:
  PackedConvKernel(const NodeSpec& node, ConvInput input);
  void plan(PlanContext& ctx) const override;
  void run(RunContext& ctx) const override;

 protected:
  /// The number of the algorithm that suits a geometry; each one computes any geometry with the same weights.
  virtual int choose(const ConvGeometry&) const { return 0; }
  /// Packs the weights for the algorithm of that number.
  virtual std::unique_ptr<PackedConv> pack(int algorithm, const ConvGeometry& geometry, const float* weights) const = 0;
  /// Packs what can be packed early. To be called once, when the object is complete.
  void pack_early(const NodeSpec& node);

 private:
  struct State {
    std::shared_ptr<const PackedConv> packed;
    std::shared_ptr<const PreparedConv> prepared;
  };
  ConvGeometry geometry(const Shape& x) const;
  std::shared_ptr<const PackedConv> packed_for(const ConvGeometry& geometry, const PlanContext& ctx) const;

  ConvInput input_;
  ConvAttributes attributes_;
  Activation activation_;
  int64_t channels_;  // of a blocked input
  Shape weight_shape_;
  AlignedArray<float> bias_;
  std::shared_ptr<const PackedConv> packed_early_;
  mutable std::mutex mutex_;
  mutable std::map<int, std::shared_ptr<const PackedConv>> packed_;
};

/// The reason to decline a node whose weights or bias are not constants.
std::optional<std::string> decline_variable_weights(const NodeSpec& node);

}  // namespace ort_cpu
