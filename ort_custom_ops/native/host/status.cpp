#include "host/status.h"

#include <algorithm>
#include <cstring>
#include <exception>
#include <iterator>
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
  const bool has_code = status->code != static_cast<int32_t>(Code::ok);
  Error error{has_code ? static_cast<Code>(status->code) : Code::fail, status->message};
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

/// The length of the character that the text begins with; 0 if it is none.
size_t character_length(std::string_view text) {
  struct Form {
    uint8_t mask, lead;
    uint32_t least;
  };
  constexpr Form kForms[] = {{0x80, 0x00, 0}, {0xE0, 0xC0, 0x80}, {0xF0, 0xE0, 0x800}, {0xF8, 0xF0, 0x10000}};
  constexpr uint32_t kLast = 0x10FFFF, kFirstSurrogate = 0xD800, kLastSurrogate = 0xDFFF;
  const auto first = static_cast<uint8_t>(text[0]);
  for (size_t extra = 0; extra < std::size(kForms); ++extra) {
    const Form& form = kForms[extra];
    if ((first & form.mask) != form.lead) continue;
    if (extra >= text.size()) return 0;
    uint32_t code = first & static_cast<uint8_t>(~form.mask);
    for (size_t i = 1; i <= extra; ++i) {
      const auto byte = static_cast<uint8_t>(text[i]);
      if ((byte & 0xC0) != 0x80) return 0;
      code = code << 6 | (byte & 0x3F);
    }
    const bool is_character = code >= form.least && code <= kLast && (code < kFirstSurrogate || code > kLastSurrogate);
    return is_character ? extra + 1 : 0;
  }
  return 0;
}

}  // namespace

std::string valid_utf8(std::string_view text, size_t most_bytes) {
  constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
  std::string valid;
  while (!text.empty()) {
    const size_t length = character_length(text);
    const std::string_view next = length == 0 ? kReplacement : text.substr(0, length);
    if (valid.size() + next.size() > most_bytes) break;
    valid += next;
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return valid;
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
