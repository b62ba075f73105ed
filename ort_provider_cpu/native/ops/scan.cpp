// Scan.
#include "ops/control_flow.h"

namespace ort_cpu {
namespace {

/// Runs `body(state..., slices...) -> state..., outputs...` for each position along the scanned axis of the last
/// `num_scan_inputs` inputs. Outputs: the final state..., and each output of the body stacked along its axis.
class Scan : public Kernel {
 public:
  explicit Scan(const NodeSpec& node)
      : body_(node.attributes.program("body")), n_captures_(captures_of(node)), dtypes_(node.outputs) {
    const int n_own = node.n_inputs() - n_captures_;
    const int64_t n_scans = node.attributes.integer("num_scan_inputs", 0);
    require(n_scans >= 1 && n_scans <= n_own, "num_scan_inputs is ", n_scans, ", the node has ", n_own, " inputs");
    n_scans_ = static_cast<int>(n_scans);
    n_states_ = n_own - n_scans_;
    require(body_->n_inputs() == node.n_inputs(), "the body has ", body_->n_inputs() - n_captures_,
            " inputs, expected ", n_own);
    require(body_->n_outputs() >= n_states_ && body_->n_outputs() >= static_cast<int>(node.outputs.size()),
            "the body has ", body_->n_outputs(), " outputs, too few for ", n_states_, " states and ",
            node.outputs.size(), " outputs of the node");
    const size_t n_outputs = static_cast<size_t>(body_->n_outputs() - n_states_);
    input_axes_ = list(node, "scan_input_axes", static_cast<size_t>(n_scans_));
    input_directions_ = list(node, "scan_input_directions", static_cast<size_t>(n_scans_));
    output_axes_ = list(node, "scan_output_axes", n_outputs);
    output_directions_ = list(node, "scan_output_directions", n_outputs);
  }

  void plan(PlanContext& ctx) const override {
    int64_t length = -1;
    for (int s = 0; s < n_scans_; ++s) {
      const Shape& shape = ctx.shape(n_states_ + s);
      const int64_t dim = shape[normalize_axis(input_axes_[s], shape.rank())];
      require(length < 0 || dim == length, "the scanned axes have lengths ", length, " and ", dim,
              ", expected equal ones");
      length = dim;
    }
    ctx.state(length);
    for (int i = 0; i < ctx.n_outputs(); ++i) ctx.output_of_unknown_shape(i, dtypes_[i]);
  }

  void run(RunContext& ctx) const override {
    const auto length = ctx.state<int64_t>();
    std::vector<Tensor> inputs;
    for (int i = 0; i < ctx.n_inputs(); ++i) inputs.push_back(ctx.input(i));
    std::vector<Result> states(n_states_);
    std::vector<std::vector<std::byte>> copies(n_scans_);
    std::vector<StackedOutput> outputs;
    for (size_t i = 0; i < output_axes_.size(); ++i)
      outputs.emplace_back(body_->output_type(n_states_ + static_cast<int>(i)), output_axes_[i],
                           output_directions_[i] != 0);

    for (int64_t position = 0; position < length; ++position) {
      check_cancelled(ctx);
      for (int s = 0; s < n_scans_; ++s) {
        const int64_t at = input_directions_[s] != 0 ? length - 1 - position : position;
        inputs[n_states_ + s] = slice(ctx.input(n_states_ + s), input_axes_[s], at, copies[s]);
      }
      std::vector<Result> results = body_->run(inputs, ctx.cancel_flag());
      for (int v = 0; v < n_states_; ++v) {
        states[v] = std::move(results[v]);
        inputs[v] = states[v].tensor;
      }
      for (size_t i = 0; i < outputs.size(); ++i)
        if (ctx.wants(n_states_ + static_cast<int>(i))) outputs[i].add(std::move(results[n_states_ + i]));
    }
    for (int i = 0; i < ctx.n_outputs(); ++i) {
      if (!ctx.wants(i)) continue;
      if (i >= n_states_) outputs[i - n_states_].write(ctx, i);
      else if (states[i].buffer) ctx.adopt(i, states[i].tensor, states[i].buffer);
      else copy_to_output(ctx, i, inputs[i]);
    }
  }
  bool pure() const override { return false; }

 private:
  static std::vector<int64_t> list(const NodeSpec& node, const std::string& name, size_t size) {
    std::vector<int64_t> values = node.attributes.integers(name, std::vector<int64_t>(size, 0));
    require(values.size() == size, "'", name, "' has ", values.size(), " entries, expected ", size);
    return values;
  }

  /// The slice at `position` of an axis: in place if it lies together, else gathered into `copy`.
  static Tensor slice(const Tensor& tensor, int64_t axis_attribute, int64_t position, std::vector<std::byte>& copy) {
    const int axis = normalize_axis(axis_attribute, tensor.shape.rank());
    const int64_t outer = tensor.shape.size_to(axis);
    const size_t inner = static_cast<size_t>(tensor.shape.size_from(axis + 1)) * size_of(tensor.dtype);
    const size_t step = inner * static_cast<size_t>(tensor.shape[axis]);
    auto* first = static_cast<std::byte*>(tensor.data) + static_cast<size_t>(position) * inner;
    Tensor result{first, tensor.dtype, tensor.shape};
    result.shape.erase(axis);
    if (outer == 1 || inner == 0) return result;
    copy.resize(static_cast<size_t>(outer) * inner);
    for (int64_t o = 0; o < outer; ++o)
      std::memcpy(copy.data() + static_cast<size_t>(o) * inner, first + static_cast<size_t>(o) * step, inner);
    result.data = copy.data();
    return result;
  }

  std::shared_ptr<const Program> body_;
  int n_captures_;
  int n_states_ = 0, n_scans_ = 0;
  std::vector<int64_t> input_axes_, input_directions_, output_axes_, output_directions_;
  std::vector<DType> dtypes_;
};

const Registration registration{
    {.op = "Scan", .inputs = {kFixedSize}, .outputs = {kFixedSize}, .make = make_kernel<Scan>}};

}  // namespace
}  // namespace ort_cpu
