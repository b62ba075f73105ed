// Frames and runs.
#include <algorithm>
#include <chrono>
#include <cstring>

#include "engine/frame.h"

namespace ort_cpu {

namespace {

int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

void check_cancelled(const std::atomic<uint32_t>* cancel) {
  if (cancel != nullptr && cancel->load(std::memory_order_relaxed) != 0)
    throw Error(ErrorKind::fail,
                "Exiting due to terminate flag being set to true. Set RunOptions.terminate to False to run again.");
}

std::byte* address(void* base, size_t offset) { return static_cast<std::byte*>(base) + offset; }

}  // namespace

Frame::Frame(const Program& program) : tensors(program.slots_.size()), buffers(program.slots_.size()) {
  const auto operand = [this](int slot) { return slot < 0 ? nullptr : &tensors[slot]; };
  for (const Instruction& instruction : program.instructions_) {
    first_operand.push_back(static_cast<int>(operands.size()));
    for (int slot : instruction.inputs) operands.push_back(operand(slot));
    for (int slot : instruction.outputs) operands.push_back(operand(slot));
  }
}

void Frame::bind(const Program& program, const std::shared_ptr<const Plan>& next) {
  if (plan == next) return;
  plan.reset();
  if (arena.capacity() < next->arena_bytes) {
    arena.reset();
    try {
      arena = program.environment_->memory->allocate(next->arena_bytes);
    } catch (const Error& error) {
      const std::string& label = program.instructions_[next->peak_instruction].label;
      throw Error(error.kind(), message(label, ": a run needs ", next->arena_bytes, " bytes at once: ", error.what()));
    }
  }
  std::copy(next->tensors.begin(), next->tensors.end(), tensors.begin());
  for (const Plan::Placement& placement : next->placements)
    tensors[placement.slot].data = address(arena.data(), placement.offset_bytes);
  plan = next;
}

Run::Run(const Program& program, std::span<const Tensor> inputs)
    : program_(program),
      plan_(program.plan_for(inputs)),
      frame_(program.take_frame()),
      inputs_(inputs.begin(), inputs.end()),
      destinations_(program.n_outputs()),
      results_(program.n_outputs()) {}

Run::~Run() {
  if (frame_ == nullptr) return;
  if (plan_->first_unplanned < static_cast<int>(program_.instructions_.size()))
    for (Buffer& buffer : frame_->buffers) buffer.reset();
  program_.give_frame(std::move(frame_));
}

const Tensor* Run::planned_output(int i) const {
  const Tensor& tensor = plan_->tensors[program_.outputs_[i]];
  return tensor.dtype == DType::none ? nullptr : &tensor;
}

double Run::cost_ns() const {
  const bool is_complete = plan_->first_unplanned == static_cast<int>(program_.instructions_.size());
  return is_complete ? plan_->cost_ns : plan_->cost_ns + 1e6;
}

void Run::execute(const std::atomic<uint32_t>* cancel, std::vector<Timing>* timings) {
  frame_->bind(program_, plan_);
  for (int i = 0; i < program_.n_outputs(); ++i) {
    const Tensor* planned = planned_output(i);
    if (planned == nullptr) continue;
    results_[i].tensor = {destinations_[i], planned->dtype, planned->shape};
    if (destinations_[i] == nullptr) {
      results_[i].buffer = program_.environment_->memory->allocate(planned->size_bytes());
      results_[i].tensor.data = results_[i].buffer.data();
    }
  }
  for (const Plan::External& external : plan_->externals) {
    const Tensor& source = external.is_output ? results_[external.index].tensor : inputs_[external.index];
    frame_->tensors[external.slot].data = address(source.data, external.offset_bytes);
  }
  execute_planned(cancel, timings);
  if (plan_->first_unplanned < static_cast<int>(program_.instructions_.size())) execute_unplanned(cancel, timings);
  collect_results();
}

void Run::execute_planned(const std::atomic<uint32_t>* cancel, std::vector<Timing>* timings) {
  ThreadPool& pool = *program_.environment_->threads;
  for (const Step& step : plan_->steps) {
    const Instruction& instruction = program_.instructions_[step.instruction];
    check_cancelled(cancel);
    Tensor* const* operands = frame_->operands.data() + frame_->first_operand[step.instruction];
    const int n_inputs = static_cast<int>(instruction.inputs.size());
    void* scratch =
        step.scratch_offset < 0 ? nullptr : address(frame_->arena.data(), static_cast<size_t>(step.scratch_offset));
    RunContext context(operands, n_inputs, operands + n_inputs, static_cast<int>(instruction.outputs.size()), scratch,
                       step.state, pool, nullptr, cancel);
    const int64_t started = timings != nullptr ? now_ns() : 0;
    try {
      instruction.kernel->run(context);
    } catch (...) {
      rethrow_with_label(instruction);
    }
    if (timings != nullptr) timings->push_back({step.instruction, started, now_ns()});
  }
}

namespace {

/// Puts outputs of unknown shape into memory of the pool.
class PoolAllocator : public OutputAllocator {
 public:
  PoolAllocator(const Instruction& instruction, Frame& frame, MemoryPool& memory)
      : instruction_(instruction), frame_(frame), memory_(memory) {}

  Tensor& allocate(int output, DType dtype, const Shape& shape) override {
    const int slot = instruction_.outputs[output];
    check_type(slot, dtype);
    frame_.buffers[slot] = memory_.allocate(checked_size_bytes(dtype, shape));
    frame_.tensors[slot] = {frame_.buffers[slot].data(), dtype, shape};
    return frame_.tensors[slot];
  }
  void adopt(int output, const Tensor& tensor, const Buffer& buffer) override {
    const int slot = instruction_.outputs[output];
    check_type(slot, tensor.dtype);
    frame_.buffers[slot] = buffer;
    frame_.tensors[slot] = tensor;
  }

 private:
  /// The kernels that read the output are made for the type that was planned.
  void check_type(int slot, DType dtype) const {
    const DType planned = frame_.tensors[slot].dtype;
    require(dtype == planned, "an output would be ", name_of(dtype), ", expected ", name_of(planned));
  }
  const Instruction& instruction_;
  Frame& frame_;
  MemoryPool& memory_;
};

}  // namespace

void Run::execute_unplanned(const std::atomic<uint32_t>* cancel, std::vector<Timing>* timings) {
  const Environment& environment = *program_.environment_;
  MemoryPool& memory = *environment.memory;
  std::vector<Tensor>& tensors = frame_->tensors;
  std::vector<Buffer>& buffers = frame_->buffers;
  for (int index = plan_->first_unplanned; index < static_cast<int>(program_.instructions_.size()); ++index) {
    const Instruction& instruction = program_.instructions_[index];
    check_cancelled(cancel);
    Tensor* const* operands = frame_->operands.data() + frame_->first_operand[index];
    const int n_inputs = static_cast<int>(instruction.inputs.size());
    const int n_outputs = static_cast<int>(instruction.outputs.size());
    const auto dies_here = [&](int slot) { return program_.last_use_[slot] == index; };
    PlanContext planned = [&] {
      try {
        return Planner::plan_instruction(program_, instruction, {operands, static_cast<size_t>(n_inputs)});
      } catch (const ValueUnknown&) {
        rethrow_with_label(instruction);
        throw;
      }
    }();

    const int64_t started = timings != nullptr ? now_ns() : 0;
    bool computes = instruction.outputs.empty();
    try {
      PoolAllocator allocator(instruction, *frame_, memory);
      for (int i = 0; i < n_outputs; ++i) {
        const int slot = instruction.outputs[i];
        if (slot < 0) continue;
        const PlanContext::Output& output = Planner::outputs_of(planned)[i];
        tensors[slot] = output.tensor;
        if (output.alias >= 0) {
          const int source = instruction.inputs[output.alias];
          tensors[slot].data = address(tensors[source].data, output.offset_bytes);
          buffers[slot] = buffers[source];
          continue;
        }
        computes = true;
        if (output.unknown_shape) continue;
        for (int input : output.overwrites) {
          const int source = instruction.inputs[input];
          if (source < 0 || !environment.reuse_memory || !dies_here(source) || !buffers[source] ||
              !buffers[source].unique() || tensors[source].data != buffers[source].data() ||
              tensors[source].size_bytes() != output.tensor.size_bytes())
            continue;
          buffers[slot] = buffers[source];
          tensors[slot].data = tensors[source].data;
          break;
        }
        if (tensors[slot].data == nullptr) allocator.allocate(i, output.tensor.dtype, output.tensor.shape);
      }
      Buffer scratch;
      if (const size_t bytes = Planner::scratch_of(planned); bytes > 0) scratch = memory.allocate(bytes);
      if (computes) {
        RunContext context(operands, n_inputs, operands + n_inputs, n_outputs, scratch.data(),
                           Planner::state_of(planned).get(), *environment.threads, &allocator, cancel);
        instruction.kernel->run(context);
      }
    } catch (...) {
      rethrow_with_label(instruction);
    }
    if (timings != nullptr && computes) timings->push_back({index, started, now_ns()});
    for (int slot : instruction.inputs)
      if (slot >= 0 && dies_here(slot)) buffers[slot].reset();
    for (int slot : instruction.outputs)
      if (slot >= 0 && program_.last_use_[slot] < 0) buffers[slot].reset();
  }
}

void Run::collect_results() {
  MemoryPool& memory = *program_.environment_->memory;
  const auto copy = [&](int i) {
    const Tensor& source = frame_->tensors[program_.outputs_[i]];
    Result& result = results_[i];
    if (result.tensor.data == nullptr) {
      result.buffer = memory.allocate(source.size_bytes());
      result.tensor = {result.buffer.data(), source.dtype, source.shape};
    }
    if (const size_t bytes = source.size_bytes(); bytes > 0) std::memcpy(result.tensor.data, source.data, bytes);
  };
  for (int i : plan_->copied_outputs) copy(i);
  for (int i = 0; i < program_.n_outputs(); ++i) {
    if (planned_output(i) != nullptr) continue;
    const int slot = program_.outputs_[i];
    Buffer& buffer = frame_->buffers[slot];
    // A buffer that holds something else as well stays here.
    if (buffer && buffer.unique() && frame_->tensors[slot].data == buffer.data()) {
      results_[i] = {frame_->tensors[slot], std::move(buffer)};
      buffer.reset();
    } else {
      copy(i);
    }
  }
}

}  // namespace ort_cpu
