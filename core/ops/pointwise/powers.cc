// Powers and roots.
#include "kernels/math.h"
#include "kernels/vectors.h"
#include "ops/pointwise.h"

namespace lumbre {
namespace LB_LEVEL {

struct Pow : Numbers {
  static constexpr bool kSpreads = true;
  template <class T>
  LB_MATH T operator()(T a, T b) const {
    if constexpr (std::is_floating_point_v<T>)
      return math::pow(a, b);
    else {
      // A negative exponent gives the whole part of the quotient: 0 but for bases 1 and -1.
      if constexpr (std::is_signed_v<T>)
        if (b < 0) return a == 1 ? T(1) : a == T(-1) ? (b % 2 == 0 ? T(1) : T(-1)) : T(0);
      uint64_t result = 1, base = static_cast<uint64_t>(a);
      for (auto e = static_cast<uint64_t>(b); e; e >>= 1, base *= base)
        if (e & 1) result *= base;
      return static_cast<T>(result);
    }
  }
};
LB_LOOPS(Pow, .name = "pow", .accepts = kNumberDTypes);

struct Cube : Numbers {
  template <class T>
  T operator()(T x) const {
    if constexpr (std::is_floating_point_v<T>)
      return x * x * x;
    else
      return static_cast<T>(static_cast<uint64_t>(x) * static_cast<uint64_t>(x) * static_cast<uint64_t>(x));
  }
};
LB_LOOPS(Cube, .name = "pow", .accepts = kNumberDTypes);
struct PowerTwo : Numbers {
  template <class T>
  T operator()(T x) const {
    if constexpr (std::is_floating_point_v<T>)
      return x * x;
    else
      return static_cast<T>(static_cast<uint64_t>(x) * static_cast<uint64_t>(x));
  }
};
LB_LOOPS(PowerTwo, .name = "pow", .accepts = kNumberDTypes);

struct InverseSquare : Floats {
  template <class T>
  T operator()(T x) const {
    return T(1) / (x * x);
  }
};
LB_LOOPS(InverseSquare, .name = "pow", .accepts = kFloatingDTypes);

struct Sqrt : FloatsAndBFloat16 {
  template <class T>
  T operator()(T x) const {
    return math::sqrt(x);
  }
#ifdef __AVX512F__
  // The instruction takes four times as long as the steps of Goldschmidt's that give the same: from 14 bits of 1 / root
  // twice as many each time, and what the last root lacks of its square. Numbers whose squares' ends would underflow
  // go to the instruction.
  static __m512d roots(__m512d x) {
    const __m512d half = _mm512_set1_pd(0.5), lowest = _mm512_set1_pd(0x1p-900), highest = _mm512_set1_pd(0x1p1000);
    const __mmask8 plain = _mm512_cmp_pd_mask(x, lowest, _CMP_GE_OQ) & _mm512_cmp_pd_mask(x, highest, _CMP_LE_OQ);
    if (plain != 0xff) return _mm512_maskz_sqrt_pd(0xff, x);
    const __m512d start = _mm512_maskz_rsqrt14_pd(0xff, x);
    __m512d root = _mm512_mul_pd(x, start), slope = _mm512_mul_pd(start, half);
    for (int step = 0; step < 2; ++step) {
      const __m512d rest = _mm512_fnmadd_pd(root, slope, half);
      root = _mm512_fmadd_pd(root, rest, root);
      slope = _mm512_fmadd_pd(slope, rest, slope);
    }
    return _mm512_fmadd_pd(_mm512_fnmadd_pd(root, root, x), slope, root);
  }
  static void map(double* out, const double* in, int64_t count) {
    int64_t i = 0;
    for (; i + 8 <= count; i += 8) _mm512_storeu_pd(out + i, roots(_mm512_loadu_pd(in + i)));
    for (; i < count; ++i) out[i] = math::sqrt(in[i]);
  }
#endif
};
LB_LOOPS(Sqrt, .name = "sqrt", .promotion = Promotion::Floating);
LB_UNARY("sqrt", Sqrt, LB_GRADIENT("SqrtBackward0", "0:r", g / (b.result() * Scalar(2))),
         R"(The square root of each element: NaN below 0.

>>> torch.sqrt(torch.tensor([4., 9.]))
tensor([2., 3.]))");

struct Rsqrt : FloatsAndBFloat16 {
  template <class T>
  T operator()(T x) const {
    return T(1) / math::sqrt(x);
  }
};
LB_LOOPS(Rsqrt, .name = "rsqrt", .promotion = Promotion::Floating);
LB_UNARY("rsqrt", Rsqrt, LB_GRADIENT("RsqrtBackward0", "0:r", g*(call<"pow">(b.result(), Scalar(3)) * Scalar(-0.5))),
         R"(The reciprocal of the square root of each element.

>>> torch.rsqrt(torch.tensor([4.]))
tensor([0.5000]))");

#if LB_BASELINE
extern const PointwiseSpec Reciprocal_spec;  // of division.cc

void check_exponent(const Operand& base, const Operand& exponent) {
  const bool whole = is_integral(base.dtype(), true) && !exponent.is_tensor() && !exponent.scalar().is_float();
  LB_CHECK(!whole || exponent.scalar().as_int() >= 0, Runtime, "Integers to negative integer powers are not allowed.");
}
Tensor pow(const Out& out, Operand input, Operand exponent) {
  check_exponent(input, exponent);
  if (input.is_tensor() && !exponent.is_tensor() && is_floating(input.dtype())) {
    const double power = exponent.scalar().as_double();
    if (power == 1 && !out.target()) return input.tensor().clone();
    if (power == 2) return pointwise(PowerTwo_spec, out, {input});
    if (power == -1) return pointwise(Reciprocal_spec, out, {input});
    if (power == -2) return pointwise(InverseSquare_spec, out, {input});
    if (power == 3) return pointwise(Cube_spec, out, {input});
    if (power == 0.5) return pointwise(Sqrt_spec, out, {input});
    if (power == -0.5) return pointwise(Rsqrt_spec, out, {input});
  }
  // x ** True is x and x ** False is 1, also for booleans, which have no power otherwise.
  if (input.is_tensor() && input.dtype() == DType::Bool && !exponent.is_tensor() && exponent.scalar().is_bool())
    return out.give(exponent.scalar().as_bool() ? input.tensor().clone()
                                                : Tensor::full(input.tensor().sizes(), Scalar(true), DType::Bool));
  return pointwise(Pow_spec, out, {input, exponent});
}
Tensor power_of_tensor(const Out& out, const Tensor& input, Operand exponent) { return pow(out, input, exponent); }
Tensor power_of_number(const Out& out, Scalar input, const Tensor& exponent) { return pow(out, input, exponent); }
Tensor reversed_pow(const Out& out, const Tensor& input, Operand other) { return pow(out, other, input); }

Tensor float_power(const Out& out, Operand input, Operand exponent) {
  if (out.target())
    LB_CHECK(
        out.target()->dtype() == DType::Float64, Runtime,
        out.in_place() ? "the base given to float_power_ has dtype " : "the output given to float_power has dtype ",
        dtype_title(out.target()->dtype()), " but the operation's result requires dtype Double");
  Tensor base, power;
  const auto widened = [](const Operand& x, Tensor& kept) -> Operand {
    if (!x.is_tensor()) return Operand(Scalar(x.scalar().as_double()));
    kept = x.tensor().to(DType::Float64);
    return Operand(kept);
  };
  const Operand a = widened(input, base), b = widened(exponent, power);
  return pointwise(Pow_spec, out, {a, b});
}
Tensor float_power_of_tensor(const Out& out, const Tensor& input, Operand exponent) {
  return float_power(out, input, exponent);
}
Tensor float_power_of_number(const Out& out, Scalar input, const Tensor& exponent) {
  return float_power(out, input, exponent);
}
#endif
LB_RECORD(.signature = "pow(input, exponent, *, out=None)",
          .doc = R"(input to the power of exponent; either may be a number.

Raises RuntimeError for integers to a negative integer power.

>>> torch.pow(torch.tensor([1., 2., 3.]), 2)
tensor([1., 4., 9.]))",
          .forward = forward_of<power_of_tensor>,
          .derivative = gradients("PowBackward0|PowBackward1", power_gradient, "0:01 1:01r"), .forms = kEveryForm);
LB_RECORD(.signature = "pow(input, exponent, *, out=None)", .doc = R"(The same with a number first.

>>> torch.pow(2, torch.tensor([1., 3.]))
tensor([2., 8.]))",
          .forward = forward_of<power_of_number>,
          .derivative = gradients("PowBackward1", exponent_gradient<0, 1>, "1:1r"), .forms = kFunction);
LB_RECORD(.signature = "float_power(input, exponent, *, out=None)",
          .doc = R"(input to the power of exponent, in float64.

>>> torch.float_power(torch.tensor([2]), -1)
tensor([0.5000], dtype=torch.float64))",
          .forward = forward_of<float_power_of_tensor>,
          .derivative = gradients("PowBackward0|PowBackward1", power_gradient, "0:01 1:01r"), .forms = kEveryForm);
LB_RECORD(.signature = "float_power(input, exponent, *, out=None)", .doc = R"(The same with a number first.

>>> torch.float_power(2, torch.tensor([3]))
tensor([8.], dtype=torch.float64))",
          .forward = forward_of<float_power_of_number>,
          .derivative = gradients("PowBackward1", exponent_gradient<0, 1>, "1:1r"), .forms = kFunction);
LB_RECORD(.signature = "_reversed_pow(input, other)", .doc = "other ** input.", .forward = forward_of<reversed_pow>,
          .derivative = gradients("PowBackward1", exponent_gradient<1, 0>, "0:0r"), .forms = kHidden);

}  // namespace LB_LEVEL
}  // namespace lumbre
