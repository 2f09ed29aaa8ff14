// The gamma function's family, in double for both types. Included by math.h.
#pragma once

#include "kernels/math.h"

namespace lumbre {
namespace LB_LEVEL {
namespace math {

inline double lgamma(double x) {
#ifdef __GLIBC__
  int sign = 0;  // ::lgamma writes a global
  return ::lgamma_r(x, &sign);
#else
  return ::lgamma(x);
#endif
}

// x - n for n the whole number next to it, times pi.
LB_MATH double pi_times_rest(double x) { return kPi<double> * (x - std::nearbyint(x)); }

// Float: Stirling's series in double beyond 8, where eight steps of the recurrence lead; reflection on the left, if
// there may be any.
template <bool kReflects = true>
LB_MATH float lgamma(float value) {
  constexpr std::array<double, 8> c{1.0 / 12,   -1.0 / 360,      1.0 / 1260, -1.0 / 1680,
                                    1.0 / 1188, -691.0 / 360360, 1.0 / 156,  -3617.0 / 122400};
  const double x = value, right = kReflects && x < 0 ? 1 - x : x;
  const bool near = right < 8;
  double product = right;
  for (int k = 1; k < 8; ++k) product *= right + k;
  product = near ? product : 1;
  const double y = near ? right + 8 : right, inverse = 1 / y;
  const double stirling = fma(y - 0.5, log(y), inverse * poly(c, inverse * inverse) - y) + 0.91893853320467274178;
  double argument = product;
  if constexpr (kReflects) argument = x < 0 ? product * kPi<double> / abs(sin_near(pi_times_rest(x))) : product;
  const double taken = log(argument);
  const double result = kReflects && x < 0 ? taken - stirling : stirling - taken;
  return static_cast<float>(abs(x) == kInf<double> ? kInf<double> : result);
}

// out = lgamma(in).
inline void map_lgamma(float* out, const float* in, int64_t count) {
  bool left = false;
  for (int64_t i = 0; i < count; ++i) left |= in[i] < 0;
  if (left) {
#pragma GCC ivdep
    for (int64_t i = 0; i < count; ++i) out[i] = lgamma(in[i]);
  } else {
#pragma GCC ivdep
    for (int64_t i = 0; i < count; ++i) out[i] = lgamma<false>(in[i]);
  }
}
inline void map_lgamma(double* out, const double* in, int64_t count) {
  for (int64_t i = 0; i < count; ++i) out[i] = lgamma(in[i]);
}

// Ten steps of the recurrence below 10, then the asymptotic series (Abramowitz and Stegun 6.3.18); reflection on the
// left.
LB_MATH double digamma(double x) {
  constexpr std::array<double, 8> c{0,          1.0 / 12,  -1.0 / 120,     1.0 / 252,
                                    -1.0 / 240, 1.0 / 132, -691.0 / 32760, 1.0 / 12};
  const double right = x < 0 ? 1 - x : x;
  double sum = 1, product = right;  // of 1 / right + 1 / (right + 1) + ..., as one quotient
  for (int k = 1; k < 10; ++k) {
    const double factor = right + k;
    sum = fma(sum, factor, product);
    product *= factor;
  }
  const bool near = right < 10;
  const double y = near ? right + 10 : right;
  const double series = log(y) - 0.5 / y - poly(c, 1 / (y * y));
  const double mirrored = x < 0 ? kPi<double> / tan_near(pi_times_rest(x)) : 0;
  const double result = series - (near ? sum / product : 0) - mirrored;
  const double undefined = x == 0 ? copysign(kInf<double>, -x) : kNan<double>;
  return (x <= 0) & (x == std::floor(x)) ? undefined : result;
}
LB_MATH float digamma(float x) { return static_cast<float>(digamma(static_cast<double>(x))); }

// Hurwitz's zeta for q > 0 by Euler and Maclaurin: nine terms, the integral, twelve corrections B_2j / (2j)!.
inline double zeta_positive(double s, double q) {
  constexpr std::array<double, 12> c{8.333333333333333333e-02,  -1.388888888888888889e-03, 3.306878306878306878e-05,
                                     -8.267195767195767196e-07, 2.087675698786809898e-08,  -5.284190138687493185e-10,
                                     1.338253653068467883e-11,  -3.389680296322582867e-13, 8.586062056277844564e-15,
                                     -2.174868698558061873e-16, 5.509002828360229515e-18,  -1.395446468581252334e-19};
  double sum = 0, a = q;
  for (int i = 0; i < 9 || a <= 9; ++i, a += 1) {
    const double term = ::pow(a, -s);
    sum += term;
    if (term <= 1e-17 * sum) return sum;
  }
  double power = ::pow(a, -s);
  sum += power * a / (s - 1) + 0.5 * power;
  double rising = s;
  power /= a;
  for (size_t j = 0; j < c.size(); ++j) {
    const double term = c[j] * rising * power;
    sum += term;
    if (std::fabs(term) <= 1e-17 * std::fabs(sum)) break;
    const double k = static_cast<double>(2 * j + 1);
    rising *= (s + k) * (s + k + 1);
    power /= a * a;
  }
  return sum;
}

inline double zeta(double s, double q) {
  if (s == 1) return kInf<double>;
  if (s < 1 || q != q) return kNan<double>;
  if (q <= 0) {
    if (q == std::floor(q)) return kInf<double>;
    if (s != std::floor(s)) return kNan<double>;
  }
  if (s != s || q == kInf<double>) return kNan<double>;
  if (q > 0) return zeta_positive(s, q);
  // The terms at q, q + 1, ... below 0 are, up to sign, those from the fraction of -q to -q.
  const double fraction = -q - std::floor(-q);
  const double below = zeta_positive(s, fraction) - zeta_positive(s, 1 - q);
  return zeta_positive(s, 1 - fraction) + (std::fmod(s, 2) == 0 ? below : -below);
}
inline float zeta(float s, float q) { return static_cast<float>(zeta(static_cast<double>(s), static_cast<double>(q))); }

// As digamma, with squares.
LB_MATH double trigamma(double x) {
  constexpr std::array<double, 7> c{1.0 / 6, -1.0 / 30, 1.0 / 42, -1.0 / 30, 5.0 / 66, -691.0 / 2730, 7.0 / 6};
  const bool left = x < 0.5;
  const double right = left ? 1 - x : x;
  double sum = 1, product = right * right;
  for (int k = 1; k < 10; ++k) {
    const double square = (right + k) * (right + k);
    sum = fma(sum, square, product);
    product *= square;
  }
  const bool near = right < 10;
  const double w = 1 / (near ? right + 10 : right), z = w * w;
  const double positive = w + z * fma(w, poly(c, z), 0.5) + (near ? sum / product : 0);
  const double sine = sin_near(pi_times_rest(x));
  return left ? kPi<double> * kPi<double> / (sine * sine) - positive : positive;
}
LB_MATH float trigamma(float x) { return static_cast<float>(trigamma(static_cast<double>(x))); }

inline double polygamma(int64_t n, double x) {
  if (n == 0) return digamma(x);
  if (n == 1) return trigamma(x);
  const double m = static_cast<double>(n) + 1;
  return (n % 2 ? 1.0 : -1.0) * ::exp(lgamma(m)) * zeta(m, x);
}
inline float polygamma(int64_t n, float x) { return static_cast<float>(polygamma(n, static_cast<double>(x))); }

// u - log(1 + u), without cancellation near 0.
inline double log1p_defect(double u) {
  if (u > 1 || u < -0.5) return u - ::log1p(u);
  const double s = u / (2 + u), z = s * s;
  double sum = 0, power = z * s;
  for (int k = 3; k < 60; k += 2, power *= z) {
    const double term = power / k;
    sum += term;
    if (std::fabs(term) <= 1e-18 * std::fabs(u * s)) break;
  }
  return u * s - 2 * sum;
}

// x^a exp(-x) / Gamma(a + 1).
inline double gamma_density(double a, double x) {
  if (a < 10) return ::exp(a * ::log(x) - x - lgamma(a + 1));
  const double w = 1 / (a * a);
  const double stirling = (1.0 / 12 - w * (1.0 / 360 - w * (1.0 / 1260 - w / 1680))) / a;
  return ::exp(-a * log1p_defect((x - a) / a) - stirling) / std::sqrt(2 * kPi<double> * a);
}

// Sums end where terms fall below `precision`: 1e-17, or 1e-10 for floats.
inline double igamma_series(double a, double x, double precision) {
  double term = 1, sum = 1;
  for (double k = a + 1; term > precision * sum; k += 1) {
    term *= x / k;
    sum += term;
  }
  return gamma_density(a, x) * sum;
}

// The upper function for x > a by Legendre's continued fraction, evaluated as Lentz does.
inline double igammac_fraction(double a, double x, double precision) {
  double b = x + 1 - a, c = 1e300, d = 1 / b, h = d;
  for (double k = 1; k < 1e6; k += 1) {
    const double n = -k * (k - a);
    b += 2;
    d = 1 / (n * d + b);
    c = b + n / c;
    const double factor = c * d;
    h *= factor;
    if (std::fabs(factor - 1) <= 10 * precision) break;
  }
  return gamma_density(a, x) * a * h;
}

// The upper function for x <= 1.1 and small a: 1 - x^a / Gamma(1 + a) and the rest of the series, kept apart.
inline double igammac_series(double a, double x) {
  const double log_gamma = a < 1e-3
                               ? a * (-0.57721566490153286 +
                                      a * (0.82246703342411322 + a * (-0.40068563438653143 + a * 0.27058080842778454)))
                               : lgamma(1 + a);
  double power = 1, sum = 0;
  for (double k = 1; k < 60; k += 1) {
    power *= -x / k;
    const double term = power / (a + k);
    sum += term;
    if (std::fabs(term) <= 1e-18 * std::fabs(sum)) break;
  }
  const double t = a * ::log(x) - log_gamma;
  return -::expm1(t) - ::exp(t) * a * sum;
}

// Temme's uniform expansion for large a near x = a: the upper function, or the lower one.
inline double igamma_temme(double a, double x, bool upper) {
  constexpr std::array<double, 8> c0{-1.0 / 3,   1.0 / 12,        -2.0 / 135,  1.0 / 864,
                                     1.0 / 2835, -139.0 / 777600, 1.0 / 25515, -571.0 / 261273600};
  constexpr std::array<double, 5> c1{-1.0 / 540, -1.0 / 288, 1.0 / 378, -77.0 / 77760, 2.0576131687242798e-4};
  const double u = (x - a) / a, defect = log1p_defect(u);
  const double eta = std::copysign(std::sqrt(2 * defect), u);
  const double rest =
      ::exp(-a * defect) / std::sqrt(2 * kPi<double> * a) * (poly(c0, eta) + (poly(c1, eta) + 25.0 / 6048 / a) / a);
  const double t = eta * std::sqrt(a / 2);
  return upper ? 0.5 * ::erfc(t) + rest : 0.5 * ::erfc(-t) - rest;
}

inline bool temme_applies(double a, double x) { return a > 1e5 && std::fabs(x - a) < 0.1 * a; }

inline double igamma(double a, double x, double precision = 1e-17) {
  if (x < 0 || a < 0) return kNan<double>;
  if (a == 0) return x > 0 ? 1.0 : kNan<double>;
  if (x == 0) return 0.0;
  if (a == kInf<double>) return x == kInf<double> ? kNan<double> : 0.0;
  if (x == kInf<double>) return 1.0;
  if (a != a || x != x) return kNan<double>;
  if (temme_applies(a, x)) return igamma_temme(a, x, false);
  return x > a && x > 1 ? 1 - igammac_fraction(a, x, precision) : igamma_series(a, x, precision);
}

inline double igammac(double a, double x, double precision = 1e-17) {
  if (x < 0 || a < 0) return kNan<double>;
  if (a == 0) return x > 0 ? 0.0 : kNan<double>;
  if (x == 0) return 1.0;
  if (a == kInf<double>) return x == kInf<double> ? kNan<double> : 1.0;
  if (x == kInf<double>) return 0.0;
  if (a != a || x != x) return kNan<double>;
  if (temme_applies(a, x)) return igamma_temme(a, x, true);
  if (x <= 1.1 && a < 1) return igammac_series(a, x);
  return x > a && x > 1 ? igammac_fraction(a, x, precision) : 1 - igamma_series(a, x, precision);
}

inline float igamma(float a, float x) {
  return static_cast<float>(igamma(static_cast<double>(a), static_cast<double>(x), 1e-10));
}
inline float igammac(float a, float x) {
  return static_cast<float>(igammac(static_cast<double>(a), static_cast<double>(x), 1e-10));
}

}  // namespace math
}  // namespace LB_LEVEL
}  // namespace lumbre
