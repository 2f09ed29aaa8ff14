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
struct ReluSlope : Floats {
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
  T operator()(T g, T x) const {
    const T cdf = T(0.5) * (T(1) + math::erf(x * T(0.70710678118654752440)));
    return g * (cdf + x * math::exp(x * x * T(-0.5)) * T(0.39894228040143267794));
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

}  // namespace LB_LEVEL
}  // namespace lumbre
