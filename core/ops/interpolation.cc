// Blends of two neighbours along one dimension, which linear interpolation is made of, and what is added back to them.
#include "base/threads.h"
#include "ops/gradients.h"
#include "tensor/plan.h"

namespace lumbre::ops {

namespace {

// Where the results along a dimension come from: checked positions, and how much of the second neighbour there is.
struct Neighbours {
  Tensor low, high, weight;
  int64_t count;
};

Neighbours neighbours_of(const Tensor& low, const Tensor& high, const Tensor& weight, int64_t size, DType dtype) {
  LB_CHECK(dtype == DType::Float32 || dtype == DType::Float64, NotImplemented, "_blend not implemented for '",
           dtype_title(dtype), "'");
  Neighbours n{low.to(DType::Int64).contiguous(), high.to(DType::Int64).contiguous(), weight.to(dtype).contiguous(),
               low.count()};
  LB_CHECK(high.count() == n.count && weight.count() == n.count, Runtime, "_blend: counts differ");
  for (int64_t i = 0; i < n.count; ++i)
    for (const Tensor* at : {&n.low, &n.high})
      LB_CHECK(at->as<int64_t>()[i] >= 0 && at->as<int64_t>()[i] < size, Index, "_blend: position out of range");
  return n;
}

// The sizes around a dimension.
struct Around {
  int64_t outer = 1, size = 1, inner = 1;
  Around(const Tensor& t, int dim) {
    for (int d = 0; d < t.ndim(); ++d) (d < dim ? outer : d == dim ? size : inner) *= t.sizes()[d];
  }
  int64_t grain(int64_t count) const { return std::max<int64_t>(1, kGrain / std::max<int64_t>(1, count * inner)); }
};

template <class F>
void in_dtype(const Tensor& t, F f) {
  if (t.dtype() == DType::Float64)
    f(double{});
  else
    f(float{});
}

Tensor resized(const Tensor& t, int dim, int64_t size) {
  Dims sizes = t.sizes();
  sizes[dim] = size;
  return Tensor::empty(sizes, t.dtype());
}

Tensor blend(const Tensor& given, int64_t dim, const Tensor& low, const Tensor& high, const Tensor& weight) {
  const int d = wrap_dim(dim, given.ndim());
  LB_CHECK(given.ndim() > 0, Runtime, "_blend: expected at least one dimension");
  const Tensor input = given.contiguous();
  const Around around(input, d);
  const Neighbours n = neighbours_of(low, high, weight, around.size, input.dtype());
  const Tensor result = resized(input, d, n.count);
  if (result.count() == 0) return result;
  const int64_t *first = n.low.as<int64_t>(), *second = n.high.as<int64_t>(), inner = around.inner;
  const LongWork released(result.count() >= kLongWork);
  in_dtype(input, [&]<class T>(T) {
    const T *x = input.as<T>(), *part = n.weight.as<T>();
    T* out = result.as<T>();
    parallel_for(around.outer, around.grain(n.count), [&](int64_t begin, int64_t end) {
      for (int64_t o = begin; o < end; ++o) {
        const T* block = x + o * around.size * inner;
        T* __restrict to = out + o * n.count * inner;
        if (inner == 1) {
          for (int64_t i = 0; i < n.count; ++i) to[i] = block[first[i]] * (T(1) - part[i]) + block[second[i]] * part[i];
          continue;
        }
        for (int64_t i = 0; i < n.count; ++i, to += inner) {
          const T *a = block + first[i] * inner, *b = block + second[i] * inner;
          const T far = part[i], near = T(1) - far;
          int64_t k = 0;
          for (; k + 16 <= inner; k += 16)
            for (int64_t lane = k; lane < k + 16; ++lane) to[lane] = a[lane] * near + b[lane] * far;
          for (; k < inner; ++k) to[k] = a[k] * near + b[k] * far;
        }
      }
    });
  });
  return result;
}

// The transpose of blend: every result's gradient is added to its neighbours', of `size` along the dimension.
Tensor spread(const Tensor& given, int64_t dim, const Tensor& low, const Tensor& high, const Tensor& weight,
              int64_t size) {
  const int d = wrap_dim(dim, given.ndim());
  LB_CHECK(given.ndim() > 0 && size >= 0, Runtime, "_blend_spread: expected at least one dimension");
  const Tensor gradient = given.contiguous();
  const Around around(gradient, d);
  const Neighbours n = neighbours_of(low, high, weight, size, gradient.dtype());
  LB_CHECK(n.count == around.size, Runtime, "_blend_spread: counts differ");
  const Tensor result = resized(gradient, d, size);
  result.fill(Scalar(0));
  const int64_t *first = n.low.as<int64_t>(), *second = n.high.as<int64_t>(), inner = around.inner;
  const LongWork released(gradient.count() >= kLongWork);
  in_dtype(gradient, [&]<class T>(T) {
    const T *g = gradient.as<T>(), *part = n.weight.as<T>();
    T* out = result.as<T>();
    parallel_for(around.outer, around.grain(n.count), [&](int64_t begin, int64_t end) {
      for (int64_t o = begin; o < end; ++o) {
        const T* from = g + o * n.count * inner;
        T* block = out + o * size * inner;
        for (int64_t i = 0; i < n.count; ++i, from += inner) {
          T *a = block + first[i] * inner, *b = block + second[i] * inner;
          const T far = part[i], near = T(1) - far;
          for (int64_t k = 0; k < inner; ++k) a[k] += from[k] * near;
          for (int64_t k = 0; k < inner; ++k) b[k] += from[k] * far;
        }
      }
    });
  });
  return result;
}

}  // namespace

LB_OPERATOR(.signature = "_blend(input, dim, low, high, weight)",
            .doc = "input at `low` times (1 - weight) plus input at `high` times weight, along a dimension.",
            .forward = forward_of<blend>,
            .derivative = LB_GRADIENT("UpsampleLinear1DBackward0", "0:234",
                                      call<"_blend_spread">(g, b.integer(1), b.input(2), b.input(3), b.input(4),
                                                            b.sizes(0)[wrap_dim(b.integer(1), b.ndim(0))])),
            .forms = kFunction);
LB_OPERATOR(.signature = "_blend_spread(grad, dim, low, high, weight, size)", .doc = "The transpose of _blend.",
            .forward = forward_of<spread>,
            .derivative = LB_GRADIENT("UpsampleLinear1DBackwardBackward0", "0:234",
                                      call<"_blend">(g, b.integer(1), b.input(2), b.input(3), b.input(4))),
            .forms = kFunction);

}  // namespace lumbre::ops
