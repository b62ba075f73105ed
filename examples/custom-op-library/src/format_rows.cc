// FormatRows: one line of text for each row of columns of any types.
#include <charconv>
#include <vector>

#include "operators.h"

namespace text_and_sampling {
namespace {

template <typename T>
void append_number(std::string& line, T value) {
  char digits[64];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, value);
  line.append(digits, error == std::errc{} ? end : digits);
}

template <typename T>
void append_column(std::vector<std::string>& lines, const Ort::ConstValue& column) {
  const T* const values = column.GetTensorData<T>();
  for (size_t i = 0; i < lines.size(); ++i) append_number(lines[i], values[i]);
}

void append_values(std::vector<std::string>& lines, const Ort::ConstValue& column) {
  switch (column.GetTensorTypeAndShapeInfo().GetElementType()) {
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT: return append_column<float>(lines, column);
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE: return append_column<double>(lines, column);
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32: return append_column<int32_t>(lines, column);
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64: return append_column<int64_t>(lines, column);
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL:
      for (size_t i = 0; i < lines.size(); ++i) lines[i] += column.GetTensorData<bool>()[i] ? "true" : "false";
      return;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING:
      for (size_t i = 0; i < lines.size(); ++i) lines[i] += column.GetStringTensorElement(i);
      return;
    default:
      ORT_CXX_API_THROW("columns must be of type float, double, int32, int64, bool or string", ORT_NOT_IMPLEMENTED);
  }
}

class FormatRowsKernel {
 public:
  explicit FormatRowsKernel(const Ort::ConstKernelInfo& info) {
    separator_ = attribute_or<std::string>(info, "separator", ",");
    try {
      labels_ = info.GetAttributes<std::string>("labels");
    } catch (const Ort::Exception&) {
      labels_.assign(info.GetInputCount(), "");
    }
    if (labels_.size() != info.GetInputCount()) {
      ORT_CXX_API_THROW(
          "got " + std::to_string(labels_.size()) + " labels for " + std::to_string(info.GetInputCount()) + " columns",
          ORT_INVALID_ARGUMENT);
    }
  }

  void Compute(OrtKernelContext* kernel_context) const {
    const Ort::KernelContext context{kernel_context};
    const std::vector<int64_t> shape = context.GetInput(0).GetTensorTypeAndShapeInfo().GetShape();
    std::vector<std::string> lines(context.GetInput(0).GetTensorTypeAndShapeInfo().GetElementCount());
    for (size_t c = 0; c < context.GetInputCount(); ++c) {
      const Ort::ConstValue column = context.GetInput(c);
      const std::vector<int64_t> column_shape = column.GetTensorTypeAndShapeInfo().GetShape();
      if (column_shape != shape) {
        ORT_CXX_API_THROW("column " + std::to_string(c) + " has the shape " + to_string(column_shape) +
                              ", the first one " + to_string(shape),
                          ORT_INVALID_ARGUMENT);
      }
      for (std::string& line : lines) line += (c ? separator_ : "") + labels_[c];
      append_values(lines, column);
    }
    Ort::UnownedValue output = context.GetOutput(0, shape);
    for (size_t i = 0; i < lines.size(); ++i) output.FillStringTensorElement(lines[i].c_str(), i);
  }

 private:
  std::string separator_;
  std::vector<std::string> labels_;
};

struct FormatRows : Ort::CustomOpBase<FormatRows, FormatRowsKernel> {
  void* CreateKernel(const OrtApi&, const OrtKernelInfo* info) const {
    return std::make_unique<FormatRowsKernel>(Ort::ConstKernelInfo{info}).release();
  }

  const char* GetName() const { return "FormatRows"; }
  size_t GetInputTypeCount() const { return 1; }
  ONNXTensorElementDataType GetInputType(size_t) const { return ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED; }
  OrtCustomOpInputOutputCharacteristic GetInputCharacteristic(size_t) const { return INPUT_OUTPUT_VARIADIC; }
  bool GetVariadicInputHomogeneity() const { return false; }
  size_t GetOutputTypeCount() const { return 1; }
  ONNXTensorElementDataType GetOutputType(size_t) const { return ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING; }

  static Ort::Status InferOutputShape(Ort::ShapeInferContext& context) {
    return context.SetOutputShape(0, context.GetInputShape(0), ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING);
  }
};

}  // namespace

void add_format_rows(Ort::CustomOpDomain& domain) {
  static const FormatRows op;
  domain.Add(&op);
}

}  // namespace text_and_sampling
