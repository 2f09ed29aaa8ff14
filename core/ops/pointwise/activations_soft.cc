// Activations of neural networks: soft and shrinking ones, threshold.
#include "kernels/math.h"
#include "ops/pointwise.h"

namespace lumbre {
namespace LB_LEVEL {

struct Softplus : Floats {
  double beta, threshold;
  template <class T>
  T operator()(T x) const {
    return math::softplus(x, static_cast<T>(beta), static_cast<T>(threshold));
  }
};
LB_LOOPS(Softplus, .name = "softplus_cpu", .accepts = kFloatingDTypes);
#if LB_BASELINE
Tensor softplus(const Out& out, const Tensor& input, double beta, double threshold) {
  const Softplus functor{{}, beta, threshold};
  return pointwise(Softplus_spec, out, {input}, &functor);
}
#endif
LB_RECORD(.signature = "nn.functional.softplus(input, beta=1.0, threshold=20.0, *, out=None)",
          .doc = R"(log(1 + exp(beta * x)) / beta, and x itself where beta * x > threshold.

>>> torch.nn.functional.softplus(torch.tensor([0., 30.]))
tensor([ 0.6931, 30.0000]))",
          .forward = forward_of<softplus>,
          .derivative = LB_GRADIENT("SoftplusBackward0", "0:0", softplus_gradient(g, b.input(0), b.real(1), b.real(2))),
          .forms = kFunction);

struct Softsign : Floats {
  template <class T>
  T operator()(T x) const {
    return x / (math::abs(x) + T(1));
  }
};
LB_LOOPS(Softsign, .name = "softsign", .promotion = Promotion::Floating);
#if LB_BASELINE
Tensor softsign(const Out& out, const Tensor& input) {
  LB_CHECK(input.dtype() != DType::Bool, NotImplemented, "\"abs_cpu\" not implemented for 'Bool'");
  return pointwise(Softsign_spec, out, {input});
}
#endif
LB_RECORD(.signature = "nn.functional.softsign(input)", .doc = R"(x / (1 + |x|).

>>> torch.nn.functional.softsign(torch.tensor([-1., 3.]))
tensor([-0.5000,  0.7500]))",
          .forward = forward_of<softsign>,
          .derivative = LB_GRADIENT("DivBackward0", "0:0", g / call<"square">(call<"abs">(b.input(0)) + Scalar(1))),
          .forms = kFunction);

struct Tanhshrink {
  using Types = TypeList<Half, BFloat16, float, double>;
  // The tangent is rounded to 16 bits before the difference.
  template <class T>
    requires is_half_type<T>
  T operator()(T x) const {
    const float wide = static_cast<float>(x);
    return T(wide - static_cast<float>(T(math::tanh(wide))));
  }
  template <class T>
  T operator()(T x) const {
    return x - math::tanh(x);
  }
};
LB_LOOPS(Tanhshrink, .name = "tanhshrink", .promotion = Promotion::Floating);
#if LB_BASELINE
Tensor tanhshrink(const Out& out, const Tensor& input) {
  LB_CHECK(
      input.dtype() != DType::Bool, Runtime,
      "Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying to invert a mask, use "
      "the `~` or `logical_not()` operator instead.");
  return pointwise(Tanhshrink_spec, out, {input});
}
#endif
LB_RECORD(.signature = "nn.functional.tanhshrink(input)", .doc = R"(x - tanh(x).

>>> torch.nn.functional.tanhshrink(torch.tensor([0., 1.]))
tensor([0.0000, 0.2384]))",
          .forward = forward_of<tanhshrink>,
          .derivative = LB_GRADIENT("SubBackward0", "0:0", g* call<"square">(call<"tanh">(b.input(0)))),
          .forms = kFunction);

struct Softshrink : Floats {
  double lambda;
  template <class T>
  T operator()(T x) const {
    const T bound = static_cast<T>(lambda);
    return x > bound ? x - bound : x < -bound ? x + bound : x != x ? x : T(0);
  }
};
LB_LOOPS(Softshrink, .name = "softshrink_check", .accepts = kFloatingDTypes);
struct Hardshrink : Floats {
  double lambda;
  template <class T>
  T operator()(T x) const {
    const T bound = static_cast<T>(lambda);
    return x >= -bound && x <= bound ? T(0) : x;
  }
};
LB_LOOPS(Hardshrink, .name = "hardshrink_cpu", .accepts = kFloatingDTypes);
#if LB_BASELINE
double largest_number(DType dtype) {
  if (dtype == DType::Float16) return 65504.0;
  if (dtype == DType::BFloat16) return 0x1.fep127;
  return dtype == DType::Float32 ? std::numeric_limits<float>::max() : std::numeric_limits<double>::max();
}
Tensor softshrink(const Out& out, const Tensor& input, double lambd) {
  if (is_floating(input.dtype())) {
    const double largest = largest_number(input.dtype());
    LB_CHECK(lambd >= 0 && lambd <= largest, Runtime, "lambda must be in range [0, ", largest, "] for input dtype ",
             dtype_title(input.dtype()), ", but found ", lambd);
  }
  const Softshrink functor{{}, lambd};
  return pointwise(Softshrink_spec, out, {input}, &functor);
}
Tensor hardshrink(const Out& out, const Tensor& input, double lambd) {
  const Hardshrink functor{{}, lambd};
  return pointwise(Hardshrink_spec, out, {input}, &functor);
}
#endif
LB_RECORD(.signature = "nn.functional.softshrink(input, lambd=0.5, *, out=None)",
          .doc = R"(Each element moved towards 0 by lambd, no further than 0.

Raises RuntimeError for a negative lambd.

>>> torch.nn.functional.softshrink(torch.tensor([-1., 0.2, 2.]))
tensor([-0.5000,  0.0000,  1.5000]))",
          .forward = forward_of<softshrink>,
          .derivative = LB_GRADIENT("SoftshrinkBackward0", "0:0", outside(g, b.input(0), b.real(1))),
          .forms = kFunction);
LB_RECORD(.signature = "hardshrink(input, lambd=0.5, *, out=None)", .doc = R"(Each element, but 0 in [-lambd, lambd].

>>> torch.hardshrink(torch.tensor([-1., 0.2, 2.]))
tensor([-1.,  0.,  2.]))",
          .forward = forward_of<hardshrink>,
          .derivative = LB_GRADIENT("HardshrinkBackward0", "0:0", outside(g, b.input(0), b.real(1))),
          .aliases = "nn.functional.hardshrink");

struct LogSigmoid : Floats {
  template <class T>
  T operator()(T x) const {
    return math::log_sigmoid(x);
  }
};
LB_LOOPS(LogSigmoid, .name = "log_sigmoid_cpu", .accepts = kFloatingDTypes);
LB_RECORD(.signature = "nn.functional.logsigmoid(input, *, out=None)",
          .doc = R"(log(1 / (1 + exp(-x))), without overflow.

>>> torch.nn.functional.logsigmoid(torch.tensor([0., 2.]))
tensor([-0.6931, -0.1269]))",
          .forward = forward_of<unary_forward<LogSigmoid_spec>>,
          .derivative = LB_GRADIENT("LogSigmoidBackward0", "0:0", g* call<"sigmoid">(-b.input(0))), .forms = kFunction);

struct Threshold : Numbers {
  double limit_real, value_real;
  int64_t limit_int, value_int;
  template <class T>
  T operator()(T x) const {
    if constexpr (std::is_floating_point_v<T>)
      return x <= static_cast<T>(limit_real) ? static_cast<T>(value_real) : x;
    else
      return x <= static_cast<T>(limit_int) ? static_cast<T>(value_int) : x;
  }
};
LB_LOOPS(Threshold, .name = "threshold_cpu", .accepts = kNumberDTypes);
#if LB_BASELINE
Tensor torch_threshold(const Out& out, const Tensor& input, Scalar threshold, Scalar value) {
  const Threshold functor{{}, threshold.as_double(), value.as_double(), threshold.as_int(), value.as_int()};
  return pointwise(Threshold_spec, out, {input}, &functor);
}
Tensor threshold(const Out& out, const Tensor& input, Scalar threshold, Scalar value, bool inplace) {
  if (inplace && out.form() == Out::Form::Function)
    return torch_threshold(Out(Out::Form::InPlace, std::span<const Tensor>(&input, 1)), input, threshold, value);
  return torch_threshold(out, input, threshold, value);
}
#endif
LB_RECORD(.signature = "threshold(input, threshold, value, *, out=None)",
          .doc = R"(The elements above `threshold`, and `value` for the others.

>>> torch.threshold(torch.tensor([-1., 2.]), 0, 7)
tensor([7., 2.]))",
          .forward = forward_of<torch_threshold>,
          .derivative = LB_GRADIENT("ThresholdBackward0", "0:0",
                                    where(call<"gt">(b.input(0), b.scalar(1)), g, Scalar(0.0))),
          .forms = kFunction | kInPlaceFunction);
LB_RECORD(.signature = "nn.functional.threshold(input, threshold, value, inplace=False)",
          .doc = R"(The elements above `threshold`, and `value` for the others.

>>> torch.nn.functional.threshold(torch.tensor([-1., 2.]), 0, 7)
tensor([7., 2.]))",
          .forward = forward_of<threshold>,
          .derivative = LB_GRADIENT("ThresholdBackward0", "0:0",
                                    where(call<"gt">(b.input(0), b.scalar(1)), g, Scalar(0.0))),
          .forms = kFunction | kInPlaceFunction);

}  // namespace LB_LEVEL
}  // namespace lumbre
