#include "host/threads.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>

namespace ort_ops {

namespace {

struct Job {
  void (*function)(void*, size_t);
  void* user;
  size_t total, chunk;
  /// How many more threads may join; guarded by the pool's mutex.
  size_t places;
  std::atomic<size_t> next = 0, done = 0;
  std::mutex mutex;
  std::condition_variable finished;
  std::exception_ptr error;

  bool has_work() const { return next.load(std::memory_order_relaxed) < total; }

  void work() {
    for (;;) {
      const size_t begin = next.fetch_add(chunk);
      if (begin >= total) return;
      const size_t end = std::min(begin + chunk, total);
      try {
        for (size_t i = begin; i < end; ++i) function(user, i);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (error == nullptr) error = std::current_exception();
      }
      if (done.fetch_add(end - begin) + (end - begin) == total) {
        const std::lock_guard lock(mutex);
        finished.notify_all();
      }
    }
  }

  void wait() {
    std::unique_lock lock(mutex);
    finished.wait(lock, [this] { return done.load() == total; });
    if (error != nullptr) std::rethrow_exception(error);
  }
};

size_t usable_cores() {
  cpu_set_t set;
  const int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  return std::max(n, 1);
}

class Pool {
 public:
  /// Starts as many workers as the system allows.
  explicit Pool(size_t n_workers) {
    try {
      for (; n_workers_ < n_workers; ++n_workers_) std::thread([this] { serve(); }).detach();
    } catch (const std::system_error&) {
    }
  }
  size_t threads() const { return n_workers_ + 1; }

  void post(const std::shared_ptr<Job>& job) {
    {
      const std::lock_guard lock(mutex_);
      jobs_.push_back(job);
    }
    posted_.notify_all();
  }

 private:
  [[noreturn]] void serve() {
    std::unique_lock lock(mutex_);
    for (;;) {
      std::shared_ptr<Job> job;
      std::erase_if(jobs_, [](const auto& job) { return job->places == 0 || !job->has_work(); });
      if (jobs_.empty()) {
        posted_.wait(lock);
        continue;
      }
      job = jobs_.front();
      --job->places;
      lock.unlock();
      job->work();
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable posted_;
  std::deque<std::shared_ptr<Job>> jobs_;
  size_t n_workers_ = 0;
};

/// The pool outlives static destructors, in which kernels may still run; a child of `fork` has none of its threads.
Pool* pool = nullptr;
std::mutex pool_mutex;

Pool& the_pool() {
  const std::lock_guard lock(pool_mutex);
  if (pool == nullptr) {
    static const int registered = pthread_atfork([] { pool_mutex.lock(); }, [] { pool_mutex.unlock(); },
                                                 [] {
                                                   pool = nullptr;
                                                   pool_mutex.unlock();
                                                 });
    static_cast<void>(registered);
    pool = new Pool(usable_cores() - 1);
  }
  return *pool;
}

}  // namespace

void parallel_for(void (*function)(void*, size_t), size_t total, size_t batches, void* user) {
  if (total == 0) return;
  Pool& workers = the_pool();
  const size_t wanted = std::min({batches == 0 ? workers.threads() : batches, workers.threads(), total});
  if (wanted <= 1) {
    for (size_t i = 0; i < total; ++i) function(user, i);
    return;
  }
  constexpr size_t kChunksPerThread = 4;
  const size_t chunks = batches == 0 ? wanted * kChunksPerThread : batches;
  auto job = std::make_shared<Job>();
  job->function = function;
  job->user = user;
  job->total = total;
  job->chunk = std::max<size_t>(1, (total + chunks - 1) / chunks);
  job->places = wanted - 1;
  workers.post(job);
  job->work();
  job->wait();
}

}  // namespace ort_ops
