#include "python/runner.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include <structmember.h>

#include "python/exceptions.h"
#include "python/numpy_api.h"

namespace ort_cpu::python {

namespace {

/// Runs that take longer than this let other Python threads run meanwhile.
constexpr double kReleaseGilNs = 5000;
/// Outputs of this size and more live in recycled memory.
constexpr size_t kRecycledBytes = 32 << 10;

/// An input. Dimensions below zero are unknown; of those, equal ones below -1 are one symbol, and should agree in a
/// run.
struct InputPort {
  PyObject* name;
  int type_num;
  bool has_shape;
  Shape shape;
};

constexpr int kMostSymbols = 16;
using Symbols = std::array<int64_t, kMostSymbols>;
struct OutputPort {
  PyObject* name;
  PyArray_Descr* descr;
};

struct Ports {
  std::shared_ptr<Program> program;
  std::vector<InputPort> inputs;
  std::vector<OutputPort> outputs;
  ~Ports() {
    for (InputPort& port : inputs) Py_XDECREF(port.name);
    for (OutputPort& port : outputs) {
      Py_XDECREF(port.name);
      Py_XDECREF(port.descr);
    }
  }
};

struct RunnerObject {
  PyObject_HEAD Ports* ports;
};

/// Owns one reference.
class Reference {
 public:
  explicit Reference(PyObject* object = nullptr) : object_(object) {}
  ~Reference() { Py_XDECREF(object_); }
  Reference(const Reference&) = delete;
  Reference& operator=(const Reference&) = delete;
  PyObject* get() const { return object_; }
  PyObject* release() { return std::exchange(object_, nullptr); }
  void reset(PyObject* object) { Py_XSETREF(object_, object); }

 private:
  PyObject* object_;
};

class ReleasedGil {
 public:
  explicit ReleasedGil(bool release) : state_(release ? PyEval_SaveThread() : nullptr) {}
  ~ReleasedGil() {
    if (state_ != nullptr) PyEval_RestoreThread(state_);
  }
  ReleasedGil(const ReleasedGil&) = delete;
  ReleasedGil& operator=(const ReleasedGil&) = delete;

 private:
  PyThreadState* state_;
};

bool fits(const InputPort& port, PyArrayObject* array, Symbols& symbols) {
  if (PyArray_TYPE(array) != port.type_num || !PyArray_ISCARRAY_RO(array)) return false;
  const int rank = PyArray_NDIM(array);
  if (!port.has_shape) return rank <= kMaxRank;
  if (rank != port.shape.rank()) return false;
  const npy_intp* dims = PyArray_DIMS(array);
  for (int i = 0; i < rank; ++i) {
    const int64_t expected = port.shape[i];
    if (expected == -1 || expected == dims[i]) continue;
    if (expected >= 0) return false;
    int64_t& symbol = symbols[-2 - expected];
    if (symbol >= 0 && symbol != dims[i]) return false;
    symbol = dims[i];
  }
  return true;
}

Tensor tensor_of(PyArrayObject* array, DType dtype) {
  Tensor tensor{PyArray_DATA(array), dtype, {}};
  const npy_intp* dims = PyArray_DIMS(array);
  tensor.shape.resize(PyArray_NDIM(array));
  for (int i = 0; i < tensor.shape.rank(); ++i) tensor.shape[i] = dims[i];
  return tensor;
}

PyObject* new_array(PyArray_Descr* descr, const Shape& shape) {
  std::array<npy_intp, kMaxRank> dims;
  std::copy(shape.begin(), shape.end(), dims.begin());
  Py_INCREF(descr);
  return PyArray_NewFromDescr(&PyArray_Type, descr, shape.rank(), dims.data(), nullptr, nullptr, 0, nullptr);
}

void free_buffer(PyObject* capsule) { delete static_cast<Buffer*>(PyCapsule_GetPointer(capsule, nullptr)); }

/// An array over memory of the pool, which it keeps.
PyObject* wrap_buffer(PyArray_Descr* descr, const Tensor& tensor, Buffer buffer) {
  std::array<npy_intp, kMaxRank> dims;
  std::copy(tensor.shape.begin(), tensor.shape.end(), dims.begin());
  Py_INCREF(descr);
  Reference array(PyArray_NewFromDescr(&PyArray_Type, descr, tensor.shape.rank(), dims.data(), nullptr, tensor.data,
                                       NPY_ARRAY_CARRAY, nullptr));
  if (array.get() == nullptr) return nullptr;
  auto owner = std::make_unique<Buffer>(std::move(buffer));
  PyObject* capsule = PyCapsule_New(owner.get(), nullptr, free_buffer);
  if (capsule == nullptr) return nullptr;
  owner.release();
  if (PyArray_SetBaseObject(reinterpret_cast<PyArrayObject*>(array.get()), capsule) < 0) return nullptr;
  return array.release();
}

/// The array of output `i` after the run, unless the run wrote into one.
PyObject* finished_output(const OutputPort& port, Result& result) {
  if (result.tensor.size_bytes() >= kRecycledBytes)
    return wrap_buffer(port.descr, result.tensor, std::move(result.buffer));
  PyObject* array = new_array(port.descr, result.tensor.shape);
  if (array != nullptr && result.tensor.size_bytes() > 0)
    std::memcpy(PyArray_DATA(reinterpret_cast<PyArrayObject*>(array)), result.tensor.data, result.tensor.size_bytes());
  return array;
}

/// The positions of the outputs that are asked for; nullopt if `fetches` is unusual.
std::optional<std::vector<int>> positions_of(const Ports& ports, PyObject* fetches) {
  std::vector<int> positions;
  const Py_ssize_t n = PyList_GET_SIZE(fetches);
  for (Py_ssize_t i = 0; i < n; ++i) {
    PyObject* name = PyList_GET_ITEM(fetches, i);
    if (!PyUnicode_CheckExact(name)) return std::nullopt;
    const auto found = std::find_if(ports.outputs.begin(), ports.outputs.end(), [&](const OutputPort& port) {
      return port.name == name || PyUnicode_Compare(port.name, name) == 0;
    });
    if (found == ports.outputs.end()) return std::nullopt;
    positions.push_back(static_cast<int>(found - ports.outputs.begin()));
  }
  return positions;
}

PyObject* execute(const Ports& ports, std::span<const Tensor> inputs, const std::vector<int>* positions) {
  Run run(*ports.program, inputs);
  const int n = static_cast<int>(ports.outputs.size());
  std::vector<Reference> arrays(n);
  for (int i = 0; i < n; ++i) {
    const Tensor* planned = run.planned_output(i);
    if (planned == nullptr || planned->size_bytes() >= kRecycledBytes) continue;
    PyObject* array = new_array(ports.outputs[i].descr, planned->shape);
    if (array == nullptr) return nullptr;
    arrays[i].reset(array);
    run.set_output(i, PyArray_DATA(reinterpret_cast<PyArrayObject*>(array)));
  }
  {
    const ReleasedGil released(run.cost_ns() > kReleaseGilNs);
    const ActiveRun active(*ports.program->environment().threads);
    run.execute(nullptr);
  }
  const int n_results = positions == nullptr ? n : static_cast<int>(positions->size());
  Reference list(PyList_New(n_results));
  if (list.get() == nullptr) return nullptr;
  for (int k = 0; k < n_results; ++k) {
    const int i = positions == nullptr ? k : (*positions)[k];
    if (arrays[i].get() == nullptr) {
      PyObject* array = finished_output(ports.outputs[i], run.result(i));
      if (array == nullptr) return nullptr;
      arrays[i].reset(array);
    }
    Py_INCREF(arrays[i].get());
    PyList_SET_ITEM(list.get(), k, arrays[i].get());
  }
  return list.release();
}

PyObject* run_feeds(const Ports& ports, PyObject* feeds, PyObject* fetches) {
  const size_t n = ports.inputs.size();
  constexpr size_t kMostInputs = 128;
  if (!PyDict_CheckExact(feeds) || static_cast<size_t>(PyDict_GET_SIZE(feeds)) != n || n > kMostInputs)
    Py_RETURN_NOTIMPLEMENTED;
  std::array<Tensor, 8> few;
  std::vector<Tensor> many(n > few.size() ? n : 0);
  Tensor* inputs = n > few.size() ? many.data() : few.data();
  Symbols symbols;
  symbols.fill(-1);
  for (size_t i = 0; i < n; ++i) {
    PyObject* value = PyDict_GetItemWithError(feeds, ports.inputs[i].name);
    if (value == nullptr) {
      if (PyErr_Occurred()) return nullptr;
      Py_RETURN_NOTIMPLEMENTED;
    }
    if (!PyArray_CheckExact(value) || !fits(ports.inputs[i], reinterpret_cast<PyArrayObject*>(value), symbols))
      Py_RETURN_NOTIMPLEMENTED;
    inputs[i] = tensor_of(reinterpret_cast<PyArrayObject*>(value), ports.program->input_dtype(static_cast<int>(i)));
  }
  try {
    if (fetches == Py_None) return execute(ports, {inputs, n}, nullptr);
    if (!PyList_CheckExact(fetches)) Py_RETURN_NOTIMPLEMENTED;
    if (PyList_GET_SIZE(fetches) == 0) return execute(ports, {inputs, n}, nullptr);
    const auto positions = positions_of(ports, fetches);
    if (!positions) Py_RETURN_NOTIMPLEMENTED;
    return execute(ports, {inputs, n}, &*positions);
  } catch (...) {
    set_python_error();
    return nullptr;
  }
}

PyObject* fast_run(RunnerObject* self, PyObject* const* arguments, Py_ssize_t count) {
  if (count != 2) {
    PyErr_SetString(PyExc_TypeError, "fast_run takes feeds and fetches");
    return nullptr;
  }
  return run_feeds(*self->ports, arguments[0], arguments[1]);
}

bool add_timings(const Program& program, const std::vector<Timing>& timings, PyObject* list) {
  for (const Timing& timing : timings) {
    const Instruction& instruction = program.instructions()[timing.instruction];
    Reference entry(Py_BuildValue("(ssLL)", instruction.op.c_str(), instruction.label.c_str(),
                                  static_cast<long long>(timing.started_ns), static_cast<long long>(timing.ended_ns)));
    if (entry.get() == nullptr || PyList_Append(list, entry.get()) < 0) return false;
  }
  return true;
}

/// The caller's array for output `i`; it must be writable, C-contiguous, and of the planned type.
PyObject* requested_output(PyObject* output, int i, const Tensor& planned, const OutputPort& port) {
  Reference shape(PyTuple_New(planned.shape.rank()));
  if (shape.get() == nullptr) return nullptr;
  for (int axis = 0; axis < planned.shape.rank(); ++axis) {
    PyObject* dim = PyLong_FromLongLong(planned.shape[axis]);
    if (dim == nullptr) return nullptr;
    PyTuple_SET_ITEM(shape.get(), axis, dim);
  }
  PyObject* array = PyObject_CallFunction(output, "iO", i, shape.get());
  if (array == nullptr) return nullptr;
  auto* view = reinterpret_cast<PyArrayObject*>(array);
  if (!PyArray_Check(array) || !PyArray_ISCARRAY(view) || PyArray_TYPE(view) != port.descr->type_num ||
      static_cast<size_t>(PyArray_NBYTES(view)) != planned.size_bytes()) {
    Py_DECREF(array);
    PyErr_SetString(PyExc_TypeError, "the memory for an output has another type, shape or layout than the output");
    return nullptr;
  }
  return array;
}

PyObject* run(RunnerObject* self, PyObject* const* arguments, Py_ssize_t count) {
  const Ports& ports = *self->ports;
  if (count != 4 || !PyList_Check(arguments[0]) ||
      static_cast<size_t>(PyList_GET_SIZE(arguments[0])) != ports.inputs.size()) {
    PyErr_SetString(PyExc_TypeError, "run takes a list of inputs, output, cancel and timings");
    return nullptr;
  }
  const auto* cancel = static_cast<const std::atomic<uint32_t>*>(PyLong_AsVoidPtr(arguments[2]));
  if (PyErr_Occurred()) return nullptr;
  try {
    std::vector<Tensor> inputs;
    for (size_t i = 0; i < ports.inputs.size(); ++i) {
      PyObject* value = PyList_GET_ITEM(arguments[0], static_cast<Py_ssize_t>(i));
      auto* array = reinterpret_cast<PyArrayObject*>(value);
      if (!PyArray_Check(value) || PyArray_TYPE(array) != ports.inputs[i].type_num || !PyArray_ISCARRAY_RO(array))
        throw_invalid("input ", i, " is no C-contiguous array of the type of the model");
      if (PyArray_NDIM(array) > kMaxRank)
        throw_not_implemented("input ", i, " has rank ", PyArray_NDIM(array), ", at most ", kMaxRank, " is supported");
      inputs.push_back(tensor_of(array, ports.program->input_dtype(static_cast<int>(i))));
    }
    Run call(*ports.program, inputs);
    const int n = static_cast<int>(ports.outputs.size());
    std::vector<Reference> arrays(n);
    for (int i = 0; i < n && arguments[1] != Py_None; ++i) {
      const Tensor* planned = call.planned_output(i);
      if (planned == nullptr) continue;
      PyObject* array = requested_output(arguments[1], i, *planned, ports.outputs[i]);
      if (array == nullptr) return nullptr;
      arrays[i].reset(array);
      call.set_output(i, PyArray_DATA(reinterpret_cast<PyArrayObject*>(array)));
    }
    std::vector<Timing> timings;
    const bool is_timed = PyList_Check(arguments[3]);
    {
      const ReleasedGil released(call.cost_ns() > kReleaseGilNs);
      const ActiveRun active(*ports.program->environment().threads);
      call.execute(cancel, is_timed ? &timings : nullptr);
    }
    if (is_timed && !add_timings(*ports.program, timings, arguments[3])) return nullptr;
    Reference list(PyList_New(n));
    if (list.get() == nullptr) return nullptr;
    for (int i = 0; i < n; ++i) {
      PyObject* array =
          arrays[i].get() != nullptr ? arrays[i].release() : finished_output(ports.outputs[i], call.result(i));
      if (array == nullptr) return nullptr;
      PyList_SET_ITEM(list.get(), i, array);
    }
    return list.release();
  } catch (...) {
    set_python_error();
    return nullptr;
  }
}

void dealloc(PyObject* self) {
  delete reinterpret_cast<RunnerObject*>(self)->ports;
  PyTypeObject* type = Py_TYPE(self);
  type->tp_free(self);
  Py_DECREF(type);
}

/// `session.run` of a session whose model is one program: answers what it can and calls the session's own method for
/// the rest.
struct BoundRunObject {
  PyObject_HEAD vectorcallfunc vectorcall;
  PyObject* runner;   // null once it is released
  PyObject* session;  // a weak reference
  PyObject* held;     // the session itself, once nobody else has it; null before
  PyObject* method;   // a function whose first argument is the session
  PyObject* gate;     // a list; unless it is empty, the method answers
};

PyObject* call_method(BoundRunObject* self, PyObject* const* arguments, size_t flags, PyObject* names) {
  Reference session(self->held != nullptr ? Py_NewRef(self->held) : PyObject_CallNoArgs(self->session));
  if (session.get() == nullptr) return nullptr;
  const auto count = PyVectorcall_NARGS(flags);
  const auto total = count + (names == nullptr ? 0 : PyTuple_GET_SIZE(names));
  std::vector<PyObject*> all{session.get()};
  all.insert(all.end(), arguments, arguments + total);
  return PyObject_Vectorcall(self->method, all.data(), static_cast<size_t>(count) + 1, names);
}

PyObject* bound_run(PyObject* object, PyObject* const* arguments, size_t flags, PyObject* names) {
  auto* self = reinterpret_cast<BoundRunObject*>(object);
  const auto count = PyVectorcall_NARGS(flags);
  const bool is_usual = names == nullptr && (count == 2 || (count == 3 && arguments[2] == Py_None));
  if (is_usual && self->runner != nullptr && PyList_GET_SIZE(self->gate) == 0) {
    // Another thread may close the session meanwhile.
    const Reference runner(Py_NewRef(self->runner));
    PyObject* answer = run_feeds(*reinterpret_cast<RunnerObject*>(runner.get())->ports, arguments[1], arguments[0]);
    if (answer != Py_NotImplemented) return answer;
    Py_DECREF(answer);
  }
  return call_method(self, arguments, flags, names);
}

void dealloc_bound_run(PyObject* object) {
  auto* self = reinterpret_cast<BoundRunObject*>(object);
  Py_XDECREF(self->runner);
  Py_XDECREF(self->session);
  Py_XDECREF(self->held);
  Py_XDECREF(self->method);
  Py_XDECREF(self->gate);
  PyTypeObject* type = Py_TYPE(object);
  type->tp_free(object);
  Py_DECREF(type);
}

PyObject* hold_session(PyObject* object, PyObject* session) {
  auto* self = reinterpret_cast<BoundRunObject*>(object);
  Py_XSETREF(self->held, Py_NewRef(session));
  Py_RETURN_NONE;
}

PyObject* release(PyObject* object, PyObject*) {
  Py_CLEAR(reinterpret_cast<BoundRunObject*>(object)->runner);
  Py_RETURN_NONE;
}

/// Apart from its own methods, the callable looks like the method that it stands for.
PyObject* get_attribute(PyObject* object, PyObject* name) {
  for (const char* own : {"hold_session", "release"})
    if (PyUnicode_CompareWithASCIIString(name, own) == 0) return PyObject_GenericGetAttr(object, name);
  return PyObject_GetAttr(reinterpret_cast<BoundRunObject*>(object)->method, name);
}

PyMethodDef bound_run_methods[] = {
    {"hold_session", hold_session, METH_O, "Keeps the session alive as long as the callable."},
    {"release", release, METH_NOARGS, "Lets go of the program; from then on the method answers."},
    {nullptr, nullptr, 0, nullptr}};

PyMemberDef bound_run_members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(BoundRunObject, vectorcall), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr}};

PyType_Slot bound_run_slots[] = {{Py_tp_dealloc, reinterpret_cast<void*>(dealloc_bound_run)},
                                 {Py_tp_call, reinterpret_cast<void*>(PyVectorcall_Call)},
                                 {Py_tp_getattro, reinterpret_cast<void*>(get_attribute)},
                                 {Py_tp_members, bound_run_members},
                                 {Py_tp_methods, bound_run_methods},
                                 {0, nullptr}};

PyType_Spec bound_run_spec = {"ort_provider_cpu._native.BoundRun", sizeof(BoundRunObject), 0,
                              Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_HAVE_VECTORCALL,
                              bound_run_slots};

PyObject* bind_run(PyObject* self, PyObject* const* arguments, Py_ssize_t count) {
  if (count != 3 || !PyCallable_Check(arguments[0]) || !PyCallable_Check(arguments[1]) || !PyList_Check(arguments[2])) {
    PyErr_SetString(PyExc_TypeError, "bind_run takes a weak reference, a method and a list");
    return nullptr;
  }
  static auto* type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&bound_run_spec));
  if (type == nullptr) return nullptr;
  auto* bound = reinterpret_cast<BoundRunObject*>(type->tp_alloc(type, 0));
  if (bound == nullptr) return nullptr;
  bound->vectorcall = bound_run;
  bound->runner = Py_NewRef(self);
  bound->session = Py_NewRef(arguments[0]);
  bound->method = Py_NewRef(arguments[1]);
  bound->gate = Py_NewRef(arguments[2]);
  return reinterpret_cast<PyObject*>(bound);
}

template <class F>
PyCFunction as_method(F* function) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
}

PyMethodDef methods[] = {
    {"fast_run", as_method(fast_run), METH_FASTCALL, "fast_run(feeds, fetches) -> list of outputs, or NotImplemented."},
    {"run", as_method(run), METH_FASTCALL, "run(inputs, output, cancel, timings) -> list of outputs."},
    {"bind_run", as_method(bind_run), METH_FASTCALL, "bind_run(session, method, gate) -> what to call as session.run."},
    {nullptr, nullptr, 0, nullptr}};

PyType_Slot slots[] = {{Py_tp_dealloc, reinterpret_cast<void*>(dealloc)},
                       {Py_tp_methods, methods},
                       {Py_tp_doc, const_cast<char*>("Runs a program on numpy arrays.")},
                       {0, nullptr}};

PyType_Spec spec = {"ort_provider_cpu._native.Runner", sizeof(RunnerObject), 0,
                    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};

/// Dimensions from a tuple of numbers, names of symbols, and None. False with a Python error set.
bool read_shape(PyObject* dims, std::vector<PyObject*>& symbols, Shape& shape) {
  shape.resize(static_cast<int>(PyTuple_GET_SIZE(dims)), -1);
  for (int i = 0; i < shape.rank(); ++i) {
    PyObject* dim = PyTuple_GET_ITEM(dims, i);
    if (PyLong_Check(dim)) {
      shape[i] = PyLong_AsLongLong(dim);
      if (PyErr_Occurred()) return false;
    } else if (PyUnicode_Check(dim)) {
      const auto found =
          std::find_if(symbols.begin(), symbols.end(), [&](PyObject* s) { return PyUnicode_Compare(s, dim) == 0; });
      if (found == symbols.end() && symbols.size() == kMostSymbols) continue;
      shape[i] = -2 - (found - symbols.begin());
      if (found == symbols.end()) symbols.push_back(dim);
    }
  }
  return true;
}

}  // namespace

PyTypeObject* runner_type() {
  static auto* type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
  return type;
}

PyObject* make_runner(std::shared_ptr<Program> program, PyObject* inputs, PyObject* outputs) {
  auto ports = std::make_unique<Ports>();
  ports->program = std::move(program);
  std::vector<PyObject*> symbols;
  for (Py_ssize_t i = 0; i < PyList_Size(inputs); ++i) {
    PyObject *name, *dtype, *dims;
    if (!PyArg_ParseTuple(PyList_GET_ITEM(inputs, i), "UOO", &name, &dtype, &dims)) return nullptr;
    if (!PyArray_DescrCheck(dtype)) {
      PyErr_SetString(PyExc_TypeError, "the type of an input is a numpy dtype");
      return nullptr;
    }
    Py_INCREF(name);
    PyUnicode_InternInPlace(&name);
    const bool has_shape = PyTuple_Check(dims) && PyTuple_GET_SIZE(dims) <= kMaxRank;
    InputPort port{name, reinterpret_cast<PyArray_Descr*>(dtype)->type_num, has_shape, {}};
    ports->inputs.push_back(port);
    if (port.has_shape && !read_shape(dims, symbols, ports->inputs.back().shape)) return nullptr;
  }
  for (Py_ssize_t i = 0; i < PyList_Size(outputs); ++i) {
    PyObject *name, *dtype;
    if (!PyArg_ParseTuple(PyList_GET_ITEM(outputs, i), "UO", &name, &dtype)) return nullptr;
    if (!PyArray_DescrCheck(dtype)) {
      PyErr_SetString(PyExc_TypeError, "the type of an output is a numpy dtype");
      return nullptr;
    }
    Py_INCREF(name);
    Py_INCREF(dtype);
    PyUnicode_InternInPlace(&name);
    ports->outputs.push_back({name, reinterpret_cast<PyArray_Descr*>(dtype)});
  }
  PyTypeObject* type = runner_type();
  auto* self = reinterpret_cast<RunnerObject*>(type->tp_alloc(type, 0));
  if (self == nullptr) return nullptr;
  self->ports = ports.release();
  return reinterpret_cast<PyObject*>(self);
}

}  // namespace ort_cpu::python
