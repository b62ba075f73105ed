// LSTM.
#include "ops/recurrent_layer.h"

namespace ort_cpu {
namespace {

/// i, o, f = f(X W' + H R' + B + P C), c = g(X W' + H R' + B), C = f C + i c, H = o h(C).
class LstmGates {
 public:
  static constexpr bool kHasCellState = true;

  LstmGates(const NodeSpec& node, int directions)
      : functions_(gate_functions(node.attributes, {"Sigmoid", "Tanh", "Tanh"}, directions)),
        clip_(gate_clip(node.attributes)),
        input_forget_(node.attributes.integer("input_forget", 0) != 0) {
    for (int d = 0; d < directions; ++d)
      standard_[d] = functions_[3 * d].kind == GateFunctionKind::sigmoid &&
                     functions_[3 * d + 1].kind == GateFunctionKind::tanh &&
                     functions_[3 * d + 2].kind == GateFunctionKind::tanh;
  }

  RecurrentLayout layout() const { return {4, {{{0, 1, 2, 3}, 1}}, false}; }

  template <class A>
  void step(int, const CellState<A>& s) const {
    if constexpr (std::is_same_v<A, float>) {
      if (standard_[s.direction])
        return simd::recurrent_table().lstm({s.recurrent,
                                             s.projected,
                                             {s.peepholes[0], s.peepholes[1], s.peepholes[2]},
                                             s.c,
                                             s.h,
                                             clip_,
                                             input_forget_});
    }
    const GateFunction* function = functions_.data() + 3 * s.direction;
    const A bound = static_cast<A>(clip_);
    const auto gate = [&](int g, int u) { return s.recurrent[g * kUnitGroup + u] + s.projected[g * kUnitGroup + u]; };
    const auto peephole = [&](int g, int u, A cell) {
      return s.peepholes[g] == nullptr ? A{0} : s.peepholes[g][u] * cell;
    };
    for (int u = 0; u < kUnitGroup; ++u) {
      const A before = s.c[u];
      const A i = function[0](clip(gate(0, u) + peephole(0, u, before), bound));
      const A f = input_forget_ ? 1 - i : function[0](clip(gate(2, u) + peephole(2, u, before), bound));
      const A c = f * before + i * function[1](clip(gate(3, u), bound));
      s.c[u] = c;
      s.h[u] = function[0](clip(gate(1, u) + peephole(1, u, c), bound)) * function[2](c);
    }
  }

 private:
  const std::vector<GateFunction> functions_;
  const float clip_;
  const bool input_forget_;
  bool standard_[2] = {};
};

constexpr DTypeSet kLengths{DType::i32};

const Registration registration{
    {.op = "LSTM",
     .inputs = {kFloats, kFloats, kFloats, kFloats, kLengths, kFloats},
     .make = make_kernel<RecurrentLayer<LstmGates>>},
};

}  // namespace
}  // namespace ort_cpu
