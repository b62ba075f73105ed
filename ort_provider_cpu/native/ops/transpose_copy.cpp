#include "ops/transpose_copy.h"

#include <cstdlib>
#include <cstring>

#include "simd/transpose.h"

namespace ort_cpu {

namespace {

/// dst[i] = src[i] with strides in bytes; the strides that occur most are constants, for the compiler to vectorize.
template <class T>
void copy_strided(const char* src, int64_t src_stride, char* dst, int64_t dst_stride, int64_t count) {
  constexpr int64_t kSize = sizeof(T);
  const T* in = reinterpret_cast<const T*>(src);
  T* __restrict out = reinterpret_cast<T*>(dst);
  if (dst_stride == kSize && src_stride == 0) {
    std::fill_n(out, count, *in);
  } else if (dst_stride == kSize && src_stride == -kSize) {
    for (int64_t i = 0; i < count; ++i) out[i] = in[-i];
  } else if (dst_stride == kSize && src_stride == 2 * kSize) {
    for (int64_t i = 0; i < count; ++i) out[i] = in[2 * i];
  } else {
    for (int64_t i = 0; i < count; ++i)
      *reinterpret_cast<T*>(dst + i * dst_stride) = *reinterpret_cast<const T*>(src + i * src_stride);
  }
}

void copy_strided(size_t size, const char* src, int64_t src_stride, char* dst, int64_t dst_stride, int64_t count) {
  switch (size) {
    case 1: return copy_strided<uint8_t>(src, src_stride, dst, dst_stride, count);
    case 2: return copy_strided<uint16_t>(src, src_stride, dst, dst_stride, count);
    case 4: return copy_strided<uint32_t>(src, src_stride, dst, dst_stride, count);
    case 8: return copy_strided<uint64_t>(src, src_stride, dst, dst_stride, count);
    default: return simd::movement_table().copy_rows(src, src_stride, dst, dst_stride, count, size);
  }
}

constexpr bool is_element(size_t bytes) { return bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8 || bytes == 16; }

}  // namespace

StridedCopy::StridedCopy(size_t element_bytes, std::span<const int64_t> dims, std::span<const int64_t> src_strides,
                         std::span<const int64_t> dst_strides)
    : run_bytes_(element_bytes) {
  if (dims.size() > kMaxDims) throw_not_implemented("a copy of ", dims.size(), " dimensions is not supported");
  const int64_t bytes = static_cast<int64_t>(element_bytes);
  for (size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] == 0) return;
    if (dims[i] != 1) add_merged({dims[i], src_strides[i] * bytes, dst_strides[i] * bytes});
  }
  choose_kernel();
  for (int i = 0; i < rank_; ++i) units_ *= dims_[i].size;
}

void StridedCopy::add_merged(Dim dim) {
  if (rank_ > 0) {
    Dim& last = dims_[rank_ - 1];
    if (last.src_stride == dim.size * dim.src_stride && last.dst_stride == dim.size * dim.dst_stride) {
      last = {last.size * dim.size, dim.src_stride, dim.dst_stride};
      return;
    }
  }
  dims_[rank_++] = dim;
}

StridedCopy::Dim StridedCopy::take(int i) {
  const Dim taken = dims_[i];
  std::copy(dims_.begin() + i + 1, dims_.begin() + rank_, dims_.begin() + i);
  --rank_;
  return taken;
}

void StridedCopy::choose_kernel() {
  const auto contiguous_in = [&](int64_t Dim::* stride) {
    for (int i = rank_ - 1; i >= 0; --i)
      if (dims_[i].*stride == static_cast<int64_t>(run_bytes_)) return i;
    return -1;
  };
  if (rank_ > 0 && contiguous_in(&Dim::src_stride) == rank_ - 1 && contiguous_in(&Dim::dst_stride) == rank_ - 1)
    run_bytes_ *= take(rank_ - 1).size;
  kind_ = Kind::runs;
  if (rank_ == 0) return;
  if (!is_element(run_bytes_)) {
    inner_ = take(rank_ - 1);
    return;
  }
  const int source = contiguous_in(&Dim::src_stride), destination = contiguous_in(&Dim::dst_stride);
  if (source >= 0 && destination >= 0 && source != destination) {
    kind_ = Kind::transpose;
    const Dim columns = dims_[source];
    rows_ = dims_[destination];
    take(std::max(source, destination));
    take(std::min(source, destination));
    inner_ = columns;
    return;
  }
  kind_ = Kind::strided;
  inner_ = take(destination >= 0 ? destination : rank_ - 1);
}

void StridedCopy::run_unit(const char* src, char* dst) const {
  switch (kind_) {
    case Kind::empty: return;
    case Kind::runs:
      simd::movement_table().copy_rows(src, inner_.src_stride, dst, inner_.dst_stride, inner_.size, run_bytes_);
      return;
    case Kind::transpose:
      simd::movement_table().transpose[std::countr_zero(run_bytes_)](src, rows_.src_stride, dst, inner_.dst_stride,
                                                                     rows_.size, inner_.size);
      return;
    case Kind::strided: copy_strided(run_bytes_, src, inner_.src_stride, dst, inner_.dst_stride, inner_.size); return;
  }
}

void StridedCopy::run_units(const char* src, char* dst, int64_t begin, int64_t end) const {
  std::array<int64_t, kMaxDims> at{};
  int64_t rest = begin;
  for (int i = rank_ - 1; i >= 0; --i) {
    at[i] = rest % dims_[i].size;
    rest /= dims_[i].size;
    src += at[i] * dims_[i].src_stride;
    dst += at[i] * dims_[i].dst_stride;
  }
  for (int64_t unit = begin;;) {
    run_unit(src, dst);
    if (++unit == end) return;
    for (int i = rank_ - 1;; --i) {
      src += dims_[i].src_stride;
      dst += dims_[i].dst_stride;
      if (++at[i] < dims_[i].size) break;
      src -= at[i] * dims_[i].src_stride;
      dst -= at[i] * dims_[i].dst_stride;
      at[i] = 0;
    }
  }
}

void StridedCopy::run(const RunContext& ctx, const void* from, void* to) const {
  if (kind_ == Kind::empty) return;
  const char* src = static_cast<const char*>(from);
  char* dst = static_cast<char*>(to);
  const int64_t bytes = static_cast<int64_t>(run_bytes_) * inner_.size * rows_.size;
  if (units_ * bytes < 2 * kCopyGrainBytes || ctx.threads() == 1) return run_units(src, dst, 0, units_);
  if (units_ >= 4 * ctx.threads()) {
    ctx.parallel_for(units_, std::max<int64_t>(1, kCopyGrainBytes / bytes),
                     [&](int64_t begin, int64_t end) { run_units(src, dst, begin, end); });
    return;
  }
  // Few large units: each is divided among the threads.
  const bool whole_runs = kind_ == Kind::runs && inner_.size < 4 * ctx.threads();
  const auto part = [&](int64_t begin, int64_t end) {
    StridedCopy piece = *this;
    piece.inner_.size = end - begin;
    piece.run_units(src + begin * inner_.src_stride, dst + begin * inner_.dst_stride, 0, units_);
  };
  const auto part_of_runs = [&](int64_t begin, int64_t end) {
    StridedCopy piece = *this;
    piece.run_bytes_ = static_cast<size_t>(end - begin);
    piece.run_units(src + begin, dst + begin, 0, units_);
  };
  if (whole_runs) ctx.parallel_for(static_cast<int64_t>(run_bytes_), 4096, part_of_runs);
  else ctx.parallel_for(inner_.size, kind_ == Kind::transpose ? 64 : 1, part);
}

StridedCopy permutation(size_t element_bytes, const Shape& shape, std::span<const int> axes) {
  if (shape.size() == 0) return {};
  const auto strides = strides_of(shape);
  Shape out = shape;
  std::array<int64_t, kMaxRank> from{};
  for (size_t i = 0; i < axes.size(); ++i) {
    out[static_cast<int>(i)] = shape[axes[i]];
    from[i] = strides[axes[i]];
  }
  const auto to = strides_of(out);
  return {element_bytes, out.dims(), std::span(from).first(axes.size()), std::span(to).first(axes.size())};
}

void copy_bytes(const RunContext& ctx, const void* src, void* dst, size_t bytes) {
  ctx.parallel_for(static_cast<int64_t>(bytes), kCopyGrainBytes, [&](int64_t begin, int64_t end) {
    std::memcpy(static_cast<char*>(dst) + begin, static_cast<const char*>(src) + begin,
                static_cast<size_t>(end - begin));
  });
}

}  // namespace ort_cpu
