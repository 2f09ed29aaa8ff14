// Pooling over windows: what the functions of nn.functional_pooling, which check their arguments, come down to.
#include "kernels/pooling.h"

#include <atomic>
#include <vector>

#include "base/threads.h"
#include "ops/gradients.h"

namespace lumbre::ops {
namespace {

// Taps of windows that are worth a chunk of their own, and those from which the interpreter lock is let go.
constexpr int64_t kChunkTaps = 32768, kLongPooling = 2000000;
// So that a place, a product of a step and a tensor's size, fits 64 bits.
constexpr int64_t kLargestStep = INT32_MAX;

// Windows of the last dimensions of a tensor: of `kernel`, or, where that is empty, parts that cover everything.
struct Geometry {
  PoolWindows windows{};
  std::vector<int64_t> first[3], count[3];
  int64_t planes = 1, taps = 1;

  int64_t grain(int64_t pieces) const {
    const int64_t each = std::max<int64_t>(1, taps * windows.out_size() / std::max<int64_t>(pieces, 1));
    return std::max<int64_t>(1, kChunkTaps / each);
  }
  bool is_long() const { return checked_multiply(checked_multiply(planes, windows.out_size()), taps) > kLongPooling; }
};

struct Setting {
  const Dims &kernel, &stride, &padding, &dilation;
};

// One dimension by kernels; windows that begin before the first element begin at the first tap inside.
void cover(Geometry& g, int axis, int64_t size, int64_t out, int64_t kernel, int64_t stride, int64_t padding,
           int64_t dilation) {
  int64_t low = out, high = 0;
  for (int64_t o = 0; o < out; ++o) {
    const int64_t start = checked_multiply(o, stride) - padding;
    const int64_t skipped = start >= 0 ? 0 : std::min(kernel, (-start + dilation - 1) / dilation);
    const int64_t fitting = size > start ? std::min(kernel, (size - 1 - start) / dilation + 1) : 0;
    g.first[axis].push_back(start + skipped * dilation);
    g.count[axis].push_back(std::max<int64_t>(0, fitting - skipped));
    if (g.count[axis].back() != kernel) continue;
    low = std::min(low, o);
    high = o + 1;
  }
  g.windows.step[axis] = dilation;
  g.taps = checked_multiply(g.taps, kernel);
  if (axis == 2) {
    g.windows.stride = stride;
    g.windows.low = std::min(low, high);
    g.windows.high = high;
  }
}

void divide(Geometry& g, int axis, int64_t size, int64_t out) {
  if (size % out == 0) return cover(g, axis, size, out, size / out, size / out, 0, 1);
  int64_t widest = 0;
  for (int64_t o = 0; o < out; ++o) {
    const int64_t start = o / out * size + o % out * size / out;
    const int64_t end = 1 + ((o + 1) * size - 1) / out;
    g.first[axis].push_back(start);
    g.count[axis].push_back(end - start);
    widest = std::max(widest, end - start);
  }
  g.windows.step[axis] = 1;
  g.taps = checked_multiply(g.taps, widest);
  if (axis == 2) g.windows.stride = 1;
}

Geometry geometry(const Dims& in, const Dims& out, const Setting& s) {
  const size_t dims = out.size();
  const bool adaptive = s.kernel.empty();
  for (const Dims* each : {&s.kernel, &s.stride, &s.padding, &s.dilation})
    LB_CHECK(each->size() == (adaptive ? 0 : dims), Runtime, "pooling takes one number for each dimension");
  Geometry g;
  for (size_t i = 0; i + dims < in.size(); ++i) g.planes = checked_multiply(g.planes, in[i]);
  for (int axis = 0; axis < 3; ++axis) {
    const int d = axis - 3 + static_cast<int>(dims);
    const int64_t size = d < 0 ? 1 : in[in.size() - dims + static_cast<size_t>(d)];
    const int64_t count = d < 0 ? 1 : out[static_cast<size_t>(d)];
    LB_CHECK(size > 0 && count > 0, Runtime, "pooling of nothing: ", in, " to ", out);
    g.windows.in[axis] = size;
    g.windows.out[axis] = count;
    if (d < 0) {
      cover(g, axis, 1, 1, 1, 1, 0, 1);
    } else if (adaptive) {
      divide(g, axis, size, count);
    } else {
      const auto k = static_cast<size_t>(d);
      for (const Dims* each : {&s.kernel, &s.stride, &s.padding, &s.dilation})
        LB_CHECK((*each)[k] >= (each == &s.padding ? 0 : 1) && (*each)[k] <= kLargestStep, Runtime,
                 "kernel, stride and dilation are positive and padding is not negative, all below 2 ** 31");
      cover(g, axis, size, count, s.kernel[k], s.stride[k], s.padding[k], s.dilation[k]);
    }
    g.windows.first[axis] = g.first[axis].data();
    g.windows.count[axis] = g.count[axis].data();
  }
  return g;
}

Dims pooled_sizes(const Dims& in, const Dims& out) {
  LB_CHECK(out.size() >= 1 && out.size() <= 3 && in.size() > out.size(), Runtime,
           "pooling has 1 to 3 dimensions and channels, got ", in, " and ", out);
  Dims sizes = in;
  for (size_t i = 0; i < out.size(); ++i) sizes[in.size() - out.size() + i] = out[i];
  return sizes;
}

DType computed(DType dtype) {
  if (is_half(dtype)) return DType::Float32;
  return is_floating(dtype) ? dtype : DType::Int64;
}

const PoolingLoops& loops_of(DType dtype) { return pooling_table().loops[static_cast<int>(dtype)]; }

// Results keep an input's order of dimensions where channels stand last.
Tensor laid_out_like(const Tensor& input, const Tensor& result, size_t dims) {
  if (input.is_contiguous()) return result;
  if (dims == 2 && input.ndim() == 4 && input.is_contiguous(MemoryFormat::ChannelsLast))
    return result.clone(MemoryFormat::ChannelsLast);
  if (dims == 3 && input.ndim() == 5 && input.is_contiguous(MemoryFormat::ChannelsLast3d))
    return result.clone(MemoryFormat::ChannelsLast3d);
  return result;
}

std::tuple<Tensor, Tensor> max_pool(const Tensor& input, const Dims& out, const Dims& kernel, const Dims& stride,
                                    const Dims& padding, const Dims& dilation) {
  const Dims sizes = pooled_sizes(input.sizes(), out);
  const Tensor where = Tensor::empty(sizes, DType::Int64);
  if (where.count() == 0) return {Tensor::empty(sizes, input.dtype()), where};
  const DType dtype = computed(input.dtype());
  const Tensor x = input.to(dtype).contiguous(), y = Tensor::empty(sizes, dtype);
  const Geometry g = geometry(input.sizes(), out, {kernel, stride, padding, dilation});
  const int64_t rows = g.planes * g.windows.rows();
  {
    const LongWork released(g.is_long());
    parallel_for(rows, g.grain(g.windows.rows()), [&](int64_t begin, int64_t end) {
      loops_of(dtype).max(g.windows, x.bytes(), x.count(), begin, end, y.bytes(), where.as<int64_t>());
    });
  }
  return {laid_out_like(input, y.to(input.dtype()), out.size()), laid_out_like(input, where, out.size())};
}

// g added to the places of a plane that were the greatest.
Tensor max_pool_slope(const Tensor& g, const Tensor& where, const Dims& sizes, int dims) {
  const DType dtype = computed(g.dtype());
  LB_CHECK(g.sizes() == where.sizes(), Runtime, "the sizes of a pooling do not fit: ", g.sizes(), " and ",
           where.sizes());
  const Tensor from = g.to(dtype).contiguous(), at = where.contiguous();
  const Tensor to = Tensor::empty(sizes, dtype);
  int64_t planes = 1, in_size = 1, out_size = 1;
  for (int d = 0; d < sizes.ndim(); ++d) {
    if (d < sizes.ndim() - dims) {
      planes *= sizes[d];
    } else {
      in_size *= sizes[d];
      out_size *= g.sizes()[d];
    }
  }
  if (to.count() > 0) {
    std::atomic<bool> inside{true};
    {
      const LongWork released(to.count() > kLongPooling);
      parallel_for(planes, std::max<int64_t>(1, kChunkTaps / in_size), [&](int64_t begin, int64_t end) {
        if (!loops_of(dtype).max_back(in_size, out_size, from.bytes(), at.as<int64_t>(), begin, end, to.bytes()))
          inside = false;
      });
    }
    LB_CHECK(inside, Runtime, "the places of a max pooling's values have been changed: some are outside of the input");
  }
  return laid_out_like(g, to.to(g.dtype()), static_cast<size_t>(dims));
}

template <int dims>
void max_pool_gradient(Backward& b) {
  if (!b.has(0)) return;
  const Tensor g = b.grad(0), where = b.result(1);
  const Dims& sizes = b.sizes(0);
  if (!autograd::grad_enabled()) return b.give(0, max_pool_slope(g, where, sizes, dims));
  Dims flat_in, flat_out;
  int64_t in_size = 1, out_size = 1;
  for (int d = 0; d < sizes.ndim(); ++d) {
    if (d < sizes.ndim() - dims) {
      flat_in.push_back(sizes[d]);
      flat_out.push_back(sizes[d]);
    } else {
      in_size *= sizes[d];
      out_size *= g.sizes()[d];
    }
  }
  flat_in.push_back(in_size);
  flat_out.push_back(out_size);
  const Tensor to = op::call<"scatter_add">(op::zeros(flat_in, g.dtype()), int64_t{-1}, op::reshape(where, flat_out),
                                            op::reshape(g, flat_out));
  b.give(0, op::reshape(to, sizes));
}

// What each window's sum is divided by: a table where windows differ, else one number.
struct Divisors {
  std::vector<int64_t> table;
  int64_t one = 1;
  const int64_t* data() const { return table.empty() ? nullptr : table.data(); }
};

// Along one dimension of a window that begins at `start` before borders are cut off.
int64_t with_padding(int64_t start, int64_t kernel, int64_t size, int64_t padding) {
  return std::min(start + kernel, size + padding) - start;
}

Divisors divisors(const Geometry& g, const Setting& s, bool include, std::optional<int64_t> given) {
  if (given) {
    LB_CHECK(*given != 0, Runtime, "divisor must be not zero");
    return {{}, *given};
  }
  Divisors result;
  const auto dims = s.kernel.size();
  const bool padded = include && dims > 0;
  std::vector<int64_t> along[3];
  bool even = true;
  for (int axis = 0; axis < 3; ++axis) {
    const int d = axis - 3 + static_cast<int>(dims);
    for (int64_t o = 0; o < g.windows.out[axis]; ++o) {
      const auto k = static_cast<size_t>(d);
      along[axis].push_back(
          padded && d >= 0 ? with_padding(o * s.stride[k] - s.padding[k], s.kernel[k], g.windows.in[axis], s.padding[k])
                           : g.count[axis][static_cast<size_t>(o)]);
      even = even && along[axis].back() == along[axis].front();
    }
  }
  if (even) return {{}, along[0][0] * along[1][0] * along[2][0]};
  for (const int64_t d : along[0])
    for (const int64_t h : along[1])
      for (const int64_t w : along[2]) result.table.push_back(d * h * w);
  return result;
}

Tensor average_pool(const Tensor& input, const Dims& out, const Dims& kernel, const Dims& stride, const Dims& padding,
                    bool include, std::optional<int64_t> divisor) {
  const Dims sizes = pooled_sizes(input.sizes(), out);
  const DType dtype = computed(input.dtype());
  const Tensor y = Tensor::empty(sizes, dtype);
  if (y.count() == 0) return y.to(input.dtype());
  const Tensor x = input.to(dtype).contiguous();
  const Dims dilation(kernel.size(), 1);
  const Setting setting{kernel, stride, padding, dilation};
  const Geometry g = geometry(input.sizes(), out, setting);
  const Divisors by = divisors(g, setting, include, divisor);
  {
    const LongWork released(g.is_long());
    parallel_for(g.planes * g.windows.rows(), g.grain(g.windows.rows()), [&](int64_t begin, int64_t end) {
      loops_of(dtype).average(g.windows, x.bytes(), x.count(), begin, end, by.data(), by.one, y.bytes());
    });
  }
  return laid_out_like(input, y.to(input.dtype()), out.size());
}

// The transpose of the above: each output shared out over its window, in planes of `sizes`.
Tensor average_pool_slope(const Tensor& output, const Dims& sizes, const Dims& out, const Dims& kernel,
                          const Dims& stride, const Dims& padding, bool include, std::optional<int64_t> divisor) {
  LB_CHECK(output.sizes() == pooled_sizes(sizes, out), Runtime, "the sizes of a pooling do not fit: ", output.sizes(),
           " and ", sizes);
  const DType dtype = computed(output.dtype());
  const Tensor x = Tensor::empty(sizes, dtype);
  if (output.count() == 0) return Tensor::zeros(sizes, output.dtype());
  const Tensor y = output.to(dtype).contiguous();
  const Dims dilation(kernel.size(), 1);
  const Setting setting{kernel, stride, padding, dilation};
  const Geometry g = geometry(sizes, out, setting);
  const Divisors by = divisors(g, setting, include, divisor);
  {
    const LongWork released(g.is_long());
    parallel_for(g.planes, g.grain(1), [&](int64_t begin, int64_t end) {
      loops_of(dtype).average_back(g.windows, y.bytes(), begin, end, by.data(), by.one, x.bytes());
    });
  }
  return laid_out_like(output, x.to(output.dtype()), out.size());
}

void average_gradient(Backward& b) {
  b.give(0, op::call<"_average_pool_slope">(b.grad(), b.sizes(0), b.dims(1), b.dims(2), b.dims(3), b.dims(4), b.flag(5),
                                            b.maybe(6)));
}

void slope_gradient(Backward& b) {
  b.give(0, op::call<"_average_pool2d">(b.grad(), b.dims(2), b.dims(3), b.dims(4), b.dims(5), b.flag(6), b.maybe(7)));
}

#define LB_MAX_POOL(name, node, dims)                                                                         \
  LB_OPERATOR(.signature = name "(input, outputs, kernel, stride, padding, dilation)",                        \
              .doc = "The greatest of each window of the last " #dims " dimensions, and its place there.",    \
              .forward = forward_of<max_pool>, .derivative = gradients(node, max_pool_gradient<dims>, "0:s"), \
              .forms = kFunction)
LB_MAX_POOL("_max_pool2d", "MaxPool2DWithIndicesBackward0", 2);
LB_MAX_POOL("_max_pool3d", "MaxPool3DWithIndicesBackward0", 3);
LB_MAX_POOL("_adaptive_max_pool2d", "AdaptiveMaxPool2DBackward0", 2);
LB_MAX_POOL("_adaptive_max_pool3d", "AdaptiveMaxPool3DBackward0", 3);

#define LB_AVERAGE_POOL(name, node)                                                                             \
  LB_OPERATOR(.signature = name "(input, outputs, kernel, stride, padding, include, divisor)",                  \
              .doc = "The average of each window of the last dimensions.", .forward = forward_of<average_pool>, \
              .derivative = gradients(node, average_gradient), .forms = kFunction)
LB_AVERAGE_POOL("_average_pool2d", "AvgPool2DBackward0");
LB_AVERAGE_POOL("_average_pool3d", "AvgPool3DBackward0");
LB_AVERAGE_POOL("_adaptive_average_pool2d", "AdaptiveAvgPool2DBackward0");
LB_AVERAGE_POOL("_adaptive_average_pool3d", "AdaptiveAvgPool3DBackward0");
LB_OPERATOR(.signature = "_average_pool_slope(output, sizes, outputs, kernel, stride, padding, include, divisor)",
            .doc = "The gradient of an average pooling for its input.", .forward = forward_of<average_pool_slope>,
            .derivative = gradients("AvgPoolBackwardBackward0", slope_gradient), .forms = kHidden);

}  // namespace
}  // namespace lumbre::ops
