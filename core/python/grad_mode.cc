// What torch.no_grad and torch.enable_grad are built on: recording is switched without Python frames.
#include "autograd/modes.h"
#include "python/objects.h"

namespace lumbre::python {

namespace {

struct SwitchObject {
  PyObject_HEAD bool before;
};

// A function given at once is decorated: no_grad(f) is no_grad()(f).
PyObject* make(PyTypeObject* type, PyObject* args, PyObject* keywords) {
  return guarded([&]() -> PyObject* {
    static const char* names[] = {"function", nullptr};
    PyObject* function = nullptr;
    if (PyTuple_GET_SIZE(args) > 0 || keywords) {
      if (!PyArg_ParseTupleAndKeywords(args, keywords, "|O", const_cast<char**>(names), &function)) return nullptr;
    }
    Object self = Object::steal(type->tp_alloc(type, 0));
    if (!function || function == Py_None) return self.release();
    return PyObject_CallOneArg(self.get(), function);
  });
}

void record(bool on) {
  autograd::modes.asked = on;
  autograd::modes.grad = on && !autograd::modes.inference;
}

// The class attribute `_grad` says what the switch does.
PyObject* enter(PyObject* self, PyObject*) {
  static PyObject* const name = PyUnicode_InternFromString("_grad");
  reinterpret_cast<SwitchObject*>(self)->before = autograd::modes.asked;
  record(_PyType_Lookup(Py_TYPE(self), name) == Py_True);
  Py_RETURN_NONE;
}
PyObject* leave(PyObject* self, PyObject* const*, Py_ssize_t) {
  record(reinterpret_cast<SwitchObject*>(self)->before);
  Py_RETURN_NONE;
}

PyMethodDef methods[] = {{"__enter__", enter, METH_NOARGS, nullptr},
                         {"__exit__", reinterpret_cast<PyCFunction>(leave), METH_FASTCALL, nullptr},
                         {nullptr}};

}  // namespace

void add_grad_mode(PyObject* module) {
  PyType_Slot slots[] = {{Py_tp_new, reinterpret_cast<void*>(make)}, {Py_tp_methods, methods}, {0, nullptr}};
  PyType_Spec spec{"lumbre._C.GradModeBase", sizeof(SwitchObject), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, slots};
  Object type = Object::steal(PyType_FromSpec(&spec));
  if (PyModule_AddObjectRef(module, "GradModeBase", type.get()) < 0) throw PythonError{};
}

}  // namespace lumbre::python
