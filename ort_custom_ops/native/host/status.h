// Statuses: what a slot returns; null is success.
#pragma once

#include <string>
#include <string_view>

#include "host/abi.h"

namespace ort_ops {

/// The layout and the allocation (`new uint8_t[]`) are those of ONNX Runtime itself: where both runtimes share a
/// process, statuses of one are released by the other.
struct Status {
  int32_t code;
  char message[1];
};

Status* make_status(Code code, std::string_view message);
void release_status(Status* status);

/// What C++ code of this library throws where it cannot return a status.
struct Error {
  Code code;
  std::string message;
};

/// The error of a status, which is released; `status` is not null.
Error take(Status* status);

/// The text with U+FFFD in the place of what is no UTF-8, cut to whole characters of at most that many bytes together.
std::string valid_utf8(std::string_view text, size_t most_bytes);

/// The status of the C++ exception that is being handled.
Status* status_of_exception() noexcept;

/// The error of the C++ exception that is being handled.
Error error_of_exception() noexcept;

}  // namespace ort_ops
