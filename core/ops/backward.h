// What a derivative is written with: the gradients that come in, the saved tensors and arguments, and the operators
// themselves as functions (namespace op), which are recorded when gradients of gradients are wanted.
#pragma once

#include "ops/recording.h"

namespace lumbre {

namespace op {
template <size_t N>
struct Name {  // a string as a template argument
  char text[N];
  constexpr Name(const char (&s)[N]) { std::copy_n(s, N, text); }
};

}  // namespace op

class Backward {
 public:
  Backward(OperatorNode& node, autograd::Gradients& taken, autograd::Gradients& given)
      : node_(node), taken_(taken), given_(given) {}

  // The gradient of a result. Undefined when nothing depends on that result.
  const Tensor& grad(int result = 0) const { return taken_[static_cast<size_t>(result)]; }
  bool has(int result) const { return taken_[static_cast<size_t>(result)].defined(); }
  size_t grad_count() const { return taken_.size(); }
  // Whether anybody asks for the gradient of a parameter (of a member of a list).
  bool needs(int parameter) const { return node_.wants(parameter); }
  bool needs_member(size_t member) const;

  // Saved tensors; `uses` of the derivative says which there are.
  Tensor input(int parameter) const;
  Tensor result(int k = 0) const;
  std::vector<Tensor> members() const;
  // A tensor or number, whichever was given.
  bool is_tensor(int parameter) const;
  std::string_view record_name() const {
    const std::string_view signature = node_.record().signature;
    return signature.substr(0, signature.find('('));
  }
  Param kind(int parameter) const { return value(parameter).kind; }
  const Dims& result_sizes(size_t k) const { return node_.result_sizes_[k]; }
  int parameter_count() const { return node_.record().forward.count; }
  // this parameter against that tensor or number, with a comparison operator.
  template <op::Name name>
  Tensor compare(int parameter, int other) const;
  bool given(int parameter) const { return value(parameter).given; }

  // What is known of arguments without saving them.
  const Dims& sizes(int parameter) const { return value(parameter).dims; }
  int ndim(int parameter) const { return value(parameter).dims.ndim(); }
  DType dtype(int parameter) const { return value(parameter).dtype; }
  const std::vector<Dims>& member_sizes() const { return node_.list_->sizes; }
  Scalar scalar(int parameter) const { return value(parameter).scalar; }
  int64_t integer(int parameter) const { return value(parameter).integer; }
  double real(int parameter) const { return value(parameter).real; }
  bool flag(int parameter) const { return value(parameter).flag; }
  const Dims& dims(int parameter) const { return value(parameter).dims; }
  const std::string& string(int parameter) const { return value(parameter).lists->string; }

  // Steps that many formulas share. A parameter of dimensions counts as "all" when it is -1, not given or empty.
  Tensor times(const Tensor& g, int parameter) const;  // g * the tensor or number
  std::optional<int64_t> maybe(int parameter) const {
    return given(parameter) ? std::optional<int64_t>(integer(parameter)) : std::nullopt;
  }
  Dims reduced(int dims_parameter) const;                                     // wrapped, of input 0
  Tensor unreduced(const Tensor& t, int dims_parameter, bool keepdim) const;  // reduced dimensions put back as 1
  Tensor spread(const Tensor& g, int dims_parameter, bool keepdim) const;     // ... and expanded to input 0
  double reduced_count(int dims_parameter) const;
  // An extreme's gradient, shared evenly among the elements of input 0 that equal result 0.
  Tensor share(const Tensor& g, int dims_parameter, bool keepdim) const;
  // g at the positions that `index` picked along a dimension of input 0, zero elsewhere.
  Tensor scattered(const Tensor& g, const Tensor& index, int64_t dim, bool keepdim) const;

  // The gradient of a parameter. Broadcast dimensions are summed and the dtype made the parameter's.
  void give(int parameter, Tensor gradient);
  void give_member(size_t member, Tensor gradient);  // of the list parameter

 private:
  const Value& value(int parameter) const { return node_.values_[parameter]; }

  OperatorNode& node_;
  autograd::Gradients& taken_;
  autograd::Gradients& given_;
};

// Sums over broadcast dimensions, so that the result has these sizes.
Tensor sum_to(const Tensor& t, const Dims& sizes);

namespace op {

inline constexpr std::nullopt_t none = std::nullopt;

template <class T>
constexpr Param kind_of() {
  using U = std::remove_cvref_t<T>;
  if constexpr (std::is_same_v<U, Tensor> || std::is_same_v<U, std::optional<Tensor>>)
    return Param::Tensor;
  else if constexpr (std::is_same_v<U, bool>)
    return Param::Bool;
  else if constexpr (std::is_same_v<U, Scalar>)
    return Param::Scalar;
  else if constexpr (std::is_integral_v<U>)
    return Param::Int;
  else if constexpr (std::is_floating_point_v<U>)
    return Param::Float;
  else if constexpr (std::is_same_v<U, Dims>)
    return Param::Dims;
  else if constexpr (std::is_same_v<U, DType>)
    return Param::DType;
  else if constexpr (std::is_same_v<U, std::vector<Tensor>>)
    return Param::Tensors;
  else if constexpr (std::is_same_v<U, MemoryFormat>)
    return Param::MemoryFormat;
  else if constexpr (std::is_same_v<U, std::nullopt_t>)
    return Param::Generator;  // stands for None, which every optional parameter takes
  else if constexpr (std::is_same_v<U, std::optional<int64_t>>)
    return Param::Int;
  else if constexpr (std::is_same_v<U, std::optional<DType>>)
    return Param::DType;
  else
    return Param::String;
}

void put(Value& value, Param wanted, const Tensor& tensor);
void put(Value& value, Param wanted, Scalar scalar);
void put(Value& value, Param wanted, const Dims& dims);
void put(Value& value, Param wanted, DType dtype);
void put(Value& value, Param wanted, MemoryFormat format);
void put(Value& value, Param wanted, const std::vector<Tensor>& tensors);
void put(Value& value, Param wanted, const char* text);
inline void put(Value& value, Param, std::nullopt_t) { value.given = false; }
inline void put(Value& value, Param wanted, double real) { put(value, wanted, Scalar(real)); }
inline void put(Value& value, Param wanted, bool flag) { put(value, wanted, Scalar(flag)); }
inline void put(Value& value, Param wanted, int64_t integer) { put(value, wanted, Scalar(integer)); }
inline void put(Value& value, Param wanted, int integer) { put(value, wanted, Scalar(integer)); }
inline void put(Value& value, Param wanted, std::optional<int64_t> integer) {
  if (integer)
    put(value, wanted, Scalar(*integer));
  else
    value.given = false;
}
inline void put(Value& value, Param wanted, const std::optional<Tensor>& tensor) {
  if (tensor && tensor->defined())
    put(value, wanted, *tensor);
  else
    value.given = false;
}

// An operator of the registry, called with all its arguments.
template <Name name>
struct Call {
  template <class... Args>
  static Result run(Out::Form form, const Args&... args) {
    static const Operator& record = []() -> const Operator& {
      constexpr Param kinds[] = {kind_of<Args>()...};
      return find_record(name.text, kinds);
    }();
    Value values[sizeof...(Args)];
    size_t i = 0;
    ((put(values[i], record.forward.params[i], args), ++i), ...);
    if (form != Out::Form::InPlace) return invoke(record, Out(), values);
    const Tensor target = *values[0].tensor;
    return invoke(record, Out(form, {&target, 1}), values);
  }
  template <class... Args>
  Tensor operator()(const Args&... args) const {
    return std::get<Tensor>(run(Out::Form::Function, args...));
  }
  template <class... Args>
  std::vector<Tensor> all(const Args&... args) const {
    return std::get<std::vector<Tensor>>(run(Out::Form::Function, args...));
  }
  template <class... Args>
  void in_place(const Args&... args) const {
    run(Out::Form::InPlace, args...);
  }
};

template <Name name>
inline constexpr Call<name> call{};

// The ones that formulas use most, with their usual arguments.
inline Tensor mul(const Tensor& a, const Tensor& b) { return call<"mul">(a, b); }
inline Tensor mul(const Tensor& a, Scalar b) { return call<"mul">(a, b); }
inline Tensor add(const Tensor& a, const Tensor& b) { return call<"add">(a, b, Scalar(1)); }
inline Tensor add(const Tensor& a, Scalar b) { return call<"add">(a, b, Scalar(1)); }
inline Tensor sub(const Tensor& a, const Tensor& b) { return call<"sub">(a, b, Scalar(1)); }
inline Tensor sub(const Tensor& a, Scalar b) { return call<"sub">(a, b, Scalar(1)); }
inline Tensor rsub(Scalar a, const Tensor& b) { return call<"rsub">(b, a, Scalar(1)); }
inline Tensor div(const Tensor& a, const Tensor& b) { return call<"div">(a, b, none); }
inline Tensor div(const Tensor& a, Scalar b) { return call<"div">(a, b, none); }
inline Tensor neg(const Tensor& a) { return call<"neg">(a); }
inline Tensor pow(const Tensor& a, Scalar b) { return call<"pow">(a, b); }
inline Tensor pow(const Tensor& a, const Tensor& b) { return call<"pow">(a, b); }
inline Tensor mm(const Tensor& a, const Tensor& b) { return call<"matmul">(a, b); }
inline Tensor sum(const Tensor& a, const Dims& dims, bool keepdim) { return call<"sum">(a, dims, keepdim, none); }
inline Tensor sum(const Tensor& a) { return call<"sum">(a, none, false, none); }
inline Tensor reshape(const Tensor& a, const Dims& sizes) { return call<"reshape">(a, sizes); }
inline Tensor expand(const Tensor& a, const Dims& sizes) { return call<"expand">(a, sizes, false); }
inline Tensor unsqueeze(const Tensor& a, int64_t dim) { return call<"unsqueeze">(a, dim); }
inline Tensor transpose(const Tensor& a, int64_t i, int64_t j) { return call<"transpose">(a, i, j); }
inline Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b) {
  return call<"where">(condition, a, b);
}
inline Tensor where(const Tensor& condition, const Tensor& a, Scalar b) { return call<"where">(condition, a, b); }
inline Tensor where(const Tensor& condition, Scalar a, const Tensor& b) { return call<"where">(condition, a, b); }
Tensor zeros(const Dims& sizes, DType dtype);
Tensor cast(const Tensor& a, DType dtype);

inline Tensor operator*(const Tensor& a, const Tensor& b) { return mul(a, b); }
inline Tensor operator*(const Tensor& a, Scalar b) { return mul(a, b); }
inline Tensor operator*(Scalar a, const Tensor& b) { return mul(b, a); }
inline Tensor operator+(const Tensor& a, const Tensor& b) { return add(a, b); }
inline Tensor operator+(const Tensor& a, Scalar b) { return add(a, b); }
inline Tensor operator-(const Tensor& a, const Tensor& b) { return sub(a, b); }
inline Tensor operator-(const Tensor& a, Scalar b) { return sub(a, b); }
inline Tensor operator-(Scalar a, const Tensor& b) { return rsub(a, b); }
inline Tensor operator-(const Tensor& a) { return neg(a); }
inline Tensor operator/(const Tensor& a, const Tensor& b) { return div(a, b); }
inline Tensor operator/(const Tensor& a, Scalar b) { return div(a, b); }

}  // namespace op

template <op::Name name>
Tensor Backward::compare(int parameter, int other) const {
  return is_tensor(other) ? op::call<name>(input(parameter), input(other))
                          : op::call<name>(input(parameter), scalar(other));
}
}  // namespace lumbre

// The recorded operators hide the plain functions of the same names.
#define LB_RECORDED_NAMES                                                                                            \
  using namespace ::lumbre::op;                                                                                      \
  using ::lumbre::op::cast, ::lumbre::op::expand, ::lumbre::op::reshape, ::lumbre::op::sum, ::lumbre::op::transpose, \
      ::lumbre::op::unsqueeze, ::lumbre::op::where, ::lumbre::op::zeros;

// The derivative of an operator with one differentiable input: an expression in g (the gradient) and b (Backward).
#define LB_GRADIENT(node, uses, ...)         \
  ::lumbre::gradients(                       \
      node,                                  \
      [](::lumbre::Backward& b) {            \
        LB_RECORDED_NAMES                    \
        const ::lumbre::Tensor g = b.grad(); \
        b.give(0, __VA_ARGS__);              \
      },                                     \
      uses)
// Of an operator with two: each expression is computed when it is asked for.
#define LB_GRADIENTS(node, uses, first, second) \
  ::lumbre::gradients(                          \
      node,                                     \
      [](::lumbre::Backward& b) {               \
        LB_RECORDED_NAMES                       \
        const ::lumbre::Tensor g = b.grad();    \
        if (b.needs(0)) b.give(0, first);       \
        if (b.needs(1)) b.give(1, second);      \
      },                                        \
      uses)
// The derivative is zero wherever it exists.
#define LB_SECOND_GRADIENT(node, uses, ...)  \
  ::lumbre::gradients(                       \
      node,                                  \
      [](::lumbre::Backward& b) {            \
        LB_RECORDED_NAMES                    \
        const ::lumbre::Tensor g = b.grad(); \
        b.give(1, __VA_ARGS__);              \
      },                                     \
      uses)
#define LB_ZERO_GRADIENT(node) \
  ::lumbre::gradients(node, [](::lumbre::Backward& b) { b.give(0, ::lumbre::op::zeros(b.sizes(0), b.dtype(0))); })
