#include "host/elements.h"

#include <array>
#include <string>

#include "host/status.h"

namespace ort_ops {

namespace {
constexpr std::array<uint8_t, element::newest + 1> kBytes = {
    0, 4, 1, 1, 2, 2, 4, 8, sizeof(std::string), 1, 2, 8, 4, 8, 8, 16, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
constexpr std::array<const char*, element::newest + 1> kNames = {
    "undefined", "float",      "uint8",      "int8",         "uint16",         "int16",      "int32",
    "int64",     "string",     "bool",       "float16",      "double",         "uint32",     "uint64",
    "complex64", "complex128", "bfloat16",   "float8e4m3fn", "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz",
    "uint4",     "int4",       "float4e2m1", "uint2",        "int2",           "float8e8m0"};
constexpr int kOnnxFloat8E8M0 = 24, kOnnxUint2 = 25, kOnnxInt2 = 26;
constexpr size_t kMostBytes = PTRDIFF_MAX;
}  // namespace

size_t element_bytes(int32_t type) { return type < 0 || type > element::newest ? 0 : kBytes[type]; }

const char* element_name(int32_t type) { return type < 0 || type > element::newest ? "unknown" : kNames[type]; }

size_t tensor_bytes(int32_t type, size_t count) {
  const size_t each = element_bytes(type);
  if (each == 0) throw Error{Code::invalid_argument, "there are no tensors of element type " + std::to_string(type)};
  size_t bytes;
  if (__builtin_mul_overflow(count, each, &bytes) || bytes > kMostBytes)
    throw Error{Code::invalid_argument, "a tensor of " + std::to_string(count) + " elements has no room in memory"};
  const size_t shared = elements_per_byte(type);
  return shared == 1 ? bytes : (bytes + shared - 1) / shared;
}

size_t element_count(std::span<const int64_t> dims) {
  size_t count = 1;
  for (const int64_t dim : dims) {
    if (dim < 0) throw Error{Code::invalid_argument, "a shape has the negative dimension " + std::to_string(dim)};
    if (__builtin_mul_overflow(count, static_cast<size_t>(dim), &count) || count > kMostBytes)
      throw Error{Code::invalid_argument, "a shape has more elements than memory can hold"};
  }
  return count;
}

int32_t onnx_number(int32_t type) {
  switch (type) {
    case element::uint2: return kOnnxUint2;
    case element::int2: return kOnnxInt2;
    case element::float8e8m0: return kOnnxFloat8E8M0;
    default: return element_bytes(type) == 0 ? 0 : type;
  }
}

int32_t from_onnx_number(int32_t number) {
  switch (number) {
    case kOnnxUint2: return element::uint2;
    case kOnnxInt2: return element::int2;
    case kOnnxFloat8E8M0: return element::float8e8m0;
    default: return element_bytes(number) == 0 ? 0 : number;
  }
}

void pack_elements(int32_t type, const uint8_t* loose, size_t count, uint8_t* packed) {
  const size_t shared = elements_per_byte(type), bits = 8 / shared;
  const unsigned mask = (1U << bits) - 1;
  for (size_t begin = 0; begin < count; begin += shared) {
    unsigned byte = 0;
    for (size_t k = 0; k < shared && begin + k < count; ++k) byte |= (loose[begin + k] & mask) << (k * bits);
    packed[begin / shared] = static_cast<uint8_t>(byte);
  }
}

void unpack_elements(int32_t type, const uint8_t* packed, size_t count, uint8_t* loose) {
  const size_t shared = elements_per_byte(type), bits = 8 / shared;
  const unsigned mask = (1U << bits) - 1;
  for (size_t i = 0; i < count; ++i) loose[i] = packed[i / shared] >> (i % shared * bits) & mask;
}

}  // namespace ort_ops
