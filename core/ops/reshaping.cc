// Slices, diagonals, windows and pieces: views that keep part of a tensor.
#include "ops/views.h"

namespace lumbre::ops {

Tensor select(const Tensor& input, int64_t dim, int64_t index) {
  LB_CHECK(input.ndim() > 0, Index, "select() cannot be applied to a 0-dim tensor.");
  const int d = wrap_dim(dim, input.ndim());
  const int64_t size = input.sizes()[d];
  LB_CHECK(index >= -size && index < size, Index, "select(): index ", index, " out of range for tensor of size ",
           input.sizes(), " at dimension ", d);
  Dims sizes = input.sizes(), strides = input.strides();
  const int64_t offset = input->offset + (index < 0 ? index + size : index) * strides[d];
  sizes.erase(static_cast<size_t>(d));
  strides.erase(static_cast<size_t>(d));
  return with_geometry(input, std::move(sizes), std::move(strides), offset);
}

Tensor slice(const Tensor& input, int64_t dim, std::optional<int64_t> start, std::optional<int64_t> end, int64_t step) {
  LB_CHECK(input.ndim() > 0, Runtime, "slice() cannot be applied to a 0-dim tensor.");
  LB_CHECK(step > 0, Runtime, "slice step must be positive");
  const int d = wrap_dim(dim, input.ndim());
  const int64_t size = input.sizes()[d];
  const auto clamp = [size](int64_t i) { return std::clamp<int64_t>(i < 0 ? i + size : i, 0, size); };
  const int64_t first = clamp(start.value_or(0)), last = std::max(first, clamp(end.value_or(INT64_MAX)));
  Dims sizes = input.sizes(), strides = input.strides();
  const int64_t offset = input->offset + first * strides[d];
  sizes[d] = (last - first) / step + ((last - first) % step != 0);
  strides[d] = checked_multiply(strides[d], step);
  return with_geometry(input, std::move(sizes), std::move(strides), offset);
}

Tensor narrow(const Tensor& input, int64_t dim, int64_t start, int64_t length) {
  LB_CHECK(input.ndim() > 0, Runtime, "narrow() cannot be applied to a 0-dim tensor.");
  LB_CHECK(length >= 0, Runtime, "narrow(): length must be non-negative.");
  const int d = wrap_dim(dim, input.ndim());
  const int64_t size = input.sizes()[d];
  LB_CHECK(start >= -size && start <= size, Index, "start out of range (expected to be in range of [", -size, ", ", size,
           "], but got ", start, ")");
  const int64_t first = start < 0 ? start + size : start;
  LB_CHECK(first <= size - length, Runtime, "start (", first, ") + length (", length, ") exceeds dimension size (", size, ").");
  return slice(input, d, first, first + length, 1);
}

Tensor diagonal(const Tensor& input, int64_t offset, int64_t dim1, int64_t dim2) {
  const int a = wrap_dim(dim1, input.ndim()), b = wrap_dim(dim2, input.ndim());
  LB_CHECK(a != b, Runtime, "diagonal dimensions cannot be identical ", dim1, ", ", dim2);
  Dims sizes = input.sizes(), strides = input.strides();
  int64_t start = input->offset;
  const int64_t rows = sizes[a], columns = sizes[b];
  const int64_t length = offset >= 0 ? std::max<int64_t>(std::min(rows, offset > columns ? 0 : columns - offset), 0)
                                     : std::max<int64_t>(std::min(offset < -rows ? 0 : rows + offset, columns), 0);
  if (length > 0) start += offset >= 0 ? offset * strides[b] : -offset * strides[a];
  const int64_t stride = checked_add(strides[a], strides[b]);
  sizes.erase(static_cast<size_t>(std::max(a, b)));
  sizes.erase(static_cast<size_t>(std::min(a, b)));
  strides.erase(static_cast<size_t>(std::max(a, b)));
  strides.erase(static_cast<size_t>(std::min(a, b)));
  sizes.push_back(length);
  strides.push_back(stride);
  return with_geometry(input, std::move(sizes), std::move(strides), start);
}

Tensor movedim(const Tensor& input, const Dims& source, const Dims& destination) {
  LB_CHECK(source.size() == destination.size(), Runtime, "movedim: Invalid source or destination dims: source (", source,
           " dims) should contain the same number of dims as destination (", destination, " dims)");
  const int n = input.ndim();
  Dims from = source, to = destination;
  for (auto& d : from) d = wrap_dim(d, n);
  for (auto& d : to) d = wrap_dim(d, n);
  const auto unique = [](Dims dims) {
    std::sort(dims.begin(), dims.end());
    return std::adjacent_find(dims.begin(), dims.end()) == dims.end();
  };
  LB_CHECK(unique(from), Runtime, "movedim: repeated dim in `source` (", source, ")");
  LB_CHECK(unique(to), Runtime, "movedim: repeated dim in `destination` (", destination, ")");
  if (n == 0) return with_geometry(input, {}, {});
  Dims order(static_cast<size_t>(n), -1);
  for (size_t i = 0; i < from.size(); ++i) order[to[i]] = from[i];
  int next = 0;
  for (auto& place : order) {
    if (place >= 0) continue;
    while (from.contains(next)) ++next;
    place = next++;
  }
  return permute(input, order);
}

}  // namespace lumbre::ops
