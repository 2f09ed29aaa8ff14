#include "python/recordings.h"

#include <algorithm>
#include <cstring>

#include "autograd/node.h"
#include "python/overrides.h"

namespace lumbre::python {

namespace {

[[noreturn]] void fail_description(const char* what) { fail(ErrorKind::Type, "a recording's ", what, " is malformed"); }

uint64_t dict_version(PyObject* dict) {
#if PY_VERSION_HEX < 0x030C0000
  return reinterpret_cast<PyDictObject*>(dict)->ma_version_tag;
#else
  static_cast<void>(dict);
  return 0;
#endif
}
// From 3.12 on a dictionary does not tell its version: its values are compared at each call.
constexpr bool kDictVersions = PY_VERSION_HEX < 0x030C0000;

int visit_all(const std::vector<Object>& objects, visitproc visit, void* arg) {
  for (const Object& object : objects) Py_VISIT(object.get());
  return 0;
}
bool has_attributes(PyObject* tensor) {
  PyObject* attributes = reinterpret_cast<TensorObject*>(tensor)->attributes;
  return attributes && PyDict_GET_SIZE(attributes) > 0;
}
template <class Part>
int visit_parts(const std::vector<Part>& parts, visitproc visit, void* arg) {
  for (const Part& part : parts)
    if (const int stop = part.visit(visit, arg)) return stop;
  return 0;
}

}  // namespace

PyObject* absent() {
  static PyObject* const mark = PyObject_CallNoArgs(reinterpret_cast<PyObject*>(&PyBaseObject_Type));
  return mark;
}

bool same_value(PyObject* a, PyObject* b) {
  if (a == b) return true;
  if (!a || !b || Py_TYPE(a) != Py_TYPE(b)) return false;
  if (PyFloat_CheckExact(a)) {
    const double x = PyFloat_AS_DOUBLE(a), y = PyFloat_AS_DOUBLE(b);
    return std::memcmp(&x, &y, sizeof x) == 0;
  }
  if (PyTuple_Check(a)) {
    const Py_ssize_t count = PyTuple_GET_SIZE(a);
    if (count != PyTuple_GET_SIZE(b)) return false;
    for (Py_ssize_t i = 0; i < count; ++i)
      if (!same_value(PyTuple_GET_ITEM(a, i), PyTuple_GET_ITEM(b, i))) return false;
    return true;
  }
  if (PyLong_CheckExact(a) || PyUnicode_CheckExact(a) || PyBytes_CheckExact(a)) {
    const int equal = PyObject_RichCompareBool(a, b, Py_EQ);
    if (equal < 0) throw PythonError{};
    return equal;
  }
  if (PySlice_Check(a)) {
    const auto *x = reinterpret_cast<PySliceObject*>(a), *y = reinterpret_cast<PySliceObject*>(b);
    return same_value(x->start, y->start) && same_value(x->stop, y->stop) && same_value(x->step, y->step);
  }
  return false;
}

// --- guards ----------------------------------------------------------------------------------------------------------

Guard::Guard(PyObject* description) {
  int kind;
  PyObject *subject, *names, *values;
  if (!PyArg_ParseTuple(description, "iOOO!", &kind, &subject, &names, &PyTuple_Type, &values)) throw PythonError{};
  if (kind < 0 || kind > static_cast<int>(Kind::Whole)) fail_description("guard");
  kind_ = static_cast<Kind>(kind);
  subject_ = Object::borrow(subject);
  names_ = Object::borrow(names);
  values_ = Object::borrow(values);
  const bool named = PyTuple_Check(names);
  if (named && PyTuple_GET_SIZE(names) != PyTuple_GET_SIZE(values)) fail_description("guard");
  switch (kind_) {
    case Kind::Dict:
    case Kind::Whole:
      if (!PyDict_Check(subject) || !named) fail_description("guard");
      version_ = dict_version(subject);
      break;
    case Kind::List:
      if (!PyList_Check(subject)) fail_description("guard");
      break;
    case Kind::Set:
      if (!PyAnySet_Check(subject) || PyTuple_GET_SIZE(values) != 1) fail_description("guard");
      break;
    case Kind::Type:
      if (!PyType_Check(subject)) fail_description("guard");
      // A look-up gives the type a version.
      _PyType_Lookup(reinterpret_cast<PyTypeObject*>(subject), PyUnicode_InternFromString("__init__"));
      version_ = reinterpret_cast<PyTypeObject*>(subject)->tp_version_tag;
      break;
    case Kind::Cell:
      if (!PyCell_Check(subject) || PyTuple_GET_SIZE(values) != 1) fail_description("guard");
      break;
    case Kind::Function:
      if (!PyFunction_Check(subject) || PyTuple_GET_SIZE(values) != 3) fail_description("guard");
      break;
    case Kind::Attribute:
      if (!named) fail_description("guard");
  }
}

bool Guard::values_hold(PyObject* const* items, Py_ssize_t count) const {
  if (count != PyTuple_GET_SIZE(values_.get())) return false;
  for (Py_ssize_t i = 0; i < count; ++i)
    if (!same_value(items[i], PyTuple_GET_ITEM(values_.get(), i))) return false;
  return true;
}

bool Guard::dict_holds() {
  PyObject* dict = subject_.get();
  const uint64_t version = dict_version(dict);
  if (kind_ == Kind::Whole ? !all_entries_hold() : !entries_hold()) return false;
  version_ = version;
  return true;
}

bool Guard::entries_hold() const {
  PyObject* dict = subject_.get();
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(names_.get()); ++i) {
    PyObject* value = PyDict_GetItemWithError(dict, PyTuple_GET_ITEM(names_.get(), i));
    if (!value && PyErr_Occurred()) throw PythonError{};
    if (!same_value(value ? value : absent(), PyTuple_GET_ITEM(values_.get(), i))) return false;
  }
  return true;
}

bool Guard::all_entries_hold() const {
  if (PyDict_GET_SIZE(subject_.get()) != PyTuple_GET_SIZE(values_.get())) return false;
  PyObject *key, *value;
  Py_ssize_t i = 0;
  for (Py_ssize_t at = 0; PyDict_Next(subject_.get(), &at, &key, &value); ++i)
    if (!same_value(key, PyTuple_GET_ITEM(names_.get(), i)) || !same_value(value, PyTuple_GET_ITEM(values_.get(), i)))
      return false;
  return true;
}

bool Guard::unchanged() const {
  PyObject* subject = subject_.get();
  if (kind_ == Kind::Dict || kind_ == Kind::Whole) return kDictVersions && dict_version(subject) == version_;
  PyObject* const* values = PySequence_Fast_ITEMS(values_.get());
  if (kind_ == Kind::Function) {
    const auto* function = reinterpret_cast<PyFunctionObject*>(subject);
    return function->func_code == values[0] &&
           (function->func_defaults ? function->func_defaults : Py_None) == values[1] &&
           (function->func_kwdefaults ? function->func_kwdefaults : Py_None) == values[2];
  }
  return kind_ == Kind::Cell && PyCell_GET(subject) == values[0];
}

bool Guard::still_holds() {
  PyObject* subject = subject_.get();
  switch (kind_) {
    case Kind::Dict:
    case Kind::Whole:
      return dict_holds();
    case Kind::List:
      return values_hold(PySequence_Fast_ITEMS(subject), PyList_GET_SIZE(subject));
    case Kind::Set: {
      const int equal = PyObject_RichCompareBool(subject, PyTuple_GET_ITEM(values_.get(), 0), Py_EQ);
      if (equal < 0) throw PythonError{};
      return equal;
    }
    case Kind::Type:
      return version_ != 0 && reinterpret_cast<PyTypeObject*>(subject)->tp_version_tag == version_;
    case Kind::Cell: {
      PyObject* value = PyCell_GET(subject);
      return same_value(value ? value : absent(), PyTuple_GET_ITEM(values_.get(), 0));
    }
    case Kind::Function:
      return false;
    case Kind::Attribute:
      for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(names_.get()); ++i) {
        Object value = Object::steal(PyObject_GetAttr(subject, PyTuple_GET_ITEM(names_.get(), i)));
        if (!same_value(value.get(), PyTuple_GET_ITEM(values_.get(), i))) return false;
      }
      return true;
  }
  return false;
}

int Guard::visit(visitproc visit, void* arg) const {
  Py_VISIT(subject_.get());
  Py_VISIT(names_.get());
  Py_VISIT(values_.get());
  return 0;
}

// --- arguments -------------------------------------------------------------------------------------------------------

Pattern::Pattern(PyObject* object, compile::Recorder& recorder)
    : expected_(Object::borrow(reinterpret_cast<PyObject*>(Py_TYPE(object)))) {
  if (is_tensor(object)) {
    const Tensor& t = tensor_of(object);
    if (recorder.is_outside(t)) {
      expected_ = Object::borrow(object);
      return;
    }
    kind_ = Kind::Tensor;
    if (has_attributes(object)) recorder.refuse("an argument is a tensor with attributes of its own");
    first_ = recorder.find(t) == compile::kNone;
    slot_ = first_ ? recorder.add_argument(t) : recorder.find(t);
    facts_ = compile::Facts::of(t);
    const autograd::History* history = autograd::history_of(t);
    has_gradient_ = history && history->gradient.defined();
    if (has_gradient_) gradient_ = compile::Facts::of(history->gradient);
  } else if (PyTuple_CheckExact(object) || PyList_CheckExact(object)) {
    kind_ = PyTuple_CheckExact(object) ? Kind::Tuple : Kind::List;
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(object); ++i)
      parts_.emplace_back(PySequence_Fast_ITEMS(object)[i], recorder);
  } else if (PyDict_CheckExact(object)) {
    kind_ = Kind::Dict;
    PyObject *key, *value;
    for (Py_ssize_t at = 0; PyDict_Next(object, &at, &key, &value);) {
      keys_.push_back(Object::borrow(key));
      parts_.emplace_back(value, recorder);
    }
  } else {
    expected_ = Object::borrow(object);
  }
}

bool Pattern::tensor_matches(PyObject* object, compile::Tape& tape) const {
  if (reinterpret_cast<PyObject*>(Py_TYPE(object)) != expected_.get()) return false;
  const Tensor& t = tensor_of(object);
  Tensor& place = tape.slots[static_cast<size_t>(slot_)];
  if (!first_) return place.defined() && place.same(t);
  if (has_attributes(object) || !facts_.hold_for(t)) return false;
  const autograd::History* history = autograd::history_of(t);
  const bool has_gradient = history && history->gradient.defined();
  if (has_gradient != has_gradient_ || (has_gradient && !gradient_.hold_for(history->gradient))) return false;
  if (tape.holds(t)) return false;  // one tensor in two places, where there were two
  place = t;
  return true;
}

bool Pattern::matches(PyObject* object, compile::Tape& tape) const {
  if (kind_ == Kind::Value) return same_value(object, expected_.get());
  if (kind_ == Kind::Tensor) return tensor_matches(object, tape);
  if (reinterpret_cast<PyObject*>(Py_TYPE(object)) != expected_.get()) return false;
  if (kind_ == Kind::Dict) {
    if (static_cast<size_t>(PyDict_GET_SIZE(object)) != keys_.size()) return false;
    size_t i = 0;
    PyObject *key, *value;
    for (Py_ssize_t at = 0; PyDict_Next(object, &at, &key, &value); ++i)
      if (!same_value(key, keys_[i].get()) || !parts_[i].matches(value, tape)) return false;
    return true;
  }
  if (static_cast<size_t>(PySequence_Fast_GET_SIZE(object)) != parts_.size()) return false;
  for (size_t i = 0; i < parts_.size(); ++i)
    if (!parts_[i].matches(PySequence_Fast_ITEMS(object)[i], tape)) return false;
  return true;
}

int Pattern::visit(visitproc visit, void* arg) const {
  Py_VISIT(expected_.get());
  if (const int stop = visit_all(keys_, visit, arg)) return stop;
  return visit_parts(parts_, visit, arg);
}

// --- results ---------------------------------------------------------------------------------------------------------

Template::Template(PyObject* description) {
  const char* kind;
  PyObject *first, *second = nullptr;
  if (!PyArg_ParseTuple(description, "sO|O", &kind, &first, &second)) throw PythonError{};
  const std::string_view name = kind;
  const auto add_parts = [&](PyObject* parts) {
    Object fast = Object::steal(PySequence_Fast(parts, "parts of a result"));
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(fast.get()); ++i)
      parts_.emplace_back(PySequence_Fast_GET_ITEM(fast.get(), i));
  };
  if (name == "slot") {
    kind_ = Kind::Slot;
    slot_ = static_cast<compile::Slot>(PyLong_AsLong(first));
    if (PyErr_Occurred()) throw PythonError{};
  } else if (name == "value") {
    kind_ = Kind::Value;
    value_ = Object::borrow(first);
  } else if (name == "tuple" || name == "list") {
    kind_ = name == "tuple" ? Kind::Tuple : Kind::List;
    add_parts(first);
  } else if (name == "dict" && second) {
    kind_ = Kind::Dict;
    Object keys = Object::steal(PySequence_Fast(first, "keys of a result"));
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(keys.get()); ++i)
      keys_.push_back(Object::borrow(PySequence_Fast_GET_ITEM(keys.get(), i)));
    add_parts(second);
    if (keys_.size() != parts_.size()) fail_description("result");
  } else if (name == "call" && second) {
    kind_ = Kind::Call;
    value_ = Object::borrow(first);
    add_parts(second);
  } else {
    fail_description("result");
  }
}

Object Template::build(const compile::Tape& tape) const {
  if (kind_ == Kind::Slot) return Object::steal(wrap(tape.slots[static_cast<size_t>(slot_)]));
  if (kind_ == Kind::Value) return value_;
  if (kind_ == Kind::Dict) {
    Object dict = Object::steal(PyDict_New());
    for (size_t i = 0; i < parts_.size(); ++i)
      if (PyDict_SetItem(dict.get(), keys_[i].get(), parts_[i].build(tape).get()) < 0) throw PythonError{};
    return dict;
  }
  const auto count = static_cast<Py_ssize_t>(parts_.size());
  Object sequence = Object::steal(kind_ == Kind::List ? PyList_New(count) : PyTuple_New(count));
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* part = parts_[static_cast<size_t>(i)].build(tape).release();
    if (kind_ == Kind::List)
      PyList_SET_ITEM(sequence.get(), i, part);
    else
      PyTuple_SET_ITEM(sequence.get(), i, part);
  }
  return kind_ == Kind::Call ? Object::steal(PyObject_CallOneArg(value_.get(), sequence.get())) : sequence;
}

void Template::note_slots(std::vector<compile::Slot>& slots) const {
  if (kind_ == Kind::Slot) slots.push_back(slot_);
  for (const Template& part : parts_) part.note_slots(slots);
}

int Template::visit(visitproc visit, void* arg) const {
  Py_VISIT(value_.get());
  if (const int stop = visit_all(keys_, visit, arg)) return stop;
  return visit_parts(parts_, visit, arg);
}

// --- a recording -----------------------------------------------------------------------------------------------------

Recording::Recording(std::vector<Pattern> positional, std::vector<Object> names, std::vector<Pattern> named)
    : positional_(std::move(positional)),
      named_(std::move(named)),
      names_(std::move(names)),
      asked_(autograd::modes.asked),
      inference_(autograd::modes.inference),
      default_dtype_(default_dtype()) {}

bool nothing_intervenes() {
  return autograd::modes.watched == 0 && !autograd::modes.anomaly && !autograd::pack_hook &&
         !override_state.mode_waits && override_state.subclasses_off == 0 && override_state.all_off == 0;
}

bool Recording::arguments_match(PyObject* const* arguments, size_t count, PyObject* names) {
  const size_t named = names ? static_cast<size_t>(PyTuple_GET_SIZE(names)) : 0;
  if (count != positional_.size() || named != named_.size()) return false;
  for (size_t i = 0; i < count; ++i)
    if (!positional_[i].matches(arguments[i], tape)) return false;
  for (size_t i = 0; i < named; ++i)
    if (!same_value(PyTuple_GET_ITEM(names, static_cast<Py_ssize_t>(i)), names_[i].get()) ||
        !named_[i].matches(arguments[count + i], tape))
      return false;
  return true;
}

bool Recording::matches(PyObject* const* arguments, size_t count, PyObject* names) {
  if (autograd::modes.asked != asked_ || autograd::modes.inference != inference_ || default_dtype() != default_dtype_)
    return false;
  const bool all = arguments_match(arguments, count, names) && tape.fits() &&
                   std::all_of(guards.begin(), guards.end(), [](Guard& guard) { return guard.holds(); });
  if (!all) tape.clear();
  return all;
}

PyObject* Recording::run() {
  struct Busy {
    Recording& recording;
    explicit Busy(Recording& r) : recording(r) { recording.busy_ = true; }
    ~Busy() {
      recording.tape.clear();
      recording.busy_ = false;
    }
  };
  const Busy busy(*this);
  tape.run();
  return result->build(tape).release();
}

int Recording::visit(visitproc visit, void* arg) const {
  for (const auto* parts : {&positional_, &named_})
    if (const int stop = visit_parts(*parts, visit, arg)) return stop;
  if (const int stop = visit_parts(guards, visit, arg)) return stop;
  if (const int stop = visit_all(names_, visit, arg)) return stop;
  return result ? result->visit(visit, arg) : 0;
}

}  // namespace lumbre::python
