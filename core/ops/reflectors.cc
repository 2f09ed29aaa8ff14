#include "ops/reflectors.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/lapack.h"
#include "ops/factorizations.h"
#include "ops/gemm.h"
#include "ops/row_matrix.h"

namespace lumbre::ops {

namespace {

constexpr int64_t kColumns = 16;  // columns that are factored one by one

// Reflectors that are applied together: more make better products, but more work of their own.
int64_t block_of(int64_t count) { return count < 512 ? 32 : 64; }

template <class T>
T norm(int64_t n, const T* x) {
  using Sum = double;
  Sum sums[4] = {};
  int64_t i = 0;
  for (; i + 4 <= n; i += 4)
    for (int lane = 0; lane < 4; ++lane) sums[lane] += Sum{x[i + lane]} * Sum{x[i + lane]};
  for (; i < n; ++i) sums[0] += Sum{x[i]} * Sum{x[i]};
  const Sum sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  if (std::isnan(sum)) return static_cast<T>(sum);
  constexpr Sum kLeast = std::numeric_limits<Sum>::min() / std::numeric_limits<Sum>::epsilon();
  if (sum > kLeast && sum < std::numeric_limits<Sum>::infinity()) return static_cast<T>(std::sqrt(sum));
  T largest = 0;
  for (i = 0; i < n; ++i)
    if (!(std::abs(x[i]) <= largest)) largest = std::abs(x[i]);
  if (largest == 0 || !std::isfinite(largest)) return largest;
  Sum scaled = 0;
  for (i = 0; i < n; ++i) scaled += (Sum{x[i]} / largest) * (Sum{x[i]} / largest);
  return static_cast<T>(largest * std::sqrt(scaled));
}

// x (n) <- v below the number that (1 - tau (1 v)^T (1 v)) makes of it. Returns tau; 0 where nothing is below.
template <class T>
T reflect(int64_t n, T* x) {
  const T below = n > 1 ? norm(n - 1, x + 1) : T{0};
  if (below == 0) return 0;
  const T alpha = x[0], beta = -std::copysign(std::hypot(alpha, below), alpha);
  for (int64_t i = 1; i < n; ++i) x[i] /= alpha - beta;
  x[0] = beta;
  return (beta - alpha) / beta;
}

// A reflector's one on the diagonal, while it is a column among others.
template <class T>
class One {
 public:
  explicit One(T* place) : place_(place), kept_(*place) { *place = 1; }
  ~One() { *place_ = kept_; }
  One(const One&) = delete;
  One& operator=(const One&) = delete;

 private:
  T* place_;
  T kept_;
};

// `row` (n) <- scale v^T C, for n columns of C.
template <class T>
void dots(int64_t m, int64_t n, T scale, const T* v, const T* c, int64_t c_column, T* row) {
  gemm<T>(1, n, m, scale, v, {m, 1}, c, {1, c_column}, T{0}, row, n);
}

template <class T>
void factor_columns(int64_t m, int64_t n, T* a, int64_t a_column, T* tau) {
  const Numbers<T> row(n, 1);
  for (int64_t j = 0; j < std::min(m, n); ++j) {
    T *const v = a + j * a_column + j, *const rest = v + a_column;
    tau[j] = reflect(m - j, v);
    if (tau[j] == 0 || j + 1 == n) continue;
    const One<T> one(v);
    dots(m - j, n - j - 1, T{1}, v, rest, a_column, row.data());
    gemm<T>(n - j - 1, m - j, 1, -tau[j], row.data(), {1, 1}, v, {1, 1}, T{1}, rest, a_column);
  }
}

// I - V T V^T, the product of some reflectors.
//
// Schreiber and Van Loan, "A storage-efficient WY representation for products of Householder transformations", SIAM J.
// Sci. Stat. Comput. 10(1), 1989.
template <class T>
class Reflectors {
 public:
  Reflectors(int64_t m, int64_t count, const T* a, int64_t a_column, const T* tau)
      : m_(m), count_(count), v_(m, count), t_(count, count) {
    for (int64_t j = 0; j < count; ++j) {
      T* const column = v_.data() + j * m;
      std::fill_n(column, j, T{0});
      column[j] = 1;
      std::copy(a + j * a_column + j + 1, a + j * a_column + m, column + j + 1);
    }
    const Numbers<T> products(count, count);
    T* const t = t_.data();
    gemm<T>(count, count, m, T{1}, v_.data(), {m, 1}, v_.data(), {1, m}, T{0}, products.data(), count);
    for (int64_t j = 0; j < count; ++j) {
      for (int64_t i = 0; i < j; ++i) {
        T sum = 0;
        for (int64_t l = i; l < j; ++l) sum += t[i * count + l] * products.data()[l * count + j];
        t[i * count + j] = -tau[j] * sum;
      }
      t[j * count + j] = tau[j];
      for (int64_t i = j + 1; i < count; ++i) t[i * count + j] = 0;
    }
  }

  // c (m x n, by columns) <- this, or its transpose, times c. By rows that is c^T - c^T V T^T V^T.
  void apply(bool transposed, int64_t n, T* c, int64_t c_column) const {
    if (n == 0) return;
    const Numbers<T> inner(n, count_), scaled(n, count_);
    const MatrixLayout layout = transposed ? MatrixLayout{count_, 1} : MatrixLayout{1, count_};
    gemm<T>(n, count_, m_, T{1}, c, {c_column, 1}, v_.data(), {1, m_}, T{0}, inner.data(), count_);
    gemm<T>(n, count_, count_, T{1}, inner.data(), {count_, 1}, t_.data(), layout, T{0}, scaled.data(), count_);
    gemm<T>(n, m_, count_, T{-1}, scaled.data(), {count_, 1}, v_.data(), {m_, 1}, T{1}, c, c_column);
  }

 private:
  int64_t m_, count_;
  Numbers<T> v_, t_;  // V by columns, T by rows
};

template <class T>
void factor_block(int64_t m, int64_t n, T* a, int64_t a_column, T* tau) {
  if (n <= kColumns) return factor_columns(m, n, a, a_column, tau);
  const int64_t half = n / 2;
  T* const rest = a + half * a_column;
  factor_block(m, half, a, a_column, tau);
  Reflectors<T>(m, half, a, a_column, tau).apply(true, n - half, rest, a_column);
  factor_block(m - half, n - half, rest + half, a_column, tau + half);
}

// Within the bounds beyond which LAPACK scales a matrix first.
template <class T>
bool has_common_size(int64_t count, const T* a) {
  constexpr T kLeast = std::numeric_limits<T>::min() / std::numeric_limits<T>::epsilon();
  T largest = 0;
  for (int64_t i = 0; i < count; ++i) {
    if (!std::isfinite(a[i])) return false;
    largest = std::max(largest, std::abs(a[i]));
  }
  return largest > kLeast && largest < 1 / kLeast;
}

// Of an upper triangle (n x n, by columns).
template <class T>
bool has_full_rank(int64_t n, const T* r, int64_t r_column, T rcond) {
  std::vector<T> low(static_cast<size_t>(n)), high(low.size());
  low[0] = high[0] = 1;
  T smallest = std::abs(r[0]), largest = smallest;
  if (largest == 0) return false;
  for (int64_t i = 1; i < n; ++i) {
    const T* const column = r + i * r_column;
    const auto count = static_cast<lapack::Int>(i);
    T s1 = 0, c1 = 0, s2 = 0, c2 = 0;
    lapack::laic1(false, count, low.data(), smallest, column, column[i], &smallest, &s1, &c1);
    lapack::laic1(true, count, high.data(), largest, column, column[i], &largest, &s2, &c2);
    if (!(largest * rcond <= smallest)) return false;
    for (int64_t j = 0; j < i; ++j) {
      low[j] *= s1;
      high[j] *= s2;
    }
    low[i] = c1;
    high[i] = c2;
  }
  return true;
}

}  // namespace

template <class T>
void factor_qr(int64_t m, int64_t n, T* a, int64_t a_column, T* tau, int64_t columns, T* b, int64_t b_column) {
  const int64_t k = std::min(m, n), step = block_of(k);
  for (int64_t j = 0; j < k; j += step) {
    const int64_t width = std::min(step, k - j), left = n - j - width;
    T* const at = a + j * a_column + j;
    factor_block(m - j, width, at, a_column, tau + j);
    if (left == 0 && columns == 0) continue;
    const Reflectors<T> block(m - j, width, at, a_column, tau + j);
    block.apply(true, left, at + width * a_column, a_column);
    block.apply(true, columns, b + j, b_column);
  }
}

template <class T>
void form_q(int64_t m, int64_t n, int64_t count, T* a, int64_t a_column, const T* tau) {
  const auto unit_columns = [&](int64_t begin, int64_t end) {
    for (int64_t j = begin; j < end; ++j) {
      std::fill_n(a + j * a_column, m, T{0});
      a[j * a_column + j] = 1;
    }
  };
  unit_columns(count, n);
  const int64_t step = block_of(count);
  for (int64_t j = (count + step - 1) / step * step - step; j >= 0; j -= step) {
    const int64_t width = std::min(step, count - j);
    T* const at = a + j * a_column + j;
    const Reflectors<T> block(m - j, width, at, a_column, tau + j);
    unit_columns(j, j + width);
    block.apply(false, n - j, at, a_column);
  }
}

template <class T>
bool solve_least_squares(bool ranked, T rcond, int64_t m, int64_t n, int64_t columns, T* a, T* b) {
  if (!has_common_size(m * n, a)) return false;
  const Numbers<T> tau(n, 1);
  factor_qr(m, n, a, m, tau.data(), columns, b, m);
  for (int64_t i = 0; i < n; ++i)
    if (a[i * m + i] == 0) return false;
  if (ranked && !has_full_rank(n, a, m, rcond)) return false;
  const RowMatrix<T> x(n, columns);
  x.turn_from(b, m);
  solve_triangle<T>(n, columns, {a, {1, m}, true, false}, x.data(), x.step());
  x.turn_to(b, m);
  return true;
}

#define LB_REFLECTORS(T)                                                            \
  template void factor_qr(int64_t, int64_t, T*, int64_t, T*, int64_t, T*, int64_t); \
  template void form_q(int64_t, int64_t, int64_t, T*, int64_t, const T*);           \
  template bool solve_least_squares(bool, T, int64_t, int64_t, int64_t, T*, T*)
LB_REFLECTORS(float);
LB_REFLECTORS(double);

}  // namespace lumbre::ops
