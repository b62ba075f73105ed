// PadRagged: stacks vectors of different lengths; the classic interface, which reports errors by throwing.
#include <algorithm>
#include <vector>

#include "operators.h"

namespace text_and_sampling {
namespace {

template <typename T>
class PadRaggedKernel {
 public:
  explicit PadRaggedKernel(const Ort::ConstKernelInfo& info) {
    Ort::AllocatorWithDefaultOptions allocator;
    Ort::Value fill{nullptr};
    try {
      fill = info.GetTensorAttribute("fill", allocator);
    } catch (const Ort::Exception&) {
      return;
    }
    const auto type = fill.GetTensorTypeAndShapeInfo();
    if (type.GetElementType() != kElement<T> || type.GetElementCount() != 1) {
      ORT_CXX_API_THROW("fill must be one value of the type of the vectors", ORT_INVALID_ARGUMENT);
    }
    fill_ = *fill.GetTensorData<T>();
  }

  void Compute(OrtKernelContext* kernel_context) const {
    const Ort::KernelContext context{kernel_context};
    const size_t n = context.GetInputCount();
    const std::vector<int64_t> count{static_cast<int64_t>(n)};
    int64_t* const lengths = context.GetOutput(1, count).template GetTensorMutableData<int64_t>();
    for (size_t i = 0; i < n; ++i) {
      const std::vector<int64_t> shape = context.GetInput(i).GetTensorTypeAndShapeInfo().GetShape();
      if (shape.size() != 1) {
        ORT_CXX_API_THROW("input " + std::to_string(i) + " must be a vector, got " + to_string(shape),
                          ORT_INVALID_ARGUMENT);
      }
      lengths[i] = shape[0];
    }
    const int64_t longest = *std::max_element(lengths, lengths + n);
    T* row = context.GetOutput(0, std::vector<int64_t>{count[0], longest}).template GetTensorMutableData<T>();
    for (size_t i = 0; i < n; ++i, row += longest) {
      std::copy_n(context.GetInput(i).template GetTensorData<T>(), lengths[i], row);
      std::fill(row + lengths[i], row + longest, fill_);
    }
  }

 private:
  T fill_{};
};

template <typename T>
struct PadRagged : Ort::CustomOpBase<PadRagged<T>, PadRaggedKernel<T>> {
  void* CreateKernel(const OrtApi&, const OrtKernelInfo* info) const {
    return std::make_unique<PadRaggedKernel<T>>(Ort::ConstKernelInfo{info}).release();
  }

  const char* GetName() const { return "PadRagged"; }
  size_t GetInputTypeCount() const { return 1; }
  ONNXTensorElementDataType GetInputType(size_t) const { return kElement<T>; }
  OrtCustomOpInputOutputCharacteristic GetInputCharacteristic(size_t) const { return INPUT_OUTPUT_VARIADIC; }
  int GetVariadicInputMinArity() const { return 2; }
  size_t GetOutputTypeCount() const { return 2; }
  ONNXTensorElementDataType GetOutputType(size_t index) const { return index == 0 ? kElement<T> : kElement<int64_t>; }

  static Ort::Status InferOutputShape(Ort::ShapeInferContext& context) {
    const int64_t n = static_cast<int64_t>(context.GetInputCount());
    if (Ort::Status status = context.SetOutputShape(0, {n, "longest"}, kElement<T>); !status.IsOK()) return status;
    return context.SetOutputShape(1, {n}, kElement<int64_t>);
  }
};

}  // namespace

void add_pad_ragged(Ort::CustomOpDomain& domain) {
  static const PadRagged<float> floats;
  static const PadRagged<int64_t> integers;
  domain.Add(&floats);
  domain.Add(&integers);
}

}  // namespace text_and_sampling
