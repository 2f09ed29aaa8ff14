// Bessel and Airy functions, in double for both types. Included by math.h.
#pragma once

#include "kernels/math.h"

namespace lumbre {
namespace LB_LEVEL {
namespace math {

// Chebyshev series of exp(-x) I0(x) on [0, 8], and times sqrt(x) in 1/x beyond (fitted here).
inline double i0e(double x) {
  const double a = std::fabs(x);
  if (a <= 8) return chebyshev_sum(kI0Small, a / 4 - 1);
  return chebyshev_sum(kI0Large, 16 / a - 1) / std::sqrt(a);
}

// Odd, but +0 at -0, as PyTorch's.
inline double i1e(double x) {
  const double a = std::fabs(x);
  const double y = a <= 8 ? a * chebyshev_sum(kI1Small, a / 4 - 1) : chebyshev_sum(kI1Large, 16 / a - 1) / std::sqrt(a);
  return x < 0 ? -y : y;
}

// As PyTorch's, these are infinite where exp is and NaN at infinity.
template <class T>
inline T i0(T x) {
  const double grow = static_cast<T>(::exp(std::fabs(static_cast<double>(x))));
  return static_cast<T>(grow * i0e(static_cast<double>(x)));
}

template <class T>
inline T i1(T x) {
  const double grow = static_cast<T>(::exp(std::fabs(static_cast<double>(x))));
  return static_cast<T>(grow * i1e(static_cast<double>(x)));
}

// x <= 2: the logarithm and a series in x^2; beyond: exp(-x) / sqrt(x) times a series in 1/x (fitted here).
inline double scaled_k0(double x, bool scaled) {
  if (x == 0) return kInf<double>;
  if (!(x > 0)) return kNan<double>;
  if (x <= 2) {
    const double y = chebyshev_sum(kK0Small, x * x / 2 - 1) - ::log(0.5 * x) * i0(x);
    return scaled ? y * ::exp(x) : y;
  }
  return chebyshev_sum(kK0Large, 4 / x - 1) / std::sqrt(x) * (scaled ? 1.0 : ::exp(-x));
}

inline double scaled_k1(double x, bool scaled) {
  if (x == 0) return kInf<double>;
  if (!(x > 0)) return kNan<double>;
  if (x <= 2) {
    const double y = ::log(0.5 * x) * i1(x) + chebyshev_sum(kK1Small, x * x / 2 - 1) / x;
    return scaled ? y * ::exp(x) : y;
  }
  return chebyshev_sum(kK1Large, 4 / x - 1) / std::sqrt(x) * (scaled ? 1.0 : ::exp(-x));
}

template <class T>
inline T modified_bessel_i0(T x) {
  return i0(x);
}
template <class T>
inline T modified_bessel_i1(T x) {
  return i1(x);
}
inline double modified_bessel_k0(double x) { return scaled_k0(x, false); }
inline double modified_bessel_k1(double x) { return scaled_k1(x, false); }
inline double scaled_modified_bessel_k0(double x) { return scaled_k0(x, true); }
inline double scaled_modified_bessel_k1(double x) { return scaled_k1(x, true); }

// The C library's, except that PyTorch's give NaN at infinity.
inline double bessel_j0(double x) { return std::fabs(x) < kInf<double> ? ::j0(x) : kNan<double>; }
inline double bessel_j1(double x) { return std::fabs(x) < kInf<double> ? ::j1(x) : kNan<double>; }
inline double bessel_y0(double x) {
  return x > 0 && x < kInf<double> ? ::y0(x) : (x == 0 ? -kInf<double> : kNan<double>);
}
inline double bessel_y1(double x) {
  return x > 0 && x < kInf<double> ? ::y1(x) : (x == 0 ? -kInf<double> : kNan<double>);
}

inline double spherical_bessel_j0(double x) {
  if (std::fabs(x) == kInf<double>) return 0;
  if (std::fabs(x) < 1e-4) return 1 - x * x / 6;
  return ::sin(x) / x;
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

#define LB_MATH_THROUGH_DOUBLE(name) \
  inline float name(float x) { return static_cast<float>(name(static_cast<double>(x))); }
LB_MATH_THROUGH_DOUBLE(i0e)
LB_MATH_THROUGH_DOUBLE(i1e)
LB_MATH_THROUGH_DOUBLE(modified_bessel_k0)
LB_MATH_THROUGH_DOUBLE(modified_bessel_k1)
LB_MATH_THROUGH_DOUBLE(scaled_modified_bessel_k0)
LB_MATH_THROUGH_DOUBLE(scaled_modified_bessel_k1)
LB_MATH_THROUGH_DOUBLE(bessel_j0)
LB_MATH_THROUGH_DOUBLE(bessel_j1)
LB_MATH_THROUGH_DOUBLE(bessel_y0)
LB_MATH_THROUGH_DOUBLE(bessel_y1)
LB_MATH_THROUGH_DOUBLE(spherical_bessel_j0)
LB_MATH_THROUGH_DOUBLE(airy_ai)
#undef LB_MATH_THROUGH_DOUBLE

}  // namespace math
}  // namespace LB_LEVEL
}  // namespace lumbre
