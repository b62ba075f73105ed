#include "python/exceptions.h"

#include <new>

#include "engine/error.h"

namespace ort_cpu::python {

namespace {
PyObject* exception_classes = nullptr;

const char* name_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::fail: return "fail";
    case ErrorKind::invalid_argument: return "invalid_argument";
    case ErrorKind::not_implemented: return "not_implemented";
    case ErrorKind::out_of_memory: return "out_of_memory";
    case ErrorKind::cancelled: return "cancelled";
    case ErrorKind::status_fail: return "status_fail";
  }
  return "fail";
}

void set_error(ErrorKind kind, const char* text) {
  PyObject* type = exception_classes == nullptr ? nullptr : PyDict_GetItemString(exception_classes, name_of(kind));
  PyErr_SetString(type == nullptr ? PyExc_RuntimeError : type, text);
}
}  // namespace

void set_exception_classes(PyObject* classes) {
  Py_INCREF(classes);
  Py_XSETREF(exception_classes, classes);
}

void set_python_error() noexcept {
  try {
    throw;
  } catch (const Error& error) {
    set_error(error.kind(), error.what());
  } catch (const std::bad_alloc&) {
    set_error(ErrorKind::out_of_memory, "the system has no memory left");
  } catch (const std::exception& error) {
    set_error(ErrorKind::fail, error.what());
  } catch (...) {
    set_error(ErrorKind::fail, "an unknown error");
  }
}

}  // namespace ort_cpu::python
