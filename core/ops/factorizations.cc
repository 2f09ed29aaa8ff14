#include "ops/factorizations.h"

#include <algorithm>
#include <cstring>

#include "base/dispatch.h"
#include "base/error.h"
#include "base/threads.h"
#include "kernels/factors.h"
#include "ops/gemm.h"
#include "ops/row_matrix.h"
#include "tensor/plan.h"

namespace lumbre::ops {

namespace {

constexpr int64_t kPanel = 32;              // columns that are factored by themselves
constexpr int64_t kTriangle = 32;           // rows that are solved by themselves
constexpr int64_t kStripColumns = 128;      // right-hand sides in a thread's share
constexpr double kParallelWork = 1 << 20;   // multiply-adds below which a triangle stays on its thread
constexpr double kReleasingWork = 1 << 24;  // from which the interpreter lock is let go

template <class T>
const FactorLoops<T>& loops() {
  return loops_of<T>(factor_table());
}

int64_t half(int64_t n, int64_t unit) { return (n / 2 + unit - 1) / unit * unit; }

// Two runs that do not overlap.
template <class T>
void exchange(T* one, T* other, int64_t count) {
  constexpr int64_t kAtOnce = 128;
  T kept[kAtOnce];
  for (; count > 0; count -= kAtOnce, one += kAtOnce, other += kAtOnce) {
    const auto bytes = static_cast<size_t>(std::min(count, kAtOnce)) * sizeof(T);
    std::memcpy(kept, one, bytes);
    std::memcpy(one, other, bytes);
    std::memcpy(other, kept, bytes);
  }
}

static_assert(kTriangle <= FactorLoops<float>::kMostRows);

template <class T>
void solve_block(int64_t n, int64_t columns, const Triangle<T>& a, T* b, int64_t b_row) {
  const T* data = a.data;
  MatrixLayout layout = a.layout;
  if (a.upper) {  // from the last row to the first
    data += (n - 1) * (layout.row + layout.column);
    layout = {-layout.row, -layout.column};
    b += (n - 1) * b_row;
    b_row = -b_row;
  }
  const auto part = [&](int64_t begin, int64_t end) {
    loops<T>().solve(a.unit, n, end - begin, data, layout, b + begin, b_row);
  };
  if (static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(columns) < kParallelWork)
    return part(0, columns);
  parallel_for(columns, kStripColumns, part);
}

// LU by columns: the left half, what it does to the right half, and the rest of that.
//
// Toledo, "Locality of reference in LU decomposition with partial pivoting", SIAM J. Matrix Anal. Appl. 18(4), 1997.
template <class T>
class LuFactors {
 public:
  LuFactors(int64_t m, int64_t n, T* a, int64_t row, int32_t* pivots)
      : m_(m),
        n_(n),
        a_(a),
        row_(row),
        pivots_(pivots),
        pitch_(m + loops<T>().slack),
        panel_(pitch_, std::min({kPanel, m, n})) {}

  int64_t run() {
    const int64_t k = std::min(m_, n_);
    factor(0, k);
    if (n_ > k) solve(0, k, n_);
    return info_;
  }

 private:
  T* at(int64_t i, int64_t j) const { return a_ + i * row_ + j; }

  void factor(int64_t begin, int64_t end) {
    if (end - begin <= kPanel) return factor_panel(begin, end);
    const int64_t middle = begin + half(end - begin, kPanel);
    factor(begin, middle);
    solve(begin, middle, end);
    gemm<T>(m_ - middle, end - middle, middle - begin, T{-1}, at(middle, begin), {row_, 1}, at(begin, middle),
            {row_, 1}, T{1}, at(middle, middle), row_);
    factor(middle, end);
  }

  // The rows [begin, middle) of U, right of that block.
  void solve(int64_t begin, int64_t middle, int64_t end) {
    solve_triangle<T>(middle - begin, end - middle, {at(begin, begin), {row_, 1}, false, true}, at(begin, middle),
                      row_);
  }

  // Its columns are turned into lines of the cache's own memory, where searching and scaling them is quick.
  void factor_panel(int64_t begin, int64_t end) {
    const int64_t rows = m_ - begin, columns = end - begin;
    constexpr auto size = static_cast<int64_t>(sizeof(T));
    const TransposeLoop turn = transpose_loop(sizeof(T));
    T* const panel = panel_.data();
    char* const place = reinterpret_cast<char*>(at(begin, begin));
    turn(place, row_ * size, rows, columns, reinterpret_cast<char*>(panel), pitch_ * size);
    int32_t* const pivots = pivots_ + begin;
    const int64_t zero = loops<T>().lu(rows, columns, panel, pitch_, pivots);
    if (zero != 0 && info_ == 0) info_ = begin + zero;
    turn(reinterpret_cast<const char*>(panel), pitch_ * size, columns, rows, place, row_ * size);
    for (int64_t i = 0; i < columns; ++i) {
      pivots[i] += static_cast<int32_t>(begin) + 1;
      T *const one = at(begin + i, 0), *const other = at(pivots[i] - 1, 0);
      if (one == other) continue;
      exchange(one, other, begin);
      exchange(one + end, other + end, n_ - end);
    }
  }

  int64_t m_, n_;
  T* a_;
  int64_t row_;
  int32_t* pivots_;
  int64_t pitch_, info_ = 0;
  Numbers<T> panel_;
};

}  // namespace

template <class T>
void solve_triangle(int64_t n, int64_t columns, const Triangle<T>& a, T* b, int64_t b_row) {
  if (n == 0 || columns == 0) return;
  if (n <= kTriangle) return solve_block(n, columns, a, b, b_row);
  const LongWork released(static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(columns) >=
                          kReleasingWork);
  const int64_t top = half(n, kTriangle), left = n - top;
  const auto [row, column] = a.layout;
  Triangle<T> below = a;
  below.data += top * (row + column);
  T* const low = b + top * b_row;
  if (a.upper) {
    solve_triangle(left, columns, below, low, b_row);
    gemm<T>(top, columns, left, T{-1}, a.data + top * column, a.layout, low, {b_row, 1}, T{1}, b, b_row);
    solve_triangle(top, columns, a, b, b_row);
  } else {
    solve_triangle(top, columns, a, b, b_row);
    gemm<T>(left, columns, top, T{-1}, a.data + top * row, a.layout, b, {b_row, 1}, T{1}, low, b_row);
    solve_triangle(left, columns, below, low, b_row);
  }
}

template <class T>
void invert_lower(int64_t n, const Triangle<T>& a, T* b, int64_t b_row) {
  if (n <= kTriangle) {
    for (int64_t i = 0; i < n; ++i) {
      std::fill_n(b + i * b_row, n, T{0});
      b[i * b_row + i] = 1;
    }
    return solve_triangle(n, n, a, b, b_row);
  }
  const int64_t top = half(n, kTriangle), left = n - top;
  Triangle<T> below = a;
  below.data += top * (a.layout.row + a.layout.column);
  T* const low = b + top * b_row;
  invert_lower(top, a, b, b_row);
  invert_lower(left, below, low + top, b_row);
  for (int64_t i = 0; i < top; ++i) std::fill_n(b + i * b_row + top, left, T{0});
  gemm<T>(left, top, top, T{-1}, a.data + top * a.layout.row, a.layout, b, {b_row, 1}, T{0}, low, b_row);
  solve_triangle(left, top, below, low, b_row);
}

template <class T>
int64_t factor_lu(int64_t m, int64_t n, T* a, int64_t row, int32_t* pivots) {
  if (m == 0 || n == 0) return 0;
  LB_CHECK(m < INT32_MAX, Runtime, "a matrix of ", m, " rows is beyond what pivots of int32 can say");
  const double k = static_cast<double>(std::min(m, n));
  const LongWork released(static_cast<double>(m) * static_cast<double>(n) * k >= kReleasingWork);
  return LuFactors<T>(m, n, a, row, pivots).run();
}

template <class T>
void exchange_rows(int64_t count, const int32_t* pivots, bool undone, int64_t columns, T* b, int64_t b_row) {
  for (int64_t step = 0; step < count; ++step) {
    const int64_t i = undone ? count - 1 - step : step, other = pivots[i] - 1;
    if (other != i) exchange(b + i * b_row, b + other * b_row, columns);
  }
}

#define LB_FACTORIZATIONS(T)                                                       \
  template void solve_triangle(int64_t, int64_t, const Triangle<T>&, T*, int64_t); \
  template void invert_lower(int64_t, const Triangle<T>&, T*, int64_t);            \
  template int64_t factor_lu(int64_t, int64_t, T*, int64_t, int32_t*);             \
  template void exchange_rows(int64_t, const int32_t*, bool, int64_t, T*, int64_t)
LB_FACTORIZATIONS(float);
LB_FACTORIZATIONS(double);

}  // namespace lumbre::ops
