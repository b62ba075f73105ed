// The logger that kernels write to.
#pragma once

#include <cstdint>

#include "host/handle.h"

namespace ort_ops {

struct Logger : Handle {};

/// One for the process; it takes messages of every severity and leaves the choice to where they go.
const Logger& the_logger();

/// Where messages go; severities are 0 (verbose) to 4 (fatal).
struct LogSink {
  void (*write)(int32_t severity, const char* message, const char* file, int32_t line, const char* function);
  int32_t (*severity)();
};
void set_log_sink(LogSink sink);

}  // namespace ort_ops
