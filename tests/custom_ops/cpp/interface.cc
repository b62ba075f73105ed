// Operators that use what custom operators may call of ONNX Runtime's interface, beyond what the example library uses.
#include <onnxruntime_cxx_api.h>
#include <onnxruntime_lite_custom_op.h>

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using Ort::Custom::Tensor;

constexpr const char* kDomain = "test.interface";
constexpr auto kAny = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
constexpr auto kFloat = ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
constexpr auto kString = ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING;

std::string to_text(const Ort::TypeInfo& type) {
  const auto tensor = type.GetTensorTypeAndShapeInfo();
  std::string text = std::to_string(tensor.GetElementType()) + "[";
  for (const int64_t dim : tensor.GetShape()) text += " " + std::to_string(dim);
  return text + " ]";
}

template <typename T>
std::string to_text(const std::vector<T>& values) {
  std::string text;
  for (const T& value : values) text += " " + std::to_string(value);
  return text;
}

void give_text(const Ort::KernelContext& context, const std::string& text) {
  Ort::UnownedValue output = context.GetOutput(0, std::vector<int64_t>{1});
  std::copy(text.begin(), text.end(), output.GetResizedStringTensorElementBuffer(0, text.size()));
}

// An operator of the classic interface; the inputs and outputs are of the given types and characteristics.
template <typename Kernel, int inputs, ONNXTensorElementDataType input, int outputs, ONNXTensorElementDataType output,
          OrtCustomOpInputOutputCharacteristic characteristic = INPUT_OUTPUT_REQUIRED>
struct Classic : Ort::CustomOpBase<Classic<Kernel, inputs, input, outputs, output, characteristic>, Kernel> {
  void* CreateKernel(const OrtApi&, const OrtKernelInfo* info) const {
    return std::make_unique<Kernel>(Ort::ConstKernelInfo{info}).release();
  }
  const char* GetName() const { return Kernel::kName; }
  const char* GetExecutionProviderType() const { return "CPUExecutionProvider"; }
  size_t GetInputTypeCount() const { return inputs; }
  ONNXTensorElementDataType GetInputType(size_t) const { return input; }
  OrtCustomOpInputOutputCharacteristic GetInputCharacteristic(size_t index) const {
    return inputs == 3 && index != 1 ? INPUT_OUTPUT_REQUIRED : characteristic;
  }
  bool GetVariadicInputHomogeneity() const { return false; }
  size_t GetOutputTypeCount() const { return outputs; }
  ONNXTensorElementDataType GetOutputType(size_t) const { return output; }
  OrtCustomOpInputOutputCharacteristic GetOutputCharacteristic(size_t) const { return characteristic; }
  bool GetVariadicOutputHomogeneity() const { return false; }
};

// What the kernel info tells, as text.
struct InfoReport {
  static constexpr const char* kName = "InfoReport";

  explicit InfoReport(const Ort::ConstKernelInfo& info) {
    Ort::AllocatorWithDefaultOptions allocator;
    text = info.GetNodeName();
    for (size_t i = 0; i < info.GetInputCount(); ++i) {
      int is_constant = 0;
      const Ort::ConstValue constant = info.GetTensorConstantInput(i, &is_constant);
      text += " | " + info.GetInputName(i) + " " + to_text(info.GetInputTypeInfo(i));
      if (is_constant) text += " = " + std::to_string(constant.GetTensorData<float>()[0]);
    }
    text += " | " + info.GetOutputName(0) + " " + std::to_string(info.GetOutputCount());
    text += " | " + std::to_string(info.Copy().GetAttribute<int64_t>("int"));
    text += " " + std::to_string(info.GetAttribute<float>("float")) + " " + info.GetAttribute<std::string>("string");
    text += to_text(info.GetAttributes<int64_t>("ints")) + to_text(info.GetAttributes<float>("floats"));
    for (const std::string& value : info.GetAttributes<std::string>("strings")) text += " <" + value + ">";
    const Ort::Value tensor = info.GetTensorAttribute("tensor", allocator);
    text +=
        " " + std::to_string(tensor.GetTensorData<double>()[tensor.GetTensorTypeAndShapeInfo().GetElementCount() - 1]);
  }

  void Compute(OrtKernelContext* context) const { give_text(Ort::KernelContext{context}, text); }

  std::string text;
};

// What the kernel context and the values tell, as text; with memory of every kind that a kernel can have.
struct ContextReport {
  static constexpr const char* kName = "ContextReport";

  explicit ContextReport(const Ort::ConstKernelInfo& info) {
    ORT_CXX_LOG(info.GetLogger(), ORT_LOGGING_LEVEL_VERBOSE, "made");
  }

  void Compute(OrtKernelContext* kernel_context) const {
    const Ort::KernelContext context{kernel_context};
    const Ort::ConstValue input = context.GetInput(0);
    std::string text = std::to_string(context.GetInputCount()) + " to " + std::to_string(context.GetOutputCount());
    text += " " + input.GetTensorMemoryInfo().GetAllocatorName();
    text += " tensor " + std::to_string(input.IsTensor());
    text += " stream " + std::to_string(context.GetGPUComputeStream() != nullptr);
    const Ort::MemoryInfo memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
    OrtAllocator* scratch = nullptr;
    Ort::ThrowOnError(Ort::GetApi().KernelContext_GetAllocator(kernel_context, memory, &scratch));
    float* const numbers = static_cast<float*>(scratch->Alloc(scratch, 2 * sizeof(float)));
    numbers[0] = 1.5f;
    numbers[1] = 2.5f;
    const int64_t two = 2;
    {
      const Ort::Value view = Ort::Value::CreateTensor<float>(memory, numbers, 2, &two, 1);
      text += " view" + to_text(view.GetTensorTypeAndShapeInfo().GetShape()) + " " +
              std::to_string(view.GetTensorData<float>()[1]);
    }
    scratch->Free(scratch, numbers);
    Ort::GetApi().ReleaseAllocator(scratch);
    Ort::AllocatorWithDefaultOptions allocator;
    Ort::Value own = Ort::Value::CreateTensor(allocator, &two, 1, kString);
    own.FillStringTensorElement("né", 1);
    text += " own " + std::to_string(own.GetStringTensorDataLength()) + own.GetStringTensorElement(1);
    ORT_CXX_LOG(context.GetLogger(), ORT_LOGGING_LEVEL_VERBOSE, "computed");
    give_text(context, text);
  }
};

// The inputs in reverse order, whatever their types.
struct Reverse {
  static constexpr const char* kName = "Reverse";

  explicit Reverse(const Ort::ConstKernelInfo&) {}

  void Compute(OrtKernelContext* kernel_context) const {
    const Ort::KernelContext context{kernel_context};
    const size_t n = context.GetInputCount();
    for (size_t i = 0; i < n; ++i) {
      const Ort::ConstValue input = context.GetInput(n - 1 - i);
      const auto type = input.GetTensorTypeAndShapeInfo();
      Ort::UnownedValue output = context.GetOutput(i, type.GetShape());
      if (type.GetElementType() == kString) {
        for (size_t k = 0; k < type.GetElementCount(); ++k) {
          output.FillStringTensorElement(input.GetStringTensorElement(k).c_str(), k);
        }
      } else {
        const char* const bytes = static_cast<const char*>(input.GetTensorRawData());
        std::copy_n(bytes, input.GetTensorSizeInBytes(), static_cast<char*>(output.GetTensorMutableRawData()));
      }
    }
  }
};

// The sum of three inputs, of which the one in the middle may be left out.
struct MiddleOptional {
  static constexpr const char* kName = "MiddleOptional";

  explicit MiddleOptional(const Ort::ConstKernelInfo&) {}

  void Compute(OrtKernelContext* kernel_context) const {
    const Ort::KernelContext context{kernel_context};
    float sum = 0.0f;
    for (size_t i = 0; i < 3; ++i) {
      if (const Ort::ConstValue input = context.GetInput(i)) sum += input.GetTensorData<float>()[0];
    }
    context.GetOutput(0, std::vector<int64_t>{1}).GetTensorMutableData<float>()[0] = sum;
  }
};

// The input times 0, 1 and 2; any of the outputs may be left out.
struct Multiples {
  static constexpr const char* kName = "Multiples";

  explicit Multiples(const Ort::ConstKernelInfo&) {}

  void Compute(OrtKernelContext* kernel_context) const {
    const Ort::KernelContext context{kernel_context};
    const std::vector<int64_t> one{1};
    for (size_t i = 0; i < context.GetOutputCount(); ++i) {
      if (Ort::UnownedValue output = context.GetOutput(i, one)) {
        output.GetTensorMutableData<float>()[0] = static_cast<float>(i) * context.GetInput(0).GetTensorData<float>()[0];
      }
    }
  }
};

// Gemm with alpha 2 and the second matrix transposed, by the runtime's own kernel.
struct CallGemm {
  static constexpr const char* kName = "CallGemm";

  explicit CallGemm(const Ort::ConstKernelInfo& info) {
    const char* type_names[] = {"T"};
    const ONNXTensorElementDataType types[] = {kFloat};
    const float alpha = 2.0f, beta = 1.0f;
    const int64_t no = 0, yes = 1;
    Ort::OpAttr attributes[] = {
        Ort::OpAttr("alpha", &alpha, 1, ORT_OP_ATTR_FLOAT), Ort::OpAttr("beta", &beta, 1, ORT_OP_ATTR_FLOAT),
        Ort::OpAttr("transA", &no, 1, ORT_OP_ATTR_INT), Ort::OpAttr("transB", &yes, 1, ORT_OP_ATTR_INT)};
    gemm = Ort::Op::Create(info.Copy(), "Gemm", "", 13, type_names, types, 1, attributes, 4, 3, 1);
  }

  void Compute(OrtKernelContext* kernel_context) {
    const Ort::KernelContext context{kernel_context};
    const OrtValue* inputs[] = {context.GetInput(0), context.GetInput(1), context.GetInput(2)};
    const int64_t rows = context.GetInput(0).GetTensorTypeAndShapeInfo().GetShape()[0];
    const int64_t columns = context.GetInput(1).GetTensorTypeAndShapeInfo().GetShape()[0];
    OrtValue* outputs[] = {context.GetOutput(0, std::vector<int64_t>{rows, columns})};
    gemm.Invoke(kernel_context, inputs, 3, outputs, 1);
  }

  Ort::Op gemm{nullptr};
};

void half_to_bfloat(const Tensor<Ort::Float16_t>& x, Tensor<Ort::BFloat16_t>& y) {
  Ort::BFloat16_t* out = y.Allocate(x.Shape());
  for (int64_t i = 0; i < x.NumberOfElement(); ++i) *out++ = Ort::BFloat16_t{x.Data()[i].ToFloat()};
}

void copy_float8(const Tensor<Ort::Float8E4M3FN_t>& x, Tensor<Ort::Float8E4M3FN_t>& y) {
  std::copy_n(x.Data(), x.NumberOfElement(), y.Allocate(x.Shape()));
}

void squares(OrtKernelContext* context, const Tensor<float>& x, Tensor<float>& y) {
  struct Job {
    const float* x;
    float* y;
  } job{x.Data(), y.Allocate(x.Shape())};
  const auto square = [](void* given, size_t i) {
    const Job& numbers = *static_cast<Job*>(given);
    if (numbers.x[i] < 0) throw std::domain_error("negative: " + std::to_string(i));
    numbers.y[i] = numbers.x[i] * numbers.x[i];
  };
  Ort::KernelContext{context}.ParallelFor(square, static_cast<size_t>(x.NumberOfElement()), 4, &job);
}

void copy(const Tensor<float>& x, Tensor<float>& y) {
  std::copy_n(x.Data(), x.NumberOfElement(), y.Allocate(x.Shape()));
}

// Attributes of every kind, and the symbol of the input's dimension, as dimensions.
Ort::Status infer_from_attributes(Ort::ShapeInferContext& context) {
  const auto strings = context.GetAttrStrings("strings");
  const auto size = [](const auto& values) { return static_cast<int64_t>(values.size()); };
  return context.SetOutputShape(
      0,
      {context.GetInputShape(0).at(0), context.GetAttrInt("int"), static_cast<int64_t>(context.GetAttrFloat("float")),
       size(context.GetAttrString("string")), size(strings), size(strings.at(1)), context.GetAttrInts("ints").at(1),
       static_cast<int64_t>(context.GetAttrFloats("floats").at(1))});
}

void lite_middle_optional(const Tensor<float>& x, std::optional<const Tensor<float>*> y, const Tensor<float>& z,
                          Tensor<float>& sum) {
  sum.Allocate({1})[0] = x.Data()[0] + (y ? (*y)->Data()[0] : 0.0f) + z.Data()[0];
}

void throw_number(const Tensor<float>&, Tensor<float>&) { throw 42; }
void give_nothing(const Tensor<float>&, Tensor<float>&) {}
void negative_dimension(const Tensor<float>&, Tensor<float>& y) { y.Allocate({-1}); }
Ort::Status not_utf8(const Tensor<float>&, Tensor<float>&) { return Ort::Status{"na\xefve", ORT_EP_FAIL}; }

template <typename Op>
void add(Ort::CustomOpDomain& domain) {
  static const Op op;
  domain.Add(&op);
}

void add_all(Ort::CustomOpDomain& domain) {
  using Ort::Custom::CreateLiteCustomOp;
  constexpr const char* cpu = "CPUExecutionProvider";
  using Op = std::unique_ptr<Ort::Custom::OrtLiteCustomOp>;
  static const Op lite[] = {
      Op{CreateLiteCustomOp("HalfToBfloat", cpu, half_to_bfloat)},
      Op{CreateLiteCustomOp("CopyFloat8", cpu, copy_float8)},
      Op{CreateLiteCustomOp("Squares", cpu, squares)},
      Op{CreateLiteCustomOp("InferFromAttributes", cpu, copy, infer_from_attributes)},
      Op{CreateLiteCustomOp("LiteMiddleOptional", cpu, lite_middle_optional)},
      Op{CreateLiteCustomOp("ThrowNumber", cpu, throw_number)},
      Op{CreateLiteCustomOp("GiveNothing", cpu, give_nothing)},
      Op{CreateLiteCustomOp("NegativeDimension", cpu, negative_dimension)},
      Op{CreateLiteCustomOp("NotUtf8", cpu, not_utf8)},
  };
  for (const Op& op : lite) domain.Add(op.get());
  add<Classic<InfoReport, 2, kFloat, 1, kString>>(domain);
  add<Classic<ContextReport, 1, kFloat, 1, kString>>(domain);
  add<Classic<Reverse, 1, kAny, 1, kAny, INPUT_OUTPUT_VARIADIC>>(domain);
  add<Classic<MiddleOptional, 3, kFloat, 1, kFloat, INPUT_OUTPUT_OPTIONAL>>(domain);
  add<Classic<Multiples, 1, kFloat, 3, kFloat, INPUT_OUTPUT_OPTIONAL>>(domain);
  add<Classic<CallGemm, 3, kFloat, 1, kFloat>>(domain);
}

}  // namespace

extern "C" __attribute__((visibility("default"))) OrtStatus* RegisterCustomOps(OrtSessionOptions* options,
                                                                               const OrtApiBase* base) {
  Ort::InitApi(base->GetApi(ORT_API_VERSION));
  static std::vector<Ort::CustomOpDomain> domains;
  add_all(domains.emplace_back(kDomain));
  return Ort::GetApi().AddCustomOpDomain(options, domains.back());
}
