// From Python's arguments to an operator's: binding, overloads, errors, results.
#include "compile/recorder.h"
#include "ops/recording.h"
#include "python/overrides.h"
#include "python/signature.h"

namespace lumbre::python {

namespace {

bool bind_tensors(PyObject* object, bool none_allowed, Value& value) {
  if (!PyTuple_Check(object) && !PyList_Check(object)) return false;
  const Py_ssize_t count = PySequence_Fast_GET_SIZE(object);
  PyObject** items = PySequence_Fast_ITEMS(object);
  for (Py_ssize_t i = 0; i < count; ++i)
    if (!is_tensor(items[i]) && !(none_allowed && items[i] == Py_None)) return false;
  std::vector<Tensor>& tensors = value.own_lists().tensors;
  tensors.reserve(static_cast<size_t>(count));
  for (Py_ssize_t i = 0; i < count; ++i) tensors.push_back(items[i] == Py_None ? Tensor() : tensor_of(items[i]));
  return true;
}

bool bind_dtype(PyObject* object, Value& value) {
  if (is_dtype(object))
    value.dtype = dtype_of_object(object);
  else if (object == reinterpret_cast<PyObject*>(&PyFloat_Type))
    value.dtype = DType::Float64;
  else if (object == reinterpret_cast<PyObject*>(&PyLong_Type))
    value.dtype = DType::Int64;
  else if (object == reinterpret_cast<PyObject*>(&PyBool_Type))
    value.dtype = DType::Bool;
  else
    return false;
  return true;
}

bool bind_scalar(PyObject* object, Value& value) {
  if (to_scalar(object, value.scalar)) return true;
  if (!is_tensor(object) || tensor_of(object).ndim() != 0) return false;
  // Its history would be lost.
  if (autograd::grad_enabled() && autograd::requires_grad(tensor_of(object))) return false;
  compile::note_read("a tensor that serves as a number");
  value.scalar = tensor_of(object).item();
  return true;
}

bool bind_float(PyObject* object, Value& value) {
  if (PyFloat_Check(object)) {
    value.real = PyFloat_AS_DOUBLE(object);
    return true;
  }
  Value number;
  if (!bind_scalar(object, number)) return false;
  value.real = number.scalar.as_double();
  return true;
}

bool bind_string(PyObject* object, Value& value) {
  if (!PyUnicode_Check(object)) return false;
  Py_ssize_t length;
  const char* text = PyUnicode_AsUTF8AndSize(object, &length);
  if (!text) throw PythonError{};
  value.own_lists().string.assign(text, static_cast<size_t>(length));
  return true;
}

// False when the object is not of the parameter's kind.
bool bind_any_value(const Parameter& parameter, PyObject* object, Value& value) {
  value.given = true;
  value.kind = parameter.kind;
  if (object == Py_None && parameter.kind != Param::Tensor && parameter.kind != Param::Operand) {
    value.given = false;
    return parameter.optional;
  }
  switch (parameter.kind) {
    case Param::Tensor:
      if (object == Py_None && parameter.optional) {
        value.given = false;
        return true;
      }
      if (!is_tensor(object)) return false;
      value.tensor = &tensor_of(object);
      return true;
    case Param::Operand:
      if (is_tensor(object)) {
        value.kind = Param::Tensor;
        value.tensor = &tensor_of(object);
        return true;
      }
      if (object == Py_None && parameter.optional) {
        value.given = false;
        return true;
      }
      value.kind = Param::Scalar;
      return to_scalar(object, value.scalar);
    case Param::Scalar:
      return bind_scalar(object, value);
    case Param::Int:
      return !PyBool_Check(object) && to_int(object, value.integer);
    case Param::Float:
      return bind_float(object, value);
    case Param::Bool:
      if (PyBool_Check(object)) {
        value.flag = object == Py_True;
        return true;
      }
      return false;
    case Param::Dims:
      if (to_dims(object, value.dims)) return true;
      if (PyBool_Check(object)) return false;
      int64_t single;
      if (!to_int(object, single)) return false;
      value.dims = Dims{single};
      return true;
    case Param::DType:
      return bind_dtype(object, value);
    case Param::Tensors:
      return bind_tensors(object, false, value);
    case Param::OptionalTensors:
      return bind_tensors(object, true, value);
    case Param::String:
      return bind_string(object, value);
    case Param::MemoryFormat:
      if (!is_memory_format(object)) return false;
      value.format = memory_format_of(object);
      return true;
    case Param::Generator:
      if (!is_generator(object)) return false;
      value.generator = &generator_of(object);
      return true;
  }
  return false;
}

// The same, with a short way for what most arguments are.
inline bool bind_value(const Parameter& parameter, PyObject* object, Value& value) {
  if (!is_exact_tensor(object) || !is_tensor_parameter(parameter.kind)) return bind_any_value(parameter, object, value);
  value.given = true;
  value.kind = Param::Tensor;
  value.tensor = &tensor_of(object);
  return true;
}

struct Sides {
  PyObject* out = nullptr;  // a tensor, or a tuple or list of at most Out::kMax
  bool requires_grad = false;
};

bool is_tensor_list(PyObject* object, Py_ssize_t most) {
  if (!PyTuple_Check(object) && !PyList_Check(object)) return false;
  const Py_ssize_t count = PySequence_Fast_GET_SIZE(object);
  PyObject** items = PySequence_Fast_ITEMS(object);
  return count <= most && std::all_of(items, items + count, [](PyObject* item) { return is_tensor(item); });
}

bool bind_side(const Parameter& parameter, PyObject* object, Sides& sides) {
  switch (parameter.side) {
    case Side::Out:
      if (object == Py_None) return true;
      if (!is_tensor(object) && !is_tensor_list(object, Out::kMax)) return false;
      sides.out = object;
      return true;
    case Side::Device:
      check_device(object);
      return true;
    case Side::Layout:
      if (object == Py_None) return true;
      if (!is_layout(object)) return false;
      LB_CHECK(is_strided_layout(object), NotImplemented, "Lumbre has strided tensors only");
      return true;
    case Side::PinMemory:
    case Side::RequiresGrad:
      if (object == Py_None) return true;
      if (!PyBool_Check(object)) return false;
      if (parameter.side == Side::RequiresGrad) sides.requires_grad = object == Py_True;
      return true;
    case Side::None:
      break;
  }
  return false;
}

bool same_text(PyObject* a, PyObject* b) { return a == b || (b && PyUnicode_Compare(a, b) == 0); }

// What went wrong in binding, for the message.
struct Mismatch {
  enum class Kind : uint8_t { None, TooMany, Missing, Unexpected, Duplicate, Type } kind = Kind::None;
  const Parameter* parameter = nullptr;
  PyObject* object = nullptr;
  int position = 0;
};

class Binder {
 public:
  Binder(const Overload& overload, PyObject* const* arguments, size_t count, PyObject* keywords)
      : overload_(overload), arguments_(arguments), count_(count), keywords_(keywords) {}

  bool bind(Value* values, Sides& sides, Mismatch& mismatch) {
    const std::vector<Parameter>& parameters = overload_.parameters;
    size_t index = 0, position = 0, used_keywords = 0;
    const size_t keyword_count = keywords_ ? static_cast<size_t>(PyTuple_GET_SIZE(keywords_)) : 0;
    PyObject* named[kMaxArguments];
    if (keyword_count) sort_keywords(keyword_count, named);
    // Until nothing is given any more.
    for (; index < parameters.size() && (position < count_ || used_keywords < keyword_count); ++index) {
      const Parameter& parameter = parameters[index];
      PyObject* object = nullptr;
      if (!parameter.keyword_only && position < count_) {
        if (parameter.variadic && takes_rest(position)) {
          if (!bind_rest(position, values[parameter.slot])) {
            mismatch = {Mismatch::Kind::Type, &parameter, arguments_[position], static_cast<int>(position)};
            return false;
          }
          position = count_;
          continue;
        }
        object = arguments_[position++];
      } else if (used_keywords < keyword_count && (object = named[index])) {
        ++used_keywords;
      }
      if (!object) {
        if (!parameter.has_default) {
          mismatch = {Mismatch::Kind::Missing, &parameter};
          return false;
        }
        if (parameter.default_value.given) copy_value(parameter.default_value, values[parameter.slot]);
        continue;
      }
      const bool bound = parameter.side == Side::None ? bind_value(parameter, object, values[parameter.slot])
                                                      : bind_side(parameter, object, sides);
      if (!bound) {
        mismatch = {Mismatch::Kind::Type, &parameter, object, static_cast<int>(position)};
        return false;
      }
    }
    if (!fill_defaults(index, values, mismatch)) return false;
    if (position < count_) {
      mismatch.kind = Mismatch::Kind::TooMany;
      return false;
    }
    if (used_keywords < keyword_count) {
      mismatch.kind = Mismatch::Kind::Unexpected;
      mismatch.object = unknown_keyword(keyword_count);
      return false;
    }
    return true;
  }

 private:
  // Of the parameters from `index` on, none of which was given.
  bool fill_defaults(size_t index, Value* values, Mismatch& mismatch) const {
    const std::vector<Parameter>& parameters = overload_.parameters;
    for (size_t i = index; i < overload_.required; ++i) {
      if (parameters[i].has_default) continue;
      mismatch = {Mismatch::Kind::Missing, &parameters[i]};
      return false;
    }
    for (const size_t i : overload_.defaults)
      if (i >= index) copy_value(parameters[i].default_value, values[parameters[i].slot]);
    return true;
  }
  // `*sizes` given as separate integers (or nothing), not as one sequence.
  bool takes_rest(size_t position) const {
    if (position + 1 < count_) return true;
    PyObject* only = arguments_[position];
    return !PyTuple_Check(only) && !PyList_Check(only);
  }
  bool bind_rest(size_t position, Value& value) const {
    value.given = true;
    value.kind = Param::Dims;
    value.dims.resize(count_ - position);
    for (size_t i = position; i < count_; ++i)
      if (PyBool_Check(arguments_[i]) || !to_int(arguments_[i], value.dims[i - position])) return false;
    return true;
  }
  // The keyword arguments by parameter. Names in a program's text are interned, so that pointers mostly tell; a name
  // goes before its other spelling.
  void sort_keywords(size_t keyword_count, PyObject** named) const {
    const std::vector<Parameter>& parameters = overload_.parameters;
    std::fill_n(named, parameters.size(), nullptr);
    size_t found = 0;
    const auto look = [&](auto same) {
      for (size_t k = 0; k < keyword_count; ++k) {
        PyObject* name = PyTuple_GET_ITEM(keywords_, static_cast<Py_ssize_t>(k));
        for (size_t i = 0; i < parameters.size(); ++i) {
          if (named[i] || !same(name, parameters[i])) continue;
          named[i] = arguments_[count_ + k];
          ++found;
          break;
        }
      }
    };
    look([](PyObject* name, const Parameter& p) { return name == p.interned; });
    if (found == keyword_count) return;
    look([](PyObject* name, const Parameter& p) { return name != p.interned && same_text(name, p.interned); });
    if (found == keyword_count) return;
    look([](PyObject* name, const Parameter& p) { return same_text(name, p.other_name); });
  }
  PyObject* unknown_keyword(size_t keyword_count) const {
    for (size_t k = 0; k < keyword_count; ++k) {
      PyObject* name = PyTuple_GET_ITEM(keywords_, static_cast<Py_ssize_t>(k));
      bool known = false;
      for (const Parameter& parameter : overload_.parameters) known |= same_text(name, parameter.interned);
      if (!known) return name;
    }
    return PyTuple_GET_ITEM(keywords_, 0);
  }

  const Overload& overload_;
  PyObject* const* arguments_;
  size_t count_;
  PyObject* keywords_;
};

std::string type_name(PyObject* object) {
  std::string name = Py_TYPE(object)->tp_name;
  if (is_exact_tensor(object)) return "Tensor";
  return name;
}

std::string combination(PyObject* const* arguments, size_t count, PyObject* keywords) {
  std::string s = "(";
  for (size_t i = 0; i < count; ++i) {
    if (i) s += ", ";
    s += type_name(arguments[i]);
  }
  const Py_ssize_t keyword_count = keywords ? PyTuple_GET_SIZE(keywords) : 0;
  for (Py_ssize_t k = 0; k < keyword_count; ++k) {
    if (count + static_cast<size_t>(k)) s += ", ";
    const char* name = PyUnicode_AsUTF8(PyTuple_GET_ITEM(keywords, k));
    s += std::string(name ? name : "?") + "=" + type_name(arguments[count + static_cast<size_t>(k)]);
  }
  return s + ")";
}

[[noreturn]] void fail_single(const std::string& name, const Overload& overload, const Mismatch& mismatch,
                              size_t given) {
  using Kind = Mismatch::Kind;
  switch (mismatch.kind) {
    case Kind::TooMany:
      fail(ErrorKind::Type, name, "() takes ", overload.positional, " positional argument",
           overload.positional == 1 ? "" : "s", " but ", given, given == 1 ? " was given" : " were given");
    case Kind::Missing:
      fail(ErrorKind::Type, name, "() missing 1 required positional arguments: \"", mismatch.parameter->name, "\"");
    case Kind::Unexpected: {
      const char* keyword = PyUnicode_AsUTF8(mismatch.object);
      fail(ErrorKind::Type, name, "() got an unexpected keyword argument '", keyword ? keyword : "?", "'");
    }
    case Kind::None:
      fail(ErrorKind::Type, name, "() has no overload of this form");
    default:
      break;
  }
  const std::string where = mismatch.parameter->keyword_only ? "" : text(" (position ", mismatch.position, ")");
  fail(ErrorKind::Type, name, "(): argument '", mismatch.parameter->name, "'", where, " must be ",
       param_title(mismatch.parameter->kind), ", not ", type_name(mismatch.object));
}

[[noreturn]] void fail_overloads(const std::string& name, OverloadSet& set, PyObject* const* arguments, size_t count,
                                 PyObject* keywords) {
  std::string expected;
  for (const Overload& overload : set.get()) expected += "\n * " + overload.describe();
  fail(ErrorKind::Type, name, "() received an invalid combination of arguments - got ",
       combination(arguments, count, keywords), ", but expected one of:", expected, "\n");
}

void mark_requires_grad(PyObject* object) {
  LB_CHECK(is_floating(tensor_of(object).dtype()), Runtime,
           "Only Tensors of floating point and complex dtype can require gradients");
  if (auto* recorder = compile::Recorder::current()) recorder->require_gradient(tensor_of(object), true);
  tensor_of(object)->requires_grad = true;
}

// An operator of several named results writes to as many targets.
void check_targets(const Overload& overload, PyObject* out) {
  if (!overload.fields_type) return;
  Object count = Object::steal(PyObject_GetAttrString(overload.fields_type, "n_sequence_fields"));
  const Py_ssize_t wanted = PyLong_AsSsize_t(count.get());
  LB_CHECK(!is_tensor(out) && PySequence_Fast_GET_SIZE(out) == wanted, Type, overload.name,
           "(): argument 'out' must be tuple of Tensors, not ", is_tensor(out) ? "Tensor" : Py_TYPE(out)->tp_name);
}

PyObject* run(const Overload& overload, Out::Form form, Value* values, const Sides& sides, PyObject* self) {
  const Operator& record = *overload.record;
  if (form == Out::Form::InPlace) {
    const Tensor target = tensor_of(self);
    Result result = invoke(record, Out(form, {&target, 1}), values);
    return Py_NewRef(self);
  }
  if (sides.out) {
    check_targets(overload, sides.out);
    const bool one = is_tensor(sides.out);
    PyObject** items = one ? nullptr : PySequence_Fast_ITEMS(sides.out);
    Tensor targets[Out::kMax];
    for (Py_ssize_t i = 0; i < (one ? 1 : PySequence_Fast_GET_SIZE(sides.out)); ++i)
      targets[i] = tensor_of(one ? sides.out : items[i]);
    Result result = invoke(record, Out(Out::Form::Given, targets), values);
    if (is_tensor(sides.out)) return Py_NewRef(sides.out);
    return result_object(std::move(result), overload.fields_type);
  }
  Result result = invoke(record, Out(), values);
  auto* tensor = std::get_if<Tensor>(&result);
  PyObject* object =
      tensor && tensor->defined() ? wrap(std::move(*tensor)) : result_object(std::move(result), overload.fields_type);
  if (object && sides.requires_grad) mark_requires_grad(object);
  return object;
}

bool has_form(const Overload& overload, Out::Form form) {
  if (form == Out::Form::InPlace) return overload.record->forms & (kInPlace | kInPlaceFunction);
  // An overload that exists in place only (normal_, bernoulli_) must not answer for the function of its name.
  return form != Out::Form::Function || overload.record->forms != kInPlace;
}

// As many positional arguments as the overload may take, and nothing else: most calls. False when one does not fit.
[[gnu::noinline]] bool call_positional(const Overload& overload, Out::Form form, PyObject* const* arguments,
                                       size_t count, PyObject*& result) {
  const Parameter* parameters = overload.parameters.data();
  Values storage(overload.record->forward.count);
  Value* values = storage.data();
  for (size_t i = 0; i < count; ++i)
    if (!bind_value(parameters[i], arguments[i], values[parameters[i].slot])) return false;
  for (const size_t i : overload.defaults)
    if (i >= count) copy_value(parameters[i].default_value, values[parameters[i].slot]);
  result = run(overload, form, values, Sides(), count ? arguments[0] : nullptr);
  return true;
}

// The method that stands for a Python operator where it is overridden.
std::string slot_name(const OverloadSet& set, Out::Form form) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 6> names{{{"eq", "eq"},
                                                                                       {"floor_divide", "floordiv"},
                                                                                       {"bitwise_and", "and"},
                                                                                       {"bitwise_or", "or"},
                                                                                       {"bitwise_xor", "xor"},
                                                                                       {"bitwise_not", "invert"}}};
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 9> reversed{
      {{"rsub", "rsub"},
       {"_reversed_div", "rdiv"},
       {"_reversed_floor_divide", "rfloordiv"},
       {"_reversed_remainder", "rmod"},
       {"_reversed_pow", "rpow"},
       {"_reversed_matmul", "rmatmul"},
       {"_reversed_left_shift", "rlshift"},
       {"_reversed_right_shift", "rrshift"},
       {"", ""}}};
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 2> shifts{
      {{"bitwise_left_shift", "lshift"}, {"bitwise_right_shift", "rshift"}}};
  const bool in_place = form == Out::Form::InPlace;
  const auto find = [&](const auto& table, const char* prefix) -> std::string {
    for (const auto& [name, method] : table)
      if (name == set.short_name) return std::string("__") + prefix + std::string(method) + "__";
    return "";
  };
  std::string found = find(shifts, in_place ? "i" : "");
  if (found.empty()) found = find(reversed, "");
  if (found.empty() && !(in_place && set.short_name == "floor_divide")) found = find(names, in_place ? "i" : "");
  return found.empty() ? set.short_name + (in_place ? "_" : "") : found;
}

}  // namespace

PyObject* wrap_like(PyObject* self, const Tensor& tensor) {
  if (is_exact_tensor(self) || override_state.subclasses_off > 0 || !has_override(self)) return wrap(tensor);
  return wrap_as(Py_TYPE(self), tensor);
}

PyObject* call(OverloadSet& set, Out::Form form, PyObject* const* arguments, size_t count, PyObject* keywords,
               PyObject* callable) {
  const size_t keyword_count = keywords ? static_cast<size_t>(PyTuple_GET_SIZE(keywords)) : 0;
  if (is_overridden(arguments, count + keyword_count)) {
    if (callable) return dispatch_override(callable, arguments, count, keywords);
    return dispatch_method(slot_name(set, form).c_str(), arguments, count, keywords);
  }
  const auto& overloads = set.get();
  for (const Overload& overload : overloads) {
    if (keyword_count || !overload.plain) break;
    if (count < overload.required || count > static_cast<size_t>(overload.positional) || !has_form(overload, form))
      continue;
    PyObject* result;
    if (call_positional(overload, form, arguments, count, result)) return result;
  }
  Mismatch mismatch;
  for (const Overload& overload : overloads) {
    if (!has_form(overload, form)) continue;
    Values values(overload.record->forward.count);
    Sides sides;
    mismatch = {};
    if (Binder(overload, arguments, count, keywords).bind(values.data(), sides, mismatch))
      return run(overload, form, values.data(), sides, count ? arguments[0] : nullptr);
  }
  const std::string name = set.short_name + (form == Out::Form::InPlace ? "_" : "");
  if (overloads.size() == 1) fail_single(name, overloads[0], mismatch, count);
  fail_overloads(name, set, arguments, count, keywords);
}

PyObject* result_object(Result&& result, PyObject* fields) {
  struct Visitor {
    PyObject* fields;
    PyObject* operator()(std::monostate) { return Py_NewRef(Py_None); }
    PyObject* operator()(Tensor& tensor) { return tensor.defined() ? wrap(std::move(tensor)) : Py_NewRef(Py_None); }
    PyObject* operator()(std::vector<Tensor>& tensors) {
      const auto count = static_cast<Py_ssize_t>(tensors.size());
      Object tuple =
          Object::steal(fields ? PyStructSequence_New(reinterpret_cast<PyTypeObject*>(fields)) : PyTuple_New(count));
      for (Py_ssize_t i = 0; i < count; ++i) PyTuple_SET_ITEM(tuple.get(), i, (*this)(tensors[static_cast<size_t>(i)]));
      return tuple.release();
    }
    PyObject* operator()(bool value) { return PyBool_FromLong(value); }
    PyObject* operator()(int64_t value) { return PyLong_FromLongLong(value); }
    PyObject* operator()(double value) { return PyFloat_FromDouble(value); }
    PyObject* operator()(Scalar value) { return scalar_object(value); }
    PyObject* operator()(DType value) { return Py_NewRef(dtype_object(value)); }
    PyObject* operator()(const Dims& value) {
      Object tuple = Object::steal(PyTuple_New(static_cast<Py_ssize_t>(value.size())));
      for (size_t i = 0; i < value.size(); ++i)
        PyTuple_SET_ITEM(tuple.get(), static_cast<Py_ssize_t>(i), PyLong_FromLongLong(value[i]));
      return tuple.release();
    }
    PyObject* operator()(const std::string& value) {
      return PyUnicode_FromStringAndSize(value.data(), static_cast<Py_ssize_t>(value.size()));
    }
  };
  return std::visit(Visitor{fields}, result);
}

}  // namespace lumbre::python
