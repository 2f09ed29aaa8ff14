#include <cmath>

#include "ops/gradients.h"

namespace lumbre {

using namespace op;

namespace {

// Products of all the others along a dimension, by cumulative products from both ends: right where elements are zero.
Tensor others_product(const Tensor& x, int64_t dim) {
  const int64_t n = x.size(dim);
  Dims one = x.sizes();
  one[wrap_dim(dim, x.ndim())] = 1;
  const Tensor ones = Tensor::full(one, Scalar(1.0), x.dtype());
  const auto before = [&](const Tensor& t) {
    const Tensor shifted = call<"cat">(std::vector<Tensor>{ones, call<"narrow">(t, dim, int64_t{0}, n - 1)}, dim);
    return call<"cumprod">(shifted, dim, none);
  };
  const Dims axis{dim};
  return before(x) * call<"flip">(before(call<"flip">(x, axis)), axis);
}

}  // namespace

Tensor prod_gradient(const Tensor& g, const Tensor& x, const Tensor& result, std::optional<int64_t> dim, bool keepdim) {
  if (x.ndim() == 0) return g;
  const Tensor wide = cast(x, result.dtype());
  if (!dim) {
    if (x.count() == 0) return zeros(x.sizes(), g.dtype());
    return reshape(others_product(reshape(wide, {x.count()}), 0), x.sizes()) * g;
  }
  if (x.count() == 0) return zeros(x.sizes(), g.dtype());
  return others_product(wide, *dim) * (keepdim ? g : unsqueeze(g, *dim));
}

void aminmax_gradient(Backward& b) {
  Tensor total;
  for (int k = 0; k < 2; ++k) {
    if (!b.has(k)) continue;
    const bool keepdim = b.flag(2);
    const Tensor mask = call<"eq">(b.input(0), b.unreduced(b.result(k), 1, keepdim));
    const Tensor found = cast(mask, b.grad(k).dtype());
    const Tensor part = found / sum(found, b.reduced(1), true) * b.unreduced(b.grad(k), 1, keepdim);
    total = total.defined() ? total + part : part;
  }
  b.give(0, total);
}

Tensor picked(Backward& b, int dim, int keepdim) {
  return b.scattered(b.grad(), b.result(1), b.integer(dim), b.flag(keepdim));
}

Tensor logsumexp_gradient(const Tensor& g, Backward& b) {
  const Tensor result = b.unreduced(b.result(), 1, b.flag(2)), x = b.input(0);
  const Tensor level = where(call<"isinf">(result), Scalar(0.0), result);
  return b.spread(g, 1, b.flag(2)) * call<"exp">(cast(x, result.dtype()) - level);
}

Tensor reversed_cumsum(const Tensor& g, int64_t dim) {
  if (g.ndim() == 0 || g.count() == 0) return g;
  const Dims axis{dim};
  return call<"flip">(call<"cumsum">(call<"flip">(g, axis), dim, none), axis);
}

// Where nothing is zero: the sum, from each place on, of gradient times result, over the element. Elements that are
// zero need the products without them, computed one by one.
Tensor cumprod_gradient(const Tensor& g, const Tensor& given, const Tensor& result, int64_t dim) {
  if (given.ndim() == 0 || given.count() <= 1) return g;
  const Tensor x = cast(given, result.dtype());
  const bool any_zero = [&] {
    const autograd::GradModeGuard off(false);
    return call<"any">(call<"eq">(x, Scalar(0)), none, false).item().as_bool();
  }();
  if (!any_zero) return reversed_cumsum(g * result, dim) / x;
  const int64_t n = x.size(dim);
  std::vector<Tensor> slopes;
  for (int64_t k = 0; k < n; ++k) {
    // The products that hold element k, without it.
    const Tensor tail = call<"narrow">(x, dim, k, n - k);
    const Tensor one = Tensor::full(call<"narrow">(x, dim, int64_t{0}, int64_t{1}).sizes(), Scalar(1.0), x.dtype());
    Tensor products =
        n - k > 1 ? call<"cumprod">(
                        call<"cat">(std::vector<Tensor>{one, call<"narrow">(tail, dim, int64_t{1}, n - k - 1)}, dim),
                        dim, none)
                  : one;
    if (k > 0) products = products * call<"prod">(call<"narrow">(x, dim, int64_t{0}, k), dim, true, none);
    slopes.push_back(sum(call<"narrow">(g, dim, k, n - k) * products, Dims{dim}, true));
  }
  return call<"cat">(slopes, dim);
}

Tensor logcumsumexp_gradient(const Tensor& g, const Tensor& x, const Tensor& result, int64_t dim) {
  if (g.ndim() == 0 || g.count() == 0) return g;
  const Dims axis{dim};
  // In logarithms, positive and negative gradients apart, so that nothing overflows.
  const bool wide = g.dtype() == DType::Float64, narrow = g.dtype() == DType::Float16;
  // Not the logarithm of zero, whose differences have no value.
  const double limit = wide ? std::numeric_limits<double>::max() : narrow ? 65504.0 : 3.3e38;
  const Tensor lowest = Tensor::full({}, Scalar(-limit), g.dtype());
  const auto part = [&](const Tensor& positive, const Tensor& magnitude) {
    const Tensor logs = where(positive, call<"log">(where(positive, magnitude, Scalar(1.0))), lowest);
    const Tensor sums = call<"flip">(call<"logcumsumexp">(call<"flip">(logs - result, axis), dim), axis);
    return call<"exp">(sums + x);
  };
  return part(call<"gt">(g, Scalar(0)), g) - part(call<"lt">(g, Scalar(0)), -g);
}

Tensor softmax_slope(const Tensor& g, const Tensor& result, int64_t dim) {
  const Tensor weighted = g * result;
  return weighted - result * (g.ndim() ? sum(weighted, Dims{dim}, true) : weighted);
}
Tensor log_softmax_slope(const Tensor& g, const Tensor& result, int64_t dim) {
  return g - call<"exp">(result) * (g.ndim() ? sum(g, Dims{dim}, true) : g);
}

int64_t chosen_dim(Backward& b) {
  if (b.given(1)) return b.integer(1);
  const int n = b.ndim(0);
  return n == 0 || n == 1 || n == 3 ? 0 : 1;
}

namespace {
// The number that deviations are divided by; a correction may be absent (1), a flag (Bessel's) or a number.
double degrees(Backward& b, int dims, int correction) {
  double value = 1;
  if (b.given(correction))
    value = b.kind(correction) == Param::Bool ? (b.flag(correction) ? 1 : 0) : b.scalar(correction).as_double();
  return b.reduced_count(dims) - value;
}
Tensor variance_slope(Backward& b, const Tensor& g, int dims, bool keepdim, double divisor) {
  const Tensor x = b.input(0);
  const Tensor centred = x - call<"mean">(x, b.reduced(dims), true, none);
  return b.spread(g, dims, keepdim) * centred * Scalar(2.0 / std::max(divisor, 0.0));
}
}  // namespace

Tensor deviations_gradient(Backward& b, const Tensor& g, bool root, int dims, int keepdim, int correction) {
  const bool keep = keepdim >= 0 && b.flag(keepdim);
  Tensor slope = g;
  if (root) {
    const Tensor deviation = b.result();
    slope = where(call<"eq">(deviation, Scalar(0)), Scalar(0.0), g / (deviation * Scalar(2)));
  }
  return variance_slope(b, slope, dims, keep, degrees(b, dims, correction));
}

Tensor moments_gradient(Backward& b, bool root, int dims, int keepdim, int correction) {
  const bool keep = keepdim >= 0 && b.flag(keepdim);
  Tensor total;
  if (b.has(0)) total = deviations_gradient(b, b.grad(0), root, dims, keepdim, correction);
  if (b.has(1)) {
    const Tensor part = b.spread(b.grad(1), dims, keep) / Scalar(b.reduced_count(dims));
    total = total.defined() ? total + part : part;
  }
  return total;
}

Tensor vector_norm_gradient(const Tensor& given, Backward& b) {
  const double p = b.scalar(1).as_double();
  const bool keep = b.flag(3);
  const Tensor x = cast(b.input(0), given.dtype());
  const Tensor g = b.spread(given, 2, keep), norm = b.unreduced(b.result(), 2, keep);
  if (p == 0) return zeros(x.sizes(), g.dtype());
  if (p == 1) return g * call<"sign">(x);
  const auto where_norm = [&](const Tensor& slope) { return where(call<"eq">(norm, Scalar(0)), Scalar(0.0), slope); };
  if (p == 2) return where_norm(x / norm * g);
  if (std::isinf(p)) {
    const Tensor hit = call<"logical_or">(call<"eq">(call<"abs">(x), norm), call<"isnan">(norm));
    const Tensor found = cast(hit, g.dtype());
    return call<"sign">(x) * (found / sum(found, b.reduced(2), true)) * g;
  }
  if (p < 1) {
    const Tensor slope =
        call<"sign">(x) * where(call<"eq">(x, Scalar(0)), Scalar(0.0), pow(call<"abs">(x), Scalar(p - 1)));
    return slope * g * where_norm(pow(norm, Scalar(1 - p)));
  }
  if (p < 2) {
    const Tensor slope = call<"sign">(x) * pow(call<"abs">(x), Scalar(p - 1)) * (g / pow(norm, Scalar(p - 1)));
    return where_norm(slope);
  }
  // Where the norm is zero nothing is divided: the quotient's own derivative would not be a number.
  const Tensor safe = where(call<"eq">(norm, Scalar(0)), Scalar(1.0), norm);
  return where_norm(x * pow(call<"abs">(x), Scalar(p - 2)) * (g / pow(safe, Scalar(p - 1))));
}

}  // namespace lumbre
