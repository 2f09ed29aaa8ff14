// torch.compile's two types: the recorder that listens to a run, and the callable that runs what was recorded.
#include "python/recordings.h"

#include <cstring>

namespace lumbre::python {

namespace {

// --- the callable ----------------------------------------------------------------------------------------------------

using Recordings = std::vector<std::shared_ptr<Recording>>;

struct CompiledObject {
  PyObject_HEAD vectorcallfunc vectorcall;
  PyObject* slow;   // what answers calls that no recording matches
  PyObject* plain;  // the function as written
  PyObject* attributes;
  PyObject* weak_references;
  Recordings recordings;  // the last one that matched comes first
};

PyTypeObject* compiled_type;

CompiledObject* compiled(PyObject* self) { return reinterpret_cast<CompiledObject*>(self); }

// `busy`: one of them is being repeated, by another thread or by a call inside of which this one is.
std::shared_ptr<Recording> find_recording(Recordings& recordings, PyObject* const* arguments, size_t count,
                                          PyObject* names, bool& busy) {
  for (size_t i = 0; i < recordings.size(); ++i) {
    const std::shared_ptr<Recording> one = recordings[i];
    busy |= one->busy();
    if (one->busy() || !one->matches(arguments, count, names)) continue;
    if (i < recordings.size() && i > 0) std::swap(recordings[0], recordings[i]);
    return one;
  }
  return nullptr;
}

// Cleared while everything is to run as written.
bool repeats = true;

PyObject* compiled_call(PyObject* self, PyObject* const* arguments, size_t flags, PyObject* names) {
  CompiledObject* c = compiled(self);
  bool busy = false;
  if (!c->recordings.empty() && repeats && nothing_intervenes()) {
    bool found = false;
    PyObject* result = guarded([&]() -> PyObject* {
      const auto count = static_cast<size_t>(PyVectorcall_NARGS(flags));
      const std::shared_ptr<Recording> recording = find_recording(c->recordings, arguments, count, names, busy);
      found = recording != nullptr;
      return found ? recording->run() : nullptr;
    });
    if (found || PyErr_Occurred()) return result;
  }
  if (!c->slow || !c->plain) return PyErr_Format(PyExc_RuntimeError, "the compiled function has been collected");
  return PyObject_Vectorcall(busy ? c->plain : c->slow, arguments, flags, names);
}

PyObject* compiled_new(PyTypeObject* type, PyObject* args, PyObject*) {
  PyObject *slow, *plain;
  if (!PyArg_ParseTuple(args, "OO:_Compiled", &slow, &plain)) return nullptr;
  PyObject* self = type->tp_alloc(type, 0);
  if (!self) return nullptr;
  CompiledObject* c = compiled(self);
  c->vectorcall = compiled_call;
  c->slow = Py_NewRef(slow);
  c->plain = Py_NewRef(plain);
  c->attributes = PyDict_New();
  ::new (&c->recordings) Recordings();
  if (!c->attributes) {
    Py_DECREF(self);
    return nullptr;
  }
  return self;
}

int compiled_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(compiled(self)->slow);
  Py_VISIT(compiled(self)->plain);
  Py_VISIT(compiled(self)->attributes);
  for (const auto& recording : compiled(self)->recordings)
    if (recording.use_count() == 1)
      if (const int stop = recording->visit(visit, arg)) return stop;
  return 0;
}

int compiled_clear(PyObject* self) {
  const Recordings dropped = std::exchange(compiled(self)->recordings, {});
  Py_CLEAR(compiled(self)->slow);
  Py_CLEAR(compiled(self)->plain);
  Py_CLEAR(compiled(self)->attributes);
  return 0;
}

void compiled_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  if (compiled(self)->weak_references) PyObject_ClearWeakRefs(self);
  compiled_clear(self);
  compiled(self)->recordings.~Recordings();
  type->tp_free(self);
  Py_DECREF(type);
}

PyObject* compiled_bind(PyObject* self, PyObject* object, PyObject*) {
  if (!object || object == Py_None) return Py_NewRef(self);
  return PyMethod_New(self, object);
}

PyObject* compiled_forget(PyObject* self, PyObject*) {
  const Recordings dropped = std::exchange(compiled(self)->recordings, {});
  Py_RETURN_NONE;
}
PyObject* compiled_length(PyObject* self, void*) { return PyLong_FromSize_t(compiled(self)->recordings.size()); }

PyMethodDef compiled_methods[] = {{"_forget", compiled_forget, METH_NOARGS, "Drops all recordings."}, {nullptr}};
PyMemberDef compiled_members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(CompiledObject, vectorcall), READONLY, nullptr},
    {"__dictoffset__", T_PYSSIZET, offsetof(CompiledObject, attributes), READONLY, nullptr},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(CompiledObject, weak_references), READONLY, nullptr},
    {"_slow", T_OBJECT, offsetof(CompiledObject, slow), READONLY, nullptr},
    {nullptr}};
// (steps, operations of the longest chain) of each recording's program; no steps for one that is repeated with its
// graph.
PyObject* compiled_programs(PyObject* self, void*) {
  return guarded([&] {
    Object list = Object::steal(PyList_New(0));
    for (const auto& recording : compiled(self)->recordings) {
      Object steps = Object::steal(Py_BuildValue("(nn)", static_cast<Py_ssize_t>(recording->tape.program_steps()),
                                                 static_cast<Py_ssize_t>(recording->tape.longest_chain())));
      if (PyList_Append(list.get(), steps.get()) < 0) throw PythonError{};
    }
    return list.release();
  });
}

PyGetSetDef compiled_properties[] = {
    {"_programs", compiled_programs, nullptr, "(steps, longest chain) of each recording's program.", nullptr},
    {"_recordings", compiled_length, nullptr, "How many ways of running are recorded.", nullptr},
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr},
    {nullptr}};

// --- the recorder ----------------------------------------------------------------------------------------------------

struct RecorderObject {
  PyObject_HEAD std::unique_ptr<compile::Recorder> recorder;
  std::unique_ptr<Recording> recording;  // where the run's patterns wait for its tape
};

PyTypeObject* recorder_type;

RecorderObject* recorder_object(PyObject* self) { return reinterpret_cast<RecorderObject*>(self); }
compile::Recorder& recorder_of(PyObject* self) {
  LB_CHECK(recorder_object(self)->recorder, Runtime, "the recording is over");
  return *recorder_object(self)->recorder;
}

PyObject* recorder_new(PyTypeObject* type, PyObject* args, PyObject*) {
  int learning;
  if (!PyArg_ParseTuple(args, "p:_Recorder", &learning)) return nullptr;
  return guarded([&] {
    auto recorder = std::make_unique<compile::Recorder>(learning);
    Object self = Object::steal(type->tp_alloc(type, 0));
    ::new (&recorder_object(self.get())->recorder) std::unique_ptr<compile::Recorder>(std::move(recorder));
    ::new (&recorder_object(self.get())->recording) std::unique_ptr<Recording>();
    return self.release();
  });
}

void recorder_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  RecorderObject* object = recorder_object(self);
  if (object->recorder) object->recorder->stop();
  object->recorder.~unique_ptr();
  object->recording.~unique_ptr();
  type->tp_free(self);
  Py_DECREF(type);
}

PyObject* recorder_outside(PyObject* self, PyObject* tensor) {
  return guarded([&]() -> PyObject* {
    LB_CHECK(is_tensor(tensor), Type, "a tensor was expected");
    recorder_of(self).add_outside(tensor_of(tensor));
    Py_RETURN_NONE;
  });
}

// arguments(args, kwargs): after the tensors from outside.
PyObject* recorder_arguments(PyObject* self, PyObject* args) {
  PyObject *positional, *keywords;
  if (!PyArg_ParseTuple(args, "O!O!", &PyTuple_Type, &positional, &PyDict_Type, &keywords)) return nullptr;
  return guarded([&]() -> PyObject* {
    compile::Recorder& recorder = recorder_of(self);
    std::vector<Pattern> in_place, named;
    std::vector<Object> names;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(positional); ++i)
      in_place.emplace_back(PyTuple_GET_ITEM(positional, i), recorder);
    PyObject *key, *value;
    for (Py_ssize_t at = 0; PyDict_Next(keywords, &at, &key, &value);) {
      names.push_back(Object::borrow(key));
      named.emplace_back(value, recorder);
    }
    recorder_object(self)->recording =
        std::make_unique<Recording>(std::move(in_place), std::move(names), std::move(named));
    Py_RETURN_NONE;
  });
}

PyObject* recorder_start(PyObject* self, PyObject*) {
  return guarded([&]() -> PyObject* {
    LB_CHECK(!compile::Recorder::current(), Runtime, "a recording is under way");
    recorder_of(self).start();
    Py_RETURN_NONE;
  });
}
PyObject* recorder_stop(PyObject* self, PyObject*) {
  return guarded([&]() -> PyObject* {
    recorder_of(self).stop();
    Py_RETURN_NONE;
  });
}
PyObject* recorder_refuse(PyObject* self, PyObject* why) {
  const char* text = PyUnicode_AsUTF8(why);
  if (!text) return nullptr;
  return guarded([&]() -> PyObject* {
    recorder_of(self).refuse(text);
    Py_RETURN_NONE;
  });
}
PyObject* recorder_refusal(PyObject* self, void*) {
  return guarded([&]() -> PyObject* {
    const std::string& why = recorder_of(self).refusal();
    if (why.empty()) Py_RETURN_NONE;
    return PyUnicode_FromStringAndSize(why.data(), static_cast<Py_ssize_t>(why.size()));
  });
}
// slot(tensor) -> its number, or None for a tensor of unknown origin
PyObject* recorder_slot(PyObject* self, PyObject* tensor) {
  return guarded([&]() -> PyObject* {
    LB_CHECK(is_tensor(tensor), Type, "a tensor was expected");
    const compile::Slot slot = recorder_of(self).find(tensor_of(tensor));
    if (slot == compile::kNone) Py_RETURN_NONE;
    return PyLong_FromLong(slot);
  });
}

// finish(compiled, guards, result): the run becomes one of the compiled function's.
PyObject* recorder_finish(PyObject* self, PyObject* args) {
  PyObject *target, *guards, *result;
  if (!PyArg_ParseTuple(args, "O!O!O!", compiled_type, &target, &PyList_Type, &guards, &PyTuple_Type, &result))
    return nullptr;
  return guarded([&]() -> PyObject* {
    LB_CHECK(recorder_of(self).refusal().empty() && recorder_object(self)->recording, Runtime,
             "the recording was refused, or its arguments are not known");
    std::shared_ptr<Recording> recording = std::move(recorder_object(self)->recording);
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(guards); ++i) recording->guards.emplace_back(PyList_GET_ITEM(guards, i));
    recording->result = std::make_unique<Template>(result);
    std::vector<compile::Slot> outputs;
    recording->result->note_slots(outputs);
    recording->tape = recorder_of(self).finish(std::move(outputs));
    recorder_object(self)->recorder.reset();
    Recordings& all = compiled(target)->recordings;
    all.insert(all.begin(), std::move(recording));
    Py_RETURN_NONE;
  });
}

PyMethodDef recorder_methods[] = {
    {"outside", recorder_outside, METH_O, "outside(tensor): one that the program finds, not one that it is given."},
    {"arguments", recorder_arguments, METH_VARARGS, "arguments(args, kwargs): what the program is given."},
    {"start", recorder_start, METH_NOARGS, "Writes down what this thread does from now on."},
    {"stop", recorder_stop, METH_NOARGS, "Until now."},
    {"refuse", recorder_refuse, METH_O, "refuse(why): the run cannot be repeated. The first reason counts."},
    {"slot", recorder_slot, METH_O, "slot(tensor): its number; None for one of unknown origin."},
    {"finish", recorder_finish, METH_VARARGS, "finish(compiled, guards, result): the run is one of the function's."},
    {nullptr}};
PyGetSetDef recorder_properties[] = {{"refusal", recorder_refusal, nullptr, "Why it was refused, or None.", nullptr},
                                     {nullptr}};

PyObject* is_recording(PyObject*, PyObject*) { return PyBool_FromLong(compile::Recorder::current() != nullptr); }
PyObject* is_watched(PyObject*, PyObject*) { return PyBool_FromLong(!nothing_intervenes()); }

PyObject* compare_values(PyObject*, PyObject* args) {
  PyObject *a, *b;
  if (!PyArg_ParseTuple(args, "OO", &a, &b)) return nullptr;
  return guarded([&] { return PyBool_FromLong(same_value(a, b)); });
}

PyObject* refuse_recording(PyObject*, PyObject* why) {
  const char* text = PyUnicode_AsUTF8(why);
  if (!text) return nullptr;
  return guarded([&]() -> PyObject* {
    if (auto* recorder = compile::Recorder::current()) recorder->refuse(text);
    Py_RETURN_NONE;
  });
}
PyObject* set_repeats(PyObject*, PyObject* value) {
  repeats = value == Py_True;
  Py_RETURN_NONE;
}

PyMethodDef functions[] = {
    {"_refuse_recording", refuse_recording, METH_O, "The run that is under way, if there is one, cannot be repeated."},
    {"_repeat", set_repeats, METH_O, "Whether recordings are repeated at all."},
    {"_same_value", compare_values, METH_VARARGS, "Whether two values are the same to a guard."},
    {"_is_recording", is_recording, METH_NOARGS, "Whether a run of torch.compile is being written down."},
    {"_is_watched", is_watched, METH_NOARGS, "Whether modes, hooks or watchers see calls of operators."},
    {nullptr}};

PyTypeObject* make_type(PyObject* module, const char* name, size_t size, unsigned flags, PyType_Slot* slots) {
  PyType_Spec spec{name, static_cast<int>(size), 0, Py_TPFLAGS_DEFAULT | flags, slots};
  Object type = Object::steal(PyType_FromSpec(&spec));
  if (PyModule_AddObjectRef(module, std::strrchr(name, '.') + 1, type.get()) < 0) throw PythonError{};
  return reinterpret_cast<PyTypeObject*>(type.release());
}

}  // namespace

void add_compiling(PyObject* module) {
  PyType_Slot compiled_slots[] = {{Py_tp_new, reinterpret_cast<void*>(compiled_new)},
                                  {Py_tp_dealloc, reinterpret_cast<void*>(compiled_dealloc)},
                                  {Py_tp_traverse, reinterpret_cast<void*>(compiled_traverse)},
                                  {Py_tp_clear, reinterpret_cast<void*>(compiled_clear)},
                                  {Py_tp_call, reinterpret_cast<void*>(PyVectorcall_Call)},
                                  {Py_tp_descr_get, reinterpret_cast<void*>(compiled_bind)},
                                  {Py_tp_methods, compiled_methods},
                                  {Py_tp_members, compiled_members},
                                  {Py_tp_getset, compiled_properties},
                                  {0, nullptr}};
  compiled_type =
      make_type(module, "lumbre._C._Compiled", sizeof(CompiledObject),
                Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_METHOD_DESCRIPTOR, compiled_slots);
  PyType_Slot recorder_slots[] = {{Py_tp_new, reinterpret_cast<void*>(recorder_new)},
                                  {Py_tp_dealloc, reinterpret_cast<void*>(recorder_dealloc)},
                                  {Py_tp_methods, recorder_methods},
                                  {Py_tp_getset, recorder_properties},
                                  {0, nullptr}};
  recorder_type = make_type(module, "lumbre._C._Recorder", sizeof(RecorderObject), 0, recorder_slots);
  if (PyModule_AddObjectRef(module, "_absent", absent()) < 0) throw PythonError{};
  if (PyModule_AddFunctions(module, functions) < 0) throw PythonError{};
}

}  // namespace lumbre::python
