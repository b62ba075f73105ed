// The Python module: loading libraries, their operators, their kernels.
#define ORT_OPS_IMPORTS_NUMPY
#include "python/numpy_api.h"

#include <nanobind/nanobind.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include "host/elements.h"
#include "host/library.h"
#include "host/table.h"
#include "python/convert.h"
#include "python/kernel_object.h"
#include "python/log.h"
#include "python/operations.h"
#include "python/python_error.h"

namespace nb = nanobind;
using namespace nb::literals;

/// Another runtime that registers this object as a library tells its table by it; there are no operators in it.
extern "C" __attribute__((visibility("default"))) ort_ops::Status* RegisterCustomOps(void*,
                                                                                     const ort_ops::ApiBase* base) {
  ort_ops::note_foreign_api(*base);
  return nullptr;
}

namespace ort_ops::python {

namespace {

/// Calls `body`, and leaves its errors as Python's exceptions.
template <class Body>
auto guarded(const std::string& where, Body body) {
  try {
    return body();
  } catch (const nb::python_error&) {
    throw;
  } catch (const nb::cast_error&) {
    throw;
  } catch (...) {
    set_error_of_exception(where);
    throw nb::python_error();
  }
}

std::vector<Operator> load(const std::string& path, std::map<std::string, std::string> config) {
  return guarded("", [&] {
    const ReleasedGil released;
    return load_library(path, std::move(config));
  });
}

nb::object make_kernel(const Operator& of, nb::handle node, const std::string& where) {
  return guarded(where, [&] {
    NodeFacts facts = facts_of(node);
    std::unique_ptr<Kernel> kernel;
    {
      const ReleasedGil released;
      kernel = std::make_unique<Kernel>(of, std::move(facts));
    }
    return nb::steal(new_kernel_object(std::move(kernel), where));
  });
}

nb::list infer(const Operator& of, nb::handle inputs, nb::handle outputs, nb::handle attributes,
               const std::string& where) {
  return guarded(where, [&] {
    const auto tensors = [](nb::handle types) {
      std::vector<TensorInfo> infos;
      for (nb::handle type : types) {
        TypeInfo info = type_of(type);
        infos.push_back(std::move(info.tensor));
        if (info.kind == OnnxType::unknown) infos.back().has_shape = false;
      }
      return infos;
    };
    std::vector<TensorInfo> found = tensors(outputs);
    auto types = tensors(inputs);
    const Attributes given = attributes_of(attributes);
    {
      const ReleasedGil released;
      found = of.infer(std::move(types), std::move(found), given);
    }
    nb::list list;
    for (const TensorInfo& info : found) list.append(to_python(info));
    return list;
  });
}

nb::list ports(const DeclaredPorts& declared) {
  nb::list list;
  for (const DeclaredPort& port : declared.ports)
    list.append(nb::make_tuple(onnx_number(port.type), static_cast<int>(port.arity)));
  return list;
}

nb::list offered_slots() {
  nb::list list;
  for (const size_t slot : table().offered)
    list.append(nb::make_tuple(slot, nb::str(kSlotNames[slot].data(), kSlotNames[slot].size())));
  return list;
}

PyObject* foreign_search_function = nullptr;

void search_foreign_runtime() {
  if (!Py_IsInitialized()) return;
  const nb::gil_scoped_acquire acquired;
  PyObject* done = PyObject_CallNoArgs(foreign_search_function);
  if (done == nullptr) PyErr_WriteUnraisable(foreign_search_function);
  Py_XDECREF(done);
}

void set_search(nb::callable search) {
  foreign_search_function = search.release().ptr();
  set_foreign_search(search_foreign_runtime);
}

}  // namespace

NB_MODULE(_native, m) {
  m.doc() = "The host of ONNX Runtime's libraries of custom operators.";
  // Operators live as long as the process, on purpose.
  nb::set_leak_warnings(false);
  if (PyArray_ImportNumPyAPI() < 0) throw nb::python_error();
  try {
    import_exceptions();
    m.attr("Kernel") = nb::borrow(reinterpret_cast<PyObject*>(kernel_type()));
  } catch (const PythonError&) {
    throw nb::python_error();
  }
  nb::class_<Operator>(m, "Operator", "An operator of a library, as its callbacks declare it.")
      .def_ro("domain", &Operator::domain)
      .def_ro("name", &Operator::name)
      .def_ro("provider", &Operator::provider)
      .def_ro("start_version", &Operator::start_version)
      .def_ro("end_version", &Operator::end_version)
      .def_prop_ro("version", [](const Operator& op) { return op.op->version; })
      .def_prop_ro("infers_shapes", &Operator::infers_shapes)
      .def_prop_ro("inputs", [](const Operator& op) { return ports(op.inputs); })
      .def_prop_ro("outputs", [](const Operator& op) { return ports(op.outputs); })
      .def_prop_ro("variadic_inputs",
                   [](const Operator& op) { return std::tuple(op.inputs.minimum, op.inputs.homogeneous); })
      .def_prop_ro("variadic_outputs",
                   [](const Operator& op) { return std::tuple(op.outputs.minimum, op.outputs.homogeneous); })
      .def("kernel", make_kernel, "node"_a, "where"_a)
      .def("infer", infer, "inputs"_a, "outputs"_a, "attributes"_a, "where"_a);
  m.def("load", load, "path"_a, "config"_a);
  m.def("offered_slots", offered_slots);
  m.def("set_logger", set_python_logger, "write"_a, "severity"_a);
  m.def("set_operation_maker", set_operation_maker, "make"_a);
  m.def("set_foreign_search", set_search, "search"_a);
  m.attr("newest_api") = kNewestApi;
}

}  // namespace ort_ops::python
