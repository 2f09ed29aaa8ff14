// What losses do with each pair of elements, in one pass.
#include "kernels/math.h"
#include "ops/pointwise.h"

namespace lumbre {
namespace LB_LEVEL {

// Squared below the bound, a line above.
struct Bent : Floats {
  double bound;
  template <class T>
  T operator()(T x, T target) const {
    const T b = static_cast<T>(bound), distance = math::abs(x - target);
    return distance < b ? T(0.5) * distance * distance : b * (distance - T(0.5) * b);
  }
};
LB_LOOPS(Bent, .name = "huber", .accepts = kFloatingDTypes);
#if LB_BASELINE
Tensor bent(const Tensor& input, const Tensor& target, double bound) {
  const Bent functor{{}, bound};
  return pointwise(Bent_spec, Out(), {input, target}, &functor);
}
Tensor bent_gradient(const Tensor& g, Backward& b) {
  using namespace op;
  const Tensor difference = b.input(0) - b.input(1);
  return g * call<"clamp">(difference, Scalar(-b.real(2)), Scalar(b.real(2)));
}
#endif
LB_RECORD(.signature = "_bent(input, target, bound)",
          .doc = "d^2 / 2 where d = |input - target| < bound, else bound (d - bound / 2).", .forward = forward_of<bent>,
          .derivative = LB_GRADIENTS("HuberLossBackward0", "0:01 1:01", bent_gradient(g, b), -bent_gradient(g, b)),
          .forms = kHidden);

// (1 - target) x - log(sigmoid(x)).
struct LogitsEntropy : Floats {
  template <class T>
  T operator()(T x, T target) const {
    const T soft = (x < T(0) ? x : T(0)) - math::log1p(math::exp(-math::abs(x)));
    return (T(1) - target) * x - soft;
  }
};
LB_LOOPS(LogitsEntropy, .name = "binary_cross_entropy_with_logits", .accepts = kFloatingDTypes);
LB_RECORD(.signature = "_logits_entropy(input, target)", .doc = "The binary cross entropy of each logit.",
          .forward = forward_of<tensors_forward<LogitsEntropy_spec>>,
          .derivative = LB_GRADIENTS("BinaryCrossEntropyWithLogitsBackward0", "0:01 1:0",
                                     g*(op::call<"sigmoid">(b.input(0)) - b.input(1)), -g* b.input(0)),
          .forms = kHidden);

}  // namespace LB_LEVEL
}  // namespace lumbre
