// RunLengthEncode and RunLengthDecode: functions as operators, one overload for each type of the values.
#include <algorithm>
#include <limits>
#include <vector>

#include "operators.h"

namespace text_and_sampling {
namespace {

using Ort::Custom::Span;
using Ort::Custom::Tensor;

template <typename T>
Ort::Status decode(const Span<T>& values, const Span<int64_t>& lengths, Tensor<T>& decoded) {
  if (values.size() != lengths.size()) {
    const std::string message =
        "got " + std::to_string(values.size()) + " values but " + std::to_string(lengths.size()) + " lengths";
    return Ort::Status{message.c_str(), ORT_INVALID_ARGUMENT};
  }
  int64_t total = 0;
  for (size_t i = 0; i < lengths.size(); ++i) {
    if (lengths[i] < 0) {
      const std::string message = "length " + std::to_string(i) + " is negative: " + std::to_string(lengths[i]);
      return Ort::Status{message.c_str(), ORT_INVALID_ARGUMENT};
    }
    if (lengths[i] > std::numeric_limits<int64_t>::max() - total) {
      return Ort::Status{"the lengths sum up to more than fits into 64 bits", ORT_INVALID_ARGUMENT};
    }
    total += lengths[i];
  }
  T* out = decoded.Allocate({total});
  for (size_t i = 0; i < values.size(); ++i) out = std::fill_n(out, lengths[i], values[i]);
  return Ort::Status{nullptr};
}

template <typename T>
void encode(const Tensor<T>& decoded, Tensor<T>& values, Tensor<int64_t>& lengths) {
  const T* const x = decoded.Data();
  const int64_t n = decoded.NumberOfElement();
  std::vector<T> runs;
  std::vector<int64_t> counts;
  for (int64_t i = 0; i < n; ++i) {
    if (i == 0 || x[i] != x[i - 1]) {
      runs.push_back(x[i]);
      counts.push_back(0);
    }
    ++counts.back();
  }
  const std::vector<int64_t> shape{static_cast<int64_t>(runs.size())};
  std::copy(runs.begin(), runs.end(), values.Allocate(shape));
  std::copy(counts.begin(), counts.end(), lengths.Allocate(shape));
}

template <typename T>
Ort::Status infer_decoded(Ort::ShapeInferContext& context) {
  return context.SetOutputShape(0, {"decoded_length"}, kElement<T>);
}

template <typename T>
Ort::Status infer_encoded(Ort::ShapeInferContext& context) {
  if (Ort::Status status = context.SetOutputShape(0, {"runs"}, kElement<T>); !status.IsOK()) return status;
  return context.SetOutputShape(1, {"runs"}, kElement<int64_t>);
}

template <typename T>
void add(Ort::CustomOpDomain& domain) {
  using Op = std::unique_ptr<Ort::Custom::OrtLiteCustomOp>;
  static const Op decoder{Ort::Custom::CreateLiteCustomOp("RunLengthDecode", kCpu, decode<T>, infer_decoded<T>)};
  static const Op encoder{Ort::Custom::CreateLiteCustomOp("RunLengthEncode", kCpu, encode<T>, infer_encoded<T>)};
  domain.Add(decoder.get());
  domain.Add(encoder.get());
}

}  // namespace

void add_run_lengths(Ort::CustomOpDomain& domain) {
  add<float>(domain);
  add<double>(domain);
  add<int64_t>(domain);
}

}  // namespace text_and_sampling
