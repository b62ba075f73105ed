#include "python/block_object.h"

#include "host/memory.h"
#include "python/python_error.h"

namespace ort_ops::python {

namespace {

struct BlockObject {
  PyObject_HEAD void* block;
  size_t bytes;
};

void deallocate(PyObject* object) {
  auto* self = reinterpret_cast<BlockObject*>(object);
  free_block(self->block, self->bytes);
  PyTypeObject* type = Py_TYPE(object);
  PyObject_Free(object);
  Py_DECREF(type);
}

PyType_Slot slots[] = {
    {Py_tp_doc, const_cast<char*>("Memory of an array.")},
    {Py_tp_dealloc, reinterpret_cast<void*>(deallocate)},
    {0, nullptr},
};

PyType_Spec spec = {"ort_custom_ops._native.Block", sizeof(BlockObject), 0,
                    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};

}  // namespace

PyObject* new_block_object(void* block, size_t bytes) {
  static auto* const type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
  auto* self = type == nullptr ? nullptr : PyObject_New(BlockObject, type);
  if (self == nullptr) {
    free_block(block, bytes);
    throw PythonError();
  }
  self->block = block;
  self->bytes = bytes;
  return reinterpret_cast<PyObject*>(self);
}

}  // namespace ort_ops::python
