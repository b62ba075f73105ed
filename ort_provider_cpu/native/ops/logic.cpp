// And, Or, Xor, BitwiseAnd, BitwiseOr, BitwiseXor, BitShift.
#include <type_traits>

#include "engine/registry.h"
#include "ops/binary.h"

namespace ort_cpu {
namespace {

using simd::Bitwise;

/// Y = A and, or, xor B, bit by bit, of bools or integers: the loop is one of bytes, so that rows count in bytes.
template <Bitwise K>
simd::BinaryLoop byte_loop() {
  return simd::binary_types_table().bitwise[static_cast<int>(K)];
}

template <class T, Bitwise K>
void wide_loop(const void* pa, const void* pb, void* py, int64_t n, int a_step, int b_step) {
  if (a_step != 0 && b_step != 0) {
    byte_loop<K>()(pa, pb, py, n * static_cast<int64_t>(sizeof(T)), 1, 1);
    return;
  }
  const T *a = static_cast<const T*>(pa), *b = static_cast<const T*>(pb);
  T* y = static_cast<T*>(py);
  for (int64_t i = 0; i < n; ++i) {
    const T x = a[i * a_step], z = b[i * b_step];
    y[i] = static_cast<T>(K == Bitwise::bit_and ? x & z : K == Bitwise::bit_or ? x | z : x ^ z);
  }
}

template <Bitwise K>
std::unique_ptr<Kernel> make_bitwise(const NodeSpec& node) {
  const simd::BinaryLoop loop = dispatch_size(node.dtype(0), []<class T>() -> simd::BinaryLoop {
    if constexpr (std::is_integral_v<T>) {
      return sizeof(T) == 1 ? byte_loop<K>() : wide_loop<T, K>;
    } else {
      throw_unsupported_dtype(DType::c128);
    }
  });
  return std::make_unique<BinaryKernel>(BinaryFunction{.loop = loop});
}

/// Shifts by less than zero or the width or more give what endless shifting gives.
template <class T, bool kLeft>
void shift_loop(const void* pa, const void* pb, void* py, int64_t n, int a_step, int b_step) {
  using U = std::make_unsigned_t<T>;
  constexpr int kBits = static_cast<int>(sizeof(T) * 8);
  const T *a = static_cast<const T*>(pa), *b = static_cast<const T*>(pb);
  T* y = static_cast<T*>(py);
  for (int64_t i = 0; i < n; ++i) {
    const T x = a[i * a_step], by = b[i * b_step];
    const bool in_range = by >= T{} && static_cast<uint64_t>(by) < kBits;
    if constexpr (kLeft) {
      y[i] = in_range ? static_cast<T>(static_cast<uint64_t>(static_cast<U>(x)) << static_cast<int>(by)) : T{};
    } else {
      y[i] = in_range ? static_cast<T>(x >> static_cast<int>(by)) : (x < T{} ? static_cast<T>(-1) : T{});
    }
  }
}

std::unique_ptr<Kernel> make_shift(const NodeSpec& node) {
  const std::string direction = node.attributes.text("direction", "");
  require(direction == "LEFT" || direction == "RIGHT", "direction is '", direction, "', must be 'LEFT' or 'RIGHT'");
  const bool left = direction == "LEFT";
  const simd::BinaryLoop loop = dispatch_integer(node.dtype(0), [left]<class T>() -> simd::BinaryLoop {
    return left ? shift_loop<T, true> : shift_loop<T, false>;
  });
  return std::make_unique<BinaryKernel>(BinaryFunction{.loop = loop, .ns_per_element = 1.0});
}

const Registration registration{
    {.op = "And", .inputs = {kBool}, .make = make_bitwise<Bitwise::bit_and>},
    {.op = "Or", .inputs = {kBool}, .make = make_bitwise<Bitwise::bit_or>},
    {.op = "Xor", .inputs = {kBool}, .make = make_bitwise<Bitwise::bit_xor>},
    {.op = "BitwiseAnd", .inputs = {kIntegers}, .make = make_bitwise<Bitwise::bit_and>},
    {.op = "BitwiseOr", .inputs = {kIntegers}, .make = make_bitwise<Bitwise::bit_or>},
    {.op = "BitwiseXor", .inputs = {kIntegers}, .make = make_bitwise<Bitwise::bit_xor>},
    {.op = "BitShift", .inputs = {kIntegers}, .make = make_shift},
};

}  // namespace
}  // namespace ort_cpu
