// What orders share: comparisons that know NaN, stable orders, dtypes that are ordered alike.
#pragma once

#include <algorithm>
#include <vector>

#include "ops/radix.h"
#include "tensor/tensor.h"

namespace lumbre::ops {

// NaN counts as greater than every number.
template <class T>
bool less(T a, T b) {
  if constexpr (std::is_floating_point_v<T>)
    return a < b || (b != b && a == a);
  else
    return a < b;
}
template <class T>
bool greater(T a, T b) {
  return less(b, a);
}

template <class T>
struct Entry {
  T value;
  int64_t index;
};

// Half types as float, integers narrower than int32 as that: the same order, and half as many loops.
inline DType widened_dtype(DType dtype) {
  if (is_half(dtype)) return DType::Float32;
  return is_integral(dtype, true) && dtype != DType::Int64 ? DType::Int32 : dtype;
}
inline Tensor widened(const Tensor& t) { return t.to(widened_dtype(t.dtype())); }

// Calls f(T{}) for the element type of what is widened.
template <class F>
void visit_widened(DType dtype, F&& f) {
  if (dtype == DType::Int32) return f(int32_t{});
  if (dtype == DType::Int64) return f(int64_t{});
  if (dtype == DType::Float32) return f(float{});
  f(double{});
}

template <class T>
std::vector<Entry<T>> entries_of(const T* in, int64_t n) {
  std::vector<Entry<T>> entries(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) entries[static_cast<size_t>(i)] = {in[i], i};
  return entries;
}

// Calls put(place, position) for each of n elements in order, equal ones in the order of their positions.
template <class T, class Put>
void stable_order(const T* in, int64_t n, bool descending, Put put) {
  if (n >= kRadixLeast && n <= kRadixMost) return radix_order(in, n, descending, put);
  auto entries = entries_of(in, n);
  // Ties are broken by position, which makes the order stable.
  if (descending)
    std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
      return greater(a.value, b.value) || (!less(a.value, b.value) && a.index < b.index);
    });
  else
    std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
      return less(a.value, b.value) || (!greater(a.value, b.value) && a.index < b.index);
    });
  for (int64_t i = 0; i < n; ++i) put(i, entries[static_cast<size_t>(i)].index);
}

}  // namespace lumbre::ops
