// `Plan`: what is settled for one signature of input shapes: types, memory, values that are known without a run.
#pragma once

#include <memory>
#include <vector>

#include "engine/program.h"

namespace ort_cpu {

struct Step {
  int instruction;
  const void* state;
  int64_t scratch_offset;  // into the arena; -1: none
};

struct Plan {
  /// Memory outside the arena that a slot refers to.
  struct External {
    int slot;
    bool is_output;
    int index;  // of the program's input or output
    size_t offset_bytes;
  };
  struct Placement {
    int slot;
    size_t offset_bytes;
  };

  std::vector<int64_t> key;
  std::vector<Tensor> tensors;  // by slot; data only where it is known without a run
  std::vector<Step> steps;
  std::vector<bool> is_known;  // by instruction: its outputs are among `tensors`
  int first_unplanned = 0;     // instructions from here on are planned while they run
  size_t arena_bytes = 0;
  int peak_instruction = -1;  // the one at which the arena is fullest
  std::vector<Placement> placements;
  std::vector<External> externals;
  std::vector<int> copied_outputs;  // outputs that are copied from their slot in the end
  double cost_ns = 0;
  std::vector<std::shared_ptr<const void>> states;
  std::vector<std::unique_ptr<OwnedTensor>> known;
};

/// Makes plans.
class Planner {
 public:
  Planner(const Program& program, std::span<const Tensor> inputs);
  std::shared_ptr<const Plan> make();

  /// What a kernel asks for, given the tensors of its inputs (null where absent). Throws ValueUnknown.
  static PlanContext plan_instruction(const Program& program, const Instruction& instruction,
                                      std::span<Tensor* const> inputs);
  static std::vector<PlanContext::Output>& outputs_of(PlanContext& context) { return context.outputs_; }
  static size_t scratch_of(const PlanContext& context) { return context.scratch_bytes_; }
  static const std::shared_ptr<const void>& state_of(const PlanContext& context) { return context.state_; }

 private:
  struct Planned {
    int instruction;
    PlanContext context;
  };

  /// Plans an instruction; false when that needs a value that only a run will know.
  bool plan_one(int index);
  /// Computes the outputs of an instruction now if they are small and nothing that a run brings can change them.
  bool evaluate(int index, PlanContext& context);
  int root_of(int slot) const;
  void join_aliases();
  void join_overwrites();
  void choose_external();
  void place();

  const Program& program_;
  std::shared_ptr<Plan> plan_;
  std::vector<Planned> planned_;
  std::vector<int> parent_;           // of a slot: the slot whose memory it lies in, or itself
  std::vector<size_t> offset_;        // within the parent
  std::vector<int> last_use_;         // of a root
  std::vector<int> external_output_;  // of a root: the program output whose memory it is, or -1
};

/// `node 'x' (ai.onnx::Op, opset n): reason`, of the same kind as the original error.
[[noreturn]] void rethrow_with_label(const Instruction& instruction);

}  // namespace ort_cpu
