#include "ops/pad_border.h"

#include <cstring>

#include "ops/transpose_copy.h"
#include "simd/transpose.h"

namespace ort_cpu {

PadMode parse_pad_mode(const std::string& name) {
  if (name == "constant") return PadMode::constant;
  if (name == "reflect") return PadMode::reflect;
  if (name == "edge") return PadMode::edge;
  if (name == "wrap") return PadMode::wrap;
  throw_invalid("the mode '", name, "' is unknown; it must be constant, reflect, edge or wrap");
}

PaddedCopy::PaddedCopy(PadMode mode, const Shape& shape, const std::vector<int64_t>& begins,
                       const std::vector<int64_t>& ends)
    : mode_(mode), out_(shape) {
  std::array<Axis, kMaxRank> axes{};
  int last_padded = -1;
  for (int i = 0; i < shape.rank(); ++i) {
    Axis& axis = axes[i];
    const __int128 size = shape[i], removed = std::min<__int128>(begins[i], 0) + std::min<__int128>(ends[i], 0);
    require(size + removed >= 0, "axis ", i, " of ", shape[i], " cannot lose ", begins[i], " and ", ends[i],
            " elements");
    axis = {std::max<int64_t>(begins[i], 0), std::max<int64_t>(ends[i], 0), begins[i] < 0 ? -begins[i] : 0,
            static_cast<int64_t>(size + removed), 0};
    const __int128 padded = static_cast<__int128>(axis.begin) + axis.kept + axis.end;
    require(padded <= INT64_MAX, "axis ", i, " of ", shape[i], " would get too large");
    out_[i] = axis.out();
    require(mode == PadMode::constant || axis.kept > 0 || axis.begin + axis.end == 0, "axis ", i,
            " is empty, it can only be padded with a constant");
    if (begins[i] != 0 || ends[i] != 0) last_padded = i;
  }
  is_identity_ = last_padded < 0;
  if (is_identity_ || out_.size() == 0) {
    rows_ = 0;
    return;
  }
  unit_ = shape.size_from(last_padded + 1);
  int64_t stride = shape.size() == 0 ? 0 : 1;
  for (int i = last_padded; i >= 0; --i) {
    axes[i].stride = stride;
    stride *= shape[i];
  }
  inner_ = axes[last_padded];
  const auto is_plain = [&](int i) { return begins[i] == 0 && ends[i] == 0; };
  for (int i = 0; i < last_padded; ++i) {
    rows_ *= out_[i];
    if (i > 0 && is_plain(i) && is_plain(i - 1)) {
      Axis& merged = outer_[n_outer_ - 1];
      merged = {0, 0, 0, merged.kept * axes[i].kept, axes[i].stride};
    } else {
      outer_[n_outer_++] = axes[i];
    }
  }
  if (mode != PadMode::constant) {
    for (int64_t i = 0; i < inner_.begin; ++i) border_.push_back(source_of(inner_, i) - inner_.first);
    for (int64_t i = inner_.begin + inner_.kept; i < inner_.out(); ++i)
      border_.push_back(source_of(inner_, i) - inner_.first);
  }
}

int64_t PaddedCopy::source_of(const Axis& axis, int64_t position) const {
  const int64_t n = axis.kept;
  int64_t i = position - axis.begin;
  if (i >= 0 && i < n) return axis.first + i;
  switch (mode_) {
    case PadMode::constant: return -1;
    case PadMode::edge: i = i < 0 ? 0 : n - 1; break;
    case PadMode::wrap: i = (i % n + n) % n; break;
    case PadMode::reflect: {
      const int64_t period = std::max<int64_t>(1, 2 * (n - 1));
      i = (i % period + period) % period;
      if (i >= n) i = period - i;
      break;
    }
  }
  return axis.first + i;
}

/// Where the source of an output row starts, in units; -1 for rows that are padding.
int64_t PaddedCopy::row_of(int64_t row) const {
  int64_t at = 0;
  for (int i = n_outer_ - 1; i >= 0; --i) {
    const int64_t source = source_of(outer_[i], row % outer_[i].out());
    if (source < 0) return -1;
    at += source * outer_[i].stride;
    row /= outer_[i].out();
  }
  return at;
}

/// How many rows from this one on follow each other in the source as they do in the output; 0 if this one is no such
/// row.
int64_t PaddedCopy::plain_rows_from(int64_t row) const {
  const Axis& axis = outer_[n_outer_ - 1];
  const int64_t position = row % axis.out() - axis.begin;
  return position >= 0 && position < axis.kept ? axis.kept - position : 0;
}

template <class T>
void PaddedCopy::write_borders(const T* row, T value, T* to) const {
  T* const after = to + (inner_.begin + inner_.kept) * unit_;
  if (mode_ == PadMode::constant) {
    std::fill_n(to, inner_.begin * unit_, value);
    std::fill_n(after, inner_.end * unit_, value);
  } else if (unit_ == 1) {
    const int64_t* border = border_.data();
    for (int64_t i = 0; i < inner_.begin; ++i) to[i] = row[*border++];
    for (int64_t i = 0; i < inner_.end; ++i) after[i] = row[*border++];
  } else {
    const int64_t* border = border_.data();
    for (int64_t i = 0; i < inner_.begin; ++i) std::copy_n(row + *border++ * unit_, unit_, to + i * unit_);
    for (int64_t i = 0; i < inner_.end; ++i) std::copy_n(row + *border++ * unit_, unit_, after + i * unit_);
  }
}

template <class T>
void PaddedCopy::write_rows(const T* x, T value, T* y, int64_t begin, int64_t end) const {
  const int64_t row_size = inner_.out() * unit_, kept = inner_.kept * unit_;
  const int64_t source_size = outer_[n_outer_ - 1].stride * unit_;
  for (int64_t i = begin; i < end;) {
    T* to = y + i * row_size;
    const int64_t source = row_of(i);
    if (source < 0) {
      std::fill_n(to, row_size, value);
      ++i;
      continue;
    }
    const int64_t count = std::clamp<int64_t>(plain_rows_from(i), 1, end - i);
    const T* row = x + (source + inner_.first) * unit_;
    if (kept > 0)
      simd::movement_table().copy_rows(row, source_size * static_cast<int64_t>(sizeof(T)), to + inner_.begin * unit_,
                                       row_size * static_cast<int64_t>(sizeof(T)), count,
                                       static_cast<size_t>(kept) * sizeof(T));
    for (int64_t r = 0; r < count; ++r) write_borders(row + r * source_size, value, to + r * row_size);
    i += count;
  }
}

void PaddedCopy::run(const RunContext& ctx, const Tensor& x, const void* value, const Tensor& y) const {
  if (rows_ == 0) return;
  dispatch_size(x.dtype, [&]<class T>() {
    T fill{};
    if (value != nullptr) std::memcpy(&fill, value, sizeof(T));
    if (n_outer_ == 0) {
      copy_bytes(ctx, x.as<const T>() + inner_.first * unit_, y.as<T>() + inner_.begin * unit_,
                 static_cast<size_t>(inner_.kept * unit_) * sizeof(T));
      write_borders(x.as<const T>() + inner_.first * unit_, fill, y.as<T>());
      return;
    }
    const int64_t row_bytes = inner_.out() * unit_ * static_cast<int64_t>(sizeof(T));
    ctx.parallel_for(rows_, kCopyGrainBytes / row_bytes + 1,
                     [&](int64_t begin, int64_t end) { write_rows<T>(x.as<const T>(), fill, y.as<T>(), begin, end); });
  });
}

}  // namespace ort_cpu
