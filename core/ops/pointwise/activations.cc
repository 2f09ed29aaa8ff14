// Activations of neural networks.
#include "kernels/math.h"
#include "ops/pointwise.h"

namespace lumbre {
namespace LB_LEVEL {

#if LB_BASELINE
// `inplace=True` of torch.nn.functional is the in-place form.
Out chosen_form(const Out& out, const Tensor& input, bool inplace) {
  if (!inplace || out.form() != Out::Form::Function) return out;
  return Out(Out::Form::InPlace, std::span<const Tensor>(&input, 1));
}

template <const PointwiseSpec& spec>
Tensor activation(const Out& out, const Tensor& input, bool inplace) {
  return pointwise(spec, chosen_form(out, input, inplace), {input});
}

#define LB_ACTIVATION(name, F, slope, text)                                           \
  LB_RECORD(.signature = "nn.functional." name "(input, inplace=False)", .doc = text, \
            .forward = forward_of<activation<F##_spec>>, .derivative = slope, .forms = kFunction)
#else
#define LB_ACTIVATION(...) static_assert(true)
#endif

// NaN stays, in all of the clamped ones.
struct Relu : NumbersAndBFloat16 {
  template <class T>
  T operator()(T x) const {
    return x < T(0) ? T(0) : x;
  }
};
LB_LOOPS(Relu, .name = "relu", .accepts = kNumberDTypes);
#if LB_BASELINE
void check_relu(const Tensor& input) {
  LB_CHECK(input.dtype() != DType::Bool, Runtime, "Boolean inputs not supported for relu");
}
Tensor relu(const Out& out, const Tensor& input) {
  check_relu(input);
  return pointwise(Relu_spec, out, {input});
}
Tensor relu_activation(const Out& out, const Tensor& input, bool inplace) {
  return relu(chosen_form(out, input, inplace), input);
}
#endif
LB_RECORD(.signature = "relu(input)", .doc = R"(The elements above 0, and 0 for the others; NaN stays.

Raises RuntimeError for bool.

>>> torch.relu(torch.tensor([-1., 2.]))
tensor([0., 2.]))",
          .forward = forward_of<relu>,
          .derivative = LB_GRADIENT("ReluBackward0", "0:r", call<"_relu_slope">(g, b.result())), .forms = kUnaryForms);
LB_RECORD(.signature = "nn.functional.relu(input, inplace=False)", .doc = R"(The elements above 0, and 0 for the others.

>>> torch.nn.functional.relu(torch.tensor([-1., 2.]))
tensor([0., 2.]))",
          .forward = forward_of<relu_activation>,
          .derivative = LB_GRADIENT("ReluBackward0", "0:r", call<"_relu_slope">(g, b.result())),
          .forms = kFunction | kInPlaceFunction);

struct HardTanh : Numbers {
  double low, high;
  template <class T>
  T operator()(T x) const {
    const T bottom = static_cast<T>(low), top = static_cast<T>(high);
    const T raised = x < bottom ? bottom : x;
    return raised > top ? top : raised;
  }
};
LB_LOOPS(HardTanh, .name = "hardtanh", .accepts = kNumberDTypes);
#if LB_BASELINE
Tensor hardtanh(const Out& out, const Tensor& input, double min_val, double max_val, bool inplace) {
  LB_CHECK(min_val <= max_val, Value, "min_val cannot be greater than max_val");
  LB_CHECK(input.dtype() != DType::Bool, Runtime, "Bool inputs not supported for hardtanh");
  LB_CHECK(input.dtype() != DType::UInt8 || (min_val >= 0 && max_val >= 0), Runtime,
           "cannot do hardtanh on an unsigned type with negative limits");
  const auto fits = [](double bound) { return bound >= -0x1p63 && bound < 0x1p63; };
  LB_CHECK(is_floating(input.dtype()) || (fits(min_val) && fits(max_val)), Runtime,
           "value cannot be converted to type int64_t without overflow");
  const HardTanh functor{{}, min_val, max_val};
  return pointwise(HardTanh_spec, chosen_form(out, input, inplace), {input}, &functor);
}
Tensor relu6(const Out& out, const Tensor& input, bool inplace) { return hardtanh(out, input, 0, 6, inplace); }
#endif
LB_RECORD(.signature = "nn.functional.hardtanh(input, min_val=-1.0, max_val=1.0, inplace=False)",
          .doc = R"(Each element moved into [min_val, max_val].

>>> torch.nn.functional.hardtanh(torch.tensor([-3., 0.5]))
tensor([-1.0000,  0.5000]))",
          .forward = forward_of<hardtanh>,
          .derivative = LB_GRADIENT("HardtanhBackward0", "0:0", inside(g, b.input(0), b.real(1), b.real(2))),
          .forms = kFunction | kInPlaceFunction);
LB_RECORD(.signature = "nn.functional.relu6(input, inplace=False)", .doc = R"(Each element moved into [0, 6].

>>> torch.nn.functional.relu6(torch.tensor([-1., 8.]))
tensor([0., 6.]))",
          .forward = forward_of<relu6>,
          .derivative = LB_GRADIENT("HardtanhBackward0", "0:0", inside(g, b.input(0), 0, 6)), .forms = kFunction);

struct LeakyRelu : Floats {
  double slope;
  template <class T>
  T operator()(T x) const {
    return x > T(0) ? x : x * static_cast<T>(slope);
  }
};
LB_LOOPS(LeakyRelu, .name = "leaky_relu_cpu", .accepts = kFloatingDTypes);
#if LB_BASELINE
Tensor leaky_relu(const Out& out, const Tensor& input, double negative_slope, bool inplace) {
  const LeakyRelu functor{{}, negative_slope};
  return pointwise(LeakyRelu_spec, chosen_form(out, input, inplace), {input}, &functor);
}
#endif
LB_RECORD(.signature = "nn.functional.leaky_relu(input, negative_slope=0.01, inplace=False)",
          .doc = R"(The elements above 0, and negative_slope * x for the others.

>>> torch.nn.functional.leaky_relu(torch.tensor([-1., 2.]), 0.5)
tensor([-0.5000,  2.0000]))",
          .forward = forward_of<leaky_relu>,
          .derivative = LB_GRADIENT("LeakyReluBackward0", "0:0", leaky_gradient(g, b.input(0), b.real(1))),
          .forms = kFunction | kInPlaceFunction);

struct Prelu : Floats {
  template <class T>
  T operator()(T x, T weight) const {
    return x > T(0) ? x : x * weight;
  }
};
LB_LOOPS(Prelu, .name = "prelu_cpu", .accepts = kFloatingDTypes);
#if LB_BASELINE
// A weight for each channel (dimension 1), or one for all.
Tensor prelu(const Tensor& input, const Tensor& weight) {
  LB_CHECK(input.dtype() == weight.dtype(), Runtime, "prelu: Type promoting not supported. Got ",
           dtype_title(input.dtype()), " and ", dtype_title(weight.dtype()));
  if (weight.count() != 1) {
    LB_CHECK(input.ndim() > 0, Runtime, "Not allow zero-dim input tensor.");
    const int64_t channels = input.ndim() > 1 ? input.size(1) : 1;
    LB_CHECK(channels == weight.count(), Runtime,
             "Mismatch of parameter numbers and input channel size. Found parameter numbers = ", weight.count(),
             " and channel size = ", channels, ".");
  }
  LB_CHECK(weight.ndim() <= 1, Runtime,
           "prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = ", weight.ndim());
  Dims sizes, strides;
  for (int i = 0; i < input.ndim(); ++i) {
    const bool channel = i == 1 && weight.ndim() == 1;
    sizes.push_back(channel ? weight.count() : 1);
    strides.push_back(channel ? weight.strides()[0] : 0);
  }
  return pointwise(Prelu_spec, Out(), {input, weight.view_as_strided(sizes, strides, weight->offset)});
}
#endif
LB_RECORD(.signature = "prelu(input, weight)", .doc = R"(The elements above 0, and weight * x for the others.

`weight` has one element or one for each channel (dimension 1).

>>> torch.prelu(torch.tensor([-1., 2.]), torch.tensor([0.5]))
tensor([-0.5000,  2.0000]))",
          .forward = forward_of<prelu>, .derivative = gradients("PreluKernelBackward0", prelu_gradient, "0:01 1:0"),
          .aliases = "nn.functional.prelu");

struct Elu : Floats {
  double scale, negative_scale, input_scale;
  template <class T>
  T operator()(T x) const {
    const T below = math::expm1(x * static_cast<T>(input_scale)) * static_cast<T>(negative_scale);
    return x <= T(0) ? below : x * static_cast<T>(scale);
  }
};
LB_LOOPS(Elu, .name = "elu_cpu", .accepts = kFloatingDTypes);
#if LB_BASELINE
Tensor elu_with(const Out& out, const Tensor& input, bool inplace, double scale, double alpha, double input_scale) {
  const Elu functor{{}, scale, alpha * scale, input_scale};
  return pointwise(Elu_spec, chosen_form(out, input, inplace), {input}, &functor);
}
Tensor elu(const Out& out, const Tensor& input, double alpha, bool inplace) {
  return elu_with(out, input, inplace, 1, alpha, 1);
}
Tensor selu(const Out& out, const Tensor& input, bool inplace) {
  return elu_with(out, input, inplace, 1.0507009873554804934193349852946, 1.6732632423543772848170429916717, 1);
}
Tensor torch_selu(const Out& out, const Tensor& input) { return selu(out, input, false); }
Tensor celu(const Out& out, const Tensor& input, double alpha, bool inplace) {
  LB_CHECK(alpha != 0, Runtime, "ZeroDivisionError: alpha cannot be 0 for CELU");
  return elu_with(out, input, inplace, 1, alpha, 1 / alpha);
}
Tensor torch_celu(const Out& out, const Tensor& input, double alpha) { return celu(out, input, alpha, false); }
#endif
LB_RECORD(.signature = "nn.functional.elu(input, alpha=1.0, inplace=False)",
          .doc = R"(The elements above 0, and alpha * (exp(x) - 1) for the others.

>>> torch.nn.functional.elu(torch.tensor([-1., 2.]))
tensor([-0.6321,  2.0000]))",
          .forward = forward_of<elu>,
          .derivative = LB_GRADIENT("EluBackward0", "0:0", elu_slope(g, b.input(0), 1, b.real(1), 1)),
          .forms = kFunction | kInPlaceFunction);
LB_RECORD(.signature = "nn.functional.selu(input, inplace=False)",
          .doc = R"(elu, scaled by constants that keep a mean of 0 and a variance of 1 from layer to layer.

>>> torch.nn.functional.selu(torch.tensor([-1., 1.]))
tensor([-1.1113,  1.0507]))",
          .forward = forward_of<selu>,
          .derivative = LB_GRADIENT("EluBackward0", "0:0",
                                    elu_slope(g, b.input(0), 1.0507009873554804934193349852946,
                                              1.6732632423543772848170429916717, 1)),
          .forms = kFunction | kInPlaceFunction);
LB_RECORD(.signature = "selu(input)", .doc = R"(As nn.functional.selu.

>>> torch.selu(torch.tensor([-1., 1.]))
tensor([-1.1113,  1.0507]))",
          .forward = forward_of<torch_selu>,
          .derivative = LB_GRADIENT("EluBackward0", "0:0",
                                    elu_slope(g, b.input(0), 1.0507009873554804934193349852946,
                                              1.6732632423543772848170429916717, 1)),
          .forms = kFunction | kInPlaceFunction);
LB_RECORD(.signature = "nn.functional.celu(input, alpha=1.0, inplace=False)",
          .doc = R"(The elements above 0, and alpha * (exp(x / alpha) - 1) for the others.

>>> torch.nn.functional.celu(torch.tensor([-1., 2.]))
tensor([-0.6321,  2.0000]))",
          .forward = forward_of<celu>,
          .derivative = LB_GRADIENT("CeluBackward0", "0:0", elu_slope(g, b.input(0), 1, b.real(1), 1 / b.real(1))),
          .forms = kFunction | kInPlaceFunction);
LB_RECORD(.signature = "celu(input, alpha=1.0)", .doc = R"(As nn.functional.celu.

>>> torch.celu(torch.tensor([-1., 2.]))
tensor([-0.6321,  2.0000]))",
          .forward = forward_of<torch_celu>,
          .derivative = LB_GRADIENT("CeluBackward0", "0:0", elu_slope(g, b.input(0), 1, b.real(1), 1 / b.real(1))),
          .forms = kFunction | kInPlaceFunction);

struct Gelu : Floats {
  template <class T>
  LB_MATH T operator()(T x) const {
    return math::gelu(x);
  }
};
LB_LOOPS(Gelu, .name = "GeluKernelImpl", .accepts = kFloatingDTypes);
struct GeluTanh : Floats {
  template <class T>
  T operator()(T x) const {
    return math::gelu_tanh(x);
  }
};
LB_LOOPS(GeluTanh, .name = "GeluKernelImpl", .accepts = kFloatingDTypes);
#if LB_BASELINE
Tensor gelu(const Out& out, const Tensor& input, const std::string& approximate) {
  LB_CHECK(approximate == "none" || approximate == "tanh", Runtime,
           "approximate argument must be either none or tanh.");
  return pointwise(approximate == "none" ? Gelu_spec : GeluTanh_spec, out, {input});
}
#endif
LB_RECORD(.signature = "nn.functional.gelu(input, *, approximate='none', out=None)",
          .doc = R"(x times the normal distribution function of x; with "tanh", a well-known approximation of it.

>>> torch.nn.functional.gelu(torch.tensor([-1., 2.]))
tensor([-0.1587,  1.9545]))",
          .forward = forward_of<gelu>,
          .derivative = LB_GRADIENT("GeluBackward0", "0:0", gelu_gradient(g, b.input(0), b.string(1) == "tanh")),
          .forms = kFunction);

struct Silu : Floats {
  template <class T>
  T operator()(T x) const {
    return math::silu(x);
  }
};
LB_LOOPS(Silu, .name = "silu_cpu", .accepts = kFloatingDTypes);
LB_ACTIVATION("silu", Silu, LB_GRADIENT("SiluBackward0", "0:0", call<"_silu_slope">(g, b.input(0))), R"(x * sigmoid(x).

>>> torch.nn.functional.silu(torch.tensor([-1., 2.]))
tensor([-0.2689,  1.7616]))");

struct Mish : Floats {
  template <class T>
  T operator()(T x) const {
    return math::mish(x);
  }
};
LB_LOOPS(Mish, .name = "mish_cpu", .accepts = kFloatingDTypes);
LB_ACTIVATION("mish", Mish, LB_GRADIENT("MishBackward0", "0:0", mish_gradient(g, b.input(0))),
              R"(x * tanh(log(1 + exp(x))).

>>> torch.nn.functional.mish(torch.tensor([-1., 2.]))
tensor([-0.3034,  1.9440]))");

struct HardSigmoid : Floats {
  template <class T>
  T operator()(T x) const {
    const T y = x + T(3), raised = y < T(0) ? T(0) : y;
    return (raised > T(6) ? T(6) : raised) / T(6);
  }
};
LB_LOOPS(HardSigmoid, .name = "hardsigmoid_cpu", .accepts = kFloatingDTypes);
LB_ACTIVATION("hardsigmoid", HardSigmoid,
              LB_GRADIENT("HardsigmoidBackward0", "0:0", inside(g, b.input(0), -3, 3) / Scalar(6.0)),
              R"((x + 3) / 6, moved into [0, 1].

>>> torch.nn.functional.hardsigmoid(torch.tensor([-4., 0., 1.5]))
tensor([0.0000, 0.5000, 0.7500]))");

struct HardSwish : Floats {
  template <class T>
  T operator()(T x) const {
    const T y = x + T(3), raised = y < T(0) ? T(0) : y;
    return x * (raised > T(6) ? T(6) : raised) / T(6);
  }
};
LB_LOOPS(HardSwish, .name = "hardswish_cpu", .accepts = kFloatingDTypes);
LB_ACTIVATION("hardswish", HardSwish, LB_GRADIENT("HardswishBackward0", "0:0", hardswish_gradient(g, b.input(0))),
              R"(x * hardsigmoid(x).

>>> torch.nn.functional.hardswish(torch.tensor([-4., 1., 5.]))
tensor([-0.0000, 0.6667, 5.0000]))");

}  // namespace LB_LEVEL
}  // namespace lumbre
