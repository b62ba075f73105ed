// WeightedSum and SplitColumns: any number of inputs, any number of outputs.
#include <algorithm>
#include <vector>

#include "operators.h"

namespace text_and_sampling {
namespace {

using Ort::Custom::Tensor;
using Ort::Custom::Variadic;

class WeightedSum {
 public:
  WeightedSum(const OrtApi*, const OrtKernelInfo* kernel_info) {
    const Ort::ConstKernelInfo info{kernel_info};
    weights_ = info.GetAttributes<float>("weights");
    if (weights_.size() != info.GetInputCount()) {
      ORT_CXX_API_THROW(
          "got " + std::to_string(weights_.size()) + " weights for " + std::to_string(info.GetInputCount()) + " terms",
          ORT_INVALID_ARGUMENT);
    }
  }

  Ort::Status Compute(OrtKernelContext* context, const Variadic& terms, Tensor<float>& sum) {
    std::vector<int64_t> shape;
    for (size_t i = 0; i < terms.Size(); ++i) {
      // `Variadic` takes every input for a tensor of the first one's type.
      const auto type = Ort::KernelContext{context}.GetInput(i).GetTensorTypeAndShapeInfo();
      if (type.GetElementType() != kElement<float>) {
        return Ort::Status{("term " + std::to_string(i) + " is not a tensor(float)").c_str(), ORT_INVALID_ARGUMENT};
      }
      if (i == 0) shape = type.GetShape();
      if (type.GetShape() != shape) {
        const std::string message = "term " + std::to_string(i) + " has the shape " + to_string(type.GetShape()) +
                                    ", the first one " + to_string(shape);
        return Ort::Status{message.c_str(), ORT_INVALID_ARGUMENT};
      }
    }
    float* const y = sum.Allocate(shape);
    const int64_t n = sum.NumberOfElement();
    std::fill(y, y + n, 0.0f);
    for (size_t i = 0; i < terms.Size(); ++i) {
      const float* const x = static_cast<const float*>(terms[i]->DataRaw());
      for (int64_t k = 0; k < n; ++k) y[k] += weights_[i] * x[k];
    }
    return Ort::Status{nullptr};
  }

  static Ort::Status InferOutputShape(Ort::ShapeInferContext& context) {
    return context.SetOutputShape(0, context.GetInputShape(0), kElement<float>);
  }

 private:
  std::vector<float> weights_;
};

Ort::Status split_columns(OrtKernelContext* context, const Tensor<float>& table, Variadic& columns) {
  const std::vector<int64_t>& shape = table.Shape();
  const size_t outputs = Ort::KernelContext{context}.GetOutputCount();
  if (shape.size() != 2 || shape[1] != static_cast<int64_t>(outputs)) {
    const std::string message = "table must be [N, " + std::to_string(outputs) + "], got " + to_string(shape);
    return Ort::Status{message.c_str(), ORT_INVALID_ARGUMENT};
  }
  const float* const values = table.Data();
  for (size_t c = 0; c < outputs; ++c) {
    float* const column = columns.AllocateOutput<float>(c, {shape[0]});
    for (int64_t r = 0; r < shape[0]; ++r) column[r] = values[static_cast<size_t>(r) * outputs + c];
  }
  return Ort::Status{nullptr};
}

}  // namespace

void add_variadic(Ort::CustomOpDomain& domain) {
  using Op = std::unique_ptr<Ort::Custom::OrtLiteCustomOp>;
  static const Op sum{Ort::Custom::CreateLiteCustomOp<WeightedSum>("WeightedSum", kCpu)};
  static const Op split{Ort::Custom::CreateLiteCustomOp("SplitColumns", kCpu, split_columns)};
  domain.Add(sum.get());
  domain.Add(split.get());
}

}  // namespace text_and_sampling
