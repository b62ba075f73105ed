#include "engine/program.h"

#include <algorithm>
#include <cstring>
#include <exception>
#include <new>

#include "engine/frame.h"
#include "engine/registry.h"

namespace ort_cpu {

namespace {
constexpr size_t kMostPlans = 32;
constexpr size_t kMostFrames = 8;

/// Stands for a node whose attributes no kernel accepts: the model may hold it, what runs it gets the error.
class Refusal : public Kernel {
 public:
  explicit Refusal(std::exception_ptr error) : error_(std::move(error)) {}
  void plan(PlanContext&) const override { std::rethrow_exception(error_); }
  void run(RunContext&) const override { std::rethrow_exception(error_); }

 private:
  const std::exception_ptr error_;
};

}  // namespace

Program::Program(std::shared_ptr<Environment> environment) : environment_(std::move(environment)) {}
Program::~Program() = default;

int Program::add_input(const SlotType& type) {
  slots_.push_back({SlotKind::input, type});
  inputs_.push_back(static_cast<int>(slots_.size()) - 1);
  return inputs_.back();
}

int Program::add_constant(const Tensor& tensor, std::shared_ptr<const void> owner, int uses) {
  slots_.push_back({SlotKind::constant,
                    {tensor.dtype, true, tensor.shape},
                    std::make_unique<Constant>(tensor, std::move(owner)),
                    uses});
  return static_cast<int>(slots_.size()) - 1;
}

int Program::add_constant(DType dtype, const Shape& shape, std::unique_ptr<ConstantFile> file) {
  slots_.push_back(
      {SlotKind::constant, {dtype, true, shape}, std::make_unique<Constant>(dtype, shape, std::move(file), transfer_), 1});
  return static_cast<int>(slots_.size()) - 1;
}

std::vector<int> Program::add_node(const std::string& domain, const std::string& op, const std::string& label,
                                   const Attributes& attributes, const std::vector<int>& inputs,
                                   const std::vector<SlotType>& outputs) {
  const KernelEntry* entry = Registry::instance().find(domain, op);
  if (entry == nullptr) throw Error(ErrorKind::not_implemented, message(label, ": there is no kernel for it"));
  std::vector<InputSpec> specs;
  for (int index : inputs) {
    if (index < 0) {
      specs.emplace_back();
      continue;
    }
    const Slot& slot = slots_.at(index);
    specs.push_back({slot.type.dtype, slot.constant.get(), slot.type.has_shape ? &slot.type.shape : nullptr});
  }
  std::vector<DType> dtypes;
  for (const SlotType& type : outputs) dtypes.push_back(type.dtype);
  const NodeSpec node(op, attributes, std::move(specs), std::move(dtypes), environment_->settings);

  Instruction instruction{nullptr, inputs, {}, op, label};
  try {
    instruction.kernel = entry->make(node);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::invalid_argument) rethrow_with_label(instruction);
    instruction.kernel = std::make_unique<Refusal>(std::current_exception());
  } catch (const std::bad_alloc&) {
    rethrow_with_label(instruction);
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i] < 0 || slots_[inputs[i]].constant == nullptr) continue;
    Slot& slot = slots_[inputs[i]];
    if (!node.is_released(static_cast<int>(i))) slot.constant->keep();
    else if (--slot.uses == 0) slot.constant->drop();
  }
  transfer_.reuse();
  return add_instruction(std::move(instruction), outputs);
}

std::vector<int> Program::add_node(std::unique_ptr<Kernel> kernel, const std::string& op, const std::string& label,
                                   const std::vector<int>& inputs, const std::vector<SlotType>& outputs) {
  for (int slot : inputs)
    if (slot >= 0 && slots_.at(slot).constant != nullptr) slots_[slot].constant->keep();
  return add_instruction({std::move(kernel), inputs, {}, op, label}, outputs);
}

const std::vector<int>& Program::add_instruction(Instruction instruction, const std::vector<SlotType>& outputs) {
  for (const SlotType& type : outputs) {
    if (type.dtype == DType::none) {
      instruction.outputs.push_back(-1);
      continue;
    }
    slots_.push_back({SlotKind::temporary, type});
    instruction.outputs.push_back(static_cast<int>(slots_.size()) - 1);
  }
  instructions_.push_back(std::move(instruction));
  return instructions_.back().outputs;
}

void Program::finish(std::vector<int> outputs, std::vector<SlotType> types) {
  require(outputs.size() == types.size(), "got ", types.size(), " types for ", outputs.size(), " outputs");
  transfer_.free();
  outputs_ = std::move(outputs);
  output_types_ = std::move(types);
  last_use_.assign(slots_.size(), -1);
  const int n = static_cast<int>(instructions_.size());
  for (int i = 0; i < n; ++i)
    for (int slot : instructions_[i].inputs)
      if (slot >= 0) last_use_[slot] = i;
  for (int slot : outputs_) last_use_.at(slot) = n;
}

std::shared_ptr<const Plan> Program::plan_for(std::span<const Tensor> inputs) const {
  const auto matches = [&](const Plan& plan) {
    const int64_t* key = plan.key.data();
    for (const Tensor& input : inputs) {
      if (*key++ != input.shape.rank()) return false;
      if (!std::equal(input.shape.begin(), input.shape.end(), key)) return false;
      key += input.shape.rank();
    }
    return true;
  };
  {
    std::lock_guard lock(mutex_);
    for (size_t i = 0; i < plans_.size(); ++i) {
      if (!matches(*plans_[i])) continue;
      if (i > 0)
        std::rotate(plans_.begin(), plans_.begin() + static_cast<ptrdiff_t>(i),
                    plans_.begin() + static_cast<ptrdiff_t>(i) + 1);
      return plans_.front();
    }
  }
  std::shared_ptr<const Plan> plan = Planner(*this, inputs).make();
  const size_t limit = environment_->memory->limit();
  if (limit != 0 && plan->arena_bytes > limit)
    throw Error(ErrorKind::out_of_memory,
                message(instructions_[plan->peak_instruction].label, ": a run needs ", plan->arena_bytes,
                        " bytes at once, the memory limit of the session is ", limit,
                        ". Raise the limit or use smaller inputs."));
  std::lock_guard lock(mutex_);
  plans_.insert(plans_.begin(), plan);
  if (plans_.size() > kMostPlans) plans_.pop_back();
  return plan;
}

std::unique_ptr<Frame> Program::take_frame() const {
  {
    std::lock_guard lock(mutex_);
    if (!frames_.empty()) {
      auto frame = std::move(frames_.back());
      frames_.pop_back();
      return frame;
    }
  }
  return std::make_unique<Frame>(*this);
}

void Program::give_frame(std::unique_ptr<Frame> frame) const {
  if (!environment_->keep_arena) frame->arena.reset(), frame->plan.reset();
  std::lock_guard lock(mutex_);
  if (frames_.size() >= kMostFrames) return;
  // Destructors call this: where there is no memory for the entry, the frame goes.
  try {
    frames_.push_back(std::move(frame));
  } catch (const std::bad_alloc&) {
  }
}

void Program::trim() const {
  std::vector<std::unique_ptr<Frame>> frames;
  std::lock_guard lock(mutex_);
  frames.swap(frames_);
  plans_.clear();
}

std::vector<Result> Program::run(std::span<const Tensor> inputs, const std::atomic<uint32_t>* cancel) const {
  for (int i = 0; i < n_inputs(); ++i)
    require(inputs[i].dtype == input_dtype(i), "input ", i, " of a body is ", name_of(inputs[i].dtype),
            ", the body takes ", name_of(input_dtype(i)));
  Run run(*this, inputs);
  run.execute(cancel);
  std::vector<Result> results;
  for (int i = 0; i < n_outputs(); ++i) results.push_back(std::move(run.result(i)));
  return results;
}

}  // namespace ort_cpu
