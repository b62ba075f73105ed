// `PaddedCopy`: a tensor copied into a larger or smaller one, with what lies outside computed as Pad defines it.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "engine/kernel.h"

namespace ort_cpu {

enum class PadMode { constant, reflect, edge, wrap };

PadMode parse_pad_mode(const std::string& name);

/// Made once per shape. Axes that are not padded are merged with their neighbours; what follows the last padded axis is
/// a unit that is copied whole, and a row is what lies along the last padded axis.
class PaddedCopy {
 public:
  /// `begins` and `ends` hold one number per axis of `shape`: elements added, or removed if negative.
  PaddedCopy(PadMode mode, const Shape& shape, const std::vector<int64_t>& begins, const std::vector<int64_t>& ends);

  const Shape& out() const { return out_; }
  /// Whether the output has the input's shape and values.
  bool is_identity() const { return is_identity_; }
  /// `value` has the bits of one element for constant padding, or is null for zeros.
  void run(const RunContext& ctx, const Tensor& x, const void* value, const Tensor& y) const;

 private:
  struct Axis {
    int64_t begin = 0;  // padding before
    int64_t end = 0;    // padding after
    int64_t first = 0;  // of the source's positions that are kept
    int64_t kept = 1;
    int64_t stride = 0;  // of the source, in units
    int64_t out() const { return begin + kept + end; }
  };

  int64_t source_of(const Axis& axis, int64_t position) const;
  int64_t row_of(int64_t row) const;
  int64_t plain_rows_from(int64_t row) const;
  template <class T>
  void write_rows(const T* x, T value, T* y, int64_t begin, int64_t end) const;
  template <class T>
  void write_borders(const T* row, T value, T* to) const;

  PadMode mode_;
  Shape out_;
  bool is_identity_ = true;
  int64_t unit_ = 1;  // elements
  int64_t rows_ = 1;
  int n_outer_ = 0;
  std::array<Axis, kMaxRank> outer_{};
  Axis inner_;
  std::vector<int64_t> border_;  // of a row that continues its source: where each unit of padding comes from, in units
};

}  // namespace ort_cpu
