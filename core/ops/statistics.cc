// Spread, norms, counts.
#include <cmath>

#include "ops/gradients.h"
#include "base/threads.h"
#include "kernels/reduce.h"
#include "ops/folds.h"
#include "ops/reductions.h"
#include "ops/registry.h"

namespace lumbre::ops {

namespace {

DType compute_dtype(DType dtype) { return is_half(dtype) ? DType::Float32 : dtype; }

// Runs body(block) over the `a` blocks.
template <class F>
void each_block(const Reduction& r, F&& body) {
  const LongWork released(r.a * r.n * r.b >= 1 << 20);
  parallel_for(r.a, std::max<int64_t>(1, 32768 / std::max<int64_t>(1, r.n * r.b)), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) body(i);
  });
}

// Mean and sum of squared deviations of one long row: fixed parts on the threads, combined by Chan's formula.
void whole_moments(const Reduction& r, const Tensor& mean, const Tensor& squares) {
  constexpr int64_t kPart = 65536;
  const int64_t parts = (r.n + kPart - 1) / kPart;
  const auto loop = reduce_table().moments[static_cast<int>(r.input.dtype())];
  visit_dtype(r.input.dtype(), [&]<class T>(T) {
    if constexpr (std::is_floating_point_v<T>) {
      std::vector<T> means(static_cast<size_t>(parts)), deviations(static_cast<size_t>(parts));
      const LongWork released(r.n >= 1 << 20);
      parallel_for(parts, 1, [&](int64_t begin, int64_t end) {
        for (int64_t p = begin; p < end; ++p)
          loop(r.input.as<T>() + p * kPart, std::min(kPart, r.n - p * kPart), 1, &means[static_cast<size_t>(p)],
               &deviations[static_cast<size_t>(p)]);
      });
      double m = 0, d = 0, count = 0;
      for (int64_t p = 0; p < parts; ++p) {
        const auto n = static_cast<double>(std::min(kPart, r.n - p * kPart));
        const double delta = static_cast<double>(means[static_cast<size_t>(p)]) - m;
        d += static_cast<double>(deviations[static_cast<size_t>(p)]) + delta * delta * count * n / (count + n);
        m += delta * n / (count + n);
        count += n;
      }
      *mean.as<T>() = static_cast<T>(m);
      *squares.as<T>() = static_cast<T>(d);
    }
  });
}

struct Moments {
  Tensor mean, spread;
};

Moments moments(const Tensor& input, const std::optional<Dims>& dims, double correction, bool keepdim, bool root,
                const char* name) {
  LB_CHECK(is_floating(input.dtype()), Runtime, name, ": only support floating point and complex dtypes");
  const DType compute = compute_dtype(input.dtype());
  const Reduction r = prepare_reduction(input.to(compute), dims);
  Tensor mean = Tensor::empty(r.sizes(keepdim), compute), squares = Tensor::empty(r.sizes(keepdim), compute);
  const auto item = static_cast<int64_t>(mean.item_bytes());
  const auto loop = reduce_table().moments[static_cast<int>(compute)];
  if (r.a == 1 && r.b == 1 && r.n > 65536)
    whole_moments(r, mean, squares);
  else if (mean.count() > 0)
    each_block(r, [&](int64_t i) {
      loop(r.input.bytes() + i * r.n * r.b * item, r.n, r.b, mean.bytes() + i * r.b * item,
           squares.bytes() + i * r.b * item);
    });
  const double divisor = std::max(0.0, static_cast<double>(r.n) - correction);
  visit_dtype(compute, [&]<class T>(T) {
    if constexpr (std::is_floating_point_v<T>)
      for (int64_t i = 0; i < squares.count(); ++i) {
        const T variance = static_cast<T>(squares.as<T>()[i] / static_cast<T>(divisor));
        squares.as<T>()[i] = root ? std::sqrt(variance) : variance;
      }
  });
  return {mean.to(input.dtype()), squares.to(input.dtype())};
}

std::optional<Dims> dims_of(std::optional<Dims> dim) { return dim; }
double correction_of(std::optional<Scalar> correction) { return correction ? correction->as_double() : 1; }

#define LB_SPREAD(f, root, label)                                                                                     \
  Tensor f##_all(const Tensor& input, bool unbiased) {                                                                \
    return moments(input, std::nullopt, unbiased, false, root, label).spread;                                         \
  }                                                                                                                   \
  Tensor f##_dims(const Tensor& input, std::optional<Dims> dim, bool unbiased, bool keepdim) {                        \
    return moments(input, dim, unbiased, keepdim, root, label).spread;                                                \
  }                                                                                                                   \
  Tensor f(const Tensor& input, std::optional<Dims> dim, std::optional<Scalar> correction, bool keepdim) {            \
    return moments(input, dims_of(dim), correction_of(correction), keepdim, root, label).spread;                      \
  }                                                                                                                   \
  std::tuple<Tensor, Tensor> f##_mean_all(const Tensor& input, bool unbiased) {                                       \
    Moments m = moments(input, std::nullopt, unbiased, false, root, label "_mean");                                   \
    return {m.spread, m.mean};                                                                                        \
  }                                                                                                                   \
  std::tuple<Tensor, Tensor> f##_mean_dims(const Tensor& input, std::optional<Dims> dim, bool unbiased,               \
                                           bool keepdim) {                                                            \
    Moments m = moments(input, dim, unbiased, keepdim, root, label "_mean");                                          \
    return {m.spread, m.mean};                                                                                        \
  }                                                                                                                   \
  std::tuple<Tensor, Tensor> f##_mean(const Tensor& input, std::optional<Dims> dim, std::optional<Scalar> correction, \
                                      bool keepdim) {                                                                 \
    Moments m = moments(input, dim, correction_of(correction), keepdim, root, label "_mean");                         \
    return {m.spread, m.mean};                                                                                        \
  }
LB_SPREAD(std_, true, "std")
LB_SPREAD(var_, false, "var")

Tensor vector_norm(const Tensor& input, Scalar order, std::optional<Dims> dim, bool keepdim,
                   std::optional<DType> dtype) {
  const double p = order.as_double();
  const DType result = dtype.value_or(input.dtype());
  LB_CHECK(is_floating(result), Runtime,
           "linalg.vector_norm: Expected a floating point or complex tensor as input. Got ", dtype_title(result));
  const DType compute = compute_dtype(result);
  const Blocks blocks = blocks_of(compute == result ? input : input.to(result), dim);
  LB_CHECK(blocks.n > 0 || (p >= 0 && !std::isinf(p)) || blocks.a * blocks.b == 0, Runtime,
           "linalg.vector_norm cannot compute the ", p,
           " norm on an empty tensor because the operation does not have an identity");
  const ReduceTable& loops = reduce_table();
  const auto norm = loops.norm[static_cast<int>(compute)];
  const auto& combine = !std::isinf(p) ? loops.sum : p > 0 ? loops.max : loops.min;
  const Tensor out = fold_blocks(
      blocks, compute, compute, keepdim,
      [=](const void* in, int64_t n, int64_t b, int64_t pitch, void* to) { norm(in, n, b, pitch, p, to); },
      combine[static_cast<int>(compute)]);
  if (p != 0 && p != 1 && !std::isinf(p))
    visit_dtype(compute, [&]<class T>(T) {
      if constexpr (std::is_floating_point_v<T>)
        for (int64_t i = 0; i < out.count(); ++i)
          out.as<T>()[i] =
              p == 2 ? std::sqrt(out.as<T>()[i]) : static_cast<T>(std::pow(out.as<T>()[i], static_cast<T>(1 / p)));
    });
  return out.to(result);
}

Tensor trace(const Tensor& input) {
  LB_CHECK(input.dtype() != DType::Bool, NotImplemented, "\"trace\" not implemented for 'Bool'");
  LB_CHECK(input.ndim() == 2, Runtime, "trace: expected a matrix, but got tensor with dim ", input.ndim());
  const int64_t n = std::min(input.sizes()[0], input.sizes()[1]);
  const Tensor diagonal =
      Tensor::over(input->storage, input.dtype(), {n}, {input.strides()[0] + input.strides()[1]}, input->offset);
  return sum(diagonal, std::nullopt, false, std::nullopt);
}

Tensor bincount(const Tensor& input, std::optional<Tensor> weights, int64_t minlength) {
  LB_CHECK(is_integral(input.dtype(), false), NotImplemented, "\"bincount_cpu\" not implemented for '",
           dtype_title(input.dtype()), "'");
  LB_CHECK(minlength >= 0, Runtime, "minlength should be >= 0");
  LB_CHECK(input.ndim() == 1, Runtime, "bincount only supports 1-d non-negative integral inputs.");
  LB_CHECK(!weights || (weights->ndim() == 1 && weights->count() == input.count()), Runtime,
           "weights should be 1-d and have the same length as input");
  const Tensor values = input.to(DType::Int64).contiguous();
  int64_t largest = -1;
  if (values.count() > 0) {
    int64_t least;
    const auto extreme = [&](const auto& loops, int64_t& to) {
      loops[static_cast<int>(DType::Int64)](values.bytes(), values.count(), 1, 1, &to);
    };
    extreme(reduce_table().min, least);
    extreme(reduce_table().max, largest);
    LB_CHECK(least >= 0, Runtime, "bincount only supports 1-d non-negative integral inputs.");
  }
  LB_CHECK(largest < INT64_MAX, Runtime, "maximum value of input overflowed, it should be < ", INT64_MAX, " but got ",
           largest);
  const int64_t length = std::max(minlength, largest + 1);
  if (!weights) {
    Tensor out = Tensor::zeros({length}, DType::Int64);
    // In two tables by turns: equal neighbours do not wait for each other's count.
    std::vector<int64_t> second(static_cast<size_t>(length));
    const int64_t* at = values.as<int64_t>();
    int64_t *even = out.as<int64_t>(), *odd = second.data(), i = 0;
    for (; i + 2 <= values.count(); i += 2) {
      ++even[at[i]];
      ++odd[at[i + 1]];
    }
    if (i < values.count()) ++even[at[i]];
    for (int64_t k = 0; k < length; ++k) even[k] += odd[k];
    return out;
  }
  const Tensor w = weights->to(DType::Float64).contiguous();
  Tensor out = Tensor::zeros({length}, DType::Float64);
  for (int64_t i = 0; i < values.count(); ++i) out.as<double>()[values.as<int64_t>()[i]] += w.as<double>()[i];
  return weights->dtype() == DType::Float32 ? out.to(DType::Float32) : out;
}

Tensor histc(const Tensor& input, int64_t bins, Scalar min, Scalar max) {
  LB_CHECK(is_floating(input.dtype()), NotImplemented, "\"histogram_cpu\" not implemented for '",
           dtype_title(input.dtype()), "'");
  LB_CHECK(bins > 0, Runtime, "bins must be > 0");
  const Tensor values = input.to(DType::Float64).contiguous();
  double low = min.as_double(), high = max.as_double();
  if (low == high && values.count() > 0) {
    low = high = values.as<double>()[0];
    for (int64_t i = 1; i < values.count(); ++i)
      low = std::min(low, values.as<double>()[i]), high = std::max(high, values.as<double>()[i]);
  }
  LB_CHECK(std::isfinite(low) && std::isfinite(high), Runtime, "histc: range of [", low, ", ", high, "] is not finite");
  LB_CHECK(low <= high, Runtime, "max must be larger than min");
  if (low == high) low -= 1, high += 1;
  // Each part of the elements is counted for itself.
  const int64_t count = values.count(), parts = bins > 65536 ? 1 : std::clamp<int64_t>(count / 65536, 1, 16);
  std::vector<int64_t> counts(static_cast<size_t>(checked_multiply(bins, parts)));
  const double* x = values.as<double>();
  parallel_for(parts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      int64_t* const counted = counts.data() + p * bins;
      for (int64_t i = count * p / parts; i < count * (p + 1) / parts; ++i) {
        if (!(x[i] >= low && x[i] <= high)) continue;
        const auto bin = static_cast<int64_t>((x[i] - low) / (high - low) * static_cast<double>(bins));
        ++counted[std::min(bin, bins - 1)];
      }
    }
  });
  Tensor out = Tensor::zeros({bins}, DType::Float64);
  for (int64_t p = 0; p < parts; ++p)
    for (int64_t bin = 0; bin < bins; ++bin)
      out.as<double>()[bin] += static_cast<double>(counts[static_cast<size_t>(p * bins + bin)]);
  return out.to(input.dtype());
}

}  // namespace

LB_OPERATOR(.signature = "std(input, unbiased)", .doc = R"(The standard deviation of all elements.

>>> torch.std(torch.tensor([1., 3.]), False)
tensor(1.))",
            .forward = forward_of<std__all>,
            .derivative = LB_GRADIENT("StdBackward0", "0:0r", deviations_gradient(b, g, true, -1, -1, 1)));
LB_OPERATOR(.signature = "std(input, dim, unbiased, keepdim=False)",
            .doc = R"(The standard deviation over dimensions, with (n - 1) or without (n) Bessel's correction.

>>> torch.std(torch.tensor([1., 3.]), 0, False)
tensor(1.))",
            .forward = forward_of<std__dims>,
            .derivative = LB_GRADIENT("StdBackward0", "0:0r", deviations_gradient(b, g, true, 1, 3, 2)));
LB_OPERATOR(.signature = "std(input, dim=None, *, correction=1, keepdim=False, out=None)",
            .doc = R"(The standard deviation: the root of squared deviations over n - correction.

>>> torch.std(torch.tensor([1., 3.]))
tensor(1.4142))",
            .forward = forward_of<std_>,
            .derivative = LB_GRADIENT("StdBackward0", "0:0r", deviations_gradient(b, g, true, 1, 3, 2)));
LB_OPERATOR(.signature = "std(input, dim, unbiased=True, keepdim=False, *, out=None)",
            .doc = R"(The standard deviation over dimensions.

>>> torch.std(torch.tensor([[1., 3.]]), 1, keepdim=True)
tensor([[1.4142]]))",
            .forward = forward_of<std__dims>,
            .derivative = LB_GRADIENT("StdBackward0", "0:0r", deviations_gradient(b, g, true, 1, 3, 2)));
LB_OPERATOR(.signature = "var(input, unbiased)", .doc = R"(The variance of all elements.

>>> torch.var(torch.tensor([1., 3.]), False)
tensor(1.))",
            .forward = forward_of<var__all>,
            .derivative = LB_GRADIENT("VarBackward0", "0:0r", deviations_gradient(b, g, false, -1, -1, 1)));
LB_OPERATOR(.signature = "var(input, dim, unbiased, keepdim=False)",
            .doc = R"(The variance over dimensions, with (n - 1) or without (n) Bessel's correction.

>>> torch.var(torch.tensor([1., 3.]), 0, False)
tensor(1.))",
            .forward = forward_of<var__dims>,
            .derivative = LB_GRADIENT("VarBackward0", "0:0r", deviations_gradient(b, g, false, 1, 3, 2)));
LB_OPERATOR(.signature = "var(input, dim=None, *, correction=1, keepdim=False, out=None)",
            .doc = R"(The variance: squared deviations over n - correction.

>>> torch.var(torch.tensor([1., 3.]))
tensor(2.))",
            .forward = forward_of<var_>,
            .derivative = LB_GRADIENT("VarBackward0", "0:0r", deviations_gradient(b, g, false, 1, 3, 2)));
LB_OPERATOR(.signature = "var(input, dim, unbiased=True, keepdim=False, *, out=None)",
            .doc = R"(The variance over dimensions.

>>> torch.var(torch.tensor([[1., 3.]]), 1, keepdim=True)
tensor([[2.]]))",
            .forward = forward_of<var__dims>,
            .derivative = LB_GRADIENT("VarBackward0", "0:0r", deviations_gradient(b, g, false, 1, 3, 2)));
LB_OPERATOR(.signature = "std_mean(input, unbiased)", .doc = R"(Standard deviation and mean of all elements.

>>> torch.std_mean(torch.tensor([1., 3.]), False)
(tensor(1.), tensor(2.)))",
            .forward = forward_of<std__mean_all>,
            .derivative = gradients(
                "StdMeanBackward0", [](Backward& b) { b.give(0, moments_gradient(b, true, -1, -1, 1)); }, "0:0r"),
            .forms = kFunction);
LB_OPERATOR(.signature = "std_mean(input, dim=None, *, correction=1, keepdim=False)",
            .doc = R"(Standard deviation and mean over dimensions.

>>> torch.std_mean(torch.tensor([1., 3.]))
(tensor(1.4142), tensor(2.)))",
            .forward = forward_of<std__mean>,
            .derivative = gradients(
                "StdMeanBackward0", [](Backward& b) { b.give(0, moments_gradient(b, true, 1, 3, 2)); }, "0:0r"),
            .forms = kFunction);
LB_OPERATOR(.signature = "std_mean(input, dim, unbiased=True, keepdim=False)",
            .doc = R"(Standard deviation and mean over dimensions.

>>> torch.std_mean(torch.tensor([1., 3.]), 0, False)
(tensor(1.), tensor(2.)))",
            .forward = forward_of<std__mean_dims>,
            .derivative = gradients(
                "StdMeanBackward0", [](Backward& b) { b.give(0, moments_gradient(b, true, 1, 3, 2)); }, "0:0r"),
            .forms = kFunction);
LB_OPERATOR(.signature = "var_mean(input, unbiased)", .doc = R"(Variance and mean of all elements.

>>> torch.var_mean(torch.tensor([1., 3.]), False)
(tensor(1.), tensor(2.)))",
            .forward = forward_of<var__mean_all>,
            .derivative = gradients(
                "VarMeanBackward0", [](Backward& b) { b.give(0, moments_gradient(b, false, -1, -1, 1)); }, "0:0r"),
            .forms = kFunction);
LB_OPERATOR(.signature = "var_mean(input, dim=None, *, correction=1, keepdim=False)",
            .doc = R"(Variance and mean over dimensions.

>>> torch.var_mean(torch.tensor([1., 3.]))
(tensor(2.), tensor(2.)))",
            .forward = forward_of<var__mean>,
            .derivative = gradients(
                "VarMeanBackward0", [](Backward& b) { b.give(0, moments_gradient(b, false, 1, 3, 2)); }, "0:0r"),
            .forms = kFunction);
LB_OPERATOR(.signature = "var_mean(input, dim, unbiased=True, keepdim=False)",
            .doc = R"(Variance and mean over dimensions.

>>> torch.var_mean(torch.tensor([1., 3.]), 0, False)
(tensor(1.), tensor(2.)))",
            .forward = forward_of<var__mean_dims>,
            .derivative = gradients(
                "VarMeanBackward0", [](Backward& b) { b.give(0, moments_gradient(b, false, 1, 3, 2)); }, "0:0r"),
            .forms = kFunction);
LB_OPERATOR(.signature = "linalg.vector_norm(x, ord=2, dim=None, keepdim=False, *, dtype=None, out=None)",
            .doc = R"(The p-norm of the elements, or over dimensions: p 0 counts nonzeros, infinities take extremes.

>>> torch.linalg.vector_norm(torch.tensor([3., 4.]))
tensor(5.))",
            .forward = forward_of<vector_norm>,
            .derivative = LB_GRADIENT("LinalgVectorNormBackward0", "0:0r", vector_norm_gradient(g, b)),
            .forms = kFunction);
LB_OPERATOR(.signature = "trace(input)", .doc = R"(The sum of a matrix's diagonal.

>>> torch.trace(torch.tensor([[1., 2.], [3., 4.]]))
tensor(5.))",
            .forward = forward_of<trace>,
            .derivative = LB_GRADIENT("TraceBackward0", "",
                                      call<"mul">(call<"eye">(b.sizes(0)[0], b.sizes(0)[1], g.dtype()), g)));
LB_OPERATOR(.signature = "bincount(input, weights=None, minlength=0)",
            .doc = R"(How often each number occurs in a vector of non-negative integers, or the sum of their weights.

>>> torch.bincount(torch.tensor([0, 2, 2]))
tensor([1, 0, 2]))",
            .forward = forward_of<bincount>, .derivative = kNotDifferentiable, .decides = Decides::Elements);
LB_OPERATOR(.signature = "histc(input, bins=100, min=0, max=0, *, out=None)",
            .doc = R"(How many elements fall into each of equal bins between min and max (of the data where both are 0).

>>> torch.histc(torch.tensor([1., 2., 2.]), bins=2, min=1, max=3)
tensor([1., 2.]))",
            .forward = forward_of<histc>, .derivative = kNotDifferentiable);

}  // namespace lumbre::ops
