#include "python/log.h"

#include <string>

#include "host/logger.h"
#include "host/status.h"

namespace nb = nanobind;

namespace ort_ops::python {

namespace {

/// Kept for ever: kernels log until the process ends.
PyObject* write_function = nullptr;
PyObject* severity_function = nullptr;
constexpr int32_t kWarning = 2;

void write(int32_t severity, const char* message, const char* file, int32_t line, const char* function) {
  if (!Py_IsInitialized()) return;
  const nb::gil_scoped_acquire acquired;
  const std::string where = std::string(" [") + function + ", " + file + ":" + std::to_string(line) + "]";
  const std::string text = valid_utf8(message + where, SIZE_MAX);
  PyObject* done = PyObject_CallFunction(write_function, "is", severity, text.c_str());
  if (done == nullptr) PyErr_WriteUnraisable(write_function);
  Py_XDECREF(done);
}

int32_t lowest_severity() {
  if (!Py_IsInitialized()) return kWarning;
  const nb::gil_scoped_acquire acquired;
  PyObject* number = PyObject_CallNoArgs(severity_function);
  const long severity = number == nullptr ? -1 : PyLong_AsLong(number);
  Py_XDECREF(number);
  if (PyErr_Occurred() != nullptr) PyErr_WriteUnraisable(severity_function);
  return severity < 0 ? kWarning : static_cast<int32_t>(severity);
}

}  // namespace

void set_python_logger(nb::callable write_to, nb::callable severity) {
  write_function = write_to.release().ptr();
  severity_function = severity.release().ptr();
  set_log_sink({write, lowest_severity});
}

}  // namespace ort_ops::python
