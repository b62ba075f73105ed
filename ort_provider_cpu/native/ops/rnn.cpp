// RNN.
#include "ops/recurrent_layer.h"

namespace ort_cpu {
namespace {

/// H = f(X W' + H R' + B).
class RnnGates {
 public:
  static constexpr bool kHasCellState = false;

  RnnGates(const NodeSpec& node, int directions)
      : functions_(gate_functions(node.attributes, {"Tanh"}, directions)), clip_(gate_clip(node.attributes)) {}

  RecurrentLayout layout() const { return {1, {{{0}, 4}}, false}; }

  template <class A>
  void step(int, const CellState<A>& s) const {
    const GateFunction& function = functions_[s.direction];
    if constexpr (std::is_same_v<A, float>) {
      if (function.kind == GateFunctionKind::tanh)
        return simd::recurrent_table().rnn(s.recurrent, s.projected, s.h, clip_);
    }
    for (int u = 0; u < kUnitGroup; ++u)
      s.h[u] = function(clip(s.recurrent[u] + s.projected[u], static_cast<A>(clip_)));
  }

 private:
  const std::vector<GateFunction> functions_;
  const float clip_;
};

constexpr DTypeSet kLengths{DType::i32};

const Registration registration{
    {.op = "RNN",
     .inputs = {kFloats, kFloats, kFloats, kFloats, kLengths, kFloats},
     .make = make_kernel<RecurrentLayer<RnnGates>>},
};

}  // namespace
}  // namespace ort_cpu
