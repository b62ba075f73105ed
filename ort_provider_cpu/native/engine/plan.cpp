#include "engine/plan.h"

#include <algorithm>
#include <limits>
#include <new>

namespace ort_cpu {

namespace {

constexpr int64_t kMostKnownElements = 1024;
constexpr size_t kAlignment = 64;
constexpr double kBytesPerNs = 8;
constexpr double kStepNs = 30;

size_t round_up(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

/// Free ranges of an arena, by offset; best fit.
class FreeList {
 public:
  size_t take(size_t bytes) {
    auto best = ranges_.end();
    for (auto it = ranges_.begin(); it != ranges_.end(); ++it)
      if (it->bytes >= bytes && (best == ranges_.end() || it->bytes < best->bytes)) best = it;
    if (best == ranges_.end()) throw std::bad_alloc();
    const size_t offset = best->offset;
    best->offset += bytes;
    best->bytes -= bytes;
    if (best->bytes == 0) ranges_.erase(best);
    top_ = std::max(top_, offset + bytes);
    return offset;
  }
  void give(size_t offset, size_t bytes) {
    if (bytes == 0) return;
    auto next = std::find_if(ranges_.begin(), ranges_.end(), [&](const Range& r) { return r.offset > offset; });
    if (next != ranges_.begin()) {
      auto previous = next - 1;
      if (previous->offset + previous->bytes == offset) {
        previous->bytes += bytes;
        if (next != ranges_.end() && previous->offset + previous->bytes == next->offset) {
          previous->bytes += next->bytes;
          ranges_.erase(next);
        }
        return;
      }
    }
    if (next != ranges_.end() && offset + bytes == next->offset) {
      next->offset = offset;
      next->bytes += bytes;
    } else {
      ranges_.insert(next, {offset, bytes});
    }
  }
  size_t top() const { return top_; }

 private:
  struct Range {
    size_t offset, bytes;
  };
  std::vector<Range> ranges_{{0, std::numeric_limits<size_t>::max() / 2}};
  size_t top_ = 0;
};

}  // namespace

void rethrow_with_label(const Instruction& instruction) {
  const auto prefix = [&](const char* what) { return message(instruction.label, ": ", what); };
  try {
    throw;
  } catch (const Error& error) {
    throw Error(error.kind(), prefix(error.what()));
  } catch (const ValueUnknown&) {
    throw Error(ErrorKind::runtime_exception, prefix("asked for a value that is not there"));
  } catch (const std::bad_alloc&) {
    throw Error(ErrorKind::out_of_memory, prefix("the system has no memory left"));
  } catch (const std::exception& error) {
    throw Error(ErrorKind::runtime_exception, prefix(error.what()));
  }
}

Planner::Planner(const Program& program, std::span<const Tensor> inputs)
    : program_(program), plan_(std::make_shared<Plan>()) {
  const size_t n = program.slots_.size();
  plan_->tensors.resize(n);
  for (size_t slot = 0; slot < n; ++slot) {
    const Program::Slot& source = program.slots_[slot];
    plan_->tensors[slot] = source.constant != nullptr ? source.constant->tensor() : Tensor{};
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    plan_->tensors[program.inputs_[i]] = {nullptr, inputs[i].dtype, inputs[i].shape};
    plan_->key.push_back(inputs[i].shape.rank());
    plan_->key.insert(plan_->key.end(), inputs[i].shape.begin(), inputs[i].shape.end());
  }
  plan_->is_known.resize(program.instructions_.size());
}

PlanContext Planner::plan_instruction(const Program& program, const Instruction& instruction,
                                      std::span<Tensor* const> inputs) {
  PlanContext context;
  context.threads_ = program.environment_->settings.threads;
  context.inputs_.assign(inputs.begin(), inputs.end());
  context.outputs_.resize(instruction.outputs.size());
  for (size_t i = 0; i < instruction.outputs.size(); ++i) context.outputs_[i].wanted = instruction.outputs[i] >= 0;
  try {
    instruction.kernel->plan(context);
    for (const auto& output : context.outputs_) {
      if (!output.wanted) continue;
      const Program::Slot& slot = program.slots_[instruction.outputs[&output - context.outputs_.data()]];
      if (output.tensor.dtype != slot.type.dtype)
        throw Error(ErrorKind::runtime_exception, message("the kernel planned ", name_of(output.tensor.dtype), " for an output of ",
                                             name_of(slot.type.dtype)));
      for (int64_t dim : output.tensor.shape) require(dim >= 0, "an output would get the shape ", output.tensor.shape);
      checked_size_bytes(output.tensor.dtype, output.tensor.shape);
    }
  } catch (const ValueUnknown&) {
    throw;
  } catch (...) {
    rethrow_with_label(instruction);
  }
  return context;
}

bool Planner::plan_one(int index) {
  const Instruction& instruction = program_.instructions_[index];
  std::vector<Tensor*> inputs;
  for (int slot : instruction.inputs) inputs.push_back(slot < 0 ? nullptr : &plan_->tensors[slot]);
  try {
    PlanContext context = plan_instruction(program_, instruction, inputs);
    for (const auto& output : context.outputs_)
      if (output.wanted && output.unknown_shape) return false;
    double bytes = 0;
    for (size_t i = 0; i < instruction.outputs.size(); ++i) {
      if (instruction.outputs[i] < 0) continue;
      plan_->tensors[instruction.outputs[i]] = context.outputs_[i].tensor;
      if (context.outputs_[i].alias < 0) bytes += static_cast<double>(context.outputs_[i].tensor.size_bytes());
    }
    if (evaluate(index, context)) {
      plan_->is_known[index] = true;
      return true;
    }
    for (const Tensor* input : inputs)
      if (input != nullptr && bytes > 0) bytes += static_cast<double>(input->size_bytes());
    plan_->cost_ns += context.cost_ns_ > 0 ? context.cost_ns_ : kStepNs + bytes / kBytesPerNs;
    planned_.push_back({index, std::move(context)});
    return true;
  } catch (const ValueUnknown&) {
    return false;
  }
}

bool Planner::evaluate(int index, PlanContext& context) {
  const Instruction& instruction = program_.instructions_[index];
  if (!instruction.kernel->pure()) return false;
  if (!instruction.kernel->only_needs_shapes())
    for (size_t i = 0; i < instruction.inputs.size(); ++i)
      if (context.has_input(static_cast<int>(i)) && !context.has_value(static_cast<int>(i))) return false;
  int64_t elements = 0;
  for (const auto& output : context.outputs_)
    if (output.wanted) elements += output.tensor.size();
  if (elements > kMostKnownElements || context.scratch_bytes_ > (1u << 20)) return false;

  std::vector<Tensor*> inputs, outputs;
  for (int slot : instruction.inputs) inputs.push_back(slot < 0 ? nullptr : &plan_->tensors[slot]);
  for (size_t i = 0; i < instruction.outputs.size(); ++i) {
    const int slot = instruction.outputs[i];
    outputs.push_back(slot < 0 ? nullptr : &plan_->tensors[slot]);
    if (slot < 0) continue;
    const auto& output = context.outputs_[i];
    if (output.alias >= 0) {
      const Tensor& source = *inputs[output.alias];
      plan_->tensors[slot].data = static_cast<std::byte*>(source.data) + output.offset_bytes;
    } else {
      plan_->known.push_back(std::make_unique<OwnedTensor>(output.tensor.dtype, output.tensor.shape));
      plan_->tensors[slot] = plan_->known.back()->view();
    }
  }
  std::vector<std::byte> scratch(context.scratch_bytes_ + kAlignment);
  void* aligned = scratch.data();
  size_t space = scratch.size();
  std::align(kAlignment, context.scratch_bytes_, aligned, space);
  RunContext run(inputs.data(), static_cast<int>(inputs.size()), outputs.data(), static_cast<int>(outputs.size()),
                 aligned, context.state_.get(), *program_.environment_->threads, nullptr, nullptr);
  try {
    instruction.kernel->run(run);
  } catch (...) {
    rethrow_with_label(instruction);
  }
  return true;
}

std::shared_ptr<const Plan> Planner::make() {
  const int n = static_cast<int>(program_.instructions_.size());
  int next = 0;
  if (program_.environment_->plan_memory)
    while (next < n && plan_one(next)) ++next;
  plan_->first_unplanned = next;
  const size_t slots = plan_->tensors.size();
  parent_.resize(slots);
  for (size_t slot = 0; slot < slots; ++slot) parent_[slot] = static_cast<int>(slot);
  offset_.assign(slots, 0);
  join_aliases();
  join_overwrites();
  choose_external();
  place();
  return plan_;
}

int Planner::root_of(int slot) const {
  while (parent_[slot] != slot) slot = parent_[slot];
  return slot;
}

void Planner::join_aliases() {
  for (const Planned& planned : planned_) {
    const Instruction& instruction = program_.instructions_[planned.instruction];
    for (size_t i = 0; i < instruction.outputs.size(); ++i) {
      const auto& output = planned.context.outputs_[i];
      const int slot = instruction.outputs[i];
      if (slot < 0 || output.alias < 0) continue;
      parent_[slot] = instruction.inputs[output.alias];
      offset_[slot] = output.offset_bytes;
      // A view of a value that is known is known too.
      if (const Tensor& source = plan_->tensors[parent_[slot]]; source.data != nullptr)
        plan_->tensors[slot].data = static_cast<std::byte*>(source.data) + output.offset_bytes;
    }
  }
  // What the instructions after the plan read has to stay until the end.
  last_use_.assign(parent_.size(), -1);
  const int end = static_cast<int>(program_.instructions_.size());
  for (size_t slot = 0; slot < parent_.size(); ++slot) {
    int last = program_.last_use_[slot];
    if (last >= plan_->first_unplanned) last = end;
    int& root_last = last_use_[root_of(static_cast<int>(slot))];
    root_last = std::max(root_last, last);
  }
}

void Planner::join_overwrites() {
  if (!program_.environment_->reuse_memory) return;
  for (const Planned& planned : planned_) {
    const Instruction& instruction = program_.instructions_[planned.instruction];
    std::vector<int> taken;
    for (size_t i = 0; i < instruction.outputs.size(); ++i) {
      const auto& output = planned.context.outputs_[i];
      const int slot = instruction.outputs[i];
      if (slot < 0) continue;
      for (int input : output.overwrites) {
        const int source = instruction.inputs[input];
        if (source < 0 || plan_->tensors[source].data != nullptr) continue;
        const int root = root_of(source);
        const bool is_temporary =
            program_.slots_[root].kind == Program::SlotKind::temporary && plan_->tensors[root].data == nullptr;
        const bool covers = root == source || offset_[source] == 0;
        const bool is_shared = std::any_of(instruction.inputs.begin(), instruction.inputs.end(), [&](int other) {
          return other >= 0 && other != source && root_of(other) == root;
        });
        if (is_shared || !is_temporary || !covers || last_use_[root] != planned.instruction ||
            std::find(taken.begin(), taken.end(), root) != taken.end() ||
            plan_->tensors[root].size_bytes() != plan_->tensors[slot].size_bytes() ||
            plan_->tensors[source].size_bytes() != plan_->tensors[slot].size_bytes())
          continue;
        parent_[slot] = root;
        offset_[slot] = 0;
        last_use_[root] = std::max(last_use_[root], last_use_[slot]);
        taken.push_back(root);
        break;
      }
    }
  }
}

void Planner::choose_external() {
  external_output_.assign(parent_.size(), -1);
  for (int i = 0; i < program_.n_outputs(); ++i) {
    const int slot = program_.outputs_[i];
    const bool is_planned = plan_->tensors[slot].dtype != DType::none;
    if (!is_planned) continue;
    const int root = root_of(slot);
    size_t offset = 0;
    for (int s = slot; s != root; s = parent_[s]) offset += offset_[s];
    const bool own = program_.slots_[root].kind == Program::SlotKind::temporary &&
                     plan_->tensors[root].data == nullptr && plan_->tensors[slot].data == nullptr &&
                     external_output_[root] < 0 && offset == 0 &&
                     plan_->tensors[root].size_bytes() == plan_->tensors[slot].size_bytes();
    if (own) {
      external_output_[root] = i;
    } else {
      plan_->copied_outputs.push_back(i);
    }
  }
}

void Planner::place() {
  const auto arena_bytes_of = [&](int slot) {
    return round_up(std::max<size_t>(plan_->tensors[slot].size_bytes(), 1));
  };
  FreeList free;
  const int end = static_cast<int>(program_.instructions_.size());
  const bool reuse = program_.environment_->reuse_memory;
  std::vector<std::vector<int>> dying(plan_->first_unplanned);
  std::vector<size_t> placed(parent_.size(), std::numeric_limits<size_t>::max());
  int ended = 0;
  for (Planned& planned : planned_) {
    const Instruction& instruction = program_.instructions_[planned.instruction];
    for (; ended < planned.instruction; ++ended)
      for (int slot : dying[ended]) free.give(placed[slot], arena_bytes_of(slot));
    const size_t before = free.top();
    for (int slot : instruction.outputs) {
      if (slot < 0 || parent_[slot] != slot || external_output_[slot] >= 0) continue;
      placed[slot] = free.take(arena_bytes_of(slot));
      const int last = std::max(last_use_[slot], planned.instruction);
      if (reuse && last < end && last < plan_->first_unplanned) dying[last].push_back(slot);
    }
    int64_t scratch_offset = -1;
    if (const size_t bytes = round_up(planned.context.scratch_bytes_); bytes > 0) {
      scratch_offset = static_cast<int64_t>(free.take(bytes));
      free.give(static_cast<size_t>(scratch_offset), bytes);
    }
    if (free.top() > before) plan_->peak_instruction = planned.instruction;
    bool computes = instruction.outputs.empty();
    for (size_t i = 0; i < instruction.outputs.size(); ++i)
      computes |= instruction.outputs[i] >= 0 && planned.context.outputs_[i].alias < 0;
    if (computes) plan_->steps.push_back({planned.instruction, planned.context.state_.get(), scratch_offset});
    if (planned.context.state_ != nullptr) plan_->states.push_back(planned.context.state_);
  }
  plan_->arena_bytes = free.top();

  for (size_t s = 0; s < parent_.size(); ++s) {
    const int slot = static_cast<int>(s);
    const Tensor& tensor = plan_->tensors[slot];
    if (tensor.dtype == DType::none || tensor.data != nullptr) continue;
    const int root = root_of(slot);
    size_t offset = 0;
    for (int inner = slot; inner != root; inner = parent_[inner]) offset += offset_[inner];
    if (program_.slots_[root].kind == Program::SlotKind::input) {
      const auto found = std::find(program_.inputs_.begin(), program_.inputs_.end(), root);
      plan_->externals.push_back({slot, false, static_cast<int>(found - program_.inputs_.begin()), offset});
    } else if (external_output_[root] >= 0) {
      plan_->externals.push_back({slot, true, external_output_[root], offset});
    } else if (program_.slots_[root].kind == Program::SlotKind::temporary &&
               placed[root] != std::numeric_limits<size_t>::max()) {
      plan_->placements.push_back({slot, placed[root] + offset});
    }
  }
}

}  // namespace ort_cpu
