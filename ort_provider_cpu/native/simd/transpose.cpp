// Transposes by tiles: 16-byte pieces of several rows share a register, and interleaving them inside its lanes
// transposes.
#include "simd/transpose.h"

#include "simd/vec.h"

namespace {

typedef uint8_t Piece1 __attribute__((vector_size(16)));
typedef uint16_t Piece2 __attribute__((vector_size(16)));
typedef uint32_t Piece4 __attribute__((vector_size(16)));
typedef uint64_t Piece8 __attribute__((vector_size(16)));
typedef Piece8 PieceUnaligned __attribute__((aligned(1), may_alias));

struct __attribute__((may_alias)) Element16 {
  uint64_t low, high;
};

template <int kSize>
struct ElementOf;
template <>
struct ElementOf<1> {
  typedef uint8_t Type __attribute__((may_alias));
};
template <>
struct ElementOf<2> {
  typedef uint16_t Type __attribute__((may_alias));
};
template <>
struct ElementOf<4> {
  typedef uint32_t Type __attribute__((may_alias));
};
template <>
struct ElementOf<8> {
  typedef uint64_t Type __attribute__((may_alias));
};
template <>
struct ElementOf<16> {
  typedef Element16 Type;
};

/// One 128-bit lane.
struct Narrow {
  [[maybe_unused]] static constexpr int kLanes128 = 1;
  Piece8 value;

  static ORT_CPU_INLINE Narrow load(const char* p, ptrdiff_t) { return {*reinterpret_cast<const PieceUnaligned*>(p)}; }
  ORT_CPU_INLINE void store(char* p) const { *reinterpret_cast<PieceUnaligned*>(p) = value; }

  template <int kSize>
  static ORT_CPU_INLINE Narrow low(Narrow a, Narrow b) {
    if constexpr (kSize == 1)
      return {(Piece8)__builtin_shufflevector((Piece1)a.value, (Piece1)b.value, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5,
                                              21, 6, 22, 7, 23)};
    else if constexpr (kSize == 2)
      return {(Piece8)__builtin_shufflevector((Piece2)a.value, (Piece2)b.value, 0, 8, 1, 9, 2, 10, 3, 11)};
    else if constexpr (kSize == 4)
      return {(Piece8)__builtin_shufflevector((Piece4)a.value, (Piece4)b.value, 0, 4, 1, 5)};
    else return {__builtin_shufflevector(a.value, b.value, 0, 2)};
  }
  template <int kSize>
  static ORT_CPU_INLINE Narrow high(Narrow a, Narrow b) {
    if constexpr (kSize == 1)
      return {(Piece8)__builtin_shufflevector((Piece1)a.value, (Piece1)b.value, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28,
                                              13, 29, 14, 30, 15, 31)};
    else if constexpr (kSize == 2)
      return {(Piece8)__builtin_shufflevector((Piece2)a.value, (Piece2)b.value, 4, 12, 5, 13, 6, 14, 7, 15)};
    else if constexpr (kSize == 4)
      return {(Piece8)__builtin_shufflevector((Piece4)a.value, (Piece4)b.value, 2, 6, 3, 7)};
    else return {__builtin_shufflevector(a.value, b.value, 1, 3)};
  }
};

#if defined(__AVX512F__)
// The zero-masked forms take every lane, and spare GCC's warnings of its own uninitialised pass-through operand.
struct Wide {
  static constexpr int kLanes128 = 4;
  __m512i value;

  static ORT_CPU_INLINE __m128i piece(const char* p) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)); }
  /// Lane i is the piece at `p + i * step`.
  static ORT_CPU_INLINE Wide load(const char* p, ptrdiff_t step) {
    __m512i v = _mm512_castsi128_si512(piece(p));
    v = _mm512_inserti32x4(v, piece(p + step), 1);
    v = _mm512_inserti32x4(v, piece(p + 2 * step), 2);
    return {_mm512_inserti32x4(v, piece(p + 3 * step), 3)};
  }
  ORT_CPU_INLINE void store(char* p) const { _mm512_storeu_si512(p, value); }
  template <int kSize>
  static ORT_CPU_INLINE Wide low(Wide a, Wide b) {
    if constexpr (kSize == 1) return {_mm512_unpacklo_epi8(a.value, b.value)};
    else if constexpr (kSize == 2) return {_mm512_unpacklo_epi16(a.value, b.value)};
    else if constexpr (kSize == 4) return {_mm512_maskz_unpacklo_epi32(0xffff, a.value, b.value)};
    else return {_mm512_maskz_unpacklo_epi64(0xff, a.value, b.value)};
  }
  template <int kSize>
  static ORT_CPU_INLINE Wide high(Wide a, Wide b) {
    if constexpr (kSize == 1) return {_mm512_unpackhi_epi8(a.value, b.value)};
    else if constexpr (kSize == 2) return {_mm512_unpackhi_epi16(a.value, b.value)};
    else if constexpr (kSize == 4) return {_mm512_maskz_unpackhi_epi32(0xffff, a.value, b.value)};
    else return {_mm512_maskz_unpackhi_epi64(0xff, a.value, b.value)};
  }
};
#elif defined(__AVX2__)
struct Wide {
  static constexpr int kLanes128 = 2;
  __m256i value;

  static ORT_CPU_INLINE __m128i piece(const char* p) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)); }
  /// Lane i is the piece at `p + i * step`.
  static ORT_CPU_INLINE Wide load(const char* p, ptrdiff_t step) {
    return {_mm256_inserti128_si256(_mm256_castsi128_si256(piece(p)), piece(p + step), 1)};
  }
  ORT_CPU_INLINE void store(char* p) const { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), value); }
  template <int kSize>
  static ORT_CPU_INLINE Wide low(Wide a, Wide b) {
    if constexpr (kSize == 1) return {_mm256_unpacklo_epi8(a.value, b.value)};
    else if constexpr (kSize == 2) return {_mm256_unpacklo_epi16(a.value, b.value)};
    else if constexpr (kSize == 4) return {_mm256_unpacklo_epi32(a.value, b.value)};
    else return {_mm256_unpacklo_epi64(a.value, b.value)};
  }
  template <int kSize>
  static ORT_CPU_INLINE Wide high(Wide a, Wide b) {
    if constexpr (kSize == 1) return {_mm256_unpackhi_epi8(a.value, b.value)};
    else if constexpr (kSize == 2) return {_mm256_unpackhi_epi16(a.value, b.value)};
    else if constexpr (kSize == 4) return {_mm256_unpackhi_epi32(a.value, b.value)};
    else return {_mm256_unpackhi_epi64(a.value, b.value)};
  }
};
#else
using Wide = Narrow;
#endif

/// Transposes 16 / kSize columns of 16 / kSize * lanes rows: each interleaving of the two halves of the registers is
/// one perfect shuffle, and as many as an index has bits make a transpose.
template <int kSize, class Register>
ORT_CPU_INLINE void transpose_tile(const char* src, ptrdiff_t src_stride, char* dst, ptrdiff_t dst_stride) {
  constexpr int kCount = 16 / kSize;
  Register a[kCount], b[kCount];
#pragma GCC unroll 16
  for (int i = 0; i < kCount; ++i) a[i] = Register::load(src + i * src_stride, kCount * src_stride);
#pragma GCC unroll 4
  for (int stage = 1; stage < kCount; stage *= 2) {
#pragma GCC unroll 8
    for (int i = 0; i < kCount / 2; ++i) {
      b[2 * i] = Register::template low<kSize>(a[i], a[i + kCount / 2]);
      b[2 * i + 1] = Register::template high<kSize>(a[i], a[i + kCount / 2]);
    }
#pragma GCC unroll 16
    for (int i = 0; i < kCount; ++i) a[i] = b[i];
  }
#pragma GCC unroll 16
  for (int i = 0; i < kCount; ++i) a[i].store(dst + i * dst_stride);
}

template <int kSize>
ORT_CPU_INLINE void transpose_scalar(const char* src, ptrdiff_t src_stride, char* dst, ptrdiff_t dst_stride,
                                     ptrdiff_t rows, ptrdiff_t columns) {
  using T = typename ElementOf<kSize>::Type;
  for (ptrdiff_t c = 0; c < columns; ++c)
    for (ptrdiff_t r = 0; r < rows; ++r)
      *reinterpret_cast<T*>(dst + c * dst_stride + r * kSize) =
          *reinterpret_cast<const T*>(src + r * src_stride + c * kSize);
}

/// Any number of rows and columns, in tiles as far as they go.
template <int kSize>
ORT_CPU_INLINE void transpose_block(const char* src, ptrdiff_t src_stride, char* dst, ptrdiff_t dst_stride,
                                    ptrdiff_t rows, ptrdiff_t columns) {
  constexpr int kCount = 16 / kSize, kWide = kCount * Wide::kLanes128;
  ptrdiff_t c = 0;
  for (; c + kCount <= columns; c += kCount) {
    ptrdiff_t r = 0;
    for (; r + kWide <= rows; r += kWide)
      transpose_tile<kSize, Wide>(src + r * src_stride + c * kSize, src_stride, dst + c * dst_stride + r * kSize,
                                  dst_stride);
    for (; r + kCount <= rows; r += kCount)
      transpose_tile<kSize, Narrow>(src + r * src_stride + c * kSize, src_stride, dst + c * dst_stride + r * kSize,
                                    dst_stride);
    transpose_scalar<kSize>(src + r * src_stride + c * kSize, src_stride, dst + c * dst_stride + r * kSize, dst_stride,
                            rows - r, kCount);
  }
  transpose_scalar<kSize>(src + c * kSize, src_stride, dst + c * dst_stride, dst_stride, rows, columns - c);
}

/// kRows planes become one row of tuples.
template <int kSize, int kRows>
void interleave(const char* src, ptrdiff_t src_stride, char* dst, ptrdiff_t columns) {
  using T = typename ElementOf<kSize>::Type;
  T* __restrict out = reinterpret_cast<T*>(dst);
  for (ptrdiff_t c = 0; c < columns; ++c)
    for (int r = 0; r < kRows; ++r) out[c * kRows + r] = *reinterpret_cast<const T*>(src + r * src_stride + c * kSize);
}

/// One row of tuples becomes kColumns planes.
template <int kSize, int kColumns>
void deinterleave(const char* src, char* dst, ptrdiff_t dst_stride, ptrdiff_t rows) {
  using T = typename ElementOf<kSize>::Type;
  const T* __restrict in = reinterpret_cast<const T*>(src);
  for (ptrdiff_t r = 0; r < rows; ++r)
    for (int c = 0; c < kColumns; ++c) *reinterpret_cast<T*>(dst + c * dst_stride + r * kSize) = in[r * kColumns + c];
}

/// Walks in squares of one cache line a side, so that lines are read and written whole even where strides collide, and
/// in bands of rows, so that few pages are in use at a time.
template <int kSize>
void transpose(const void* from, ptrdiff_t src_stride, void* to, ptrdiff_t dst_stride, ptrdiff_t rows,
               ptrdiff_t columns) {
  constexpr ptrdiff_t kSide = 64 / kSize, kBand = 256;
  const char* src = static_cast<const char*>(from);
  char* dst = static_cast<char*>(to);
  if (dst_stride == rows * kSize) {
    if (rows == 2) return interleave<kSize, 2>(src, src_stride, dst, columns);
    if (rows == 3) return interleave<kSize, 3>(src, src_stride, dst, columns);
  }
  if (src_stride == columns * kSize) {
    if (columns == 2) return deinterleave<kSize, 2>(src, dst, dst_stride, rows);
    if (columns == 3) return deinterleave<kSize, 3>(src, dst, dst_stride, rows);
  }
  for (ptrdiff_t band = 0; band < rows; band += kBand) {
    const ptrdiff_t end = band + kBand < rows ? band + kBand : rows;
    for (ptrdiff_t c = 0; c < columns; c += kSide) {
      const ptrdiff_t width = columns - c < kSide ? columns - c : kSide;
      for (ptrdiff_t r = band; r < end; r += kSide) {
        const char* s = src + r * src_stride + c * kSize;
        char* d = dst + c * dst_stride + r * kSize;
        if (width == kSide && end - r >= kSide) transpose_block<kSize>(s, src_stride, d, dst_stride, kSide, kSide);
        else transpose_block<kSize>(s, src_stride, d, dst_stride, end - r < kSide ? end - r : kSide, width);
      }
    }
  }
}

template <int kSize>
ORT_CPU_INLINE void move(const char* src, char* dst) {
  __builtin_memcpy(dst, src, kSize);
}

/// Runs of kSize to 2 * kSize bytes, as a first and a last part that may overlap.
template <int kSize>
void copy_two_parts(const char* src, ptrdiff_t src_stride, char* dst, ptrdiff_t dst_stride, ptrdiff_t rows,
                    size_t bytes) {
  const size_t last = bytes - kSize;
  for (ptrdiff_t r = 0; r < rows; ++r, src += src_stride, dst += dst_stride) {
    move<kSize>(src, dst);
    move<kSize>(src + last, dst + last);
  }
}

template <int kSize>
void copy_one_part(const char* src, ptrdiff_t src_stride, char* dst, ptrdiff_t dst_stride, ptrdiff_t rows) {
  for (ptrdiff_t r = 0; r < rows; ++r, src += src_stride, dst += dst_stride) move<kSize>(src, dst);
}

void copy_rows(const void* from, ptrdiff_t src_stride, void* to, ptrdiff_t dst_stride, ptrdiff_t rows, size_t bytes) {
  const char* src = static_cast<const char*>(from);
  char* dst = static_cast<char*>(to);
  switch (bytes) {
    case 0: return;
    case 1: return copy_one_part<1>(src, src_stride, dst, dst_stride, rows);
    case 2: return copy_one_part<2>(src, src_stride, dst, dst_stride, rows);
    case 3: return copy_two_parts<2>(src, src_stride, dst, dst_stride, rows, bytes);
    case 4: return copy_one_part<4>(src, src_stride, dst, dst_stride, rows);
    case 8: return copy_one_part<8>(src, src_stride, dst, dst_stride, rows);
    case 16: return copy_one_part<16>(src, src_stride, dst, dst_stride, rows);
    case 32: return copy_one_part<32>(src, src_stride, dst, dst_stride, rows);
    case 64: return copy_one_part<64>(src, src_stride, dst, dst_stride, rows);
  }
  if (bytes < 8) return copy_two_parts<4>(src, src_stride, dst, dst_stride, rows, bytes);
  if (bytes < 16) return copy_two_parts<8>(src, src_stride, dst, dst_stride, rows, bytes);
  if (bytes < 32) return copy_two_parts<16>(src, src_stride, dst, dst_stride, rows, bytes);
  if (bytes < 64) return copy_two_parts<32>(src, src_stride, dst, dst_stride, rows, bytes);
  if (bytes <= 1024) {
    const size_t last = bytes - 64;
    for (ptrdiff_t r = 0; r < rows; ++r, src += src_stride, dst += dst_stride) {
      for (size_t i = 0; i < last; i += 64) move<64>(src + i, dst + i);
      move<64>(src + last, dst + last);
    }
    return;
  }
  for (ptrdiff_t r = 0; r < rows; ++r, src += src_stride, dst += dst_stride) __builtin_memcpy(dst, src, bytes);
}

}  // namespace

ORT_CPU_EXPORT(MovementTable, movement_table) = {
    {transpose<1>, transpose<2>, transpose<4>, transpose<8>, transpose<16>}, copy_rows};
