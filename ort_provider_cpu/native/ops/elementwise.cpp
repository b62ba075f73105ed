#include "ops/elementwise.h"

#include <complex>

namespace ort_cpu {
namespace {

/// Rows shorter than this are gathered.
constexpr int64_t kShortRow = 64;
/// Elements of a gathered piece, before it is rounded to whole rows.
constexpr int64_t kBlock = 512;

/// Spans shorter than this are not worth a gathered piece of their own.
constexpr int64_t kShortSpan = 256;

/// How input `i` repeats itself: every `period` elements, over `span` elements or all of them.
struct Repetition {
  int64_t period = 1, span = 1;
};
Repetition repetition_of(const Broadcast& b, int i) {
  Repetition repetition;
  int d = b.rank - 1;
  for (; d >= 0 && b.strides[i][d] == repetition.period; --d) repetition.period *= b.dims[d];
  repetition.span = repetition.period;
  for (; d >= 0 && b.strides[i][d] == 0; --d) repetition.span *= b.dims[d];
  return repetition;
}

void choose_block(Broadcast& b) {
  if (b.size == 0 || b.rank < 2 || b.row() >= kShortRow) return;
  int64_t unit = b.row();
  b.span = b.size;
  for (int i = 0; i < b.n; ++i) {
    const Repetition repetition = repetition_of(b, i);
    if (repetition.period > kBlock || repetition.span == repetition.period) continue;
    if (repetition.span < std::min(kShortSpan, b.size)) continue;
    b.periodic[i] = true;
    b.span = std::min(b.span, repetition.span);
    unit = std::max(unit, repetition.period);
  }
  b.block = kBlock / unit * unit;
}

template <class T>
void gather_rows(const T* in, T* out, int64_t count, int64_t column, int64_t row, int64_t step, int outer,
                 const int64_t* dims, const int64_t* strides, int64_t* index, int64_t offset) {
  while (count > 0) {
    const int64_t n = std::min(row - column, count);
    const T* from = in + offset + column * step;
    if (step == 0) {
      const T value = *from;
      for (int64_t k = 0; k < n; ++k) out[k] = value;
    } else {
      for (int64_t k = 0; k < n; ++k) out[k] = from[k];
    }
    out += n;
    count -= n;
    column = 0;
    for (int d = outer; d >= 0; --d) {
      offset += strides[d];
      if (++index[d] < dims[d]) break;
      offset -= strides[d] * dims[d];
      index[d] = 0;
    }
  }
}

}  // namespace

bool Broadcast::is_contiguous(int input) const {
  int64_t step = 1;
  for (int d = rank - 1; d >= 0; --d) {
    if (strides[input][d] != step) return false;
    step *= dims[d];
  }
  return true;
}

Broadcast make_broadcast(std::span<const Shape> inputs) {
  Broadcast b;
  b.n = static_cast<int>(inputs.size());
  b.shape = inputs[0];
  for (const Shape& shape : inputs.subspan(1)) b.shape = broadcast(b.shape, shape);
  b.size = b.shape.size();
  std::array<std::array<int64_t, kMaxRank>, kMaxOperands> strides{};
  for (int i = 0; i < b.n; ++i) strides[i] = broadcast_strides(inputs[i], b.shape);

  // From the innermost dimension outwards, into the end of the arrays.
  int first = kMaxRank;
  for (int d = b.shape.rank() - 1; d >= 0; --d) {
    const int64_t dim = b.shape[d];
    if (dim == 1) continue;
    bool merges = first < kMaxRank;
    for (int i = 0; i < b.n && merges; ++i) merges = strides[i][d] == b.strides[i][first] * b.dims[first];
    if (merges) {
      b.dims[first] *= dim;
      continue;
    }
    b.dims[--first] = dim;
    for (int i = 0; i < b.n; ++i) b.strides[i][first] = strides[i][d];
  }
  if (first == kMaxRank) b.dims[--first] = 1;
  b.rank = kMaxRank - first;
  std::copy(b.dims.begin() + first, b.dims.end(), b.dims.begin());
  for (int i = 0; i < b.n; ++i) std::copy(b.strides[i].begin() + first, b.strides[i].end(), b.strides[i].begin());
  choose_block(b);
  return b;
}

void allow_overwrite(PlanContext& ctx, const Shape& output, int n_inputs) {
  for (int i = 0; i < n_inputs; ++i)
    if (ctx.has_input(i) && ctx.shape(i).size() == output.size()) ctx.may_overwrite(0, i);
}

void BroadcastWalk::gather(int input, int64_t at, int64_t count, std::byte* out) const {
  int64_t index[kMaxRank] = {}, offset = 0;
  const auto& strides = plan_.strides[input];
  int64_t outer = at / plan_.row();
  for (int d = plan_.rank - 2; d >= 0; --d) {
    index[d] = outer % plan_.dims[d];
    outer /= plan_.dims[d];
    offset += index[d] * strides[d];
  }
  const auto run = [&]<class T>() {
    gather_rows(static_cast<const T*>(inputs_[input]), reinterpret_cast<T*>(out), count, at % plan_.row(), plan_.row(),
                strides[plan_.rank - 1], plan_.rank - 2, plan_.dims.data(), strides.data(), index, offset);
  };
  switch (sizes_[input]) {
    case 1: return run.template operator()<uint8_t>();
    case 2: return run.template operator()<uint16_t>();
    case 4: return run.template operator()<uint32_t>();
    case 8: return run.template operator()<uint64_t>();
    default: return run.template operator()<std::complex<double>>();
  }
}

}  // namespace ort_cpu
