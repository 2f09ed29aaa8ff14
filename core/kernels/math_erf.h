// The error function, the normal distribution and activations made of them. Included by math.h.
#pragma once

#include "kernels/math.h"

namespace lumbre {
namespace LB_LEVEL {
namespace math {

// |x| < 1: x + x P(x^2). Beyond: 1 - exp(-Q(|x|)) with Q a fit of -log(erfc).
template <class T>
LB_MATH T erf(T x) {
  const T a = abs(x);
  const T near = fma(a, poly(kErf<T>, a * a), a);
  T q;
  if constexpr (sizeof(T) == 4) {
    const T c = a > T(4) ? T(4) : a;
    q = poly(kLogErfcF, c);
  } else {
    const T c = a > T(6) ? T(6) : a;
    q = poly(kLogErfcD, c - T(1));
  }
  const T far = T(1) - exp_normal(-q);
  const T y = copysign(a < T(1) ? near : far, x);
  return x == x ? y : x;
}

inline double erfc(double x) { return ::erfc(x); }
inline float erfc(float x) { return static_cast<float>(::erfc(static_cast<double>(x))); }

// exp(x^2) erfc(x); x >= 0 from a Chebyshev series in 4 / (4 + x).
inline double erfcx(double x) {
  if (x != x) return x;
  if (x < -26.7) return kInf<double>;
  const double u = 4 / (4 + std::fabs(x));
  const double y = chebyshev_sum(kErfcx, 2 * u - 1) * u;
  if (x >= 0) return y;
  // exp(x^2) with x^2 in two exact pieces.
  const double h = high_half(x), square = h * h;
  return 2 * ::exp(square) * ::exp((x - h) * (x + h)) - y;
}
inline float erfcx(float x) { return static_cast<float>(erfcx(static_cast<double>(x))); }

// Wichura, algorithm AS 241 (PPND16): the normal quantile of 1/2 + q, tail = the smaller of the two probabilities.
inline double normal_quantile(double q, double tail) {
  constexpr std::array<double, 8> a{3.3871328727963666080e0,  1.3314166789178437745e+2, 1.9715909503065514427e+3,
                                    1.3731693765509461125e+4, 4.5921953931549871457e+4, 6.7265770927008700853e+4,
                                    3.3430575583588128105e+4, 2.5090809287301226727e+3};
  constexpr std::array<double, 8> b{1.0,
                                    4.2313330701600911252e+1,
                                    6.8718700749205790830e+2,
                                    5.3941960214247511077e+3,
                                    2.1213794301586595867e+4,
                                    3.9307895800092710610e+4,
                                    2.8729085735721942674e+4,
                                    5.2264952788528545610e+3};
  constexpr std::array<double, 8> c{1.42343711074968357734e0,  4.63033784615654529590e0, 5.76949722146069140550e0,
                                    3.64784832476320460504e0,  1.27045825245236838258e0, 2.41780725177450611770e-1,
                                    2.27238449892691845833e-2, 7.74545014278341407640e-4};
  constexpr std::array<double, 8> d{1.0,
                                    2.05319162663775882187e0,
                                    1.67638483018380384940e0,
                                    6.89767334985100004550e-1,
                                    1.48103976427480074590e-1,
                                    1.51986665636164571966e-2,
                                    5.47593808499534494600e-4,
                                    1.05075007164441684324e-9};
  constexpr std::array<double, 8> e{6.65790464350110377720e0,  5.46378491116411436990e0,  1.78482653991729133580e0,
                                    2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3,
                                    2.71155556874348757815e-5, 2.01033439929228813265e-7};
  constexpr std::array<double, 8> f{1.0,
                                    5.99832206555887937690e-1,
                                    1.36929880922735805310e-1,
                                    1.48753612908506148525e-2,
                                    7.86869131145613259100e-4,
                                    1.84631831751005468180e-5,
                                    1.42151175831644588870e-7,
                                    2.04426310338993978564e-15};
  if (std::fabs(q) <= 0.425) {
    const double r = 0.180625 - q * q;
    return q * poly(a, r) / poly(b, r);
  }
  double r = std::sqrt(-::log(tail));
  double y;
  if (r <= 5) {
    r -= 1.6;
    y = poly(c, r) / poly(d, r);
  } else {
    r -= 5;
    y = poly(e, r) / poly(f, r);
  }
  return q < 0 ? -y : y;
}

inline double ndtri(double p) {
  if (p == 0) return -kInf<double>;
  if (p == 1) return kInf<double>;
  if (!(p > 0 && p < 1)) return kNan<double>;
  return normal_quantile(p - 0.5, p < 0.5 ? p : 1 - p);
}
inline float ndtri(float p) { return static_cast<float>(ndtri(static_cast<double>(p))); }

inline double erfinv(double x) {
  const double a = std::fabs(x);
  if (a == 1) return x * kInf<double>;
  if (!(a < 1)) return kNan<double>;
  return normal_quantile(x / 2, (1 - a) / 2) * kSqrtHalf<double>;
}
inline float erfinv(float x) { return static_cast<float>(erfinv(static_cast<double>(x))); }

template <class T>
inline T ndtr(T x) {
  return static_cast<T>(0.5 * ::erfc(-static_cast<double>(x) * kSqrtHalf<double>));
}

// log(erfcx(-t) / 2) - t^2 on the left, where ndtr underflows; t = x / sqrt(2).
inline double log_ndtr(double x) {
  const double t = x * kSqrtHalf<double>;
  if (x < -1) return ::log(erfcx(-t) / 2) - t * t;
  return ::log1p(-::erfc(t) / 2);
}
inline float log_ndtr(float x) { return static_cast<float>(log_ndtr(static_cast<double>(x))); }

// The normal distribution function for activations. In float its smaller side is 2^-L(|x|) with L a fit up to 5.6 and a
// steeper line beyond: half the work of erf, and right in the tail, where 1 + erf has lost its digits.
template <class T>
LB_MATH T normal_share(T x) {
  if constexpr (sizeof(T) == 4) {
    const T a = abs(x), c = a > T(5.6) ? T(5.6) : a;
    const T l = fma(a - c, T(12), poly_in_halves(kNormalTailF, c));
    const T tail = l < T(126) ? exp2_normal(-l) : T(0);
    return x > T(0) ? T(1) - tail : tail;
  } else {
    return T(0.5) * (T(1) + erf(x * kSqrtHalf<T>));
  }
}

template <class T>
LB_MATH T gelu(T x) {
  return x * normal_share(x);
}

template <class T>
LB_MATH T gelu_tanh(T x) {
  constexpr T beta = T(0.797884560802865355879892119868763737L), kappa = T(0.044715L);
  return T(0.5) * x * (T(1) + tanh(beta * (x + kappa * x * x * x)));
}

}  // namespace math
}  // namespace LB_LEVEL
}  // namespace lumbre
