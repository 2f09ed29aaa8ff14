// Gradients of element-wise operators that networks run most, in one pass: the factor times the gradient that comes in.
#include "kernels/math.h"
#include "ops/pointwise.h"

namespace lumbre {
namespace LB_LEVEL {

#define LB_SLOPE(name, F, slope, text)                                                                     \
  LB_RECORD(.signature = name "(grad, at)", .doc = text, .forward = forward_of<tensors_forward<F##_spec>>, \
            .derivative = slope, .forms = kHidden)

// `at` is the result of sigmoid.
struct SigmoidSlope : Floats {
  template <class T>
  T operator()(T g, T r) const {
    return g * (T(1) - r) * r;
  }
};
LB_LOOPS(SigmoidSlope, .name = "sigmoid_backward", .accepts = kFloatingDTypes);
LB_SLOPE("_sigmoid_slope", SigmoidSlope,
         LB_GRADIENTS("SigmoidBackwardBackward0", "0:1 1:01", call<"_sigmoid_slope">(g, b.input(1)),
                      g* b.input(0) * (Scalar(1) - b.input(1) * Scalar(2))),
         "grad * at * (1 - at): the gradient of sigmoid, from its result.\n\n>>> torch.sigmoid(torch.tensor(0.))\n"
         "tensor(0.5000)");

// `at` is the result of tanh.
struct TanhSlope : Floats {
  template <class T>
  T operator()(T g, T r) const {
    return g * (T(1) - r * r);
  }
};
LB_LOOPS(TanhSlope, .name = "tanh_backward", .accepts = kFloatingDTypes);
LB_SLOPE(
    "_tanh_slope", TanhSlope,
    LB_GRADIENTS("TanhBackwardBackward0", "0:1 1:01", call<"_tanh_slope">(g, b.input(1)),
                 g* b.input(0) * (b.input(1) * Scalar(-2))),
    "grad * (1 - at * at): the gradient of tanh, from its result.\n\n>>> torch.tanh(torch.tensor(0.))\ntensor(0.)");

// `at` is the result of relu.
struct ReluSlope : FloatsAndBFloat16 {
  template <class T>
  T operator()(T g, T r) const {
    return r <= T(0) ? T(0) : g;
  }
};
LB_LOOPS(ReluSlope, .name = "threshold_backward", .accepts = kFloatingDTypes);
LB_SLOPE("_relu_slope", ReluSlope,
         LB_GRADIENTS("ThresholdBackwardBackward0", "0:1", call<"_relu_slope">(g, b.input(1)),
                      zeros(b.sizes(1), b.dtype(1))),
         "grad where at > 0, else 0: the gradient of relu.\n\n>>> torch.relu(torch.tensor(-1.))\ntensor(0.)");

struct SiluSlope : Floats {
  template <class T>
  T operator()(T g, T x) const {
    const T s = T(1) / (T(1) + math::exp(-x));
    return g * s * (T(1) + x * (T(1) - s));
  }
};
LB_LOOPS(SiluSlope, .name = "silu_backward", .accepts = kFloatingDTypes);
#if LB_BASELINE
Tensor silu_curvature(const Tensor& x) {
  using namespace op;
  const Tensor s = call<"sigmoid">(x);
  return s * (Scalar(1) - s) * (x * (Scalar(1) - s * Scalar(2)) + Scalar(2));
}
#endif
LB_SLOPE("_silu_slope", SiluSlope,
         LB_GRADIENTS("SiluBackwardBackward0", "0:1 1:01", call<"_silu_slope">(g, b.input(1)),
                      g* b.input(0) * silu_curvature(b.input(1))),
         "The gradient of silu at its input.\n\n>>> torch.nn.functional.silu(torch.tensor(0.))\ntensor(0.)");

struct GeluSlope : Floats {
  template <class T>
  LB_MATH T operator()(T g, T x) const {
    return g * (math::normal_share(x) + x * math::exp(x * x * T(-0.5)) * T(0.39894228040143267794));
  }
};
LB_LOOPS(GeluSlope, .name = "gelu_backward", .accepts = kFloatingDTypes);
LB_SLOPE("_gelu_slope", GeluSlope, kDerivativeRefused,
         "The gradient of gelu at its input.\n\n>>> torch.nn.functional.gelu(torch.tensor(0.))\ntensor(0.)");

struct GeluTanhSlope : Floats {
  template <class T>
  T operator()(T g, T x) const {
    const T beta = T(0.79788456080286535588), kappa = T(0.044715);
    const T t = math::tanh(beta * (x + kappa * x * x * x));
    return g * (T(0.5) * (T(1) + t) + T(0.5) * x * (T(1) - t * t) * beta * (T(1) + T(3) * kappa * x * x));
  }
};
LB_LOOPS(GeluTanhSlope, .name = "gelu_backward", .accepts = kFloatingDTypes);
LB_SLOPE("_gelu_tanh_slope", GeluTanhSlope, kDerivativeRefused,
         "The gradient of the tanh form of gelu.\n\n>>> torch.nn.functional.gelu(torch.tensor(0.))\ntensor(0.)");

// The same with parameters of the activation. Gradients of these gradients are composed (gradients_pointwise.cc).
#define LB_PARAMETER_SLOPE(name, parameters, function, text)                                              \
  LB_RECORD(.signature = name "(grad, at, " parameters ")", .doc = text, .forward = forward_of<function>, \
            .derivative = kDerivativeRefused, .forms = kHidden)

struct HardtanhSlope : FloatsAndBFloat16 {
  double low, high;
  template <class T>
  T operator()(T g, T x) const {
    return (x > static_cast<T>(low)) & (x < static_cast<T>(high)) ? g : T(0);
  }
};
LB_LOOPS(HardtanhSlope, .name = "hardtanh_backward", .accepts = kFloatingDTypes);

struct LeakyReluSlope : FloatsAndBFloat16 {
  double slope;
  template <class T>
  T operator()(T g, T x) const {
    return x > T(0) ? g : g * static_cast<T>(slope);
  }
};
LB_LOOPS(LeakyReluSlope, .name = "leaky_relu_backward", .accepts = kFloatingDTypes);

struct EluSlope : Floats {
  double scale, alpha, input_scale;
  template <class T>
  T operator()(T g, T x) const {
    const T below = math::exp(x * static_cast<T>(input_scale)) * static_cast<T>(scale * alpha * input_scale);
    return g * (x <= T(0) ? below : static_cast<T>(scale));
  }
};
LB_LOOPS(EluSlope, .name = "elu_backward", .accepts = kFloatingDTypes);

struct SoftplusSlope : Floats {
  double beta, threshold;
  template <class T>
  T operator()(T g, T x) const {
    const T scaled_x = x * static_cast<T>(beta);
    return scaled_x > static_cast<T>(threshold) ? g : g / (T(1) + math::exp(-scaled_x));
  }
};
LB_LOOPS(SoftplusSlope, .name = "softplus_backward", .accepts = kFloatingDTypes);

struct MishSlope : Floats {
  template <class T>
  T operator()(T g, T x) const {
    constexpr T bound = sizeof(T) == 4 ? T(20) : T(40);  // as math::mish has it
    const T e = math::exp(x < bound ? x : bound), n = e * (e + T(2)), t = n / (n + T(2));
    return g * (t + x * (e / (T(1) + e)) * (T(1) - t * t));
  }
};
LB_LOOPS(MishSlope, .name = "mish_backward", .accepts = kFloatingDTypes);

struct HardswishSlope : FloatsAndBFloat16 {
  template <class T>
  T operator()(T g, T x) const {
    const T middle = x < T(3) ? g * (x / T(3) + T(0.5)) : g;
    return x <= T(-3) ? T(0) : middle;
  }
};
LB_LOOPS(HardswishSlope, .name = "hardswish_backward", .accepts = kFloatingDTypes);

#if LB_BASELINE
Tensor hardtanh_slope(const Tensor& grad, const Tensor& at, double low, double high) {
  const HardtanhSlope functor{{}, low, high};
  return pointwise(HardtanhSlope_spec, Out(), {grad, at}, &functor);
}
Tensor leaky_relu_slope(const Tensor& grad, const Tensor& at, double slope) {
  const LeakyReluSlope functor{{}, slope};
  return pointwise(LeakyReluSlope_spec, Out(), {grad, at}, &functor);
}
Tensor elu_slope_of(const Tensor& grad, const Tensor& at, double scale, double alpha, double input_scale) {
  const EluSlope functor{{}, scale, alpha, input_scale};
  return pointwise(EluSlope_spec, Out(), {grad, at}, &functor);
}
Tensor softplus_slope(const Tensor& grad, const Tensor& at, double beta, double threshold) {
  const SoftplusSlope functor{{}, beta, threshold};
  return pointwise(SoftplusSlope_spec, Out(), {grad, at}, &functor);
}
#endif
LB_PARAMETER_SLOPE("_hardtanh_slope", "low, high", hardtanh_slope, "grad where low < at < high, else 0.");
LB_PARAMETER_SLOPE("_leaky_relu_slope", "slope", leaky_relu_slope, "grad where at > 0, else slope * grad.");
LB_PARAMETER_SLOPE("_elu_slope", "scale, alpha, input_scale", elu_slope_of, "The gradient of elu, selu and celu.");
LB_PARAMETER_SLOPE("_softplus_slope", "beta, threshold", softplus_slope, "The gradient of softplus at its input.");
LB_SLOPE("_mish_slope", MishSlope, kDerivativeRefused, "The gradient of mish at its input.");
LB_SLOPE("_hardswish_slope", HardswishSlope, kDerivativeRefused, "The gradient of hardswish at its input.");

}  // namespace LB_LEVEL
}  // namespace lumbre
