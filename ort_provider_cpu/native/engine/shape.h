// Shapes with checked arithmetic, and the rules of broadcasting and negative axes.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <ostream>
#include <span>
#include <string>

#include "engine/error.h"

namespace ort_cpu {

inline constexpr int kMaxRank = 8;

/// Dimensions of a tensor, at most `kMaxRank`; a dimension of -1 is unknown (only in what a model declares).
class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<int64_t> dims) : Shape(std::span<const int64_t>(dims.begin(), dims.size())) {}
  explicit Shape(std::span<const int64_t> dims) {
    if (dims.size() > kMaxRank) [[unlikely]]
      throw_not_implemented("tensors of rank ", dims.size(), " are not supported, at most ", kMaxRank);
    rank_ = static_cast<int>(dims.size());
    std::copy(dims.begin(), dims.end(), dims_.begin());
  }
  /// `rank` dimensions of `value`.
  static Shape filled(int rank, int64_t value) {
    Shape shape;
    shape.resize(rank, value);
    return shape;
  }

  int rank() const { return rank_; }
  int64_t operator[](int axis) const { return dims_[axis]; }
  int64_t& operator[](int axis) { return dims_[axis]; }
  /// The dimension at `axis` counted from the end: `back(0)` is the last.
  int64_t back(int offset = 0) const { return dims_[rank_ - 1 - offset]; }
  const int64_t* begin() const { return dims_.data(); }
  const int64_t* end() const { return dims_.data() + rank_; }
  std::span<const int64_t> dims() const { return {dims_.data(), static_cast<size_t>(rank_)}; }

  void push_back(int64_t dim) { resize(rank_ + 1, dim); }
  void insert(int axis, int64_t dim) {
    push_back(dim);
    std::rotate(dims_.begin() + axis, dims_.begin() + rank_ - 1, dims_.begin() + rank_);
  }
  void erase(int axis) {
    std::copy(dims_.begin() + axis + 1, dims_.begin() + rank_, dims_.begin() + axis);
    --rank_;
  }
  void resize(int rank, int64_t fill = 1) {
    if (rank > kMaxRank) [[unlikely]]
      throw_not_implemented("tensors of rank ", rank, " are not supported, at most ", kMaxRank);
    for (int i = rank_; i < rank; ++i) dims_[i] = fill;
    rank_ = rank;
  }

  /// Product of the dimensions `[first, last)`. Raises InvalidArgument when it overflows.
  int64_t product(int first, int last) const {
    int64_t result = 1;
    bool overflow = false;
    for (int i = first; i < last; ++i) overflow |= __builtin_mul_overflow(result, dims_[i], &result);
    if (overflow) [[unlikely]] {
      for (int i = first; i < last; ++i)
        if (dims_[i] == 0) return 0;
      throw_invalid("the shape ", *this, " has more elements than 64 bits can count");
    }
    return result;
  }
  /// The number of elements.
  int64_t size() const { return product(0, rank_); }
  int64_t size_from(int axis) const { return product(axis, rank_); }
  int64_t size_to(int axis) const { return product(0, axis); }

  bool operator==(const Shape& other) const {
    return rank_ == other.rank_ && std::equal(begin(), end(), other.begin());
  }
  friend std::ostream& operator<<(std::ostream& out, const Shape& shape) {
    out << '[';
    for (int i = 0; i < shape.rank_; ++i) out << (i ? ", " : "") << shape.dims_[i];
    return out << ']';
  }

 private:
  int rank_ = 0;
  std::array<int64_t, kMaxRank> dims_{};
};

/// The axis in [0, rank) that `axis` names. Raises InvalidArgument outside [-rank, rank).
inline int normalize_axis(int64_t axis, int rank) {
  require(axis >= -rank && axis < rank, "axis ", axis, " is out of range for rank ", rank);
  return static_cast<int>(axis < 0 ? axis + rank : axis);
}

/// The shape that `a` and `b` broadcast to. Raises InvalidArgument when they do not.
inline Shape broadcast(const Shape& a, const Shape& b) {
  const int rank = std::max(a.rank(), b.rank());
  Shape out = Shape::filled(rank, 1);
  for (int i = 0; i < rank; ++i) {
    const int64_t x = i < a.rank() ? a.back(i) : 1, y = i < b.rank() ? b.back(i) : 1;
    if (x != y && x != 1 && y != 1) [[unlikely]]
      throw_invalid("shapes ", a, " and ", b, " do not broadcast to each other");
    out[rank - 1 - i] = x == 1 ? y : x;
  }
  return out;
}

/// Row-major strides in elements; they wrap where those of an empty shape overflow.
inline std::array<int64_t, kMaxRank> strides_of(const Shape& shape) {
  std::array<int64_t, kMaxRank> strides{};
  int64_t step = 1;
  for (int i = shape.rank() - 1; i >= 0; --i) {
    strides[i] = step;
    step = static_cast<int64_t>(static_cast<uint64_t>(step) * static_cast<uint64_t>(shape[i]));
  }
  return strides;
}

/// Strides of `shape` seen as `target`: right-aligned, 0 where it is broadcast.
inline std::array<int64_t, kMaxRank> broadcast_strides(const Shape& shape, const Shape& target) {
  const auto own = strides_of(shape);
  std::array<int64_t, kMaxRank> strides{};
  const int offset = target.rank() - shape.rank();
  for (int i = 0; i < shape.rank(); ++i) strides[i + offset] = shape[i] == 1 ? 0 : own[i];
  return strides;
}

}  // namespace ort_cpu
