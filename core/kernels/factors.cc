#include "kernels/factors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <type_traits>

#include "kernels/vectors.h"

namespace lumbre {
namespace LB_LEVEL {

// --- LU of a panel --------------------------------------------------------------------------------------------------

// Columns of a panel that are finished before the others are touched: these then read and write each element once for
// so many.
constexpr int64_t kGroup = 4;

template <class T>
using Bits = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;

// Positive numbers order as their bits do.
template <class T>
constexpr Bits<T> kMagnitude = std::numeric_limits<Bits<T>>::max();
template <class T>
constexpr Bits<T> kInfinite = std::bit_cast<Bits<T>>(std::numeric_limits<T>::infinity());
template <class T>
Bits<T> magnitude(T x) {
  const Bits<T> bits = std::bit_cast<Bits<T>>(x) & kMagnitude<T>;
  return bits > kInfinite<T> ? 0 : bits;
}

// As comparisons from the first element on find it: a NaN there stays, others are passed over.
template <class T>
int64_t first_largest(const T* column, int64_t begin, int64_t end) {
  constexpr int64_t lanes = kVectorLanes<T>, kBlock = 16 * lanes;
  if (column[begin] != column[begin]) return begin;
  Bits<T> largest = -1;
  int64_t block = begin;
  for (int64_t from = begin; from < end; from += kBlock) {
    const int64_t to = std::min(from + kBlock, end);
    Vector<Bits<T>> most = Vector<Bits<T>>{} - 1;
    int64_t i = from;
    for (; i + lanes <= to; i += lanes) {
      const Vector<Bits<T>> bits = std::bit_cast<Vector<Bits<T>>>(load_vector(column + i)) & kMagnitude<T>;
      const Vector<Bits<T>> here = bits > kInfinite<T> ? Vector<Bits<T>>{} : bits;
      most = here > most ? here : most;
    }
    Bits<T> here = -1;
    for (int64_t lane = 0; lane < lanes; ++lane) here = std::max(here, most[lane]);
    for (; i < to; ++i) here = std::max(here, magnitude(column[i]));
    if (here > largest) largest = here, block = from;
  }
  while (magnitude(column[block]) != largest) ++block;
  return block;
}

// to[0, count) -= the sum of kCount columns, each times its factor; in whole vectors, into the slack.
template <class T, int kCount>
[[gnu::noinline, gnu::noclone]] void subtract(T* to, int64_t count, const T* columns, int64_t pitch, const T* factors) {
  Vector<T> by[kCount];
  for (int q = 0; q < kCount; ++q) by[q] = Vector<T>{} + factors[q];
  for (int64_t i = 0; i < count; i += kVectorLanes<T>) {
    Vector<T> sum = load_vector(to + i);
#pragma GCC unroll 4
    for (int q = 0; q < kCount; ++q) sum -= load_vector(columns + q * pitch + i) * by[q];
    store_vector(to + i, sum);
  }
}

template <class T>
void divide_column(T* column, int64_t count, T by) {
  for (int64_t i = 0; i < count; i += kVectorLanes<T>) store_vector(column + i, load_vector(column + i) / by);
}

// The columns [from, to) minus what the finished columns [at, from) give.
template <class T>
void update_columns(int64_t m, T* a, int64_t pitch, int64_t at, int64_t from, int64_t to) {
  const int64_t width = from - at;
  for (int64_t c = from; c < to; ++c) {
    T* const column = a + c * pitch;
    for (int64_t q = at; q < from; ++q)
      for (int64_t r = q + 1; r < from; ++r) column[r] -= a[q * pitch + r] * column[q];
    const T* const finished = a + at * pitch + from;
    if (width == kGroup)
      subtract<T, kGroup>(column + from, m - from, finished, pitch, column + at);
    else
      for (int64_t q = 0; q < width; ++q)
        subtract<T, 1>(column + from, m - from, finished + q * pitch, pitch, column + at + q);
  }
}

template <class T>
int64_t lu_panel(int64_t m, int64_t n, T* a, int64_t pitch, int32_t* pivots) {
  const int64_t steps = std::min(m, n);
  int64_t info = 0;
  // What lies there by chance may be denormal numbers, and those are slow.
  for (int64_t c = 0; c < n; ++c) store_vector(a + c * pitch + m, Vector<T>{});
  for (int64_t j = 0; j < steps; j += kGroup) {
    const int64_t end = std::min(j + kGroup, steps);
    for (int64_t c = j; c < end; ++c) {
      T* const column = a + c * pitch;
      const int64_t pivot = first_largest(column, c, m);
      pivots[c] = static_cast<int32_t>(pivot);
      if (pivot != c)
        for (int64_t other = 0; other < n; ++other) std::swap(a[other * pitch + c], a[other * pitch + pivot]);
      if (column[c] != 0)
        divide_column(column + c + 1, m - c - 1, column[c]);
      else if (info == 0)
        info = c + 1;
      for (int64_t other = c + 1; other < end; ++other)
        subtract<T, 1>(a + other * pitch + c + 1, m - c - 1, column + c + 1, pitch, a + other * pitch + c);
    }
    update_columns(m, a, pitch, j, end, n);
  }
  return info;
}

// --- a small triangle -----------------------------------------------------------------------------------------------

constexpr int kStrip = 8;  // vectors in a row of b that are in registers together
template <class T>
constexpr int64_t kStripLanes = kStrip * kVectorLanes<T>;

template <class T>
[[gnu::noinline, gnu::noclone]] void solve_strip(bool unit, int64_t n, const T* l, MatrixLayout layout, T* b,
                                                 int64_t b_row) {
  constexpr int64_t lanes = kVectorLanes<T>;
  for (int64_t i = 0; i < n; ++i, l += layout.row) {
    T* const row = b + i * b_row;
    Vector<T> x[kStrip];
#pragma GCC unroll 8
    for (int v = 0; v < kStrip; ++v) x[v] = load_vector(row + v * lanes);
    const T *solved = b, *factor = l;
    for (int64_t j = 0; j < i; ++j, solved += b_row, factor += layout.column) {
#pragma GCC unroll 8
      for (int v = 0; v < kStrip; ++v) x[v] -= load_vector(solved + v * lanes) * *factor;
    }
#pragma GCC unroll 8
    for (int v = 0; v < kStrip; ++v) store_vector(row + v * lanes, unit ? x[v] : x[v] / *factor);
  }
}

template <class T>
void solve_small(bool unit, int64_t n, int64_t columns, const T* l, MatrixLayout layout, T* b, int64_t b_row) {
  int64_t j = 0;
  for (; j + kStripLanes<T> <= columns; j += kStripLanes<T>) solve_strip(unit, n, l, layout, b + j, b_row);
  if (j == columns) return;
  T rest[FactorLoops<T>::kMostRows * kStripLanes<T>];
  const auto bytes = static_cast<size_t>(columns - j) * sizeof(T);
  for (int64_t i = 0; i < n; ++i) {
    std::fill_n(rest + i * kStripLanes<T>, kStripLanes<T>, T{0});
    std::memcpy(rest + i * kStripLanes<T>, b + i * b_row + j, bytes);
  }
  solve_strip(unit, n, l, layout, rest, kStripLanes<T>);
  for (int64_t i = 0; i < n; ++i) std::memcpy(b + i * b_row + j, rest + i * kStripLanes<T>, bytes);
}

extern constinit const FactorTable factor_loops = {{kVectorLanes<float>, &lu_panel<float>, &solve_small<float>},
                                                   {kVectorLanes<double>, &lu_panel<double>, &solve_small<double>}};

}  // namespace LB_LEVEL
}  // namespace lumbre

#if LB_BASELINE
#include "base/dispatch.h"
LB_LEVEL_TABLE(lumbre::FactorTable, factor_loops)
namespace lumbre {
const FactorTable& factor_table() { return LB_BEST(factor_loops); }
}  // namespace lumbre
#endif
