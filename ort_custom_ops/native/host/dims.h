// The dimensions of a tensor, without an allocation for usual ranks.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>

namespace ort_ops {

class Dims {
 public:
  Dims() = default;
  explicit Dims(std::span<const int64_t> dims) { assign(dims); }
  Dims(const Dims& other) { assign(other.span()); }
  Dims& operator=(const Dims& other) {
    if (this != &other) assign(other.span());
    return *this;
  }

  void assign(std::span<const int64_t> dims) { std::copy(dims.begin(), dims.end(), reserve(dims.size())); }
  /// Room for `rank` dimensions, of which every one is to be written.
  int64_t* reserve(size_t rank) {
    if (rank > kInline && rank > capacity_) {
      many_ = std::make_unique<int64_t[]>(rank);
      capacity_ = rank;
    }
    rank_ = rank;
    return data();
  }

  size_t rank() const { return rank_; }
  int64_t* data() { return rank_ > kInline ? many_.get() : few_; }
  const int64_t* data() const { return rank_ > kInline ? many_.get() : few_; }
  std::span<const int64_t> span() const { return {data(), rank_}; }
  bool operator==(const Dims& other) const { return std::ranges::equal(span(), other.span()); }

 private:
  static constexpr size_t kInline = 6;
  int64_t few_[kInline];
  std::unique_ptr<int64_t[]> many_;
  size_t rank_ = 0, capacity_ = 0;
};

}  // namespace ort_ops
