// Elementary and special functions on one float or double, written so that a plain loop over them becomes vector code:
// no branches, no tables, no library calls, in the first families (exp, log, trigonometric, erf). The others are
// scalar.
//
// sin, cos and tan need a long argument reduction when |x| is huge: see map_trig in math_trig.h.
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "base/level.h"

#define LB_MATH [[gnu::always_inline]] inline

namespace lumbre {
namespace LB_LEVEL {
namespace math {

template <class T>
using BitsOf = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
template <class T>
using SignedOf = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;

template <class T>
inline constexpr T kInf = std::numeric_limits<T>::infinity();
template <class T>
inline constexpr T kNan = std::numeric_limits<T>::quiet_NaN();
template <class T>
inline constexpr int kMantissa = sizeof(T) == 4 ? 23 : 52;
template <class T>
inline constexpr int kBias = sizeof(T) == 4 ? 127 : 1023;
// Adding this rounds to an integer and leaves it in the low bits of the sum.
template <class T>
inline constexpr T kRound = sizeof(T) == 4 ? T(0x1.8p23) : T(0x1.8p52);
template <class T>
inline constexpr BitsOf<T> kSignBit = BitsOf<T>(1) << (sizeof(T) * 8 - 1);
template <class T>
inline constexpr T kPi = T(3.141592653589793238462643383279502884L);
template <class T>
inline constexpr T kLn2 = T(0.693147180559945309417232121458176568L);
template <class T>
inline constexpr T kSqrtHalf = T(0.707106781186547524400844362104849039L);

template <class T>
LB_MATH BitsOf<T> bits_of(T x) {
  return std::bit_cast<BitsOf<T>>(x);
}

// One rounding where the processor has the instruction, two elsewhere: the error budgets hold for both.
template <class T>
LB_MATH T fma(T a, T b, T c) {
#ifdef __FMA__
  if constexpr (sizeof(T) == 4)
    return __builtin_fmaf(a, b, c);
  else
    return __builtin_fma(a, b, c);
#else
  return a * b + c;
#endif
}

template <class T>
LB_MATH T abs(T x) {
  return std::bit_cast<T>(bits_of(x) & ~kSignBit<T>);
}

template <class T>
LB_MATH T copysign(T magnitude, T sign) {
  return std::bit_cast<T>((bits_of(magnitude) & ~kSignBit<T>) | (bits_of(sign) & kSignBit<T>));
}

template <class T>
LB_MATH T sqrt(T x) {
  if constexpr (sizeof(T) == 4)
    return __builtin_sqrtf(x);
  else
    return __builtin_sqrt(x);
}

template <class T>
LB_MATH T rsqrt(T x) {
  return T(1) / sqrt(x);
}

// Drops the low half of the significand, so that squares and products with short constants are exact.
template <class T>
LB_MATH T high_half(T x) {
  constexpr BitsOf<T> mask = sizeof(T) == 4 ? BitsOf<T>(0xfffff000u) : BitsOf<T>(0xffffffff00000000ull);
  return std::bit_cast<T>(bits_of(x) & mask);
}

// c[I] + c[I+1] x + ...; unrolled at compile time.
template <size_t I = 0, class T, size_t N>
LB_MATH T poly(const std::array<T, N>& c, T x) {
  if constexpr (I + 1 == N)
    return c[I];
  else
    return fma(poly<I + 1>(c, x), x, c[I]);
}

// The same by two chains of half the length, which wait less: the even powers, and the odd ones.
template <size_t I, class T, size_t N>
LB_MATH T poly_every_other(const std::array<T, N>& c, T square) {
  if constexpr (I + 2 >= N)
    return c[I];
  else
    return fma(poly_every_other<I + 2>(c, square), square, c[I]);
}
template <class T, size_t N>
LB_MATH T poly_in_halves(const std::array<T, N>& c, T x) {
  const T square = x * x;
  return fma(poly_every_other<1>(c, square), x, poly_every_other<0>(c, square));
}

// A Chebyshev series at u in [-1, 1], by Clenshaw's recurrence.
template <size_t N>
inline double chebyshev_sum(const std::array<double, N>& c, double u) {
  double b1 = 0, b2 = 0;
  for (size_t k = N - 1; k > 0; --k) {
    const double b0 = 2 * u * b1 - b2 + c[k];
    b2 = b1;
    b1 = b0;
  }
  return u * b1 - b2 + c[0];
}

}  // namespace math
}  // namespace LB_LEVEL
}  // namespace lumbre

#include "kernels/math_coefficients.h"
#include "kernels/math_exp.h"
#include "kernels/math_log.h"
#include "kernels/math_trig.h"
#include "kernels/math_erf.h"
#include "kernels/math_gamma.h"
#include "kernels/math_bessel.h"
#include "kernels/math_polynomials.h"
