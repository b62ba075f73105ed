// TopPMask: keeps the most probable entries of each row until their probabilities sum up to `p`.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "operators.h"

namespace text_and_sampling {
namespace {

using Ort::Custom::Tensor;

template <typename T>
class TopPMask {
 public:
  TopPMask(const OrtApi*, const OrtKernelInfo* kernel_info) {
    const Ort::ConstKernelInfo info{kernel_info};
    min_keep_ = attribute_or<int64_t>(info, "min_keep", 1);
    filter_value_ = static_cast<T>(attribute_or(info, "filter_value", -std::numeric_limits<float>::infinity()));
    if (min_keep_ < 1) {
      ORT_CXX_API_THROW("min_keep must be at least 1, got " + std::to_string(min_keep_), ORT_INVALID_ARGUMENT);
    }
  }

  void Compute(OrtKernelContext* context, const Tensor<T>& logits, float p, std::optional<float> temperature,
               Tensor<T>& masked, std::optional<Tensor<int64_t>*> kept) {
    std::vector<int64_t> shape = logits.Shape();
    if (shape.empty() || shape.back() < 1) {
      ORT_CXX_API_THROW("logits must be [..., V] with V > 0, got " + to_string(shape), ORT_INVALID_ARGUMENT);
    }
    if (!(p > 0.0f && p <= 1.0f)) {
      ORT_CXX_API_THROW("p must be in (0, 1], got " + std::to_string(p), ORT_INVALID_ARGUMENT);
    }
    if (!(temperature.value_or(1.0f) > 0.0f)) {
      ORT_CXX_API_THROW("temperature must be positive, got " + std::to_string(*temperature), ORT_INVALID_ARGUMENT);
    }
    T* const y = masked.Allocate(shape);
    const size_t width = static_cast<size_t>(shape.back());
    shape.pop_back();
    int64_t* const counts = kept ? (*kept)->Allocate(shape) : nullptr;
    const size_t rows = static_cast<size_t>(logits.NumberOfElement()) / width;
    Rows job{*this, logits.Data(), y, counts, width, p, 1.0 / temperature.value_or(1.0f)};
    Ort::KernelContext{context}.ParallelFor([](void* rows_, size_t row) { static_cast<const Rows*>(rows_)->mask(row); },
                                            rows, 0, &job);
  }

  static Ort::Status InferOutputShape(Ort::ShapeInferContext& context) {
    return context.SetOutputShape(0, context.GetInputShape(0), kElement<T>);
  }

 private:
  struct Rows {
    const TopPMask& op;
    const T* x;
    T* y;
    int64_t* counts;
    size_t width;
    double p;
    double inverse_temperature;

    void mask(size_t row) const {
      const T* const logits = x + row * width;
      T* const out = y + row * width;
      const auto score = [logits](size_t i) {
        return std::isnan(logits[i]) ? -std::numeric_limits<T>::infinity() : logits[i];
      };
      std::vector<size_t> order(width);
      std::iota(order.begin(), order.end(), size_t{0});
      std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return score(a) > score(b); });
      const double largest = score(order[0]);
      std::vector<double> weights(width);
      for (size_t i = 0; i < width; ++i) weights[i] = std::exp((score(order[i]) - largest) * inverse_temperature);
      const double enough = p * std::accumulate(weights.begin(), weights.end(), 0.0);
      const size_t at_least = std::min(width, static_cast<size_t>(op.min_keep_));
      size_t n = 0;
      for (double sum = 0.0; n < width && (n < at_least || sum < enough); ++n) sum += weights[n];
      std::fill(out, out + width, op.filter_value_);
      for (size_t i = 0; i < n; ++i) out[order[i]] = logits[order[i]];
      if (counts) counts[row] = static_cast<int64_t>(n);
    }
  };

  int64_t min_keep_;
  T filter_value_;
};

}  // namespace

void add_top_p_mask(Ort::CustomOpDomain& domain) {
  static const std::unique_ptr<Ort::Custom::OrtLiteCustomOp> operators[] = {
      std::unique_ptr<Ort::Custom::OrtLiteCustomOp>(Ort::Custom::CreateLiteCustomOp<TopPMask<float>>("TopPMask", kCpu)),
      std::unique_ptr<Ort::Custom::OrtLiteCustomOp>(
          Ort::Custom::CreateLiteCustomOp<TopPMask<double>>("TopPMask", kCpu)),
  };
  for (const auto& op : operators) domain.Add(op.get());
}

}  // namespace text_and_sampling
