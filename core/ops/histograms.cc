// Counts of elements between edges, in one dimension or several.
#include <algorithm>
#include <cmath>

#include "ops/registry.h"
#include "ops/views.h"

namespace lumbre::ops {

namespace {

// What the histogram of (points, dimensions) is counted with.
struct Grid {
  std::vector<Tensor> edges;  // per dimension, rising
  bool even = false;          // the edges are equally far apart: places are computed, not searched for
};

void check_points(const Tensor& points, const std::optional<Tensor>& weight) {
  LB_CHECK(points.dtype() == DType::Float32 || points.dtype() == DType::Float64, NotImplemented,
           "\"histogramdd\" not implemented for '", dtype_title(points.dtype()), "'");
  LB_CHECK(points.ndim() >= 2, Runtime, "torch.histogramdd: input tensor should have at least 2 dimensions");
  if (!weight) return;
  LB_CHECK(
      weight->dtype() == points.dtype(), Runtime,
      "torch.histogramdd: if weight tensor is provided, input tensor and weight tensor should have the same dtype, "
      "but got input(",
      c_type_name(points.dtype()), "), and weight(", c_type_name(weight->dtype()), ")");
  const Dims outer(std::span(points.sizes().begin(), points.sizes().size() - 1));
  LB_CHECK(
      weight->sizes() == outer, Runtime,
      "torch.histogramdd: if weight tensor is provided it should have the same shape as the input tensor excluding "
      "its innermost dimension, but got input with shape ",
      points.sizes(), " and weight with shape ", weight->sizes());
}

Tensor evenly(double low, double high, int64_t bins, DType dtype) {
  const Tensor edges = Tensor::empty({bins + 1}, dtype);
  const auto fill = [&]<class T>(T) {
    const T first = static_cast<T>(low), last = static_cast<T>(high), step = (last - first) / static_cast<T>(bins);
    for (int64_t i = 0; i <= bins; ++i)
      edges.as<T>()[i] = i < (bins + 1) / 2 ? first + step * static_cast<T>(i) : last - step * static_cast<T>(bins - i);
  };
  dtype == DType::Float32 ? fill(float{}) : fill(double{});
  return edges;
}

Grid even_grid(const Tensor& points, const Dims& bins, const std::optional<std::vector<double>>& range) {
  const int64_t n = points.sizes().back();
  for (int d = 0; d < bins.ndim(); ++d)
    LB_CHECK(bins[d] > 0, Runtime, "torch.histogram(): bins must be > 0, but got ", bins[d], " for dimension ", d);
  LB_CHECK(!range || static_cast<int64_t>(range->size()) == 2 * n, Runtime, "torch.histogramdd: for a ", n,
           "-dimensional histogram range should have ", 2 * n, " elements, but got ", range ? range->size() : 0);
  Grid grid;
  grid.even = true;
  const Tensor all = points.contiguous().to(DType::Float64);
  for (int64_t d = 0; d < n; ++d) {
    double low = 0, high = 1;
    if (range) {
      low = (*range)[static_cast<size_t>(2 * d)], high = (*range)[static_cast<size_t>(2 * d + 1)];
    } else if (all.count() > 0) {
      low = high = all.as<double>()[d];
      for (int64_t i = d; i < all.count(); i += n) {
        const double x = all.as<double>()[i];
        low = std::isnan(x) || x < low ? x : low, high = std::isnan(x) || x > high ? x : high;
        if (std::isnan(x)) break;
      }
    }
    LB_CHECK(std::isfinite(low) && std::isfinite(high), Runtime, "torch.histogramdd: dimension ", d, "'s range [", low,
             ", ", high, "] is not finite");
    LB_CHECK(low <= high, Runtime, "torch.histogramdd: min should not exceed max, but got min ", low, " max ", high,
             " for dimension ", d);
    if (low == high) low -= 0.5, high += 0.5;
    grid.edges.push_back(evenly(low, high, bins[static_cast<int>(d)], points.dtype()));
  }
  return grid;
}

Grid given_grid(const Tensor& points, const std::vector<Tensor>& bins) {
  Grid grid;
  for (size_t d = 0; d < bins.size(); ++d) {
    LB_CHECK(bins[d].dtype() == points.dtype(), Runtime,
             "torch.histogramdd: input tensor and bins tensors should have the same dtype, but got input with dtype ",
             c_type_name(points.dtype()), " and bins for dimension ", d, " with dtype ", c_type_name(bins[d].dtype()));
    LB_CHECK(bins[d].ndim() == 1, Runtime, "torch.histogramdd: bins tensor should have one dimension, but got ",
             bins[d].ndim(), " dimensions in the bins tensor for dimension ", d);
    LB_CHECK(bins[d].count() > 1, Runtime, "torch.histogram(): bins must be > 0, but got ", bins[d].count() - 1,
             " for dimension ", d);
    grid.edges.push_back(bins[d].contiguous());
  }
  return grid;
}

// The bin of an element, -1 outside. The last bin includes its upper edge.
template <class T>
int64_t bin_of(T x, const T* edges, int64_t bins, bool even) {
  if (!(x >= edges[0] && x <= edges[bins])) return -1;
  if (!even) return std::min<int64_t>(std::upper_bound(edges, edges + bins + 1, x) - edges, bins) - 1;
  auto at = static_cast<int64_t>((x - edges[0]) * static_cast<T>(bins) / (edges[bins] - edges[0]));
  at = std::clamp<int64_t>(at, 0, bins - 1);
  // Rounding may be off by one.
  if (x < edges[at])
    --at;
  else if (at + 1 < bins && x >= edges[at + 1])
    ++at;
  return at;
}

Tensor counted(const Tensor& points, const Grid& grid, const std::optional<Tensor>& weight, bool density) {
  const auto n = static_cast<int64_t>(grid.edges.size());
  Dims sizes;
  for (const Tensor& edges : grid.edges) sizes.push_back(edges.count() - 1);
  const Tensor result = Tensor::zeros(sizes, points.dtype()), all = points.contiguous();
  const Tensor weights = weight ? weight->contiguous() : Tensor();
  const auto run = [&]<class T>(T) {
    T* out = result.as<T>();
    for (int64_t i = 0; n > 0 && i < all.count() / n; ++i) {
      int64_t at = 0;
      for (int64_t d = 0; d < n && at >= 0; ++d) {
        const int64_t bin = bin_of(all.as<T>()[i * n + d], grid.edges[static_cast<size_t>(d)].as<T>(),
                                   sizes[static_cast<int>(d)], grid.even);
        at = bin < 0 ? -1 : at * sizes[static_cast<int>(d)] + bin;
      }
      if (at >= 0) out[at] += weight ? weights.as<T>()[i] : T{1};
    }
    if (!density) return;
    T total = 0;
    for (int64_t i = 0; i < result.count(); ++i) total += out[i];
    for (int64_t i = 0; i < result.count(); ++i) {
      T volume = total;
      int64_t rest = i;
      for (int64_t d = n - 1; d >= 0; --d) {
        const int64_t bin = rest % sizes[static_cast<int>(d)];
        rest /= sizes[static_cast<int>(d)];
        const T* edges = grid.edges[static_cast<size_t>(d)].as<T>();
        volume *= edges[bin + 1] - edges[bin];
      }
      out[i] /= volume;
    }
  };
  points.dtype() == DType::Float32 ? run(float{}) : run(double{});
  return result;
}

std::vector<double> as_numbers(const Tensor& range) {
  const Tensor wide = range.to(DType::Float64).contiguous();
  return {wide.as<double>(), wide.as<double>() + wide.count()};
}

std::optional<std::vector<double>> maybe_numbers(const std::optional<Tensor>& range) {
  return range ? std::optional(as_numbers(*range)) : std::nullopt;
}

std::vector<Tensor> with_edges(Tensor counts, const Grid& grid) {
  std::vector<Tensor> result{std::move(counts)};
  result.insert(result.end(), grid.edges.begin(), grid.edges.end());
  return result;
}

std::vector<Tensor> histogram_even(const Tensor& points, const Dims& bins, std::optional<Tensor> range,
                                   std::optional<Tensor> weight, bool density) {
  check_points(points, weight);
  LB_CHECK(bins.ndim() == points.sizes().back(), Runtime,
           "histogramdd: The size of bins must be equal to the innermost dimension of the input.");
  const Grid grid = even_grid(points, bins, maybe_numbers(range));
  return with_edges(counted(points, grid, weight, density), grid);
}

std::vector<Tensor> histogram_edges(const Tensor& points, const std::vector<Tensor>& bins, std::optional<Tensor> weight,
                                    bool density) {
  check_points(points, weight);
  LB_CHECK(static_cast<int64_t>(bins.size()) == points.sizes().back(), Runtime,
           "histogramdd: The size of bins must be equal to the innermost dimension of the input.");
  const Grid grid = given_grid(points, bins);
  return with_edges(counted(points, grid, weight, density), grid);
}

}  // namespace

LB_OPERATOR(.signature = "_histogram_even(points, bins, range=None, weight=None, density=False)",
            .doc = "Counts between equally distant edges: the counts, then the edges of each dimension.",
            .forward = forward_of<histogram_even>, .derivative = kNotDifferentiable, .forms = kFunction);
LB_OPERATOR(.signature = "_histogram_edges(points, bins, weight=None, density=False)",
            .doc = "Counts between given edges: the counts, then the edges of each dimension.",
            .forward = forward_of<histogram_edges>, .derivative = kNotDifferentiable, .forms = kFunction);

}  // namespace lumbre::ops
