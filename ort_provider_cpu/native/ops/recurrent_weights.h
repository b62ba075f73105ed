// Weights of recurrent layers, packed in panels of at most 64 columns that hold groups of 16 units.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "engine/tensor.h"

namespace ort_cpu {

inline constexpr int kUnitGroup = 16;
inline constexpr int kPanel = 64;

/// One matrix product of a time step: which gates it computes, for how many groups of units in a panel.
struct RecurrentPhase {
  std::vector<int> gates;
  int groups_per_panel = 1;

  int n_gates() const { return static_cast<int>(gates.size()); }
  int64_t panels(int64_t groups) const { return (groups + groups_per_panel - 1) / groups_per_panel; }
};

/// Columns [groups][gates][16] of a matrix whose rows are gate * hidden + unit, in panels [k][columns of the panel].
template <class A>
class PackedPanels {
 public:
  PackedPanels() = default;
  template <class T>
  PackedPanels(const T* rows, const std::vector<int>& gates, int64_t hidden, int64_t k, int64_t panel_columns)
      : k_(k), panel_columns_(panel_columns) {
    const int64_t n_gates = static_cast<int64_t>(gates.size());
    columns_ = (hidden + kUnitGroup - 1) / kUnitGroup * n_gates * kUnitGroup;
    values_.assign(static_cast<size_t>(columns_ * k), A{0});
    for (int64_t column = 0; column < columns_; ++column) {
      const int64_t group = column / (n_gates * kUnitGroup);
      const int64_t unit = group * kUnitGroup + column % kUnitGroup;
      if (unit >= hidden) continue;
      const T* row = rows + (gates[column / kUnitGroup % n_gates] * hidden + unit) * k;
      const int64_t panel = column / panel_columns;
      A* to = values_.data() + panel * panel_columns * k + column % panel_columns;
      const int64_t width = this->width(panel);
      for (int64_t i = 0; i < k; ++i) to[i * width] = static_cast<A>(row[i]);
    }
  }

  int64_t panels() const { return (columns_ + panel_columns_ - 1) / panel_columns_; }
  int64_t columns() const { return columns_; }
  /// Columns of one panel.
  int64_t width(int64_t panel) const { return std::min(panel_columns_, columns_ - panel * panel_columns_); }
  const A* panel(int64_t panel) const { return values_.data() + panel * panel_columns_ * k_; }

 private:
  int64_t k_ = 0, columns_ = 0, panel_columns_ = kPanel;
  std::vector<A> values_;
};

/// The weights of one direction.
template <class A>
struct RecurrentDirection {
  PackedPanels<A> input;                   // all gates: [groups][gates][16] columns
  std::vector<PackedPanels<A>> recurrent;  // by phase
  std::vector<A> bias;                     // of `input`, by column
  std::vector<A> recurrent_bias;           // by unit: of the last gate, where it is kept apart
  std::vector<A> peepholes;                // [3][units], or none
};

template <class A>
using RecurrentWeights = std::vector<RecurrentDirection<A>>;

/// What a layer's weights look like.
struct RecurrentLayout {
  int gates = 1;
  std::vector<RecurrentPhase> phases;
  /// The recurrent bias of the last gate is added inside the gate, not to the input's share.
  bool keeps_last_bias = false;
};

/// Packs W [D, gates * H, I], R [D, gates * H, H], B [D, 2 * gates * H] or null, P [D, 3 * H] or null.
template <class T, class A>
RecurrentWeights<A> pack_recurrent(const RecurrentLayout& layout, const Tensor& w, const Tensor& r, const Tensor* b,
                                   const Tensor* p) {
  const int64_t directions = w.shape[0], input = w.shape[2], hidden = r.shape[2];
  const int64_t units = (hidden + kUnitGroup - 1) / kUnitGroup * kUnitGroup;
  const int64_t rows = layout.gates * hidden;
  std::vector<int> all(layout.gates);
  for (int g = 0; g < layout.gates; ++g) all[g] = g;
  RecurrentWeights<A> packed(static_cast<size_t>(directions));
  for (int64_t d = 0; d < directions; ++d) {
    RecurrentDirection<A>& to = packed[d];
    to.input = PackedPanels<A>(w.as<T>() + d * rows * input, all, hidden, input, kPanel);
    for (const RecurrentPhase& phase : layout.phases)
      to.recurrent.emplace_back(r.as<T>() + d * rows * hidden, phase.gates, hidden, hidden,
                                phase.groups_per_panel * phase.n_gates() * kUnitGroup);
    to.bias.assign(static_cast<size_t>(units * layout.gates), A{0});
    to.recurrent_bias.assign(static_cast<size_t>(units), A{0});
    if (b != nullptr) {
      const T* wb = b->as<T>() + d * 2 * rows;
      const T* rb = wb + rows;
      for (int g = 0; g < layout.gates; ++g) {
        const bool apart = layout.keeps_last_bias && g == layout.gates - 1;
        for (int64_t u = 0; u < hidden; ++u) {
          const A recurrent = static_cast<A>(rb[g * hidden + u]);
          if (apart) to.recurrent_bias[u] = recurrent;
          to.bias[(u / kUnitGroup * layout.gates + g) * kUnitGroup + u % kUnitGroup] =
              static_cast<A>(wb[g * hidden + u]) + (apart ? A{0} : recurrent);
        }
      }
    }
    if (p != nullptr) {
      to.peepholes.assign(static_cast<size_t>(3 * units), A{0});
      for (int g = 0; g < 3; ++g)
        for (int64_t u = 0; u < hidden; ++u)
          to.peepholes[g * units + u] = static_cast<A>(p->as<T>()[(d * 3 + g) * hidden + u]);
    }
  }
  return packed;
}

}  // namespace ort_cpu
