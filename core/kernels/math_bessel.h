// Bessel and Airy functions. Included by math.h.
#pragma once

#include "kernels/math.h"

namespace lumbre {
namespace LB_LEVEL {
namespace math {

// I of order 0 or 1 up to 8, a fit in x^2; beyond, without exp(x), one in 1/x over the root of x.
template <int kOrder, class T>
LB_MATH T modified_small(T a) {
  if constexpr (kOrder == 0)
    return poly_in_halves(kI0Small<T>, a * a);
  else
    return a * poly_in_halves(kI1Small<T>, a * a);
}
template <int kOrder, class T>
LB_MATH T modified_large(T a) {
  const T v = T(16) / a - T(1);
  if constexpr (kOrder == 0)
    return poly_in_halves(kI0Large<T>, v) / sqrt(a);
  else
    return poly_in_halves(kI1Large<T>, v) / sqrt(a);
}

template <int kOrder, class T>
LB_MATH T modified_i(T a) {
  return a <= T(8) ? modified_small<kOrder>(a) : exp(a) * modified_large<kOrder>(a);
}
template <int kOrder, class T>
LB_MATH T scaled_modified_i(T a) {
  return a <= T(8) ? exp(-a) * modified_small<kOrder>(a) : modified_large<kOrder>(a);
}

// As PyTorch's, these are infinite where exp is and NaN at infinity, and the odd ones give +0 at -0.
template <class T>
LB_MATH T i0(T x) {
  return modified_i<0>(abs(x));
}
template <class T>
LB_MATH T i0e(T x) {
  return scaled_modified_i<0>(abs(x));
}
template <class T>
LB_MATH T i1(T x) {
  const T y = modified_i<1>(abs(x));
  return x < T(0) ? -y : y;
}
template <class T>
LB_MATH T i1e(T x) {
  const T y = scaled_modified_i<1>(abs(x));
  return x < T(0) ? -y : y;
}

// K of order 0 or 1, times exp(x) if scaled. x <= 2: the logarithm and a series in x^2; beyond: exp(-x) over the root
// of x times a series in 1/x (fitted here).
template <int kOrder, class T>
LB_MATH T modified_k(T x, bool scaled) {
  const bool tiny = x < T(2) * std::numeric_limits<T>::min();  // where half of x has lost digits
  const T z = x * x, v = T(4) / x - T(1), half_log = log(tiny ? x : T(0.5) * x) - (tiny ? kLn2<T> : T(0));
  T small, large;
  if constexpr (kOrder == 0) {
    small = poly(kK0Small<T>, z) - half_log * poly(kI0Smallest<T>, z);
    large = poly_in_halves(kK0Large<T>, v);
  } else {
    small = half_log * x * poly(kI1Smallest<T>, z) + poly(kK1Small<T>, z) / x;
    large = poly_in_halves(kK1Large<T>, v);
  }
  const bool near = x <= T(2);
  const T exponent = near ? (scaled ? x : T(0)) : (scaled ? T(0) : -x);
  const T y = (near ? small : large / sqrt(x)) * exp(exponent);
  return x == T(0) ? kInf<T> : x > T(0) ? y : kNan<T>;
}

template <class T>
LB_MATH T modified_bessel_k0(T x) {
  return modified_k<0>(x, false);
}
template <class T>
LB_MATH T modified_bessel_k1(T x) {
  return modified_k<1>(x, false);
}
template <class T>
LB_MATH T scaled_modified_bessel_k0(T x) {
  return modified_k<0>(x, true);
}
template <class T>
LB_MATH T scaled_modified_bessel_k1(T x) {
  return modified_k<1>(x, true);
}

// J and Y beyond 8: waves whose amplitudes are fits in 1/x^2.
struct Waves {
  double j, y;
};

template <int kOrder>
LB_MATH Waves waves(double a) {
  const double w = 8 / a, v = fma(w * w, 2.0, -1.0);
  auto t = trig_reduce(a);
  const double sine = sin_in_quadrant(t);
  ++t.quadrant;
  const double cosine = sin_in_quadrant(t);
  const double plus = cosine + sine, minus = sine - cosine, scale = 1 / sqrt(kPi<double> * a);
  if constexpr (kOrder == 0) {
    const double p = poly(kWave0P, v) * scale, q = poly(kWave0Q, v) * (w / 8) * scale;
    return {p * plus - q * minus, p * minus + q * plus};
  } else {
    const double p = poly(kWave1P, v) * scale, q = poly(kWave1Q, v) * (w / 8) * scale;
    return {p * minus + q * plus, q * minus - p * plus};
  }
}

// x^2 less the square of a root.
LB_MATH double without_root(double a, const std::array<double, 2>& root) {
  return ((a - root[0]) - root[1]) * (a + root[0]);
}

// J up to 8; v = x^2 / 32 - 1.
template <int kOrder>
LB_MATH double small_j(double a, double v) {
  if constexpr (kOrder == 0)
    return poly(kJ0Small, v) * without_root(a, kJ0FirstRoot) * without_root(a, kJ0SecondRoot);
  else
    return a * poly(kJ1Small, v) * without_root(a, kJ1FirstRoot) * without_root(a, kJ1SecondRoot);
}

template <int kOrder>
struct JNear {
  template <class T>
  LB_MATH static T near(T x) {
    const double a = abs(static_cast<double>(x)), v = fma(a * a, 1.0 / 32, -1.0);
    const double y = a <= 8 ? small_j<kOrder>(a, v) : waves<kOrder>(a).j;
    return static_cast<T>(kOrder == 1 && x < T(0) ? -y : y);
  }
  static double far(double x) {
    if (x - x != 0) return kNan<double>;
    return kOrder == 0 ? ::j0(x) : ::j1(x);
  }
};

template <int kOrder>
struct YNear {
  template <class T>
  LB_MATH static T near(T x) {
    const double a = abs(static_cast<double>(x)), v = fma(a * a, 1.0 / 32, -1.0);
    const double logarithm = log(0.5 * a) * (2 / kPi<double>)*small_j<kOrder>(a, v);
    double small;
    if constexpr (kOrder == 0)
      small = logarithm + poly(kY0Small, v);
    else
      small = logarithm + poly(kY1Small, v) / a;
    const double y = a <= 8 ? small : waves<kOrder>(a).y;
    return static_cast<T>(x == T(0) ? -kInf<double> : x > T(0) ? y : kNan<double>);
  }
  static double far(double x) {
    if (!(x > 0 && x < kInf<double>)) return kNan<double>;
    return kOrder == 0 ? ::y0(x) : ::y1(x);
  }
};

template <class T>
inline T bessel_j0(T x) {
  return trig<JNear<0>>(x);
}
template <class T>
inline T bessel_j1(T x) {
  return trig<JNear<1>>(x);
}
template <class T>
inline T bessel_y0(T x) {
  return trig<YNear<0>>(x);
}
template <class T>
inline T bessel_y1(T x) {
  return trig<YNear<1>>(x);
}

// sin(x) / x.
struct SphericalNear {
  template <class T>
  LB_MATH static T near(T x) {
    return x == T(0) ? T(1) : sin_near(x) / x;
  }
  static double far(double x) { return abs(x) == kInf<double> ? 0 : sin_far(x, 0) / x; }
};
template <class T>
inline T spherical_bessel_j0(T x) {
  return trig<SphericalNear>(x);
}

// |x| <= 3: a Chebyshev series. Beyond: exponential decay, or a wave, with series in 1/z, z = 2/3 |x|^(3/2).
inline double airy_ai(double x) {
  if (x != x || std::fabs(x) == kInf<double>) return kNan<double>;
  if (std::fabs(x) <= 3) return chebyshev_sum(kAiryMiddle, x / 3);
  const double a = std::fabs(x), root = std::sqrt(a), z = 2 * a * root / 3;
  constexpr double sqrt_pi = 1.7724538509055160273, first = 3.4641016151377545871;  // z at x = 3
  const double u = 2 * first / z - 1, scale = 1 / (sqrt_pi * std::sqrt(root));
  if (x > 0) return x > 103.892 ? 0.0 : 0.5 * scale * ::exp(-z) * chebyshev_sum(kAiryDecay, u);
  const double t = z + kPi<double> / 4;
  return scale * (::sin(t) * chebyshev_sum(kAiryCos, u) - ::cos(t) * chebyshev_sum(kAirySin, u));
}

inline float airy_ai(float x) { return static_cast<float>(airy_ai(static_cast<double>(x))); }

}  // namespace math
}  // namespace LB_LEVEL
}  // namespace lumbre
