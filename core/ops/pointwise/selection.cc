// Choosing between elements: extremes, bounds, where, interpolation, sums of products.
#include "kernels/math.h"
#include "ops/pointwise.h"
#if LB_BASELINE
#include "kernels/index.h"
#endif

namespace lumbre {
namespace LB_LEVEL {

// NaN wins in maximum and minimum, loses in fmax and fmin.
struct Maximum : AllAndBFloat16 {
  template <class T>
  T operator()(T a, T b) const {
    return a != a ? a : b != b ? b : a > b ? a : b;
  }
};
LB_LOOPS(Maximum, .name = "maximum");
struct Minimum : AllAndBFloat16 {
  template <class T>
  T operator()(T a, T b) const {
    return a != a ? a : b != b ? b : a < b ? a : b;
  }
};
LB_LOOPS(Minimum, .name = "minimum");
struct Fmax : NumbersAndBool {
  template <class T>
  T operator()(T a, T b) const {
    return a != a ? b : b != b ? a : a >= b ? a : b;
  }
};
LB_LOOPS(Fmax, .name = "fmax");
struct Fmin : NumbersAndBool {
  template <class T>
  T operator()(T a, T b) const {
    return a != a ? b : b != b ? a : a <= b ? a : b;
  }
};
LB_LOOPS(Fmin, .name = "fmin");

#if LB_BASELINE
template <const PointwiseSpec& spec>
Tensor extreme(const Out& out, const Tensor& input, const Tensor& other) {
  return pointwise(spec, out, {input, other});
}
#endif
LB_RECORD(.signature = "maximum(input, other, *, out=None)",
          .doc = R"(The greater of each pair of elements; NaN if either is.

>>> torch.maximum(torch.tensor([1, 5]), torch.tensor([3, 2]))
tensor([3, 5]))",
          .forward = forward_of<extreme<Maximum_spec>>,
          .derivative = gradients("MaximumBackward0", extreme_gradient<"gt", false>, "0:01 1:01"));
LB_RECORD(.signature = "minimum(input, other, *, out=None)",
          .doc = R"(The lesser of each pair of elements; NaN if either is.

>>> torch.minimum(torch.tensor([1, 5]), torch.tensor([3, 2]))
tensor([1, 2]))",
          .forward = forward_of<extreme<Minimum_spec>>,
          .derivative = gradients("MinimumBackward0", extreme_gradient<"lt", false>, "0:01 1:01"));
LB_RECORD(.signature = "fmax(input, other, *, out=None)",
          .doc = R"(The greater of each pair of elements, NaN only if both are.

>>> torch.fmax(torch.tensor([1., float("nan")]), torch.tensor([3., 2.]))
tensor([3., 2.]))",
          .forward = forward_of<extreme<Fmax_spec>>,
          .derivative = gradients("FmaxBackward0", extreme_gradient<"gt", true>, "0:01 1:01"));
LB_RECORD(.signature = "fmin(input, other, *, out=None)",
          .doc = R"(The lesser of each pair of elements, NaN only if both are.

>>> torch.fmin(torch.tensor([1., float("nan")]), torch.tensor([3., 2.]))
tensor([1., 2.]))",
          .forward = forward_of<extreme<Fmin_spec>>,
          .derivative = gradients("FminBackward0", extreme_gradient<"lt", true>, "0:01 1:01"));
LB_RECORD(.signature = "max(input, other, *, out=None)", .doc = R"(The greater of each pair of elements: see maximum.

>>> torch.max(torch.tensor([1, 5]), torch.tensor([3, 2]))
tensor([3, 5]))",
          .forward = forward_of<extreme<Maximum_spec>>,
          .derivative = gradients("MaximumBackward0", extreme_gradient<"gt", false>, "0:01 1:01"));
LB_RECORD(.signature = "min(input, other, *, out=None)", .doc = R"(The lesser of each pair of elements: see minimum.

>>> torch.min(torch.tensor([1, 5]), torch.tensor([3, 2]))
tensor([1, 2]))",
          .forward = forward_of<extreme<Minimum_spec>>,
          .derivative = gradients("MinimumBackward0", extreme_gradient<"lt", false>, "0:01 1:01"));

// An element that is NaN stays; a bound that is NaN makes it NaN; the upper bound wins where they cross.
struct ClampBoth : Numbers {
  template <class T>
  T operator()(T x, T low, T high) const {
    return Minimum{}(Maximum{}(x, low), high);
  }
};
LB_LOOPS(ClampBoth, .name = "clamp", .accepts = kNumberDTypes);
struct ClampNumbers : NumbersAndBFloat16 {
  double low_real, high_real;
  int64_t low_int, high_int;
  bool has_low, has_high;
  template <class T>
  T operator()(T x) const {
    const T low = std::is_floating_point_v<T> ? static_cast<T>(low_real) : static_cast<T>(low_int);
    const T high = std::is_floating_point_v<T> ? static_cast<T>(high_real) : static_cast<T>(high_int);
    const T raised = has_low && (x < low || low != low) ? low : x;
    return has_high && (raised > high || high != high) ? high : raised;
  }
};
LB_LOOPS(ClampNumbers, .name = "clamp", .accepts = kNumberDTypes);

#if LB_BASELINE
Tensor clamp(const Out& out, const Tensor& input, std::optional<Operand> min, std::optional<Operand> max) {
  LB_CHECK(min || max, Runtime, "torch.clamp: At least one of 'min' or 'max' must not be None");
  PromotionState state;
  state.add(input);
  for (const auto& bound : {min, max}) {
    if (!bound) continue;
    if (bound->is_tensor())
      state.add(bound->tensor());
    else
      state.add(bound->scalar());
  }
  const bool numbers = !(min && min->is_tensor()) && !(max && max->is_tensor());
  if (numbers && state.result() == input.dtype()) {
    const ClampNumbers functor{{},
                               min ? min->scalar().as_double() : 0,
                               max ? max->scalar().as_double() : 0,
                               min ? min->scalar().as_int() : 0,
                               max ? max->scalar().as_int() : 0,
                               min.has_value(),
                               max.has_value()};
    return pointwise(ClampNumbers_spec, out, {input}, &functor);
  }
  if (min && max) return pointwise(ClampBoth_spec, out, {input, *min, *max});
  return pointwise(min ? Maximum_spec : Minimum_spec, out, {input, min ? *min : *max});
}
Tensor clamp_by_tensors(const Out& out, const Tensor& input, std::optional<Tensor> min, std::optional<Tensor> max) {
  return clamp(out, input, min ? std::optional<Operand>(*min) : std::nullopt,
               max ? std::optional<Operand>(*max) : std::nullopt);
}
Tensor clamp_by_numbers(const Out& out, const Tensor& input, std::optional<Scalar> min, std::optional<Scalar> max) {
  return clamp(out, input, min ? std::optional<Operand>(*min) : std::nullopt,
               max ? std::optional<Operand>(*max) : std::nullopt);
}
Tensor clamp_min(const Out& out, const Tensor& input, Operand min) { return clamp(out, input, min, std::nullopt); }
Tensor clamp_max(const Out& out, const Tensor& input, Operand max) { return clamp(out, input, std::nullopt, max); }
#endif
LB_RECORD(.signature = "clamp(input, min=None, max=None, *, out=None)",
          .doc = R"(Each element moved into [min, max]; the bounds are tensors here.

Raises RuntimeError when neither bound is given. Where min > max the result is max.

>>> torch.clamp(torch.tensor([-1., 0.5, 2.]), torch.tensor(0.), torch.tensor(1.))
tensor([0.0000, 0.5000, 1.0000]))",
          .forward = forward_of<clamp_by_tensors>,
          .derivative = gradients("ClampBackward0", clamp_tensors_gradient, "0:012 1:012 2:012"), .forms = kUnaryForms,
          .aliases = "clip");
LB_RECORD(.signature = "clamp(input, min=None, max=None, *, out=None)",
          .doc = R"(Each element moved into [min, max]; the bounds are numbers here.

Raises RuntimeError when neither bound is given. Where min > max the result is max.

>>> torch.clamp(torch.tensor([-1., 0.5, 2.]), 0, 1)
tensor([0.0000, 0.5000, 1.0000]))",
          .forward = forward_of<clamp_by_numbers>,
          .derivative = LB_GRADIENT("ClampBackward1", "0:0", clamp_gradient(g, b)), .forms = kUnaryForms,
          .aliases = "clip");
LB_RECORD(.signature = "clamp_min(input, min, *, out=None)", .doc = R"(Each element, or `min` where that is greater.

>>> torch.clamp_min(torch.tensor([-1., 2.]), 0)
tensor([0., 2.]))",
          .forward = forward_of<clamp_min>,
          .derivative = LB_GRADIENTS("ClampMinBackward0|ClampMinBackward1", "0:01 1:01",
                                     where(b.compare<"ge">(0, 1), g, Scalar(0.0)),
                                     where(b.compare<"lt">(0, 1), g, Scalar(0.0))),
          .forms = kUnaryForms);
LB_RECORD(.signature = "clamp_max(input, max, *, out=None)", .doc = R"(Each element, or `max` where that is less.

>>> torch.clamp_max(torch.tensor([-1., 2.]), 0)
tensor([-1.,  0.]))",
          .forward = forward_of<clamp_max>,
          .derivative = LB_GRADIENTS("ClampMaxBackward0|ClampMaxBackward1", "0:01 1:01",
                                     where(b.compare<"le">(0, 1), g, Scalar(0.0)),
                                     where(b.compare<"gt">(0, 1), g, Scalar(0.0))),
          .forms = kUnaryForms);

struct Heaviside : NumbersAndBool {
  template <class T>
  T operator()(T x, T value) const {
    return x == T(0) ? value : static_cast<T>(x > T(0));
  }
};
LB_LOOPS(Heaviside, .name = "heaviside");
#if LB_BASELINE
Tensor heaviside(const Out& out, const Tensor& input, const Tensor& values) {
  LB_CHECK(input.dtype() == values.dtype(), Runtime,
           "heaviside is not yet implemented for tensors with different dtypes.");
  return pointwise(Heaviside_spec, out, {input, values});
}
#endif
LB_RECORD(.signature = "heaviside(input, values, *, out=None)",
          .doc = R"(The step function: 0 below 0, 1 above, `values` at 0.

>>> torch.heaviside(torch.tensor([-1., 0., 1.]), torch.tensor([0.5]))
tensor([0.0000, 0.5000, 1.0000]))",
          .forward = forward_of<heaviside>, .derivative = kDerivativeUnknown, .forms = kEveryForm);

struct Lerp : Floats {
  template <class T>
  T operator()(T start, T end, T weight) const {
    return math::abs(weight) < T(0.5) ? start + weight * (end - start) : end - (end - start) * (T(1) - weight);
  }
};
LB_LOOPS(Lerp, .name = "lerp", .accepts = kFloatingDTypes);
#if LB_BASELINE
// dtypes as that operator's messages name them
const char* long_type_name(DType dtype) {
  return dtype == DType::Int64 ? "long int" : dtype == DType::Int16 ? "short int" : c_type_name(dtype);
}
Tensor lerp(const Out& out, const Tensor& input, const Tensor& end, Operand weight) {
  LB_CHECK(input.dtype() == end.dtype(), Runtime, "expected dtype ", long_type_name(input.dtype()),
           " for `end` but got dtype ", long_type_name(end.dtype()));
  if (weight.is_tensor())
    LB_CHECK(weight.dtype() == input.dtype(), Runtime, "expected dtype ", long_type_name(input.dtype()),
             " for `weight` but got dtype ", long_type_name(weight.dtype()));
  LB_CHECK(is_floating(input.dtype()), NotImplemented,
           weight.is_tensor() ? "\"lerp_kernel_tensor\"" : "\"lerp_kernel_scalar\"", " not implemented for '",
           dtype_title(input.dtype()), "'");
  return pointwise(Lerp_spec, out, {input, end, weight});
}
#endif
LB_RECORD(.signature = "lerp(input, end, weight, *, out=None)",
          .doc = R"(input + weight * (end - input). All of one floating-point dtype.

>>> torch.lerp(torch.tensor([0.]), torch.tensor([10.]), 0.25)
tensor([2.5000]))",
          .forward = forward_of<lerp>, .derivative = gradients("LerpBackward0", lerp_gradient, "0:2 1:2 2:01"),
          .forms = kEveryForm);

struct AddCMul : NumbersAndBFloat16 {
  double real;
  int64_t integer;
  template <class T>
  T operator()(T x, T a, T b) const {
    if constexpr (std::is_floating_point_v<T>)
      return x + static_cast<T>(real) * a * b;
    else
      return static_cast<T>(static_cast<uint64_t>(x) +
                            static_cast<uint64_t>(integer) * static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
  }
};
LB_LOOPS(AddCMul, .name = "addcmul_cpu_out", .accepts = kNumberDTypes);
struct AddCDiv : Floats {
  double real;
  template <class T>
  T operator()(T x, T a, T b) const {
    return x + static_cast<T>(real) * (a / b);
  }
};
LB_LOOPS(AddCDiv, .name = "addcdiv_cpu_out", .accepts = kFloatingDTypes);
#if LB_BASELINE
Tensor addcmul(const Out& out, const Tensor& input, const Tensor& tensor1, const Tensor& tensor2, Scalar value) {
  const AddCMul functor{{}, value.as_double(), value.as_int()};
  return pointwise(AddCMul_spec, out, {input, tensor1, tensor2}, &functor);
}
Tensor addcdiv(const Out& out, const Tensor& input, const Tensor& tensor1, const Tensor& tensor2, Scalar value) {
  LB_CHECK(!is_integral(tensor1.dtype(), true) || !is_integral(tensor2.dtype(), true), Runtime,
           "Integer division with addcdiv is no longer supported, and in a future  release addcdiv will perform a true "
           "division of tensor1 and tensor2. The historic addcdiv behavior can be implemented as (input + value * "
           "torch.trunc(tensor1 / tensor2)).to(input.dtype) for integer inputs and as (input + value * tensor1 / "
           "tensor2) for float inputs. The future addcdiv behavior is just the latter implementation: (input + value * "
           "tensor1 / tensor2), for all dtypes.");
  const AddCDiv functor{{}, value.as_double()};
  return pointwise(AddCDiv_spec, out, {input, tensor1, tensor2}, &functor);
}
#endif
LB_RECORD(.signature = "addcmul(input, tensor1, tensor2, *, value=1, out=None)",
          .doc = R"(input + value * tensor1 * tensor2.

>>> torch.addcmul(torch.tensor([1.]), torch.tensor([2.]), torch.tensor([3.]), value=10)
tensor([61.]))",
          .forward = forward_of<addcmul>, .derivative = gradients("AddcmulBackward0", addcmul_gradient, "1:2 2:1"),
          .forms = kEveryForm);
LB_RECORD(.signature = "addcdiv(input, tensor1, tensor2, *, value=1, out=None)",
          .doc = R"(input + value * tensor1 / tensor2. Floating-point only.

>>> torch.addcdiv(torch.tensor([1.]), torch.tensor([6.]), torch.tensor([3.]), value=10)
tensor([21.]))",
          .forward = forward_of<addcdiv>, .derivative = gradients("AddcdivBackward0", addcdiv_gradient, "1:2 2:12"),
          .forms = kEveryForm);

struct Ldexp : Floats {
  template <class T>
  T operator()(T x, T exponent) const {
    return x * math::pow(T(2), exponent);
  }
};
LB_LOOPS(Ldexp, .name = "ldexp", .promotion = Promotion::Floating);
LB_TENSORS("ldexp", Ldexp,
           LB_GRADIENTS("LdexpBackward0", "0:1 1:01", g* call<"exp2">(b.input(1)),
                        g* b.input(0) * call<"exp2">(b.input(1)) * Scalar(0.69314718055994530942)),
           R"(input * 2 ** other.

>>> torch.ldexp(torch.tensor([1.]), torch.tensor([3]))
tensor([8.]))",
           .forms = kUnaryForms);

#if LB_BASELINE
// Elements of a where the condition is not 0, else of b, which has a's dtype.
Tensor choose(const Tensor& condition, const Tensor& a, const Tensor& b) {
  Plan plan;
  plan.add_new_output(a.dtype());
  for (const Tensor* input : {&condition, &a, &b}) plan.add_input(*input);
  plan.build("where");
  const DType dtypes[4] = {a.dtype(), condition.dtype(), a.dtype(), a.dtype()};
  plan.run_elementwise(move_loops(a.item_bytes()).choose, dtypes, nullptr);
  return plan.output();
}

Tensor where(const Out& out, const Tensor& condition, Operand input, Operand other) {
  LB_CHECK(condition.dtype() == DType::Bool || condition.dtype() == DType::UInt8, Runtime,
           "where expected condition to be a boolean tensor, but got a tensor with dtype ",
           dtype_title(condition.dtype()));
  PromotionState state;
  for (const Operand* operand : {&input, &other}) {
    if (operand->is_tensor())
      state.add(operand->tensor());
    else
      state.add(operand->scalar());
  }
  const DType dtype = state.result();
  const Tensor a = input.is_tensor() ? input.tensor().to(dtype) : Tensor::scalar(input.scalar(), dtype);
  const Tensor b = other.is_tensor() ? other.tensor().to(dtype) : Tensor::scalar(other.scalar(), dtype);
  const Tensor result = choose(condition, a, b);
  return out.form() == Out::Form::Function ? result : out.give(result);
}
#endif
LB_RECORD(.signature = "where(condition, input, other, *, out=None)",
          .doc = R"(Elements of `input` where `condition` holds, else of `other`; either may be a number.

>>> torch.where(torch.tensor([True, False]), 1., torch.tensor([5., 6.]))
tensor([1., 6.]))",
          .forward = forward_of<where>, .derivative = gradients("WhereBackward0", where_gradient, "1:0 2:0"),
          .forms = kFunction);

}  // namespace LB_LEVEL
}  // namespace lumbre
