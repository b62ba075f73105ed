// Attention: scores of some rows against a block of keys, softmax with running maxima and sums, and products with
// values.
#include "simd/attention.h"

#include "simd/gemm.h"
#include "simd/gemm_kernel.h"
#include "simd/gemv.h"
#include "simd/math.h"

namespace {

using ort_cpu::simd::AttentionHead;

constexpr auto& gemm = ort_cpu::simd::ORT_CPU_PASTE(gemm_table, ORT_CPU_LEVEL);
constexpr auto& gemv = ort_cpu::simd::ORT_CPU_PASTE(gemv_table, ORT_CPU_LEVEL);

/// Keys of a block: its packed keys and values stay in the second-level cache.
constexpr int64_t kMostKeys = 512;
static_assert(kMostKeys <= kDepth, "sums are added to the output in place");
/// Scores that are worked on at a time: they stay in the first-level cache.
constexpr int64_t kMostScores = 4608;
constexpr int64_t kMostRowsOfScores = kMostScores / kPanel;
/// Rows up to which keys and values are read in place.
constexpr int64_t kFewRows = kTileRows;
constexpr float kMinusInfinity = -__builtin_inff();

int64_t round_up(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }

/// How a head is cut, and where its scratch lies.
struct Cut {
  int64_t keys;  // of a block, whole panels
  int64_t rows;  // of which scores are held at a time
  bool in_place;
  int64_t maxima, sums, scores, packed_k, packed_v, floats;

  Cut(int64_t all_rows, int64_t all_keys, int64_t depth, int64_t value_depth) {
    const int64_t blocks = all_keys > 0 ? (all_keys + kMostKeys - 1) / kMostKeys : 1;
    keys = all_keys > 0 ? round_up((all_keys + blocks - 1) / blocks, kPanel) : kPanel;
    rows = kMostScores / keys / kTileRows * kTileRows;
    rows = rows < kTileRows ? kTileRows : rows;
    rows = rows > all_rows ? all_rows : rows;
    in_place = all_rows <= kFewRows;
    maxima = 0;
    sums = round_up(all_rows, 16);
    scores = 2 * sums;
    packed_k = scores + round_up(rows * keys, 16);
    packed_v = packed_k + (in_place ? 0 : round_up(keys * depth, 16));
    floats = packed_v + (in_place ? 0 : keys * round_up(value_depth, kLanes));
  }
};

/// Keys [first, last) of a block that some row sees.
struct Range {
  int64_t first, last;
};

/// Keys that row `r` sees of the block that begins at `begin` and has `keys`.
ORT_CPU_INLINE Range visible(const AttentionHead& head, int64_t r, int64_t begin, int64_t keys) {
  const int64_t position = head.position + r * head.position_step;
  int64_t first = position - head.left - begin, last = position + head.right + 1 - begin;
  const int64_t limit = head.key_limit - begin;
  first = first < 0 ? 0 : first;
  last = last > keys ? keys : last;
  last = last > limit ? limit : last;
  return {first < last ? first : last < 0 ? 0 : last, last < 0 ? 0 : last};
}

/// exp(x) for x <= 0.
ORT_CPU_INLINE Vec exp_of_negative(Vec x) {
  Vec n;
  const Vec r = reduce_exp(larger(set1(-105.f), x), n);
  return scale_by_power(expm1_reduced(r) + 1.f, n);
}

/// Softcap and mask of the scores of one row; returns the largest.
template <bool kSoftcap, bool kMask>
ORT_CPU_INLINE float prepare_scores(const AttentionHead& head, float* scores, const float* mask, int64_t first,
                                    int64_t last) {
  const Vec cap = set1(head.softcap), inverse = set1(kSoftcap ? 1.0f / head.softcap : 0.0f);
  Vec largest = set1(kMinusInfinity);
  const auto change = [&](Vec x, Vec m) __attribute__((always_inline)) {
    if constexpr (kSoftcap) x = cap * tanh(x * inverse);
    if constexpr (kMask) x = x + m;
    return x;
  };
  int64_t t = first;
  for (; t + kLanes <= last; t += kLanes) {
    Vec m = {};
    if constexpr (kMask) m = head.mask_column == 1 ? load(mask + t) : set1(mask[t * head.mask_column]);
    const Vec x = change(load(scores + t), m);
    if (kSoftcap || kMask) store(scores + t, x);
    largest = larger(x, largest);
  }
  const int rest = static_cast<int>(last - t);
  if (rest > 0) {
    Vec m = {};
    if constexpr (kMask) m = head.mask_column == 1 ? load_some(mask + t, rest) : set1(mask[t * head.mask_column]);
    const Vec x = change(load_some(scores + t, rest), m);
    if (kSoftcap || kMask) store_some(scores + t, x, rest);
    largest = larger(lane_numbers() < rest ? x : set1(kMinusInfinity), largest);
  }
  return largest_lane(largest);
}

float prepare_row(const AttentionHead& head, float* scores, const float* mask, int64_t first, int64_t last) {
  if (head.softcap > 0)
    return mask != nullptr ? prepare_scores<true, true>(head, scores, mask, first, last)
                           : prepare_scores<true, false>(head, scores, mask, first, last);
  return mask != nullptr ? prepare_scores<false, true>(head, scores, mask, first, last)
                         : prepare_scores<false, false>(head, scores, mask, first, last);
}

/// scores[first, last) = exp(scores - largest); returns their sum.
ORT_CPU_INLINE float exponentials(float* scores, float largest, int64_t first, int64_t last) {
  const Vec shift = set1(largest);
  Vec sums[2] = {};
  int64_t t = first;
  for (; t + 2 * kLanes <= last; t += 2 * kLanes) {
    const Vec x = exp_of_negative(load(scores + t) - shift), y = exp_of_negative(load(scores + t + kLanes) - shift);
    store(scores + t, x);
    store(scores + t + kLanes, y);
    sums[0] = sums[0] + x;
    sums[1] = sums[1] + y;
  }
  for (; t < last; t += kLanes) {
    const int count = static_cast<int>(last - t < kLanes ? last - t : kLanes);
    store_some(scores + t, exp_of_negative(load_some(scores + t, count) - shift), count);
    sums[0] = sums[0] + load_some(scores + t, count);
  }
  return sum_lanes(sums[0] + sums[1]);
}

/// Whether there is a score that is not a number: maxima do not show it.
bool has_nan(const float* scores, Range range) {
  for (int64_t t = range.first; t < range.last; ++t)
    if (scores[t] != scores[t]) return true;
  return false;
}

void scale_row(float* row, int64_t n, float factor) {
  const Vec factors = set1(factor);
  int64_t j = 0;
  for (; j + kLanes <= n; j += kLanes) store(row + j, load(row + j) * factors);
  const int rest = static_cast<int>(n - j);
  if (rest > 0) store_some(row + j, load_some(row + j, rest) * factors, rest);
}

void fill_zero(float* row, int64_t n) {
  int64_t j = 0;
  for (; j + kLanes <= n; j += kLanes) store(row + j, Vec{});
  if (j < n) store_some(row + j, Vec{}, static_cast<int>(n - j));
}

/// Running maximum and sum of the rows of a head.
struct Running {
  float *maxima, *sums;
};

/// Turns scores of rows into weights relative to the rows' running maxima, and adjusts what has been summed so far.
/// The scores of `columns` are defined afterwards.
void soften_rows(const AttentionHead& head, float* scores, int64_t stride, int64_t row, int64_t rows, int64_t begin,
                 Range columns, bool is_first, Running running) {
  Range seen[kMostRowsOfScores];
  float before[kMostRowsOfScores];
  // One step for all rows after the other, so that the processor need not wait for the end of each.
  for (int64_t i = 0; i < rows; ++i) {
    Range& range = seen[i];
    range = visible(head, row + i, begin, columns.last);
    if (range.first >= range.last) range = {columns.first, columns.first};
    float* const own = scores + i * stride;
    fill_zero(own + columns.first, range.first - columns.first);
    fill_zero(own + range.last, columns.last - range.last);
    const float* mask =
        head.mask == nullptr ? nullptr : head.mask + (row + i) * head.mask_row + begin * head.mask_column;
    const float largest = prepare_row(head, own, mask, range.first, range.last);
    before[i] = is_first ? kMinusInfinity : running.maxima[row + i];
    float maximum = largest > before[i] ? largest : before[i];
    if (maximum == kMinusInfinity && has_nan(own, range)) maximum = 0;
    running.maxima[row + i] = maximum;
  }
  for (int64_t i = 0; i < rows; ++i) {
    const float maximum = running.maxima[row + i];
    float& sum = running.sums[row + i];
    float* const own = scores + i * stride;
    if (maximum == kMinusInfinity) {
      fill_zero(own + seen[i].first, seen[i].last - seen[i].first);
      sum = 0;
      continue;
    }
    const float added = exponentials(own, maximum, seen[i].first, seen[i].last);
    if (is_first || before[i] == kMinusInfinity) {
      sum = added;
    } else {
      const float factor = exp_of_negative(set1(before[i] - maximum))[0];
      if (factor != 1) scale_row(head.out + (row + i) * head.out_stride, head.value_depth, factor);
      sum = sum * factor + added;
    }
  }
}

/// Rows [row, row + rows) against one block of keys.
void attend_rows(const AttentionHead& head, const Cut& cut, float* scratch, int64_t row, int64_t rows, int64_t begin,
                 int64_t keys, bool is_first) {
  Range columns = {keys, 0};
  for (int64_t r = row; r < row + rows; ++r) {
    const Range seen = visible(head, r, begin, keys);
    if (seen.first >= seen.last) continue;
    columns.first = seen.first < columns.first ? seen.first : columns.first;
    columns.last = seen.last > columns.last ? seen.last : columns.last;
  }
  float* const out = head.out + row * head.out_stride;
  if (columns.first >= columns.last) {
    if (!is_first) return;
    for (int64_t r = 0; r < rows; ++r) {
      fill_zero(out + r * head.out_stride, head.value_depth);
      scratch[cut.maxima + row + r] = kMinusInfinity;
      scratch[cut.sums + row + r] = 0;
    }
    return;
  }
  columns.first = columns.first / kPanel * kPanel;
  float* const scores = scratch + cut.scores;
  GemmCall call{.m = rows,
                .n = keys,
                .k = head.depth,
                .a = head.q + row * head.q_stride,
                .lda = head.q_stride,
                .b = scratch + cut.packed_k,
                .ldb = head.k_stride,
                .c = scores,
                .ldc = cut.keys,
                .epilogue = {.alpha = head.scale}};
  if (!cut.in_place) {
    gemm.multiply(call, 0, rows, columns.first / kPanel, (columns.last + kPanel - 1) / kPanel);
  } else {
    call.b = head.k + begin * (head.k_transposed ? 1 : head.k_stride);
    (head.k_transposed ? gemv.multiply : gemv.multiply_transposed)(call, columns.first, columns.last);
  }
  soften_rows(head, scores, cut.keys, row, rows, begin, columns, is_first, {scratch + cut.maxima, scratch + cut.sums});
  call = {.m = rows,
          .n = head.value_depth,
          .k = columns.last - columns.first,
          .a = scores + columns.first,
          .lda = cut.keys,
          .b = head.v + (begin + columns.first) * head.v_stride,
          .ldb = head.v_stride,
          .c = out,
          .ldc = head.out_stride,
          .epilogue = {.residual = is_first ? nullptr : out, .residual_stride = head.out_stride}};
  if (cut.in_place) return gemv.multiply(call, 0, head.value_depth);
  for (int64_t column = 0; column < head.value_depth; column += kPanel) {
    const int64_t left = head.value_depth - column;
    call.n = left < kPanel ? left : kPanel;
    call.b = scratch + cut.packed_v + column * keys + columns.first * round_up(call.n, kLanes);
    call.c = out + column;
    call.epilogue.residual = is_first ? nullptr : call.c;
    gemm.multiply(call, 0, rows, 0, 1);
  }
}

int64_t scratch_floats(int64_t rows, int64_t keys, int64_t depth, int64_t value_depth) {
  return Cut(rows, keys, depth, value_depth).floats;
}

void attend(const AttentionHead& head, float* scratch) {
  const Cut cut(head.rows, head.keys, head.depth, head.value_depth);
  const int64_t value_panels = (head.value_depth + kPanel - 1) / kPanel;
  for (int64_t begin = 0; begin == 0 || begin < head.keys; begin += cut.keys) {
    const int64_t keys = head.keys - begin < cut.keys ? head.keys - begin : cut.keys;
    if (!cut.in_place) {
      const float* k = head.k + begin * (head.k_transposed ? 1 : head.k_stride);
      gemm.pack(k, head.k_transposed ? head.k_stride : 1, head.k_transposed ? 1 : head.k_stride, head.depth, keys, 0,
                (keys + kPanel - 1) / kPanel, scratch + cut.packed_k);
      gemm.pack(head.v + begin * head.v_stride, head.v_stride, 1, keys, head.value_depth, 0, value_panels,
                scratch + cut.packed_v);
    }
    for (int64_t row = 0; row < head.rows; row += cut.rows)
      attend_rows(head, cut, scratch, row, head.rows - row < cut.rows ? head.rows - row : cut.rows, begin, keys,
                  begin == 0);
  }
  for (int64_t r = 0; r < head.rows; ++r) {
    const float sum = scratch[cut.sums + r];
    if (sum != 0) scale_row(head.out + r * head.out_stride, head.value_depth, 1.0f / sum);
  }
}

void rotate(const float* x, const float* cosine, const float* sine, int64_t half, bool interleaved, float* out) {
  int64_t i = 0;
  if (interleaved) {
    for (; i < half; ++i) {
      const float a = x[2 * i], b = x[2 * i + 1];
      out[2 * i] = cosine[i] * a - sine[i] * b;
      out[2 * i + 1] = sine[i] * a + cosine[i] * b;
    }
    return;
  }
  for (; i + kLanes <= half; i += kLanes) {
    const Vec a = load(x + i), b = load(x + half + i), c = load(cosine + i), s = load(sine + i);
    store(out + i, c * a - s * b);
    store(out + half + i, s * a + c * b);
  }
  for (; i < half; ++i) {
    const float a = x[i], b = x[half + i];
    out[i] = cosine[i] * a - sine[i] * b;
    out[half + i] = sine[i] * a + cosine[i] * b;
  }
}

}  // namespace

ORT_CPU_EXPORT(AttentionTable, attention_table) = {scratch_floats, attend, rotate};
