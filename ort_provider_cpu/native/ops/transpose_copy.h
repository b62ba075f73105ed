// `StridedCopy`: an N-dimensional copy between two strided arrays; `copy_bytes`: a long copy by several threads.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "engine/kernel.h"

namespace ort_cpu {

/// dst[i, j, ...] = src[i, j, ...] with any strides: a source stride may be 0 or negative.
///
/// Made once per shape: dimensions that lie one after another in both arrays are merged, and the innermost ones become
/// runs, a transpose, or a strided walk. The destination's elements must not overlap, nor the two arrays.
class StridedCopy {
 public:
  static constexpr int kMaxDims = 16;

  /// Copies nothing.
  StridedCopy() = default;
  /// Strides count elements of `element_bytes`.
  StridedCopy(size_t element_bytes, std::span<const int64_t> dims, std::span<const int64_t> src_strides,
              std::span<const int64_t> dst_strides);

  /// Copies, in parallel if that pays.
  void run(const RunContext& ctx, const void* src, void* dst) const;
  /// Whether both arrays are one contiguous run.
  bool is_contiguous() const { return kind_ == Kind::runs && rank_ == 0 && inner_.size == 1; }

 private:
  struct Dim {
    int64_t size, src_stride, dst_stride;  // strides in bytes
  };
  enum class Kind { empty, runs, transpose, strided };

  void add_merged(Dim dim);
  void choose_kernel();
  Dim take(int i);
  void run_units(const char* src, char* dst, int64_t begin, int64_t end) const;
  void run_unit(const char* src, char* dst) const;

  Kind kind_ = Kind::empty;
  int rank_ = 0;  // of the dimensions around the kernel
  std::array<Dim, kMaxDims> dims_{};
  size_t run_bytes_ = 0;  // what is contiguous in both arrays
  Dim inner_{1, 0, 0};    // runs, strided: along it; transpose: the source's contiguous dimension
  Dim rows_{1, 0, 0};     // transpose: the destination's contiguous dimension
  int64_t units_ = 1;     // product of the dimensions around the kernel
};

/// The copy of a tensor of that shape to one whose axis i is the source's `axes[i]`.
StridedCopy permutation(size_t element_bytes, const Shape& shape, std::span<const int> axes);

/// A memcpy, in parallel if that pays.
void copy_bytes(const RunContext& ctx, const void* src, void* dst, size_t bytes);

/// Bytes that a thread should copy at least for a second one to be worth waking.
inline constexpr int64_t kCopyGrainBytes = 128 << 10;

}  // namespace ort_cpu
