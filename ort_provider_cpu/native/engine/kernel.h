// The interface of operators: `Kernel`, what it is made from (`NodeSpec`), and what it sees (`PlanContext`,
// `RunContext`).
//
// A kernel is made once per node, planned once per signature of input shapes, and run many times, in several threads.
#pragma once

#include <atomic>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/attributes.h"
#include "engine/constant.h"
#include "engine/tensor.h"
#include "engine/thread_pool.h"

namespace ort_cpu {

/// What the session's options mean to kernels.
struct Settings {
  int threads = 1;
  bool winograd = true;
  bool deterministic = false;
  /// Keep weights as they are in the model instead of packing copies of them.
  bool low_memory = false;
};

/// An input as it is known when the kernel is made.
struct InputSpec {
  DType dtype = DType::none;  // none: an optional input that is absent
  Constant* constant = nullptr;
  /// What the model says of the shape: null if even the rank is unknown; unknown dimensions are -1.
  const Shape* shape = nullptr;

  bool present() const { return dtype != DType::none; }
};

/// What a kernel is made from.
class NodeSpec {
 public:
  NodeSpec(std::string op, const Attributes& attributes, std::vector<InputSpec> inputs, std::vector<DType> outputs,
           const Settings& settings)
      : op(std::move(op)),
        attributes(attributes),
        inputs(std::move(inputs)),
        outputs(std::move(outputs)),
        settings(settings),
        released_(this->inputs.size()) {}

  const std::string op;
  const Attributes& attributes;
  const std::vector<InputSpec> inputs;
  const std::vector<DType> outputs;  // none: not wanted
  const Settings& settings;

  int n_inputs() const { return static_cast<int>(inputs.size()); }
  bool has_input(int i) const { return i < n_inputs() && inputs[i].present(); }
  DType dtype(int i) const { return i < n_inputs() ? inputs[i].dtype : DType::none; }
  /// The constant at input `i`, or null. Its data is valid until the kernel's constructor returns (and later only if it
  /// is not released).
  const Tensor* constant(int i) const { return stored_constant(i) ? &inputs[i].constant->load() : nullptr; }
  /// The same before it is in memory, for those that read it in pieces.
  Constant* stored_constant(int i) const { return i < n_inputs() ? inputs[i].constant : nullptr; }
  /// Declares that the data of constant `i` is not needed any more: the kernel has packed it. Its type and shape stay.
  void release_constant(int i) const { released_[i] = true; }
  bool is_released(int i) const { return released_[i]; }

 private:
  mutable std::vector<bool> released_;
};

/// Thrown by `PlanContext::value` for a value that only a run will know; the engine plans the node again then.
struct ValueUnknown {};

/// What a kernel plans for one signature of inputs: types of outputs, scratch memory, and whatever it wants to
/// precompute. Asking for an input that is absent raises InvalidArgument; `run` may take those for there that `plan`
/// has asked for.
class PlanContext {
 public:
  int n_inputs() const { return static_cast<int>(inputs_.size()); }
  int n_outputs() const { return static_cast<int>(outputs_.size()); }
  bool has_input(int i) const { return i < n_inputs() && inputs_[i] != nullptr; }
  DType dtype(int i) const { return input(i).dtype; }
  const Shape& shape(int i) const { return input(i).shape; }
  /// Whether the data of input `i` is known now: constants, shapes, and anything while a run is in progress.
  bool has_value(int i) const { return input(i).data != nullptr || input(i).shape.size() == 0; }
  /// Input `i` with its data. Throws ValueUnknown where it is not known yet; kernels let that pass through.
  const Tensor& value(int i) const {
    if (!has_value(i)) throw ValueUnknown{};
    return input(i);
  }
  /// Whether anybody uses output `i`.
  bool wants(int i) const { return i < n_outputs() && outputs_[i].wanted; }
  /// Worker threads that the run may use, the caller among them.
  int threads() const { return threads_; }

  /// Sets the type of an output.
  void output(int i, DType dtype, const Shape& shape) {
    if (wants(i)) outputs_[i].tensor = {nullptr, dtype, shape};
  }
  /// The output is the input's memory from `offset_bytes` on, seen with another shape; `run` need not write it.
  void alias(int i, int input, const Shape& shape, size_t offset_bytes = 0) {
    output(i, dtype(input), shape);
    if (wants(i)) outputs_[i].alias = input, outputs_[i].offset_bytes = offset_bytes;
  }
  /// The output may take over the memory of an input that nobody needs any more; the two must be of equal size in
  /// bytes. `run` may then find both at the same address, and a further input too if it is the same tensor; none that
  /// overlaps it otherwise.
  void may_overwrite(int i, int input) {
    if (wants(i)) outputs_[i].overwrites.push_back(input);
  }
  /// The shape of the output will only be known to `run`, which calls `RunContext::allocate`.
  void output_of_unknown_shape(int i, DType dtype) {
    if (wants(i)) outputs_[i].tensor = {nullptr, dtype, {}}, outputs_[i].unknown_shape = true;
  }
  /// Memory that `run` gets from `RunContext::scratch`, aligned to 64 bytes, uninitialised.
  void scratch(size_t bytes) { scratch_bytes_ = bytes; }
  /// How long the run will take, in nanoseconds on one thread, where the bytes moved do not tell.
  void cost_ns(double ns) { cost_ns_ = ns; }
  /// Keeps what was computed for this signature; `RunContext::state<T>` gives it back.
  template <class T>
  void state(T value) {
    state_ = std::make_shared<const T>(std::move(value));
  }

  struct Output {
    Tensor tensor;
    bool wanted = false;
    bool unknown_shape = false;
    int alias = -1;
    size_t offset_bytes = 0;
    std::vector<int> overwrites;
  };

 private:
  friend class Planner;
  const Tensor& input(int i) const {
    require(has_input(i), "input ", i, " is missing");
    return *inputs_[i];
  }
  std::vector<const Tensor*> inputs_;
  std::vector<Output> outputs_;
  int threads_ = 1;
  size_t scratch_bytes_ = 0;
  double cost_ns_ = 0;
  std::shared_ptr<const void> state_;
};

class Buffer;

/// Gives memory to outputs whose shape only the run knows.
class OutputAllocator {
 public:
  virtual ~OutputAllocator() = default;
  virtual Tensor& allocate(int output, DType dtype, const Shape& shape) = 0;
  /// Makes a tensor whose memory `buffer` owns the output.
  virtual void adopt(int output, const Tensor& tensor, const Buffer& buffer) = 0;
};

/// What a kernel computes with in one run.
class RunContext {
 public:
  RunContext(Tensor* const* inputs, int n_inputs, Tensor* const* outputs, int n_outputs, void* scratch,
             const void* state, ThreadPool& pool, OutputAllocator* allocator, const std::atomic<uint32_t>* cancel)
      : inputs_(inputs),
        outputs_(outputs),
        n_inputs_(n_inputs),
        n_outputs_(n_outputs),
        scratch_(scratch),
        state_(state),
        pool_(pool),
        allocator_(allocator),
        cancel_(cancel) {}

  int n_inputs() const { return n_inputs_; }
  int n_outputs() const { return n_outputs_; }
  bool has_input(int i) const { return i < n_inputs_ && inputs_[i] != nullptr; }
  bool wants(int i) const { return i < n_outputs_ && outputs_[i] != nullptr; }
  const Tensor& input(int i) const { return *inputs_[i]; }
  const Tensor& output(int i) const { return *outputs_[i]; }
  /// Memory for an output that was planned with `output_of_unknown_shape`.
  Tensor& allocate(int i, DType dtype, const Shape& shape) { return allocator_->allocate(i, dtype, shape); }
  /// Hands over memory that is already written; see `OutputAllocator::adopt`.
  void adopt(int i, const Tensor& tensor, const Buffer& buffer) { allocator_->adopt(i, tensor, buffer); }
  template <class T>
  T* scratch() const {
    return static_cast<T*>(scratch_);
  }
  template <class T>
  const T& state() const {
    return *static_cast<const T*>(state_);
  }

  int threads() const { return pool_.threads(); }
  ThreadPool& pool() const { return pool_; }
  /// Calls `function(chunk, chunks)` for each chunk, in parallel.
  template <class F>
  void parallel(int chunks, F&& function) const {
    if (chunks <= 1) {
      if (chunks == 1) function(0, 1);
      return;
    }
    pool_.run(chunks, ChunkFunction(function));
  }
  /// Calls `function(begin, end)` for ranges that cover [0, total), in parallel if `total` is at least two `grain`s.
  template <class F>
  void parallel_for(int64_t total, int64_t grain, F&& function) const {
    const int64_t most = grain > 0 ? total / grain : total;
    const int chunks = static_cast<int>(std::clamp<int64_t>(most, 1, threads()));
    if (chunks == 1) {
      if (total > 0) function(int64_t{0}, total);
      return;
    }
    parallel(chunks, [&](int chunk, int n) {
      const int64_t begin = total * chunk / n, end = total * (chunk + 1) / n;
      if (begin < end) function(begin, end);
    });
  }

  const std::atomic<uint32_t>* cancel_flag() const { return cancel_; }
  bool cancelled() const { return cancel_ != nullptr && cancel_->load(std::memory_order_relaxed) != 0; }

 private:
  Tensor* const* inputs_;
  Tensor* const* outputs_;
  int n_inputs_, n_outputs_;
  void* scratch_;
  const void* state_;
  ThreadPool& pool_;
  OutputAllocator* allocator_;
  const std::atomic<uint32_t>* cancel_;
};

/// An operator of one node. `plan` and `run` are called from several threads at once.
class Kernel {
 public:
  virtual ~Kernel() = default;

  /// Sets the types of the wanted outputs from the inputs' types (and values, where `value` is asked for).
  ///
  /// Everything that a model or a feed can get wrong is checked here or in the constructor, with `require`: `run` only
  /// computes.
  virtual void plan(PlanContext& ctx) const = 0;

  /// Writes the wanted outputs.
  virtual void run(RunContext& ctx) const = 0;

  /// Whether the outputs depend on the shapes of the inputs only, so that they are known when the plan is made.
  virtual bool only_needs_shapes() const { return false; }
  /// Whether equal inputs give equal outputs.
  virtual bool pure() const { return true; }
};

}  // namespace ort_cpu
