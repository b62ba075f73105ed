#include "engine/dtype.h"

#include "engine/tensor.h"

namespace ort_cpu {

const char* name_of(DType type) {
  static constexpr const char* names[] = {"none",           "float",    "uint8",        "int8",           "uint16",
                                          "int16",          "int32",    "int64",        "string",         "bool",
                                          "float16",        "double",   "uint32",       "uint64",         "complex64",
                                          "complex128",     "bfloat16", "float8e4m3fn", "float8e4m3fnuz", "float8e5m2",
                                          "float8e5m2fnuz", "uint4",    "int4",         "float4e2m1",     "float8e8m0",
                                          "uint2",          "int2",     "float6e2m3",   "float6e3m2"};
  const auto index = static_cast<size_t>(type);
  return index < std::size(names) ? names[index] : "unknown";
}

void throw_unsupported_dtype(DType type) {
  throw_not_implemented("the kernel does not take elements of type ", name_of(type));
}

std::vector<int64_t> to_int64(const Tensor& tensor) {
  std::vector<int64_t> out(static_cast<size_t>(tensor.size()));
  if (tensor.dtype == DType::i64) {
    std::copy_n(tensor.as<int64_t>(), out.size(), out.begin());
  } else if (tensor.dtype == DType::i32) {
    std::copy_n(tensor.as<int32_t>(), out.size(), out.begin());
  } else {
    throw_invalid("expected int32 or int64 elements, got ", name_of(tensor.dtype));
  }
  return out;
}

}  // namespace ort_cpu
