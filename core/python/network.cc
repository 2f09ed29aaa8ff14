// What torch.nn.Module is built on: calls and attribute lookups without Python frames.
#include "python/objects.h"

namespace lumbre::python {

namespace {

PyObject* intern(const char* text) { return PyUnicode_InternFromString(text); }

// Set while there are hooks for all modules.
bool global_hooks = false;

PyObject* instance_dict(PyObject* self) {
  PyObject** place = _PyObject_GetDictPtr(self);
  return place ? *place : nullptr;
}

// An error on its way out of a module is told where in the network that is; what cannot be told is left out.
PyObject* explained(PyObject* self, PyObject* args) {
  if (!PyErr_ExceptionMatches(PyExc_Exception)) return nullptr;
  PyObject *type, *value, *trace;
  PyErr_Fetch(&type, &value, &trace);
  PyErr_NormalizeException(&type, &value, &trace);
  if (trace) PyException_SetTraceback(value, trace);
  if (PyObject* module = PyImport_ImportModule("lumbre.nn.modules._explaining")) {
    Py_XDECREF(PyObject_CallMethod(module, "explain", "OOO", self, args, value));
    Py_DECREF(module);
  }
  PyErr_Clear();
  PyErr_Restore(type, value, trace);
  return nullptr;
}

// module(...): straight to forward, unless hooks are to run.
PyObject* call(PyObject* self, PyObject* args, PyObject* keywords) {
  static PyObject *const hooked = intern("_hooked"), *const slow = intern("_call_with_hooks"),
                         *const forward = intern("forward");
  PyObject* dict = instance_dict(self);
  PyObject* flag = dict ? PyDict_GetItemWithError(dict, hooked) : nullptr;
  if (!flag && PyErr_Occurred()) return nullptr;
  PyObject* name = global_hooks || flag == Py_True ? slow : forward;
  // A forward that is a plain function of the class is called with no bound method in between.
  PyObject* function = _PyType_Lookup(Py_TYPE(self), name);
  if (function && PyFunction_Check(function) && !keywords && PyTuple_GET_SIZE(args) == 1 && dict &&
      !PyDict_GetItemWithError(dict, name)) {
    Object held = Object::borrow(function);
    PyObject* arguments[] = {self, PyTuple_GET_ITEM(args, 0)};
    PyObject* result = PyObject_Vectorcall(function, arguments, 2, nullptr);
    return result ? result : explained(self, args);
  }
  if (PyErr_Occurred()) return nullptr;
  PyObject* method = PyObject_GetAttr(self, name);
  if (!method) return nullptr;
  PyObject* result = PyObject_Call(method, args, keywords);
  Py_DECREF(method);
  return result ? result : explained(self, args);
}

// Ordinary attributes first, then parameters, buffers and modules.
PyObject* get_attribute(PyObject* self, PyObject* name) {
  static PyObject* const tables[] = {intern("_parameters"), intern("_buffers"), intern("_modules")};
  PyObject* dict = instance_dict(self);
  // A name that no class defines and the instance has not is most often a parameter.
  if (dict && !_PyType_Lookup(Py_TYPE(self), name)) {
    PyObject* own = PyDict_GetItemWithError(dict, name);
    if (own) return Py_NewRef(own);
    if (PyErr_Occurred()) return nullptr;
    for (PyObject* table : tables) {
      PyObject* entries = PyDict_GetItemWithError(dict, table);
      if (!entries) {
        if (PyErr_Occurred()) return nullptr;
        continue;
      }
      if (!PyDict_Check(entries)) continue;
      PyObject* found = PyDict_GetItemWithError(entries, name);
      if (found) return Py_NewRef(found);
      if (PyErr_Occurred()) return nullptr;
    }
    PyErr_Format(PyExc_AttributeError, "'%s' object has no attribute '%U'", Py_TYPE(self)->tp_name, name);
    return nullptr;
  }
  return PyObject_GenericGetAttr(self, name);
}

PyObject* set_global_hooks(PyObject*, PyObject* value) {
  global_hooks = value == Py_True;
  Py_RETURN_NONE;
}

PyMethodDef module_methods[] = {{"_set_global_hooks", set_global_hooks, METH_O, nullptr}, {nullptr}};

}  // namespace

void add_network(PyObject* module) {
  PyType_Slot slots[] = {{Py_tp_call, reinterpret_cast<void*>(call)},
                         {Py_tp_getattro, reinterpret_cast<void*>(get_attribute)},
                         {0, nullptr}};
  PyType_Spec spec{"lumbre._C.ModuleBase", sizeof(PyObject), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, slots};
  Object type = Object::steal(PyType_FromSpec(&spec));
  if (PyModule_AddObjectRef(module, "ModuleBase", type.get()) < 0) throw PythonError{};
  if (PyModule_AddFunctions(module, module_methods) < 0) throw PythonError{};
}

}  // namespace lumbre::python
