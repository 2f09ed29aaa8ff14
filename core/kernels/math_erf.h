// The error function, the normal distribution and activations made of them. Included by math.h.
#pragma once

#include "kernels/math.h"

namespace lumbre {
namespace LB_LEVEL {
namespace math {

// Near 0: x + x P(x^2). Beyond: 1 - erfc, of whose logarithm (float) or eighth root (double) there is a fit.
template <class T>
LB_MATH T erf(T x) {
  const T a = abs(x);
  const T near = fma(a, poly(kErf<T>, a * a), a);
  T rest;
  if constexpr (sizeof(T) == 4) {
    rest = exp_normal(-poly(kLogErfcF, a > T(4) ? T(4) : a));
  } else {
    const T root = poly_in_halves(kErfcRootD, (a > T(6) ? T(6) : a) - T(3.5));
    const T square = root * root, fourth = square * square;
    rest = fourth * fourth;
  }
  const T far = T(1) - rest;
  const T y = copysign(a < (sizeof(T) == 4 ? T(1) : T(1.18)) ? near : far, x);
  return x == x ? y : x;
}

// exp(x^2) erfc(x) for x >= 0.
template <class T>
LB_MATH T erfcx_positive(T x) {
  const T u = T(3) / (T(3) + x);
  return poly_in_halves(kErfcx<T>, fma(u, T(2), T(-1))) * u;
}

// What rounding took from x * x: an error in an exponent is one of the result.
template <class T>
LB_MATH T square_error(T x, T square) {
#ifdef __FMA__
  return fma(x, x, -square);
#else
  const T h = high_half(x), l = x - h;
  return ((h * h - square) + T(2) * h * l) + l * l;
#endif
}

// exp(-(x + low)) for x >= 0 and a low below its last place.
template <class T>
LB_MATH T exp_minus(T x, T low) {
  const auto e = exp_reduce(-x);
  const T y = exp_significand_fast(e);
  const T scaled = scale_down(fma(-low, y, y), e.shifted, -x < kExpTiny<T>);
  return -x < kExpZero<T> ? T(0) : scaled;
}

template <class T>
LB_MATH T erfc(T x) {
  const T a = abs(x), square = a * a;
  const T y = exp_minus(square, square_error(a, square)) * erfcx_positive(a);
  return x < T(0) ? T(2) - y : y;
}

template <class T>
LB_MATH T erfcx(T x) {
  const T a = abs(x), square = a * a;
  const T grow = exp(square), error = square_error(a, square);
  const T mirrored = T(2) * (grow < kInf<T> ? fma(grow, error, grow) : grow);
  const T y = erfcx_positive(a);
  return x < T(0) ? mirrored - y : y;
}

// Wichura, algorithm AS 241 (PPND16): the normal quantile of 1/2 + q, tail = the smaller of the two probabilities.
LB_MATH double normal_quantile(double q, double tail) {
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
  const double size = abs(q), root = sqrt(-log(tail));
  const bool near = size <= 0.425, far = root > 5;
  const double r = near ? 0.180625 - q * q : far ? root - 5 : root - 1.6;
  const double above = near ? size * poly(a, r) : far ? poly(e, r) : poly(c, r);
  const double below = near ? poly(b, r) : far ? poly(f, r) : poly(d, r);
  return copysign(above / below, q);
}

LB_MATH double ndtri(double p) {
  double y = normal_quantile(p - 0.5, p < 0.5 ? p : 1 - p);
  y = p == 0 ? -kInf<double> : y;
  y = p == 1 ? kInf<double> : y;
  return (p >= 0) & (p <= 1) ? y : kNan<double>;
}
LB_MATH float ndtri(float p) { return static_cast<float>(ndtri(static_cast<double>(p))); }

// -log(1 - a^2) for a < 1.
template <class T>
LB_MATH T minus_log_rest(T a) {
  return -log_sum(log_reduce_normal((T(1) - a) * (T(1) + a), T(0)), T(0));
}

// Float: fits in w = -log(1 - x^2) and its root (as Giles does, 2010).
template <class T>
LB_MATH T erfinv(T x) {
  const T a = abs(x);
  T y;
  if constexpr (sizeof(T) == 4) {
    const T w = minus_log_rest(a);
    y = x * (w < T(5) ? poly_in_halves(kErfInvNear, w - T(2.5)) : poly_in_halves(kErfInvFar, sqrt(w) - T(3)));
  } else {
    y = normal_quantile(x / 2, (1 - a) / 2) * kSqrtHalf<T>;
  }
  y = a == T(1) ? x * kInf<T> : y;
  return a <= T(1) ? y : kNan<T>;
}

// out = erfinv(in). Of doubles up to this bound one fit will do, so that the few beyond it are mended afterwards.
inline constexpr double kErfInvBound = 0.999;  // where w = 6.2
inline void map_erfinv(double* out, const double* in, int64_t count) {
  constexpr int64_t kBlock = 256;
  for (int64_t from = 0; from < count; from += kBlock) {
    const int64_t some = count - from < kBlock ? count - from : kBlock;
    double x[kBlock];
    int64_t far = 0;
    for (int64_t i = 0; i < some; ++i) {
      x[i] = in[from + i];
      far += abs(x[i]) < kErfInvBound ? 0 : 1;
    }
#pragma GCC ivdep
    for (int64_t i = 0; i < some; ++i)
      out[from + i] = x[i] * poly_in_halves(kErfInvNearD, minus_log_rest(abs(x[i])) - 3.125);
    for (int64_t i = 0; far > 0 && i < some; ++i)
      if (!(abs(x[i]) < kErfInvBound)) out[from + i] = erfinv(x[i]);
  }
}
inline void map_erfinv(float* out, const float* in, int64_t count) {
#pragma GCC ivdep
  for (int64_t i = 0; i < count; ++i) out[i] = erfinv(in[i]);
}

// The normal distribution's smaller side, without the factor exp(-x^2 / 2).
template <class T>
LB_MATH T scaled_tail(T x) {
  return T(0.5) * erfcx_positive(abs(x) * kSqrtHalf<T>);
}

template <class T>
LB_MATH T normal_tail(T x) {
  const T square = x * x;
  return exp_minus(T(0.5) * square, T(0.5) * square_error(x, square)) * scaled_tail(x);
}

template <class T>
LB_MATH T ndtr(T x) {
  const T tail = normal_tail(x);
  return x > T(0) ? T(1) - tail : tail;
}

// On the left, where ndtr underflows, the logarithms of its factors.
template <class T>
LB_MATH T log_ndtr(T x) {
  const T tail = normal_tail(x);
  const T left = fma(x * T(-0.5), x, log(scaled_tail(x)));
  return x < T(-1) ? left : log1p(x < T(0) ? tail - T(1) : -tail);
}

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
