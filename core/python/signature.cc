#include "python/signature.h"

#include <algorithm>
#include <map>

namespace lumbre::python {

namespace {

std::string_view trim(std::string_view s) {
  while (!s.empty() && s.front() == ' ') s.remove_prefix(1);
  while (!s.empty() && s.back() == ' ') s.remove_suffix(1);
  return s;
}

// Splits at commas outside of brackets.
std::vector<std::string_view> split(std::string_view s) {
  std::vector<std::string_view> parts;
  int depth = 0;
  size_t start = 0;
  for (size_t i = 0; i < s.size(); ++i) {
    if (s[i] == '(' || s[i] == '[') ++depth;
    if (s[i] == ')' || s[i] == ']') --depth;
    if (s[i] == ',' && depth == 0) {
      parts.push_back(trim(s.substr(start, i - start)));
      start = i + 1;
    }
  }
  if (!trim(s.substr(start)).empty()) parts.push_back(trim(s.substr(start)));
  return parts;
}

Side side_of(std::string_view name) {
  if (name == "out") return Side::Out;
  if (name == "device") return Side::Device;
  if (name == "layout") return Side::Layout;
  if (name == "pin_memory") return Side::PinMemory;
  if (name == "requires_grad") return Side::RequiresGrad;
  return Side::None;
}

const char* numpy_name(std::string_view name) {
  if (name == "dim") return "axis";
  if (name == "keepdim") return "keepdims";
  if (name == "input") return "x";
  if (name == "other") return "x2";
  return nullptr;
}

Scalar parse_number(const std::string& s) {
  if (s == "True") return Scalar(true);
  if (s == "False") return Scalar(false);
  if (s.find_first_of(".einf") != std::string::npos) return Scalar(std::stod(s));
  return Scalar(static_cast<int64_t>(std::stoll(s)));
}

void parse_default(const std::string& s, Param kind, Value& value) {
  value.kind = kind;
  value.given = s != "None";
  if (!value.given) return;
  switch (kind) {
    case Param::Bool:
      value.flag = s == "True";
      break;
    case Param::Int:
      value.integer = std::stoll(s);
      break;
    case Param::Float:
      value.real = std::stod(s);
      break;
    case Param::Operand:
      value.kind = Param::Scalar;
      [[fallthrough]];
    case Param::Scalar:
      value.scalar = parse_number(s);
      break;
    case Param::Dims:
      if (s.front() == '(') {
        for (std::string_view part : split(std::string_view(s).substr(1, s.size() - 2)))
          value.dims.push_back(std::stoll(std::string(part)));
      } else {
        value.dims.push_back(std::stoll(s));
      }
      break;
    case Param::String:
      value.own_lists().string = s.substr(1, s.size() - 2);
      break;
    case Param::MemoryFormat:
      value.format = s == "contiguous_format" ? MemoryFormat::Contiguous : MemoryFormat::Preserve;
      break;
    case Param::DType:
      for (int i = 0; i < kDTypeCount; ++i)
        if (s == dtype_name(static_cast<DType>(i))) value.dtype = static_cast<DType>(i);
      break;
    default:
      fail(ErrorKind::Runtime, "a default '", s, "' that this kind of parameter cannot have");
  }
}

PyObject* fields_repr(PyObject* self) {
  return guarded([&]() -> PyObject* {
    const std::string full = Py_TYPE(self)->tp_name;
    const std::string text = printed_prefix() + full.substr(full.find('.')) + "(\n";
    Object result = Object::steal(PyUnicode_FromString(text.c_str()));
    Object names = Object::steal(PyObject_GetAttrString(reinterpret_cast<PyObject*>(Py_TYPE(self)), "__match_args__"));
    const Py_ssize_t count = PyTuple_GET_SIZE(self);
    for (Py_ssize_t i = 0; i < count; ++i) {
      Object value = Object::steal(PyObject_Repr(PyTuple_GET_ITEM(self, i)));
      result = Object::steal(PyUnicode_FromFormat("%U%U=%U%s", result.get(), PyTuple_GET_ITEM(names.get(), i),
                                                  value.get(), i + 1 < count ? ",\n" : ")"));
    }
    return result.release();
  });
}

std::string short_name_of(std::string_view name) { return std::string(name.substr(name.rfind('.') + 1)); }

}  // namespace

// One named-tuple type per (operator, fields), as torch.return_types has.
PyObject* fields_type_of(const std::string& operator_name, std::string_view fields) {
  static std::map<std::string, PyObject*> types;
  const std::string key = operator_name + std::string(fields);
  if (auto it = types.find(key); it != types.end()) return it->second;
  // The names live as long as the type, which is for ever.
  static std::vector<std::unique_ptr<std::string>> kept;
  const auto keep = [&](std::string s) {
    kept.push_back(std::make_unique<std::string>(std::move(s)));
    return kept.back()->c_str();
  };
  std::vector<PyStructSequence_Field> slots;
  for (std::string_view field : split(fields)) slots.push_back({keep(std::string(field)), nullptr});
  const int count = static_cast<int>(slots.size());
  slots.push_back({nullptr, nullptr});
  PyStructSequence_Desc description{keep("lumbre.return_types." + operator_name), nullptr, slots.data(), count};
  PyTypeObject* type = PyStructSequence_NewType(&description);
  if (!type) throw PythonError{};
  type->tp_repr = fields_repr;
  return types[key] = reinterpret_cast<PyObject*>(type);
}

const char* param_title(Param kind) {
  switch (kind) {
    case Param::Tensor:
      return "Tensor";
    case Param::Operand:
      return "Tensor";
    case Param::Scalar:
      return "Number";
    case Param::Int:
      return "int";
    case Param::Float:
      return "float";
    case Param::Bool:
      return "bool";
    case Param::Dims:
      return "tuple of ints";
    case Param::DType:
      return "torch.dtype";
    case Param::Tensors:
      return "tuple of Tensors";
    case Param::OptionalTensors:
      return "tuple of Tensors";
    case Param::String:
      return "str";
    case Param::MemoryFormat:
      return "torch.memory_format";
    case Param::Generator:
      return "torch.Generator";
  }
  return "object";
}

Overload Overload::parse(const Operator& record) {
  Overload overload;
  overload.record = &record;
  const std::string_view signature = record.signature;
  const size_t open = signature.find('(');
  int depth = 0;
  size_t close = open;
  for (; close < signature.size(); ++close) {
    if (signature[close] == '(') ++depth;
    if (signature[close] == ')' && --depth == 0) break;
  }
  overload.name = short_name_of(signature.substr(0, open));
  bool keyword_only = false;
  int slot = 0;
  for (std::string_view part : split(signature.substr(open + 1, close - open - 1))) {
    if (part == "*") {
      keyword_only = true;
      continue;
    }
    Parameter parameter;
    parameter.variadic = part.front() == '*';
    if (parameter.variadic) part.remove_prefix(1);
    const size_t equals = part.find('=');
    parameter.name = std::string(trim(part.substr(0, equals)));
    parameter.interned = PyUnicode_InternFromString(parameter.name.c_str());
    if (const char* other = numpy_name(parameter.name)) parameter.other_name = PyUnicode_InternFromString(other);
    parameter.keyword_only = keyword_only;
    parameter.side = side_of(parameter.name);
    if (parameter.side == Side::None) {
      LB_CHECK(slot < record.forward.count, Runtime, "the signature of ", overload.name,
               " has more parameters than its forward");
      parameter.slot = slot;
      parameter.kind = record.forward.params[slot];
      parameter.optional = record.forward.optional[slot];
      ++slot;
    } else {
      parameter.optional = true;
      overload.has_out |= parameter.side == Side::Out;
    }
    if (equals != std::string_view::npos) {
      parameter.has_default = true;
      if (parameter.side == Side::None)
        parse_default(std::string(trim(part.substr(equals + 1))), parameter.kind, parameter.default_value);
    }
    if (!keyword_only) {
      ++overload.positional;
      overload.plain &= !parameter.variadic && parameter.side == Side::None;
      if (!parameter.has_default) overload.required_positional = overload.positional;
    }
    const auto index = overload.parameters.size();
    if (!parameter.has_default) overload.required = index + 1;
    if (parameter.default_value.given) overload.defaults.push_back(static_cast<uint8_t>(index));
    overload.parameters.push_back(std::move(parameter));
  }
  LB_CHECK(record.forward.count <= kMaxParameters && overload.parameters.size() <= kMaxArguments, Runtime,
           "too many parameters");
  LB_CHECK(slot == record.forward.count, Runtime, "the signature of ", overload.name,
           " has fewer parameters than its forward");
  const size_t arrow = signature.find("-> (", close);
  if (arrow != std::string_view::npos) {
    const std::string_view fields = signature.substr(arrow + 4, signature.rfind(')') - arrow - 4);
    std::string whole(signature.substr(0, signature.find('(')));
    std::replace(whole.begin(), whole.end(), '.', '_');  // torch.return_types.linalg_qr
    overload.fields_type = fields_type_of(whole, fields);
  }
  return overload;
}

void OverloadSet::parse() {
  for (const Operator* record : records) overloads.push_back(Overload::parse(*record));
}

std::string Overload::describe() const {
  std::string s = "(";
  bool star = false;
  for (size_t i = 0; i < parameters.size(); ++i) {
    const Parameter& p = parameters[i];
    if (i) s += ", ";
    if (p.keyword_only && !star) {
      s += "*, ";
      star = true;
    }
    const char* title = p.side == Side::None || p.side == Side::Out ? param_title(p.kind)
                        : p.side == Side::Device                    ? "torch.device"
                        : p.side == Side::Layout                    ? "torch.layout"
                                                                    : "bool";
    s += std::string(title) + " " + p.name;
    if (p.has_default && p.side == Side::None && !p.default_value.given) s += " = None";
  }
  return s + ")";
}

OverloadSet* find_operator(std::string_view name) {
  static std::map<std::string, std::unique_ptr<OverloadSet>, std::less<>> sets = [] {
    std::map<std::string, std::unique_ptr<OverloadSet>, std::less<>> made;
    const auto add = [&](std::string_view full, const Operator* record) {
      auto& set = made[std::string(full)];
      if (!set) {
        set = std::make_unique<OverloadSet>();
        set->name = std::string(full);
        set->short_name = short_name_of(full);
      }
      set->records.push_back(record);
    };
    for (const Operator* record : operators()) {
      const std::string_view signature = record->signature;
      add(signature.substr(0, signature.find('(')), record);
      std::string_view rest = record->aliases;
      while (!(rest = trim(rest)).empty()) {
        const size_t end = std::min(rest.find(' '), rest.size());
        add(rest.substr(0, end), record);
        rest.remove_prefix(end);
      }
    }
    return made;
  }();
  const auto it = sets.find(name);
  return it == sets.end() ? nullptr : it->second.get();
}

}  // namespace lumbre::python
