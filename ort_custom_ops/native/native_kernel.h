/* The native entry of a custom operator's kernel, version 1: how an engine calls a kernel without Python.
 *
 * Only tensors of fixed-size elements in host memory pass here; the element types are those of onnx.TensorProto. */
#ifndef ORT_CORE_NATIVE_KERNEL_H
#define ORT_CORE_NATIVE_KERNEL_H

#include <stddef.h>
#include <stdint.h>

#define ORT_CORE_NATIVE_KERNEL_VERSION 1

typedef struct OrtCoreTensor {
  void* data; /* row-major; not to be written if it is an input */
  const int64_t* dims;
  int32_t rank;
  int32_t element;
} OrtCoreTensor;

/* One call. The engine owns all memory; what `allocate` gives is valid until the kernel returns. */
typedef struct OrtCoreCall {
  const OrtCoreTensor* inputs; /* an absent input has element 0 */
  size_t n_inputs;
  size_t n_outputs;
  const uint8_t* wanted; /* for each output, whether anybody uses it */
  /* Memory for an output, uninitialised and aligned to 64 bytes; the shape and type are the output's. Null: refused, the
   * kernel returns with any non-zero code then. At most once for each output. */
  void* (*allocate)(void* engine, size_t output, int32_t element, const int64_t* dims, int32_t rank);
  /* Calls function(user, i) for 0 <= i < total, in parallel on at most `batches` threads (0: the engine chooses). */
  void (*parallel_for)(void* engine, void (*function)(void* user, size_t index), size_t total, size_t batches, void* user);
  void* engine; /* the first argument of both */
} OrtCoreCall;

typedef struct OrtCoreKernel {
  uint32_t version; /* ORT_CORE_NATIVE_KERNEL_VERSION */
  void* state;
  /* Computes every wanted output. Returns 0, or a code of OrtErrorCode with a message (UTF-8, cut to `message_bytes`
   * including the terminator). May be called from several threads at once. */
  int32_t (*compute)(void* state, const OrtCoreCall* call, char* message, size_t message_bytes);
} OrtCoreKernel;

#endif
