// A kernel of a library: made for one node, called from many threads.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "host/kernel_context.h"
#include "host/kernel_info.h"
#include "host/operator.h"
#include "native_kernel.h"

namespace ort_ops {

class Kernel {
 public:
  /// Throws `Error` if the library refuses.
  Kernel(const Operator& of, NodeFacts node);
  ~Kernel();
  Kernel(const Kernel&) = delete;
  Kernel& operator=(const Kernel&) = delete;

  const CallPlan& plan() const { return plan_; }
  /// The entry for engines, valid as long as this object.
  const OrtCoreKernel* native() const { return &native_; }

  /// A context that goes back to the kernel in the end.
  class Call {
   public:
    explicit Call(Kernel& kernel) : kernel_(kernel), context_(kernel.take_context()) {}
    ~Call() { kernel_.give_back(std::move(context_)); }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;
    KernelContext& context() { return *context_; }
    /// Throws `Error`.
    void compute() { kernel_.compute(*context_); }

   private:
    Kernel& kernel_;
    std::unique_ptr<KernelContext> context_;
  };

 private:
  std::unique_ptr<KernelContext> take_context();
  void give_back(std::unique_ptr<KernelContext> context);
  void compute(KernelContext& context) const;
  void compute_for(const OrtCoreCall& call);
  static int32_t native_compute(void* state, const OrtCoreCall* call, char* message, size_t message_bytes);

  /// Copies: a library may move its operators when it registers them again, and kernels live on.
  decltype(CustomOp::destroy) destroy_;
  decltype(CustomOp::compute) compute_;
  decltype(CustomOp::compute_v2) compute_v2_;
  TablePointers pointers_;
  KernelInfo info_;
  CallPlan plan_;
  void* state_ = nullptr;
  OrtCoreKernel native_;
  /// The context of the last call, where the next one finds it without a lock, and those of calls at the same time.
  std::atomic<KernelContext*> last_ = nullptr;
  std::mutex mutex_;
  std::vector<std::unique_ptr<KernelContext>> spare_;
};

}  // namespace ort_ops
