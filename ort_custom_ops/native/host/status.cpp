#include "host/status.h"

#include <cstring>
#include <exception>
#include <new>

#include "host/table.h"

namespace ort_ops {

Status* make_status(Code code, std::string_view message) {
  auto* status = reinterpret_cast<Status*>(new uint8_t[sizeof(Status) + message.size()]);
  status->code = static_cast<int32_t>(code);
  std::memcpy(status->message, message.data(), message.size());
  status->message[message.size()] = '\0';
  return status;
}

void release_status(Status* status) { delete[] reinterpret_cast<uint8_t*>(status); }

Error take(Status* status) {
  Error error{static_cast<Code>(status->code), status->message};
  release_status(status);
  return error;
}

Error error_of_exception() noexcept {
  try {
    throw;
  } catch (const Error& error) {
    return error;
  } catch (const std::bad_alloc&) {
    return {Code::runtime_exception, "the system has no memory left"};
  } catch (const std::exception& error) {
    return {Code::runtime_exception, error.what()};
  } catch (...) {
    return {Code::fail, "an exception of unknown type"};
  }
}

Status* status_of_exception() noexcept {
  const Error error = error_of_exception();
  return make_status(error.code, error.message);
}

namespace {
Status* create_status(int32_t code, const char* message) {
  return make_status(static_cast<Code>(code), message == nullptr ? "" : message);
}
int32_t error_code(const Status* status) { return status == nullptr ? 0 : status->code; }
const char* error_message(const Status* status) { return status == nullptr ? "" : status->message; }
}  // namespace

void offer_status(Table& table) {
  offer<"CreateStatus", create_status>(table);
  offer<"GetErrorCode", error_code>(table);
  offer<"GetErrorMessage", error_message>(table);
  offer<"ReleaseStatus", release_status>(table);
}

}  // namespace ort_ops
