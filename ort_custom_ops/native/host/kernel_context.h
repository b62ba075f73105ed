// One call of a kernel: its inputs, its outputs, its scratch memory.
#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "host/handle.h"
#include "host/values.h"
#include "native_kernel.h"

namespace ort_ops {

/// What is fixed for all calls of a kernel.
struct CallPlan {
  /// The type of each input of the node; undefined: any.
  std::vector<int32_t> input_types;
  std::vector<bool> input_required;
  /// The inputs that were declared without a type; outputs without one that follow are of the type of the first of them
  /// that is there.
  std::vector<size_t> untyped_inputs;
  /// Of the outputs of the node and of those that the operator declares beyond.
  std::vector<int32_t> output_types;
  std::vector<bool> output_follows;
  /// For each of them the input whose contents it starts with, as the operator says that they share memory; none is -1.
  std::vector<int32_t> output_alias;
  /// The outputs of the node, and which of them have a name.
  std::vector<bool> wanted;
};

struct KernelContext : Handle {
  explicit KernelContext(const CallPlan& call_plan);

  struct Output {
    Value value;
    bool made = false;
  };

  const CallPlan& plan;
  /// What `inputs` points to; null there is an absent input.
  std::vector<std::unique_ptr<Value>> values;
  std::vector<const Value*> inputs;
  std::vector<std::unique_ptr<Output>> outputs;
  std::vector<std::shared_ptr<void>> scratch;
  /// Guards `scratch`, which kernels may ask for from several threads.
  std::mutex scratch_mutex;
  /// The engine that gives memory for outputs and threads; null: this library does.
  const OrtCoreCall* engine = nullptr;

  /// An input in memory of the caller; throws `Error` if it is not of the type that the operator takes.
  void set_input(size_t index, int32_t type, std::span<const int64_t> dims, void* data);
  /// A tensor of strings, of which the strings are to be set.
  std::vector<std::string>& set_strings(size_t index, std::span<const int64_t> dims);
  void set_absent(size_t index);
  bool is_wanted(size_t output) const;
  /// Throws `Error` if a wanted output was not made.
  void check_outputs() const;
  /// Frees what the call needed.
  void reset();

 private:
  Value& next_input(size_t index, int32_t type);
};

}  // namespace ort_ops
