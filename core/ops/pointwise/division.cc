// Quotients and remainders.
#include "kernels/math.h"
#include "ops/pointwise.h"

namespace lumbre {
namespace LB_LEVEL {

struct Div : Floats {
  template <class T>
  T operator()(T a, T b) const {
    return a / b;
  }
};
LB_LOOPS(Div, .name = "div", .promotion = Promotion::Floating);

// Raised inside a loop, where nothing else tells that a divisor was 0: integers have no infinity.
[[noreturn, gnu::cold, gnu::noinline]] static void fail_zero_division() {
  fail(ErrorKind::ZeroDivision, "ZeroDivisionError");
}

template <class T>
T checked_divisor(T b) {
  if (__builtin_expect(b == 0, 0)) fail_zero_division();
  return b;
}

struct DivTrunc {
  using Types = TypeList<uint8_t, int32_t, int64_t, Half, BFloat16, float, double>;
  // The quotient is rounded to 16 bits before it loses its fraction.
  template <class T>
    requires is_half_type<T>
  T operator()(T a, T b) const {
    return T(std::trunc(static_cast<float>(T(static_cast<float>(a) / static_cast<float>(b)))));
  }
  template <class T>
  T operator()(T a, T b) const {
    if constexpr (std::is_floating_point_v<T>)
      return std::trunc(a / b);
    else {
      checked_divisor(b);
      if constexpr (std::is_signed_v<T>)
        if (b == T(-1)) return static_cast<T>(-static_cast<std::make_unsigned_t<T>>(a));
      return static_cast<T>(a / b);
    }
  }
};
LB_LOOPS(DivTrunc, .name = "div_trunc_cpu", .accepts = kNumberDTypes);

// Floor division as Python defines it: the quotient of a minus its remainder, corrected to the nearest whole number.
struct DivFloor : Numbers {
  template <class T>
  T operator()(T a, T b) const {
    if constexpr (std::is_floating_point_v<T>) {
      if (b == T(0)) return a / b;
      T remainder = std::fmod(a, b);
      T quotient = (a - remainder) / b;
      if (remainder != T(0) && (b < T(0)) != (remainder < T(0))) quotient -= T(1);
      if (quotient == T(0)) return math::copysign(T(0), a / b);
      const T floored = std::floor(quotient);
      return quotient - floored > T(0.5) ? floored + T(1) : floored;
    } else {
      checked_divisor(b);
      if constexpr (std::is_signed_v<T>) {
        if (b == T(-1)) return static_cast<T>(-static_cast<std::make_unsigned_t<T>>(a));
        const T quotient = static_cast<T>(a / b);
        return static_cast<T>(quotient - (a % b != 0 && (a < 0) != (b < 0)));
      } else {
        return static_cast<T>(a / b);
      }
    }
  }
};
LB_LOOPS(DivFloor, .name = "div_floor_cpu", .accepts = kNumberDTypes);

// The remainder with the divisor's sign.
struct Remainder : Numbers {
  template <class T>
  T operator()(T a, T b) const {
    if constexpr (std::is_floating_point_v<T>) {
      const T remainder = std::fmod(a, b);
      return remainder != T(0) && (b < T(0)) != (remainder < T(0)) ? remainder + b : remainder;
    } else {
      checked_divisor(b);
      if constexpr (std::is_signed_v<T>) {
        if (b == T(-1)) return 0;
        const T remainder = static_cast<T>(a % b);
        return static_cast<T>(remainder != 0 && (b < 0) != (remainder < 0) ? remainder + b : remainder);
      } else {
        return static_cast<T>(a % b);
      }
    }
  }
};
LB_LOOPS(Remainder, .name = "remainder_cpu", .accepts = kNumberDTypes);

// The remainder with the dividend's sign.
struct Fmod : Numbers {
  template <class T>
  T operator()(T a, T b) const {
    if constexpr (std::is_floating_point_v<T>)
      return std::fmod(a, b);
    else {
      checked_divisor(b);
      if constexpr (std::is_signed_v<T>)
        if (b == T(-1)) return 0;
      return static_cast<T>(a % b);
    }
  }
};
LB_LOOPS(Fmod, .name = "fmod_cpu", .accepts = kNumberDTypes);

struct Reciprocal : Floats {
  template <class T>
  T operator()(T x) const {
    return T(1) / x;
  }
};
LB_LOOPS(Reciprocal, .name = "reciprocal", .promotion = Promotion::Floating);
LB_UNARY("reciprocal", Reciprocal, LB_GRADIENT("ReciprocalBackward0", "0:r", -g*(b.result() * b.result())), R"(1 / x.

>>> torch.reciprocal(torch.tensor([2., 4.]))
tensor([0.5000, 0.2500]))");

#if LB_BASELINE
const PointwiseSpec& rounded_spec(const std::optional<std::string>& mode) {
  if (!mode) return Div_spec;
  if (*mode == "trunc") return DivTrunc_spec;
  LB_CHECK(*mode == "floor", Runtime, "div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '",
           *mode, "'");
  return DivFloor_spec;
}
Tensor div(const Out& out, const Tensor& input, Operand other, std::optional<std::string> rounding_mode) {
  return pointwise(rounded_spec(rounding_mode), out, {input, other});
}
Tensor true_divide(const Out& out, const Tensor& input, Operand other) {
  return pointwise(Div_spec, out, {input, other});
}

template <const PointwiseSpec& spec>
Tensor reversed(const Out& out, const Tensor& input, Operand other) {
  return pointwise(spec, out, {other, input});
}
Tensor div_of_number(const Out& out, Scalar input, const Tensor& other, std::optional<std::string> rounding_mode) {
  return pointwise(rounded_spec(rounding_mode), out, {input, other});
}
#endif

LB_RECORD(.signature = "div(input, other, *, rounding_mode=None, out=None)",
          .doc = R"(The quotient of each pair of elements.

Integers give floating-point quotients unless `rounding_mode` is "trunc" (towards 0) or "floor" (down).

>>> torch.div(torch.tensor([7, -7]), 2, rounding_mode="floor")
tensor([ 3, -4]))",
          .forward = forward_of<div>,
          .derivative = gradients("DivBackward0!DivBackward2", quotient_gradient, "0:1 1:01"), .forms = kEveryForm,
          .aliases = "divide");
LB_RECORD(.signature = "div(input, other, *, rounding_mode=None, out=None)", .doc = R"(The same with a number first.

>>> torch.div(1, torch.tensor([2., 4.]))
tensor([0.5000, 0.2500]))",
          .forward = forward_of<div_of_number>,
          .derivative = gradients("DivBackward0", reversed_quotient_gradient, "1:1"), .forms = kFunction,
          .aliases = "divide");
LB_BINARY("true_divide", Div, gradients("DivBackward0", quotient_gradient, "0:1 1:01"),
          R"(The floating-point quotient of each pair of elements.

>>> torch.true_divide(torch.tensor([1, 3]), 2)
tensor([0.5000, 1.5000]))");
LB_RECORD(.signature = "true_divide(input, other, *, out=None)", .doc = R"(The same with a number first.

>>> torch.true_divide(1, torch.tensor([2, 4]))
tensor([0.5000, 0.2500]))",
          .forward = forward_of<number_forward<Div_spec>>,
          .derivative = gradients("DivBackward0", reversed_quotient_gradient, "1:1"), .forms = kFunction);
LB_BINARY("floor_divide", DivFloor, kDerivativeUnknown, R"(The quotient of each pair of elements, rounded down.

Raises ZeroDivisionError (a RuntimeError) where integers are divided by 0.

>>> torch.floor_divide(torch.tensor([7, -7]), 2)
tensor([ 3, -4]))");
LB_RECORD(.signature = "floor_divide(input, other, *, out=None)", .doc = R"(The same with a number first.

>>> torch.floor_divide(7, torch.tensor([2, 4]))
tensor([3, 1]))",
          .forward = forward_of<number_forward<DivFloor_spec>>, .derivative = kDerivativeUnknown, .forms = kFunction);
LB_RECORD(.signature = "remainder(input, other, *, out=None)",
          .doc = R"(The remainder of the division, with the sign of `other`.

>>> torch.remainder(torch.tensor([-3., 3.]), 2)
tensor([1., 1.]))",
          .forward = forward_of<binary_forward<Remainder_spec>>,
          .derivative = LB_GRADIENTS("RemainderBackward0|RemainderBackward1", "1:01", g,
                                     -g* call<"floor">(b.input(0) / b.input(1))),
          .forms = kEveryForm);
LB_RECORD(.signature = "remainder(input, other, *, out=None)", .doc = R"(The same with a number first.

>>> torch.remainder(7, torch.tensor([2, 4]))
tensor([1, 3]))",
          .forward = forward_of<number_forward<Remainder_spec>>,
          .derivative = LB_SECOND_GRADIENT("RemainderBackward1", "1:1",
                                           -g* call<"floor">(call<"reciprocal">(b.input(1)) * b.scalar(0))),
          .forms = kFunction);
LB_BINARY("fmod", Fmod,
          LB_GRADIENTS("FmodBackward0|FmodBackward1", "1:01", g, -g* call<"trunc">(b.input(0) / b.input(1))),
          R"(The remainder of the division, with the sign of `input`.

>>> torch.fmod(torch.tensor([-3., 3.]), 2)
tensor([-1.,  1.]))");
LB_RECORD(.signature = "_reversed_div(input, other)", .doc = "other / input.",
          .forward = forward_of<reversed<Div_spec>>,
          .derivative = LB_GRADIENTS("MulBackward0", "0:01 1:0", -b.times(g, 1) / (b.input(0) * b.input(0)),
                                     g / b.input(0)),
          .forms = kHidden);
LB_RECORD(.signature = "_reversed_floor_divide(input, other)", .doc = "other // input.",
          .forward = forward_of<reversed<DivFloor_spec>>, .derivative = kDerivativeUnknown, .forms = kHidden);
LB_RECORD(.signature = "_reversed_remainder(input, other)", .doc = "other % input.",
          .forward = forward_of<reversed<Remainder_spec>>, .derivative = kDerivativeRefused, .forms = kHidden);

}  // namespace LB_LEVEL
}  // namespace lumbre
