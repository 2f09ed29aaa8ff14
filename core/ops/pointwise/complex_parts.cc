// What operators on complex numbers are for real ones; the parts of a floating-point number.
#include "kernels/math.h"
#include "ops/pointwise.h"

namespace lumbre {
namespace LB_LEVEL {

#if LB_BASELINE
Tensor itself(const Tensor& input) { return input; }
Tensor imag(const Tensor&) { fail(ErrorKind::Runtime, "imag is not implemented for tensors with non-complex dtypes."); }
bool never(const Tensor&) { return false; }
#endif
LB_RECORD(.signature = "real(input)", .doc = R"(The real part: the tensor itself.

>>> torch.real(torch.tensor([1.]))
tensor([1.]))",
          .forward = forward_of<itself>, .derivative = LB_GRADIENT("AliasBackward0", "", g), .forms = kFunction);
LB_RECORD(.signature = "imag(input)", .doc = "The imaginary part. Raises RuntimeError: there are no complex dtypes.",
          .forward = forward_of<imag>, .derivative = LB_GRADIENT("AliasBackward0", "", g), .forms = kFunction);
LB_RECORD(.signature = "conj(input)", .doc = R"(The complex conjugate: the tensor itself.

>>> torch.conj(torch.tensor([1.]))
tensor([1.]))",
          .forward = forward_of<itself>, .derivative = LB_GRADIENT("AliasBackward0", "", g),
          .aliases = "resolve_conj resolve_neg");
LB_RECORD(.signature = "conj_physical(input, *, out=None)", .doc = R"(The complex conjugate: the tensor itself.

>>> torch.conj_physical(torch.tensor([1.]))
tensor([1.]))",
          .forward = forward_of<itself>, .derivative = LB_GRADIENT("AliasBackward0", "", g), .forms = kUnaryForms);
LB_RECORD(.signature = "is_conj(input)", .doc = R"(Whether the tensor is a lazy conjugate: never.

>>> torch.is_conj(torch.tensor([1.]))
False)",
          .forward = forward_of<never>, .derivative = kNotDifferentiable, .aliases = "is_neg");

struct Angle : Floats {
  template <class T>
  T operator()(T x) const {
    return x != x ? x : x < T(0) ? math::kPi<T> : T(0);
  }
};
LB_LOOPS(Angle, .name = "angle", .promotion = Promotion::Floating);
LB_RECORD(.signature = "angle(input, *, out=None)",
          .doc = R"(The angle of each number in the complex plane: pi below 0, else 0; NaN stays.

>>> torch.angle(torch.tensor([-1., 2.]))
tensor([3.1416, 0.0000]))",
          .forward = forward_of<unary_forward<Angle_spec>>, .derivative = LB_ZERO_GRADIENT("AngleBackward0"));

struct FrexpMantissa : Floats {
  template <class T>
  T operator()(T x) const {
    int exponent = 0;
    return std::frexp(x, &exponent);
  }
};
LB_LOOPS(FrexpMantissa, .name = "frexp");
// The exponent as a number of the same dtype: at most 1074, exact in all of them but bfloat16, whose own stay below
// 256.
struct FrexpExponent : Floats {
  template <class T>
  T operator()(T x) const {
    int exponent = 0;
    std::frexp(x, &exponent);
    return x - x == T(0) ? static_cast<T>(exponent) : T(0);
  }
};
LB_LOOPS(FrexpExponent, .name = "frexp");
#if LB_BASELINE
std::tuple<Tensor, Tensor> frexp(const Out& out, const Tensor& input) {
  LB_CHECK(is_floating(input.dtype()), Runtime, "torch.frexp() only supports floating-point dtypes");
  if (const Tensor* mantissa = out.target(0))
    LB_CHECK(mantissa->dtype() == input.dtype(), Runtime, "torch.frexp() expects mantissa to have dtype ",
             dtype_title(input.dtype()), " but got ", dtype_title(mantissa->dtype()));
  if (const Tensor* exponent = out.target(1))
    LB_CHECK(exponent->dtype() == DType::Int32, Runtime, "torch.frexp() expects exponent to have int dtype but got ",
             c_type_name(exponent->dtype()));
  const Tensor exponents = pointwise(FrexpExponent_spec, Out(), {input}).to(DType::Int32);
  return {out.give(pointwise(FrexpMantissa_spec, Out(), {input}), 0), out.give(exponents, 1)};
}
#endif
LB_RECORD(.signature = "frexp(input, *, out=None) -> (mantissa, exponent)",
          .doc = R"(The mantissa in [0.5, 1) and the exponent of 2 (int32) of each element.

Raises RuntimeError for dtypes that are not floating-point.

>>> torch.frexp(torch.tensor([6.])).exponent
tensor([3], dtype=torch.int32))",
          .forward = forward_of<frexp>,
          .derivative = gradients(
              "FrexpBackward0",
              [](Backward& b) {
                if (b.has(0)) b.give(0, op::div(b.grad(0), op::call<"exp2">(op::cast(b.result(1), b.dtype(0)))));
              },
              "0:s"));

}  // namespace LB_LEVEL
}  // namespace lumbre
