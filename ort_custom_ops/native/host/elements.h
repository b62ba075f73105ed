// Element types: sizes, and their numbers here and in ONNX.
#pragma once

#include <cstdint>
#include <span>

#include "host/abi.h"

namespace ort_ops {

/// How many elements share a byte: 2 for the types of four bits, 4 for those of two, else 1.
constexpr int elements_per_byte(int32_t type) {
  switch (type) {
    case element::uint4:
    case element::int4:
    case element::float4e2m1: return 2;
    case element::uint2:
    case element::int2: return 4;
    default: return 1;
  }
}

/// Bytes of one element; of the byte that several elements share; of a `std::string`. 0: there is no such type.
size_t element_bytes(int32_t type);

/// ONNX's name of the type, for messages.
const char* element_name(int32_t type);

/// Bytes of a tensor; throws `Error` if that is no size that memory can have.
size_t tensor_bytes(int32_t type, size_t count);

/// The number of elements; throws `Error` for negative dimensions and where the product has no room in 63 bits.
size_t element_count(std::span<const int64_t> dims);

/// The type's number in onnx.TensorProto, and back; 0 where the other side has no such type.
int32_t onnx_number(int32_t type);
int32_t from_onnx_number(int32_t number);

/// Between one element a byte, which is how values of sub-byte types flow in a session, and the packed form of the ABI
/// (low bits first).
void pack_elements(int32_t type, const uint8_t* loose, size_t count, uint8_t* packed);
void unpack_elements(int32_t type, const uint8_t* packed, size_t count, uint8_t* loose);

}  // namespace ort_ops
