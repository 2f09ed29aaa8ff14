// A record's signature, parsed once at the first call: parameters, defaults, forms.
#pragma once

#include "python/objects.h"

namespace lumbre::python {

// Parameters that the binding layer answers itself; the forward never sees them.
enum class Side : uint8_t { None, Out, Device, Layout, PinMemory, RequiresGrad };

inline constexpr size_t kMaxParameters = 24;  // of a forward
inline constexpr size_t kMaxArguments = 32;   // with those that the binding layer answers itself

struct Parameter {
  std::string name;
  PyObject* interned = nullptr;
  PyObject* other_name = nullptr;  // interned: another spelling, which PyTorch takes for NumPy's sake
  Param kind = Param::Tensor;
  Side side = Side::None;
  bool optional = false;
  bool keyword_only = false;
  bool has_default = false;
  bool variadic = false;
  int slot = -1;  // index among the forward's parameters
  Value default_value;
};

// As many values as the forward has parameters, on the stack.
class Values {
 public:
  explicit Values(size_t count) : count_(count) {
    for (size_t i = 0; i < count_; ++i) ::new (data() + i) Value;
  }
  ~Values() { std::destroy_n(data(), count_); }
  Values(const Values&) = delete;
  Values& operator=(const Values&) = delete;
  Value* data() { return std::launder(reinterpret_cast<Value*>(storage_)); }

 private:
  size_t count_;
  alignas(Value) std::byte storage_[kMaxParameters * sizeof(Value)];
};

struct Overload {
  const Operator* record = nullptr;
  std::string name;  // the last part of a dotted name
  std::vector<Parameter> parameters;
  bool plain = true;              // no positional parameter is variadic or answered by the binding layer
  size_t required = 0;            // parameters up to the last without a default
  std::vector<uint8_t> defaults;  // the parameters whose default is a value, not None
  int positional = 0;
  int required_positional = 0;
  bool has_out = false;
  bool needs_lists = false;
  PyObject* fields_type = nullptr;  // names of several results, or null

  static Overload parse(const Operator& record);
  std::string describe() const;  // "(Tensor input, *, Number alpha)"
};

// The records that share a name.
struct OverloadSet {
  std::string name;  // "max", "linalg.norm"
  std::string short_name;
  std::vector<const Operator*> records;
  std::vector<Overload> overloads;
  const std::vector<Overload>& get() {
    if (__builtin_expect(overloads.empty(), 0)) parse();
    return overloads;
  }
  void parse();
};

// The named-tuple type of an operator's results, borrowed; `fields` is "values, indices".
PyObject* fields_type_of(const std::string& operator_name, std::string_view fields);

OverloadSet* find_operator(std::string_view name);  // null when there is none

// Binds Python arguments to the first overload that takes them and runs it. New reference.
PyObject* call(OverloadSet& set, Out::Form form, PyObject* const* arguments, size_t count, PyObject* keyword_names,
               PyObject* callable);

const char* param_title(Param kind);

}  // namespace lumbre::python
