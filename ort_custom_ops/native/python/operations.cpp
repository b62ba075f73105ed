#include "python/operations.h"

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "host/operations.h"
#include "host/status.h"
#include "python/arrays.h"
#include "python/convert.h"
#include "python/python_error.h"

namespace nb = nanobind;

namespace ort_ops::python {

namespace {

/// Kept for ever: kernels may call operators until the process ends.
PyObject* make_function = nullptr;

/// Calls `body` with the GIL; Python's exceptions become errors.
template <class Body>
auto with_python(Body body) {
  const nb::gil_scoped_acquire acquired;
  try {
    try {
      return body();
    } catch (const PythonError&) {
      throw nb::python_error();
    }
  } catch (nb::python_error& error) {
    throw Error{Code::runtime_exception, nb::cast<std::string>(nb::str(error.value()))};
  }
}

class PythonOperation : public Operation {
 public:
  explicit PythonOperation(nb::object function) : function_(function.release().ptr()) {}
  ~PythonOperation() override {
    if (!Py_IsInitialized()) return;
    const nb::gil_scoped_acquire acquired;
    Py_DECREF(function_);
  }

  void run(std::span<const Value* const> inputs, std::span<Value* const> outputs) override {
    with_python([&] {
      nb::list arrays;
      for (const Value* input : inputs) arrays.append(input == nullptr ? nb::none() : nb::steal(view_of(*input)));
      const auto results = nb::cast<nb::list>(nb::handle(function_)(arrays, outputs.size()));
      for (size_t i = 0; i < outputs.size() && i < results.size(); ++i)
        if (outputs[i] != nullptr) assign(*outputs[i], nb::handle(results[i]).ptr());
    });
  }

 private:
  PyObject* function_;
};

std::unique_ptr<Operation> make(const OperationRequest& request) {
  return with_python([&]() -> std::unique_ptr<Operation> {
    nb::list attributes;
    for (const Attribute* attribute : request.attributes) attributes.append(to_python(*attribute));
    return std::make_unique<PythonOperation>(
        nb::handle(make_function)(request.name, request.domain, request.version, attributes));
  });
}

}  // namespace

void set_operation_maker(nb::callable maker) {
  make_function = maker.release().ptr();
  ort_ops::set_operation_maker(make);
}

}  // namespace ort_ops::python
