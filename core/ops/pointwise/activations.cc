// Activation functions of networks.
#include "kernels/math.h"
#include "ops/pointwise.h"

namespace lumbre {
namespace LB_LEVEL {

struct Relu : Numbers {
  template <class T>
  T operator()(T x) const { return x < T(0) ? T(0) : x; }
};
LB_LOOPS(Relu, .name = "relu");
#if LB_BASELINE
Tensor relu(const Out& out, const Tensor& input) {
  LB_CHECK(input.dtype() != DType::Bool, Runtime, "Boolean inputs not supported for relu");
  return pointwise(Relu_spec, out, {input});
}
#endif
LB_RECORD(.signature = "relu(input)", .doc = R"(Each element, or 0 where it is negative.

>>> torch.relu(torch.tensor([-1., 2.]))
tensor([0., 2.]))", .forward = forward_of<relu>, .derivative = kDerivativePlanned, .forms = kUnaryForms);

// The functional forms take `inplace`, which PyTorch's users give by keyword or position.
#if LB_BASELINE
template <const PointwiseSpec& spec>
Tensor activate(const Tensor& input, bool inplace, const void* context) {
  if (!inplace) return pointwise(spec, Out(), {input}, context);
  return pointwise(spec, Out(Out::Form::InPlace, {&input, 1}), {input}, context);
}
template <const PointwiseSpec& spec>
Tensor activation(const Tensor& input, bool inplace) { return activate<spec>(input, inplace, nullptr); }
template <const PointwiseSpec& spec>
Tensor plain_activation(const Tensor& input) { return activate<spec>(input, false, nullptr); }
Tensor functional_relu(const Tensor& input, bool inplace) {
  LB_CHECK(input.dtype() != DType::Bool, Runtime, "Boolean inputs not supported for relu");
  return activate<Relu_spec>(input, inplace, nullptr);
}
#endif
LB_RECORD(.signature = "nn.functional.relu(input, inplace=False)", .doc = R"(Each element, or 0 where it is negative.

>>> torch.nn.functional.relu(torch.tensor([-1., 2.]))
tensor([0., 2.]))", .forward = forward_of<functional_relu>, .derivative = kDerivativePlanned, .forms = kFunction);

#define LB_FLOATING_FUNCTOR(F, expression)                                    \
  struct F : Floats {                                                         \
    template <class T>                                                        \
    T operator()(T x) const { return expression; }                            \
  }
#define LB_ACTIVATION(name, F, text)                                                                             \
  LB_RECORD(.signature = "nn.functional." name "(input, inplace=False)", .doc = text,                            \
            .forward = forward_of<activation<F##_spec>>, .derivative = kDerivativePlanned, .forms = kFunction)

struct Relu6 : Numbers {
  template <class T>
  T operator()(T x) const { return x < T(0) ? T(0) : x > T(6) ? T(6) : x; }
};
LB_LOOPS(Relu6, .name = "hardtanh", .accepts = kNumberDTypes);
LB_ACTIVATION("relu6", Relu6, R"(Each element moved into [0, 6].

>>> torch.nn.functional.relu6(torch.tensor([-1., 2., 8.]))
tensor([0., 2., 6.]))");

LB_FLOATING_FUNCTOR(Silu, math::silu(x));
LB_LOOPS(Silu, .name = "silu_cpu", .accepts = kFloatingDTypes);
LB_ACTIVATION("silu", Silu, R"(x * sigmoid(x) (Elfwing et al., 2017).

>>> torch.nn.functional.silu(torch.tensor([0., 1.]))
tensor([0.0000, 0.7311]))");

LB_FLOATING_FUNCTOR(Mish, math::mish(x));
LB_LOOPS(Mish, .name = "mish_cpu", .accepts = kFloatingDTypes);
LB_ACTIVATION("mish", Mish, R"(x * tanh(softplus(x)) (Misra, 2019).

>>> torch.nn.functional.mish(torch.tensor([0., 1.]))
tensor([0.0000, 0.8651]))");

struct HardSigmoid : Floats {
  template <class T>
  T operator()(T x) const { return Relu6{}(x + T(3)) / T(6); }
};
LB_LOOPS(HardSigmoid, .name = "hardsigmoid_cpu", .accepts = kFloatingDTypes);
LB_ACTIVATION("hardsigmoid", HardSigmoid, R"(relu6(x + 3) / 6.

>>> torch.nn.functional.hardsigmoid(torch.tensor([0., 3.]))
tensor([0.5000, 1.0000]))");

struct HardSwish : Floats {
  template <class T>
  T operator()(T x) const { return x * Relu6{}(x + T(3)) / T(6); }
};
LB_LOOPS(HardSwish, .name = "hardswish_cpu", .accepts = kFloatingDTypes);
LB_ACTIVATION("hardswish", HardSwish, R"(x * relu6(x + 3) / 6 (Howard et al., 2019).

>>> torch.nn.functional.hardswish(torch.tensor([0., 3.]))
tensor([0., 3.]))");

LB_FLOATING_FUNCTOR(LogSigmoid, math::log_sigmoid(x));
LB_LOOPS(LogSigmoid, .name = "log_sigmoid_cpu", .accepts = kFloatingDTypes);
LB_RECORD(.signature = "nn.functional.logsigmoid(input)", .doc = R"(log(sigmoid(x)) without overflow.

>>> torch.nn.functional.logsigmoid(torch.tensor([0.]))
tensor([-0.6931]))", .forward = forward_of<plain_activation<LogSigmoid_spec>>, .derivative = kDerivativePlanned, .forms = kFunction);

struct Softsign : Floats {
  template <class T>
  T operator()(T x) const { return x / (T(1) + math::abs(x)); }
};
LB_LOOPS(Softsign, .name = "softsign", .promotion = Promotion::Floating);
LB_RECORD(.signature = "nn.functional.softsign(input)", .doc = R"(x / (1 + |x|).

>>> torch.nn.functional.softsign(torch.tensor([1., -3.]))
tensor([ 0.5000, -0.7500]))", .forward = forward_of<plain_activation<Softsign_spec>>, .derivative = kDerivativePlanned, .forms = kFunction);

LB_FLOATING_FUNCTOR(TanhShrink, x - math::tanh(x));
LB_LOOPS(TanhShrink, .name = "tanhshrink", .promotion = Promotion::Floating);
LB_RECORD(.signature = "nn.functional.tanhshrink(input)", .doc = R"(x - tanh(x).

>>> torch.nn.functional.tanhshrink(torch.tensor([0.]))
tensor([0.]))", .forward = forward_of<plain_activation<TanhShrink_spec>>, .derivative = kDerivativePlanned, .forms = kFunction);

LB_FLOATING_FUNCTOR(Gelu, math::gelu(x));
LB_LOOPS(Gelu, .name = "GeluKernelImpl", .accepts = kFloatingDTypes);
LB_FLOATING_FUNCTOR(GeluTanh, math::gelu_tanh(x));
LB_LOOPS(GeluTanh, .name = "GeluKernelImpl", .accepts = kFloatingDTypes);

struct LeakyRelu : Floats {
  double slope;
  template <class T>
  T operator()(T x) const { return x > T(0) ? x : x * static_cast<T>(slope); }
};
LB_LOOPS(LeakyRelu, .name = "leaky_relu_cpu", .accepts = kFloatingDTypes);

// scale * (x > 0 ? x : alpha * (exp(input_scale * x) - 1)): elu, celu and selu.
struct Elu : Floats {
  double negative, positive, inner;
  template <class T>
  T operator()(T x) const {
    const T below = math::expm1((x < T(0) ? x : T(0)) * static_cast<T>(inner)) * static_cast<T>(negative);
    return x > T(0) ? x * static_cast<T>(positive) : x != x ? x : below;
  }
};
LB_LOOPS(Elu, .name = "elu_cpu", .accepts = kFloatingDTypes);

struct Softplus : Floats {
  double beta, threshold;
  template <class T>
  T operator()(T x) const { return math::softplus(x, static_cast<T>(beta), static_cast<T>(threshold)); }
};
LB_LOOPS(Softplus, .name = "softplus_cpu", .accepts = kFloatingDTypes);

struct SoftShrink : Floats {
  double lambda;
  template <class T>
  T operator()(T x) const {
    const T l = static_cast<T>(lambda);
    return x > l ? x - l : x < -l ? x + l : x != x ? x : T(0);
  }
};
LB_LOOPS(SoftShrink, .name = "softshrink_cpu", .accepts = kFloatingDTypes);
struct HardShrink : Floats {
  double lambda;
  template <class T>
  T operator()(T x) const {
    const T l = static_cast<T>(lambda);
    return x >= -l && x <= l ? T(0) : x;
  }
};
LB_LOOPS(HardShrink, .name = "hardshrink_cpu", .accepts = kFloatingDTypes);

struct Threshold : Numbers {
  double limit, value;
  template <class T>
  T operator()(T x) const { return x <= static_cast<T>(limit) ? static_cast<T>(value) : x; }
};
LB_LOOPS(Threshold, .name = "threshold_cpu", .accepts = kNumberDTypes);
struct HardTanh : Numbers {
  double low, high;
  template <class T>
  T operator()(T x) const { return x < static_cast<T>(low) ? static_cast<T>(low) : x > static_cast<T>(high) ? static_cast<T>(high) : x; }
};
LB_LOOPS(HardTanh, .name = "hardtanh", .accepts = kNumberDTypes);

#if LB_BASELINE
Tensor gelu(const Out& out, const Tensor& input, const std::string& approximate) {
  LB_CHECK(approximate == "none" || approximate == "tanh", Runtime, "approximate argument must be either none or tanh.");
  return pointwise(approximate == "tanh" ? GeluTanh_spec : Gelu_spec, out, {input});
}
Tensor leaky_relu(const Tensor& input, double slope, bool inplace) {
  const LeakyRelu functor{{}, slope};
  return activate<LeakyRelu_spec>(input, inplace, &functor);
}
Tensor elu(const Tensor& input, double alpha, bool inplace) {
  const Elu functor{{}, alpha, 1, 1};
  return activate<Elu_spec>(input, inplace, &functor);
}
Tensor celu(const Tensor& input, double alpha, bool inplace) {
  LB_CHECK(alpha != 0, Runtime, "ZeroDivisionError: alpha cannot be 0 for CELU");
  const Elu functor{{}, alpha, 1, 1 / alpha};
  return activate<Elu_spec>(input, inplace, &functor);
}
// The constants that keep mean 0 and variance 1 (Klambauer et al., 2017).
Tensor selu(const Tensor& input, bool inplace) {
  constexpr double kAlpha = 1.6732632423543772848170429916717, kScale = 1.0507009873554804934193349852946;
  const Elu functor{{}, kAlpha * kScale, kScale, 1};
  return activate<Elu_spec>(input, inplace, &functor);
}
Tensor softplus(const Out& out, const Tensor& input, double beta, double threshold) {
  const Softplus functor{{}, beta, threshold};
  return pointwise(Softplus_spec, out, {input}, &functor);
}
Tensor softshrink(const Out& out, const Tensor& input, double lambd) {
  LB_CHECK(lambd >= 0, Runtime, "lambda must be greater or equal to 0, but found to be ", lambd, ".");
  const SoftShrink functor{{}, lambd};
  return pointwise(SoftShrink_spec, out, {input}, &functor);
}
Tensor hardshrink(const Out& out, const Tensor& input, double lambd) {
  const HardShrink functor{{}, lambd};
  return pointwise(HardShrink_spec, out, {input}, &functor);
}
Tensor threshold(const Tensor& input, double limit, double value, bool inplace) {
  const Threshold functor{{}, limit, value};
  return activate<Threshold_spec>(input, inplace, &functor);
}
Tensor hardtanh(const Tensor& input, double min_val, double max_val, bool inplace) {
  LB_CHECK(min_val <= max_val, Value, "min_val cannot be greater than max_val");
  const HardTanh functor{{}, min_val, max_val};
  return activate<HardTanh_spec>(input, inplace, &functor);
}
#endif
LB_RECORD(.signature = "nn.functional.gelu(input, *, approximate='none', out=None)", .doc = R"(x times the normal distribution function of x (Hendrycks and Gimpel, 2016).

`approximate="tanh"` uses their formula with tanh.

>>> torch.nn.functional.gelu(torch.tensor([0., 1.]))
tensor([0.0000, 0.8413]))", .forward = forward_of<gelu>, .derivative = kDerivativePlanned, .forms = kFunction);
LB_RECORD(.signature = "nn.functional.leaky_relu(input, negative_slope=0.01, inplace=False)", .doc = R"(Each element, times `negative_slope` where it is negative.

>>> torch.nn.functional.leaky_relu(torch.tensor([-100., 2.]))
tensor([-1.,  2.]))", .forward = forward_of<leaky_relu>, .derivative = kDerivativePlanned, .forms = kFunction);
LB_RECORD(.signature = "nn.functional.elu(input, alpha=1.0, inplace=False)", .doc = R"(Each element, or alpha * (exp(x) - 1) where it is negative (Clevert et al., 2015).

>>> torch.nn.functional.elu(torch.tensor([-1., 2.]))
tensor([-0.6321,  2.0000]))", .forward = forward_of<elu>, .derivative = kDerivativePlanned, .forms = kFunction);
LB_RECORD(.signature = "nn.functional.celu(input, alpha=1.0, inplace=False)", .doc = R"(Each element, or alpha * (exp(x / alpha) - 1) where it is negative (Barron, 2017).

>>> torch.nn.functional.celu(torch.tensor([-1., 2.]))
tensor([-0.6321,  2.0000]))", .forward = forward_of<celu>, .derivative = kDerivativePlanned, .forms = kFunction, .aliases = "celu");
LB_RECORD(.signature = "nn.functional.selu(input, inplace=False)", .doc = R"(The scaled exponential unit (Klambauer et al., 2017).

>>> torch.nn.functional.selu(torch.tensor([-1., 2.]))
tensor([-1.1113,  2.1014]))", .forward = forward_of<selu>, .derivative = kDerivativePlanned, .forms = kFunction, .aliases = "selu");
LB_RECORD(.signature = "nn.functional.softplus(input, beta=1.0, threshold=20.0, *, out=None)", .doc = R"(log(1 + exp(beta * x)) / beta; x itself where beta * x > threshold.

>>> torch.nn.functional.softplus(torch.tensor([0.]))
tensor([0.6931]))", .forward = forward_of<softplus>, .derivative = kDerivativePlanned, .forms = kFunction);
LB_RECORD(.signature = "nn.functional.softshrink(input, lambd=0.5, *, out=None)", .doc = R"(Each element moved towards 0 by `lambd`.

>>> torch.nn.functional.softshrink(torch.tensor([-1., 0.2, 1.]))
tensor([-0.5000,  0.0000,  0.5000]))", .forward = forward_of<softshrink>, .derivative = kDerivativePlanned, .forms = kFunction);
LB_RECORD(.signature = "nn.functional.hardshrink(input, lambd=0.5, *, out=None)", .doc = R"(Each element, or 0 where its absolute value is at most `lambd`.

>>> torch.nn.functional.hardshrink(torch.tensor([-1., 0.2, 1.]))
tensor([-1.,  0.,  1.]))", .forward = forward_of<hardshrink>, .derivative = kDerivativePlanned, .forms = kFunction, .aliases = "hardshrink");
LB_RECORD(.signature = "nn.functional.threshold(input, threshold, value, inplace=False)", .doc = R"(Each element, or `value` where it is at most `threshold`.

>>> torch.nn.functional.threshold(torch.tensor([1., 3.]), 2., 0.)
tensor([0., 3.]))", .forward = forward_of<threshold>, .derivative = kDerivativePlanned, .forms = kFunction, .aliases = "threshold");
LB_RECORD(.signature = "nn.functional.hardtanh(input, min_val=-1.0, max_val=1.0, inplace=False)", .doc = R"(Each element moved into [min_val, max_val].

>>> torch.nn.functional.hardtanh(torch.tensor([-3., 0.5]))
tensor([-1.0000,  0.5000]))", .forward = forward_of<hardtanh>, .derivative = kDerivativePlanned, .forms = kFunction);

// --- special functions of two arguments -----------------------------------------------------------------------------

struct Zeta : Floats {
  template <class T>
  T operator()(T s, T q) const { return static_cast<T>(math::zeta(s, q)); }
};
LB_LOOPS(Zeta, .name = "zeta", .promotion = Promotion::Floating);
struct IGamma : Floats {
  template <class T>
  T operator()(T a, T x) const { return static_cast<T>(math::igamma(a, x)); }
};
LB_LOOPS(IGamma, .name = "igamma", .accepts = kFloatingDTypes);
struct IGammaC : Floats {
  template <class T>
  T operator()(T a, T x) const { return static_cast<T>(math::igammac(a, x)); }
};
LB_LOOPS(IGammaC, .name = "igammac", .accepts = kFloatingDTypes);
struct PolyGamma : Floats {
  int64_t n;
  template <class T>
  T operator()(T x) const { return n == 0 ? static_cast<T>(math::digamma(x)) : static_cast<T>(math::polygamma(n, x)); }
};
LB_LOOPS(PolyGamma, .name = "polygamma", .promotion = Promotion::Floating);
#if LB_BASELINE
Tensor zeta(const Out& out, Operand input, Operand other) {
  LB_CHECK(input.is_tensor() || other.is_tensor(), Type, "zeta(): one of the arguments must be Tensor");
  return pointwise(Zeta_spec, out, {input, other});
}
Tensor polygamma(const Out& out, int64_t n, const Tensor& input) {
  LB_CHECK(n >= 0, Runtime, "polygamma(n, x) does not support negative n.");
  const PolyGamma functor{{}, n};
  return pointwise(PolyGamma_spec, out, {input}, &functor);
}
#endif
LB_RECORD(.signature = "special.zeta(input, other, *, out=None)", .doc = R"(The Hurwitz zeta function.

>>> torch.special.zeta(torch.tensor([2.]), torch.tensor([1.]))
tensor([1.6449]))", .forward = forward_of<zeta>, .derivative = kDerivativePlanned, .forms = kFunction);
LB_RECORD(.signature = "igamma(input, other, *, out=None)", .doc = R"(The regularised lower incomplete gamma function.

>>> torch.igamma(torch.tensor([1.]), torch.tensor([1.]))
tensor([0.6321]))", .forward = forward_of<binary_forward<IGamma_spec>>, .derivative = kDerivativePlanned, .forms = kEveryForm, .aliases = "special.gammainc");
LB_RECORD(.signature = "igammac(input, other, *, out=None)", .doc = R"(The regularised upper incomplete gamma function.

>>> torch.igammac(torch.tensor([1.]), torch.tensor([1.]))
tensor([0.3679]))", .forward = forward_of<binary_forward<IGammaC_spec>>, .derivative = kDerivativePlanned, .forms = kEveryForm, .aliases = "special.gammaincc");
LB_RECORD(.signature = "polygamma(n, input, *, out=None)", .doc = R"(The n-th derivative of the digamma function.

>>> torch.polygamma(1, torch.tensor([1.]))
tensor([1.6449]))", .forward = forward_of<polygamma>, .derivative = kDerivativePlanned, .forms = kFunction, .aliases = "special.polygamma");

}  // namespace LB_LEVEL
}  // namespace lumbre
