// What kernels and the engine throw; the binding turns each kind into the Python exception of the same meaning.
#pragma once

#include <cstdint>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>

namespace ort_cpu {

/// Numbered as `OrtErrorCode`, which kernels of custom operators answer with; `out_of_memory` is ours.
enum class ErrorKind : int32_t {
  fail = 1,
  invalid_argument = 2,
  runtime_exception = 6,
  not_implemented = 9,
  out_of_memory = 100,
};

/// A failure with its kind. Kernels say what was wrong with which input or attribute; the engine adds the node's name.
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  ErrorKind kind() const { return kind_; }

 private:
  ErrorKind kind_;
};

/// Joins the parts of a message.
template <class... Parts>
std::string message(Parts&&... parts) {
  std::ostringstream out;
  (out << ... << std::forward<Parts>(parts));
  return out.str();
}

template <class... Parts>
[[noreturn]] void throw_invalid(Parts&&... parts) {
  throw Error(ErrorKind::invalid_argument, message(std::forward<Parts>(parts)...));
}

template <class... Parts>
[[noreturn]] void throw_not_implemented(Parts&&... parts) {
  throw Error(ErrorKind::not_implemented, message(std::forward<Parts>(parts)...));
}

/// Throws InvalidArgument with the joined parts unless `condition` holds. The parts are evaluated either way: keep them
/// cheap.
template <class... Parts>
inline void require(bool condition, const Parts&... parts) {
  if (!condition) [[unlikely]]
    throw_invalid(parts...);
}

}  // namespace ort_cpu
