// Orthogonal polynomials by their three-term recurrences, in their own type, so that they overflow where PyTorch's do.
// Included by math.h. Degrees below 0 give 0; the ends of the interval give exact values, as in PyTorch.
#pragma once

#include "kernels/math.h"

namespace lumbre {
namespace LB_LEVEL {
namespace math {

// p0 = 1, p1 = first, p(k+1) = 2 x p(k) - p(k-1): the four kinds of Chebyshev differ in p1.
template <class T>
inline T chebyshev_recurrence(T x, T first, int64_t n) {
  if (n == 0) return 1;
  T p = 1, q = first;
  for (int64_t k = 1; k < n && q == q; ++k) {
    const T r = 2 * x * q - p;
    p = q;
    q = r;
  }
  return q;
}

template <class T>
inline T chebyshev_polynomial_t(T x, int64_t n) {
  if (n < 0) return 0;
  if (std::fabs(x) == 1) return x > 0 || n % 2 == 0 ? 1 : -1;
  if (n > 6 && std::fabs(x) < 1) return std::cos(static_cast<T>(n) * std::acos(x));
  return chebyshev_recurrence(x, x, n);
}

template <class T>
inline T chebyshev_polynomial_u(T x, int64_t n) {
  if (n < 0) return 0;
  const T m = static_cast<T>(n) + 1;
  if (std::fabs(x) == 1) return x > 0 || n % 2 == 0 ? m : -m;
  if (n > 8 && std::fabs(x) < 1) return std::sin(m * std::acos(x)) / std::sin(std::acos(x));
  return chebyshev_recurrence(x, 2 * x, n);
}

template <class T>
inline T chebyshev_polynomial_v(T x, int64_t n) {
  if (n < 0) return 0;
  const T m = static_cast<T>(n) + T(0.5);
  if (std::fabs(x) == 1) return x > 0 ? 1 : (n % 2 == 0 ? 2 * m : -2 * m);
  if (n > 8 && std::fabs(x) < 1) return std::cos(m * std::acos(x)) / std::cos(std::acos(x) / 2);
  return chebyshev_recurrence(x, 2 * x - 1, n);
}

template <class T>
inline T chebyshev_polynomial_w(T x, int64_t n) {
  if (n < 0) return 0;
  const T m = static_cast<T>(n) + T(0.5);
  if (std::fabs(x) == 1) return x > 0 ? 2 * m : (n % 2 == 0 ? 1 : -1);
  if (n > 8 && std::fabs(x) < 1) return std::sin(m * std::acos(x)) / std::sin(std::acos(x) / 2);
  return chebyshev_recurrence(x, 2 * x + 1, n);
}

template <class T>
inline T shifted_chebyshev_polynomial_t(T x, int64_t n) {
  return chebyshev_polynomial_t(2 * x - 1, n);
}
template <class T>
inline T shifted_chebyshev_polynomial_u(T x, int64_t n) {
  return chebyshev_polynomial_u(2 * x - 1, n);
}
template <class T>
inline T shifted_chebyshev_polynomial_v(T x, int64_t n) {
  return chebyshev_polynomial_v(2 * x - 1, n);
}
template <class T>
inline T shifted_chebyshev_polynomial_w(T x, int64_t n) {
  return chebyshev_polynomial_w(2 * x - 1, n);
}

template <class T>
inline T hermite_polynomial_h(T x, int64_t n) {
  if (n < 0) return 0;
  if (n == 0) return 1;
  T p = 1, q = 2 * x;
  for (int64_t k = 1; k < n && q == q; ++k) {
    const T r = 2 * (x * q - static_cast<T>(k) * p);
    p = q;
    q = r;
  }
  return q;
}

template <class T>
inline T hermite_polynomial_he(T x, int64_t n) {
  if (n < 0) return 0;
  if (n == 0) return 1;
  T p = 1, q = x;
  for (int64_t k = 1; k < n && q == q; ++k) {
    const T r = x * q - static_cast<T>(k) * p;
    p = q;
    q = r;
  }
  return q;
}

template <class T>
inline T laguerre_polynomial_l(T x, int64_t n) {
  if (n < 0) return 0;
  if (n == 0 || x == 0) return 1;
  T p = 1, q = 1 - x;
  for (int64_t k = 1; k < n && q == q; ++k) {
    const T d = static_cast<T>(k);
    const T r = ((2 * d + 1 - x) * q - d * p) / (d + 1);
    p = q;
    q = r;
  }
  return q;
}

template <class T>
inline T legendre_polynomial_p(T x, int64_t n) {
  if (n < 0) return 0;
  if (std::fabs(x) == 1) return x > 0 || n % 2 == 0 ? 1 : -1;
  if (n == 0) return 1;
  T p = 1, q = x;
  for (int64_t k = 1; k < n && q == q; ++k) {
    const T d = static_cast<T>(k);
    const T r = ((2 * d + 1) * x * q - d * p) / (d + 1);
    p = q;
    q = r;
  }
  return q;
}

// The degree as a tensor element: truncated, as a C cast of it.
#define LB_MATH_DEGREE(name)                                                     \
  template <class T>                                                             \
  inline T name(T x, T n) {                                                      \
    const T bound = n < T(0) ? T(-1) : n;                                        \
    return name(x, bound < T(1e18) ? static_cast<int64_t>(bound) : int64_t(-1)); \
  }
LB_MATH_DEGREE(chebyshev_polynomial_t)
LB_MATH_DEGREE(chebyshev_polynomial_u)
LB_MATH_DEGREE(chebyshev_polynomial_v)
LB_MATH_DEGREE(chebyshev_polynomial_w)
LB_MATH_DEGREE(shifted_chebyshev_polynomial_t)
LB_MATH_DEGREE(shifted_chebyshev_polynomial_u)
LB_MATH_DEGREE(shifted_chebyshev_polynomial_v)
LB_MATH_DEGREE(shifted_chebyshev_polynomial_w)
LB_MATH_DEGREE(hermite_polynomial_h)
LB_MATH_DEGREE(hermite_polynomial_he)
LB_MATH_DEGREE(laguerre_polynomial_l)
LB_MATH_DEGREE(legendre_polynomial_p)
#undef LB_MATH_DEGREE

}  // namespace math
}  // namespace LB_LEVEL
}  // namespace lumbre
