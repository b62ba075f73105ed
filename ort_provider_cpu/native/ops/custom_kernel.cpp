#include "ops/custom_kernel.h"

#include <algorithm>
#include <array>

#include "engine/error.h"

namespace ort_cpu {
namespace {

constexpr size_t kMessageBytes = 4096;
constexpr size_t kMostOnStack = 16;

/// What the functions of one call reach through `OrtCoreCall::engine`.
struct Engine {
  RunContext& ctx;
  const std::vector<DType>& outputs;
  uint64_t allocated = 0;
  std::exception_ptr error = nullptr;

  /// The memory of an output. Raises InvalidArgument where the kernel asks for what the node does not have.
  void* allocate(size_t output, int32_t element, const int64_t* dims, int32_t rank) {
    require(output < outputs.size() && ctx.wants(static_cast<int>(output)), "the kernel computes output ", output,
            ", which nobody wants");
    require(element == static_cast<int32_t>(outputs[output]), "the kernel computes output ", output,
            " as element type ", element, ", expected ", name_of(outputs[output]));
    require((allocated >> output & 1) == 0, "the kernel asks twice for output ", output);
    const Shape shape(std::span<const int64_t>(dims, static_cast<size_t>(std::max(rank, 0))));
    for (const int64_t size : shape) require(size >= 0, "the kernel computes output ", output, " of shape ", shape);
    allocated |= uint64_t{1} << output;
    return ctx.allocate(static_cast<int>(output), outputs[output], shape).data;
  }
};

void* allocate(void* engine, size_t output, int32_t element, const int64_t* dims, int32_t rank) {
  auto& self = *static_cast<Engine*>(engine);
  try {
    return self.allocate(output, element, dims, rank);
  } catch (...) {
    self.error = std::current_exception();
    return nullptr;
  }
}

void parallel_for(void* engine, void (*function)(void*, size_t), size_t total, size_t batches, void* user) {
  const RunContext& ctx = static_cast<Engine*>(engine)->ctx;
  const size_t most = batches == 0 ? static_cast<size_t>(ctx.threads()) : batches;
  const auto chunks = static_cast<int>(std::min({total, most, static_cast<size_t>(ctx.threads())}));
  ctx.parallel(chunks, [&](int chunk, int n) {
    const auto start_of = [&](int i) {
      return static_cast<size_t>(static_cast<unsigned __int128>(total) * static_cast<unsigned>(i) / static_cast<unsigned>(n));
    };
    const size_t begin = start_of(chunk), end = start_of(chunk + 1);
    for (size_t i = begin; i < end; ++i) function(user, i);
  });
}

/// Whatever the entry computes; shapes of outputs are known when it has run.
class CustomKernel : public Kernel {
 public:
  CustomKernel(const OrtCoreKernel* entry, std::shared_ptr<const void> owner, std::vector<DType> outputs)
      : entry_(entry), owner_(std::move(owner)), outputs_(std::move(outputs)) {
    for (const DType dtype : outputs_) wanted_.push_back(dtype != DType::none);
  }

  void plan(PlanContext& ctx) const override {
    for (size_t i = 0; i < outputs_.size(); ++i) ctx.output_of_unknown_shape(static_cast<int>(i), outputs_[i]);
  }

  void run(RunContext& ctx) const override {
    std::array<OrtCoreTensor, kMostOnStack> few;
    std::vector<OrtCoreTensor> many;
    const auto n = static_cast<size_t>(ctx.n_inputs());
    OrtCoreTensor* inputs = few.data();
    if (n > few.size()) inputs = (many.resize(n), many.data());
    for (size_t i = 0; i < n; ++i) {
      const int index = static_cast<int>(i);
      if (!ctx.has_input(index)) {
        inputs[i] = {};
        continue;
      }
      const Tensor& tensor = ctx.input(index);
      inputs[i] = {tensor.data, tensor.shape.begin(), tensor.shape.rank(), static_cast<int32_t>(tensor.dtype)};
    }
    Engine engine{ctx, outputs_};
    const OrtCoreCall call{inputs, n, outputs_.size(), wanted_.data(), allocate, parallel_for, &engine};
    char text[kMessageBytes];
    text[0] = '\0';
    const int32_t code = entry_->compute(entry_->state, &call, text, sizeof text);
    if (engine.error != nullptr) std::rethrow_exception(engine.error);
    if (code != 0) throw Error(static_cast<ErrorKind>(code), text);
    for (size_t i = 0; i < outputs_.size(); ++i)
      require(!ctx.wants(static_cast<int>(i)) || (engine.allocated >> i & 1) != 0, "the kernel left out output ", i);
  }

  bool pure() const override { return false; }

 private:
  const OrtCoreKernel* const entry_;
  const std::shared_ptr<const void> owner_;
  const std::vector<DType> outputs_;
  std::vector<uint8_t> wanted_;
};

}  // namespace

std::unique_ptr<Kernel> make_custom_kernel(const OrtCoreKernel* entry, std::shared_ptr<const void> owner,
                                           std::vector<DType> outputs) {
  if (entry->version != ORT_CORE_NATIVE_KERNEL_VERSION)
    throw_not_implemented("the native entry of the kernel is of version ", entry->version, ", expected ",
                          ORT_CORE_NATIVE_KERNEL_VERSION);
  if (outputs.size() > 64) throw_not_implemented("kernels of ", outputs.size(), " outputs are not supported");
  return std::make_unique<CustomKernel>(entry, std::move(owner), std::move(outputs));
}

}  // namespace ort_cpu
