#include "python/arrays.h"

#include <array>
#include <cstring>
#include <utility>

#include "host/elements.h"
#include "host/memory.h"
#include "host/status.h"
#include "python/block_object.h"
#include "python/python_error.h"

namespace ort_ops::python {

static_assert(sizeof(npy_intp) == sizeof(int64_t));

namespace {

/// numpy's own types by their number; what is not here has its number from the package that registers it.
constexpr auto kElements = [] {
  std::array<int8_t, NPY_NTYPES_LEGACY> table{};
  table[NPY_FLOAT] = 1;
  table[NPY_UBYTE] = 2;
  table[NPY_BYTE] = 3;
  table[NPY_USHORT] = 4;
  table[NPY_SHORT] = 5;
  table[NPY_INT] = 6;
  table[NPY_LONG] = sizeof(long) == 8 ? 7 : 6;
  table[NPY_LONGLONG] = 7;
  table[NPY_OBJECT] = 8;
  table[NPY_BOOL] = 9;
  table[NPY_HALF] = 10;
  table[NPY_DOUBLE] = 11;
  table[NPY_UINT] = 12;
  table[NPY_ULONG] = sizeof(long) == 8 ? 13 : 12;
  table[NPY_ULONGLONG] = 13;
  table[NPY_CFLOAT] = 14;
  table[NPY_CDOUBLE] = 15;
  return table;
}();

struct Registered {
  int type_num;
  int32_t type;
};
/// Types of ml_dtypes that were met; guarded by the GIL.
std::vector<Registered> registered;
std::array<PyArray_Descr*, element::newest + 1> descriptors;

/// `ElementType.<method>(argument)`, a new reference.
PyObject* ask_element_type(const char* method, PyObject* argument) {
  const Reference module(PyImport_ImportModule("ort_core.ir.types"));
  if (module.get() == nullptr) throw PythonError();
  const Reference type(PyObject_GetAttrString(module.get(), "ElementType"));
  if (type.get() == nullptr) throw PythonError();
  PyObject* found = method == nullptr ? PyObject_CallOneArg(type.get(), argument)
                                      : PyObject_CallMethod(type.get(), method, "O", argument);
  if (found == nullptr) throw PythonError();
  return found;
}

int32_t element_of_registered(PyArray_Descr* descr) {
  for (const Registered& known : registered)
    if (known.type_num == descr->type_num) return known.type;
  const Reference found(ask_element_type("from_dtype", reinterpret_cast<PyObject*>(descr)));
  const int32_t type = from_onnx_number(static_cast<int32_t>(PyLong_AsLong(found.get())));
  registered.push_back({descr->type_num, type});
  return type;
}

PyArray_Descr* descr_of(int32_t type) {
  if (PyArray_Descr* known = descriptors[type]) return known;
  const Reference number(PyLong_FromLong(onnx_number(type)));
  const Reference element(ask_element_type(nullptr, number.get()));
  PyObject* dtype = PyObject_GetAttrString(element.get(), "dtype");
  if (dtype == nullptr) throw PythonError();
  return descriptors[type] = reinterpret_cast<PyArray_Descr*>(dtype);
}

void read_string(PyObject* item, std::string& out) {
  if (PyBytes_Check(item)) {
    out.assign(PyBytes_AS_STRING(item), PyBytes_GET_SIZE(item));
    return;
  }
  if (!PyUnicode_Check(item))
    throw Error{Code::invalid_argument,
                std::string("a tensor of strings holds an object of type ") + Py_TYPE(item)->tp_name};
  Py_ssize_t size;
  if (const char* text = PyUnicode_AsUTF8AndSize(item, &size)) {
    out.assign(text, size);
    return;
  }
  PyErr_Clear();
  const Reference bytes(PyUnicode_AsEncodedString(item, "utf-8", "surrogateescape"));
  if (bytes.get() == nullptr) throw PythonError();
  out.assign(PyBytes_AS_STRING(bytes.get()), PyBytes_GET_SIZE(bytes.get()));
}

PyObject* string_array(const Value& value) {
  Reference array(
      PyArray_SimpleNew(static_cast<int>(value.dims.rank()), const_cast<npy_intp*>(value.dims.data()), NPY_OBJECT));
  if (array.get() == nullptr) throw PythonError();
  auto** items = static_cast<PyObject**>(PyArray_DATA(reinterpret_cast<PyArrayObject*>(array.get())));
  for (size_t i = 0; i < value.count; ++i) {
    const std::string& text = value.strings[i];
    PyObject* item = PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "surrogateescape");
    if (item == nullptr) throw PythonError();
    Py_XSETREF(items[i], item);
  }
  return array.release();
}

PyObject* array_over(PyArray_Descr* descr, const Dims& dims, void* block, size_t bytes) {
  Reference owner(new_block_object(block, bytes));
  Py_INCREF(descr);
  Reference array(PyArray_NewFromDescr(&PyArray_Type, descr, static_cast<int>(dims.rank()),
                                       const_cast<npy_intp*>(dims.data()), nullptr, block, NPY_ARRAY_CARRAY, nullptr));
  if (array.get() == nullptr ||
      PyArray_SetBaseObject(reinterpret_cast<PyArrayObject*>(array.get()), owner.release()) < 0)
    throw PythonError();
  return array.release();
}

/// One element a byte.
PyObject* loose_array(const Value& value) {
  PyArray_Descr* descr = descr_of(value.type);
  void* loose = allocate_block(value.count);
  unpack_elements(value.type, static_cast<const uint8_t*>(value.data), value.count, static_cast<uint8_t*>(loose));
  return array_over(descr, value.dims, loose, value.count);
}

}  // namespace

int32_t element_of(PyArrayObject* array) {
  PyArray_Descr* descr = PyArray_DESCR(array);
  const int number = descr->type_num;
  const bool is_own = number >= 0 && number < NPY_NTYPES_LEGACY;
  const int32_t type = is_own ? kElements[number] : element_of_registered(descr);
  if (type == element::undefined) {
    const Reference text(PyObject_Str(reinterpret_cast<PyObject*>(descr)));
    const char* name = text.get() == nullptr ? nullptr : PyUnicode_AsUTF8(text.get());
    throw Error{Code::invalid_argument,
                std::string("compiled kernels take no arrays of dtype ") + (name == nullptr ? "?" : name)};
  }
  return type;
}

std::span<const int64_t> dims_of(PyArrayObject* array) {
  return {reinterpret_cast<const int64_t*>(PyArray_DIMS(array)), static_cast<size_t>(PyArray_NDIM(array))};
}

PyArrayObject* in_row_major(PyArrayObject* array) {
  if (PyArray_ISCARRAY_RO(array)) {
    Py_INCREF(array);
    return array;
  }
  PyObject* copy = PyArray_CheckFromAny(reinterpret_cast<PyObject*>(array), nullptr, 0, 0,
                                        NPY_ARRAY_CARRAY_RO | NPY_ARRAY_NOTSWAPPED, nullptr);
  if (copy == nullptr) throw PythonError();
  return reinterpret_cast<PyArrayObject*>(copy);
}

void read_strings(PyArrayObject* array, std::vector<std::string>& out) {
  auto** items = static_cast<PyObject**>(PyArray_DATA(array));
  for (size_t i = 0; i < out.size(); ++i) read_string(items[i], out[i]);
}

std::shared_ptr<const Value> value_of(PyObject* object) {
  if (!PyArray_Check(object)) throw Error{Code::invalid_argument, "a constant of a custom node is no tensor"};
  PyArrayObject* array = in_row_major(reinterpret_cast<PyArrayObject*>(object));
  const Reference held(reinterpret_cast<PyObject*>(array));
  const int32_t type = element_of(array);
  if (type == element::string || elements_per_byte(type) > 1) {
    auto value = std::make_shared<Value>();
    value->allocate(type, dims_of(array));
    if (type == element::string) read_strings(array, value->strings);
    else
      pack_elements(type, static_cast<const uint8_t*>(PyArray_DATA(array)), value->count,
                    static_cast<uint8_t*>(value->data));
    return value;
  }
  Py_INCREF(array);
  const std::shared_ptr<Value> value(new Value, [array](Value* made) {
    delete made;
    if (!Py_IsInitialized()) return;
    const PyGILState_STATE state = PyGILState_Ensure();
    Py_DECREF(array);
    PyGILState_Release(state);
  });
  value->refer(type, dims_of(array), PyArray_DATA(array));
  return value;
}

PyObject* view_of(const Value& value) {
  if (!value.is_tensor()) throw Error{Code::not_implemented, "operators take tensors only"};
  if (value.is_string()) return string_array(value);
  if (elements_per_byte(value.type) > 1) return loose_array(value);
  PyArray_Descr* descr = descr_of(value.type);
  Py_INCREF(descr);
  PyObject* array = PyArray_NewFromDescr(&PyArray_Type, descr, static_cast<int>(value.dims.rank()),
                                         const_cast<npy_intp*>(value.dims.data()), nullptr, value.data,
                                         NPY_ARRAY_C_CONTIGUOUS | NPY_ARRAY_ALIGNED, nullptr);
  if (array == nullptr) throw PythonError();
  return array;
}

void assign(Value& value, PyObject* object) {
  const std::shared_ptr<const Value> from = value_of(object);
  if (from->type != value.type || !(from->dims == value.dims))
    throw Error{Code::invalid_argument,
                std::string("a result is another than the output that it is for: it is tensor(") +
                    element_name(from->type) + "), the output tensor(" + element_name(value.type) + ") of " +
                    std::to_string(value.count) + " elements"};
  if (value.is_string()) value.strings = from->strings;
  else if (value.bytes() > 0) std::memcpy(value.data, from->data, value.bytes());
}

PyObject* array_of(Value& value) {
  if (value.is_string()) return string_array(value);
  if (elements_per_byte(value.type) > 1) return loose_array(value);
  const size_t bytes = value.bytes();
  auto* const descr = descr_of(value.type);
  return array_over(descr, value.dims, value.release_data(), bytes);
}

}  // namespace ort_ops::python
