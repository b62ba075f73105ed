// Broadcasting for element-wise operators: the collapsed loop nest over an output, and walking it in pieces.
#pragma once

#include <algorithm>
#include <array>
#include <cstring>
#include <span>

#include "engine/kernel.h"

namespace ort_cpu {

inline constexpr int kMaxOperands = 16;

/// How inputs are laid over an output [dims...]: dimensions of 1 dropped, neighbours merged where all inputs allow it,
/// so that equal shapes become one dimension and a row, a column or channels of a blocked layout two or three.
struct Broadcast {
  Shape shape;       // of the output
  int64_t size = 0;  // of the output
  int rank = 0;      // after collapsing, at least 1
  int n = 0;         // inputs
  std::array<int64_t, kMaxRank> dims{};
  std::array<std::array<int64_t, kMaxRank>, kMaxOperands> strides{};
  /// Elements of a piece when short rows are gathered into contiguous pieces; 0: pieces are rows.
  int64_t block = 0;
  /// With `block`: the input repeats itself each `block` elements, or parts of it, within each `span` of the output.
  std::array<bool, kMaxOperands> periodic{};
  int64_t span = 0;

  int64_t row() const { return dims[rank - 1]; }
  /// Whether the input is laid out as the output is.
  bool is_contiguous(int input) const;
};

/// Raises InvalidArgument if the shapes do not broadcast to each other.
Broadcast make_broadcast(std::span<const Shape> inputs);

/// Tells the engine that the output may take the place of an input of the same size and type.
void allow_overwrite(PlanContext& ctx, const Shape& output, int n_inputs);

/// Where a walk over a broadcast is, and the gathered inputs.
class BroadcastWalk {
 public:
  /// `sizes` are the bytes of an element of each input.
  BroadcastWalk(const Broadcast& broadcast, const void* const* inputs, const size_t* sizes)
      : plan_(broadcast), inputs_(inputs), sizes_(sizes) {}

  /// Calls `f(pointers, steps, at, n)` for pieces of the output that cover [begin, end) in order: `pointers[i]` is
  /// input i's first element of the piece, `steps[i]` is 0 where all of the piece has that element and 1 otherwise.
  template <class F>
  void each(int64_t begin, int64_t end, F&& f) {
    if (plan_.block > 0) {
      blocks(begin, end, f);
    } else {
      rows(begin, end, f);
    }
  }

 private:
  static constexpr int64_t kBufferBytes = 8192;
  friend Broadcast make_broadcast(std::span<const Shape> inputs);

  template <class F>
  void rows(int64_t begin, int64_t end, F& f) {
    const int last = plan_.rank - 1;
    const int64_t row = plan_.row();
    const void* pointers[kMaxOperands];
    int steps[kMaxOperands];
    int64_t offsets[kMaxOperands], index[kMaxRank] = {};
    locate(begin / row, index, offsets);
    for (int i = 0; i < plan_.n; ++i) steps[i] = static_cast<int>(plan_.strides[i][last]);
    for (int64_t at = begin, column = begin % row; at < end; column = 0) {
      const int64_t count = std::min(row - column, end - at);
      for (int i = 0; i < plan_.n; ++i)
        pointers[i] = static_cast<const std::byte*>(inputs_[i]) + (offsets[i] + column * steps[i]) * sizes_[i];
      f(pointers, steps, at, count);
      at += count;
      advance(index, offsets);
    }
  }

  template <class F>
  void blocks(int64_t begin, int64_t end, F& f) {
    const void* pointers[kMaxOperands];
    int steps[kMaxOperands];
    alignas(64) std::byte buffers[kMaxOperands][kBufferBytes];
    bool gathered[kMaxOperands] = {};
    int64_t span_end = begin;
    for (int64_t at = begin; at < end;) {
      if (at == span_end) std::fill_n(gathered, plan_.n, false);
      const int64_t span_begin = at / plan_.span * plan_.span, phase = (at - span_begin) % plan_.block;
      span_end = span_begin + plan_.span;
      const int64_t count = std::min({plan_.block - phase, end - at, span_end - at});
      for (int i = 0; i < plan_.n; ++i) {
        steps[i] = 1;
        if (plan_.is_contiguous(i)) {
          pointers[i] = static_cast<const std::byte*>(inputs_[i]) + at * sizes_[i];
        } else if (plan_.periodic[i]) {
          if (!gathered[i]) gather(i, span_begin, std::min(plan_.block, plan_.span), buffers[i]);
          gathered[i] = true;
          pointers[i] = buffers[i] + phase * sizes_[i];
        } else {
          gather(i, at, count, buffers[i]);
          pointers[i] = buffers[i];
        }
      }
      f(pointers, steps, at, count);
      at += count;
    }
  }

  /// The index of a row, and the offset of each input there.
  void locate(int64_t row, int64_t* index, int64_t* offsets) const {
    for (int i = 0; i < plan_.n; ++i) offsets[i] = 0;
    for (int d = plan_.rank - 2; d >= 0; --d) {
      index[d] = row % plan_.dims[d];
      row /= plan_.dims[d];
      for (int i = 0; i < plan_.n; ++i) offsets[i] += index[d] * plan_.strides[i][d];
    }
  }
  void advance(int64_t* index, int64_t* offsets) const {
    for (int d = plan_.rank - 2; d >= 0; --d) {
      for (int i = 0; i < plan_.n; ++i) offsets[i] += plan_.strides[i][d];
      if (++index[d] < plan_.dims[d]) return;
      for (int i = 0; i < plan_.n; ++i) offsets[i] -= plan_.strides[i][d] * plan_.dims[d];
      index[d] = 0;
    }
  }
  /// Copies `count` elements of an input, as the output from `at` on sees them.
  void gather(int input, int64_t at, int64_t count, std::byte* out) const;

  const Broadcast& plan_;
  const void* const* inputs_;
  const size_t* sizes_;
};

/// The elements that make a chunk of about 10 us, for an operator that takes `ns` for each.
inline int64_t grain_of(double ns) { return static_cast<int64_t>(10000 / ns); }

}  // namespace ort_cpu
