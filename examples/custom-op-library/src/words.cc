// SplitWords and JoinWords: between texts and their words.
#include <algorithm>
#include <stdexcept>
#include <unordered_set>
#include <vector>

#include "operators.h"

namespace text_and_sampling {
namespace {

using Ort::Custom::Span;
using Ort::Custom::Tensor;

class SplitWords {
 public:
  SplitWords(const OrtApi*, const OrtKernelInfo* kernel_info) {
    const Ort::ConstKernelInfo info{kernel_info};
    separators_ = attribute_or<std::string>(info, "separators", " \t\r\n");
    lowercase_ = attribute_or<int64_t>(info, "lowercase", 0) != 0;
    if (separators_.empty()) throw std::invalid_argument("separators must not be empty");
  }

  void Compute(const Tensor<std::string>& texts, std::optional<const Tensor<std::string>*> stop_words,
               Tensor<std::string>& words, Tensor<int64_t>& counts) {
    std::unordered_set<std::string> skipped;
    if (stop_words) skipped.insert((*stop_words)->Data().begin(), (*stop_words)->Data().end());
    std::vector<std::string> found;
    int64_t* count = counts.Allocate(texts.Shape());
    for (const std::string& text : texts.Data()) {
      const size_t before = found.size();
      for (size_t end = 0, begin = 0; (begin = text.find_first_not_of(separators_, end)) != std::string::npos;) {
        end = std::min(text.find_first_of(separators_, begin), text.size());
        std::string word = text.substr(begin, end - begin);
        if (lowercase_) std::transform(word.begin(), word.end(), word.begin(), lower);
        if (!skipped.contains(word)) found.push_back(std::move(word));
      }
      *count++ = static_cast<int64_t>(found.size() - before);
    }
    words.SetStringOutput(found, {static_cast<int64_t>(found.size())});
  }

  static Ort::Status InferOutputShape(Ort::ShapeInferContext& context) {
    if (Ort::Status status = context.SetOutputShape(0, {"words"}, ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING); !status.IsOK())
      return status;
    return context.SetOutputShape(1, context.GetInputShape(0), kElement<int64_t>);
  }

 private:
  static char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

  std::string separators_;
  bool lowercase_;
};

void join_words(const Tensor<std::string_view>& words, const Span<int64_t>& counts,
                std::optional<std::string_view> separator, Tensor<std::string>& texts) {
  const std::vector<std::string_view>& parts = words.Data();
  std::vector<std::string> joined(counts.size());
  size_t next = 0;
  for (size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] < 0 || static_cast<size_t>(counts[i]) > parts.size() - next) {
      ORT_CXX_API_THROW("count " + std::to_string(i) + " is " + std::to_string(counts[i]) + ", but " +
                            std::to_string(parts.size() - next) + " words are left",
                        ORT_INVALID_ARGUMENT);
    }
    for (int64_t k = 0; k < counts[i]; ++k) {
      if (k) joined[i] += separator.value_or(" ");
      joined[i] += parts[next++];
    }
  }
  texts.SetStringOutput(joined, {static_cast<int64_t>(joined.size())});
}

Ort::Status infer_joined(Ort::ShapeInferContext& context) {
  return context.SetOutputShape(0, context.GetInputShape(1), ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING);
}

constexpr int kJoinWordsSince = 2;

}  // namespace

void add_words(Ort::CustomOpDomain& domain) {
  using Op = std::unique_ptr<Ort::Custom::OrtLiteCustomOp>;
  static const Op split{Ort::Custom::CreateLiteCustomOp<SplitWords>("SplitWords", kCpu)};
  static const Op join{Ort::Custom::CreateLiteCustomOp("JoinWords", kCpu, join_words, infer_joined, kJoinWordsSince)};
  domain.Add(split.get());
  domain.Add(join.get());
}

}  // namespace text_and_sampling
