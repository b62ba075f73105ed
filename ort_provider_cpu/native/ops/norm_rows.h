// Rows of tensors of any float type as rows of float or double, with broadcasting.
#pragma once

#include <array>
#include <cstdint>

#include "engine/tensor.h"
#include "ops/reduce_half.h"

namespace ort_cpu {

/// out[i] = the element `offset + i` of a tensor of a float type, i < n.
template <class C>
void load_elements(const Tensor& tensor, int64_t offset, int64_t n, C* out) {
  dispatch_float(tensor.dtype, [&]<class T>() { load_row(tensor.as<T>() + offset, n, out); });
}

/// The inverse of `load_elements`.
template <class C>
void store_elements(const Tensor& tensor, int64_t offset, int64_t n, const C* values) {
  dispatch_float(tensor.dtype, [&]<class T>() { store_row(tensor.as<T>() + offset, n, values); });
}

template <class C>
inline constexpr DType kDTypeOf = DTypeOf<C>::value;

/// How an operand broadcasts to rows: those that the axes from `axis` on of a shape form.
struct BroadcastRows {
  Shape shape;
  int axis = 0;
  std::array<int64_t, kMaxRank> strides{};
  /// Whether all rows are the same, and whether each lies in memory as it is.
  bool shared = true, contiguous = true;

  BroadcastRows() = default;
  /// Raises InvalidArgument unless `operand` broadcasts to `target`.
  BroadcastRows(const char* name, const Shape& operand, const Shape& target, int axis)
      : shape(target), axis(axis), strides(broadcast_strides_of(name, operand, target)) {
    const auto dense = strides_of(target);
    for (int i = 0; i < target.rank(); ++i) {
      if (target[i] == 1) continue;
      if (i < axis) shared &= strides[i] == 0;
      else contiguous &= strides[i] == dense[i];
    }
  }

  /// Where row `row` begins.
  int64_t offset(int64_t row) const {
    int64_t offset = 0;
    for (int i = axis - 1; i >= 0; --i) {
      offset += row % shape[i] * strides[i];
      row /= shape[i];
    }
    return offset;
  }
  /// Where element `i` of a row lies in it.
  int64_t offset_in_row(int64_t i) const {
    int64_t offset = 0;
    for (int d = shape.rank() - 1; d >= axis; --d) {
      offset += i % shape[d] * strides[d];
      i /= shape[d];
    }
    return offset;
  }

 private:
  static std::array<int64_t, kMaxRank> broadcast_strides_of(const char* name, const Shape& operand,
                                                            const Shape& target) {
    require(operand.rank() <= target.rank() && broadcast(operand, target) == target, "the shape ", operand, " of ",
            name, " does not broadcast to ", target);
    return broadcast_strides(operand, target);
  }
};

/// The rows of one operand, each in memory or copied to a buffer of `n` elements. An absent operand has null rows.
template <class C>
class RowReader {
 public:
  RowReader(const Tensor* tensor, const BroadcastRows& how, int64_t n, C* buffer)
      : tensor_(tensor), how_(how), n_(n), buffer_(buffer) {}

  const C* row(int64_t i) {
    if (tensor_ == nullptr || (how_.shared && row_ != nullptr)) return row_;
    const int64_t offset = how_.offset(i);
    if (how_.contiguous && tensor_->dtype == kDTypeOf<C>) return row_ = tensor_->as<C>() + offset;
    if (how_.contiguous) load_elements(*tensor_, offset, n_, buffer_);
    else
      for (int64_t k = 0; k < n_; ++k) load_elements(*tensor_, offset + how_.offset_in_row(k), 1, buffer_ + k);
    return row_ = buffer_;
  }

 private:
  const Tensor* tensor_;
  const BroadcastRows& how_;
  int64_t n_;
  C* buffer_;
  const C* row_ = nullptr;
};

}  // namespace ort_cpu
