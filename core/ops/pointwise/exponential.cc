// Exponentials and logarithms.
#include "kernels/math.h"
#include "ops/pointwise.h"

namespace lumbre {
namespace LB_LEVEL {

#define LB_FLOATING_FUNCTOR(F, expression) \
  struct F : Floats {                      \
    template <class T>                     \
    T operator()(T x) const {              \
      return expression;                   \
    }                                      \
  }

LB_FLOATING_FUNCTOR(Exp, math::exp(x));
LB_LOOPS(Exp, .name = "exp", .promotion = Promotion::Floating);
LB_UNARY("exp", Exp, LB_GRADIENT("ExpBackward0", "0:r", g* b.result()),
         R"(e to the power of each element. Integers become the default dtype.

>>> torch.exp(torch.tensor([0., 1.]))
tensor([1.0000, 2.7183]))");

LB_FLOATING_FUNCTOR(Exp2, math::exp2(x));
LB_LOOPS(Exp2, .name = "exp2", .promotion = Promotion::Floating);
LB_UNARY("exp2", Exp2, LB_GRADIENT("Exp2Backward0", "0:r", g* b.result() * Scalar(0.69314718055994530942)),
         R"(2 to the power of each element.

>>> torch.exp2(torch.tensor([0., 3.]))
tensor([1., 8.]))",
         .aliases = "special.exp2");

LB_FLOATING_FUNCTOR(Expm1, math::expm1(x));
LB_LOOPS(Expm1, .name = "expm1", .promotion = Promotion::Floating);
LB_UNARY("expm1", Expm1, LB_GRADIENT("Expm1Backward0", "0:r", g*(b.result() + Scalar(1))),
         R"(exp(x) - 1, accurate near 0.

>>> torch.expm1(torch.tensor([0., 1.]))
tensor([0.0000, 1.7183]))",
         .aliases = "special.expm1");

LB_FLOATING_FUNCTOR(Log, math::log(x));
LB_LOOPS(Log, .name = "log", .promotion = Promotion::Floating);
LB_UNARY("log", Log, LB_GRADIENT("LogBackward0", "0:0", g / b.input(0)),
         R"(The natural logarithm of each element: -inf at 0, NaN below.

>>> torch.log(torch.tensor([1., 10.]))
tensor([0.0000, 2.3026]))");

LB_FLOATING_FUNCTOR(Log2, math::log2(x));
LB_LOOPS(Log2, .name = "log2", .promotion = Promotion::Floating);
LB_UNARY("log2", Log2, LB_GRADIENT("Log2Backward0", "0:0", g / (b.input(0) * Scalar(0.69314718055994530942))),
         R"(The logarithm to base 2 of each element.

>>> torch.log2(torch.tensor([1., 8.]))
tensor([0., 3.]))");

LB_FLOATING_FUNCTOR(Log10, math::log10(x));
LB_LOOPS(Log10, .name = "log10", .promotion = Promotion::Floating);
LB_UNARY("log10", Log10, LB_GRADIENT("Log10Backward0", "0:0", g / (b.input(0) * Scalar(2.3025850929940456840))),
         R"(The logarithm to base 10 of each element.

>>> torch.log10(torch.tensor([1., 1000.]))
tensor([0., 3.]))");

LB_FLOATING_FUNCTOR(Log1p, math::log1p(x));
LB_LOOPS(Log1p, .name = "log1p", .promotion = Promotion::Floating);
LB_UNARY("log1p", Log1p, LB_GRADIENT("Log1PBackward0", "0:0", g / (b.input(0) + Scalar(1))),
         R"(log(1 + x), accurate near 0.

>>> torch.log1p(torch.tensor([0., 1.]))
tensor([0.0000, 0.6931]))",
         .aliases = "special.log1p");

LB_FLOATING_FUNCTOR(Sigmoid, math::sigmoid(x));
LB_LOOPS(Sigmoid, .name = "sigmoid", .promotion = Promotion::Floating);
LB_UNARY("sigmoid", Sigmoid, LB_GRADIENT("SigmoidBackward0", "0:r", call<"_sigmoid_slope">(g, b.result())),
         R"(1 / (1 + exp(-x)).

>>> torch.sigmoid(torch.tensor([0., 2.]))
tensor([0.5000, 0.8808]))",
         .aliases = "special.expit nn.functional.sigmoid");

struct Logit : Floats {
  double eps;  // -inf: nothing is clamped
  template <class T>
  LB_MATH T operator()(T x) const {
    return math::logit(x, static_cast<T>(eps));
  }
};
LB_LOOPS(Logit, .name = "logit", .promotion = Promotion::Floating);
#if LB_BASELINE
Tensor logit(const Out& out, const Tensor& input, std::optional<double> eps) {
  const Logit functor{{}, eps.value_or(-std::numeric_limits<double>::infinity())};
  return pointwise(Logit_spec, out, {input}, &functor);
}
#endif
LB_RECORD(.signature = "logit(input, eps=None, *, out=None)", .doc = R"(log(x / (1 - x)), the inverse of sigmoid.

With `eps`, elements are first clamped to [eps, 1 - eps].

>>> torch.logit(torch.tensor([0.5, 0.75]))
tensor([0.0000, 1.0986]))",
          .forward = forward_of<logit>, .derivative = LB_GRADIENT("LogitBackward0", "0:0", logit_gradient(g, b)),
          .forms = kUnaryForms, .aliases = "special.logit");

#define LB_FLOATING_PAIR(F, expression) \
  struct F : Floats {                   \
    template <class T>                  \
    T operator()(T x, T y) const {      \
      return expression;                \
    }                                   \
  }

LB_FLOATING_PAIR(LogAddExp, math::logaddexp(x, y));
LB_LOOPS(LogAddExp, .name = "logaddexp_cpu", .accepts = kFloatingDTypes);
LB_RECORD(.signature = "logaddexp(input, other, *, out=None)", .doc = R"(log(exp(input) + exp(other)) without overflow.

>>> torch.logaddexp(torch.tensor([0.]), torch.tensor([0.]))
tensor([0.6931]))",
          .forward = forward_of<tensors_forward<LogAddExp_spec>>,
          .derivative = LB_GRADIENTS("LogaddexpBackward0", "0:01 1:01",
                                     g / (call<"exp">(b.input(1) - b.input(0)) + Scalar(1)),
                                     g / (call<"exp">(b.input(0) - b.input(1)) + Scalar(1))));

LB_FLOATING_PAIR(LogAddExp2, math::logaddexp2(x, y));
LB_LOOPS(LogAddExp2, .name = "logaddexp2_cpu", .accepts = kFloatingDTypes);
LB_RECORD(.signature = "logaddexp2(input, other, *, out=None)",
          .doc = R"(log2(2 ** input + 2 ** other) without overflow.

>>> torch.logaddexp2(torch.tensor([1.]), torch.tensor([1.]))
tensor([2.]))",
          .forward = forward_of<tensors_forward<LogAddExp2_spec>>,
          .derivative = LB_GRADIENTS("Logaddexp2Backward0", "0:01 1:01",
                                     g / (call<"exp2">(b.input(1) - b.input(0)) + Scalar(1)),
                                     g / (call<"exp2">(b.input(0) - b.input(1)) + Scalar(1))));

LB_FLOATING_PAIR(XLogY, math::xlogy(x, y));
LB_LOOPS(XLogY, .name = "xlogy", .promotion = Promotion::Floating);
LB_FLOATING_PAIR(XLog1py, math::xlog1py(x, y));
LB_LOOPS(XLog1py, .name = "xlog1py", .promotion = Promotion::Floating);
LB_RECORD(.signature = "xlogy(input, other, *, out=None)", .doc = R"(input * log(other), and 0 where input is 0.

>>> torch.xlogy(torch.tensor([0., 2.]), torch.tensor([0., 1.]))
tensor([0., 0.]))",
          .forward = forward_of<binary_forward<XLogY_spec>>,
          .derivative = gradients("XlogyBackward0", xlogy_gradient<"xlogy">, "0:01 1:01"), .forms = kUnaryForms,
          .aliases = "special.xlogy");
LB_RECORD(.signature = "xlogy(input, other, *, out=None)", .doc = R"(The same with a number first.

>>> torch.xlogy(2, torch.tensor([1.]))
tensor([0.]))",
          .forward = forward_of<number_forward<XLogY_spec>>,
          .derivative = gradients("XlogyBackward1", xlogy_gradient<"xlogy">, "0:01 1:01"), .forms = kFunction,
          .aliases = "special.xlogy");
LB_RECORD(.signature = "special.xlog1py(input, other, *, out=None)",
          .doc = R"(input * log1p(other), and 0 where input is 0.

>>> torch.special.xlog1py(torch.tensor([0., 2.]), torch.tensor([-1., 0.]))
tensor([0., 0.]))",
          .forward = forward_of<binary_forward<XLog1py_spec>>,
          .derivative = gradients("SpecialXlog1PyBackward0", xlogy_gradient<"special.xlog1py">, "0:01 1:01"),
          .forms = kFunction);
LB_RECORD(.signature = "special.xlog1py(input, other, *, out=None)", .doc = R"(The same with a number first.

>>> torch.special.xlog1py(2, torch.tensor([0.]))
tensor([0.]))",
          .forward = forward_of<number_forward<XLog1py_spec>>,
          .derivative = gradients("SpecialXlog1PyBackward1", xlogy_gradient<"special.xlog1py">, "0:01 1:01"),
          .forms = kFunction);

}  // namespace LB_LEVEL
}  // namespace lumbre
