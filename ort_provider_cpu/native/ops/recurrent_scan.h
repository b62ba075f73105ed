// The loop over time of recurrent layers, for some directions and a range of the batch.
#pragma once

#include <algorithm>
#include <type_traits>

#include "engine/kernel.h"
#include "ops/recurrent_weights.h"
#include "simd/recurrent.h"

namespace ort_cpu {

/// Sizes, and how the work is divided.
struct RecurrentPlan {
  int64_t steps = 0, batch = 0, input = 0, hidden = 0, units = 0, columns = 0;
  int directions = 1;
  bool batch_first = false;
  /// Steps whose input is projected at once.
  int64_t chunk = 1;
  /// Directions and batch are divided into parts that need no synchronisation; 1: everything is one part.
  int parts = 1;
  bool parallel_steps = false, parallel_projection = false, directions_together = true;
  /// Elements of scratch memory: X as floats, and by direction the projected input and one state.
  int64_t x_size = 0, projected_size = 0, state_size = 0;
};

/// One group of 16 units of one row of the batch, in one phase of a time step.
template <class A>
struct CellState {
  const A* recurrent;  // [gates of the phase][16]
  const A* projected;  // [gates][16]
  const A* h_before;
  A* h;        // written by the last phase
  A* c;        // LSTM: read and overwritten
  A* z;        // GRU: kept from the first phase for the second
  A* reset_h;  // GRU: what the second phase multiplies
  const A* recurrent_bias;
  const A* peepholes[3];
  int direction;
};

/// out[m][j] = bias[j] + sum over k of a[m][k] * panel[k][j].
template <class A>
void recurrent_product(A* out, int64_t out_stride, const A* bias, const A* a, int64_t a_stride, int64_t m, int64_t k,
                       const A* panel, int64_t width) {
  if constexpr (std::is_same_v<A, float>) {
    simd::recurrent_table().product(out, out_stride, bias, a, a_stride, m, k, panel,
                                    static_cast<int>(width / kUnitGroup));
  } else {
    for (int64_t row = 0; row < m; ++row) {
      A* to = out + row * out_stride;
      for (int64_t j = 0; j < width; ++j) to[j] = bias != nullptr ? bias[j] : A{0};
      for (int64_t i = 0; i < k; ++i) {
        const A x = a[row * a_stride + i];
        for (int64_t j = 0; j < width; ++j) to[j] += x * panel[i * width + j];
      }
    }
  }
}

/// The memory that a scan works in, by direction. States are [B, units], two of h.
template <class A>
struct RecurrentBuffers {
  const A* x = nullptr;
  A *projected[2] = {}, *h[2][2] = {}, *c[2] = {}, *z[2] = {}, *reset_h[2] = {};
};

template <class T, class Cell>
class RecurrentScan {
 public:
  using A = compute_t<T>;

  /// `lengths` by row of the batch; null: all rows have all steps.
  RecurrentScan(const Cell& cell, const RecurrentLayout& layout, const RunContext& ctx, const RecurrentPlan& plan,
                const RecurrentWeights<A>& weights, const RecurrentBuffers<A>& buffers, const int64_t* lengths)
      : cell_(cell), layout_(layout), ctx_(ctx), plan_(plan), weights_(weights), buffers_(buffers), lengths_(lengths) {}

  /// Directions [d0, d1) and rows [b0, b1) of the batch. Parts that run at once must not overlap.
  void run(int d0, int d1, int64_t b0, int64_t b1, bool reverse_of_first, bool parallel) const {
    Part part{d0, d1, b0, b1, reverse_of_first, parallel, longest(b0, b1)};
    for (int d = d0; d < d1; ++d) read_initial(part, d);
    const int n_phases = static_cast<int>(layout_.phases.size());
    int now = 0;
    for (int64_t first = 0; first < part.steps; first += plan_.chunk) {
      const int64_t last = std::min(first + plan_.chunk, part.steps);
      for_panels(part, parallel && plan_.parallel_projection, plan_.columns / kUnitGroup > 0 ? input_panels() : 0,
                 [&](int d, int64_t p0, int64_t p1) { project(part, d, first, last, p0, p1); });
      for (int64_t step = first; step < last; ++step, now ^= 1)
        for (int phase = 0; phase < n_phases; ++phase)
          for_panels(part, parallel && plan_.parallel_steps, layout_.phases[phase].panels(plan_.units / kUnitGroup),
                     [&](int d, int64_t p0, int64_t p1) { advance(part, d, step, first, last, phase, now, p0, p1); });
    }
    for (int d = d0; d < d1; ++d) write_final(part, d, now);
  }

 private:
  struct Part {
    int d0, d1;
    int64_t b0, b1;
    bool reverse_of_first, parallel;
    int64_t steps;

    int64_t rows() const { return b1 - b0; }
    bool backward(int d) const { return reverse_of_first || d == 1; }
  };
  static constexpr int64_t kRowTile = 24;

  int64_t length(int64_t b) const { return lengths_ != nullptr ? lengths_[b] : plan_.steps; }
  int64_t longest(int64_t b0, int64_t b1) const {
    if (lengths_ == nullptr) return plan_.steps;
    return b0 == b1 ? 0 : *std::max_element(lengths_ + b0, lengths_ + b1);
  }
  int64_t input_panels() const { return (plan_.columns + kPanel - 1) / kPanel; }
  int64_t state_row(int d, int64_t b) const {
    return (plan_.batch_first ? b * plan_.directions + d : d * plan_.batch + b) * plan_.hidden;
  }

  template <class F>
  void for_panels(const Part& part, bool parallel, int64_t panels, const F& function) const {
    const int64_t total = panels * (part.d1 - part.d0);
    const auto range = [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end;) {
        const int64_t d = i / panels, stop = std::min(end, (d + 1) * panels);
        function(part.d0 + static_cast<int>(d), i - d * panels, stop - d * panels);
        i = stop;
      }
    };
    if (parallel) ctx_.parallel_for(total, 1, range);
    else range(0, total);
  }

  void read_initial(const Part& part, int d) const {
    const auto read = [&](int input, A* to) {
      for (int64_t b = part.b0; b < part.b1; ++b) {
        A* row = to + b * plan_.units;
        std::fill_n(row, plan_.units, A{0});
        if (!ctx_.has_input(input)) continue;
        const T* from = ctx_.input(input).template as<T>() + state_row(d, b);
        for (int64_t u = 0; u < plan_.hidden; ++u) row[u] = static_cast<A>(from[u]);
      }
    };
    read(5, buffers_.h[d][0]);
    if (Cell::kHasCellState) read(6, buffers_.c[d]);
  }

  void write_final(const Part& part, int d, int now) const {
    const auto write = [&](int output, const A* from) {
      if (!ctx_.wants(output)) return;
      T* to = ctx_.output(output).template as<T>();
      for (int64_t b = part.b0; b < part.b1; ++b)
        for (int64_t u = 0; u < plan_.hidden; ++u) to[state_row(d, b) + u] = T(from[b * plan_.units + u]);
    };
    write(1, buffers_.h[d][now]);
    if (Cell::kHasCellState) write(2, buffers_.c[d]);
  }

  /// The projected input of row `b` at time `t`, within the chunk of steps [first, last).
  A* projected(const Part& part, int d, int64_t t, int64_t b, int64_t first, int64_t last) const {
    const int64_t base = part.backward(d) ? length(b) - last : first;
    return buffers_.projected[d] + ((t - base) * plan_.batch + b) * plan_.columns;
  }

  void project(const Part& part, int d, int64_t first, int64_t last, int64_t p0, int64_t p1) const {
    const int64_t step_t = plan_.batch_first ? plan_.input : plan_.batch * plan_.input;
    const int64_t step_b = plan_.batch_first ? plan_.steps * plan_.input : plan_.input;
    const auto times = [&](int64_t b) {
      const int64_t n = length(b);
      return part.backward(d) ? std::pair{std::max<int64_t>(0, n - last), std::max<int64_t>(0, n - first)}
                              : std::pair{std::min(first, n), std::min(last, n)};
    };
    const auto& weights = weights_[d];
    for (int64_t p = p0; p < p1; ++p) {
      const auto multiply = [&](int64_t t, int64_t b, int64_t x_stride, int64_t out_stride, int64_t m) {
        recurrent_product<A>(projected(part, d, t, b, first, last) + p * kPanel, out_stride,
                             weights.bias.data() + p * kPanel, buffers_.x + t * step_t + b * step_b, x_stride, m,
                             plan_.input, weights.input.panel(p), weights.input.width(p));
      };
      const int64_t out_b = plan_.columns, out_t = plan_.batch * plan_.columns;
      if (lengths_ == nullptr) {
        const auto [t0, t1] = times(0);
        if (!plan_.batch_first && part.rows() == plan_.batch) {
          multiply(t0, 0, step_b, out_b, (t1 - t0) * plan_.batch);
          continue;
        }
        if (t1 - t0 < part.rows()) {
          for (int64_t t = t0; t < t1; ++t) multiply(t, part.b0, step_b, out_b, part.rows());
          continue;
        }
      }
      for (int64_t b = part.b0; b < part.b1; ++b) {
        const auto [t0, t1] = times(b);
        if (t0 < t1) multiply(t0, b, step_t, out_t, t1 - t0);
      }
    }
  }

  void advance(const Part& part, int d, int64_t step, int64_t first, int64_t last, int phase, int now, int64_t p0,
               int64_t p1) const {
    const RecurrentPhase& shape = layout_.phases[phase];
    const bool is_last = phase + 1 == static_cast<int>(layout_.phases.size());
    const auto& weights = weights_[d];
    const PackedPanels<A>& panels = weights.recurrent[phase];
    const A* before = buffers_.h[d][now];
    A* after = buffers_.h[d][now ^ 1];
    const A* multiplied = phase == 0 ? before : buffers_.reset_h[d];
    alignas(64) A products[kRowTile * kPanel];
    for (int64_t i = p0; i < p1; ++i) {
      // Back and forth: what one step used last is still in the cache when the next begins with it.
      const int64_t p = step % 2 == 0 ? i : p0 + p1 - 1 - i;
      const int64_t width = panels.width(p), first_group = p * shape.groups_per_panel;
      const int64_t n_groups = width / (shape.n_gates() * kUnitGroup);
      for (int64_t tile = part.b0; tile < part.b1; tile += kRowTile) {
        const int64_t rows = std::min(kRowTile, part.b1 - tile);
        recurrent_product<A>(products, kPanel, nullptr, multiplied + tile * plan_.units, plan_.units, rows,
                             plan_.hidden, panels.panel(p), width);
        for (int64_t b = tile; b < tile + rows; ++b) {
          const int64_t at = b * plan_.units + first_group * kUnitGroup, count = n_groups * kUnitGroup;
          if (step >= length(b)) {
            if (is_last) std::copy_n(before + at, count, after + at);
            continue;
          }
          const int64_t t = part.backward(d) ? length(b) - 1 - step : step;
          const A* share = projected(part, d, t, b, first, last);
          for (int64_t g = 0; g < n_groups; ++g) {
            const int64_t unit = (first_group + g) * kUnitGroup, place = b * plan_.units + unit;
            const A* peepholes = weights.peepholes.empty() ? nullptr : weights.peepholes.data() + unit;
            cell_.step(phase, CellState<A>{products + (b - tile) * kPanel + g * shape.n_gates() * kUnitGroup,
                                           share + unit * layout_.gates,
                                           before + place,
                                           after + place,
                                           buffers_.c[d] + place,
                                           buffers_.z[d] + place,
                                           buffers_.reset_h[d] + place,
                                           weights.recurrent_bias.data() + unit,
                                           {peepholes, peepholes == nullptr ? nullptr : peepholes + plan_.units,
                                            peepholes == nullptr ? nullptr : peepholes + 2 * plan_.units},
                                           d});
          }
          if (is_last && ctx_.wants(0)) write_output(d, t, b, first_group * kUnitGroup, count, after + at);
        }
      }
    }
  }

  void write_output(int d, int64_t t, int64_t b, int64_t unit, int64_t count, const A* h) const {
    const int64_t row =
        plan_.batch_first ? (b * plan_.steps + t) * plan_.directions + d : (t * plan_.directions + d) * plan_.batch + b;
    T* y = ctx_.output(0).template as<T>() + row * plan_.hidden + unit;
    count = std::min(count, plan_.hidden - unit);
    for (int64_t i = 0; i < count; ++i) y[i] = T(h[i]);
  }

  const Cell& cell_;
  const RecurrentLayout& layout_;
  const RunContext& ctx_;
  const RecurrentPlan& plan_;
  const RecurrentWeights<A>& weights_;
  const RecurrentBuffers<A>& buffers_;
  const int64_t* lengths_;
};

}  // namespace ort_cpu
