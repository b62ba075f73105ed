/* Stands for libonnxruntime where a library of custom operators is linked to it. The versions of the symbol, one for
 * each release, are in `versions.h`, which the build writes. */

static const void* api_base;

__attribute__((visibility("default"))) void ort_custom_ops_set_api_base(const void* base) { api_base = base; }

/* The name of this function makes room among the names of the file for another name of the library. */
__attribute__((visibility("default"))) void ort_custom_ops_room_for_another_name_of_this_library(void) {}

const void* OrtGetApiBase(void) { return api_base; }

#define ORT_VERSION(tag, version)                                                                   \
  __attribute__((visibility("default"))) const void* OrtGetApiBase_##tag(void) { return api_base; } \
  __asm__(".symver OrtGetApiBase_" #tag ", OrtGetApiBase@" version);
#include "versions.h"
