#include <cmath>

#include "ops/gradients.h"

namespace lumbre {

using namespace op;

// For a vector, a matrix or a batch on either side; broadcast dimensions are summed when gradients are given.
void matmul_slope(Backward& b, int left, int right) {
  Tensor g = b.grad();
  const int a = b.ndim(left), c = b.ndim(right);
  if (a == 1 && c == 1) {
    if (b.needs(left)) b.give(left, g * b.input(right));
    if (b.needs(right)) b.give(right, g * b.input(left));
    return;
  }
  if (a == 2 && c == 2) {
    if (b.needs(left)) b.give(left, call<"mm">(g, call<"t">(b.input(right))));
    if (b.needs(right)) b.give(right, call<"mm">(call<"t">(b.input(left)), g));
    return;
  }
  if (a == 1) g = unsqueeze(g, -2);
  if (c == 1) g = unsqueeze(g, -1);
  // A batch against one matrix is one product of all rows.
  if (a > 2 && c == 2 && b.needs(right)) {
    const int64_t k = b.sizes(right)[0], n = b.sizes(right)[1];
    int64_t rows = 1;
    for (int d = 0; d + 1 < a; ++d) rows *= b.sizes(left)[d];
    b.give(right, call<"mm">(call<"t">(reshape(b.input(left), {rows, k})), reshape(g, {rows, n})));
  } else if (b.needs(right)) {
    const Tensor x = a == 1 ? unsqueeze(b.input(left), 0) : b.input(left);
    Tensor slope = mm(transpose(x, -2, -1), g);
    if (c == 1) slope = call<"squeeze">(slope, int64_t{-1});
    b.give(right, slope);
  }
  if (!b.needs(left)) return;
  const Tensor y = c == 1 ? unsqueeze(b.input(right), -1) : b.input(right);
  Tensor slope = mm(g, transpose(y, -2, -1));
  if (a == 1) slope = call<"squeeze">(slope, int64_t{-2});
  b.give(left, slope);
}

void added_slope(Backward& b, bool batched) {
  const Tensor g = b.grad();
  const auto product = [&](const Tensor& x, const Tensor& y) { return batched ? call<"bmm">(x, y) : call<"mm">(x, y); };
  const auto flipped = [&](const Tensor& x) { return batched ? transpose(x, 1, 2) : call<"t">(x); };
  if (b.needs(0)) b.give(0, scaled(g, b.scalar(3)));
  if (b.needs(1)) b.give(1, scaled(product(g, flipped(b.input(2))), b.scalar(4)));
  if (b.needs(2)) b.give(2, scaled(product(flipped(b.input(1)), g), b.scalar(4)));
}

void addmv_gradient(Backward& b) {
  const Tensor g = b.grad();
  if (b.needs(0)) b.give(0, scaled(g, b.scalar(3)));
  if (b.needs(1)) b.give(1, scaled(call<"outer">(g, b.input(2)), b.scalar(4)));
  if (b.needs(2)) b.give(2, scaled(call<"mv">(call<"t">(b.input(1)), g), b.scalar(4)));
}

void addbmm_gradient(Backward& b) {
  const Tensor g = b.grad();
  if (b.needs(0)) b.give(0, scaled(g, b.scalar(3)));
  const Dims sizes{b.sizes(1)[0], b.sizes(1)[1], b.sizes(2)[2]};
  const Tensor each = expand(unsqueeze(g, 0), sizes);
  if (b.needs(1)) b.give(1, scaled(call<"bmm">(each, transpose(b.input(2), 1, 2)), b.scalar(4)));
  if (b.needs(2)) b.give(2, scaled(call<"bmm">(transpose(b.input(1), 1, 2), each), b.scalar(4)));
}

// inner(x, y)[i..., j...] sums over the last dimension of both; a 0-d side only scales.
void inner_gradient(Backward& b) {
  const Tensor g = b.grad();
  const Tensor x = b.needs(1) ? b.input(0) : Tensor(), y = b.needs(0) ? b.input(1) : Tensor();
  if (b.ndim(0) == 0 || b.ndim(1) == 0) {
    if (b.needs(0)) b.give(0, g * y);
    if (b.needs(1)) b.give(1, g * x);
    return;
  }
  const int64_t k = b.sizes(0).back();
  const int64_t rows = count_elements(b.sizes(0)) / std::max<int64_t>(k, 1),
                columns = count_elements(b.sizes(1)) / std::max<int64_t>(k, 1);
  const Tensor flat = reshape(g, {rows, columns});
  if (b.needs(0)) b.give(0, reshape(call<"mm">(flat, reshape(y, {columns, k})), b.sizes(0)));
  if (b.needs(1)) b.give(1, reshape(call<"mm">(call<"t">(flat), reshape(x, {rows, k})), b.sizes(1)));
}

void linear_gradient(Backward& b) {
  const Tensor g = b.grad();
  const int64_t in = b.sizes(0).back();
  const bool vector_weight = b.ndim(1) == 1;
  const int64_t out = vector_weight ? 1 : b.sizes(1)[0];
  int64_t rows = 1;
  for (int d = 0; d + 1 < b.ndim(0); ++d) rows *= b.sizes(0)[d];
  const bool matrix = b.ndim(0) == 2 && !vector_weight;
  const Tensor flat = matrix ? g : reshape(g, {rows, out});
  if (b.needs(0)) {
    const Tensor weight = vector_weight ? reshape(b.input(1), {1, in}) : b.input(1);
    const Tensor slope = call<"mm">(flat, weight);
    b.give(0, matrix ? slope : reshape(slope, b.sizes(0)));
  }
  if (b.needs(1)) {
    const Tensor x = b.input(0);
    const Tensor slope = call<"mm">(call<"t">(flat), matrix ? x : reshape(x, {rows, in}));
    b.give(1, vector_weight ? reshape(slope, {in}) : slope);
  }
  if (b.given(2) && b.needs(2)) b.give(2, b.ndim(2) == 1 && !vector_weight ? sum(flat, Dims{0}, false) : g);
}

void tensordot_gradient(Backward& b) {
  const Tensor g = b.grad();
  const Dims &over_x = b.dims(2), &over_y = b.dims(3);
  const auto split = [](int ndim, const Dims& over) {
    Dims kept, summed;
    for (const int64_t d : over) summed.push_back(wrap_dim(d, ndim));
    for (int d = 0; d < ndim; ++d)
      if (!summed.contains(d)) kept.push_back(d);
    return std::pair(kept, summed);
  };
  // A dimension of size 1 that meets another is repeated: the other was summed.
  const auto as_contracted = [&](int which) {
    Tensor t = b.input(which);
    const Dims &own = which ? over_y : over_x, &met = which ? over_x : over_y;
    for (size_t i = 0; i < own.size(); ++i) {
      const int64_t d = wrap_dim(own[i], b.ndim(which));
      if (b.sizes(1 - which)[wrap_dim(met[i], b.ndim(1 - which))] == 1 && t.sizes()[d] != 1) t = sum(t, Dims{d}, true);
    }
    return t;
  };
  const auto [kept_x, summed_x] = split(b.ndim(0), over_x);
  const auto [kept_y, summed_y] = split(b.ndim(1), over_y);
  Dims tail, lead;
  for (size_t i = 0; i < kept_y.size(); ++i) tail.push_back(static_cast<int64_t>(kept_x.size() + i));
  for (size_t i = 0; i < kept_x.size(); ++i) lead.push_back(static_cast<int64_t>(i));
  // The dimensions come out in some order; put each where it was.
  const auto restored = [](const Tensor& t, const Dims& first, const Dims& second, const Dims& order_of_second) {
    std::vector<std::pair<int64_t, int64_t>> places;
    for (size_t i = 0; i < first.size(); ++i) places.emplace_back(first[i], static_cast<int64_t>(i));
    for (size_t i = 0; i < second.size(); ++i)
      places.emplace_back(second[order_of_second[i]], static_cast<int64_t>(first.size() + i));
    std::sort(places.begin(), places.end());
    Dims order;
    for (const auto& place : places) order.push_back(place.second);
    return call<"permute">(t, order);
  };
  const auto ascending = [](const Dims& dims) {
    Dims order;
    for (size_t i = 0; i < dims.size(); ++i) order.push_back(static_cast<int64_t>(i));
    std::sort(order.begin(), order.end(), [&](int64_t p, int64_t q) { return dims[p] < dims[q]; });
    return order;
  };
  // g with y over y's kept dimensions leaves x's kept, then y's summed ones in y's order.
  if (b.needs(0)) {
    const Tensor slope = call<"_tensordot">(g, as_contracted(1), tail, kept_y);
    b.give(0, expand(restored(slope, kept_x, summed_x, ascending(summed_y)), b.sizes(0)));
  }
  if (b.needs(1)) {
    const Tensor slope = call<"_tensordot">(g, as_contracted(0), lead, kept_x);
    b.give(1, expand(restored(slope, kept_y, summed_y, ascending(summed_x)), b.sizes(1)));
  }
}

void kron_gradient(Backward& b) {
  const int n = std::max(b.ndim(0), b.ndim(1));
  Dims blocks, left, right, inner, outer;
  for (int d = 0; d < n; ++d) {
    const int i = d - (n - b.ndim(0)), j = d - (n - b.ndim(1));
    const int64_t p = i >= 0 ? b.sizes(0)[i] : 1, q = j >= 0 ? b.sizes(1)[j] : 1;
    blocks.push_back(p);
    blocks.push_back(q);
    left.push_back(p);
    left.push_back(1);
    right.push_back(1);
    right.push_back(q);
    outer.push_back(2 * d);
    inner.push_back(2 * d + 1);
  }
  const Tensor g = reshape(b.grad(), blocks);
  if (b.needs(0)) {
    const Tensor each = g * reshape(b.input(1), right);
    b.give(0, reshape(n ? sum(each, inner, false) : each, b.sizes(0)));
  }
  if (b.needs(1)) {
    const Tensor each = g * reshape(b.input(0), left);
    b.give(1, reshape(n ? sum(each, outer, false) : each, b.sizes(1)));
  }
}

void cdist_gradient(Backward& b) {
  const Tensor x = unsqueeze(b.input(0), -2), y = unsqueeze(b.input(1), -3);
  const Tensor g = unsqueeze(b.grad(), -1), distance = unsqueeze(b.result(), -1);
  const double p = b.real(2);
  const Tensor difference = x - y;
  Tensor slope;
  if (p == 0) {
    slope = zeros(difference.sizes(), g.dtype());
  } else if (p == 1) {
    slope = g * call<"sign">(difference);
  } else if (p == 2) {
    slope = where(call<"eq">(distance, Scalar(0)), Scalar(0.0), g * difference / distance);
  } else if (std::isinf(p)) {
    slope = g * call<"sign">(difference) * cast(call<"eq">(call<"abs">(difference), distance), g.dtype());
  } else {
    const Tensor size = pow(call<"abs">(difference), Scalar(p - 1)) / pow(distance, Scalar(p - 1));
    slope = where(call<"eq">(distance, Scalar(0)), Scalar(0.0), g * call<"sign">(difference) * size);
  }
  if (b.needs(0)) b.give(0, sum(slope, Dims{-2}, false));
  if (b.needs(1)) b.give(1, -sum(slope, Dims{-3}, false));
}

}  // namespace lumbre
