// Rounding.
#include "kernels/math.h"
#include "ops/pointwise.h"

namespace lumbre {
namespace LB_LEVEL {

// Whole numbers are their own roundings.
#define LB_ROUNDING(F, function)                 \
  struct F : NumbersAndBFloat16 {                \
    template <class T>                           \
    T operator()(T x) const {                    \
      if constexpr (std::is_floating_point_v<T>) \
        return function(x);                      \
      else                                       \
        return x;                                \
    }                                            \
  }

LB_ROUNDING(Ceil, std::ceil);
LB_LOOPS(Ceil, .name = "ceil_vml_cpu", .accepts = kNumberDTypes);
LB_UNARY("ceil", Ceil, LB_ZERO_GRADIENT("CeilBackward0"), R"(Each element rounded up.

>>> torch.ceil(torch.tensor([0.5, -0.5]))
tensor([1., -0.]))");

LB_ROUNDING(Floor, std::floor);
LB_LOOPS(Floor, .name = "floor_vml_cpu", .accepts = kNumberDTypes);
LB_UNARY("floor", Floor, LB_ZERO_GRADIENT("FloorBackward0"), R"(Each element rounded down.

>>> torch.floor(torch.tensor([0.5, -0.5]))
tensor([ 0., -1.]))");

LB_ROUNDING(Trunc, std::trunc);
LB_LOOPS(Trunc, .name = "trunc_vml_cpu", .accepts = kNumberDTypes);
LB_UNARY("trunc", Trunc, LB_ZERO_GRADIENT("TruncBackward0"), R"(Each element rounded towards 0.

>>> torch.trunc(torch.tensor([1.5, -1.5]))
tensor([ 1., -1.]))",
         .aliases = "fix");

LB_ROUNDING(RoundEven, std::nearbyint);
LB_LOOPS(RoundEven, .name = "round_vml_cpu", .accepts = kNumberDTypes);

struct RoundDecimals : Floats {
  double scale;  // 10 to the number of decimals
  bool negative;
  template <class T>
  T operator()(T x) const {
    const T ten = static_cast<T>(scale);
    return negative ? std::nearbyint(x / ten) * ten : std::nearbyint(x * ten) / ten;
  }
};
LB_LOOPS(RoundDecimals, .name = "round_cpu", .accepts = kFloatingDTypes);

struct Frac : Floats {
  template <class T>
  T operator()(T x) const {
    return x - std::trunc(x);
  }
};
LB_LOOPS(Frac, .name = "frac_cpu", .accepts = kFloatingDTypes);
LB_UNARY("frac", Frac, LB_GRADIENT("FracBackward0", "", g), R"(The fractional part of each element, with its sign.

>>> torch.frac(torch.tensor([1.5, -1.5]))
tensor([ 0.5000, -0.5000]))");

#if LB_BASELINE
Tensor round_decimals(const Out& out, const Tensor& input, int64_t decimals) {
  if (decimals == 0) return pointwise(RoundEven_spec, out, {input});
  const RoundDecimals functor{{}, std::pow(10.0, std::fabs(static_cast<double>(decimals))), decimals < 0};
  return pointwise(RoundDecimals_spec, out, {input}, &functor);
}
#endif
LB_RECORD(.signature = "round(input, *, decimals=0, out=None)",
          .doc = R"(Each element rounded to the nearest whole number, halves to even.

With `decimals`, to that many places after the point (before it when negative).

>>> torch.round(torch.tensor([0.5, 1.5, -2.7]))
tensor([ 0.,  2., -3.]))",
          .forward = forward_of<round_decimals>, .derivative = LB_ZERO_GRADIENT("RoundBackward0"), .forms = kUnaryForms,
          .aliases = "special.round");

struct NanToNum : Floats {
  double nan, high, low;
  bool has_high, has_low;
  template <class T>
  T operator()(T x) const {
    const T top = has_high ? static_cast<T>(high) : limit(true, x),
            bottom = has_low ? static_cast<T>(low) : limit(false, x);
    return x != x ? static_cast<T>(nan) : x == math::kInf<T> ? top : x == -math::kInf<T> ? bottom : x;
  }
  double type_high, type_low;  // the largest and lowest of the dtype that is stored
  template <class T>
  T limit(bool upper, T) const {
    return static_cast<T>(upper ? type_high : type_low);
  }
};
LB_LOOPS(NanToNum, .name = "nan_to_num", .accepts = kFloatingDTypes);
#if LB_BASELINE
Tensor nan_to_num(const Out& out, const Tensor& input, std::optional<double> nan, std::optional<double> posinf,
                  std::optional<double> neginf) {
  if (!is_floating(input.dtype())) return out.give(input.clone());
  const double largest = input.dtype() == DType::Float16    ? 65504.0
                         : input.dtype() == DType::BFloat16 ? 0x1.fep127
                         : input.dtype() == DType::Float32  ? std::numeric_limits<float>::max()
                                                            : std::numeric_limits<double>::max();
  const NanToNum functor{
      {},      nan.value_or(0), posinf.value_or(0), neginf.value_or(0), posinf.has_value(), neginf.has_value(),
      largest, -largest};
  return pointwise(NanToNum_spec, out, {input}, &functor);
}
#endif
LB_RECORD(.signature = "nan_to_num(input, nan=None, posinf=None, neginf=None, *, out=None)",
          .doc = R"(NaN becomes `nan` (0), infinities `posinf` and `neginf` (the dtype's largest and lowest numbers).

>>> torch.nan_to_num(torch.tensor([float("nan"), 1.]))
tensor([0., 1.]))",
          .forward = forward_of<nan_to_num>,
          .derivative = LB_GRADIENT("NanToNumBackward0", "0:0", where(call<"isfinite">(b.input(0)), g, Scalar(0.0))),
          .forms = kUnaryForms);

}  // namespace LB_LEVEL
}  // namespace lumbre
