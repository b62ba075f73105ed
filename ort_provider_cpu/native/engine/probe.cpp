#include "engine/probe.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>
#include <vector>

#include "engine/aligned.h"
#include "engine/error.h"
#include "simd/probe.h"

namespace ort_cpu {

namespace {

constexpr int kPasses = 5;

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Runs `body(thread)` on that many threads and returns the seconds until all are done.
template <class F>
double timed(int threads, F&& body) {
  const auto start = std::chrono::steady_clock::now();
  std::vector<std::thread> others;
  for (int thread = 1; thread < threads; ++thread) others.emplace_back(body, thread);
  body(0);
  for (std::thread& other : others) other.join();
  return seconds_since(start);
}

void check(int threads) { require(threads >= 1 && threads <= 4096, "expected 1 to 4096 threads, got ", threads); }

}  // namespace

double probe_fma_gflops(double seconds, int threads) {
  check(threads);
  require(seconds > 0 && seconds <= 60, "expected up to 60 seconds, got ", seconds);
  std::vector<double> operations(static_cast<size_t>(threads));
  const double elapsed = timed(threads, [&](int thread) {
    const auto start = std::chrono::steady_clock::now();
    do operations[static_cast<size_t>(thread)] += simd::probe_table().multiply_add(10000);
    while (seconds_since(start) < seconds);
  });
  double total = 0;
  for (double done : operations) total += done;
  return total / elapsed * 1e-9;
}

double probe_read_bandwidth(size_t size_bytes, int threads) {
  check(threads);
  require(size_bytes >= 4096 && size_bytes <= (size_t{1} << 34), "expected 4 KiB to 16 GiB, got ", size_bytes,
          " bytes");
  AlignedArray<float> data(size_bytes / sizeof(float));
  std::memset(data.data(), 0, data.size() * sizeof(float));
  const auto n = static_cast<int64_t>(data.size());
  double best = 1e30;
  for (int pass = 0; pass < kPasses; ++pass) {
    best = std::min(best, timed(threads, [&](int thread) {
                      const int64_t first = n * thread / threads, last = n * (thread + 1) / threads;
                      volatile float sink = simd::probe_table().read(data.data() + first, last - first);
                      (void)sink;
                    }));
  }
  return static_cast<double>(size_bytes) / best * 1e-9;
}

}  // namespace ort_cpu
