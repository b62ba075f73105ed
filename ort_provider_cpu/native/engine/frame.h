// `Frame`: the tensors and the arena of one run; kept for the next one.
#pragma once

#include <memory>
#include <vector>

#include "engine/plan.h"

namespace ort_cpu {

struct Frame {
  explicit Frame(const Program& program);

  /// Makes the tensors those of `plan`, in an arena that is large enough.
  void bind(const Program& program, const std::shared_ptr<const Plan>& plan);

  std::shared_ptr<const Plan> plan;
  Buffer arena;
  std::vector<Tensor> tensors;     // by slot
  std::vector<Tensor*> operands;   // of all instructions: inputs, then outputs
  std::vector<int> first_operand;  // by instruction
  std::vector<Buffer> buffers;     // by slot: of what was computed without a plan
};

}  // namespace ort_cpu
