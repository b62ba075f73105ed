// Choosing and joining features: ArrayFeatureExtractor and FeatureVectorizer of ai.onnx.ml.
#include <cstring>

#include "engine/registry.h"
#include "ops/ml_scores.h"

namespace ort_cpu {
namespace {

/// Z [..., n] = the features of X [..., F] at the indices Y, any shape of n elements; a vector makes Z [1, n].
class ArrayFeatureExtractor : public Kernel {
 public:
  explicit ArrayFeatureExtractor(const NodeSpec&) {}

  void plan(PlanContext& ctx) const override {
    Shape z = ctx.shape(0);
    require(z.rank() > 0, "features are needed, got a scalar");
    z[z.rank() - 1] = ctx.shape(1).size();
    if (z.rank() == 1) z.insert(0, 1);
    ctx.output(0, ctx.dtype(0), z);
  }

  void run(RunContext& ctx) const override {
    const Shape& shape = ctx.input(0).shape;
    const int64_t features = shape.back(), rows = shape.size_to(shape.rank() - 1);
    const auto indices = ctx.input(1).elements<int64_t>();
    for (int64_t index : indices)
      require(index >= 0 && index < features, "index ", index, " is out of range for ", features, " features");
    dispatch_features(ctx.input(0).dtype, [&]<class T>() {
      const T* x = ctx.input(0).as<T>();
      T* z = ctx.output(0).as<T>();
      for (int64_t row = 0; row < rows; ++row)
        for (int64_t index : indices) *z++ = x[row * features + index];
    });
  }
};

/// Y [N, sum(inputdimensions)] float = the features of all inputs [N, C] or [C], cut or filled up with 0 to their
/// sizes.
class FeatureVectorizer : public Kernel {
 public:
  explicit FeatureVectorizer(const NodeSpec& node) : sizes_(node.attributes.integers("inputdimensions")) {
    require(static_cast<int>(sizes_.size()) == node.n_inputs(), node.n_inputs(), " inputs do not fit ", sizes_.size(),
            " inputdimensions");
    for (int64_t size : sizes_) {
      require(size >= 0 && size <= int64_t{1} << 40, "inputdimensions has a value of ", size);
      total_ += size;
    }
  }

  void plan(PlanContext& ctx) const override {
    require(ctx.n_inputs() > 0, "an input is needed");
    const int64_t rows = FeatureShape(ctx.shape(0)).rows;
    for (int i = 1; i < ctx.n_inputs(); ++i)
      require(FeatureShape(ctx.shape(i)).rows == rows, "inputs have ", rows, " and ", FeatureShape(ctx.shape(i)).rows,
              " rows");
    ctx.output(0, DType::f32, {rows, total_});
  }

  void run(RunContext& ctx) const override {
    float* y = ctx.output(0).as<float>();
    int64_t column = 0;
    for (int i = 0; i < ctx.n_inputs(); ++i) {
      const FeatureShape shape(ctx.input(i).shape);
      const int64_t count = std::min(shape.features, sizes_[i]);
      dispatch_features(ctx.input(i).dtype, [&]<class T>() {
        const T* x = ctx.input(i).as<T>();
        for (int64_t row = 0; row < shape.rows; ++row) {
          float* to = y + row * total_ + column;
          for (int64_t j = 0; j < count; ++j) to[j] = static_cast<float>(x[row * shape.features + j]);
          std::fill(to + count, to + sizes_[i], 0.0f);
        }
      });
      column += sizes_[i];
    }
  }

 private:
  const std::vector<int64_t> sizes_;
  int64_t total_ = 0;
};

const Registration registration{
    {.op = "ArrayFeatureExtractor",
     .domain = "ai.onnx.ml",
     .inputs = {kFeatures, DTypeSet{DType::i64}},
     .make = make_kernel<ArrayFeatureExtractor>},
    {.op = "FeatureVectorizer", .domain = "ai.onnx.ml", .inputs = {kFeatures}, .make = make_kernel<FeatureVectorizer>},
};

}  // namespace
}  // namespace ort_cpu
