// Products with packed B: loops over blocks of rows, parts of K, panels and tiles.
#include "simd/gemm.h"

#include "simd/gemm_activate.h"
#include "simd/gemm_kernel.h"
#include "simd/gemm_pack.h"

namespace {

/// Floats of A that stay in the second-level cache while panels pass.
constexpr int64_t kBlockOfA = 128 * 1024;
/// Rows of a block of a gated product: its partial sums are on the stack.
constexpr int64_t kGatedRows = 96;

template <int NB, int P, Prefetch kPrefetch>
constexpr TileKernel kernel_if_it_fits() {
  if constexpr (NB <= kPanelVecs) {
    if constexpr (P <= kMostRows[NB]) return tile_kernel<NB, P, true, kPrefetch>;
  }
  return nullptr;
}

template <int NB, Prefetch F>
constexpr TileKernel kKernels[] = {
    kernel_if_it_fits<NB, 1, F>(),  kernel_if_it_fits<NB, 2, F>(),  kernel_if_it_fits<NB, 3, F>(),
    kernel_if_it_fits<NB, 4, F>(),  kernel_if_it_fits<NB, 5, F>(),  kernel_if_it_fits<NB, 6, F>(),
    kernel_if_it_fits<NB, 7, F>(),  kernel_if_it_fits<NB, 8, F>(),  kernel_if_it_fits<NB, 9, F>(),
    kernel_if_it_fits<NB, 10, F>(), kernel_if_it_fits<NB, 11, F>(), kernel_if_it_fits<NB, 12, F>(),
    kernel_if_it_fits<NB, 13, F>(), kernel_if_it_fits<NB, 14, F>(),
};

template <Prefetch F>
TileKernel kernel_of(int vecs, int rows) {
  constexpr const TileKernel* kByVecs[] = {kKernels<1, F>, kKernels<2, F>, kKernels<3, F>, kKernels<4, F>};
  return kByVecs[vecs - 1][rows - 1];
}

/// Rows cut into tiles that differ by at most one row.
struct Rows {
  int64_t tiles;
  int64_t base, longer;  // rows of a tile; the first `longer` have one more

  Rows(int64_t rows, int most) : tiles((rows + most - 1) / most) {
    base = tiles > 0 ? rows / tiles : 0;
    longer = tiles > 0 ? rows % tiles : 0;
  }
  int64_t first_row(int64_t tile) const { return tile * base + (tile < longer ? tile : longer); }
  int rows(int64_t tile) const { return static_cast<int>(base + (tile < longer ? 1 : 0)); }
};

/// The product of a block of rows with a part of one panel.
struct PanelPart {
  const float* a;
  int64_t lda;
  const float* b;
  float* c;
  int64_t ldc;
  int64_t rows, k;
  int vecs, last_columns;
  bool accumulate;
  const GemmEpilogue* epilogue;
  int64_t row, column;
  const float* next;  // the panel to prefetch meanwhile, or null
};

void multiply_panel(const PanelPart& part) {
  const Rows rows(part.rows, kMostRows[part.vecs]);
  const int64_t width = part.vecs * kLanes;
  const bool stream = rows.tiles <= 3;
  Tile tile;
  tile.lda = part.lda;
  tile.b = part.b;
  tile.ldb = width;
  tile.ldc = part.ldc;
  tile.k = part.k;
  tile.last_columns = part.last_columns;
  tile.accumulate = part.accumulate;
  tile.epilogue = part.epilogue;
  tile.column = part.column;
  tile.prefetch = reinterpret_cast<const char*>(part.b);
  tile.prefetch_step = 0;
  if (part.next != nullptr) {
    tile.prefetch = reinterpret_cast<const char*>(part.next);
    // One of four prefetches of each step of 4 rows of the panel; a little more than needed, so that all of it is
    // reached.
    tile.prefetch_step = stream ? 64 : (4 * width / rows.tiles + 8) / 4 * 4;
  }
  const int64_t ahead = part.k / 4 * 4 * tile.prefetch_step;
  const TileKernel base = kernel_of<Prefetch::spread>(part.vecs, static_cast<int>(rows.base));
  const TileKernel longer =
      rows.longer > 0 ? kernel_of<Prefetch::spread>(part.vecs, static_cast<int>(rows.base) + 1) : base;
  for (int64_t t = 0; t < rows.tiles; ++t) {
    const int64_t first = rows.first_row(t);
    tile.a = part.a + first * part.lda;
    tile.c = part.c + first * part.ldc;
    tile.row = part.row + first;
    if (stream && t == 0) {
      kernel_of<Prefetch::stream>(part.vecs, rows.rows(0))(tile);
    } else {
      (t < rows.longer ? longer : base)(tile);
      tile.prefetch += ahead;
    }
    if (part.epilogue != nullptr && needs_pass(part.epilogue->activation.kind))
      activate_tile(part.epilogue->activation, tile.c, tile.ldc, rows.rows(t), width - kLanes + part.last_columns);
  }
}

int64_t parts_of_depth(int64_t k) { return k <= kDepth ? 1 : (k + kDepth - 1) / kDepth; }

int64_t rows_of_block(int64_t rows, int64_t depth) {
  int64_t most = kBlockOfA / (depth > 0 ? depth : 1);
  most = most < 96 ? 96 : most > 1024 ? 1024 : most;
  const int64_t blocks = (rows + most - 1) / most;
  return blocks > 0 ? (rows + blocks - 1) / blocks : 1;
}

void multiply(const GemmCall& call, int64_t m0, int64_t m1, int64_t first, int64_t last) {
  // With one tile of rows nothing of B is used twice, so K need not be cut.
  const int64_t parts = m1 - m0 <= kTileRows ? 1 : parts_of_depth(call.k);
  const int64_t block = rows_of_block(m1 - m0, call.k / parts);
  for (int64_t row = m0; row < m1; row += block) {
    const int64_t rows = m1 - row < block ? m1 - row : block;
    for (int64_t i = 0; i < parts; ++i) {
      const int64_t k0 = call.k * i / parts / 4 * 4;
      const int64_t k1 = i + 1 == parts ? call.k : call.k * (i + 1) / parts / 4 * 4;
      for (int64_t panel = first; panel < last; ++panel) {
        const int64_t column = panel * kPanel, width = panel_width(call.n, panel);
        const float* b = call.b + column * call.k + k0 * width;
        const int64_t left = call.n - column;
        PanelPart part{.a = call.a + row * call.lda + k0,
                       .lda = call.lda,
                       .b = b,
                       .c = call.c + row * call.ldc + column,
                       .ldc = call.ldc,
                       .rows = rows,
                       .k = k1 - k0,
                       .vecs = static_cast<int>(width / kLanes),
                       .last_columns = static_cast<int>((left < width ? left : width) - width + kLanes),
                       .accumulate = i > 0,
                       .epilogue = i + 1 == parts ? &call.epilogue : nullptr,
                       .row = row,
                       .column = column,
                       .next = nullptr};
        if (panel + 1 < last) part.next = b + call.k * width;
        else if (i + 1 < parts) part.next = call.b + first * kPanel * call.k + k1 * panel_width(call.n, first);
        multiply_panel(part);
      }
    }
  }
}

/// out[row, column] = activation(sums[row, column]) * sums[row, half + column] for rows of kPanel sums.
void gate_rows(const Activation& activation, float* sums, int64_t half, int64_t rows, int64_t columns, float* out,
               int64_t stride) {
  if (activation.kind != ActivationKind::none) activate_tile(activation, sums, 2 * half, rows, columns);
  for (int64_t row = 0; row < rows; ++row) {
    const float* gate = sums + row * 2 * half;
    float* to = out + row * stride;
    for (int64_t j = 0; j < columns; j += kLanes) {
      const Vec y = load(gate + j) * load(gate + half + j);
      if (columns - j >= kLanes) {
        store(to + j, y);
      } else {
        store_some(to + j, y, static_cast<int>(columns - j));
      }
    }
  }
}

void multiply_gated(const GemmCall& call, int64_t m0, int64_t m1, int64_t first, int64_t last) {
  alignas(64) float sums[kGatedRows * kPanel];
  constexpr int64_t kHalf = kPanel / 2;
  const int64_t parts = m1 - m0 <= kTileRows ? 1 : parts_of_depth(call.k);
  const int64_t blocks = (m1 - m0 + kGatedRows - 1) / kGatedRows;
  for (int64_t index = 0; index < blocks; ++index) {
    const int64_t row = m0 + (m1 - m0) * index / blocks, rows = m0 + (m1 - m0) * (index + 1) / blocks - row;
    for (int64_t panel = first; panel < last; ++panel) {
      const int64_t left = call.n - panel * kHalf;
      for (int64_t i = 0; i < parts; ++i) {
        const int64_t k0 = call.k * i / parts / 4 * 4;
        const int64_t k1 = i + 1 == parts ? call.k : call.k * (i + 1) / parts / 4 * 4;
        const float* b = call.b + (panel * call.k + k0) * kPanel;
        multiply_panel({.a = call.a + row * call.lda + k0,
                        .lda = call.lda,
                        .b = b,
                        .c = sums,
                        .ldc = kPanel,
                        .rows = rows,
                        .k = k1 - k0,
                        .vecs = kPanelVecs,
                        .last_columns = kLanes,
                        .accumulate = i > 0,
                        .epilogue = nullptr,
                        .row = 0,
                        .column = 0,
                        .next = panel + 1 < last || i + 1 < parts ? b + (k1 - k0) * kPanel : nullptr});
      }
      gate_rows(call.epilogue.activation, sums, kHalf, rows, left < kHalf ? left : kHalf,
                call.c + row * call.ldc + panel * kHalf, call.ldc);
    }
  }
}

void pack(const float* b, int64_t k_stride, int64_t n_stride, int64_t k, int64_t n, int64_t first, int64_t last,
          float* packed) {
  for (int64_t panel = first; panel < last; ++panel) {
    const int64_t column = panel * kPanel, width = panel_width(n, panel);
    const int64_t left = n - column;
    pack_columns(b + column * n_stride, k_stride, n_stride, k, left < width ? left : width, width, width,
                 packed + column * k);
  }
}

void pack_gated(const float* gate, const float* up, int64_t k_stride, int64_t n_stride, int64_t k, int64_t n,
                int64_t first, int64_t last, float* packed) {
  constexpr int64_t kHalf = kPanel / 2;
  for (int64_t panel = first; panel < last; ++panel) {
    const int64_t column = panel * kHalf, left = n - column, columns = left < kHalf ? left : kHalf;
    float* to = packed + panel * kPanel * k;
    pack_columns(gate + column * n_stride, k_stride, n_stride, k, columns, kHalf, kPanel, to);
    pack_columns(up + column * n_stride, k_stride, n_stride, k, columns, kHalf, kPanel, to + kHalf);
  }
}

}  // namespace

ORT_CPU_EXPORT(GemmTable, gemm_table) = {kLanes,     kPanel,   kTileRows,      pack,
                                         pack_gated, multiply, multiply_gated, transpose};
