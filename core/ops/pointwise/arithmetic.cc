// Sums, products, quotients.
#include "kernels/math.h"
#include "ops/pointwise.h"

namespace lumbre {
namespace LB_LEVEL {

struct Add : AllAndBFloat16 {
  template <class T>
  T operator()(T a, T b) const {
    return static_cast<T>(a + b);
  }
};
LB_LOOPS(Add, .name = "add");

struct AddScaled : AllAndBFloat16 {
  double real;
  int64_t integer;
  template <class T>
  T operator()(T a, T b) const {
    if constexpr (std::is_floating_point_v<T>)
      return a + static_cast<T>(real) * b;
    else
      return static_cast<T>(a + static_cast<T>(integer) * b);
  }
};
LB_LOOPS(AddScaled, .name = "add");

#if LB_BASELINE
// alpha must not be of a higher category than the result.
void check_alpha(Scalar alpha, const Tensor& input, const Operand& other) {
  PromotionState state;
  state.add(input);
  if (other.is_tensor())
    state.add(other.tensor());
  else
    state.add(other.scalar());
  const DType result = state.result();
  LB_CHECK(!alpha.is_bool() || result == DType::Bool, Runtime, "Boolean alpha only supported for Boolean results.");
  LB_CHECK(is_floating(result) || !alpha.is_float(), Runtime,
           "For integral input tensors, argument alpha must not be a floating point number.");
}

Tensor add(const Out& out, const Tensor& input, Operand other, Scalar alpha) {
  if (alpha.kind() == Scalar::Kind::Int && alpha.as_int() == 1) return pointwise(Add_spec, out, {input, other});
  check_alpha(alpha, input, other);
  AddScaled scaled{{}, alpha.as_double(), alpha.as_int()};
  return pointwise(AddScaled_spec, out, {input, other}, &scaled);
}
#endif

LB_RECORD(.signature = "add(input, other, *, alpha=1, out=None)",
          .doc = R"(The sum input + alpha * other, element by element.

The shapes are broadcast and the dtypes promoted. `other` may be a number. Raises RuntimeError where the shapes do not
fit or `alpha` is of a higher category than the result.

>>> torch.add(torch.tensor([1., 2.]), torch.tensor([3., 4.]), alpha=10)
tensor([31., 42.]))",
          .forward = forward_of<add>, .derivative = LB_GRADIENTS("AddBackward0", "", g, scaled(g, b.scalar(2))),
          .forms = kEveryForm);

#if LB_BASELINE
Tensor add_to_number(const Out& out, Scalar input, const Tensor& other, Scalar alpha) {
  if (alpha.kind() == Scalar::Kind::Int && alpha.as_int() == 1) return pointwise(Add_spec, out, {input, other});
  check_alpha(alpha, other, input);
  const AddScaled scaled{{}, alpha.as_double(), alpha.as_int()};
  return pointwise(AddScaled_spec, out, {input, other}, &scaled);
}
#endif
LB_RECORD(.signature = "add(input, other, *, alpha=1, out=None)", .doc = R"(The same with a number first.

>>> torch.add(1, torch.tensor([3., 5.]))
tensor([4., 6.]))",
          .forward = forward_of<add_to_number>, .derivative = LB_SECOND_GRADIENT("AddBackward0", "", g),
          .forms = kFunction);

struct Sub : NumbersAndBFloat16 {
  template <class T>
  T operator()(T a, T b) const {
    return static_cast<T>(a - b);
  }
};
LB_LOOPS(Sub, .name = "sub", .accepts = kNumberDTypes);

#if LB_BASELINE
void check_no_bool(const Operand& a, const Operand& b) {
  const auto boolean = [](const Operand& x) { return x.dtype() == DType::Bool; };
  LB_CHECK(!(boolean(a) && boolean(b)), Runtime,
           "Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` or `logical_xor()` "
           "operator instead.");
  LB_CHECK(
      !boolean(a) && !boolean(b), Runtime,
      "Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying to invert a mask, use "
      "the `~` or `logical_not()` operator instead.");
}

Tensor sub(const Out& out, const Tensor& input, Operand other, Scalar alpha) {
  check_no_bool(input, other);
  if (alpha.kind() == Scalar::Kind::Int && alpha.as_int() == 1) return pointwise(Sub_spec, out, {input, other});
  check_alpha(alpha, input, other);
  AddScaled scaled{{}, -alpha.as_double(), static_cast<int64_t>(-static_cast<uint64_t>(alpha.as_int()))};
  return pointwise(AddScaled_spec, out, {input, other}, &scaled);
}
Tensor rsub(const Out& out, const Tensor& input, Operand other, Scalar alpha);
Tensor sub_from_number(const Out& out, Scalar input, const Tensor& other, Scalar alpha) {
  return rsub(out, other, input, alpha);
}
Tensor rsub(const Out& out, const Tensor& input, Operand other, Scalar alpha) {
  check_no_bool(input, other);
  if (alpha.kind() == Scalar::Kind::Int && alpha.as_int() == 1) return pointwise(Sub_spec, out, {other, input});
  check_alpha(alpha, input, other);
  AddScaled scaled{{}, -alpha.as_double(), static_cast<int64_t>(-static_cast<uint64_t>(alpha.as_int()))};
  return pointwise(AddScaled_spec, out, {other, input}, &scaled);
}
#endif
LB_RECORD(.signature = "sub(input, other, *, alpha=1, out=None)", .doc = R"(The difference input - alpha * other.

Raises RuntimeError for bool tensors.

>>> torch.sub(torch.tensor([3., 5.]), 1)
tensor([2., 4.]))",
          .forward = forward_of<sub>, .derivative = LB_GRADIENTS("SubBackward0", "", g, -scaled(g, b.scalar(2))),
          .forms = kEveryForm, .aliases = "subtract");
LB_RECORD(.signature = "sub(input, other, *, alpha=1, out=None)", .doc = R"(The same with a number first.

>>> torch.sub(1, torch.tensor([3., 5.]))
tensor([-2., -4.]))",
          .forward = forward_of<sub_from_number>,
          .derivative = LB_SECOND_GRADIENT("RsubBackward1", "", -scaled(g, b.scalar(2))), .forms = kFunction,
          .aliases = "subtract");
LB_RECORD(.signature = "rsub(input, other, *, alpha=1)", .doc = R"(The reversed difference other - alpha * input.

>>> torch.rsub(torch.tensor([3., 5.]), 1)
tensor([-2., -4.]))",
          .forward = forward_of<rsub>, .derivative = LB_GRADIENTS("RsubBackward1", "", -scaled(g, b.scalar(2)), g),
          .forms = kFunction, .aliases = "__rsub__");

struct Mul : AllAndBFloat16 {
  template <class T>
  T operator()(T a, T b) const {
    // Two uint16-sized factors would overflow the int they are promoted to; unsigned products wrap.
    if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>)
      return static_cast<T>(static_cast<std::make_unsigned_t<T>>(a) *
                            static_cast<uint64_t>(static_cast<std::make_unsigned_t<T>>(b)));
    else
      return static_cast<T>(a * b);
  }
};
LB_LOOPS(Mul, .name = "mul");
LB_BINARY("mul", Mul, LB_GRADIENTS("MulBackward0", "0:1 1:0", b.times(g, 1), b.times(g, 0)),
          R"(The product of each pair of elements.

>>> torch.mul(torch.tensor([1., 2.]), 10)
tensor([10., 20.]))",
          .aliases = "multiply");
LB_RECORD(.signature = "mul(input, other, *, out=None)", .doc = R"(The same with a number first.

>>> torch.mul(10, torch.tensor([1., 2.]))
tensor([10., 20.]))",
          .forward = forward_of<number_forward<Mul_spec>>,
          .derivative = LB_SECOND_GRADIENT("MulBackward0", "", g* b.scalar(0)), .forms = kFunction,
          .aliases = "multiply");

struct Neg : NumbersAndBFloat16 {
  template <class T>
  T operator()(T x) const {
    if constexpr (std::is_integral_v<T>)
      return static_cast<T>(-static_cast<std::make_unsigned_t<T>>(x));
    else
      return -x;
  }
};
LB_LOOPS(Neg, .name = "neg", .accepts = kNumberDTypes);
#if LB_BASELINE
Tensor neg(const Out& out, const Tensor& input) {
  LB_CHECK(input.dtype() != DType::Bool, Runtime,
           "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to invert a mask, use the "
           "`~` or `logical_not()` operator instead.");
  return pointwise(Neg_spec, out, {input});
}
Tensor positive(const Tensor& input) {
  LB_CHECK(input.dtype() != DType::Bool, Runtime, "The `+` operator, on a bool tensor is not supported.");
  return input;
}
#endif
LB_RECORD(.signature = "neg(input, *, out=None)", .doc = R"(The negative of each element. Raises RuntimeError for bool.

>>> torch.neg(torch.tensor([1., -2.]))
tensor([-1.,  2.]))",
          .forward = forward_of<neg>, .derivative = LB_GRADIENT("NegBackward0", "", -g), .forms = kUnaryForms,
          .aliases = "negative");
LB_RECORD(.signature = "positive(input)", .doc = R"(The tensor itself. Raises RuntimeError for bool.

>>> torch.positive(torch.tensor([1., -2.]))
tensor([ 1., -2.]))",
          .forward = forward_of<positive>, .derivative = LB_GRADIENT("AliasBackward0", "", g));

struct Abs : NumbersAndBFloat16 {
  template <class T>
  T operator()(T x) const {
    if constexpr (std::is_floating_point_v<T>)
      return math::abs(x);
    else if constexpr (std::is_unsigned_v<T>)
      return x;
    else
      return static_cast<T>(x < 0 ? -static_cast<std::make_unsigned_t<T>>(x) : static_cast<std::make_unsigned_t<T>>(x));
  }
};
LB_LOOPS(Abs, .name = "abs_cpu", .accepts = kNumberDTypes);
LB_UNARY("abs", Abs, LB_GRADIENT("AbsBackward0", "0:0", g* call<"sign">(b.input(0))),
         R"(The absolute value of each element.

>>> torch.abs(torch.tensor([-1, 2]))
tensor([1, 2]))",
         .aliases = "absolute");

struct Sign : NumbersAndBool {
  template <class T>
  T operator()(T x) const {
    if constexpr (std::is_same_v<T, bool>)
      return x;
    else
      return static_cast<T>((x > T(0)) - (x < T(0)));
  }
};
LB_LOOPS(Sign, .name = "sign");
LB_RECORD(.signature = "sign(input, *, out=None)", .doc = R"(-1, 0 or 1, by the sign of each element; 0 for NaN.

>>> torch.sign(torch.tensor([-3., 0., 2.]))
tensor([-1.,  0.,  1.]))",
          .forward = forward_of<unary_forward<Sign_spec>>, .derivative = LB_ZERO_GRADIENT("SignBackward0"),
          .forms = kEveryForm, .aliases = "sgn");

struct Square : NumbersAndBFloat16 {
  template <class T>
  T operator()(T x) const {
    return Mul{}(x, x);
  }
};
LB_LOOPS(Square, .name = "square");
#if LB_BASELINE
// A power with the number 2: bool becomes int64.
Tensor square(const Out& out, const Tensor& input) {
  return pointwise(Square_spec, out, {input.dtype() == DType::Bool ? input.to(DType::Int64) : input});
}
#endif
LB_RECORD(.signature = "square(input, *, out=None)", .doc = R"(The square of each element.

>>> torch.square(torch.tensor([2., -3.]))
tensor([4., 9.]))",
          .forward = forward_of<square>, .derivative = LB_GRADIENT("PowBackward0", "0:0", g*(b.input(0) * Scalar(2.0))),
          .forms = kUnaryForms);

struct Copysign : Floats {
  template <class T>
  T operator()(T x, T y) const {
    return math::copysign(x, y);
  }
};
LB_LOOPS(Copysign, .name = "copysign", .promotion = Promotion::Floating);
LB_BINARY("copysign", Copysign,
          LB_GRADIENTS("CopysignBackward0", "0:0r",
                       where(call<"eq">(b.input(0), Scalar(0)), Scalar(0.0), g*(b.result() / b.input(0))),
                       zeros(b.sizes(1), b.dtype(1))),
          R"(The magnitude of `input` with the sign of `other`.

>>> torch.copysign(torch.tensor([1., 2.]), torch.tensor([-1., 1.]))
tensor([-1.,  2.]))");

struct NextAfter {
  using Types = TypeList<Half, BFloat16, float, double>;
  // The neighbours of a 16-bit number differ by one in their bits, as those of the wide types do.
  template <class T>
    requires is_half_type<T>
  T operator()(T x, T y) const {
    const float a = static_cast<float>(x), b = static_cast<float>(y);
    if (a != a || b != b) return T(a + b);
    if (a == b) return y;
    T next;
    if (a == 0)
      next.bits = static_cast<uint16_t>((y.bits & 0x8000u) | 1u);
    else
      next.bits = static_cast<uint16_t>((a < b) == (a > 0) ? x.bits + 1 : x.bits - 1);
    return next;
  }
  template <class T>
  T operator()(T x, T y) const {
    if (x != x || y != y) return x + y;
    if (x == y) return y;
    if (x == T(0)) return math::copysign(std::numeric_limits<T>::denorm_min(), y);
    const auto bits = math::bits_of(x);
    return std::bit_cast<T>((x < y) == (x > T(0)) ? bits + 1 : bits - 1);
  }
};
LB_LOOPS(NextAfter, .name = "nextafter_cpu", .accepts = kFloatingDTypes);
LB_TENSORS("nextafter", NextAfter,
           LB_GRADIENTS("NextafterBackward0", "0:01", where(call<"eq">(b.input(0), b.input(1)), Scalar(0.0), g),
                        zeros(b.sizes(1), b.dtype(1))),
           R"(The next representable number after `input` towards `other`. Floating-point dtypes only.

>>> torch.nextafter(torch.tensor([1.], dtype=torch.float64), torch.tensor([2.], dtype=torch.float64)) > 1
tensor([True]))",
           .forms = kEveryForm);

}  // namespace LB_LEVEL
}  // namespace lumbre
