// Exponentials and what is made of them. Included by math.h.
#pragma once

#include "kernels/math.h"

namespace lumbre {
namespace LB_LEVEL {
namespace math {

// 2^n for n = shifted - kRound within the normal exponents.
template <class T>
LB_MATH T power_of_two(T shifted) {
  return std::bit_cast<T>((bits_of(shifted) + BitsOf<T>(kBias<T>)) << kMantissa<T>);
}

// y 2^n, rounded once: n is applied in two halves so that subnormal results and 2^128 come out right.
template <class T>
LB_MATH T scale_by_power(T y, T n) {
  const T half = fma(n, T(0.5), kRound<T>);
  const T rest = (n - (half - kRound<T>)) + kRound<T>;
  return y * power_of_two(half) * power_of_two(rest);
}

// n = shifted - kRound and r with x = n ln2 + r + low, |r| <= ln2 / 2 (Cody and Waite; ln2's first part is short, so n
// times it is exact).
template <class T>
struct ExpReduced {
  T shifted, n, r, low;
};

template <class T>
LB_MATH ExpReduced<T> exp_reduce(T x) {
  constexpr T high = sizeof(T) == 4 ? T(0x1.63p-1) : T(0x1.62e42feep-1);
  constexpr T low = sizeof(T) == 4 ? T(-0x1.bd0106p-13) : T(0x1.a39ef35793c76p-33);
  const T shifted = fma(x, T(1.442695040888963407L), kRound<T>);
  const T n = shifted - kRound<T>;
  const T a = fma(n, -high, x);
  const T r = fma(n, -low, a);
  return {shifted, n, r, fma(n, -low, a - r)};
}

// exp(r + low). Chebyshev fit of (exp(r) - 1 - r) / r^2.
template <class T>
LB_MATH T exp_significand(ExpReduced<T> e) {
  return T(1) + (e.r + fma(e.r * e.r, poly(kExp<T>, e.r), e.low));
}

// exp(r), for those who can do with 0.8 units in the last place.
template <class T>
LB_MATH T exp_significand_fast(ExpReduced<T> e) {
  return T(1) + fma(e.r * e.r, poly(kExp<T>, e.r), e.r);
}

// y 2^n for y in [0.7, 1.5): n goes straight into y's exponent, less 64 of it if the result may be subnormal.
template <class T>
LB_MATH T scale_down(T y, T shifted, bool tiny) {
  const BitsOf<T> n = bits_of(shifted) + (tiny ? BitsOf<T>(64) : BitsOf<T>(0));
  return std::bit_cast<T>(bits_of(y) + (n << kMantissa<T>)) * (tiny ? T(0x1p-64) : T(1));
}

template <class T>
inline constexpr T kExpTop = sizeof(T) == 4 ? T(0x1.62e42ep+6) : T(0x1.62e42fefa39efp+9);  // the last finite result's
template <class T>
inline constexpr T kExpTiny = sizeof(T) == 4 ? T(-86) : T(-707);
template <class T>
inline constexpr T kExpZero = sizeof(T) == 4 ? T(-104) : T(-745.2);

template <class T>
LB_MATH T exp(T x) {
  const auto e = exp_reduce(x);
  T y = scale_down(exp_significand_fast(e), e.shifted, x < kExpTiny<T>);
  y = x > kExpTop<T> ? kInf<T> : y;
  return x < kExpZero<T> ? T(0) : y;
}

// exp for x >= -86 whose result is finite; nonsense otherwise.
template <class T>
LB_MATH T exp_normal(T x) {
  const auto e = exp_reduce(x);
  return std::bit_cast<T>(bits_of(exp_significand_fast(e)) + (bits_of(e.shifted) << kMantissa<T>));
}

// 2^(x - n) for n = shifted - kRound, the whole number next to x.
template <class T>
LB_MATH T exp2_significand(T x, T shifted) {
  const T r = x - (shifted - kRound<T>);
  return T(1) + fma(r * r, poly(kExp2<T>, r), r * kLn2<T>);
}

// 2^x for x whose result is normal; nonsense otherwise.
template <class T>
LB_MATH T exp2_normal(T x) {
  const T shifted = x + kRound<T>;
  return std::bit_cast<T>(bits_of(exp2_significand(x, shifted)) + (bits_of(shifted) << kMantissa<T>));
}

template <class T>
LB_MATH T exp2(T x) {
  constexpr T top = T(kBias<T> + 1), tiny = T(4 - kBias<T>), zero = T(-kBias<T> - kMantissa<T> - 1);
  const T shifted = x + kRound<T>;
  T y = scale_down(exp2_significand(x, shifted), shifted, x < tiny);
  y = x >= top ? kInf<T> : y;
  return x < zero ? T(0) : y;
}

// 2^n (r + r^2 q) + (2^n - 1), with 2^(n-1) in place of 2^n so that n = 128 does not overflow early.
template <class T>
LB_MATH T expm1(T x) {
  constexpr T top = sizeof(T) == 4 ? T(89) : T(710), bottom = sizeof(T) == 4 ? T(-40) : T(-80);
  T c = x > top ? top : x;
  c = c < bottom ? bottom : c;
  const auto e = exp_reduce(c);
  const T s = power_of_two((e.n - T(1)) + kRound<T>);
  const T tail = fma(e.r * e.r, poly(kExp<T>, e.r), e.low);
  // The larger of the two terms comes first: their sum's rounding error is then put back.
  const T a = s - T(0.5), b = s * e.r;
  const T sum = a + b;
  const T back = sum - a;
  const T error = (a - (sum - back)) + (b - back);
  return copysign(T(2) * (sum + (s * tail + error)), x);
}

// exp(a) / 2 and exp(-a) / 2 for a >= 0.
template <class T>
struct HalfExps {
  T grow, shrink;
};

template <class T>
LB_MATH HalfExps<T> half_exps(T a) {
  constexpr T top = sizeof(T) == 4 ? T(90) : T(711);
  const auto r = exp_reduce(a > top ? top : a);
  const T y = exp_significand(r);
  const T n = r.n > T(60) ? T(60) : r.n;
  return {scale_by_power(y * T(0.5), r.n), power_of_two((T(-1) - n) + kRound<T>) / y};
}

template <class T>
LB_MATH T sinh(T x) {
  const T a = abs(x);
  const T z = a * a;
  const T small = fma(a * z, poly(kSinh<T>, z), a);
  const auto e = half_exps(a);
  return copysign(a < T(1) ? small : e.grow - e.shrink, x);
}

template <class T>
LB_MATH T cosh(T x) {
  const auto e = half_exps(abs(x));
  return e.grow + e.shrink;
}

template <class T>
LB_MATH T tanh(T x) {
  const T a = abs(x);
  const T z = a * a;
  const T small = fma(a * z, poly(kTanh<T>, z), a);
  const T large = T(1) - T(2) / (exp_normal(T(2) * a) + T(1));
  const T y = a < T(0.625) ? small : large;
  return copysign(a > T(20) ? T(1) : y, x);
}

// e / (1 + e), e = exp(-|x|), or 1 less that: nothing overflows and the left tail keeps its relative precision.
template <class T>
LB_MATH T sigmoid(T x) {
  const T a = -abs(x);
  const auto reduced = exp_reduce(a);
  const T tail = scale_down(exp_significand_fast(reduced), reduced.shifted, a < kExpTiny<T>);
  const T e = a < kExpZero<T> ? T(0) : tail;
  const T s = T(1) + e, lost = e - (s - T(1));
  const T rough = e / s;
  // 1 - rough is 1 / s; times what s's rounding lost it corrects the quotient.
  const T y = fma(-rough, lost * (T(1) - rough), rough);
  return x >= T(0) ? T(1) - y : y;
}

template <class T>
LB_MATH T silu(T x) {
  return x / (T(1) + exp(-x));
}

}  // namespace math
}  // namespace LB_LEVEL
}  // namespace lumbre
