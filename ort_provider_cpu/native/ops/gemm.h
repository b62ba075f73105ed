// Products of float32 matrices, in parallel: constant matrices prepared once, and batches of products of one shape.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "engine/aligned.h"
#include "engine/kernel.h"
#include "simd/gemm.h"

namespace ort_cpu {

constexpr int64_t kPieceFloats = 128 << 10;

/// How a matrix B[K, N] lies in memory.
enum class MatrixLayout { rows, columns, panels };  // [K, N], [N, K], packed for `simd::gemm_table`

/// Gives `count` floats of constant matrices from `first` on, valid until the next call.
using FloatPieces = std::function<const float*(int64_t first, int64_t count)>;

/// Constant matrices B[count, K, N], laid out for products of any number of rows.
class PreparedMatrices {
 public:
  PreparedMatrices() = default;
  /// `b` is [count, K, N], or [count, N, K] if `transposed`.
  PreparedMatrices(const FloatPieces& b, int64_t count, int64_t k, int64_t n, bool transposed);

  MatrixLayout layout() const { return layout_; }
  const float* data() const { return data_.data(); }
  /// Elements from one matrix to the next.
  int64_t step() const { return step_; }

 private:
  MatrixLayout layout_ = MatrixLayout::panels;
  int64_t step_ = 0;
  AlignedArray<float> data_;
};

/// Calls `pack(row, rows)` for pieces of a matrix of `k` rows of `n` floats that a cache holds.
template <class F>
void for_pieces(int64_t k, int64_t n, F&& pack) {
  const int64_t step = std::max<int64_t>(kPieceFloats / std::max<int64_t>(n, 1), 1);
  for (int64_t row = 0; row < k; row += step) pack(row, std::min(step, k - row));
}

/// Panels of `n` columns, and the floats that they take.
int64_t panels_of(int64_t n);
int64_t packed_size(int64_t k, int64_t n);

/// A split of M x N among chunks: `rows` by `columns` parts, each a multiple of a unit but for the last.
struct Grid {
  int rows = 1, columns = 1;
  int64_t row_unit = 1, column_unit = 1;

  /// The split into about `chunks` parts whose largest is smallest.
  static Grid split(int64_t m, int64_t n, int64_t row_unit, int64_t column_unit, int chunks);
  int chunks() const { return rows * columns; }
  std::pair<int64_t, int64_t> row_range(int chunk, int64_t m) const {
    return range(chunk / columns, rows, m, row_unit);
  }
  std::pair<int64_t, int64_t> column_range(int chunk, int64_t n) const {
    return range(chunk % columns, columns, n, column_unit);
  }

 private:
  static std::pair<int64_t, int64_t> range(int64_t part, int64_t parts, int64_t size, int64_t unit) {
    const int64_t units = (size + unit - 1) / unit;
    return {std::min(size, units * part / parts * unit), std::min(size, units * (part + 1) / parts * unit)};
  }
};

/// C[batch, M, N] = epilogue(A[batch, M, K] B[batch, K, N]), planned for one set of shapes. All of it is row-major.
class BatchedProduct {
 public:
  struct Shapes {
    int64_t batch = 1, m = 0, n = 0, k = 0;
    bool transpose_a = false;  // A is [K, M]
    MatrixLayout layout = MatrixLayout::rows;
    /// Elements between the matrices of the batch; the offset of each where they are not evenly spaced.
    int64_t a_step = 0, b_step = 0;
    std::vector<int64_t> a_offsets = {}, b_offsets = {};
  };

  BatchedProduct() = default;
  BatchedProduct(Shapes shapes, int threads);

  const Shapes& shapes() const { return shapes_; }
  int64_t scratch_floats() const;
  double cost_ns() const { return cost_ns_; }
  /// Pointers of the epilogue are those of the first item: `bias` and `row_bias` hold for all, `residual` moves on with
  /// C.
  void run(const RunContext& ctx, const float* a, const float* b, float* c, const simd::GemmEpilogue& epilogue,
           float* scratch) const;

 private:
  /// What is done to B before a product: nothing, packing into panels, or a transposition to [N, K].
  enum class Preparation { none, pack, transpose };
  /// Which kernel reads B: packed panels, rows in place, or columns in place.
  enum class Method { panels, rows, columns };

  void choose_method();
  void choose_split(int threads);
  void prepare_b(const float* b, float* to, int64_t first, int64_t last) const;
  void multiply(const simd::GemmCall& call, int64_t m0, int64_t m1, int64_t n0, int64_t n1) const;
  simd::GemmCall call_of(int64_t item, const float* a, const float* b, float* c,
                         const simd::GemmEpilogue& epilogue) const;
  void run_items(int64_t first, int64_t last, const float* a, const float* b, float* c,
                 const simd::GemmEpilogue& epilogue, float* scratch) const;
  void run_together(const RunContext& ctx, const float* a, const float* b, float* c, const simd::GemmEpilogue& epilogue,
                    float* scratch) const;
  int64_t a_offset(int64_t i) const { return shapes_.a_offsets.empty() ? i * shapes_.a_step : shapes_.a_offsets[i]; }
  int64_t b_offset(int64_t i) const { return shapes_.b_offsets.empty() ? i * shapes_.b_step : shapes_.b_offsets[i]; }

  Shapes shapes_;
  Method method_ = Method::panels;
  Preparation preparation_ = Preparation::none;
  bool together_ = false;  // all chunks work on one item after the other
  int chunks_ = 1;
  Grid grid_;
  int64_t a_scratch_ = 0, b_scratch_ = 0;  // floats for each chunk, or for all where they work together
  double cost_ns_ = 0;
};

}  // namespace ort_cpu
