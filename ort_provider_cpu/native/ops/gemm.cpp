#include "ops/gemm.h"

#include <algorithm>

#include "simd/gemv.h"

namespace ort_cpu {

namespace {

/// Columns up to which dot products along K beat vectors of columns.
constexpr int64_t kFewColumns = 6;
/// Rows up to which B is read in place.
constexpr int64_t kFewRows = 6;
/// Work that is worth another thread.
constexpr double kChunkNs = 8000;
constexpr double kFlopsPerNs = 200;
constexpr double kBytesPerNs = 30;

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// Packs B[k, n], whose first element is number `first` of `b`, from rows of K.
void pack_rows(const FloatPieces& b, int64_t first, int64_t k, int64_t n, float* packed) {
  const auto& table = simd::gemm_table();
  for_pieces(k, n, [&](int64_t row, int64_t rows) {
    const float* const from = b(first + row * n, rows * n);
    for (int64_t column = 0; column < n; column += table.panel_columns) {
      const int64_t columns = std::min(table.panel_columns, n - column);
      table.pack(from + column, n, 1, rows, columns, 0, 1, packed + column * k + row * packed_size(1, columns));
    }
  });
}

/// The same from B as [n, k].
void pack_columns(const FloatPieces& b, int64_t first, int64_t k, int64_t n, float* packed) {
  const auto& table = simd::gemm_table();
  for_pieces(panels_of(n), table.panel_columns * k, [&](int64_t panel, int64_t panels) {
    const int64_t column = panel * table.panel_columns;
    const int64_t columns = std::min(panels * table.panel_columns, n - column);
    table.pack(b(first + column * k, columns * k), 1, k, k, columns, 0, panels, packed + column * k);
  });
}

}  // namespace

int64_t panels_of(int64_t n) { return divide_up(n, simd::gemm_table().panel_columns); }

int64_t packed_size(int64_t k, int64_t n) {
  const int64_t lanes = simd::gemm_table().lanes;
  return divide_up(n, lanes) * lanes * k;
}

PreparedMatrices::PreparedMatrices(const FloatPieces& b, int64_t count, int64_t k, int64_t n, bool transposed) {
  const bool columns = n <= kFewColumns;
  layout_ = columns ? MatrixLayout::columns : MatrixLayout::panels;
  step_ = columns ? k * n : packed_size(k, n);
  data_ = AlignedArray<float>(static_cast<size_t>(count * step_));
  for (int64_t i = 0; i < count; ++i) {
    const int64_t first = i * k * n;
    float* const to = data_.data() + i * step_;
    if (!columns) {
      if (transposed) pack_columns(b, first, k, n, to);
      else pack_rows(b, first, k, n, to);
    } else if (transposed) {
      std::copy_n(b(first, k * n), k * n, to);
    } else {
      simd::gemm_table().transpose(b(first, k * n), n, k, n, to, k);
    }
  }
}

Grid Grid::split(int64_t m, int64_t n, int64_t row_unit, int64_t column_unit, int chunks) {
  const int64_t row_units = divide_up(m, row_unit), column_units = divide_up(n, column_unit);
  Grid best{.row_unit = row_unit, .column_unit = column_unit};
  int64_t least = row_units * column_units;
  for (int rows = 1; rows <= chunks && rows <= row_units; ++rows) {
    const int columns = static_cast<int>(std::min<int64_t>(chunks / rows, column_units));
    const int64_t most = divide_up(row_units, rows) * divide_up(column_units, std::max(columns, 1));
    if (most < least) {
      least = most;
      best.rows = rows;
      best.columns = std::max(columns, 1);
    }
  }
  return best;
}

BatchedProduct::BatchedProduct(Shapes shapes, int threads) : shapes_(std::move(shapes)) {
  choose_method();
  choose_split(threads);
}

void BatchedProduct::choose_method() {
  const auto& table = simd::gemm_table();
  const auto [m, n, k] = std::tuple(shapes_.m, shapes_.n, shapes_.k);
  const bool is_column = n == 1 && shapes_.layout == MatrixLayout::rows;
  const bool is_one_panel = shapes_.layout == MatrixLayout::rows && n <= table.panel_columns && n % table.lanes == 0;
  if (shapes_.layout == MatrixLayout::panels || is_one_panel) {
    method_ = Method::panels;
  } else if (is_column || (shapes_.layout == MatrixLayout::columns && (m <= kFewRows || n <= kFewColumns))) {
    method_ = Method::columns;
  } else if (shapes_.layout == MatrixLayout::rows && m <= kFewRows) {
    method_ = Method::rows;
  } else if (n <= kFewColumns) {
    method_ = Method::columns;
    preparation_ = Preparation::transpose;
    b_scratch_ = divide_up(k * n, 16) * 16;
  } else {
    method_ = Method::panels;
    preparation_ = Preparation::pack;
    b_scratch_ = packed_size(k, n);
  }
  if (shapes_.transpose_a && m > 1) a_scratch_ = divide_up(m * k, 16) * 16;
}

void BatchedProduct::choose_split(int threads) {
  const auto& table = simd::gemm_table();
  const double m = static_cast<double>(shapes_.m), n = static_cast<double>(shapes_.n),
               k = static_cast<double>(shapes_.k);
  const double item_ns =
      std::max(2 * m * n * k / kFlopsPerNs, 4 * (n * k + m * k + m * n) / kBytesPerNs) + 10 + (m * n) / 16;
  cost_ns_ = item_ns * static_cast<double>(shapes_.batch);
  const int most = static_cast<int>(std::clamp(cost_ns_ / kChunkNs, 1.0, static_cast<double>(threads)));
  if (most == 1 || shapes_.batch >= most) {
    chunks_ = static_cast<int>(std::min<int64_t>(most, std::max<int64_t>(shapes_.batch, 1)));
    return;
  }
  together_ = true;
  const int parts = static_cast<int>(std::clamp(item_ns / kChunkNs, 1.0, static_cast<double>(threads)));
  const int64_t row_unit = method_ == Method::panels ? table.tile_rows : 4;
  const int64_t column_unit = method_ == Method::columns ? 4 : table.panel_columns;
  grid_ = Grid::split(shapes_.m, shapes_.n, method_ == Method::rows ? shapes_.m : row_unit, column_unit, parts);
  chunks_ = grid_.chunks();
}

int64_t BatchedProduct::scratch_floats() const { return (a_scratch_ + b_scratch_) * (together_ ? 1 : chunks_); }

simd::GemmCall BatchedProduct::call_of(int64_t item, const float* a, const float* b, float* c,
                                       const simd::GemmEpilogue& epilogue) const {
  simd::GemmCall call{.m = shapes_.m,
                      .n = shapes_.n,
                      .k = shapes_.k,
                      .a = a,
                      .lda = shapes_.k,
                      .b = b,
                      .ldb = method_ == Method::rows ? shapes_.n : shapes_.k,
                      .c = c + item * shapes_.m * shapes_.n,
                      .ldc = shapes_.n,
                      .epilogue = epilogue};
  if (epilogue.residual != nullptr) call.epilogue.residual += item * shapes_.m * shapes_.n;
  return call;
}

void BatchedProduct::prepare_b(const float* b, float* to, int64_t first, int64_t last) const {
  const bool columns = shapes_.layout == MatrixLayout::columns;
  if (preparation_ == Preparation::pack) {
    simd::gemm_table().pack(b, columns ? 1 : shapes_.n, columns ? shapes_.k : 1, shapes_.k, shapes_.n, first, last, to);
  } else if (first == 0 && last > 0) {
    simd::gemm_table().transpose(b, shapes_.n, shapes_.k, shapes_.n, to, shapes_.k);
  }
}

void BatchedProduct::multiply(const simd::GemmCall& whole, int64_t m0, int64_t m1, int64_t n0, int64_t n1) const {
  if (m0 >= m1 || n0 >= n1) return;
  if (method_ == Method::panels) {
    const int64_t panel = simd::gemm_table().panel_columns;
    simd::gemm_table().multiply(whole, m0, m1, n0 / panel, divide_up(n1, panel));
    return;
  }
  simd::GemmCall call = whole;
  call.m = m1 - m0;
  call.a += m0 * call.lda;
  call.c += m0 * call.ldc;
  if (call.epilogue.row_bias != nullptr) call.epilogue.row_bias += m0;
  if (call.epilogue.residual != nullptr) call.epilogue.residual += m0 * call.epilogue.residual_stride;
  if (method_ == Method::rows) {
    simd::gemv_table().multiply(call, n0, n1);
  } else {
    simd::gemv_table().multiply_transposed(call, n0, n1);
  }
}

void BatchedProduct::run_items(int64_t first, int64_t last, const float* a, const float* b, float* c,
                               const simd::GemmEpilogue& epilogue, float* scratch) const {
  float* const a_to = scratch;
  float* const b_to = scratch + a_scratch_;
  int64_t prepared = -1;  // offset of the matrix in `b_to`
  for (int64_t item = first; item < last; ++item) {
    const float* a_item = a + a_offset(item);
    const float* b_item = b + b_offset(item);
    if (a_scratch_ != 0) {
      simd::gemm_table().transpose(a_item, shapes_.m, shapes_.k, shapes_.m, a_to, shapes_.k);
      a_item = a_to;
    }
    if (preparation_ != Preparation::none) {
      if (prepared != b_offset(item)) prepare_b(b_item, b_to, 0, panels_of(shapes_.n));
      prepared = b_offset(item);
      b_item = b_to;
    }
    multiply(call_of(item, a_item, b_item, c, epilogue), 0, shapes_.m, 0, shapes_.n);
  }
}

void BatchedProduct::run_together(const RunContext& ctx, const float* a, const float* b, float* c,
                                  const simd::GemmEpilogue& epilogue, float* scratch) const {
  float* const a_to = scratch;
  float* const b_to = scratch + a_scratch_;
  const int64_t panels = panels_of(shapes_.n);
  for (int64_t item = 0; item < shapes_.batch; ++item) {
    const float* a_item = a + a_offset(item);
    const float* b_item = b + b_offset(item);
    if (a_scratch_ != 0 || preparation_ != Preparation::none) {
      ctx.parallel(chunks_, [&](int chunk, int chunks) {
        const int64_t m0 = shapes_.m * chunk / chunks, m1 = shapes_.m * (chunk + 1) / chunks;
        if (a_scratch_ != 0)
          simd::gemm_table().transpose(a_item + m0, shapes_.m, shapes_.k, m1 - m0, a_to + m0 * shapes_.k, shapes_.k);
        if (preparation_ != Preparation::none)
          prepare_b(b_item, b_to, panels * chunk / chunks, panels * (chunk + 1) / chunks);
      });
      if (a_scratch_ != 0) a_item = a_to;
      if (preparation_ != Preparation::none) b_item = b_to;
    }
    const simd::GemmCall call = call_of(item, a_item, b_item, c, epilogue);
    ctx.parallel(chunks_, [&](int chunk, int) {
      const auto [m0, m1] = grid_.row_range(chunk, shapes_.m);
      const auto [n0, n1] = grid_.column_range(chunk, shapes_.n);
      multiply(call, m0, m1, n0, n1);
    });
  }
}

void BatchedProduct::run(const RunContext& ctx, const float* a, const float* b, float* c,
                         const simd::GemmEpilogue& epilogue, float* scratch) const {
  if (shapes_.batch == 0 || shapes_.m == 0 || shapes_.n == 0) return;
  if (together_) return run_together(ctx, a, b, c, epilogue, scratch);
  if (chunks_ == 1) return run_items(0, shapes_.batch, a, b, c, epilogue, scratch);
  ctx.parallel(chunks_, [&](int chunk, int chunks) {
    run_items(shapes_.batch * chunk / chunks, shapes_.batch * (chunk + 1) / chunks, a, b, c, epilogue,
              scratch + chunk * (a_scratch_ + b_scratch_));
  });
}

}  // namespace ort_cpu
