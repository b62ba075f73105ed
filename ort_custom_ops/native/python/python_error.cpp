#include "python/python_error.h"

#include <array>

namespace ort_ops::python {

namespace {
/// The classes of ort_core.errors, in the order of the codes.
constexpr std::array kClassNames = {
    "Fail",
    "Fail",
    "InvalidArgument",
    "NoSuchFile",
    "NoModel",
    "EngineError",
    "RuntimeException",
    "InvalidProtobuf",
    "ModelLoaded",
    "NotImplemented",
    "InvalidGraph",
    "EPFail",
    "ModelLoadCanceled",
    "ModelRequiresCompilation",
    "NotFound",
    "DeviceReset",
};
std::array<PyObject*, kClassNames.size()> classes;
}  // namespace

void import_exceptions() {
  const Reference module(PyImport_ImportModule("ort_core.errors"));
  if (module.get() == nullptr) throw PythonError();
  for (size_t i = 0; i < kClassNames.size(); ++i) {
    classes[i] = PyObject_GetAttrString(module.get(), kClassNames[i]);
    if (classes[i] == nullptr) throw PythonError();
  }
}

void set_error(const Error& error, const std::string& where) {
  const auto code = static_cast<size_t>(error.code);
  const std::string text = where.empty() ? error.message : where + ": " + error.message;
  const Reference message(PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "replace"));
  if (message.get() != nullptr) PyErr_SetObject(classes[code < classes.size() ? code : 1], message.get());
}

void set_error_of_exception(const std::string& where) noexcept {
  try {
    throw;
  } catch (const PythonError&) {
  } catch (...) {
    set_error(error_of_exception(), where);
  }
}

}  // namespace ort_ops::python
