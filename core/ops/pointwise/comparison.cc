// Comparisons and tests: the result is bool.
#include "kernels/math.h"
#include "ops/pointwise.h"

namespace lumbre {
namespace LB_LEVEL {

#define LB_COMPARISON(F, op)              \
  struct F : NumbersAndBool {             \
    static constexpr bool kToBool = true; \
    template <class T>                    \
    bool operator()(T a, T b) const {     \
      return a op b;                      \
    }                                     \
  }

LB_COMPARISON(Eq, ==);
LB_LOOPS(Eq, .name = "eq");
LB_COMPARISON(Ne, !=);
LB_LOOPS(Ne, .name = "ne");
LB_COMPARISON(Lt, <);
LB_LOOPS(Lt, .name = "lt");
LB_COMPARISON(Le, <=);
LB_LOOPS(Le, .name = "le");
LB_COMPARISON(Gt, >);
LB_LOOPS(Gt, .name = "gt");
LB_COMPARISON(Ge, >=);
LB_LOOPS(Ge, .name = "ge");

#if LB_BASELINE
// In place, the truth is written as a number of the tensor's own dtype.
template <const PointwiseSpec& spec>
Tensor compare(const Out& out, const Tensor& input, Operand other) {
  return pointwise(spec, out, {input, other});
}
#define LB_COMPARE(op, F, text, ...)                                                                              \
  LB_RECORD(.signature = op "(input, other, *, out=None)", .doc = text, .forward = forward_of<compare<F##_spec>>, \
            .derivative = kNotDifferentiable, .forms = kEveryForm, .aliases = __VA_ARGS__)
#else
#define LB_COMPARE(...) static_assert(true)
#endif

LB_COMPARE("eq", Eq, R"(Whether elements are equal, pair by pair.

>>> torch.eq(torch.tensor([1, 2]), torch.tensor([1, 3]))
tensor([ True, False]))",
           "");
LB_COMPARE("ne", Ne, R"(Whether elements differ, pair by pair.

>>> torch.ne(torch.tensor([1, 2]), torch.tensor([1, 3]))
tensor([False,  True]))",
           "not_equal");
LB_COMPARE("lt", Lt, R"(Whether elements of `input` are less than those of `other`.

>>> torch.lt(torch.tensor([1, 2]), 2)
tensor([ True, False]))",
           "less");
LB_COMPARE("le", Le, R"(Whether elements of `input` are at most those of `other`.

>>> torch.le(torch.tensor([1, 3]), 2)
tensor([ True, False]))",
           "less_equal");
LB_COMPARE("gt", Gt, R"(Whether elements of `input` are greater than those of `other`.

>>> torch.gt(torch.tensor([1, 3]), 2)
tensor([False,  True]))",
           "greater");
LB_COMPARE("ge", Ge, R"(Whether elements of `input` are at least those of `other`.

>>> torch.ge(torch.tensor([1, 2]), 2)
tensor([False,  True]))",
           "greater_equal");

#define LB_TEST(F, base, expression)      \
  struct F : base {                       \
    static constexpr bool kToBool = true; \
    template <class T>                    \
    bool operator()(T x) const {          \
      return expression;                  \
    }                                     \
  }

template <class T>
constexpr bool infinite([[maybe_unused]] T x) {
  if constexpr (std::is_floating_point_v<T>)
    return math::abs(x) == math::kInf<T>;
  else
    return false;
}

LB_TEST(IsNan, NumbersAndBool, x != x);
LB_LOOPS(IsNan, .name = "isnan");
LB_TEST(IsInf, NumbersAndBool, infinite(x));
LB_LOOPS(IsInf, .name = "isinf");
LB_TEST(IsFinite, NumbersAndBool, x == x && !infinite(x));
LB_LOOPS(IsFinite, .name = "isfinite");
LB_TEST(IsPosInf, NumbersAndBool, infinite(x) && x > T(0));
LB_LOOPS(IsPosInf, .name = "isposinf");
LB_TEST(IsNegInf, NumbersAndBool, infinite(x) && x < T(0));
LB_LOOPS(IsNegInf, .name = "isneginf");
LB_TEST(IsReal, NumbersAndBool, x == x || true);
LB_LOOPS(IsReal, .name = "isreal");
struct SignBit : NumbersAndBool {
  static constexpr bool kToBool = true;
  template <class T>
  bool operator()(T x) const {
    if constexpr (std::is_floating_point_v<T>)
      return math::bits_of(x) >> (sizeof(T) * 8 - 1);
    else if constexpr (std::is_signed_v<T>)
      return x < 0;
    else
      return false;
  }
};
LB_LOOPS(SignBit, .name = "signbit");
LB_TEST(LogicalNot, NumbersAndBool, x == T(0));
LB_LOOPS(LogicalNot, .name = "logical_not");

#if LB_BASELINE
template <const PointwiseSpec& spec>
Tensor test(const Tensor& input) {
  return pointwise(spec, Out(), {input});
}
// Of these an out= tensor must be bool.
template <const PointwiseSpec& spec>
Tensor test_into_bool(const Out& out, const Tensor& input) {
  LB_CHECK(!out.target() || out.target()->dtype() == DType::Bool, Runtime, spec.name,
           " does not support non-boolean outputs.");
  return pointwise(spec, out, {input});
}
#endif
LB_RECORD(.signature = "isnan(input)", .doc = R"(Whether each element is NaN.

>>> torch.isnan(torch.tensor([1., float("nan")]))
tensor([False,  True]))",
          .forward = forward_of<test<IsNan_spec>>, .derivative = kNotDifferentiable);
LB_RECORD(.signature = "isinf(input)", .doc = R"(Whether each element is infinite.

>>> torch.isinf(torch.tensor([1., float("inf")]))
tensor([False,  True]))",
          .forward = forward_of<test<IsInf_spec>>, .derivative = kNotDifferentiable);
LB_RECORD(.signature = "isfinite(input)", .doc = R"(Whether each element is neither NaN nor infinite.

>>> torch.isfinite(torch.tensor([1., float("inf")]))
tensor([ True, False]))",
          .forward = forward_of<test<IsFinite_spec>>, .derivative = kNotDifferentiable);
LB_RECORD(.signature = "isposinf(input, *, out=None)", .doc = R"(Whether each element is positive infinity.

>>> torch.isposinf(torch.tensor([1., float("inf")]))
tensor([False,  True]))",
          .forward = forward_of<test_into_bool<IsPosInf_spec>>, .derivative = kNotDifferentiable);
LB_RECORD(.signature = "isneginf(input, *, out=None)", .doc = R"(Whether each element is negative infinity.

>>> torch.isneginf(torch.tensor([1., -float("inf")]))
tensor([False,  True]))",
          .forward = forward_of<test_into_bool<IsNegInf_spec>>, .derivative = kNotDifferentiable);
LB_RECORD(.signature = "isreal(input)", .doc = R"(Whether each element is real: always, without complex dtypes.

>>> torch.isreal(torch.tensor([1.]))
tensor([True]))",
          .forward = forward_of<test<IsReal_spec>>, .derivative = kNotDifferentiable);
LB_RECORD(.signature = "signbit(input, *, out=None)",
          .doc = R"(Whether the sign bit of each element is set: also for -0.0.

>>> torch.signbit(torch.tensor([1., -0.]))
tensor([False,  True]))",
          .forward = forward_of<test_into_bool<SignBit_spec>>, .derivative = kNotDifferentiable);
LB_RECORD(.signature = "logical_not(input, *, out=None)", .doc = R"(Whether each element is zero.

>>> torch.logical_not(torch.tensor([0, 2]))
tensor([ True, False]))",
          .forward = forward_of<unary_forward<LogicalNot_spec>>, .derivative = kNotDifferentiable, .forms = kEveryForm);

#define LB_LOGICAL(F, expression)         \
  struct F : NumbersAndBool {             \
    static constexpr bool kToBool = true; \
    template <class T>                    \
    bool operator()(T a, T b) const {     \
      return expression;                  \
    }                                     \
  }
LB_LOGICAL(LogicalAnd, (a != T(0)) & (b != T(0)));
LB_LOOPS(LogicalAnd, .name = "logical_and");
LB_LOGICAL(LogicalOr, (a != T(0)) | (b != T(0)));
LB_LOOPS(LogicalOr, .name = "logical_or");
LB_LOGICAL(LogicalXor, (a != T(0)) != (b != T(0)));
LB_LOOPS(LogicalXor, .name = "logical_xor");
LB_TENSORS("logical_and", LogicalAnd, kNotDifferentiable, R"(Whether both elements are nonzero, pair by pair.

>>> torch.logical_and(torch.tensor([0, 1]), torch.tensor([1, 1]))
tensor([False,  True]))",
           .forms = kEveryForm);
LB_TENSORS("logical_or", LogicalOr, kNotDifferentiable, R"(Whether at least one element is nonzero, pair by pair.

>>> torch.logical_or(torch.tensor([0, 0]), torch.tensor([0, 1]))
tensor([False,  True]))",
           .forms = kEveryForm);
LB_TENSORS("logical_xor", LogicalXor, kNotDifferentiable, R"(Whether exactly one element is nonzero, pair by pair.

>>> torch.logical_xor(torch.tensor([0, 1]), torch.tensor([1, 1]))
tensor([ True, False]))",
           .forms = kEveryForm);

// |a - b| <= atol + rtol |b|, in double; equal infinities are close.
struct IsClose : NumbersAndBool {
  static constexpr bool kToBool = true;
  double rtol, atol;
  bool equal_nan;
  template <class T>
  bool operator()(T a, T b) const {
    if (a == b) return true;
    if constexpr (std::is_floating_point_v<T>) {
      if (a != a || b != b) return equal_nan && a != a && b != b;
      if (infinite(a) || infinite(b)) return false;
      const T allowed = static_cast<T>(atol) + math::abs(static_cast<T>(rtol) * b);
      return math::abs(a - b) <= allowed;
    } else {
      const double x = static_cast<double>(a), y = static_cast<double>(b);
      return (x > y ? x - y : y - x) <= atol + (y < 0 ? -rtol * y : rtol * y);
    }
  }
};
LB_LOOPS(IsClose, .name = "isclose");
#if LB_BASELINE
Tensor isclose(const Tensor& input, const Tensor& other, double rtol, double atol, bool equal_nan) {
  LB_CHECK(input.dtype() == other.dtype(), Runtime, dtype_title(input.dtype()), " did not match ",
           dtype_title(other.dtype()));
  LB_CHECK(rtol >= 0, Runtime, "rtol must be greater than or equal to zero, but got ", rtol);
  LB_CHECK(atol >= 0, Runtime, "atol must be greater than or equal to zero, but got ", atol);
  const IsClose functor{{}, rtol, atol, equal_nan};
  return pointwise(IsClose_spec, Out(), {input, other}, &functor);
}
#endif
LB_RECORD(.signature = "isclose(input, other, rtol=1e-05, atol=1e-08, equal_nan=False)",
          .doc = R"(Whether |input - other| <= atol + rtol * |other|, pair by pair. Both have one dtype.

>>> torch.isclose(torch.tensor([1., 2.]), torch.tensor([1.000001, 2.1]))
tensor([ True, False]))",
          .forward = forward_of<isclose>, .derivative = kNotDifferentiable);

}  // namespace LB_LEVEL
}  // namespace lumbre
