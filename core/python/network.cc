// What torch.nn.Module is built on: calls, attributes and the walk over parameters without Python frames.
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

PyObject* const* tables() {
  static PyObject* const names[] = {intern("_parameters"), intern("_buffers"), intern("_modules")};
  return names;
}

// A value that is no part of a module, under a name that no part has.
bool is_ordinary(PyObject* self, PyObject* name, PyObject* value) {
  if (value != Py_None && !PyBool_Check(value) && !PyLong_CheckExact(value) && !PyFloat_CheckExact(value) &&
      !PyUnicode_CheckExact(value) && !PyTuple_CheckExact(value) && !PyList_CheckExact(value) &&
      !PyDict_CheckExact(value) && !PyFunction_Check(value))
    return false;
  PyObject* dict = instance_dict(self);
  if (!dict) return false;
  for (int i = 0; i < 3; ++i) {
    PyObject* entries = PyDict_GetItemWithError(dict, tables()[i]);
    if (!entries && PyErr_Occurred()) throw PythonError{};
    if (!entries) continue;
    const int found = PyDict_Check(entries) ? PyDict_Contains(entries, name) : 1;
    if (found < 0) throw PythonError{};
    if (found) return false;
  }
  return true;
}

// Module.__setattr__(name, value): parts are sorted into their tables by `_set_part`.
PyObject* set_attribute(PyObject* self, PyObject* const* args, Py_ssize_t count) {
  static PyObject* const set_part = intern("_set_part");
  return guarded([&]() -> PyObject* {
    LB_CHECK(count == 2, Type, "expected 2 arguments, got ", count);
    if (is_ordinary(self, args[0], args[1])) {
      if (PyObject_GenericSetAttr(self, args[0], args[1]) < 0) return nullptr;
      Py_RETURN_NONE;
    }
    return PyObject_CallMethodObjArgs(self, set_part, args[0], args[1], nullptr);
  });
}

// Module's own ways of walking over its parts; a class that has others is asked in Python.
constexpr const char* kWalks[] = {"named_modules", "named_parameters", "_named_members"};
PyObject* own_walks[std::size(kWalks)];

PyObject* note_walks(PyObject*, PyObject* type) {
  for (size_t i = 0; i < std::size(kWalks); ++i)
    own_walks[i] = _PyType_Lookup(reinterpret_cast<PyTypeObject*>(type), intern(kWalks[i]));
  Py_RETURN_NONE;
}

class ParameterWalk {
 public:
  // False where a class walks in a way of its own.
  bool visit(PyObject* module, bool recurse, size_t walks) {
    static PyObject* const names[] = {intern(kWalks[0]), intern(kWalks[1]), intern(kWalks[2])};
    for (size_t i = 0; i < walks; ++i)
      if (_PyType_Lookup(Py_TYPE(module), names[i]) != own_walks[i]) return false;
    if (!instance_dict(module)) return false;
    const Object parameters = table(module, 0), modules = table(module, 2);
    if (!parameters || !modules) return false;
    if (!is_new(module)) return true;
    each(parameters, [&](PyObject* part) {
      if (is_new(part) && PyList_Append(found_.get(), part) < 0) throw PythonError{};
      return true;
    });
    return !recurse || each(modules, [&](PyObject* part) {
      if (Py_EnterRecursiveCall(" in Module.parameters")) throw PythonError{};
      const bool walked = visit(part, true, 1);
      Py_LeaveRecursiveCall();
      return walked;
    });
  }
  Object found() { return std::move(found_); }

 private:
  static Object table(PyObject* module, int which) {
    PyObject* entries = PyDict_GetItemWithError(instance_dict(module), tables()[which]);
    if (!entries && PyErr_Occurred()) throw PythonError{};
    return entries && PyDict_CheckExact(entries) ? Object::borrow(entries) : Object();
  }
  // Calls f with every value but None until it gives false. Members are held: f may run code of the user's.
  template <class F>
  static bool each(const Object& dict, F f) {
    PyObject *name, *value;
    for (Py_ssize_t at = 0; PyDict_Next(dict.get(), &at, &name, &value);) {
      if (value == Py_None) continue;
      const Object held = Object::borrow(value);
      if (!f(value)) return false;
    }
    return true;
  }
  bool is_new(PyObject* object) {
    const int seen = PySet_Contains(seen_.get(), object);
    if (seen < 0 || (!seen && PySet_Add(seen_.get(), object) < 0)) throw PythonError{};
    return !seen;
  }
  Object seen_ = Object::steal(PySet_New(nullptr)), found_ = Object::steal(PyList_New(0));
};

// The parameters of a module and those inside, each once; None where a class walks in a way of its own.
PyObject* all_parameters(PyObject* self, PyObject* recurse) {
  return guarded([&]() -> PyObject* {
    ParameterWalk walk;
    const int deep = PyObject_IsTrue(recurse);
    if (deep < 0) return nullptr;
    if (!walk.visit(self, deep, std::size(kWalks))) Py_RETURN_NONE;
    return walk.found().release();
  });
}

PyObject* set_global_hooks(PyObject*, PyObject* value) {
  global_hooks = value == Py_True;
  Py_RETURN_NONE;
}

PyMethodDef methods[] = {{"_set_attribute", reinterpret_cast<PyCFunction>(set_attribute), METH_FASTCALL, nullptr},
                         {"_all_parameters", all_parameters, METH_O, nullptr},
                         {nullptr}};
PyMethodDef module_methods[] = {
    {"_set_global_hooks", set_global_hooks, METH_O, nullptr}, {"_note_walks", note_walks, METH_O, nullptr}, {nullptr}};

}  // namespace

void add_network(PyObject* module) {
  PyType_Slot slots[] = {{Py_tp_call, reinterpret_cast<void*>(call)},
                         {Py_tp_getattro, reinterpret_cast<void*>(get_attribute)},
                         {Py_tp_methods, methods},
                         {0, nullptr}};
  PyType_Spec spec{"lumbre._C.ModuleBase", sizeof(PyObject), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, slots};
  Object type = Object::steal(PyType_FromSpec(&spec));
  if (PyModule_AddObjectRef(module, "ModuleBase", type.get()) < 0) throw PythonError{};
  if (PyModule_AddFunctions(module, module_methods) < 0) throw PythonError{};
}

}  // namespace lumbre::python
