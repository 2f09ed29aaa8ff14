// The gamma function's family with parameters.
#include "kernels/math.h"
#include "ops/pointwise.h"

namespace lumbre {
namespace LB_LEVEL {

struct Zeta : Floats {
  template <class T>
  T operator()(T s, T q) const {
    return static_cast<T>(math::zeta(s, q));
  }
};
LB_LOOPS(Zeta, .name = "zeta_cpu", .promotion = Promotion::Floating, .accepts = kSingleAndDouble);
struct IGamma : Floats {
  template <class T>
  T operator()(T a, T x) const {
    return static_cast<T>(math::igamma(a, x));
  }
};
LB_LOOPS(IGamma, .name = "igamma_cpu", .accepts = kFloatingDTypes);
struct IGammaC : Floats {
  template <class T>
  T operator()(T a, T x) const {
    return static_cast<T>(math::igammac(a, x));
  }
};
LB_LOOPS(IGammaC, .name = "igammac_cpu", .accepts = kFloatingDTypes);
struct TriGamma : Floats {
  template <class T>
  LB_MATH T operator()(T x) const {
    return math::trigamma(x);
  }
};
LB_LOOPS(TriGamma, .name = "polygamma", .promotion = Promotion::Floating);
struct PolyGamma : Floats {
  int64_t n;
  template <class T>
  T operator()(T x) const {
    return static_cast<T>(math::polygamma(n, x));
  }
};
LB_LOOPS(PolyGamma, .name = "polygamma", .promotion = Promotion::Floating);
#if LB_BASELINE
extern const PointwiseSpec Add_spec, Sub_spec, LGamma_spec;  // of arithmetic.cc and special.cc

Tensor mvlgamma(const Out& out, const Tensor& input, int64_t p) {
  LB_CHECK(p >= 1, Runtime, "p has to be greater than or equal to 1");
  LB_CHECK(p <= 1 << 20, Runtime, "mvlgamma: p is ", p, ": Lumbre sums at most ", 1 << 20, " terms");
  // The product of p gamma functions half a step apart, with its power of pi.
  const double order = static_cast<double>(p);
  Tensor sum = pointwise(LGamma_spec, Out(), {input});
  for (int64_t j = 1; j < p; ++j) {
    const Tensor lower = pointwise(Sub_spec, Out(), {input, Scalar(static_cast<double>(j) / 2)});
    pointwise(Add_spec, Out(Out::Form::InPlace, std::span<const Tensor>(&sum, 1)),
              {sum, pointwise(LGamma_spec, Out(), {lower})});
  }
  return pointwise(Add_spec, out,
                   {sum, Scalar(order * (order - 1) / 4 * 1.1447298858494001741434273531353)});  // log(pi)
}
Tensor polygamma(const Out& out, int64_t n, const Tensor& input) {
  LB_CHECK(n >= 0, Runtime, "polygamma(n, x) does not support negative n.");
  if (n == 1) return pointwise(TriGamma_spec, out, {input});
  const PolyGamma functor{{}, n};
  return pointwise(PolyGamma_spec, out, {input}, &functor);
}
Tensor polygamma_method(const Out& out, const Tensor& input, int64_t n) { return polygamma(out, n, input); }
#endif
LB_RECORD(.signature = "special.zeta(input, other, *, out=None)", .doc = R"(The Hurwitz zeta function.

>>> torch.special.zeta(torch.tensor([2.]), torch.tensor([1.]))
tensor([1.6449]))",
          .forward = forward_of<binary_forward<Zeta_spec>>,
          .derivative = gradients("SpecialZetaBackward0", zeta_gradient, "1:01"), .forms = kFunction);
LB_RECORD(.signature = "special.zeta(input, other, *, out=None)", .doc = R"(The same with a number first.

>>> torch.special.zeta(2, torch.tensor([1.]))
tensor([1.6449]))",
          .forward = forward_of<number_forward<Zeta_spec>>,
          .derivative = gradients("SpecialZetaBackward0", zeta_gradient, "1:01"), .forms = kFunction);
LB_RECORD(.signature = "igamma(input, other, *, out=None)", .doc = R"(The regularised lower incomplete gamma function.

>>> torch.igamma(torch.tensor([1.]), torch.tensor([1.]))
tensor([0.6321]))",
          .forward = forward_of<tensors_forward<IGamma_spec>>,
          .derivative = gradients("IgammaBackward0", igamma_gradient<1>, "1:01"), .forms = kEveryForm,
          .aliases = "special.gammainc");
LB_RECORD(.signature = "igammac(input, other, *, out=None)", .doc = R"(The regularised upper incomplete gamma function.

>>> torch.igammac(torch.tensor([1.]), torch.tensor([1.]))
tensor([0.3679]))",
          .forward = forward_of<tensors_forward<IGammaC_spec>>,
          .derivative = gradients("IgammacBackward0", igamma_gradient<-1>, "1:01"), .forms = kEveryForm,
          .aliases = "special.gammaincc");
LB_RECORD(.signature = "polygamma(n, input, *, out=None)", .doc = R"(The n-th derivative of the digamma function.

>>> torch.polygamma(1, torch.tensor([1.]))
tensor([1.6449]))",
          .forward = forward_of<polygamma>,
          .derivative = gradients(
              "PolygammaBackward0",
              [](Backward& b) { b.give(1, op::mul(b.grad(), op::call<"polygamma">(b.integer(0) + 1, b.input(1)))); },
              "1:1"),
          .forms = kFunction, .aliases = "special.polygamma");
LB_RECORD(.signature = "polygamma(input, n)", .doc = "As the function, with the order second.",
          .forward = forward_of<polygamma_method>,
          .derivative = gradients(
              "PolygammaBackward0",
              [](Backward& b) { b.give(0, op::mul(b.grad(), op::call<"polygamma">(b.integer(1) + 1, b.input(0)))); },
              "0:0"),
          .forms = kMethod | kInPlace);
LB_RECORD(.signature = "mvlgamma(input, p, *, out=None)",
          .doc = R"(The logarithm of the multivariate gamma function of dimension p.

Raises RuntimeError for p < 1.

>>> torch.mvlgamma(torch.tensor([3.]), 1)
tensor([0.6931]))",
          .forward = forward_of<mvlgamma>,
          .derivative = LB_GRADIENT("MvlgammaBackward0", "0:0", g* mvlgamma_slope(b.input(0), b.integer(1))),
          .forms = kEveryForm, .aliases = "special.multigammaln");

}  // namespace LB_LEVEL
}  // namespace lumbre
