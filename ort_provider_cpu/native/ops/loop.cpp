// Loop.
#include <limits>

#include "ops/control_flow.h"

namespace ort_cpu {
namespace {

/// Runs `body(i, cond, v...) -> cond, v..., scans...` while i < M and cond. Outputs: the final v..., and each scan of
/// all iterations stacked along a new first axis.
class Loop : public Kernel {
 public:
  explicit Loop(const NodeSpec& node)
      : body_(node.attributes.program("body")), n_captures_(captures_of(node)), dtypes_(node.outputs) {
    n_variables_ = node.n_inputs() - 2 - n_captures_;
    require(n_variables_ >= 0 && body_->n_inputs() == node.n_inputs(), "the body has ", body_->n_inputs() - n_captures_,
            " inputs, expected ", 2 + n_variables_);
    require(body_->n_outputs() >= 1 + n_variables_ && body_->n_outputs() > static_cast<int>(node.outputs.size()),
            "the body has ", body_->n_outputs(), " outputs, too few for ", n_variables_, " variables and ",
            node.outputs.size(), " outputs of the node");
  }

  void plan(PlanContext& ctx) const override {
    for (int i = 0; i < ctx.n_outputs(); ++i) ctx.output_of_unknown_shape(i, dtypes_[i]);
  }

  void run(RunContext& ctx) const override {
    int64_t trips = std::numeric_limits<int64_t>::max();
    if (ctx.has_input(0)) {
      const std::vector<int64_t> given = to_int64(ctx.input(0));
      require(given.size() == 1, "M has shape ", ctx.input(0).shape, ", expected one element");
      trips = given[0];
    }
    bool condition = !ctx.has_input(1) || condition_of(ctx.input(1));
    int64_t iteration = 0;

    std::vector<Tensor> inputs{{&iteration, DType::i64, {}}, {&condition, DType::boolean, {}}};
    for (int i = 2; i < ctx.n_inputs(); ++i) inputs.push_back(ctx.input(i));
    std::vector<Result> variables(n_variables_);
    std::vector<StackedOutput> scans;
    for (int i = 1 + n_variables_; i < body_->n_outputs(); ++i) scans.emplace_back(body_->output_type(i), 0, false);

    for (; iteration < trips && condition; ++iteration) {
      check_cancelled(ctx);
      std::vector<Result> results = body_->run(inputs, ctx.cancel_flag());
      condition = condition_of(results[0].tensor);
      for (int v = 0; v < n_variables_; ++v) {
        variables[v] = std::move(results[1 + v]);
        inputs[2 + v] = variables[v].tensor;
      }
      for (size_t s = 0; s < scans.size(); ++s) {
        const int output = n_variables_ + static_cast<int>(s);
        if (ctx.wants(output)) scans[s].add(std::move(results[1 + output]));
      }
    }
    for (int i = 0; i < ctx.n_outputs(); ++i) {
      if (!ctx.wants(i)) continue;
      if (i >= n_variables_) scans[i - n_variables_].write(ctx, i);
      else if (variables[i].buffer) ctx.adopt(i, variables[i].tensor, variables[i].buffer);
      else copy_to_output(ctx, i, inputs[2 + i]);
    }
  }
  bool pure() const override { return false; }

 private:
  std::shared_ptr<const Program> body_;
  int n_captures_;
  int n_variables_ = 0;
  std::vector<DType> dtypes_;
};

const Registration registration{
    {.op = "Loop", .inputs = {kIndices, kBool, kFixedSize}, .outputs = {kFixedSize}, .make = make_kernel<Loop>}};

}  // namespace
}  // namespace ort_cpu
