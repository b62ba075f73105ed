// If.
#include "ops/control_flow.h"

namespace ort_cpu {
namespace {

/// The outputs of `then_branch` if cond is true, else those of `else_branch`. cond has one element.
class If : public Kernel {
 public:
  explicit If(const NodeSpec& node)
      : then_(node.attributes.program("then_branch")),
        else_(node.attributes.program("else_branch")),
        dtypes_(node.outputs) {
    const int n = static_cast<int>(node.outputs.size());
    require(then_->n_outputs() >= n && else_->n_outputs() >= n, "the branches have ", then_->n_outputs(), " and ",
            else_->n_outputs(), " outputs, the node has ", n);
  }

  void plan(PlanContext& ctx) const override {
    for (int i = 0; i < ctx.n_outputs(); ++i) ctx.output_of_unknown_shape(i, dtypes_[i]);
  }

  void run(RunContext& ctx) const override {
    const Program& branch = condition_of(ctx.input(0)) ? *then_ : *else_;
    std::vector<Tensor> captured;
    for (int i = 1; i < ctx.n_inputs(); ++i) captured.push_back(ctx.input(i));
    std::vector<Result> results = branch.run(captured, ctx.cancel_flag());
    for (int i = 0; i < ctx.n_outputs(); ++i)
      if (ctx.wants(i)) ctx.adopt(i, results[i].tensor, results[i].buffer);
  }
  bool pure() const override { return false; }

 private:
  std::shared_ptr<const Program> then_, else_;
  std::vector<DType> dtypes_;
};

const Registration registration{
    {.op = "If", .inputs = {kBool, kFixedSize}, .outputs = {kFixedSize}, .make = make_kernel<If>}};

}  // namespace
}  // namespace ort_cpu
