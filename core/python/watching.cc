// What watches calls of operators, as Python sees it: automatic casts, and the profiler.

#include "autograd/modes.h"
#include "ops/autocast.h"
#include "ops/profiling.h"
#include "python/objects.h"

namespace lumbre::python {

namespace {

// --- automatic casts ------------------------------------------------------------------------------------------------

PyObject* autocast_enabled(PyObject*, PyObject*) { return PyBool_FromLong(autocast::state().enabled); }
PyObject* autocast_enable(PyObject*, PyObject* value) {
  autocast::set_enabled(value == Py_True);
  Py_RETURN_NONE;
}
PyObject* autocast_dtype(PyObject*, PyObject*) { return Py_NewRef(dtype_object(autocast::state().dtype)); }
PyObject* autocast_set_dtype(PyObject*, PyObject* dtype) {
  return guarded([&]() -> PyObject* {
    LB_CHECK(is_dtype(dtype), Type, "set_autocast_dtype(): argument 'dtype' must be torch.dtype, not ",
             Py_TYPE(dtype)->tp_name);
    autocast::state().dtype = dtype_of_object(dtype);
    Py_RETURN_NONE;
  });
}
PyObject* autocast_caches(PyObject*, PyObject*) { return PyBool_FromLong(autocast::state().cache_enabled); }
PyObject* autocast_set_caches(PyObject*, PyObject* value) {
  const int enabled = PyObject_IsTrue(value);
  if (enabled < 0) return nullptr;
  autocast::state().cache_enabled = enabled;
  Py_RETURN_NONE;
}
PyObject* autocast_nest(PyObject*, PyObject*) { return PyLong_FromLong(++autocast::state().nesting); }
PyObject* autocast_unnest(PyObject*, PyObject*) { return PyLong_FromLong(--autocast::state().nesting); }
PyObject* autocast_clear(PyObject*, PyObject*) {
  // Taken out first: what a freed tensor calls may come back here.
  const auto old = std::exchange(autocast::state().cache, {});
  Py_RETURN_NONE;
}

PyObject* autocast_policy(PyObject*, PyObject* name) {
  const char* text = PyUnicode_AsUTF8(name);
  if (!text) return nullptr;
  return PyLong_FromLong(static_cast<long>(autocast::policy_of(text)));
}
// _autocast_cast(policy, tensors) -> list: for operators composed in Python.
PyObject* autocast_cast(PyObject*, PyObject* args) {
  int policy;
  PyObject* tensors;
  if (!PyArg_ParseTuple(args, "iO!", &policy, &PyList_Type, &tensors)) return nullptr;
  return guarded([&] {
    autocast::Target target(static_cast<autocast::Policy>(policy));
    const Py_ssize_t count = PyList_GET_SIZE(tensors);
    for (Py_ssize_t i = 0; i < count; ++i) {
      LB_CHECK(is_tensor(PyList_GET_ITEM(tensors, i)), Type, "a list of tensors was expected");
      target.note(tensor_of(PyList_GET_ITEM(tensors, i)));
    }
    Object made = Object::steal(PyList_New(count));
    for (Py_ssize_t i = 0; i < count; ++i)
      PyList_SET_ITEM(made.get(), i, wrap(target.cast(tensor_of(PyList_GET_ITEM(tensors, i)))));
    return made.release();
  });
}

// --- the profiler
// -----------------------------------------------------------------------------------------------------

PyObject* profiler_start(PyObject*, PyObject* shapes) {
  profiling::start({.shapes = shapes == Py_True});
  Py_RETURN_NONE;
}

std::string event_name(const profiling::Event& event) {
  if (!event.record) return event.name;
  std::string_view name = event.record->signature;
  name = name.substr(0, name.find('('));
  return "aten::" + std::string(name.substr(name.rfind('.') + 1)) + (event.in_place ? "_" : "");
}
Object shapes_object(const profiling::Event& event) {
  Object list = Object::steal(PyList_New(0));
  for (const Dims& sizes : event.shapes) {
    Object shape = Object::steal(PyList_New(sizes.ndim()));
    for (int d = 0; d < sizes.ndim(); ++d)
      PyList_SET_ITEM(shape.get(), d, Object::steal(PyLong_FromLongLong(sizes[d])).release());
    if (PyList_Append(list.get(), shape.get()) < 0) throw PythonError{};
  }
  return list;
}
// _profiler_stop() -> [(name, begin ns, end ns, parent or -1, memory, the program's own, shapes)]
PyObject* profiler_stop(PyObject*, PyObject*) {
  return guarded([&] {
    const std::vector<profiling::Event> events = profiling::stop();
    Object list = Object::steal(PyList_New(0));
    for (const profiling::Event& event : events) {
      Object shapes = shapes_object(event);
      Object entry = Object::steal(
          Py_BuildValue("(sLLLLOO)", event_name(event).c_str(), static_cast<long long>(event.begin),
                        static_cast<long long>(event.end), static_cast<long long>(event.parent),
                        static_cast<long long>(event.memory), event.user ? Py_True : Py_False, shapes.get()));
      if (PyList_Append(list.get(), entry.get()) < 0) throw PythonError{};
    }
    return list.release();
  });
}
PyObject* profiler_open(PyObject*, PyObject* name) {
  const char* text = PyUnicode_AsUTF8(name);
  if (!text) return nullptr;
  return guarded([&] { return PyLong_FromLongLong(profiling::open(text, true)); });
}
PyObject* profiler_close(PyObject*, PyObject* event) {
  const long long index = PyLong_AsLongLong(event);
  if (index == -1 && PyErr_Occurred()) return nullptr;
  profiling::close(index);
  Py_RETURN_NONE;
}
PyObject* profiler_active(PyObject*, PyObject*) { return PyBool_FromLong(profiling::active()); }

PyMethodDef functions[] = {
    {"_profiler_start", profiler_start, METH_O, nullptr},
    {"_profiler_stop", profiler_stop, METH_NOARGS, nullptr},
    {"_profiler_open", profiler_open, METH_O, nullptr},
    {"_profiler_close", profiler_close, METH_O, nullptr},
    {"_profiler_active", profiler_active, METH_NOARGS, nullptr},
    {"_autocast_enabled", autocast_enabled, METH_NOARGS, nullptr},
    {"_autocast_enable", autocast_enable, METH_O, nullptr},
    {"_autocast_dtype", autocast_dtype, METH_NOARGS, nullptr},
    {"_autocast_set_dtype", autocast_set_dtype, METH_O, nullptr},
    {"is_autocast_cache_enabled", autocast_caches, METH_NOARGS,
     "is_autocast_cache_enabled() -> bool: whether a block of autocast casts a parameter once only."},
    {"set_autocast_cache_enabled", autocast_set_caches, METH_O,
     "set_autocast_cache_enabled(enabled): whether a block of autocast casts a parameter once only."},
    {"autocast_increment_nesting", autocast_nest, METH_NOARGS, "autocast_increment_nesting() -> int"},
    {"autocast_decrement_nesting", autocast_unnest, METH_NOARGS, "autocast_decrement_nesting() -> int"},
    {"clear_autocast_cache", autocast_clear, METH_NOARGS,
     "clear_autocast_cache(): forgets the casts of parameters; the outermost block does it at its end."},
    {"_autocast_policy", autocast_policy, METH_O, nullptr},
    {"_autocast_cast", autocast_cast, METH_VARARGS, nullptr},
    {nullptr}};

}  // namespace

void add_watching(PyObject* module) {
  if (PyModule_AddFunctions(module, functions) < 0) throw PythonError{};
}

}  // namespace lumbre::python
