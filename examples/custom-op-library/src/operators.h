// The operators of this library, by family, and what several of them use.
#pragma once

#include <onnxruntime_cxx_api.h>
#include <onnxruntime_lite_custom_op.h>

#include <string>

namespace text_and_sampling {

constexpr const char* kCpu = "CPUExecutionProvider";

// Each adds its operators to `domain`; the operators live as long as the library is loaded.
void add_format_rows(Ort::CustomOpDomain& domain);
void add_fused_scale_bias(Ort::CustomOpDomain& domain);
void add_pad_ragged(Ort::CustomOpDomain& domain);
void add_run_lengths(Ort::CustomOpDomain& domain);
void add_top_p_mask(Ort::CustomOpDomain& domain);
void add_variadic(Ort::CustomOpDomain& domain);
void add_words(Ort::CustomOpDomain& domain);

// The attribute's value, or `fallback` if the node does not have it.
template <typename T>
T attribute_or(const Ort::ConstKernelInfo& info, const char* name, T fallback) {
  try {
    return info.GetAttribute<T>(name);
  } catch (const Ort::Exception&) {
    return fallback;
  }
}

template <typename T>
constexpr ONNXTensorElementDataType kElement = Ort::TypeToTensorType<T>::type;

// "[2, 3]"
inline std::string to_string(const std::vector<int64_t>& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

}  // namespace text_and_sampling
