// Logarithms and what is made of them. Included by math.h.
#pragma once

#include "kernels/math.h"

namespace lumbre {
namespace LB_LEVEL {
namespace math {

// x = 2^e (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)); any finite x > 0, subnormals included.
template <class T>
struct LogReduced {
  T e, f;
};

template <class T>
LB_MATH LogReduced<T> log_reduce_normal(T x, T extra) {
  constexpr BitsOf<T> sqrt_half = sizeof(T) == 4 ? BitsOf<T>(0x3f3504f3u) : BitsOf<T>(0x3fe6a09e667f3bcdull);
  constexpr BitsOf<T> significand = (BitsOf<T>(1) << kMantissa<T>)-1;
  // The bias keeps the shifted exponent positive: 64-bit arithmetic shifts do not exist before AVX-512.
  const BitsOf<T> bits = bits_of(x) - sqrt_half;
  const BitsOf<T> biased = (bits + (BitsOf<T>(kBias<T>) << kMantissa<T>)) >> kMantissa<T>;
  const T e = std::bit_cast<T>(biased + bits_of(kRound<T>)) - (kRound<T> + T(kBias<T>));
  const T m = std::bit_cast<T>((bits & significand) + sqrt_half);
  return {e + extra, m - T(1)};
}

template <class T>
LB_MATH LogReduced<T> log_reduce(T x) {
  constexpr T up = sizeof(T) == 4 ? T(0x1p32) : T(0x1p64), by = sizeof(T) == 4 ? T(-32) : T(-64);
  const bool tiny = x < std::numeric_limits<T>::min();
  return log_reduce_normal(tiny ? x * up : x, tiny ? by : T(0));
}

// The common special values of the logarithms.
template <class T>
LB_MATH T log_special(T x, T y) {
  T r = x == kInf<T> ? x : y;
  r = x == T(0) ? -kInf<T> : r;
  return x >= T(0) ? r : kNan<T>;
}

// log(1 + f) - f + f^2 / 2. Float: Chebyshev fit. Double: atanh series in s = f / (2 + f) (as in FreeBSD's msun).
template <class T>
LB_MATH T log_tail(T f) {
  if constexpr (sizeof(T) == 4) {
    return f * f * f * poly(kLog<T>, f);
  } else {
    const T s = f / (T(2) + f), z = s * s;
    return s * (T(0.5) * f * f + z * poly(kLogAtanh, z));
  }
}

template <class T>
inline constexpr T kLn2High = sizeof(T) == 4 ? T(0x1.63p-1) : T(0x1.62e42feep-1);
template <class T>
inline constexpr T kLn2Low = sizeof(T) == 4 ? T(-0x1.bd0106p-13) : T(0x1.a39ef35793c76p-33);

// e ln2 + log(1 + f) + c.
template <class T>
LB_MATH T log_sum(LogReduced<T> r, T c) {
  const T tail = fma(r.f * r.f, T(-0.5), log_tail(r.f)) + c;
  return fma(r.e, kLn2High<T>, r.f + fma(r.e, kLn2Low<T>, tail));
}

template <class T>
LB_MATH T log(T x) {
  return log_special(x, log_sum(log_reduce(x), T(0)));
}

// log(1 + f) as high + low, high with a short significand, so that products with short constants are exact.
template <class T>
struct LogParts {
  T high, low;
};

template <class T>
LB_MATH LogParts<T> log_parts(T f) {
  const T half_square = T(0.5) * f * f;
  const T high = high_half(f - half_square);
  return {high, ((f - high) - half_square) + log_tail(f)};
}

// Float: fits whose leading term is taken in two exact pieces. Double: high and low parts times 1/ln2.
template <class T>
LB_MATH T log2(T x) {
  const auto r = log_reduce(x);
  if constexpr (sizeof(T) == 4) {
    const T tail = r.f * r.f * poly(kLog2<T>, r.f);
    return log_special(x, r.e + (r.f + fma(r.f, T(0.442695040888963407), tail)));
  } else {
    constexpr T high = T(0x1.715476p+0), low = T(1.442695040888963407359924681001892137L - 0x1.715476p+0L);
    const auto p = log_parts(r.f);
    const T a = p.high * high;
    const T b = (p.low + p.high) * low + p.low * high;
    const T sum = r.e + a;
    return log_special(x, sum + (b + ((r.e - sum) + a)));
  }
}

template <class T>
LB_MATH T log10(T x) {
  const auto r = log_reduce(x);
  if constexpr (sizeof(T) == 4) {
    constexpr T high = T(0x1.34p-2), low = T(0.301029995663981195213738894724493027L - 0x1.34p-2L);
    const T tail = r.f * r.f * poly(kLog10<T>, r.f) + r.e * low;
    return log_special(x, r.e * high + (T(0.5) * r.f + fma(r.f, T(-0.065705518096748172349L), tail)));
  } else {
    constexpr long double inverse = 0.434294481903251827651128918916605082L;
    constexpr long double two = 0.301029995663981195213738894724493027L;
    constexpr T high = T(0x1.bcb7b15p-2), low = T(inverse - 0x1.bcb7b15p-2L);
    constexpr T two_high = T(0x1.34413509f78p-2), two_low = T(two - 0x1.34413509f78p-2L);
    const auto p = log_parts(r.f);
    const T a = p.high * high;
    const T b = r.e * two_low + ((p.low + p.high) * low + p.low * high);
    const T c = r.e * two_high;
    const T sum = c + a;
    return log_special(x, sum + (b + ((c - sum) + a)));
  }
}

// log(u) + (1 + x - u) / u for u = 1 + x rounded: the second term is what the rounding lost.
template <class T>
LB_MATH T log1p(T x) {
  const T u = T(1) + x;
  const T back = u - T(1);
  const T lost = (T(1) - (u - back)) + (x - back);
  T y = log_sum(log_reduce_normal(u, T(0)), lost / u);
  y = x == kInf<T> ? x : y;
  y = x == T(-1) ? -kInf<T> : y;
  y = x >= T(-1) ? y : kNan<T>;
  return x == x ? copysign(y, x) : x;
}

// The float versions of the next three go through double, where plain formulas are accurate enough.
LB_MATH double asinh(double x) {
  const double a = abs(x);
  const bool huge = a > 0x1p60;
  const double b = huge ? 1.0 : a;
  const double near = b + b * b / (1 + sqrt(b * b + 1));
  // One logarithm serves both: log(2a) = log1p(a) + ln2 where 1 is below a's precision.
  const double y = log1p(huge ? a : near) + (huge ? kLn2<double> : 0.0);
  return copysign(y, x);
}

LB_MATH double acosh(double x) {
  const bool huge = x > 0x1p60;
  const double t = huge ? 1.0 : x - 1;
  const double y = log1p(huge ? x : t + sqrt(t * (t + 2))) + (huge ? kLn2<double> : 0.0);
  return x >= 1 ? y : kNan<double>;
}

LB_MATH double atanh(double x) {
  const double a = abs(x);
  return copysign(0.5 * log1p(2 * a / (1 - a)), x) + (a > 1 ? kNan<double> : 0.0 * x);
}

LB_MATH float asinh(float x) { return static_cast<float>(asinh(static_cast<double>(x))); }
LB_MATH float acosh(float x) { return static_cast<float>(acosh(static_cast<double>(x))); }
LB_MATH float atanh(float x) { return static_cast<float>(atanh(static_cast<double>(x))); }

// |x|^y in double to about 2^-33: log2 from a Chebyshev fit, then 2^t likewise; then the signs and cases of C99.
LB_MATH float pow(float x, float y) {
  const double a = abs(static_cast<double>(x)), w = y;
  const auto r = log_reduce_normal(a, 0.0);
  double t = w * fma(r.f, poly(kLog2Pow, r.f), r.e);
  t = t > 200 ? 200 : t;
  t = t < -200 ? -200 : t;
  const double shifted = t + kRound<double>;
  float m = static_cast<float>(poly(kExp2Pow, t - (shifted - kRound<double>)) * power_of_two(shifted));
  const bool to_zero = (x == 0.0f) == (y > 0.0f);
  m = (x == 0.0f) | (abs(x) == kInf<float>) ? (to_zero ? 0.0f : kInf<float>) : m;
  // |y| = inf with |x| = 1 gives 1; otherwise t is already +-200 there.
  m = (abs(x) == 1.0f) ? 1.0f : m;
  const float half = 0.5f * y;
  const bool integer = __builtin_floorf(y) == y;
  const bool odd = integer & (__builtin_floorf(half) != half);
  const uint32_t sign = odd ? bits_of(x) & kSignBit<float> : 0u;
  m = std::bit_cast<float>(bits_of(m) | sign);
  m = (x < 0.0f) & !integer & (abs(x) != kInf<float>) ? kNan<float> : m;
  m = (x != x) | (y != y) ? x + y : m;
  return (y == 0.0f) | (x == 1.0f) ? 1.0f : m;
}

#ifdef __FMA__
// log2 |x| in two parts, to 2^-64: (log2(1+f)) / s for s = f / (2+f) is a series in s^2 whose first two terms, and what
// each product and sum loses, are kept in two parts.
struct Log2Pair {
  double high, low;
};
LB_MATH Log2Pair log2_pair(double a) {
  const auto r = log_reduce(a);
  const double below = 2 + r.f, below_low = r.f - (below - 2), inverse = 1 / below;
  const double s = r.f * inverse, s_low = fma(-s, below_low, fma(-s, below, r.f)) * inverse;
  const double z = s * s, z_low = fma(s, s, -z) + 2 * s * s_low;
  const double tail = z * poly(kPowTail, z);
  const double c = kPowSecond[0] + tail, c_low = ((kPowSecond[0] - c) + tail) + kPowSecond[1];
  const double p = z * c, p_low = fma(z, c, -p) + fma(z, c_low, z_low * c);
  const double b = kPowFirst[0] + p, b_low = ((kPowFirst[0] - b) + p) + (p_low + kPowFirst[1]);
  const double l = s * b, l_low = fma(s, b, -l) + fma(s, b_low, s_low * b);
  const double high = r.e + l;
  return {high, ((r.e - high) + l) + l_low};
}

// |x|^y without the cases of C99.
LB_MATH double pow_magnitude(double a, double y) {
  const auto logarithm = log2_pair(a);
  double t = y * logarithm.high;
  const double low = fma(y, logarithm.high, -t) + y * logarithm.low;
  const bool within = abs(t) < 1100;
  t = within ? t : copysign(1100.0, t);
  const double n = (t + kRound<double>)-kRound<double>;
  const double r = t - n, rest = (within ? low : 0.0) * kLn2<double>, tail = r * r * poly(kExp2<double>, r);
  const double raised = fma(rest, 1 + fma(r, kLn2<double>, tail), tail);
  return scale_by_power(1 + fma(r, kLn2<double>, raised), n);
}

LB_MATH double pow(double x, double y) {
  const double a = abs(x);
  double m = pow_magnitude(a, y);
  const bool to_zero = (a == 0) == (y > 0);
  m = (a == 0) | (a == kInf<double>) ? (to_zero ? 0.0 : kInf<double>) : m;
  m = abs(y) == kInf<double> ? ((a < 1) == (y > 0) ? 0.0 : kInf<double>) : m;
  m = a == 1 ? 1.0 : m;
  const double half = 0.5 * y;
  const bool integer = __builtin_floor(y) == y;
  const bool odd = integer & (__builtin_floor(half) != half);
  const uint64_t sign = odd ? bits_of(x) & kSignBit<double> : 0u;
  m = std::bit_cast<double>(bits_of(m) | sign);
  m = (x < 0) & !integer & (a != kInf<double>) ? kNan<double> : m;
  m = (x != x) | (y != y) ? x + y : m;
  return (y == 0) | (x == 1) ? 1.0 : m;
}
#else
inline double pow(double x, double y) { return ::pow(x, y); }  // two parts want products without a rounding
#endif

template <class T>
LB_MATH T hypot(T x, T y) {
  if constexpr (sizeof(T) == 4) {
    const double a = x, b = y;
    const T r = static_cast<T>(sqrt(a * a + b * b));
    return (abs(x) == kInf<T>) | (abs(y) == kInf<T>) ? kInf<T> : r;
  } else {
#ifdef __FMA__
    // Scaled by a power of two where a square would leave the range, then one correction of the root (Borges 2019).
    const T top = abs(x) > abs(y) ? abs(x) : abs(y), low = abs(x) > abs(y) ? abs(y) : abs(x);
    const T up = top > T(0x1p500) ? T(0x1p-600) : (top < T(0x1p-400) ? T(0x1p600) : T(1));
    const T a = top * up, b = low * up;
    const T h = sqrt(fma(a, a, b * b)), squared = h * h, large = a * a;
    const T excess = fma(-b, b, squared - large) + fma(h, h, -squared) - fma(a, a, -large);
    const T root = h - excess / (T(2) * h);
    const T r = (h > T(0) ? root : h) / up;
    return (abs(x) == kInf<T>) | (abs(y) == kInf<T>) ? kInf<T> : (x != x) | (y != y) ? x + y : r;
#else
    return ::hypot(x, y);  // the correction is as good as the products that it subtracts
#endif
  }
}

template <class T>
LB_MATH T logit(T x) {
  return log(x / (T(1) - x));
}

// PyTorch's logit with eps: x is clamped into [eps, 1 - eps] first.
template <class T>
LB_MATH T logit(T x, T eps) {
  const T high = T(1) - eps;
  T c = x < eps ? eps : x;
  c = c > high ? high : c;
  return log(c / (T(1) - c));
}

template <class T>
LB_MATH T entr(T x) {
  const T y = x > T(0) ? -x * log(x) : (x == T(0) ? T(0) : -kInf<T>);
  return x == x ? y : x;
}

template <class T>
LB_MATH T xlogy(T x, T y) {
  const T r = x == T(0) ? T(0) : x * log(y);
  return y == y ? r : y;
}

template <class T>
LB_MATH T xlog1py(T x, T y) {
  const T r = x == T(0) ? T(0) : x * log1p(y);
  return y == y ? r : y;
}

// log(exp(a) + exp(b)) = max + log1p(exp(-|a - b|)); two equal infinities give that infinity.
template <class T>
LB_MATH T logaddexp(T a, T b) {
  const T m = a > b ? a : b;
  const T r = m + log1p(exp(-abs(a - b)));
  return (a == b) & (abs(a) == kInf<T>) ? a : ((a == a) & (b == b) ? r : a + b);
}

template <class T>
LB_MATH T logaddexp2(T a, T b) {
  const T m = a > b ? a : b;
  const T r = m + log1p(exp2(-abs(a - b))) * T(1.442695040888963407L);
  return (a == b) & (abs(a) == kInf<T>) ? a : ((a == a) & (b == b) ? r : a + b);
}

// log(1 + exp(x)), without overflow.
template <class T>
LB_MATH T log1pexp(T x) {
  return (x > T(0) ? x : T(0)) + log1p(exp(-abs(x)));
}

template <class T>
LB_MATH T softplus(T x, T beta, T threshold) {
  const T scaled = x * beta;
  return scaled > threshold ? x : log1p(exp(scaled)) / beta;
}

template <class T>
LB_MATH T log_sigmoid(T x) {
  return (x < T(0) ? x : T(0)) - log1p(exp(-abs(x)));
}

template <class T>
LB_MATH T mish(T x) {
  // tanh(log(1 + e)) = n / (n + 2) with n = e (e + 2); 1 to the last bit beyond the bound.
  constexpr T bound = sizeof(T) == 4 ? T(20) : T(40);
  const T e = exp(x < bound ? x : bound), n = e * (e + T(2));
  return x * (n / (n + T(2)));
}

}  // namespace math
}  // namespace LB_LEVEL
}  // namespace lumbre
