#include "python/kernel_object.h"

#include <structmember.h>

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "python/arrays.h"
#include "python/python_error.h"

namespace ort_ops::python {

namespace {

struct KernelObject {
  PyObject_HEAD vectorcallfunc vectorcall;
  Kernel* kernel;
  std::string* where;
};

/// Arrays that had to be copied; they live as long as the call.
using Copies = std::vector<PyArrayObject*>;

void set_input(KernelContext& context, size_t index, PyObject* object, Copies& copies) {
  if (object == Py_None) {
    context.set_absent(index);
    return;
  }
  if (!PyArray_Check(object))
    throw Error{Code::invalid_argument, "input " + std::to_string(index) + " is no tensor but an object of type " +
                                            Py_TYPE(object)->tp_name + "; compiled kernels take tensors only"};
  auto* array = reinterpret_cast<PyArrayObject*>(object);
  if (!PyArray_ISCARRAY_RO(array)) array = copies.emplace_back(in_row_major(array));
  const int32_t type = element_of(array);
  if (type == element::string) read_strings(array, context.set_strings(index, dims_of(array)));
  else context.set_input(index, type, dims_of(array), PyArray_DATA(array));
}

PyObject* output(KernelContext& context, size_t index) {
  if (!context.is_wanted(index)) Py_RETURN_NONE;
  return array_of(context.outputs[index]->value);
}

PyObject* outputs(KernelContext& context) {
  const size_t n = context.plan.wanted.size();
  if (n == 1) return output(context, 0);
  Reference all(PyTuple_New(static_cast<Py_ssize_t>(n)));
  if (all.get() == nullptr) throw PythonError();
  for (size_t i = 0; i < n; ++i) PyTuple_SET_ITEM(all.get(), static_cast<Py_ssize_t>(i), output(context, i));
  return all.release();
}

/// Sets a Python exception and returns false if the inputs do not fit.
bool prepare(const KernelObject& self, std::optional<Kernel::Call>& lease, PyObject* const* arguments, Copies& copies) {
  try {
    lease.emplace(*self.kernel);
    const size_t n = lease->context().inputs.size();
    for (size_t i = 0; i < n; ++i) set_input(lease->context(), i, arguments[i], copies);
    return true;
  } catch (...) {
    set_error_of_exception(*self.where);
    return false;
  }
}

std::optional<Error> compute(Kernel::Call& lease) {
  try {
    lease.compute();
    return std::nullopt;
  } catch (...) {
    return error_of_exception();
  }
}

PyObject* finish(const KernelObject& self, Kernel::Call& lease, const std::optional<Error>& error) {
  try {
    if (error) throw *error;
    return outputs(lease.context());
  } catch (...) {
    set_error_of_exception(*self.where);
    return nullptr;
  }
}

PyObject* call(PyObject* object, PyObject* const* arguments, size_t flagged_count, PyObject* keywords) {
  const auto& self = *reinterpret_cast<KernelObject*>(object);
  const auto count = static_cast<size_t>(PyVectorcall_NARGS(flagged_count));
  const size_t expected = self.kernel->plan().input_types.size();
  if (count != expected || (keywords != nullptr && PyTuple_GET_SIZE(keywords) > 0)) {
    PyErr_Format(PyExc_TypeError, "%s: the kernel takes %zu positional arguments, got %zu", self.where->c_str(),
                 expected, count);
    return nullptr;
  }
  std::optional<Kernel::Call> lease;
  Copies copies;
  PyObject* result = nullptr;
  if (prepare(self, lease, arguments, copies)) {
    // A daemon thread ends in `PyEval_RestoreThread` when the interpreter does: no handler of exceptions may be around
    // it.
    PyThreadState* state = PyEval_SaveThread();
    const std::optional<Error> error = compute(*lease);
    PyEval_RestoreThread(state);
    result = finish(self, *lease, error);
  }
  for (PyArrayObject* copy : copies) Py_DECREF(copy);
  return result;
}

void deallocate(PyObject* object) {
  auto* self = reinterpret_cast<KernelObject*>(object);
  PyTypeObject* type = Py_TYPE(object);
  if (self->kernel != nullptr) {
    const ReleasedGil released;
    delete self->kernel;
  }
  delete self->where;
  type->tp_free(object);
  Py_DECREF(type);
}

PyObject* native_address(PyObject* object, void*) {
  return PyLong_FromVoidPtr(const_cast<OrtCoreKernel*>(reinterpret_cast<KernelObject*>(object)->kernel->native()));
}

PyMemberDef members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(KernelObject, vectorcall), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr},
};

PyGetSetDef properties[] = {
    {"native", native_address, nullptr, "The address of the kernel's OrtCoreKernel, valid as long as this object.",
     nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyType_Slot slots[] = {
    {Py_tp_doc, const_cast<char*>("The kernel of one node: `kernel(*inputs)`.")},
    {Py_tp_dealloc, reinterpret_cast<void*>(deallocate)},
    {Py_tp_call, reinterpret_cast<void*>(PyVectorcall_Call)},
    {Py_tp_members, members},
    {Py_tp_getset, properties},
    {0, nullptr},
};

PyType_Spec spec = {"ort_custom_ops._native.Kernel", sizeof(KernelObject), 0,
                    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};

}  // namespace

PyTypeObject* kernel_type() {
  static PyObject* const type = PyType_FromSpec(&spec);
  if (type == nullptr) throw PythonError();
  return reinterpret_cast<PyTypeObject*>(type);
}

PyObject* new_kernel_object(std::unique_ptr<Kernel> kernel, std::string where) {
  PyTypeObject* type = kernel_type();
  PyObject* object = type->tp_alloc(type, 0);
  if (object == nullptr) throw PythonError();
  auto* self = reinterpret_cast<KernelObject*>(object);
  self->vectorcall = call;
  self->kernel = kernel.release();
  self->where = new std::string(std::move(where));
  return object;
}

}  // namespace ort_ops::python
