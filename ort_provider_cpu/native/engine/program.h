// `Program`: a partition as a list of kernels over numbered slots, with its plans and the memory of its runs.
#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "engine/kernel.h"
#include "engine/memory.h"

namespace ort_cpu {

struct Plan;
struct Frame;

/// What the programs of a session share.
struct Environment {
  Settings settings;
  std::shared_ptr<ThreadPool> threads;
  std::shared_ptr<MemoryPool> memory;
  bool keep_arena = true;   // between runs
  bool plan_memory = true;  // one arena per run; otherwise a block for each tensor
  bool reuse_memory = true;
};

/// One kernel call.
struct Instruction {
  std::unique_ptr<Kernel> kernel;
  std::vector<int> inputs;   // slots; -1: absent
  std::vector<int> outputs;  // slots; -1: not wanted
  std::string op;
  std::string label;  // as messages name the node
};

/// A tensor that a run computed; `buffer` owns its memory unless the caller gave it.
struct Result {
  Tensor tensor;
  Buffer buffer;
};

/// When an instruction ran, in nanoseconds of the steady clock.
struct Timing {
  int instruction;
  int64_t started_ns, ended_ns;
};

/// A slot's type as far as the model tells it.
struct SlotType {
  DType dtype = DType::none;
  bool has_shape = false;
  Shape shape;
};

/// Instructions over slots. Build it with `add_*` and `finish`; after that it is immutable, and runs may overlap.
class Program {
 public:
  explicit Program(std::shared_ptr<Environment> environment);
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  int add_input(const SlotType& type);
  /// `owner` keeps the memory alive until `uses` nodes have been added that release the constant.
  int add_constant(const Tensor& tensor, std::shared_ptr<const void> owner, int uses);
  /// A constant in a file that only the next node will take; read when its kernel asks for it.
  int add_constant(DType dtype, const Shape& shape, std::unique_ptr<ConstantFile> file);
  /// Makes the kernel and returns the slots of the outputs (-1 for unwanted ones, whose dtype is none).
  std::vector<int> add_node(const std::string& domain, const std::string& op, const std::string& label,
                            const Attributes& attributes, const std::vector<int>& inputs,
                            const std::vector<SlotType>& outputs);
  /// The same with a kernel that is made already.
  std::vector<int> add_node(std::unique_ptr<Kernel> kernel, const std::string& op, const std::string& label,
                            const std::vector<int>& inputs, const std::vector<SlotType>& outputs);
  /// `types`: of the outputs, as well as the model tells them.
  void finish(std::vector<int> outputs, std::vector<SlotType> types);

  int n_inputs() const { return static_cast<int>(inputs_.size()); }
  int n_outputs() const { return static_cast<int>(outputs_.size()); }
  int n_slots() const { return static_cast<int>(slots_.size()); }
  DType input_dtype(int i) const { return slots_[inputs_[i]].type.dtype; }
  const SlotType& output_type(int i) const { return output_types_[i]; }
  const std::vector<Instruction>& instructions() const { return instructions_; }
  const Environment& environment() const { return *environment_; }

  /// Runs on tensors of the program's memory pool: for bodies of control flow.
  std::vector<Result> run(std::span<const Tensor> inputs, const std::atomic<uint32_t>* cancel) const;
  /// Gives the memory of idle runs back to the pool.
  void trim() const;

 private:
  friend class Run;
  friend class Planner;
  friend struct Frame;
  enum class SlotKind : uint8_t { constant, input, temporary };
  struct Slot {
    SlotKind kind;
    SlotType type;
    std::unique_ptr<Constant> constant = nullptr;
    int uses = 0;
  };

  /// Adds the instruction with slots for its outputs, which it returns.
  const std::vector<int>& add_instruction(Instruction instruction, const std::vector<SlotType>& outputs);
  std::shared_ptr<const Plan> plan_for(std::span<const Tensor> inputs) const;
  std::unique_ptr<Frame> take_frame() const;
  void give_frame(std::unique_ptr<Frame> frame) const;

  std::shared_ptr<Environment> environment_;
  TransferMemory transfer_;
  std::vector<Slot> slots_;
  std::vector<Instruction> instructions_;
  std::vector<int> inputs_, outputs_;
  std::vector<SlotType> output_types_;
  std::vector<int> last_use_;  // of each slot: the last instruction that reads it, or one past the end for outputs
  mutable std::mutex mutex_;
  mutable std::vector<std::shared_ptr<const Plan>> plans_;
  mutable std::vector<std::unique_ptr<Frame>> frames_;
};

/// One run: `Run(program, inputs)` plans it, `set_output` places outputs of known shape, `execute` computes.
class Run {
 public:
  Run(const Program& program, std::span<const Tensor> inputs);
  ~Run();
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  /// The type of output `i`, or null when only the run will know it.
  const Tensor* planned_output(int i) const;
  /// Where to put output `i` (whose type is planned); without it the run takes memory of the pool.
  void set_output(int i, void* data) { destinations_[i] = data; }
  /// Nanoseconds that the run is expected to take on one thread.
  double cost_ns() const;
  void execute(const std::atomic<uint32_t>* cancel, std::vector<Timing>* timings = nullptr);
  /// Output `i` after `execute`; its buffer is empty if `set_output` was called.
  Result& result(int i) { return results_[i]; }

 private:
  void bind(std::span<const Tensor> inputs);
  void execute_planned(const std::atomic<uint32_t>* cancel, std::vector<Timing>* timings);
  void execute_unplanned(const std::atomic<uint32_t>* cancel, std::vector<Timing>* timings);
  void collect_results();

  const Program& program_;
  std::shared_ptr<const Plan> plan_;
  std::unique_ptr<Frame> frame_;
  std::vector<Tensor> inputs_;
  std::vector<void*> destinations_;
  std::vector<Result> results_;
};

}  // namespace ort_cpu
