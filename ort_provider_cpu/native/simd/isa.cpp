#include "simd/isa.h"

#include <cstdlib>
#include <cstring>

namespace ort_cpu::simd {

namespace {
constexpr const char* kNames[] = {"baseline", "avx2", "avx512", "avx512_vnni", "avx512_bf16"};

Isa choose() {
  Isa best = Isa::baseline;
  for (int i = 0; i <= static_cast<int>(Isa::avx512_bf16); ++i)
    if (is_supported(static_cast<Isa>(i))) best = static_cast<Isa>(i);
  const char* cap = std::getenv("ORT_CPU_ISA");
  if (cap == nullptr) return best;
  for (int i = 0; i <= static_cast<int>(best); ++i)
    if (std::strcmp(cap, kNames[i]) == 0) return static_cast<Isa>(i);
  return best;
}
}  // namespace

bool is_supported(Isa level) {
#if defined(ORT_CPU_X86)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                      __builtin_cpu_supports("avx512cd");
  const bool vnni = avx512 && __builtin_cpu_supports("avx512vnni");
  switch (level) {
    case Isa::baseline: return true;
    case Isa::avx2: return avx2;
    case Isa::avx512: return avx512;
    case Isa::avx512_vnni: return vnni;
    case Isa::avx512_bf16: return vnni && __builtin_cpu_supports("avx512bf16");
  }
  return false;
#else
  return level == Isa::baseline;
#endif
}

Isa isa() {
  static const Isa chosen = choose();
  return chosen;
}

const char* isa_name(Isa level) { return kNames[static_cast<int>(level)]; }

}  // namespace ort_cpu::simd
