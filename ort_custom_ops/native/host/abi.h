// The C ABI between ONNX Runtime and libraries of custom operators: codes, and the structs that both sides fill.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ort_ops {

/// The versions of the API that a library may ask for.
constexpr uint32_t kNewestApi = 31;
constexpr const char* kVersionString = "1.31.0";

enum class Code : int32_t {
  ok,
  fail,
  invalid_argument,
  no_such_file,
  no_model,
  engine_error,
  runtime_exception,
  invalid_protobuf,
  model_loaded,
  not_implemented,
  invalid_graph,
  ep_fail,
  model_load_canceled,
  model_requires_compilation,
  not_found,
  device_reset,
};

/// Element types as the ABI numbers them: like onnx.TensorProto, but for the last three.
namespace element {
constexpr int32_t undefined = 0, string = 8, uint4 = 21, int4 = 22, float4e2m1 = 23, uint2 = 24, int2 = 25,
                  float8e8m0 = 26;
constexpr int32_t newest = float8e8m0;
}  // namespace element

enum class OnnxType : int32_t { unknown, tensor, sequence, map, opaque, sparse_tensor, optional };
enum class AttributeType : int32_t { undefined, int_, ints, float_, floats, string, strings, graph, tensor };
enum class Arity : int32_t { required, optional, variadic };

struct Status;
struct KernelInfo;
struct KernelContext;
struct ShapeContext;
struct MemoryInfo;
class KeyValues;

/// What allocates; libraries bring their own too.
struct Allocator {
  uint32_t version;
  void* (*alloc)(Allocator*, size_t);
  void (*free)(Allocator*, void*);
  const MemoryInfo* (*info)(const Allocator*);
  void* (*reserve)(Allocator*, size_t);
  Status* (*stats)(const Allocator*, KeyValues**);
  void* (*alloc_on_stream)(Allocator*, size_t, void*);
  Status* (*shrink)(Allocator*);
};

struct ApiBase {
  const void* (*get_api)(uint32_t version);
  const char* (*version_string)();
};

/// The callbacks of one operator. A member exists only from the version of the API that brought it on; `version` says
/// against which one the library was built, and what comes later may be uninitialised.
struct CustomOp {
  uint32_t version;
  void* (*create_kernel)(const CustomOp*, const void* api, const KernelInfo*);
  const char* (*name)(const CustomOp*);
  const char* (*provider)(const CustomOp*);
  int32_t (*input_type)(const CustomOp*, size_t);
  size_t (*input_count)(const CustomOp*);
  int32_t (*output_type)(const CustomOp*, size_t);
  size_t (*output_count)(const CustomOp*);
  void (*compute)(void* kernel, KernelContext*);
  void (*destroy)(void* kernel);
  Arity (*input_arity)(const CustomOp*, size_t);
  Arity (*output_arity)(const CustomOp*, size_t);
  int32_t (*input_memory)(const CustomOp*, size_t);
  int32_t (*variadic_input_minimum)(const CustomOp*);
  int32_t (*variadic_input_homogeneous)(const CustomOp*);
  int32_t (*variadic_output_minimum)(const CustomOp*);
  int32_t (*variadic_output_homogeneous)(const CustomOp*);
  Status* (*create_kernel_v2)(const CustomOp*, const void* api, const KernelInfo*, void** kernel);
  Status* (*compute_v2)(void* kernel, KernelContext*);
  Status* (*infer_shapes)(const CustomOp*, ShapeContext*);
  int32_t (*start_version)(const CustomOp*);
  int32_t (*end_version)(const CustomOp*);
  size_t (*may_inplace)(int32_t** inputs, int32_t** outputs);
  void (*release_may_inplace)(int32_t* inputs, int32_t* outputs);
  size_t (*alias_map)(int32_t** inputs, int32_t** outputs);
  void (*release_alias_map)(int32_t* inputs, int32_t* outputs);
};

/// The versions of the API that brought members of `CustomOp`.
namespace since {
constexpr uint32_t optional_ports = 8, variadic_ports = 14, second_callbacks = 16, shape_inference = 17, aliases = 18;
}  // namespace since

}  // namespace ort_ops
