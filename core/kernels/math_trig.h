// Trigonometric functions and their inverses. Included by math.h.
//
// sin_near, cos_near and tan_near are branch-free and right for |x| < kTrigLimit<T>, which in_trig_range tells; sin,
// cos and tan are right everywhere, with a branch. A loop over memory calls map_trig, which looks at a block of
// elements and runs the branch-free function over it when it may.
#pragma once

#include "kernels/math.h"

namespace lumbre {
namespace LB_LEVEL {
namespace math {

// x = quadrant pi/2 + r + low; |r| <= pi/4. The quadrant's low two bits are what counts.
template <class T>
struct TrigReduced {
  T r, low;
  SignedOf<T> quadrant;
};

template <class T>
inline constexpr T kTrigLimit = sizeof(T) == 4 ? T(1e6) : T(1e6);

template <class T>
LB_MATH bool in_trig_range(T x) {
  return !(abs(x) >= kTrigLimit<T>);
}

// pi/2 in pieces of 33 bits (Cody and Waite, as in fdlibm): times 20 bits of quadrant they are exact.
inline constexpr double kHalfPi1 = 0x1.921fb544p+0, kHalfPi2 = 0x1.0b4611a6p-34, kHalfPi3 = 0x1.3198a2ep-69;
inline constexpr double kHalfPi3Tail = 0x1.b839a252049c1p-104;
inline constexpr double kTwoOverPiD = 0x1.45f306dc9c883p-1;

LB_MATH TrigReduced<float> trig_reduce(float x) {
  const double wide = x;
  const double shifted = fma(wide, kTwoOverPiD, kRound<double>);
  const double n = shifted - kRound<double>;
  const double r = fma(n, -(kHalfPi2 + kHalfPi3), fma(n, -kHalfPi1, wide));
  const float high = static_cast<float>(r);
  return {high, static_cast<float>(r - high), static_cast<int32_t>(bits_of(shifted))};
}

LB_MATH TrigReduced<double> trig_reduce(double x) {
  const double shifted = fma(x, kTwoOverPiD, kRound<double>);
  const double n = shifted - kRound<double>;
  const double a = x - n * kHalfPi1, b = n * kHalfPi2, c = n * kHalfPi3;
  const double r1 = a - b, b1 = a - r1;
  const double e1 = (a - (r1 + b1)) + (b1 - b);
  const double r2 = r1 - c, c1 = r1 - r2;
  const double e2 = (r1 - (r2 + c1)) + (c1 - c);
  const double e = (e1 + e2) - n * kHalfPi3Tail;
  const double r = r2 + e;
  return {r, (r2 - r) + e, static_cast<int64_t>(bits_of(shifted))};
}

// Payne and Hanek: the needed 192 bits of 2/pi times the significand give the quadrant and 128 bits of fraction.
inline TrigReduced<double> trig_reduce_huge(double x) {
  using Wide = unsigned __int128;
  const uint64_t bits = bits_of(x);
  const int exponent = static_cast<int>((bits >> 52) & 0x7ff) - kBias<double> - 52;
  const uint64_t m = (bits & ((uint64_t(1) << 52) - 1)) | (uint64_t(1) << 52);
  // The bits of 2/pi worth at least 4 after scaling by 2^exponent are skipped; the table begins with 64 zero bits.
  const int skip = exponent + 62;
  const auto word = [&](int from) {
    const auto i = static_cast<size_t>(from / 64);
    const int s = from % 64;
    return (kTwoOverPi[i] << s) | (s ? kTwoOverPi[i + 1] >> (64 - s) : 0);
  };
  const Wide low = Wide(m) * word(skip + 128), middle = Wide(m) * word(skip + 64);
  const Wide value = (Wide(m * word(skip)) << 64) + middle + (low >> 64);  // modulo 4, unit 2^-126
  const int quadrant = static_cast<int>(value >> 126);
  const auto fraction = static_cast<__int128>(value << 2);  // of a quadrant, in [-1/2, 1/2), unit 2^-128
  const double nearest = static_cast<double>(fraction);
  const double top = nearest >= 0x1p127 ? 0x1.fffffffffffffp126 : nearest;
  const double rest = static_cast<double>(fraction - static_cast<__int128>(top));
  constexpr double half_pi_low = 0x1.1a62633145c07p-54, half_pi = 0x1.921fb54442d18p+0;
  const double r = top * half_pi;
  const double error = std::fma(top, half_pi, -r) + (top * half_pi_low + rest * half_pi);
  const double sum = r + error;
  const double sign = x < 0 ? -1.0 : 1.0;
  const int rounded = quadrant + (fraction < 0 ? 1 : 0);
  return {sign * sum * 0x1p-128, sign * ((r - sum) + error) * 0x1p-128, x < 0 ? -rounded : rounded};
}

template <class T>
LB_MATH T sin_kernel(T r, T low) {
  const T z = r * r;
  return r + fma(r * z, poly(kSin<T>, z), low);
}

template <class T>
LB_MATH T cos_kernel(T r, T low) {
  const T z = r * r;
  const T half = T(0.5) * z;
  const T w = T(1) - half;
  return w + (((T(1) - w) - half) + fma(z * z, poly(kCos<T>, z), -(r * low)));
}

// sin of r + low in the quadrant.
template <class T>
LB_MATH T sin_in_quadrant(TrigReduced<T> t) {
  const T s = sin_kernel(t.r, t.low), c = cos_kernel(t.r, t.low);
  const T y = (t.quadrant & 1) ? c : s;
  const BitsOf<T> sign = static_cast<BitsOf<T>>(t.quadrant & 2) << (sizeof(T) * 8 - 2);
  return std::bit_cast<T>(bits_of(y) ^ sign);
}

// tan r = r + r^3 P(r^2); -1 / tan in odd quadrants.
template <class T>
LB_MATH T tan_in_quadrant(TrigReduced<T> t) {
  const T z = t.r * t.r;
  const T cubic = t.low * (T(1) + z) + t.r * z * poly(kTan<T>, z);
  const T y = t.r + cubic;
  const bool odd = (t.quadrant & 1) != 0;
  // What y's rounding lost corrects the quotient.
  const T lost = (t.r - y) + cubic;
  const T q = T(-1) / y;
  if constexpr (sizeof(T) == 4) {
    return odd ? q + q * (q * lost) : y;
  } else {
    const T qh = high_half(q), yh = high_half(y), yl = (y - yh) + lost;
    const T residue = (T(1) + qh * yh) + qh * yl;
    return odd ? qh + q * residue : y;
  }
}

template <class T>
LB_MATH T sin_near(T x) {
  const T y = sin_in_quadrant(trig_reduce(x));
  return x == T(0) ? x : y;
}

template <class T>
LB_MATH T cos_near(T x) {
  auto t = trig_reduce(x);
  t.quadrant += 1;
  return sin_in_quadrant(t);
}

template <class T>
LB_MATH T tan_near(T x) {
  const T y = tan_in_quadrant(trig_reduce(x));
  return x == T(0) ? x : y;
}

LB_MATH double sin_far(double x, int quadrants) {
  if (x - x != 0) return kNan<double>;
  auto t = trig_reduce_huge(x);
  t.quadrant += quadrants;
  return sin_in_quadrant(t);
}

struct SinNear {
  template <class T>
  LB_MATH static T near(T x) {
    return sin_near(x);
  }
  static double far(double x) { return sin_far(x, 0); }
};
struct CosNear {
  template <class T>
  LB_MATH static T near(T x) {
    return cos_near(x);
  }
  static double far(double x) { return sin_far(x, 1); }
};
struct TanNear {
  template <class T>
  LB_MATH static T near(T x) {
    return tan_near(x);
  }
  static double far(double x) { return x - x == 0 ? tan_in_quadrant(trig_reduce_huge(x)) : kNan<double>; }
};

template <class F, class T>
inline T trig(T x) {
  if (in_trig_range(x)) return F::near(x);
  return static_cast<T>(F::far(static_cast<double>(x)));
}

template <class T>
inline T sin(T x) {
  return trig<SinNear>(x);
}
template <class T>
inline T cos(T x) {
  return trig<CosNear>(x);
}
template <class T>
inline T tan(T x) {
  return trig<TanNear>(x);
}

// out[i] = F(in[i]) for F as SinNear is: near within the range, far beyond it. out may be in.
template <class F, class T>
void map_trig(T* out, const T* in, int64_t count) {
  constexpr int64_t block = 512;
  for (int64_t from = 0; from < count; from += block) {
    const int64_t to = count - from < block ? count : from + block;
    BitsOf<T> far = 0;
    for (int64_t i = from; i < to; ++i) far |= static_cast<BitsOf<T>>(in_trig_range(in[i]) ? 0 : 1);
    if (far) {
      for (int64_t i = from; i < to; ++i) out[i] = trig<F>(in[i]);
    } else {
#pragma GCC ivdep
      for (int64_t i = from; i < to; ++i) out[i] = F::near(in[i]);
    }
  }
}

template <class T>
inline constexpr T kHalfPi = T(1.570796326794896619231321691639751442L);
template <class T>
inline constexpr T kHalfPiLow = sizeof(T) == 4 ? T(-0x1.777a5cp-25) : T(0x1.1a62633145c07p-54);

// asin(s) for s = |x| or s = sqrt((1 - |x|) / 2), as s + (s^3 P(s^2) + c), c what the root's rounding lost.
template <class T>
struct ArcParts {
  T s, tail;
};

template <class T>
LB_MATH ArcParts<T> arc_parts(T a) {
  const bool near = a <= T(0.5);
  const T z = near ? a * a : T(0.5) - T(0.5) * a;
  const T root = sqrt(z);
#ifdef __FMA__
  if constexpr (sizeof(T) == 8) {
    // What the root lacks needs few digits: a division of floats will do.
    const T lost = fma(-root, root, z) * static_cast<T>(0.5f / (static_cast<float>(root) + 1e-30f));
    return {near ? a : root, (near ? T(0) : lost) + (near ? a : root) * z * poly(kAsin<T>, z)};
  }
#endif
  const T h = high_half(root), sum = root + h;
  const T lost = (z - h * h) / (sum == T(0) ? T(1) : sum);
  const T s = near ? a : h;
  return {s, (near ? T(0) : lost) + (near ? a : root) * z * poly(kAsin<T>, z)};
}

template <class T>
LB_MATH T asin(T x) {
  const T a = abs(x);
  const auto p = arc_parts(a);
  const T far = (kHalfPi<T> - T(2) * p.s) - (T(2) * p.tail - kHalfPiLow<T>);
  return copysign(a <= T(0.5) ? p.s + p.tail : far, x);
}

template <class T>
LB_MATH T acos(T x) {
  const auto p = arc_parts(abs(x));
  const bool negative = x < T(0);
  const T s = negative ? -p.s : p.s, tail = negative ? -p.tail : p.tail;
  const T near = kHalfPi<T> - (s - (kHalfPiLow<T> - tail));
  const T far = T(2) * s + ((negative ? T(2) * kHalfPiLow<T> : T(0)) + T(2) * tail);
  return abs(x) <= T(0.5) ? near : (negative ? T(2) * kHalfPi<T> + far : far);
}

// atan of t in [0, 1]: Chebyshev fit in t^2.
template <class T>
LB_MATH T atan_unit_tail(T t) {
  const T z = t * t;
  return t * z * poly(kAtan<T>, z);
}

template <class T>
LB_MATH T atan(T x) {
  const T a = abs(x);
  const bool far = a > T(1);
  const T t = (far ? T(1) : a) / (far ? a : T(1));
  const T tail = atan_unit_tail(t);
  const T y = far ? kHalfPi<T> - (t + (tail - kHalfPiLow<T>)) : t + tail;
  return copysign(y, x);
}

template <class T>
LB_MATH T atan2(T y, T x) {
  const T ax = abs(x), ay = abs(y);
  const bool steep = ay > ax;
  const T big = steep ? ay : ax, small = steep ? ax : ay;
  T t = small / (big == T(0) ? T(1) : big);
  t = small == kInf<T> ? T(1) : t;
  const T tail = atan_unit_tail(t);
  const bool back = (bits_of(x) & kSignBit<T>) != 0;
  // angle = base -+ (t + tail), base one of 0, pi/2, pi.
  const T base = steep ? kHalfPi<T> : (back ? T(2) * kHalfPi<T> : T(0));
  const T base_low = steep ? kHalfPiLow<T> : (back ? T(2) * kHalfPiLow<T> : T(0));
  const bool minus = steep != back;
  const T s = minus ? -t : t, st = minus ? -tail : tail;
  const T r = copysign(base + (s + (st + base_low)), y);
  return (x == x) & (y == y) ? r : x + y;
}

// sin(pi x) / (pi x).
template <class T>
inline T sinc(T x) {
  const T p = kPi<T> * x;
  return x == T(0) ? T(1) : sin(p) / p;
}

}  // namespace math
}  // namespace LB_LEVEL
}  // namespace lumbre
