// From errors of this library to Python's exceptions and back.
#pragma once

#include <Python.h>

#include <string>

#include "host/status.h"

namespace ort_ops::python {

/// Thrown when a Python exception is set.
struct PythonError {};

/// Reads the classes of exceptions; throws PythonError.
void import_exceptions();

/// Sets the Python exception that stands for an error, with `where` before the message.
void set_error(const Error& error, const std::string& where);

/// Sets the Python exception for the C++ exception that is being handled; none if that is a PythonError.
void set_error_of_exception(const std::string& where) noexcept;

/// Lets other Python threads run.
class ReleasedGil {
 public:
  ReleasedGil() : state_(PyEval_SaveThread()) {}
  ~ReleasedGil() { PyEval_RestoreThread(state_); }
  ReleasedGil(const ReleasedGil&) = delete;
  ReleasedGil& operator=(const ReleasedGil&) = delete;

 private:
  PyThreadState* state_;
};

/// Owns one reference.
class Reference {
 public:
  explicit Reference(PyObject* object = nullptr) : object_(object) {}
  ~Reference() { Py_XDECREF(object_); }
  Reference(const Reference&) = delete;
  Reference& operator=(const Reference&) = delete;
  PyObject* get() const { return object_; }
  PyObject* release() {
    PyObject* object = object_;
    object_ = nullptr;
    return object;
  }

 private:
  PyObject* object_;
};

}  // namespace ort_ops::python
