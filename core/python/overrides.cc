#include "python/overrides.h"

#include <vector>

namespace lumbre::python {

constinit thread_local OverrideState override_state;

namespace {

// The modes that are on, the innermost last.
thread_local std::vector<Object> modes;

void note_modes() { override_state.mode_waits = !modes.empty() && override_state.all_off == 0; }

PyObject* protocol_name() {
  static PyObject* name = PyUnicode_InternFromString("__torch_function__");
  return name;
}

// What a subclass names as its `__torch_function__` to be computed with as a plain tensor.
PyObject* disabled_override = nullptr;

bool is_plain(PyObject* object) {
  return is_exact_tensor(object) || object == Py_None || PyLong_CheckExact(object) || PyFloat_CheckExact(object) ||
         PyBool_Check(object) || PyUnicode_CheckExact(object) || is_dtype(object);
}

bool is_list(PyObject* object) { return PyTuple_CheckExact(object) || PyList_CheckExact(object); }

void collect(PyObject* const* arguments, size_t total, std::vector<PyObject*>& found) {
  for (size_t i = 0; i < total; ++i) {
    PyObject* object = arguments[i];
    if (is_plain(object)) continue;
    if (is_list(object)) {
      collect(PySequence_Fast_ITEMS(object), static_cast<size_t>(PySequence_Fast_GET_SIZE(object)), found);
      continue;
    }
    if (!has_override(object)) continue;
    if (std::any_of(found.begin(), found.end(), [&](PyObject* o) { return Py_TYPE(o) == Py_TYPE(object); })) continue;
    // Subclasses go before their bases.
    const auto at = std::find_if(found.begin(), found.end(),
                                 [&](PyObject* o) { return PyType_IsSubtype(Py_TYPE(object), Py_TYPE(o)); });
    found.insert(at, object);
  }
}

// The call as __torch_function__ gets it; keywords are left out where there are none.
struct Call {
  Object callable, types, positional, named;
  Object ask(PyObject* method) const {
    return Object::steal(
        PyObject_CallFunctionObjArgs(method, callable.get(), types.get(), positional.get(), named.get(), nullptr));
  }
};

// The topmost mode answers while it is not on itself.
Object ask_mode(const Call& call) {
  struct Aside {
    Object mode = std::move(modes.back());
    Aside() {
      modes.pop_back();
      note_modes();
    }
    ~Aside() {
      modes.push_back(mode);
      note_modes();
    }
  } aside;
  return call.ask(Object::steal(PyObject_GetAttr(aside.mode.get(), protocol_name())).get());
}

void warn_of_plain_method(PyObject* method, PyObject* object) {
  if (!PyMethod_Check(method) || PyMethod_GET_SELF(method) != object) return;
  if (PyErr_WarnEx(PyExc_UserWarning,
                   "Defining your `__torch_function__` as a plain method is deprecated and will be an error in future, "
                   "please define it as a classmethod.",
                   1) < 0)
    throw PythonError{};
}

std::string shown(PyObject* object) {
  Object text = Object::steal(PyObject_Repr(object));
  const char* utf8 = PyUnicode_AsUTF8(text.get());
  if (!utf8) throw PythonError{};
  return utf8;
}
std::string attribute(PyObject* object, const char* name) {
  PyObject* found = PyObject_GetAttrString(object, name);
  if (!found) PyErr_Clear();
  const Object value = found ? Object::steal(found) : Object::borrow(Py_None);
  if (!PyUnicode_Check(value.get())) return "";
  const char* utf8 = PyUnicode_AsUTF8(value.get());
  return utf8 ? utf8 : "";
}

[[noreturn]] void refuse(PyObject* callable, const std::vector<PyObject*>& found, PyObject* mode) {
  const std::string name = attribute(callable, "__name__"), home = attribute(callable, "__module__");
  if (PyFunction_Check(callable)) {
    std::string types;
    for (PyObject* object : found)
      types += (types.empty() ? "" : ", ") + shown(reinterpret_cast<PyObject*>(Py_TYPE(object)));
    fail(ErrorKind::Type, "no implementation found for '", home, ".", name,
         "' on types that implement __torch_function__: [", types, "]", mode ? " nor in mode " + shown(mode) : "");
  }
  // PyTorch's functional operators are of a module "torch.nn".
  std::string whole = attribute(callable, "_dotted_name");
  if (whole.starts_with("nn.functional.")) whole.erase(3, 11);
  if (whole.empty()) whole = attribute(callable, "__qualname__");
  std::string message;
  if (mode) message += "\n\n  - mode object " + shown(mode);
  for (PyObject* object : found)
    message += "\n\n  - tensor subclass " + shown(reinterpret_cast<PyObject*>(Py_TYPE(object)));
  fail(ErrorKind::Type, "Multiple dispatch failed for 'torch.", whole.empty() ? name : whole,
       "'; all __torch_function__ handlers returned NotImplemented:", message);
}

PyObject* dispatch(Call& call, const std::vector<PyObject*>& found) {
  call.types = Object::steal(PyTuple_New(static_cast<Py_ssize_t>(found.size())));
  for (size_t i = 0; i < found.size(); ++i)
    PyTuple_SET_ITEM(call.types.get(), static_cast<Py_ssize_t>(i), Py_NewRef(Py_TYPE(found[i])));
  Object mode;
  if (override_state.mode_waits) {
    mode = modes.back();
    Object result = ask_mode(call);
    if (result.get() != Py_NotImplemented) return result.release();
  }
  for (PyObject* object : found) {
    const Object method = Object::steal(PyObject_GetAttr(object, protocol_name()));
    warn_of_plain_method(method.get(), object);
    Object result = call.ask(method.get());
    if (result.get() != Py_NotImplemented) return result.release();
  }
  refuse(call.callable.get(), found, mode.get());
}

std::vector<PyObject*> overriding(PyObject* const* arguments, size_t total) {
  std::vector<PyObject*> found;
  if (override_state.subclasses_off == 0) collect(arguments, total, found);
  return found;
}

// --- properties -----------------------------------------------------------------------------------------------------

Object accessor(const PyGetSetDef& property, const char* name) {
  Object descriptor = Object::steal(PyObject_GetAttrString(reinterpret_cast<PyObject*>(tensor_type), property.name));
  return Object::steal(PyObject_GetAttrString(descriptor.get(), name));
}

PyObject* get_property(PyObject* self, void* context) {
  const auto& property = *static_cast<const PyGetSetDef*>(context);
  if (!is_overridden(self)) return property.get(self, property.closure);
  return guarded([&] { return dispatch_override(accessor(property, "__get__").get(), &self, 1, nullptr); });
}
int set_property(PyObject* self, PyObject* value, void* context) {
  const auto& property = *static_cast<const PyGetSetDef*>(context);
  if (!is_overridden(self)) return property.set(self, value, property.closure);
  return guarded([&]() -> int {
    PyObject* arguments[] = {self, value};
    Object done = Object::steal(dispatch_override(accessor(property, value ? "__set__" : "__delete__").get(), arguments,
                                                  value ? 2 : 1, nullptr));
    return 0;
  });
}

// --- methods written in Python --------------------------------------------------------------------------------------

// A function of the package as a method that asks first whether it is overridden.
struct MethodObject {
  PyObject_HEAD vectorcallfunc vectorcall;
  PyObject* function;
};
PyTypeObject* method_type;
PyObject* wrapped(PyObject* self) { return reinterpret_cast<MethodObject*>(self)->function; }

PyObject* method_call(PyObject* self, PyObject* const* arguments, size_t flags, PyObject* keywords) {
  const Py_ssize_t count = PyVectorcall_NARGS(flags);
  if (count == 0 || !is_overridden(arguments[0])) return PyObject_Vectorcall(wrapped(self), arguments, flags, keywords);
  return guarded([&] { return dispatch_override(self, arguments, static_cast<size_t>(count), keywords); });
}
PyObject* method_bind(PyObject* self, PyObject* object, PyObject*) {
  return !object || object == Py_None ? Py_NewRef(self) : PyMethod_New(self, object);
}
PyObject* method_attribute(PyObject* self, PyObject* name) {
  PyObject* found = PyObject_GenericGetAttr(self, name);
  if (found || !PyErr_ExceptionMatches(PyExc_AttributeError)) return found;
  PyErr_Clear();
  return PyObject_GetAttr(wrapped(self), name);
}
PyObject* method_repr(PyObject* self) { return PyObject_Repr(wrapped(self)); }
PyObject* method_doc(PyObject* self, void*) { return PyObject_GetAttrString(wrapped(self), "__doc__"); }
PyObject* method_home(PyObject* self, void*) { return PyObject_GetAttrString(wrapped(self), "__module__"); }
PyObject* method_reduce(PyObject* self, PyObject*) { return PyObject_GetAttrString(wrapped(self), "__qualname__"); }
void method_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  Py_DECREF(wrapped(self));
  type->tp_free(self);
  Py_DECREF(type);
}

PyObject* make_method(PyObject*, PyObject* function) {
  auto* made = reinterpret_cast<MethodObject*>(method_type->tp_alloc(method_type, 0));
  if (!made) return nullptr;
  made->vectorcall = method_call;
  made->function = Py_NewRef(function);
  return reinterpret_cast<PyObject*>(made);
}

void add_method_type() {
  static PyMemberDef members[] = {
      {"__vectorcalloffset__", T_PYSSIZET, offsetof(MethodObject, vectorcall), READONLY, nullptr},
      {"__wrapped__", T_OBJECT, offsetof(MethodObject, function), READONLY, nullptr},
      {nullptr}};
  static PyGetSetDef properties[] = {{"__doc__", method_doc, nullptr, nullptr, nullptr},
                                     {"__module__", method_home, nullptr, nullptr, nullptr},
                                     {nullptr}};
  static PyMethodDef methods[] = {{"__reduce__", method_reduce, METH_NOARGS, nullptr}, {nullptr}};
  PyType_Slot slots[] = {{Py_tp_call, reinterpret_cast<void*>(PyVectorcall_Call)},
                         {Py_tp_repr, reinterpret_cast<void*>(method_repr)},
                         {Py_tp_getattro, reinterpret_cast<void*>(method_attribute)},
                         {Py_tp_descr_get, reinterpret_cast<void*>(method_bind)},
                         {Py_tp_dealloc, reinterpret_cast<void*>(method_dealloc)},
                         {Py_tp_members, members},
                         {Py_tp_methods, methods},
                         {Py_tp_getset, properties},
                         {0, nullptr}};
  PyType_Spec spec{"lumbre._C.overridable", sizeof(MethodObject), 0,
                   Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_METHOD_DESCRIPTOR |
                       Py_TPFLAGS_DISALLOW_INSTANTIATION,
                   slots};
  method_type = reinterpret_cast<PyTypeObject*>(Object::steal(PyType_FromSpec(&spec)).release());
}

// --- what Python asks ------------------------------------------------------------------------------------------------

// _has_override(arguments, keywords or None, shallow=False): of a function written in Python. Shallow: members of lists
// are not looked at.
PyObject* function_overridden(PyObject*, PyObject* const* args, Py_ssize_t count) {
  if (count < 1 || !PyTuple_Check(args[0])) return PyErr_Format(PyExc_TypeError, "a tuple of arguments was expected");
  if (override_state.mode_waits) Py_RETURN_TRUE;
  if (override_state.subclasses_off) Py_RETURN_FALSE;
  if (count > 2 && args[2] == Py_True) {
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(args[0]); ++i)
      if (!is_plain(PyTuple_GET_ITEM(args[0], i)) && has_override(PyTuple_GET_ITEM(args[0], i))) Py_RETURN_TRUE;
    Py_RETURN_FALSE;
  }
  if (any_override(PySequence_Fast_ITEMS(args[0]), static_cast<size_t>(PyTuple_GET_SIZE(args[0])))) Py_RETURN_TRUE;
  if (count > 1 && PyDict_Check(args[1])) {
    Py_ssize_t position = 0;
    PyObject *key, *value;
    while (PyDict_Next(args[1], &position, &key, &value))
      if (any_override(&value, 1)) Py_RETURN_TRUE;
  }
  Py_RETURN_FALSE;
}

// _call_override(function, relevant, arguments, keywords): `relevant` are the arguments whose types are asked.
PyObject* call_override(PyObject*, PyObject* args) {
  PyObject *callable, *relevant, *positional, *named;
  if (!PyArg_ParseTuple(args, "OOO!O", &callable, &relevant, &PyTuple_Type, &positional, &named)) return nullptr;
  return guarded([&] {
    Object sequence = Object::steal(PySequence_Tuple(relevant));
    Call call;
    call.callable = Object::borrow(callable);
    call.positional = Object::borrow(positional);
    call.named = named == Py_None ? Object() : Object::borrow(named);
    return dispatch(
        call, overriding(PySequence_Fast_ITEMS(sequence.get()), static_cast<size_t>(PyTuple_GET_SIZE(sequence.get()))));
  });
}

PyObject* overloaded_arguments(PyObject*, PyObject* relevant) {
  return guarded([&] {
    Object sequence = Object::steal(PySequence_Tuple(relevant));
    std::vector<PyObject*> found;
    collect(PySequence_Fast_ITEMS(sequence.get()), static_cast<size_t>(PyTuple_GET_SIZE(sequence.get())), found);
    Object list = Object::steal(PyList_New(static_cast<Py_ssize_t>(found.size())));
    for (size_t i = 0; i < found.size(); ++i)
      PyList_SET_ITEM(list.get(), static_cast<Py_ssize_t>(i), Py_NewRef(found[i]));
    return list.release();
  });
}

// _torch_function_off(subclasses, all): steps of both depths; gives both.
PyObject* switch_off(PyObject*, PyObject* args) {
  int subclasses, all;
  if (!PyArg_ParseTuple(args, "ii", &subclasses, &all)) return nullptr;
  override_state.subclasses_off += subclasses;
  override_state.all_off += all;
  note_modes();
  return Py_BuildValue("(ii)", override_state.subclasses_off, override_state.all_off);
}

PyObject* push_mode(PyObject*, PyObject* mode) {
  modes.push_back(Object::borrow(mode));
  note_modes();
  Py_RETURN_NONE;
}
PyObject* pop_mode(PyObject*, PyObject*) {
  if (modes.empty()) return PyErr_Format(PyExc_RuntimeError, "Trying to pop from empty mode stack");
  PyObject* mode = modes.back().release();
  modes.pop_back();
  note_modes();
  return mode;
}
PyObject* count_modes(PyObject*, PyObject*) { return PyLong_FromSize_t(modes.size()); }
PyObject* mode_at(PyObject*, PyObject* index) {
  const Py_ssize_t i = PyLong_AsSsize_t(index);
  if (i == -1 && PyErr_Occurred()) return nullptr;
  if (i < 0 || static_cast<size_t>(i) >= modes.size())
    return PyErr_Format(PyExc_RuntimeError, "Tried to get stack at idx that's too big");
  return Py_NewRef(modes[static_cast<size_t>(i)].get());
}

// _disabled_torch_function_impl(func, types, args, kwargs): runs func on subclasses as on tensors.
PyObject* run_disabled(PyObject*, PyObject* all) {
  PyObject *function, *types, *arguments = nullptr, *keywords = Py_None;
  if (!PyArg_ParseTuple(all, "OO|OO", &function, &types, &arguments, &keywords)) return nullptr;
  return guarded([&] {
    Object positional = arguments ? Object::steal(PySequence_Tuple(arguments)) : Object::steal(PyTuple_New(0));
    ++override_state.subclasses_off;
    PyObject* result = PyObject_Call(function, positional.get(), keywords == Py_None ? nullptr : keywords);
    --override_state.subclasses_off;
    return result;
  });
}

PyMethodDef functions[] = {
    {"_has_override", reinterpret_cast<PyCFunction>(function_overridden), METH_FASTCALL, nullptr},
    {"_call_override", call_override, METH_VARARGS, nullptr},
    {"_overloaded_arguments", overloaded_arguments, METH_O, nullptr},
    {"_overridable", make_method, METH_O, nullptr},
    {"_torch_function_off", switch_off, METH_VARARGS, nullptr},
    {"_push_on_torch_function_stack", push_mode, METH_O, nullptr},
    {"_pop_torch_function_stack", pop_mode, METH_NOARGS, nullptr},
    {"_len_torch_function_stack", count_modes, METH_NOARGS, nullptr},
    {"_get_function_stack_at", mode_at, METH_O, nullptr},
    {"_disabled_torch_function_impl", run_disabled, METH_VARARGS,
     "For `__torch_function__` of subclasses whose results are plain tensors."},
    {nullptr}};

}  // namespace

bool has_override(PyObject* object) {
  PyObject* found = _PyType_Lookup(Py_TYPE(object), protocol_name());
  return found && found != disabled_override;
}

bool any_override(PyObject* const* arguments, size_t total) {
  for (size_t i = 0; i < total; ++i) {
    PyObject* object = arguments[i];
    if (is_exact_tensor(object) || is_plain(object)) continue;
    if (!is_list(object)) {
      if (has_override(object)) return true;
      continue;
    }
    const auto count = static_cast<size_t>(PySequence_Fast_GET_SIZE(object));
    PyObject** items = PySequence_Fast_ITEMS(object);
    // Of a list of numbers the first tells enough.
    if (count && (PyLong_CheckExact(items[0]) || PyFloat_CheckExact(items[0]))) {
      for (size_t k = 1; k < count; ++k)
        if (!is_plain(items[k]) && !is_list(items[k]) && has_override(items[k])) return true;
    } else if (any_override(items, count)) {
      return true;
    }
  }
  return false;
}

PyObject* dispatch_override(PyObject* callable, PyObject* const* arguments, size_t count, PyObject* keywords) {
  const size_t named = keywords ? static_cast<size_t>(PyTuple_GET_SIZE(keywords)) : 0;
  Call call;
  call.callable = Object::borrow(callable);
  call.positional = Object::steal(PyTuple_New(static_cast<Py_ssize_t>(count)));
  for (size_t i = 0; i < count; ++i)
    PyTuple_SET_ITEM(call.positional.get(), static_cast<Py_ssize_t>(i), Py_NewRef(arguments[i]));
  if (named) call.named = Object::steal(PyDict_New());
  for (size_t k = 0; k < named; ++k)
    if (PyDict_SetItem(call.named.get(), PyTuple_GET_ITEM(keywords, static_cast<Py_ssize_t>(k)), arguments[count + k]) <
        0)
      throw PythonError{};
  return dispatch(call, overriding(arguments, count + named));
}

PyObject* dispatch_method(const char* name, PyObject* const* arguments, size_t count, PyObject* keywords) {
  const Object method = Object::steal(PyObject_GetAttrString(reinterpret_cast<PyObject*>(tensor_type), name));
  return dispatch_override(method.get(), arguments, count, keywords);
}

PyObject* dispatch_spread(const char* name, PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  return guarded([&] {
    std::vector<PyObject*> all{self};
    all.insert(all.end(), args, args + count + (names ? PyTuple_GET_SIZE(names) : 0));
    return dispatch_method(name, all.data(), static_cast<size_t>(count) + 1, names);
  });
}

PyGetSetDef* overridable_properties(PyGetSetDef* properties, size_t count) {
  static std::vector<PyGetSetDef> made;  // the type keeps pointers into it
  made.reserve(count + 1);
  for (size_t i = 0; i < count; ++i)
    made.push_back({properties[i].name, get_property, properties[i].set ? set_property : nullptr, properties[i].doc,
                    &properties[i]});
  made.push_back({nullptr, nullptr, nullptr, nullptr, nullptr});
  return made.data();
}

void add_overrides(PyObject* module) {
  add_method_type();
  if (PyModule_AddFunctions(module, functions) < 0) throw PythonError{};
  disabled_override = Object::steal(PyObject_GetAttrString(module, "_disabled_torch_function_impl")).release();
}

}  // namespace lumbre::python
