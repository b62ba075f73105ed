#include "python/exceptions.h"

#include <cstring>
#include <new>

#include "engine/error.h"

namespace ort_cpu::python {

namespace {
PyObject* exception_classes = nullptr;

void set_error(ErrorKind kind, const char* text) {
  PyObject* const code = PyLong_FromLong(static_cast<long>(kind));
  PyObject* const type = exception_classes == nullptr || code == nullptr ? nullptr : PyDict_GetItem(exception_classes, code);
  PyObject* const message = PyUnicode_DecodeUTF8(text, static_cast<Py_ssize_t>(std::strlen(text)), "replace");
  if (message != nullptr) PyErr_SetObject(type == nullptr ? PyExc_RuntimeError : type, message);
  Py_XDECREF(message);
  Py_XDECREF(code);
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
    set_error(ErrorKind::runtime_exception, error.what());
  } catch (...) {
    set_error(ErrorKind::runtime_exception, "an unknown error");
  }
}

}  // namespace ort_cpu::python
