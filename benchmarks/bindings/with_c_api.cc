// The same module by hand, the way core/python does it: objects from a free list, a slot, a function without an
// argument tuple.
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "vector.h"

namespace {

struct VectorObject {
  PyObject_HEAD Vector vector;
};

PyTypeObject* vector_type;
constexpr int kMaxIdle = 64;
VectorObject* idle[kMaxIdle];
int idle_count = 0;

VectorObject* object_of(PyObject* self) { return reinterpret_cast<VectorObject*>(self); }

PyObject* make(const Vector& vector) {
  VectorObject* self;
  if (idle_count > 0) {
    self = idle[--idle_count];
    PyObject_Init(reinterpret_cast<PyObject*>(self), vector_type);
  } else {
    self = PyObject_New(VectorObject, vector_type);
    if (!self) return nullptr;
  }
  self->vector = vector;
  return reinterpret_cast<PyObject*>(self);
}

void dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  if (idle_count < kMaxIdle)
    idle[idle_count++] = object_of(self);
  else
    PyObject_Free(self);
  Py_DECREF(type);
}

PyObject* construct(PyTypeObject*, PyObject* arguments, PyObject*) {
  Vector vector;
  if (!PyArg_ParseTuple(arguments, "fff", &vector.data[0], &vector.data[1], &vector.data[2])) return nullptr;
  return make(vector);
}

PyObject* slot_add(PyObject* a, PyObject* b) {
  if (Py_TYPE(a) != vector_type || Py_TYPE(b) != vector_type) Py_RETURN_NOTIMPLEMENTED;
  return make(add(object_of(a)->vector, object_of(b)->vector));
}

PyObject* function_add(PyObject*, PyObject* const* arguments, Py_ssize_t count) {
  if (count != 2 || Py_TYPE(arguments[0]) != vector_type || Py_TYPE(arguments[1]) != vector_type) {
    PyErr_SetString(PyExc_TypeError, "add() takes two vectors");
    return nullptr;
  }
  return make(add(object_of(arguments[0])->vector, object_of(arguments[1])->vector));
}

PyObject* tolist(PyObject* self, PyObject*) {
  const float* data = object_of(self)->vector.data;
  return Py_BuildValue("(fff)", data[0], data[1], data[2]);
}

PyMethodDef methods[] = {{"tolist", tolist, METH_NOARGS, nullptr}, {nullptr, nullptr, 0, nullptr}};
PyMethodDef functions[] = {
    {"add", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function_add)), METH_FASTCALL, nullptr},
    {nullptr, nullptr, 0, nullptr}};
PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "with_c_api", nullptr, -1, functions, nullptr, nullptr, nullptr, nullptr};

}  // namespace

PyMODINIT_FUNC PyInit_with_c_api() {
  PyType_Slot slots[] = {{Py_tp_new, reinterpret_cast<void*>(construct)},
                         {Py_tp_dealloc, reinterpret_cast<void*>(dealloc)},
                         {Py_tp_methods, methods},
                         {Py_nb_add, reinterpret_cast<void*>(slot_add)},
                         {0, nullptr}};
  PyType_Spec spec{"with_c_api.Vector", sizeof(VectorObject), 0, Py_TPFLAGS_DEFAULT, slots};
  vector_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
  if (!vector_type) return nullptr;
  PyObject* module = PyModule_Create(&definition);
  if (module && PyModule_AddObjectRef(module, "Vector", reinterpret_cast<PyObject*>(vector_type)) < 0) Py_CLEAR(module);
  return module;
}
