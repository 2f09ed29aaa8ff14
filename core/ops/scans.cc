// Along one dimension, as long as the input: cumulative results and softmax.
#include <cmath>

#include "ops/gradients.h"
#include "base/threads.h"
#include "kernels/reduce.h"
#include "ops/reductions.h"
#include "ops/registry.h"
#include "tensor/plan.h"

namespace lumbre::ops {

namespace {

// Blocks of half types, each as float while it is in the cache.
void along_halves(SoftmaxLoop loop, const Reduction& r, const Tensor& out) {
  const DType own = out.dtype();
  const Loop widen = conversion_loop(own, DType::Float32), narrow = conversion_loop(DType::Float32, own);
  const int64_t each = r.n * r.b;
  parallel_for(r.a, std::max<int64_t>(1, 16384 / each), [&](int64_t begin, int64_t end) {
    std::vector<float> wide(static_cast<size_t>(2 * each));
    char *const from = reinterpret_cast<char*>(wide.data()), *const to = reinterpret_cast<char*>(wide.data() + each);
    const int64_t widening[2] = {4, 2}, narrowing[2] = {2, 4};
    for (int64_t i = begin; i < end; ++i) {
      char* const read[2] = {from, r.input.bytes() + i * each * 2};
      char* const written[2] = {out.bytes() + i * each * 2, to};
      widen(read, widening, each, nullptr);
      loop(from, r.n, r.b, to);
      narrow(written, narrowing, each, nullptr);
    }
  });
}

// Runs a loop over the (a, n, b) block around `dim`; half types are computed as float.
Tensor along(const SoftmaxLoop (&loops)[kDTypeCount], const Tensor& input, int dim) {
  constexpr int64_t kMostHalves = 32768;
  const Reduction r = prepare_reduction(input, input.ndim() ? std::optional<Dims>(Dims{dim}) : std::nullopt);
  if (is_half(input.dtype()) && r.n * r.b > kMostHalves)
    return along(loops, input.to(DType::Float32), dim).to(input.dtype());
  Tensor out = Tensor::empty(input.sizes(), input.dtype());
  const auto loop = loops[static_cast<int>(is_half(input.dtype()) ? DType::Float32 : input.dtype())];
  const auto step = static_cast<int64_t>(input.item_bytes()) * r.n * r.b;
  if (out.count() == 0) return out;
  const LongWork released(out.count() >= 1 << 20);
  if (is_half(input.dtype())) {
    along_halves(loop, r, out);
    return out;
  }
  parallel_for(r.a, std::max<int64_t>(1, 16384 / std::max<int64_t>(1, r.n * r.b)), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) loop(r.input.bytes() + i * step, r.n, r.b, out.bytes() + i * step);
  });
  return out;
}

DType compute_dtype(DType dtype) {
  return is_half(dtype) ? DType::Float32 : is_integral(dtype, true) ? DType::Int64 : dtype;
}

Tensor scan(const SoftmaxLoop (&loops)[kDTypeCount], const Tensor& input, int64_t dim, std::optional<DType> dtype) {
  const int d = wrap_dim(dim, input.ndim());
  const DType result = dtype.value_or(is_integral(input.dtype(), true) ? DType::Int64 : input.dtype());
  return along(loops, is_half(result) ? input.to(result) : input.to(result).to(compute_dtype(result)), d).to(result);
}
// In place the result keeps the tensor's dtype, which the copy would refuse for integers that became int64.
Tensor scan_out(const char* name, const SoftmaxLoop (&loops)[kDTypeCount], const Out& out, const Tensor& input,
                int64_t dim, std::optional<DType> dtype) {
  if (out.in_place()) {
    LB_CHECK(input.dtype() != DType::Bool, NotImplemented, "\"", name, "_out_cpu\" not implemented for 'Bool'");
    return out.give(scan(loops, input, dim, input.dtype()));
  }
  return out.give(scan(loops, input, dim, dtype));
}
Tensor cumsum(const Out& out, const Tensor& input, int64_t dim, std::optional<DType> dtype) {
  return scan_out("cumsum", reduce_table().cumsum, out, input, dim, dtype);
}
Tensor cumprod(const Out& out, const Tensor& input, int64_t dim, std::optional<DType> dtype) {
  return scan_out("cumprod", reduce_table().cumprod, out, input, dim, dtype);
}

template <class T, bool kMax>
void running_extreme(const T* in, int64_t n, T* values, int64_t* positions) {
  T best = in[0];
  int64_t at = 0;
  for (int64_t i = 0; i < n; ++i) {
    const T x = in[i];
    // The common case first, and a branch: seldom taken, it breaks the chain from one element to the next.
    if (!(kMax ? x < best : x > best) && ((x != x) | (best == best))) {
      best = x;
      at = i;
    }
    values[i] = best;
    positions[i] = at;
  }
}

// Running extremes and where they are: the last of equals, NaN from the first NaN on.
template <bool kMax>
std::tuple<Tensor, Tensor> cumulative_extreme(const Tensor& input, int64_t dim) {
  const int d = wrap_dim(dim, input.ndim());
  const Tensor wide = is_half(input.dtype()) ? input.to(DType::Float32) : input;
  const Tensor rows = dim_to_last(wide, d).contiguous();
  const int64_t n = input.ndim() ? input.sizes()[d] : 1;
  Tensor values = Tensor::empty(rows.sizes(), rows.dtype()), positions = Tensor::empty(rows.sizes(), DType::Int64);
  const LongWork released(rows.count() >= kLongWork);
  visit_dtype(rows.dtype(), [&]<class T>(T) {
    if constexpr (!is_half_type<T>) {
      const T* const in = rows.as<T>();
      T* const best = values.as<T>();
      int64_t* const at = positions.as<int64_t>();
      if (n > 0)
        parallel_for(rows.count() / n, std::max<int64_t>(1, kGrain / n), [=](int64_t begin, int64_t end) {
          for (int64_t row = begin * n; row < end * n; row += n)
            running_extreme<T, kMax>(in + row, n, best + row, at + row);
        });
    }
  });
  return {dim_from_last(values, d).contiguous().to(input.dtype()), dim_from_last(positions, d).contiguous()};
}
std::tuple<Tensor, Tensor> cummax(const Tensor& input, int64_t dim) { return cumulative_extreme<true>(input, dim); }
std::tuple<Tensor, Tensor> cummin(const Tensor& input, int64_t dim) { return cumulative_extreme<false>(input, dim); }

Tensor logcumsumexp(const Tensor& input, int64_t dim) {
  const int d = wrap_dim(dim, input.ndim());
  LB_CHECK(is_floating(input.dtype()), NotImplemented, "\"logcumsumexp_out_cpu\" not implemented for '",
           dtype_title(input.dtype()), "'");
  const Tensor rows = dim_to_last(input, d).to(DType::Float64).contiguous();
  const int64_t n = input.ndim() ? input.sizes()[d] : 1;
  Tensor out = Tensor::empty(rows.sizes(), DType::Float64);
  for (int64_t row = 0; n > 0 && row < rows.count() / n; ++row) {
    double running = -INFINITY;
    for (int64_t i = row * n; i < (row + 1) * n; ++i) {
      const double x = rows.as<double>()[i], low = std::min(x, running), high = std::max(x, running);
      if (x != x || running != running)
        running = NAN;
      else
        running = low == high && std::isinf(low) ? low : high + std::log1p(std::exp(low - high));
      out.as<double>()[i] = running;
    }
  }
  return dim_from_last(out, d).contiguous().to(input.dtype());
}

Tensor softmax_of(const SoftmaxLoop (&loops)[kDTypeCount], const Tensor& input, int64_t dim, std::optional<DType> dtype,
                  const char* name) {
  const int d = wrap_dim(dim, input.ndim());
  const DType result = dtype.value_or(input.dtype());
  if (input.count() == 0) return Tensor::empty(input.sizes(), result);
  LB_CHECK(is_floating(result), NotImplemented, "\"", name, "\" not implemented for '", dtype_title(result), "'");
  // A small contiguous row at the end needs no preparation.
  if (input.dtype() == result && !is_half(result) && input.is_contiguous() && input.ndim() > 0 &&
      d == input.ndim() - 1 && input.count() <= 4096) {
    Tensor out = Tensor::empty(input.sizes(), result);
    const int64_t n = input.sizes()[d];
    const auto step = static_cast<int64_t>(input.item_bytes()) * n;
    for (int64_t i = 0; n > 0 && i < input.count() / n; ++i)
      loops[static_cast<int>(result)](input.bytes() + i * step, n, 1, out.bytes() + i * step);
    return out;
  }
  return along(loops, is_half(result) ? input.to(result) : input.to(result).to(compute_dtype(result)), d).to(result);
}
Tensor softmax(const Tensor& input, int64_t dim, std::optional<DType> dtype) {
  return softmax_of(reduce_table().softmax, input, dim, dtype, "softmax_lastdim_kernel_impl");
}
Tensor log_softmax(const Tensor& input, int64_t dim, std::optional<DType> dtype) {
  return softmax_of(reduce_table().log_softmax, input, dim, dtype, "log_softmax_lastdim_kernel_impl");
}
// The dimension that is taken where none is named, as PyTorch's functional forms (deprecated) take it.
int64_t implicit_dim(const Tensor& input) {
  return input.ndim() == 0 || input.ndim() == 1 || input.ndim() == 3 ? 0 : 1;
}
Tensor functional_softmax(const Tensor& input, std::optional<int64_t> dim, int64_t, std::optional<DType> dtype) {
  return softmax(input, dim.value_or(implicit_dim(input)), dtype);
}
Tensor functional_log_softmax(const Tensor& input, std::optional<int64_t> dim, int64_t, std::optional<DType> dtype) {
  return log_softmax(input, dim.value_or(implicit_dim(input)), dtype);
}
Tensor softmin(const Tensor& input, std::optional<int64_t> dim, int64_t, std::optional<DType> dtype) {
  // Negated in the input's own dtype, where unsigned numbers wrap, and converted afterwards.
  LB_CHECK(input.dtype() != DType::Bool, Runtime, "Negation, the `-` operator, on a bool tensor is not supported.");
  const Tensor negative = input.clone(MemoryFormat::Contiguous);
  visit_dtype(negative.dtype(), [&]<class T>(T) {
    T* data = negative.as<T>();
    if constexpr (std::is_floating_point_v<T>)
      for (int64_t i = 0; i < negative.count(); ++i) data[i] = -data[i];
    else if constexpr (is_half_type<T>)
      for (int64_t i = 0; i < negative.count(); ++i) data[i].bits ^= 0x8000u;
    else if constexpr (!std::is_same_v<T, bool>)
      for (int64_t i = 0; i < negative.count(); ++i)
        data[i] = static_cast<T>(-static_cast<std::make_unsigned_t<T>>(data[i]));
  });
  return softmax(negative, dim.value_or(implicit_dim(input)), dtype);
}

}  // namespace

LB_OPERATOR(.signature = "cumsum(input, dim, *, dtype=None, out=None)",
            .doc = R"(Running sums along `dim`; integers as int64.

>>> torch.cumsum(torch.tensor([1, 2, 3]), 0)
tensor([1, 3, 6]))",
            .forward = forward_of<cumsum>,
            .derivative = LB_GRADIENT("CumsumBackward0", "", reversed_cumsum(g, b.integer(1))), .forms = kEveryForm);
LB_OPERATOR(.signature = "cumprod(input, dim, *, dtype=None, out=None)",
            .doc = R"(Running products along `dim`; integers as int64.

>>> torch.cumprod(torch.tensor([1, 2, 3]), 0)
tensor([1, 2, 6]))",
            .forward = forward_of<cumprod>,
            .derivative = LB_GRADIENT("CumprodBackward0", "0:0r",
                                      cumprod_gradient(g, b.input(0), b.result(), b.integer(1))),
            .forms = kEveryForm);
LB_OPERATOR(.signature = "cummax(input, dim, *, out=None) -> (values, indices)",
            .doc = R"(Running maxima along `dim` and where they are.

>>> torch.cummax(torch.tensor([1, 3, 2]), 0).values
tensor([1, 3, 3]))",
            .forward = forward_of<cummax>,
            .derivative = gradients(
                "CummaxBackward0",
                [](Backward& b) {
                  if (b.has(0))
                    b.give(0, op::call<"scatter_add">(op::zeros(b.sizes(0), b.grad().dtype()), b.integer(1),
                                                      b.result(1), b.grad()));
                },
                "0:s"));
LB_OPERATOR(.signature = "cummin(input, dim, *, out=None) -> (values, indices)",
            .doc = R"(Running minima along `dim` and where they are.

>>> torch.cummin(torch.tensor([3, 1, 2]), 0).values
tensor([3, 1, 1]))",
            .forward = forward_of<cummin>,
            .derivative = gradients(
                "CumminBackward0",
                [](Backward& b) {
                  if (b.has(0))
                    b.give(0, op::call<"scatter_add">(op::zeros(b.sizes(0), b.grad().dtype()), b.integer(1),
                                                      b.result(1), b.grad()));
                },
                "0:s"));
LB_OPERATOR(.signature = "logcumsumexp(input, dim, *, out=None)", .doc = R"(Running log(sum(exp(x))) along `dim`.

>>> torch.logcumsumexp(torch.tensor([0., 0.]), 0)
tensor([0.0000, 0.6931]))",
            .forward = forward_of<logcumsumexp>,
            .derivative = LB_GRADIENT("LogcumsumexpBackward0", "0:0r",
                                      logcumsumexp_gradient(g, b.input(0), b.result(), b.integer(1))));
LB_OPERATOR(.signature = "softmax(input, dim, dtype=None, *, out=None)", .doc = R"(exp(x) over its sum along `dim`.

>>> torch.softmax(torch.tensor([0., 0.]), 0)
tensor([0.5000, 0.5000]))",
            .forward = forward_of<softmax>,
            .derivative = LB_GRADIENT("SoftmaxBackward0", "0:r",
                                      softmax_slope(cast(g, b.result().dtype()), b.result(), b.integer(1))),
            .aliases = "special.softmax");
LB_OPERATOR(.signature = "log_softmax(input, dim, dtype=None, *, out=None)",
            .doc = R"(The logarithm of softmax, without overflow.

>>> torch.log_softmax(torch.tensor([0., 0.]), 0)
tensor([-0.6931, -0.6931]))",
            .forward = forward_of<log_softmax>,
            .derivative = LB_GRADIENT("LogSoftmaxBackward0", "0:r",
                                      log_softmax_slope(cast(g, b.result().dtype()), b.result(), b.integer(1))),
            .aliases = "special.log_softmax");
LB_OPERATOR(.signature = "nn.functional.softmax(input, dim=None, _stacklevel=3, dtype=None)",
            .doc = R"(exp(x) over its sum along `dim`.

>>> torch.nn.functional.softmax(torch.tensor([0., 0.]), dim=0)
tensor([0.5000, 0.5000]))",
            .forward = forward_of<functional_softmax>,
            .derivative = LB_GRADIENT("SoftmaxBackward0", "0:r",
                                      softmax_slope(cast(g, b.result().dtype()), b.result(), chosen_dim(b))),
            .forms = kFunction);
LB_OPERATOR(.signature = "nn.functional.log_softmax(input, dim=None, _stacklevel=3, dtype=None)",
            .doc = R"(The logarithm of softmax, without overflow.

>>> torch.nn.functional.log_softmax(torch.tensor([0., 0.]), dim=0)
tensor([-0.6931, -0.6931]))",
            .forward = forward_of<functional_log_softmax>,
            .derivative = LB_GRADIENT("LogSoftmaxBackward0", "0:r",
                                      log_softmax_slope(cast(g, b.result().dtype()), b.result(), chosen_dim(b))),
            .forms = kFunction);
LB_OPERATOR(.signature = "nn.functional.softmin(input, dim=None, _stacklevel=3, dtype=None)",
            .doc = R"(softmax of the negated input.

>>> torch.nn.functional.softmin(torch.tensor([0., 0.]), dim=0)
tensor([0.5000, 0.5000]))",
            .forward = forward_of<softmin>,
            .derivative = LB_GRADIENT("SoftmaxBackward0", "0:r",
                                      -softmax_slope(cast(g, b.result().dtype()), b.result(), chosen_dim(b))),
            .forms = kFunction);

}  // namespace lumbre::ops
