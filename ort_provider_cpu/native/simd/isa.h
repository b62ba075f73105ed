// Instruction-set levels: each file of this folder is compiled once for each, and one is chosen when the process
// starts.
//
// A file of this folder defines everything in an anonymous namespace and exports one table of functions:
//
//   // gemm.h
//   struct GemmTable { void (*gemm)(...); ... };
//   ORT_CPU_TABLE(GemmTable, gemm_table)
//
//   // gemm.cpp
//   ORT_CPU_EXPORT(GemmTable, gemm_table) = {gemm, ...};
//
// and callers use `simd::gemm_table().gemm(...)`. These files use no standard containers and share no inline templates
// with the rest of the library: the linker might keep the copy that was compiled for the widest instructions.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ort_cpu::simd {

enum class Isa { baseline, avx2, avx512, avx512_vnni, avx512_bf16 };

/// The level in use: the best that the processor has, capped by `ORT_CPU_ISA`.
Isa isa();
const char* isa_name(Isa level);
/// The levels that this processor can run.
bool is_supported(Isa level);

}  // namespace ort_cpu::simd

#if defined(ORT_CPU_X86)
#define ORT_CPU_TABLE(Table, name)                                       \
  namespace ort_cpu::simd {                                              \
  extern const Table name##_baseline, name##_avx2, name##_avx512;        \
  inline const Table& name() {                                           \
    static const Table& chosen = isa() >= Isa::avx512 ? name##_avx512    \
                                 : isa() == Isa::avx2 ? name##_avx2      \
                                                      : name##_baseline; \
    return chosen;                                                       \
  }                                                                      \
  }
#else
#define ORT_CPU_TABLE(Table, name)                       \
  namespace ort_cpu::simd {                              \
  extern const Table name##_baseline;                    \
  inline const Table& name() { return name##_baseline; } \
  }
#endif

#define ORT_CPU_PASTE_(name, level) name##_##level
#define ORT_CPU_PASTE(name, level) ORT_CPU_PASTE_(name, level)
/// Defines the table of the level that the file is being compiled for (`ORT_CPU_LEVEL`: baseline, avx2 or avx512).
#define ORT_CPU_EXPORT(Table, name) extern const ort_cpu::simd::Table ort_cpu::simd::ORT_CPU_PASTE(name, ORT_CPU_LEVEL)
