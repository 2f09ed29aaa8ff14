// The operator record and the registry. A record is written once, beside its forward; functions, methods, in-place and
// out= forms, keyword handling, documentation, stubs and tests are made by loops over the registry.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <variant>
#include <vector>

#include "random/generator.h"
#include "tensor/promotion.h"
#include "tensor/tensor.h"

namespace lumbre {

// A tensor or a Python number, as pointwise operators take them.
class Operand {
 public:
  Operand(const Tensor& tensor) : tensor_(&tensor) {}
  Operand(Scalar scalar) : scalar_(scalar) {}
  bool is_tensor() const { return tensor_ != nullptr; }
  const Tensor& tensor() const { return *tensor_; }
  Scalar scalar() const { return scalar_; }
  DType dtype() const { return tensor_ ? tensor_->dtype() : scalar_.natural_dtype(default_dtype()); }

 private:
  const Tensor* tensor_ = nullptr;
  Scalar scalar_;
};

// What a parameter accepts. The C++ type of the forward's parameter decides it.
enum class Param : uint8_t {
  Tensor,
  Operand,
  Scalar,
  Int,
  Float,
  Bool,
  Dims,
  DType,
  Tensors,
  String,
  MemoryFormat,
  Generator,
  OptionalTensors
};

constexpr bool is_list_parameter(Param kind) { return kind == Param::Tensors || kind == Param::OptionalTensors; }
constexpr bool is_tensor_parameter(Param kind) { return kind == Param::Tensor || kind == Param::Operand; }

// One argument. Tensors are borrowed from the caller for the length of the call.
struct Value {
  bool given = false;  // false: None
  Param kind = Param::Int;
  union {
    const Tensor* tensor;
    Scalar scalar;
    int64_t integer;
    double real;
    bool flag;
    DType dtype;
    MemoryFormat format;
    Generator* generator;
  };
  Dims dims;
  struct Lists {
    std::string string;
    std::vector<Tensor> tensors;  // OptionalTensors: undefined for None
  };
  // Lists that were given up keep their memory and serve the next call.
  struct GiveUp {
    void operator()(Lists* list) const noexcept;
  };
  std::unique_ptr<Lists, GiveUp> lists;  // present for the kinds that need it
  Lists& own_lists();                    // empty ones
  Value() : integer(0) {}
};

// Where results go. A function's results are new; an in-place form's first result is its input; an out= form's are
// given.
class Out {
 public:
  static constexpr int kMax = 3;
  enum class Form : uint8_t { Function, InPlace, Given };
  Out() = default;
  Out(Form form, std::span<const Tensor> targets) : form_(form) {
    for (size_t i = 0; i < targets.size(); ++i)
      if (targets[i].defined()) targets_[i] = &targets[i];
  }
  Form form() const { return form_; }
  bool in_place() const { return form_ == Form::InPlace; }
  const Tensor* target(int i = 0) const { return targets_[i]; }
  // Hands over a computed result: new, or copied into the target under PyTorch's rules of casting and resizing.
  Tensor give(Tensor result, int i = 0) const;

 private:
  Form form_ = Form::Function;
  const Tensor* targets_[kMax] = {};
};

using Result =
    std::variant<std::monostate, Tensor, std::vector<Tensor>, bool, int64_t, double, Scalar, DType, Dims, std::string>;

using Thunk = Result (*)(const Out& out, Value* values);

struct Forward {
  Thunk thunk = nullptr;
  const Param* params = nullptr;
  const bool* optional = nullptr;  // the parameter may be None
  uint8_t count = 0;
  const char* result = "";  // as a type stub writes it
  uint32_t tensors = 0;     // bit i: parameter i takes a tensor
  uint32_t lists = 0;       // ... a list of them
};

// The derivative: a function that gives the gradients of the inputs from those of the results (see ops/backward.h).
class Backward;
class OperatorNode;
struct Derivative {
  enum class State : uint8_t {
    Unstated,
    None,      // results are constant almost everywhere, or not numbers
    Refused,   // has none, in PyTorch either: gradients through it are refused
    Composed,  // the forward is written with recorded operators (namespace op)
    Formula
  };
  using FormulaFn = void (*)(Backward&);
  static constexpr int kMaxParameters = 10;

  State state = State::Unstated;
  const char* node = nullptr;                             // as grad_fn prints it: "MulBackward0"
  const char* (*node_of)(const OperatorNode&) = nullptr;  // instead of it, where the name depends on more
  FormulaFn formula = nullptr;
  // What the gradient of each parameter needs: bit i for input i, bit 16 + k for result k.
  std::array<uint32_t, kMaxParameters> uses{};
  bool geometry_only = false;  // of the inputs it uses, sizes and strides alone are kept
};
inline constexpr Derivative kNotDifferentiable{Derivative::State::None};
inline constexpr Derivative kDerivativeRefused{Derivative::State::Refused};
// Refused by PyTorch's fallback for operators that it wrote no rule for at all.
inline constexpr Derivative kDerivativeUnknown{Derivative::State::Refused, "NotImplemented"};
inline constexpr Derivative kComposed{Derivative::State::Composed};

// `uses` says per parameter what its gradient reads: "0:1 1:0" for a product, "0:r" for a function of its result
// (r, s, t are the first three results).
consteval Derivative gradients(const char* node, Derivative::FormulaFn formula, std::string_view uses = "") {
  Derivative derivative{.state = Derivative::State::Formula, .node = node, .formula = formula};
  int parameter = -1;
  for (size_t i = 0; i < uses.size(); ++i) {
    const char c = uses[i];
    if (i + 1 < uses.size() && uses[i + 1] == ':') {
      parameter = c - '0';
      ++i;
    } else if (c >= '0' && c <= '9') {
      derivative.uses.at(static_cast<size_t>(parameter)) |= 1U << (c - '0');
    } else if (c >= 'r' && c <= 't') {
      derivative.uses.at(static_cast<size_t>(parameter)) |= 1U << (16 + c - 'r');
    } else if (c != ' ') {
      throw "a letter that no input or result has";
    }
  }
  return derivative;
}
consteval Derivative named_by(const char* (*node_of)(const OperatorNode&), Derivative derivative) {
  derivative.node_of = node_of;
  return derivative;
}
consteval Derivative with_geometry_only(Derivative derivative) {
  derivative.geometry_only = true;
  return derivative;
}

// Which forms exist besides what the signature says (out= is there when the signature has it).
enum Forms : uint8_t { kFunction = 1, kMethod = 2, kInPlace = 4, kInPlaceFunction = 8 };
inline constexpr uint8_t kFunctionAndMethod = kFunction | kMethod;
inline constexpr uint8_t kEveryForm = kFunction | kMethod | kInPlace;
// torch.exp_(x) too: PyTorch has it for unary operators.
inline constexpr uint8_t kUnaryForms = kEveryForm | kInPlaceFunction;
inline constexpr uint8_t kHidden = 0;

// What decides the sizes of results, and results that are no tensors.
enum class Decides : uint8_t {
  Geometry,  // sizes, strides and dtypes of the arguments, and their numbers
  Elements,  // what is in the tensors
  Masks      // the same, where boolean tensors are among the arguments
};

struct Operator {
  // "name(input, dim=None, *, keepdim=False, out=None) -> (values, indices)"; a dotted name lives in a submodule.
  // Records of one name are its overloads, tried in the order of their registration.
  const char* signature = nullptr;
  const char* doc = nullptr;
  Forward forward;
  Derivative derivative;
  uint8_t forms = kFunctionAndMethod;
  const char* aliases = "";  // other names, separated by spaces
  Decides decides = Decides::Geometry;
};

const std::vector<const Operator*>& operators();
void copy_lists(const Value& from, Value& to);
// A number, a flag, dimensions, a string: whatever a default may be.
inline void copy_value(const Value& from, Value& to) {
  to.given = from.given;
  to.kind = from.kind;
  to.scalar = from.scalar;  // the widest member of the union
  if (from.kind == Param::Dims) to.dims = from.dims;
  if (from.lists) copy_lists(from, to);
}

struct Registration {
  explicit Registration(const Operator& record);
};

namespace detail {

template <class T>
struct ParamOf;
template <>
struct ParamOf<Tensor> {
  static constexpr Param kind = Param::Tensor;
  static const Tensor& get(Value& v) { return *v.tensor; }
};
template <>
struct ParamOf<Operand> {
  static constexpr Param kind = Param::Operand;
  static Operand get(Value& v) { return v.kind == Param::Tensor ? Operand(*v.tensor) : Operand(v.scalar); }
};
template <>
struct ParamOf<Scalar> {
  static constexpr Param kind = Param::Scalar;
  static Scalar get(Value& v) { return v.scalar; }
};
template <>
struct ParamOf<int64_t> {
  static constexpr Param kind = Param::Int;
  static int64_t get(Value& v) { return v.integer; }
};
template <>
struct ParamOf<double> {
  static constexpr Param kind = Param::Float;
  static double get(Value& v) { return v.real; }
};
template <>
struct ParamOf<bool> {
  static constexpr Param kind = Param::Bool;
  static bool get(Value& v) { return v.flag; }
};
template <>
struct ParamOf<Dims> {
  static constexpr Param kind = Param::Dims;
  static const Dims& get(Value& v) { return v.dims; }
};
template <>
struct ParamOf<DType> {
  static constexpr Param kind = Param::DType;
  static DType get(Value& v) { return v.dtype; }
};
template <>
struct ParamOf<MemoryFormat> {
  static constexpr Param kind = Param::MemoryFormat;
  static MemoryFormat get(Value& v) { return v.format; }
};
template <>
struct ParamOf<Generator*> {
  static constexpr Param kind = Param::Generator;
  static Generator* get(Value& v) { return v.given ? v.generator : nullptr; }
};
template <>
struct ParamOf<std::string> {
  static constexpr Param kind = Param::String;
  static const std::string& get(Value& v) { return v.lists->string; }
};
template <>
struct ParamOf<std::vector<Tensor>> {
  static constexpr Param kind = Param::Tensors;
  static const std::vector<Tensor>& get(Value& v) { return v.lists->tensors; }
};
// Indices of advanced indexing: a list whose members may be None.
struct OptionalTensors {
  const std::vector<Tensor>& list;
};
template <>
struct ParamOf<OptionalTensors> {
  static constexpr Param kind = Param::OptionalTensors;
  static OptionalTensors get(Value& v) { return {v.lists->tensors}; }
};

template <class T>
struct Unwrapped {
  using type = T;
  static constexpr bool optional = std::is_same_v<T, Generator*>;
  static decltype(auto) get(Value& v) { return ParamOf<T>::get(v); }
};
template <class T>
struct Unwrapped<std::optional<T>> {
  using type = T;
  static constexpr bool optional = true;
  static std::optional<T> get(Value& v) {
    if (!v.given) return std::nullopt;
    return std::optional<T>(ParamOf<T>::get(v));
  }
};

inline Result to_result(Tensor t) { return Result(std::move(t)); }
template <class... Ts>
Result to_result(std::tuple<Ts...> t) {
  return std::apply([](auto&... each) { return Result(std::vector<Tensor>{std::move(each)...}); }, t);
}
template <class T>
Result to_result(T value) {
  return Result(std::move(value));
}

template <class R>
constexpr const char* result_title() {
  if constexpr (std::is_same_v<R, Tensor>)
    return "Tensor";
  else if constexpr (std::is_void_v<R>)
    return "None";
  else if constexpr (std::is_same_v<R, bool>)
    return "bool";
  else if constexpr (std::is_same_v<R, int64_t>)
    return "int";
  else if constexpr (std::is_same_v<R, double>)
    return "float";
  else if constexpr (std::is_same_v<R, Scalar>)
    return "Number";
  else if constexpr (std::is_same_v<R, DType>)
    return "dtype";
  else if constexpr (std::is_same_v<R, Dims>)
    return "tuple of ints";
  else if constexpr (std::is_same_v<R, std::string>)
    return "str";
  else if constexpr (std::is_same_v<R, Result>)
    return "Any";
  else
    return "tuple of Tensors";
}

template <class F>
struct Signature;
template <class R, class... Args>
struct Signature<R (*)(Args...)> {
  template <class T>
  using Bare = Unwrapped<std::remove_cvref_t<T>>;
  static constexpr uint8_t count = sizeof...(Args);
  static constexpr const char* result = result_title<std::remove_cvref_t<R>>();
  static constexpr std::array<Param, count + 1> params{ParamOf<typename Bare<Args>::type>::kind..., Param::Int};
  static constexpr std::array<bool, count + 1> optional{Bare<Args>::optional..., false};
  template <auto function, size_t... I>
  static Result call(const Out*, Value* v, std::index_sequence<I...>) {
    if constexpr (std::is_void_v<R>) {
      function(Bare<Args>::get(v[I])...);
      return Result();
    } else {
      return to_result(function(Bare<Args>::get(v[I])...));
    }
  }
};
template <class R, class... Args>
struct Signature<R (*)(const Out&, Args...)> {
  using Plain = Signature<R (*)(Args...)>;
  static constexpr uint8_t count = Plain::count;
  static constexpr const char* result = Plain::result;
  static constexpr const auto& params = Plain::params;
  static constexpr const auto& optional = Plain::optional;
  template <auto function, size_t... I>
  static Result call(const Out* out, Value* v, std::index_sequence<I...>) {
    return to_result(function(*out, Plain::template Bare<Args>::get(v[I])...));
  }
};

template <class F>
inline constexpr bool takes_out = false;
template <class R, class... Args>
inline constexpr bool takes_out<R (*)(const Out&, Args...)> = true;

Result give_all(const Out& out, Result result);

template <auto function>
Result thunk(const Out& out, Value* values) {
  using S = Signature<decltype(function)>;
  auto indices = std::make_index_sequence<S::count>{};
  if constexpr (takes_out<decltype(function)>) {
    return S::template call<function>(&out, values, indices);
  } else {
    Result result = S::template call<function>(nullptr, values, indices);
    if (out.form() == Out::Form::Function) return result;
    return give_all(out, std::move(result));
  }
}

}  // namespace detail

using OptionalTensors = detail::OptionalTensors;

// The record's forward, from a C++ function: `Tensor f(const Tensor& input, int64_t dim, std::optional<DType> dtype)`.
// A function whose first parameter is `const Out&` writes its results there itself; for any other, in-place and out=
// forms copy the result.
template <auto function>
inline constexpr Forward forward_of = [] {
  using S = detail::Signature<decltype(function)>;
  Forward forward{&detail::thunk<function>, S::params.data(), S::optional.data(), S::count, S::result};
  for (int i = 0; i < S::count; ++i) {
    if (is_tensor_parameter(S::params[i])) forward.tensors |= 1U << i;
    if (is_list_parameter(S::params[i])) forward.lists |= 1U << i;
  }
  return forward;
}();

}  // namespace lumbre

#define LB_JOIN_(a, b) a##b
#define LB_JOIN(a, b) LB_JOIN_(a, b)
// Registers a record: LB_OPERATOR(.signature = "...", .doc = R"(...)", .forward = forward_of<f>, .derivative = ...);
#define LB_OPERATOR(...)                                                            \
  static const ::lumbre::Operator LB_JOIN(operator_record_, __LINE__){__VA_ARGS__}; \
  static const ::lumbre::Registration LB_JOIN(operator_registration_, __LINE__)(LB_JOIN(operator_record_, __LINE__))
