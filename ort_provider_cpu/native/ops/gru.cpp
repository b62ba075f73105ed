// GRU.
#include "ops/recurrent_layer.h"

namespace ort_cpu {
namespace {

/// z, r = f(X W' + H R' + B), h = g(X W' + (r H) R' + B), H = (1 - z) h + z H; r multiplies H R' + B if
/// linear_before_reset.
class GruGates {
 public:
  static constexpr bool kHasCellState = false;

  GruGates(const NodeSpec& node, int directions)
      : functions_(gate_functions(node.attributes, {"Sigmoid", "Tanh"}, directions)),
        clip_(gate_clip(node.attributes)),
        linear_before_reset_(node.attributes.integer("linear_before_reset", 0) != 0) {
    for (int d = 0; d < directions; ++d)
      standard_[d] =
          functions_[2 * d].kind == GateFunctionKind::sigmoid && functions_[2 * d + 1].kind == GateFunctionKind::tanh;
  }

  RecurrentLayout layout() const {
    if (linear_before_reset_) return {3, {{{0, 1, 2}, 1}}, true};
    return {3, {{{0, 1}, 2}, {{2}, 4}}, false};
  }

  template <class A>
  void step(int phase, const CellState<A>& s) const {
    if (linear_before_reset_) return step_linear(s);
    phase == 0 ? reset(s) : update(s);
  }

 private:
  template <class A>
  A function(int i, const CellState<A>& s, A x) const {
    return functions_[2 * s.direction + i](clip(x, static_cast<A>(clip_)));
  }

  template <class A>
  void step_linear(const CellState<A>& s) const {
    if constexpr (std::is_same_v<A, float>) {
      if (standard_[s.direction])
        return simd::recurrent_table().gru({s.recurrent, s.projected, s.recurrent_bias, s.h_before, s.h, clip_});
    }
    for (int u = 0; u < kUnitGroup; ++u) {
      const A z = function(0, s, s.recurrent[u] + s.projected[u]);
      const A r = function(0, s, s.recurrent[kUnitGroup + u] + s.projected[kUnitGroup + u]);
      const A h =
          function(1, s, s.projected[2 * kUnitGroup + u] + r * (s.recurrent[2 * kUnitGroup + u] + s.recurrent_bias[u]));
      s.h[u] = (1 - z) * h + z * s.h_before[u];
    }
  }

  template <class A>
  void reset(const CellState<A>& s) const {
    if constexpr (std::is_same_v<A, float>) {
      if (standard_[s.direction])
        return simd::recurrent_table().gru_reset({s.recurrent, s.projected, s.h_before, s.z, s.reset_h, clip_});
    }
    for (int u = 0; u < kUnitGroup; ++u) {
      s.z[u] = function(0, s, s.recurrent[u] + s.projected[u]);
      s.reset_h[u] = function(0, s, s.recurrent[kUnitGroup + u] + s.projected[kUnitGroup + u]) * s.h_before[u];
    }
  }

  template <class A>
  void update(const CellState<A>& s) const {
    const A* projected = s.projected + 2 * kUnitGroup;
    if constexpr (std::is_same_v<A, float>) {
      if (standard_[s.direction])
        return simd::recurrent_table().gru_update({s.recurrent, projected, s.z, s.h_before, s.h, clip_});
    }
    for (int u = 0; u < kUnitGroup; ++u)
      s.h[u] = (1 - s.z[u]) * function(1, s, s.recurrent[u] + projected[u]) + s.z[u] * s.h_before[u];
  }

  const std::vector<GateFunction> functions_;
  const float clip_;
  const bool linear_before_reset_;
  bool standard_[2] = {};
};

constexpr DTypeSet kLengths{DType::i32};

const Registration registration{
    {.op = "GRU",
     .inputs = {kFloats, kFloats, kFloats, kFloats, kLengths, kFloats},
     .make = make_kernel<RecurrentLayer<GruGates>>},
};

}  // namespace
}  // namespace ort_cpu
