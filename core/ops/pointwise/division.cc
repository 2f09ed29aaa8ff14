// Quotients and remainders.
#include "kernels/math.h"
#include "ops/pointwise.h"

namespace lumbre {
namespace LB_LEVEL {

struct Div : FloatsAndBFloat16 {
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

// The remainders of at most kSpread pairs, with the dividends' signs. fma makes x - qy exact while the quotient is
// exact; what is left (huge quotients, zeros, infinities, NaN) goes to the library.
template <class T>
void remainders(const T* a, const T* b, T* to, int64_t count) {
  using Wide = double;  // holds the product of a float and any quotient below the limit
  constexpr bool library =
#ifdef __FMA__
      false;
#else
      std::is_same_v<T, double>;
#endif
  constexpr Wide limit = library ? 0 : sizeof(T) == 4 ? 0x1p28 : 0x1p52;
  const auto is_hard = [](Wide x, Wide y) { return !(math::abs(x / y) < limit) | !(math::abs(y) < math::kInf<Wide>); };
  int64_t hard = 0;
  for (int64_t i = 0; i < count; ++i) {
    const Wide x = a[i], y = math::abs(static_cast<Wide>(b[i])), size = math::abs(x);
    const Wide rest = math::fma(-std::trunc(size / y), y, size);
    to[i] = static_cast<T>(math::copysign(rest < 0 ? rest + y : rest, x));
    hard += is_hard(x, y);
  }
  for (int64_t i = 0; hard > 0 && i < count; ++i)
    if (is_hard(a[i], b[i])) to[i] = std::fmod(a[i], b[i]);
}

// out = f(a, b, remainder of a / b), in blocks: out may be a or b.
template <class T, class F>
void map_remainders(T* out, const T* a, const T* b, int64_t count, F f) {
  T rest[kSpread];
  for (int64_t from = 0; from < count; from += kSpread) {
    const int64_t some = count - from < kSpread ? count - from : kSpread;
    remainders(a + from, b + from, rest, some);
#pragma GCC ivdep
    for (int64_t i = 0; i < some; ++i) out[from + i] = f(a[from + i], b[from + i], rest[i]);
  }
}

// Floor division as Python defines it: the quotient of a minus its remainder, corrected to the nearest whole number.
struct DivFloor : Numbers {
  template <class T>
  T operator()(T a, T b) const {
    if constexpr (std::is_floating_point_v<T>) {
      return floored(a, b, std::fmod(a, b));
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
  template <class T>
    requires std::is_floating_point_v<T>
  static void map(T* out, const T* a, const T* b, int64_t count) {
    map_remainders(out, a, b, count, floored<T>);
  }
  // Below 2^50 no quotient of doubles is rounded up to a whole number, and its division is several times as quick.
  static void map(int64_t* out, const int64_t* a, const int64_t* b, int64_t count) {
    constexpr uint64_t kExact = uint64_t{1} << 50;
    const auto fits = [](int64_t x) { return static_cast<uint64_t>(x) + kExact < 2 * kExact; };
    for (int64_t from = 0; from < count; from += kSpread) {
      const int64_t to = count - from < kSpread ? count : from + kSpread;
      int64_t hard = 0;
      for (int64_t i = from; i < to; ++i) hard |= !fits(a[i]) | !fits(b[i]) | (b[i] == 0);
      if (hard) {
        for (int64_t i = from; i < to; ++i) out[i] = DivFloor{}(a[i], b[i]);
        continue;
      }
#pragma GCC ivdep
      for (int64_t i = from; i < to; ++i)
        out[i] = static_cast<int64_t>(std::floor(static_cast<double>(a[i]) / static_cast<double>(b[i])));
    }
  }
  template <class T>
  static T floored(T a, T b, T remainder) {
    const T quotient = (a - remainder) / b - ((remainder != T(0)) & ((b < T(0)) != (remainder < T(0))) ? T(1) : T(0));
    const T floor = std::floor(quotient), near = quotient - floor > T(0.5) ? floor + T(1) : floor;
    const T signed_near = quotient == T(0) ? math::copysign(T(0), a / b) : near;
    return b == T(0) ? a / b : signed_near;
  }
};
LB_LOOPS(DivFloor, .name = "div_floor_cpu", .accepts = kNumberDTypes);

// The remainder with the divisor's sign.
struct Remainder : Numbers {
  template <class T>
  T operator()(T a, T b) const {
    if constexpr (std::is_floating_point_v<T>) {
      return with_sign_of_divisor(a, b, std::fmod(a, b));
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
  template <class T>
    requires std::is_floating_point_v<T>
  static void map(T* out, const T* a, const T* b, int64_t count) {
    map_remainders(out, a, b, count, with_sign_of_divisor<T>);
  }
  template <class T>
  static T with_sign_of_divisor(T, T b, T remainder) {
    return (remainder != T(0)) & ((b < T(0)) != (remainder < T(0))) ? remainder + b : remainder;
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
  template <class T>
    requires std::is_floating_point_v<T>
  static void map(T* out, const T* a, const T* b, int64_t count) {
    map_remainders(out, a, b, count, [](T, T, T remainder) { return remainder; });
  }
};
LB_LOOPS(Fmod, .name = "fmod_cpu", .accepts = kNumberDTypes);

struct Reciprocal : FloatsAndBFloat16 {
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
