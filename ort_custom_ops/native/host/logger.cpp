#include "host/logger.h"

#include "host/table.h"

namespace ort_ops {

namespace {
constexpr int32_t kWarning = 2;
LogSink sink = {[](int32_t, const char*, const char*, int32_t, const char*) {}, [] { return kWarning; }};

Status* log(const Logger*, int32_t severity, const char* message, const char* file, int32_t line,
            const char* function) {
  sink.write(severity, message == nullptr ? "" : message, file == nullptr ? "" : file, line,
             function == nullptr ? "" : function);
  return nullptr;
}

Status* severity(const Logger*, int32_t* out) {
  *out = sink.severity();
  return nullptr;
}
}  // namespace

const Logger& the_logger() {
  static const auto* const logger = new Logger;
  return *logger;
}

void set_log_sink(LogSink other) { sink = other; }

void offer_logger(Table& table) {
  offer<"Logger_LogMessage", log>(table);
  offer<"Logger_GetLoggingSeverityLevel", severity>(table);
}

}  // namespace ort_ops
