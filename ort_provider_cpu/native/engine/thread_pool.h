// `ThreadPool`: fork and join over a few chunks, with workers that spin briefly and then sleep.
#pragma once

#include <atomic>
#include <memory>
#include <type_traits>

namespace ort_cpu {

/// A non-owning reference to a callable `void(int chunk, int chunks)`.
class ChunkFunction {
 public:
  template <class F>
  ChunkFunction(F& function)  // NOLINT: implicit, so that lambdas can be handed over
      : object_(const_cast<std::remove_const_t<F>*>(&function)),
        call_([](void* object, int chunk, int chunks) { (*static_cast<F*>(object))(chunk, chunks); }) {}
  void operator()(int chunk, int chunks) const { call_(object_, chunk, chunks); }

 private:
  void* object_;
  void (*call_)(void*, int, int);
};

/// Runs chunks of work on the calling thread and on workers.
///
/// Only one run at a time has the workers; whoever calls meanwhile does all chunks itself, so callers never wait for
/// each other. An exception thrown by a chunk is rethrown to the caller after all chunks have ended.
class ThreadPool {
 public:
  /// `threads` counts the caller. Workers start with the first parallel call, and anew after a fork.
  ThreadPool(int threads, bool spin);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return threads_; }

  /// Calls `function(chunk, chunks)` for every chunk in [0, chunks); chunk 0 runs on the caller.
  void run(int chunks, ChunkFunction function);

 private:
  friend class ActiveRun;
  friend class ForkGuard;
  struct State;
  int threads_;
  bool spin_;
  std::unique_ptr<State> state_;
};

/// Marks the calling thread's time inside a session's run, so that pools serve one run at a time.
class ActiveRun {
 public:
  explicit ActiveRun(ThreadPool& pool);
  ~ActiveRun();
  ActiveRun(const ActiveRun&) = delete;
  ActiveRun& operator=(const ActiveRun&) = delete;

 private:
  std::atomic<int>& active_;
};

}  // namespace ort_cpu
