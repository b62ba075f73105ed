// FusedScaleBias: y = activation(x * scale + bias) along one axis; the classic interface with statuses, computed in
// place.
#include <algorithm>
#include <limits>
#include <vector>

#include "operators.h"

namespace text_and_sampling {
namespace {

enum Input : size_t { kX, kScale, kBias, kInputs };

class FusedScaleBiasKernel {
 public:
  explicit FusedScaleBiasKernel(const Ort::ConstKernelInfo& info) {
    axis_ = attribute_or<int64_t>(info, "axis", 1);
    const std::string activation = attribute_or<std::string>(info, "activation", "none");
    if (activation != "none" && activation != "relu") {
      ORT_CXX_API_THROW("activation must be none or relu, got " + activation, ORT_INVALID_ARGUMENT);
    }
    lower_bound_ = activation == "relu" ? 0.0f : -std::numeric_limits<float>::infinity();
    int is_constant = 0;
    const Ort::ConstValue scale = info.GetTensorConstantInput(kScale, &is_constant);
    if (is_constant && scale.GetTensorTypeAndShapeInfo().GetDimensionsCount() != 1) {
      ORT_CXX_API_THROW("scale must have one dimension", ORT_INVALID_ARGUMENT);
    }
  }

  OrtStatusPtr ComputeV2(OrtKernelContext* context) const noexcept {
    try {
      return compute(Ort::KernelContext{context}).release();
    } catch (const Ort::Exception& error) {
      return Ort::Status{error}.release();
    } catch (const std::exception& error) {
      return Ort::Status{error}.release();
    }
  }

 private:
  Ort::Status compute(const Ort::KernelContext& context) const {
    const Ort::ConstValue x = context.GetInput(kX);
    const std::vector<int64_t> shape = x.GetTensorTypeAndShapeInfo().GetShape();
    const int64_t rank = static_cast<int64_t>(shape.size());
    if (axis_ < -rank || axis_ >= rank) {
      const std::string message = "axis " + std::to_string(axis_) + " is not one of x, which is " + to_string(shape);
      return Ort::Status{message.c_str(), ORT_INVALID_ARGUMENT};
    }
    const auto axis = shape.begin() + (axis_ < 0 ? axis_ + rank : axis_);
    const int64_t channels = *axis;
    const Ort::ConstValue scale = context.GetInput(kScale);
    const Ort::ConstValue bias = context.GetInputCount() > kBias ? context.GetInput(kBias) : Ort::ConstValue{nullptr};
    for (const Ort::ConstValue& each : {scale, bias}) {
      if (!each || each.GetTensorTypeAndShapeInfo().GetShape() == std::vector<int64_t>{channels}) continue;
      const std::string message = "scale and bias must be [" + std::to_string(channels) + "], got " +
                                  to_string(each.GetTensorTypeAndShapeInfo().GetShape());
      return Ort::Status{message.c_str(), ORT_INVALID_ARGUMENT};
    }
    int64_t outer = 1, inner = 1;
    for (auto dim = shape.begin(); dim != axis; ++dim) outer *= *dim;
    for (auto dim = axis + 1; dim != shape.end(); ++dim) inner *= *dim;
    const float* in = x.GetTensorData<float>();
    float* out = context.GetOutput(0, shape).GetTensorMutableData<float>();
    const float* const factors = scale.GetTensorData<float>();
    const float* const terms = bias ? bias.GetTensorData<float>() : nullptr;
    for (int64_t o = 0; o < outer; ++o) {
      for (int64_t c = 0; c < channels; ++c) {
        const float term = terms ? terms[c] : 0.0f;
        for (int64_t i = 0; i < inner; ++i) *out++ = std::max(lower_bound_, *in++ * factors[c] + term);
      }
    }
    return Ort::Status{nullptr};
  }

  int64_t axis_;
  float lower_bound_;
};

struct FusedScaleBias : Ort::CustomOpBase<FusedScaleBias, FusedScaleBiasKernel, true> {
  FusedScaleBias() {
    OrtCustomOp::GetMayInplace = [](int** inputs, int** outputs) -> size_t {
      *inputs = new int{kX};
      *outputs = new int{0};
      return 1;
    };
    OrtCustomOp::ReleaseMayInplace = [](int* inputs, int* outputs) {
      delete inputs;
      delete outputs;
    };
  }

  OrtStatusPtr CreateKernelV2(const OrtApi&, const OrtKernelInfo* info, void** kernel) const noexcept {
    try {
      *kernel = std::make_unique<FusedScaleBiasKernel>(Ort::ConstKernelInfo{info}).release();
      return nullptr;
    } catch (const Ort::Exception& error) {
      return Ort::Status{error}.release();
    } catch (const std::exception& error) {
      return Ort::Status{error}.release();
    }
  }

  const char* GetName() const { return "FusedScaleBias"; }
  const char* GetExecutionProviderType() const { return kCpu; }
  size_t GetInputTypeCount() const { return kInputs; }
  ONNXTensorElementDataType GetInputType(size_t) const { return kElement<float>; }
  OrtCustomOpInputOutputCharacteristic GetInputCharacteristic(size_t index) const {
    return index == kBias ? INPUT_OUTPUT_OPTIONAL : INPUT_OUTPUT_REQUIRED;
  }
  size_t GetOutputTypeCount() const { return 1; }
  ONNXTensorElementDataType GetOutputType(size_t) const { return kElement<float>; }

  static Ort::Status InferOutputShape(Ort::ShapeInferContext& context) {
    return context.SetOutputShape(0, context.GetInputShape(kX), kElement<float>);
  }
};

}  // namespace

void add_fused_scale_bias(Ort::CustomOpDomain& domain) {
  static const FusedScaleBias op;
  domain.Add(&op);
}

}  // namespace text_and_sampling
