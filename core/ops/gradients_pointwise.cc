#include <cmath>
#include <numbers>

#include "ops/gradients.h"

namespace lumbre {

using namespace op;

namespace {
// The operand as it was given, a number made a tensor of the gradient's dtype.
Tensor operand(const Backward& b, int parameter, const Tensor& like) {
  if (b.is_tensor(parameter)) return b.input(parameter);
  return Tensor::scalar(b.scalar(parameter), like.dtype());
}
}  // namespace

void quotient_gradient(Backward& b) {
  const Tensor g = b.grad();
  // The third argument of div is the rounding mode: a rounded quotient is flat.
  const bool rounded = b.parameter_count() > 2 && b.given(2);
  if (b.needs(0)) {
    if (rounded)
      b.give(0, zeros(g.sizes(), g.dtype()));
    else
      b.give(0, b.is_tensor(1) ? g / b.input(1) : g / b.scalar(1));
  }
  if (!b.needs(1)) return;
  if (rounded)
    b.give(1, zeros(g.sizes(), g.dtype()));
  else
    b.give(1, -g * ((b.input(0) / b.input(1)) / b.input(1)));
}

void reversed_quotient_gradient(Backward& b) {
  const Tensor x = b.input(1);
  if (b.parameter_count() > 2 && b.given(2))
    b.give(1, zeros(b.grad().sizes(), b.grad().dtype()));
  else
    b.give(1, -b.grad() * ((call<"reciprocal">(x) * b.scalar(0)) / x));
}

Tensor logit_gradient(const Tensor& g, Backward& b) {
  const Tensor x = b.input(0);
  const Tensor slope = g / (x * (Scalar(1) - x));
  const double low = b.given(1) ? b.real(1) : 0, high = b.given(1) ? 1 - b.real(1) : 1;
  const Tensor within = call<"logical_and">(call<"ge">(x, Scalar(low)), call<"le">(x, Scalar(high)));
  return where(within, slope, Scalar(b.given(1) ? 0.0 : std::nan("")));
}

void power_gradient(Backward& b) {
  const Tensor g = b.grad();
  if (b.needs(0)) {
    const Tensor x = b.input(0);
    if (b.is_tensor(1)) {
      const Tensor exponent = b.input(1);
      const Tensor slope = g * (exponent * pow(x, exponent - Scalar(1)));
      b.give(0, where(call<"eq">(exponent, Scalar(0)), Scalar(0.0), slope));
    } else if (const Scalar exponent = b.scalar(1); exponent.as_double() == 0) {
      b.give(0, zeros(b.sizes(0), b.dtype(0)));
    } else {
      const Scalar less = exponent.is_float() ? Scalar(exponent.as_double() - 1) : Scalar(exponent.as_int() - 1);
      b.give(0, g * (pow(x, less) * exponent));
    }
  }
  if (!b.needs(1)) return;
  const Tensor x = b.input(0), exponent = b.input(1);
  const Tensor flat = call<"logical_and">(call<"eq">(x, Scalar(0)), call<"ge">(exponent, Scalar(0)));
  b.give(1, where(flat, Scalar(0.0), g * (b.result() * call<"log">(x))));
}

Tensor exponent_slope(Backward& b, const Tensor& g, Scalar base, const Tensor& exponent) {
  const Tensor slope = g * (b.result() * Scalar(std::log(base.as_double())));
  return base.as_double() == 0 ? where(call<"ge">(exponent, Scalar(0)), Scalar(0.0), slope) : slope;
}

void clamp_tensors_gradient(Backward& b) {
  const Tensor g = b.grad();
  const bool has_min = b.given(1), has_max = b.given(2);
  const Tensor x = b.input(0), low = has_min ? b.input(1) : Tensor(), high = has_max ? b.input(2) : Tensor();
  if (b.needs(0)) {
    Tensor slope = g;
    if (has_min) slope = where(call<"ge">(x, low), slope, Scalar(0.0));
    if (has_max) slope = where(call<"le">(x, high), slope, Scalar(0.0));
    b.give(0, slope);
  }
  if (has_min && b.needs(1)) {
    Tensor active = call<"lt">(x, low);
    if (has_max) active = call<"logical_and">(active, call<"lt">(low, high));
    b.give(1, where(active, g, Scalar(0.0)));
  }
  if (has_max && b.needs(2)) {
    Tensor active = call<"gt">(x, high);
    if (has_min) active = call<"logical_or">(active, call<"lt">(high, low));
    b.give(2, where(active, g, Scalar(0.0)));
  }
}

Tensor clamp_gradient(const Tensor& g, Backward& b) {
  const Tensor x = b.input(0);
  Tensor slope = g;
  if (b.given(1)) slope = where(call<"ge">(x, b.scalar(1)), slope, Scalar(0.0));
  if (b.given(2)) slope = where(call<"le">(x, b.scalar(2)), slope, Scalar(0.0));
  return slope;
}

void lerp_gradient(Backward& b) {
  const Tensor g = b.grad();
  if (b.needs(0)) b.give(0, b.is_tensor(2) ? g * (Scalar(1) - b.input(2)) : g * Scalar(1 - b.scalar(2).as_double()));
  if (b.needs(1)) b.give(1, b.times(g, 2));
  if (b.is_tensor(2) && b.needs(2)) b.give(2, g * (b.input(1) - b.input(0)));
}

void addcmul_gradient(Backward& b) {
  const Tensor g = b.grad();
  if (b.needs(0)) b.give(0, g);
  if (b.needs(1)) b.give(1, scaled(g * b.input(2), b.scalar(3)));
  if (b.needs(2)) b.give(2, scaled(g * b.input(1), b.scalar(3)));
}

void addcdiv_gradient(Backward& b) {
  const Tensor g = b.grad();
  if (b.needs(0)) b.give(0, g);
  if (b.needs(1)) b.give(1, scaled(g, b.scalar(3)) / b.input(2));
  if (b.needs(2)) b.give(2, -scaled(g, b.scalar(3)) * (b.input(1) / (b.input(2) * b.input(2))));
}

void where_gradient(Backward& b) {
  const Tensor g = b.grad(), condition = b.input(0);
  if (b.needs(1)) b.give(1, where(condition, g, Scalar(0.0)));
  if (b.needs(2)) b.give(2, where(condition, Scalar(0.0), g));
}

void extreme_slope(Backward& b, const char* compare, bool skips_nan) {
  const Tensor g = b.grad(), x = operand(b, 0, g), y = operand(b, 1, g);
  const bool greater = compare[0] == 'g';
  const auto beats = [&](const Tensor& p, const Tensor& q) { return greater ? call<"gt">(p, q) : call<"lt">(p, q); };
  if (skips_nan) {
    const Tensor first = call<"logical_or">(greater ? call<"ge">(x, y) : call<"le">(x, y), call<"isnan">(y));
    if (b.needs(0)) b.give(0, where(first, g, Scalar(0.0)));
    if (b.needs(1)) b.give(1, where(first, Scalar(0.0), g));
    return;
  }
  const Tensor half = where(call<"eq">(x, y), g / Scalar(2), g);
  if (b.needs(0)) b.give(0, where(beats(y, x), Scalar(0.0), half));
  if (b.needs(1)) b.give(1, where(beats(x, y), Scalar(0.0), half));
}

void xlogy_slope(Backward& b, bool plus_one) {
  const Tensor g = b.grad(), x = operand(b, 0, g), y = operand(b, 1, g);
  if (b.needs(0)) {
    const Tensor slope = plus_one ? call<"special.xlog1py">(g, y) : call<"xlogy">(g, y);
    const Tensor flat = call<"logical_and">(call<"eq">(x, Scalar(0)), call<"le">(y, Scalar(plus_one ? -1.0 : 0.0)));
    b.give(0, where(flat, Scalar(0.0), slope));
  }
  if (b.needs(1)) b.give(1, g * x / (plus_one ? y + Scalar(1) : y));
}

Tensor i1_slope(const Tensor& x, const Tensor& result, const Tensor& other, bool is_scaled) {
  const Tensor large =
      call<"gt">(call<"abs">(x), Scalar(x.dtype() == DType::Float64 ? 2.220446049250313e-16 : 1.1920929e-07));
  const Tensor safe = where(large, x, Scalar(1.0));
  const Tensor inverse = call<"reciprocal">(safe);
  const Tensor slope = other - result * (is_scaled ? call<"sign">(x) + inverse : inverse);
  return where(large, slope, Scalar(0.5));
}

void zeta_gradient(Backward& b) {
  LB_CHECK(!b.is_tensor(0) || !b.needs(0), NotImplemented, "the derivative for 'self' is not implemented.");
  const Tensor g = b.grad(), x = operand(b, 0, g), q = operand(b, 1, g);
  if (b.needs(1)) b.give(1, g * (-x * call<"special.zeta">(x + Scalar(1), q)));
}

void igamma_slope(Backward& b, double sign) {
  LB_CHECK(!b.needs(0), NotImplemented, "the derivative for 'igamma: input' is not implemented.");
  const Tensor g = b.grad(), a = b.input(0), x = b.input(1);
  b.give(1, g * call<"exp">((a - Scalar(1)) * call<"log">(x) - x - call<"lgamma">(a)) * Scalar(sign));
}

Tensor mvlgamma_slope(const Tensor& x, int64_t p) {
  Tensor sum_of;
  for (int64_t i = 0; i < p; ++i) {
    const Tensor term = call<"digamma">(x - Scalar(0.5 * static_cast<double>(i)));
    sum_of = sum_of.defined() ? sum_of + term : term;
  }
  return sum_of;
}

Tensor sinc_slope(const Tensor& x) {
  const Tensor scaled_x = x * Scalar(std::numbers::pi);
  const Tensor slope = (call<"cos">(scaled_x) * scaled_x - call<"sin">(scaled_x)) / (scaled_x * x);
  return where(call<"eq">(x, Scalar(0)), Scalar(0.0), slope);
}

void atan2_gradient(Backward& b) {
  const Tensor g = b.grad(), y = b.input(0), x = b.input(1);
  const Tensor square = y * y + x * x;
  const Tensor factor = where(call<"eq">(square, Scalar(0)), Scalar(0.0), call<"reciprocal">(square));
  if (b.needs(0)) b.give(0, g * x * factor);
  if (b.needs(1)) b.give(1, g * -y * factor);
}

Tensor inside(const Tensor& g, const Tensor& x, double low, double high) {
  if (!autograd::grad_enabled()) return call<"_hardtanh_slope">(g, x, low, high);
  const Tensor within = call<"logical_and">(call<"gt">(x, Scalar(low)), call<"lt">(x, Scalar(high)));
  return where(within, g, Scalar(0.0));
}

Tensor outside(const Tensor& g, const Tensor& x, double lambda) {
  const Tensor within = call<"logical_and">(call<"ge">(x, Scalar(-lambda)), call<"le">(x, Scalar(lambda)));
  return where(within, Scalar(0.0), g);
}

void prelu_gradient(Backward& b) {
  const Tensor g = b.grad(), x = b.input(0);
  const Tensor positive = call<"gt">(x, Scalar(0));
  if (b.needs(0)) {
    Tensor weight = b.input(1);
    if (weight.count() != 1) {
      Dims sizes(static_cast<size_t>(x.ndim()), 1);
      if (x.ndim() > 1) sizes[1] = weight.count();
      weight = reshape(weight, sizes);
    } else {
      weight = reshape(weight, {});
    }
    b.give(0, where(positive, g, g * weight));
  }
  if (!b.needs(1)) return;
  const Tensor each = where(positive, Scalar(0.0), g * x);
  if (count_elements(b.sizes(1)) == 1) {
    b.give(1, reshape(sum(each), b.sizes(1)));
    return;
  }
  Dims dims;
  for (int d = 0; d < x.ndim(); ++d)
    if (d != 1) dims.push_back(d);
  b.give(1, reshape(x.ndim() == 1 ? sum(each) : sum(each, dims, false), b.sizes(1)));
}

Tensor leaky_gradient(const Tensor& g, const Tensor& x, double slope) {
  if (!autograd::grad_enabled()) return call<"_leaky_relu_slope">(g, x, slope);
  return where(call<"gt">(x, Scalar(0)), g, g * Scalar(slope));
}

Tensor elu_slope(const Tensor& g, const Tensor& x, double scale, double alpha, double input_scale) {
  if (!autograd::grad_enabled()) return call<"_elu_slope">(g, x, scale, alpha, input_scale);
  const Tensor below = g * (call<"exp">(x * Scalar(input_scale)) * Scalar(scale * alpha * input_scale));
  return where(call<"le">(x, Scalar(0)), below, g * Scalar(scale));
}

Tensor gelu_gradient(const Tensor& g, const Tensor& x, bool tanh) {
  if (!autograd::grad_enabled()) return tanh ? call<"_gelu_tanh_slope">(g, x) : call<"_gelu_slope">(g, x);
  if (!tanh) {
    const Tensor cdf = (call<"erf">(x * Scalar(std::numbers::sqrt2 / 2)) + Scalar(1)) * Scalar(0.5);
    const Tensor density = call<"exp">(x * x * Scalar(-0.5)) * Scalar(0.39894228040143267794);
    return g * (cdf + x * density);
  }
  const double beta = 0.79788456080286535588, kappa = 0.044715;
  const Tensor cube = x * x * x;
  const Tensor t = call<"tanh">((x + cube * Scalar(kappa)) * Scalar(beta));
  const Tensor inner = (x * x * Scalar(3 * kappa) + Scalar(1)) * Scalar(beta);
  return g * ((t + Scalar(1)) * Scalar(0.5) + x * Scalar(0.5) * (Scalar(1) - t * t) * inner);
}

Tensor mish_gradient(const Tensor& g, const Tensor& x) {
  if (!autograd::grad_enabled()) return call<"_mish_slope">(g, x);
  const Tensor t = call<"tanh">(call<"nn.functional.softplus">(x, 1.0, 20.0));
  return g * (t + x * call<"sigmoid">(x) * (Scalar(1) - t * t));
}

Tensor hardswish_gradient(const Tensor& g, const Tensor& x) {
  if (!autograd::grad_enabled()) return call<"_hardswish_slope">(g, x);
  const Tensor middle = where(call<"lt">(x, Scalar(3)), g * (x / Scalar(3.0) + Scalar(0.5)), g);
  return where(call<"le">(x, Scalar(-3)), Scalar(0.0), middle);
}

Tensor softplus_gradient(const Tensor& g, const Tensor& x, double beta, double threshold) {
  if (!autograd::grad_enabled()) return call<"_softplus_slope">(g, x, beta, threshold);
  const Tensor scaled_x = x * Scalar(beta);
  return where(call<"gt">(scaled_x, Scalar(threshold)), g, g * call<"sigmoid">(scaled_x));
}

}  // namespace lumbre
