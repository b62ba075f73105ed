// Chain.
#include "ops/chain.h"

#include "engine/registry.h"
#include "ops/elementwise.h"

namespace ort_cpu {
namespace {

/// Y = the program of attribute `program`, applied element by element. Inputs of any shapes that broadcast.
class Chain : public Kernel {
 public:
  explicit Chain(const NodeSpec& node)
      : program_(node.n_inputs(), node.attributes.integers("program"), node.attributes.reals("constants")) {}

  void plan(PlanContext& ctx) const override {
    std::vector<Shape> shapes;
    for (int i = 0; i < ctx.n_inputs(); ++i) shapes.push_back(ctx.shape(i));
    const Broadcast broadcast = make_broadcast(shapes);
    ctx.output(0, DType::f32, broadcast.shape);
    allow_overwrite(ctx, broadcast.shape, ctx.n_inputs());
    ctx.cost_ns(static_cast<double>(broadcast.size) * program_.ns_per_element());
    ctx.state(broadcast);
  }

  void run(RunContext& ctx) const override {
    const auto& broadcast = ctx.state<Broadcast>();
    const void* inputs[kMaxOperands];
    size_t sizes[kMaxOperands];
    for (int i = 0; i < ctx.n_inputs(); ++i) {
      inputs[i] = ctx.input(i).data;
      sizes[i] = sizeof(float);
    }
    float* y = ctx.output(0).as<float>();
    ctx.parallel_for(broadcast.size, grain_of(program_.ns_per_element()), [&](int64_t begin, int64_t end) {
      BroadcastWalk(broadcast, inputs, sizes)
          .each(begin, end, [&](const void* const* in, const int* steps, int64_t at, int64_t n) {
            const float* pointers[kMaxOperands];
            for (int i = 0; i < ctx.n_inputs(); ++i) pointers[i] = static_cast<const float*>(in[i]);
            program_.evaluate(pointers, steps, y + at, n);
          });
    });
  }

 private:
  const ChainProgram program_;
};

std::optional<std::string> decline(const NodeSpec& node) {
  if (node.n_inputs() > kMaxOperands) return message("has ", node.n_inputs(), " inputs, at most ", kMaxOperands);
  for (int i = 0; i < node.n_inputs(); ++i)
    if (!node.has_input(i)) return message("input ", i, " is absent");
  return node.n_inputs() == 0 ? std::optional<std::string>("there is no input") : std::nullopt;
}

const Registration registration{
    {.op = "Chain",
     .domain = "ort.cpu",
     .inputs = {DTypeSet{DType::f32}},
     .make = make_kernel<Chain>,
     .declines = decline},
};

}  // namespace
}  // namespace ort_cpu
