// What If, Loop and Scan share: bodies as programs, and values that pass from one iteration to the next.
#pragma once

#include <cstring>
#include <vector>

#include "engine/program.h"
#include "engine/registry.h"

namespace ort_cpu {

/// The number of inputs at the end that are not the operator's own but values that its bodies use from around it.
inline int captures_of(const NodeSpec& node) {
  const int64_t n = node.attributes.integer("n_captures", 0);
  require(n >= 0 && n <= node.n_inputs(), "n_captures is ", n, " of ", node.n_inputs(), " inputs");
  return static_cast<int>(n);
}

/// The single element of a boolean tensor. Raises InvalidArgument unless it has just one.
inline bool condition_of(const Tensor& tensor) {
  require(tensor.dtype == DType::boolean, "the condition is ", name_of(tensor.dtype), ", expected bool");
  require(tensor.size() == 1, "the condition has shape ", tensor.shape, ", expected one element");
  return *tensor.as<bool>();
}

/// Ends a run that was terminated: bodies without nodes do not notice.
inline void check_cancelled(const RunContext& ctx) {
  if (ctx.cancelled()) throw Error(ErrorKind::fail, "the run was terminated");
}

/// Makes a copy of `source` output `i`.
inline void copy_to_output(RunContext& ctx, int i, const Tensor& source) {
  const Tensor& target = ctx.allocate(i, source.dtype, source.shape);
  if (const size_t bytes = source.size_bytes(); bytes > 0) std::memcpy(target.data, source.data, bytes);
}

/// The slices of one output of a body, to be stacked along a new axis.
class StackedOutput {
 public:
  StackedOutput(const SlotType& declared, int64_t axis, bool reversed)
      : declared_(declared), axis_(axis), reversed_(reversed) {}

  /// Adds the next slice. Raises InvalidArgument if its shape is not that of the slices before.
  void add(Result slice) {
    if (!slices_.empty())
      require(slice.tensor.shape == slices_.front().tensor.shape, "a scan output has shape ", slice.tensor.shape,
              " in iteration ", slices_.size(), ", before it had ", slices_.front().tensor.shape);
    slices_.push_back(std::move(slice));
  }

  /// Writes output `i`; without slices its unknown dimensions are 0.
  void write(RunContext& ctx, int i) const {
    Shape shape = slices_.empty() ? empty_slice() : slices_.front().tensor.shape;
    const DType dtype = slices_.empty() ? declared_.dtype : slices_.front().tensor.dtype;
    const int axis = normalize_axis(axis_, shape.rank() + 1);
    const int64_t outer = shape.size_to(axis);
    const size_t inner = static_cast<size_t>(shape.size_from(axis)) * size_of(dtype);
    const size_t n = slices_.size();
    shape.insert(axis, static_cast<int64_t>(n));
    auto* target = static_cast<std::byte*>(ctx.allocate(i, dtype, shape).data);
    if (inner == 0) return;
    for (size_t k = 0; k < n; ++k) {
      const auto* source = static_cast<const std::byte*>(slices_[k].tensor.data);
      const size_t position = reversed_ ? n - 1 - k : k;
      for (int64_t o = 0; o < outer; ++o)
        std::memcpy(target + (static_cast<size_t>(o) * n + position) * inner, source + static_cast<size_t>(o) * inner,
                    inner);
    }
  }

 private:
  Shape empty_slice() const {
    Shape shape = declared_.has_shape ? declared_.shape : Shape{};
    for (int axis = 0; axis < shape.rank(); ++axis) shape[axis] = std::max<int64_t>(shape[axis], 0);
    return shape;
  }
  const SlotType& declared_;
  int64_t axis_;
  bool reversed_;
  std::vector<Result> slices_;
};

}  // namespace ort_cpu
