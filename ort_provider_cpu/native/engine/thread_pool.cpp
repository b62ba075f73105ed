#include "engine/thread_pool.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "engine/error.h"

#if defined(__linux__)
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif
#if defined(__unix__) || defined(__APPLE__)
#define ORT_CPU_POSIX_THREADS
#include <pthread.h>
#include <signal.h>
#endif

namespace ort_cpu {
namespace {

constexpr int kMostThreads = 1024;
constexpr int kCacheLine = 64;
/// How long an idle worker looks for work before it sleeps.
constexpr std::chrono::microseconds kSpin{40};
constexpr int kPausesBetweenClocks = 32;
/// Pauses after which a waiting caller lets others have its processor: one of them may be the worker it waits for.
constexpr int kPausesBeforeYield = 2000;

inline void pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Sleeps while `word` is `seen`; may return early.
void park(std::atomic<uint32_t>& word, uint32_t seen) {
#if defined(__linux__)
  syscall(SYS_futex, reinterpret_cast<uint32_t*>(&word), FUTEX_WAIT_PRIVATE, seen, nullptr, nullptr, 0);
#else
  word.wait(seen);
#endif
}

void wake(std::atomic<uint32_t>& word) {
#if defined(__linux__)
  syscall(SYS_futex, reinterpret_cast<uint32_t*>(&word), FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
#else
  word.notify_one();
#endif
}

/// Starts a thread that receives no signals: they are for the threads of the application.
template <class F>
std::thread start_without_signals(F&& body) {
#if defined(ORT_CPU_POSIX_THREADS)
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  struct Restore {
    const sigset_t& mask;
    ~Restore() { pthread_sigmask(SIG_SETMASK, &mask, nullptr); }
  } restore{before};
#endif
  return std::thread(std::forward<F>(body));
}

}  // namespace

struct ThreadPool::State {
  struct alignas(kCacheLine) Worker {
    std::thread thread;
    /// 1 while the worker sleeps or is about to; whoever sets it back to 0 also counts `sleepers` down.
    std::atomic<uint32_t> asleep{0};
    int avoided_cpu = -1;
  };

  State(int threads, bool spin) : most_workers(threads - 1), spin(spin) {}

  ~State() {
    stop.store(true);
    for (int i = 0; i < n_workers; ++i) rouse(workers[i]);
    for (int i = 0; i < n_workers; ++i) workers[i].thread.join();
  }

  /// Starts the workers, or as many as the system allows.
  void start() {
    started = true;
#if defined(__linux__)
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) CPU_ZERO(&allowed);
#endif
    workers = std::make_unique<Worker[]>(most_workers);
    try {
      for (; n_workers < most_workers; ++n_workers) {
        Worker& worker = workers[n_workers];
        worker.thread = start_without_signals([this, &worker] { work(worker); });
      }
    } catch (const std::system_error&) {
    }
  }

  void run(int n_chunks, const ChunkFunction& chunk_function) {
    if (!started) start();
    function = &chunk_function;
    chunks = n_chunks;
    unfinished.store(static_cast<uint32_t>(n_chunks - 1), std::memory_order_relaxed);
    ++epoch;
    ticket.store(epoch << 32 | static_cast<uint32_t>(n_chunks - 1));
    const int sleeping = sleepers.load();
    const int needed = std::min(n_chunks - 1, n_workers) - (n_workers - sleeping);
    if (needed > 0) wake_workers(needed);
    call(0);
    drain();
    wait_for_workers();
  }

  /// Claims and runs chunks until none is left. Claims carry the epoch, so that a late one cannot take a later run's
  /// chunk.
  void drain() {
    uint64_t seen = ticket.load(std::memory_order_acquire);
    while (static_cast<uint32_t>(seen) != 0) {
      if (!ticket.compare_exchange_weak(seen, seen - 1, std::memory_order_acq_rel, std::memory_order_acquire)) continue;
      call(chunks - static_cast<int>(static_cast<uint32_t>(seen)));
      if (unfinished.fetch_sub(1) == 1 && caller_parked.load()) wake(unfinished);
      seen = ticket.load(std::memory_order_acquire);
    }
  }

  void call(int chunk) {
    try {
      (*function)(chunk, chunks);
    } catch (...) {
      if (!failed.exchange(true, std::memory_order_relaxed)) error = std::current_exception();
    }
  }

  void work(Worker& self) {
    int pauses = 0;
    auto parks_at = std::chrono::steady_clock::time_point::max();
    for (;;) {
      if (static_cast<uint32_t>(ticket.load(std::memory_order_acquire)) != 0) {
        drain();
        pauses = 0;
        parks_at = std::chrono::steady_clock::time_point::max();
        if (spin) continue;
      }
      if (stop.load(std::memory_order_relaxed)) return;
      bool parks = !spin;
      if (spin) {
        pause();
        if (++pauses % kPausesBetweenClocks == 0) {
          const auto now = std::chrono::steady_clock::now();
          if (pauses == kPausesBetweenClocks) parks_at = now + kSpin;
          parks = now >= parks_at;
        }
      }
      if (parks) {
        sleep(self);
        pauses = 0;
      }
    }
  }

  /// The worker announces that it sleeps and then looks at the ticket; the caller sets the ticket and then looks for
  /// sleepers. All four are sequentially consistent, so at least one of the two sees the other.
  void sleep(Worker& self) {
    self.asleep.store(1);
    sleepers.fetch_add(1);
    if (static_cast<uint32_t>(ticket.load()) != 0 || stop.load()) {
      if (self.asleep.exchange(0) == 1) sleepers.fetch_sub(1);
      return;
    }
    while (self.asleep.load() == 1) park(self.asleep, 1);
  }

  bool rouse(Worker& worker) {
    if (worker.asleep.load() == 0 || worker.asleep.exchange(0) == 0) return false;
    sleepers.fetch_sub(1);
    wake(worker.asleep);
    return true;
  }

  void wake_workers(int needed) {
#if defined(__linux__)
    const int cpu = sched_getcpu();
#else
    const int cpu = -1;
#endif
    for (int i = 0; i < n_workers && needed > 0; ++i) {
      if (workers[i].asleep.load(std::memory_order_relaxed) == 0) continue;
      if (workers[i].avoided_cpu != cpu) keep_off(workers[i], cpu);
      if (rouse(workers[i])) --needed;
    }
  }

  /// Linux wakes a thread on the processor of whoever wakes it and may leave it queued there for milliseconds, behind a
  /// caller that waits for it. So a sleeping worker is moved away first.
  void keep_off([[maybe_unused]] Worker& worker, [[maybe_unused]] int cpu) {
#if defined(__linux__)
    cpu_set_t others = allowed;
    if (cpu >= 0 && cpu < CPU_SETSIZE) CPU_CLR(cpu, &others);
    if (CPU_COUNT(&others) > 0) pthread_setaffinity_np(worker.thread.native_handle(), sizeof others, &others);
    worker.avoided_cpu = cpu;
#endif
  }

  void wait_for_workers() {
    for (int pauses = 0; unfinished.load(std::memory_order_acquire) != 0; ++pauses) {
      if (abandoned.load(std::memory_order_relaxed))
        throw Error(ErrorKind::runtime_exception,
                    "the process was forked while it computed; the child has no workers to finish the run");
      if (pauses < kPausesBeforeYield) {
        pause();
      } else if (spin) {
        std::this_thread::yield();
      } else {
        caller_parked.store(true);
        const uint32_t left = unfinished.load();
        if (left != 0) park(unfinished, left);
        caller_parked.store(false, std::memory_order_relaxed);
      }
    }
  }

  const int most_workers;
  const bool spin;
  bool started = false;
  int n_workers = 0;
  std::unique_ptr<Worker[]> workers;
#if defined(__linux__)
  cpu_set_t allowed;
#endif
  const ChunkFunction* function = nullptr;
  int chunks = 0;
  uint64_t epoch = 0;
  std::exception_ptr error;
  std::atomic<bool> failed{false};
  std::atomic<bool> stop{false};
  std::atomic<bool> abandoned{false};

  alignas(kCacheLine) std::atomic<uint64_t> ticket{0};  // epoch << 32 | chunks that nobody has claimed
  alignas(kCacheLine) std::atomic<uint32_t> unfinished{0};
  std::atomic<bool> caller_parked{false};
  alignas(kCacheLine) std::atomic<int> sleepers{0};
  alignas(kCacheLine) std::atomic<int> active{0};  // runs of sessions
  alignas(kCacheLine) std::atomic<bool> busy{false};
};

/// Knows all pools, to give each a fresh state in the child of a fork, where there are no workers.
class ForkGuard {
 public:
  static ForkGuard& instance() {
    static ForkGuard* const guard = new ForkGuard;  // never destroyed: pools may be used while the process exits
    return *guard;
  }
  void add(ThreadPool* pool) {
    const std::lock_guard lock(mutex_);
    pools_.push_back(pool);
  }
  void remove(ThreadPool* pool) {
    const std::lock_guard lock(mutex_);
    std::erase(pools_, pool);
  }

 private:
  ForkGuard() {
#if defined(ORT_CPU_POSIX_THREADS)
    pthread_atfork([] { instance().mutex_.lock(); }, [] { instance().mutex_.unlock(); }, [] { instance().in_child(); });
#endif
  }
  void in_child() {
    for (ThreadPool* pool : pools_) {
      // The old state is left to itself: its threads cannot be joined, and a run that forked may still be looking at
      // it.
      ThreadPool::State* const old = pool->state_.release();
      old->abandoned.store(true, std::memory_order_relaxed);
      pool->state_ = std::make_unique<ThreadPool::State>(pool->threads_, pool->spin_);
    }
    mutex_.unlock();
  }

  std::mutex mutex_;
  std::vector<ThreadPool*> pools_;
};

ThreadPool::ThreadPool(int threads, bool spin)
    : threads_(std::clamp(threads, 1, kMostThreads)), spin_(spin), state_(std::make_unique<State>(threads_, spin)) {
  ForkGuard::instance().add(this);
}

ThreadPool::~ThreadPool() { ForkGuard::instance().remove(this); }

void ThreadPool::run(int chunks, ChunkFunction function) {
  State& state = *state_;
  const bool serial = chunks <= 1 || threads_ == 1 || state.active.load(std::memory_order_relaxed) > 1 ||
                      state.busy.load(std::memory_order_relaxed) ||
                      state.busy.exchange(true, std::memory_order_acquire);
  if (serial) {
    for (int chunk = 0; chunk < chunks; ++chunk) function(chunk, chunks);
    return;
  }
  struct Release {
    std::atomic<bool>& busy;
    ~Release() { busy.store(false, std::memory_order_release); }
  } release{state.busy};
  state.run(chunks, function);
  if (state.failed.load(std::memory_order_relaxed)) [[unlikely]] {
    state.failed.store(false, std::memory_order_relaxed);
    std::rethrow_exception(std::exchange(state.error, nullptr));
  }
}

ActiveRun::ActiveRun(ThreadPool& pool) : active_(pool.state_->active) {
  active_.fetch_add(1, std::memory_order_relaxed);
}

ActiveRun::~ActiveRun() { active_.fetch_sub(1, std::memory_order_relaxed); }

}  // namespace ort_cpu
