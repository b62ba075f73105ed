// Transposes and row copies of every level, against plain loops.
#include "simd/transpose.h"

#include <cstdint>
#include <cstring>
#include <vector>

#include "tests/check.h"

namespace {

using ort_cpu::simd::MovementTable;

std::vector<const MovementTable*> tables() {
  using namespace ort_cpu::simd;
  std::vector<const MovementTable*> all{&movement_table_baseline};
#if defined(ORT_CPU_X86)
  if (is_supported(Isa::avx2)) all.push_back(&movement_table_avx2);
  if (is_supported(Isa::avx512)) all.push_back(&movement_table_avx512);
#endif
  return all;
}

std::vector<uint8_t> numbered(size_t bytes) {
  std::vector<uint8_t> data(bytes);
  for (size_t i = 0; i < bytes; ++i) data[i] = static_cast<uint8_t>(i * 167 + (i >> 8) * 13);
  return data;
}

/// Transposes a matrix that lies inside larger ones, and checks that nothing around the destination changes.
bool transposes(const MovementTable& table, int log_size, int rows, int columns, int src_gap, int dst_gap) {
  const int size = 1 << log_size, src_stride = (columns + src_gap) * size, dst_stride = (rows + dst_gap) * size;
  const std::vector<uint8_t> src = numbered(static_cast<size_t>(rows) * src_stride + 1);
  std::vector<uint8_t> dst(static_cast<size_t>(columns) * dst_stride + 1, 0xa5), expected = dst;
  for (int r = 0; r < rows; ++r)
    for (int c = 0; c < columns; ++c)
      std::memcpy(&expected[c * dst_stride + r * size], &src[r * src_stride + c * size], size);
  table.transpose[log_size](src.data(), src_stride, dst.data(), dst_stride, rows, columns);
  return dst == expected;
}

bool copies_rows(const MovementTable& table, int bytes, int rows, int src_gap, int dst_gap) {
  const int src_stride = bytes + src_gap, dst_stride = bytes + dst_gap;
  const std::vector<uint8_t> src = numbered(static_cast<size_t>(rows) * src_stride + bytes + 1);
  std::vector<uint8_t> dst(static_cast<size_t>(rows) * dst_stride + 1, 0xa5), expected = dst;
  for (int r = 0; r < rows; ++r) std::memcpy(&expected[r * dst_stride], &src[r * src_stride], bytes);
  table.copy_rows(src.data(), src_stride, dst.data(), dst_stride, rows, bytes);
  return dst == expected;
}

}  // namespace

TEST(transpose_equals_plain_loops) {
  for (const MovementTable* table : tables())
    for (int log_size = 0; log_size < 5; ++log_size)
      for (int rows : {0, 1, 2, 3, 4, 7, 8, 15, 16, 17, 33, 64, 65, 70, 130, 300})
        for (int columns : {0, 1, 2, 3, 5, 8, 16, 19, 32, 63, 64, 67, 129})
          for (int gap : {0, 3}) {
            CHECK(transposes(*table, log_size, rows, columns, gap, 0));
            CHECK(transposes(*table, log_size, rows, columns, 0, gap));
          }
}

TEST(rows_of_any_length_are_copied_exactly) {
  for (const MovementTable* table : tables())
    for (int bytes = 0; bytes < 200; ++bytes)
      for (int rows : {0, 1, 5})
        for (int gap : {0, 1, 9}) CHECK(copies_rows(*table, bytes, rows, gap, 9 - gap));
}

TEST(long_rows_are_copied_exactly) {
  for (const MovementTable* table : tables())
    for (int bytes : {1000, 1023, 1024, 1025, 5000}) CHECK(copies_rows(*table, bytes, 4, 3, 1));
}

TEST(a_row_is_repeated_by_a_stride_of_zero) {
  for (const MovementTable* table : tables()) CHECK(copies_rows(*table, 12, 50, -12, 0));
}

TEST_MAIN()
