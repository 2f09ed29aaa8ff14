// The callables: torch.name, Tensor.name, Tensor.name_, made by a loop over the registry.
#include "python/signature.h"

#include <cstring>
#include <map>

namespace lumbre::python {

namespace {

struct FunctionObject {
  PyObject_HEAD vectorcallfunc vectorcall;
  OverloadSet* set;
  PyObject* name;
  PyObject* module;
  PyObject* attributes;  // that programs give it, as they do to the functions of torch.nn.functional
  Out::Form form;
};

PyTypeObject* function_type;
PyTypeObject* method_type;

FunctionObject* function(PyObject* self) { return reinterpret_cast<FunctionObject*>(self); }

PyObject* function_call(PyObject* self, PyObject* const* arguments, size_t flags, PyObject* keywords) {
  FunctionObject* f = function(self);
  return guarded([&] {
    return call(*f->set, f->form, arguments, static_cast<size_t>(PyVectorcall_NARGS(flags)), keywords, self);
  });
}

PyObject* method_call(PyObject* self, PyObject* const* arguments, size_t flags, PyObject* keywords) {
  FunctionObject* f = function(self);
  const auto count = static_cast<size_t>(PyVectorcall_NARGS(flags));
  if (count == 0 || !is_tensor(arguments[0])) {
    if (count == 0) return PyErr_Format(PyExc_TypeError, "unbound method Tensor.%U() needs an argument", f->name);
    if (_PyType_Lookup(Py_TYPE(arguments[0]), PyUnicode_InternFromString("__torch_function__")) == nullptr)
      return PyErr_Format(PyExc_TypeError,
                          "descriptor '%U' for 'torch._C.TensorBase' objects doesn't apply to a '%s' object", f->name,
                          Py_TYPE(arguments[0])->tp_name);
  }
  return guarded([&] { return call(*f->set, f->form, arguments, count, keywords, self); });
}

PyObject* function_repr(PyObject* self) { return PyUnicode_FromFormat("<built-in function %U>", function(self)->name); }
PyObject* method_repr(PyObject* self) {
  return PyUnicode_FromFormat("<method '%U' of '%s.Tensor' objects>", function(self)->name, printed_prefix().c_str());
}

PyObject* method_bind(PyObject* self, PyObject* object, PyObject*) {
  if (!object || object == Py_None) return Py_NewRef(self);
  return PyMethod_New(self, object);
}

PyObject* get_doc(PyObject* self, void*) {
  FunctionObject* f = function(self);
  std::string doc;
  for (const Operator* record : f->set->records) {
    std::string_view signature = record->signature;
    doc += std::string(doc.empty() ? "" : "\n\n") + f->set->short_name + (f->form == Out::Form::InPlace ? "_" : "") +
           std::string(signature.substr(signature.find('('))) + "\n\n" + record->doc;
  }
  return PyUnicode_FromString(doc.c_str());
}
PyObject* get_qualified_name(PyObject* self, void*) {
  if (Py_TYPE(self) == method_type) return PyUnicode_FromFormat("Tensor.%U", function(self)->name);
  return Py_NewRef(function(self)->name);
}
PyObject* get_dotted_name(PyObject* self, void*) {
  if (Py_TYPE(self) == method_type) return get_qualified_name(self, nullptr);
  const std::string& name = function(self)->set->name;
  const std::string home = name.substr(0, name.size() - function(self)->set->short_name.size());
  return PyUnicode_FromFormat("%s%U", home.c_str(), function(self)->name);
}
PyObject* get_signatures(PyObject* self, void*) {
  return guarded([&]() -> PyObject* {
    Object list = Object::steal(PyList_New(0));
    for (const Operator* record : function(self)->set->records) {
      Object text = Object::steal(PyUnicode_FromString(record->signature));
      if (PyList_Append(list.get(), text.get()) < 0) return nullptr;
    }
    return list.release();
  });
}
PyObject* function_reduce(PyObject* self, PyObject*) { return get_qualified_name(self, nullptr); }
PyObject* return_self(PyObject* self, PyObject*) { return Py_NewRef(self); }

PyMethodDef methods[] = {{"__reduce__", function_reduce, METH_NOARGS, nullptr},
                         {"__copy__", return_self, METH_NOARGS, nullptr},
                         {"__deepcopy__", return_self, METH_O, nullptr},
                         {nullptr}};
PyMemberDef members[] = {{"__vectorcalloffset__", T_PYSSIZET, offsetof(FunctionObject, vectorcall), READONLY, nullptr},
                         {"__dictoffset__", T_PYSSIZET, offsetof(FunctionObject, attributes), READONLY, nullptr},
                         {"__name__", T_OBJECT, offsetof(FunctionObject, name), READONLY, nullptr},
                         {"__module__", T_OBJECT, offsetof(FunctionObject, module), 0, nullptr},
                         {nullptr}};
PyGetSetDef properties[] = {{"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr},
                            {"__doc__", get_doc, nullptr, nullptr, nullptr},
                            {"__qualname__", get_qualified_name, nullptr, nullptr, nullptr},
                            {"_dotted_name", get_dotted_name, nullptr, nullptr, nullptr},
                            {"signatures", get_signatures, nullptr, "The signatures of the overloads.", nullptr},
                            {nullptr}};

PyTypeObject* make_type(const char* name, bool is_method) {
  PyType_Slot slots[] = {{Py_tp_call, reinterpret_cast<void*>(PyVectorcall_Call)},
                         {Py_tp_repr, reinterpret_cast<void*>(is_method ? method_repr : function_repr)},
                         {Py_tp_methods, methods},
                         {Py_tp_members, members},
                         {Py_tp_getset, properties},
                         {is_method ? Py_tp_descr_get : 0, reinterpret_cast<void*>(method_bind)},
                         {0, nullptr}};
  // Immutable, so that the interpreter may remember where it found a method.
  unsigned flags =
      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE;
  if (is_method) flags |= Py_TPFLAGS_METHOD_DESCRIPTOR;
  PyType_Spec spec{name, sizeof(FunctionObject), 0, flags, slots};
  return reinterpret_cast<PyTypeObject*>(Object::steal(PyType_FromSpec(&spec)).release());
}

Object make_callable(PyTypeObject* type, OverloadSet* set, const std::string& name, Out::Form form) {
  auto* f = PyObject_New(FunctionObject, type);
  if (!f) throw PythonError{};
  f->vectorcall = type == method_type ? method_call : function_call;
  f->set = set;
  f->form = form;
  f->name = PyUnicode_InternFromString(name.c_str());
  f->module = Py_NewRef(Py_None);
  f->attributes = nullptr;
  return Object::steal(reinterpret_cast<PyObject*>(f));
}

void set_item(PyObject* dict, const std::string& name, const Object& value) {
  if (PyDict_SetItemString(dict, name.c_str(), value.get()) < 0) throw PythonError{};
}

// Builds {"functions": {dotted name: callable}}, and puts the methods on the Tensor type.
void make_callables(PyObject* functions) {
  PyObject* type = reinterpret_cast<PyObject*>(tensor_type);
  std::map<std::string, uint8_t> forms;
  for (const Operator* record : operators()) {
    const std::string_view signature = record->signature;
    const auto note = [&](std::string_view name, int bits) { forms[std::string(name)] |= static_cast<uint8_t>(bits); };
    note(signature.substr(0, signature.find('(')), record->forms);
    std::string_view rest = record->aliases;
    while (!rest.empty()) {
      const size_t end = std::min(rest.find(' '), rest.size());
      // torch.special.expit is torch.sigmoid, but there is no torch.special.expit_.
      const bool dotted = rest.substr(0, end).find('.') != std::string_view::npos;
      if (end) note(rest.substr(0, end), dotted ? record->forms & ~kInPlaceFunction : record->forms);
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
  for (const auto& [name, bits] : forms) {
    OverloadSet* set = find_operator(name);
    const bool dotted = name.find('.') != std::string::npos;
    if (bits & kFunction)
      set_item(functions, name, make_callable(function_type, set, set->short_name, Out::Form::Function));
    if (bits & kInPlaceFunction)
      set_item(functions, name + "_", make_callable(function_type, set, set->short_name + "_", Out::Form::InPlace));
    if (dotted) continue;
    const auto add_method = [&](const std::string& method_name, Out::Form form) {
      Object method = make_callable(method_type, set, method_name, form);
      if (PyObject_SetAttrString(type, method_name.c_str(), method.get()) < 0) throw PythonError{};
    };
    if (bits & kMethod) add_method(name, Out::Form::Function);
    if (bits & kInPlace) add_method(name + "_", Out::Form::InPlace);
  }
}

// [(signature, doc, forms, aliases, derivative state, result)]: the registry, for tests, stubs and the reference pages.
PyObject* records(PyObject*, PyObject*) {
  return guarded([&]() -> PyObject* {
    Object list = Object::steal(PyList_New(0));
    for (const Operator* record : operators()) {
      Object entry =
          Object::steal(Py_BuildValue("(ssisis)", record->signature, record->doc, record->forms, record->aliases,
                                      static_cast<int>(record->derivative.state), record->forward.result));
      if (PyList_Append(list.get(), entry.get()) < 0) return nullptr;
    }
    return list.release();
  });
}

// [(signature, whether elements may decide about results that are no tensors, and about sizes)]
PyObject* decisions(PyObject*, PyObject*) {
  return guarded([&]() -> PyObject* {
    Object list = Object::steal(PyList_New(0));
    for (const Operator* record : operators()) {
      Object entry = Object::steal(Py_BuildValue("(si)", record->signature, record->decides != Decides::Geometry));
      if (PyList_Append(list.get(), entry.get()) < 0) return nullptr;
    }
    return list.release();
  });
}

// The parameters of a signature as the binding layer parsed them: [(name, kind, optional, keyword only, default
// given)].
PyObject* parameters(PyObject*, PyObject* name) {
  return guarded([&]() -> PyObject* {
    const char* text = PyUnicode_AsUTF8(name);
    if (!text) return nullptr;
    OverloadSet* set = find_operator(text);
    LB_CHECK(set, Value, "no operator '", text, "'");
    Object list = Object::steal(PyList_New(0));
    for (const Overload& overload : set->get()) {
      Object entries = Object::steal(PyList_New(0));
      for (const Parameter& p : overload.parameters) {
        const char* kind =
            p.side == Side::None ? (p.kind == Param::Operand ? "Tensor | Number" : param_title(p.kind)) : "side";
        Object entry = Object::steal(
            Py_BuildValue("(ssiiii)", p.name.c_str(), kind, p.optional, p.keyword_only, p.has_default, p.variadic));
        if (PyList_Append(entries.get(), entry.get()) < 0) return nullptr;
      }
      if (PyList_Append(list.get(), entries.get()) < 0) return nullptr;
    }
    return list.release();
  });
}

PyObject* fields_type(PyObject*, PyObject* arguments) {
  return guarded([&]() -> PyObject* {
    const char *name, *fields;
    if (!PyArg_ParseTuple(arguments, "ss", &name, &fields)) throw PythonError{};
    return Py_NewRef(fields_type_of(name, fields));
  });
}

PyMethodDef module_methods[] = {
    {"_fields_type", fields_type, METH_VARARGS, "A named tuple's type: its name, its fields."},
    {"_records", records, METH_NOARGS, "The operator records."},
    {"_decisions", decisions, METH_NOARGS, "Which operators' answers depend on elements."},
    {"_parameters", parameters, METH_O, "The parameters of an operator's overloads."},
    {nullptr}};

}  // namespace

void add_functions(PyObject* module) {
  function_type = make_type("lumbre._C.function", false);
  method_type = make_type("lumbre._C.method", true);
  Object functions = Object::steal(PyDict_New());
  make_callables(functions.get());
  if (PyModule_AddObjectRef(module, "_functions", functions.get()) < 0) throw PythonError{};
  if (PyModule_AddFunctions(module, module_methods) < 0) throw PythonError{};
}

}  // namespace lumbre::python
