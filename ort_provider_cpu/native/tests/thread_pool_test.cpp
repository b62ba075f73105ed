// Checks of `ThreadPool`: every chunk runs once, whoever calls, and nothing hangs.
#include "engine/thread_pool.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "engine/error.h"
#include "tests/check.h"

namespace ort_cpu {
namespace {

using Clock = std::chrono::steady_clock;

/// Whether `run` calls each of `chunks` chunks exactly once.
bool covers(ThreadPool& pool, int chunks) {
  std::vector<int> calls(chunks, 0);
  bool right_count = true;
  const auto count = [&](int chunk, int n) {
    ++calls[chunk];
    if (n != chunks) right_count = false;
  };
  pool.run(chunks, ChunkFunction(count));
  for (int n : calls) right_count &= n == 1;
  return right_count;
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// The exit status of a child that returns `body()`; -1 if it does not end in time.
template <class F>
int status_of_child(F&& body) {
  const pid_t child = fork();
  if (child == 0) {
    int result = 99;
    try {
      result = body();
    } catch (...) {
    }
    _exit(result);
  }
  const auto deadline = Clock::now() + std::chrono::seconds(20);
  for (;;) {
    int status = 0;
    if (waitpid(child, &status, WNOHANG) == child) return WIFEXITED(status) ? WEXITSTATUS(status) : -2;
    if (Clock::now() > deadline) {
      kill(child, SIGKILL);
      waitpid(child, &status, 0);
      return -1;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

TEST(every_chunk_runs_once) {
  for (int threads : {0, 1, 2, 3, 8})
    for (bool spin : {true, false}) {
      ThreadPool pool(threads, spin);
      CHECK(pool.threads() == std::max(threads, 1));
      for (int repeat = 0; repeat < 50; ++repeat)
        for (int chunks : {0, 1, 2, 3, 8, 100}) CHECK(covers(pool, chunks));
    }
}

TEST(sleeping_workers_wake_up) {
  ThreadPool pool(4, true);
  for (int repeat = 0; repeat < 30; ++repeat) {
    CHECK(covers(pool, 4));
    std::this_thread::sleep_for(std::chrono::microseconds(repeat * 20));
  }
}

TEST(eight_callers_at_once) {
  for (bool active : {true, false}) {
    ThreadPool pool(3, true);
    std::atomic<int> wrong{0};
    std::vector<std::thread> callers;
    for (int i = 0; i < 8; ++i)
      callers.emplace_back([&] {
        for (int repeat = 0; repeat < 300; ++repeat) {
          std::unique_ptr<ActiveRun> run = active ? std::make_unique<ActiveRun>(pool) : nullptr;
          if (!covers(pool, 1 + repeat % 7)) ++wrong;
        }
      });
    for (std::thread& caller : callers) caller.join();
    CHECK(wrong == 0);
  }
}

TEST(workers_serve_a_single_run_only) {
  ThreadPool pool(2, true);
  const ActiveRun first(pool), second(pool);
  const auto caller = std::this_thread::get_id();
  bool elsewhere = false;
  const auto note = [&](int, int) { elsewhere |= std::this_thread::get_id() != caller; };
  for (int repeat = 0; repeat < 100; ++repeat) pool.run(8, ChunkFunction(note));
  CHECK(!elsewhere);
}

TEST(workers_take_chunks) {
  ThreadPool pool(2, true);
  const ActiveRun run(pool);
  std::atomic<bool> worker_came{false};
  const auto wait = [&](int chunk, int) {
    if (chunk == 1) worker_came = true;
    const auto deadline = Clock::now() + std::chrono::seconds(10);
    while (!worker_came && Clock::now() < deadline) std::this_thread::yield();
  };
  pool.run(2, ChunkFunction(wait));
  CHECK(worker_came);
}

TEST(nested_calls_run_serially) {
  ThreadPool pool(3, true);
  for (int repeat = 0; repeat < 50; ++repeat) {
    std::vector<int> calls(4 * 5, 0);
    const auto outer = [&](int i, int) {
      const auto thread = std::this_thread::get_id();
      const auto inner = [&](int j, int) { calls[i * 5 + j] += std::this_thread::get_id() == thread ? 1 : 100; };
      pool.run(5, ChunkFunction(inner));
    };
    pool.run(4, ChunkFunction(outer));
    for (int n : calls) CHECK(n == 1);
  }
}

TEST(exceptions_reach_the_caller) {
  ThreadPool pool(3, true);
  for (int thrower = 0; thrower < 6; ++thrower) {
    std::string seen;
    const auto fail = [&](int chunk, int) {
      if (chunk == thrower) throw std::runtime_error("chunk " + std::to_string(chunk));
    };
    try {
      pool.run(6, ChunkFunction(fail));
    } catch (const std::runtime_error& error) {
      seen = error.what();
    }
    CHECK(seen == "chunk " + std::to_string(thrower));
    CHECK(covers(pool, 6));
  }
}

TEST(pools_end_right_after_a_run) {
  for (int repeat = 0; repeat < 200; ++repeat) {
    ThreadPool pool(1 + repeat % 4, repeat % 2 == 0);
    if (repeat % 5 != 0) CHECK(covers(pool, 5));
  }
}

TEST(idle_workers_use_no_processor_time) {
  for (bool spin : {true, false}) {
    ThreadPool pool(4, spin);
    CHECK(covers(pool, 4));
    const double before = cpu_seconds();
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    CHECK(cpu_seconds() - before < 0.002);
  }
}

#if !defined(__SANITIZE_THREAD__)
TEST(a_forked_child_has_workers_of_its_own) {
  ThreadPool pool(3, true);
  for (int repeat = 0; repeat < 10; ++repeat) {
    CHECK(covers(pool, 6));
    CHECK(status_of_child([&] { return covers(pool, 6) && covers(pool, 6) ? 0 : 1; }) == 0);
    CHECK(covers(pool, 6));
  }
}

TEST(a_fork_while_other_threads_run_does_not_hang) {
  ThreadPool pool(3, true);
  std::atomic<bool> stop{false};
  CHECK(covers(pool, 6));
  std::thread other([&] {  // does not allocate: AddressSanitizer's allocator is not safe to fork
    const auto nothing = [](int, int) {};
    while (!stop) {
      const ActiveRun run(pool);
      pool.run(6, ChunkFunction(nothing));
    }
  });
  for (int repeat = 0; repeat < 10; ++repeat)
    CHECK(status_of_child([&] {
            ThreadPool another(2, false);
            const ActiveRun run(pool);
            return covers(pool, 6) && covers(another, 3) ? 0 : 1;
          }) == 0);
  stop = true;
  other.join();
}

TEST(a_fork_inside_a_chunk_ends) {
  ThreadPool pool(2, true);
  int status = -3;
  std::atomic<bool> worker_came{false}, forked{false};
  const auto body = [&](int chunk, int) {
    if (chunk != 0) {
      worker_came = true;
      while (!forked) std::this_thread::yield();
      return;
    }
    while (!worker_came) std::this_thread::yield();
    const pid_t child = fork();
    if (child == 0) alarm(10);
    else forked = true;
    status = child == 0 ? 0 : static_cast<int>(child);
  };
  bool failed = false;
  try {
    pool.run(2, ChunkFunction(body));
  } catch (const Error&) {
    failed = true;
  }
  if (status == 0) _exit(failed && covers(pool, 4) ? 0 : 1);
  int ended = 0;
  waitpid(static_cast<pid_t>(status), &ended, 0);
  CHECK(!failed && WIFEXITED(ended) && WEXITSTATUS(ended) == 0);
}
#endif

}  // namespace
}  // namespace ort_cpu

TEST_MAIN()
