// Trigonometric functions and their inverses.
#include "kernels/math.h"
#include "ops/pointwise.h"

namespace lumbre {
namespace LB_LEVEL {

#define LB_FLOATING_FUNCTOR(F, expression) \
  struct F : Floats {                      \
    template <class T>                     \
    T operator()(T x) const {              \
      return expression;                   \
    }                                      \
  }

#ifdef __FMA__
// pi/2 in three numbers. For |x| < kClose each product with the whole number n is taken off by one fused operation: the
// first is exact, and the others round relative to what is left.
constexpr double kClose = 1000;
template <class T>
constexpr T kHalfPi1 = sizeof(T) == 4 ? T(0x1.921fb6p+0) : T(0x1.921fb54442d18p+0);
template <class T>
constexpr T kHalfPi2 = sizeof(T) == 4 ? T(-0x1.777a5cp-25) : T(0x1.1a62633145c07p-54);
template <class T>
constexpr T kHalfPi3 = sizeof(T) == 4 ? T(-0x1.ee59dap-50) : T(-0x1.f1976b7ed8fbcp-110);

template <class F, class T>
void map_close(T* out, const T* in, int64_t count) {
#pragma GCC ivdep
  for (int64_t i = 0; i < count; ++i) {
    const T x = in[i], shifted = math::fma(x, T(math::kTwoOverPiD), math::kRound<T>), n = shifted - math::kRound<T>;
    const T r = math::fma(n, -kHalfPi3<T>, math::fma(n, -kHalfPi2<T>, math::fma(n, -kHalfPi1<T>, x)));
    const T y = F::reduced(math::TrigReduced<T>{r, 0, static_cast<math::SignedOf<T>>(math::bits_of(shifted))});
    out[i] = F::kOdd && x == 0 ? x : y;
  }
}
#endif

struct SinWave : math::SinNear {
  static constexpr bool kOdd = true;
  template <class T>
  LB_MATH static T reduced(math::TrigReduced<T> t) {
    return math::sin_in_quadrant(t);
  }
};
struct CosWave : math::CosNear {
  static constexpr bool kOdd = false;
  template <class T>
  LB_MATH static T reduced(math::TrigReduced<T> t) {
    ++t.quadrant;
    return math::sin_in_quadrant(t);
  }
};
struct TanWave : math::TanNear {
  static constexpr bool kOdd = true;
  template <class T>
  LB_MATH static T reduced(math::TrigReduced<T> t) {
    return math::tan_in_quadrant(t);
  }
};

// Where a block of elements is near 0 their reduction is short.
template <class F, class T>
void map_wave(T* out, const T* in, int64_t count) {
#ifdef __FMA__
  constexpr int64_t kBlock = 512;
  for (int64_t from = 0; from < count; from += kBlock) {
    const int64_t some = count - from < kBlock ? count - from : kBlock;
    math::SignedOf<T> far = 0;
    for (int64_t i = from; i < from + some; ++i) far |= math::abs(in[i]) < T(kClose) ? 0 : 1;
    if (far)
      math::map_trig<F>(out + from, in + from, some);
    else
      map_close<F>(out + from, in + from, some);
  }
#else
  math::map_trig<F>(out, in, count);
#endif
}

struct Sin : Floats {
  template <class T>
  T operator()(T x) const {
    return math::sin(x);
  }
  template <class T>
  static void map(T* out, const T* in, int64_t count) {
    map_wave<SinWave>(out, in, count);
  }
};
LB_LOOPS(Sin, .name = "sin", .promotion = Promotion::Floating);
LB_UNARY("sin", Sin, LB_GRADIENT("SinBackward0", "0:0", g* call<"cos">(b.input(0))),
         R"(The sine of each element, in radians.

>>> torch.sin(torch.tensor([0., 1.]))
tensor([0.0000, 0.8415]))");

struct Cos : Floats {
  template <class T>
  T operator()(T x) const {
    return math::cos(x);
  }
  template <class T>
  static void map(T* out, const T* in, int64_t count) {
    map_wave<CosWave>(out, in, count);
  }
};
LB_LOOPS(Cos, .name = "cos", .promotion = Promotion::Floating);
LB_UNARY("cos", Cos, LB_GRADIENT("CosBackward0", "0:0", g * -call<"sin">(b.input(0))),
         R"(The cosine of each element, in radians.

>>> torch.cos(torch.tensor([0., 1.]))
tensor([1.0000, 0.5403]))");

struct Tan : Floats {
  template <class T>
  T operator()(T x) const {
    return math::tan(x);
  }
  template <class T>
  static void map(T* out, const T* in, int64_t count) {
    map_wave<TanWave>(out, in, count);
  }
};
LB_LOOPS(Tan, .name = "tan", .promotion = Promotion::Floating);
LB_UNARY("tan", Tan, LB_GRADIENT("TanBackward0", "0:r", g*(b.result() * b.result() + Scalar(1))),
         R"(The tangent of each element, in radians.

>>> torch.tan(torch.tensor([0., 1.]))
tensor([0.0000, 1.5574]))");

LB_FLOATING_FUNCTOR(Asin, math::asin(x));
LB_LOOPS(Asin, .name = "asin", .promotion = Promotion::Floating);
LB_UNARY("asin", Asin, LB_GRADIENT("AsinBackward0", "0:0", g* call<"rsqrt">(Scalar(1) - b.input(0) * b.input(0))),
         R"(The inverse sine of each element, in radians: NaN outside of [-1, 1].

>>> torch.asin(torch.tensor([0., 1.]))
tensor([0.0000, 1.5708]))",
         .aliases = "arcsin");

LB_FLOATING_FUNCTOR(Acos, math::acos(x));
LB_LOOPS(Acos, .name = "acos", .promotion = Promotion::Floating);
LB_UNARY("acos", Acos, LB_GRADIENT("AcosBackward0", "0:0", -(g* call<"rsqrt">(Scalar(1) - b.input(0) * b.input(0)))),
         R"(The inverse cosine of each element, in radians: NaN outside of [-1, 1].

>>> torch.acos(torch.tensor([1., 0.]))
tensor([0.0000, 1.5708]))",
         .aliases = "arccos");

LB_FLOATING_FUNCTOR(Atan, math::atan(x));
LB_LOOPS(Atan, .name = "atan", .promotion = Promotion::Floating);
LB_UNARY("atan", Atan, LB_GRADIENT("AtanBackward0", "0:0", g / (b.input(0) * b.input(0) + Scalar(1))),
         R"(The inverse tangent of each element, in radians.

>>> torch.atan(torch.tensor([0., 1.]))
tensor([0.0000, 0.7854]))",
         .aliases = "arctan");

struct Sinc : Floats {
  template <class T>
  T operator()(T x) const {
    return math::sinc(x);
  }
  template <class T>
  static void map(T* out, const T* in, int64_t count) {
    T angles[kSpread], sines[kSpread];
    for (int64_t from = 0; from < count; from += kSpread) {
      const int64_t some = count - from < kSpread ? count - from : kSpread;
      for (int64_t i = 0; i < some; ++i) angles[i] = math::kPi<T> * in[from + i];
      map_wave<SinWave>(sines, angles, some);
      for (int64_t i = 0; i < some; ++i) out[from + i] = angles[i] == T(0) ? T(1) : sines[i] / angles[i];
    }
  }
};
LB_LOOPS(Sinc, .name = "sinc", .promotion = Promotion::Floating);
LB_UNARY("sinc", Sinc, LB_GRADIENT("SincBackward0", "0:0", g* sinc_slope(b.input(0))),
         R"(sin(pi x) / (pi x), and 1 at 0.

>>> torch.sinc(torch.tensor([0., 0.5]))
tensor([1.0000, 0.6366]))",
         .aliases = "special.sinc");

LB_FLOATING_FUNCTOR(Deg2Rad, x* static_cast<T>(0.017453292519943295769236907684886));
LB_LOOPS(Deg2Rad, .name = "deg2rad", .promotion = Promotion::Floating);
LB_UNARY("deg2rad", Deg2Rad, LB_GRADIENT("Deg2RadBackward0", "", g* Scalar(0.017453292519943295769)),
         R"(Degrees to radians.

>>> torch.deg2rad(torch.tensor([180.]))
tensor([3.1416]))");

LB_FLOATING_FUNCTOR(Rad2Deg, x* static_cast<T>(57.295779513082320876798154814105));
LB_LOOPS(Rad2Deg, .name = "rad2deg", .promotion = Promotion::Floating);
LB_UNARY("rad2deg", Rad2Deg, LB_GRADIENT("Rad2DegBackward0", "", g* Scalar(57.295779513082320877)),
         R"(Radians to degrees.

>>> torch.rad2deg(torch.tensor([0.]))
tensor([0.]))");

struct Atan2 : Floats {
  template <class T>
  T operator()(T y, T x) const {
    return math::atan2(y, x);
  }
};
LB_LOOPS(Atan2, .name = "atan2", .promotion = Promotion::Floating);
LB_TENSORS("atan2", Atan2, gradients("Atan2Backward0", atan2_gradient, "0:01 1:01"),
           R"(The angle of the point (other, input), in radians, from -pi to pi.

>>> torch.atan2(torch.tensor([1.]), torch.tensor([1.]))
tensor([0.7854]))",
           .forms = kEveryForm, .aliases = "arctan2");

struct Hypot : Floats {
  template <class T>
  T operator()(T x, T y) const {
    return math::hypot(x, y);
  }
};
LB_LOOPS(Hypot, .name = "hypot_cpu", .accepts = kFloatingDTypes);
LB_TENSORS("hypot", Hypot,
           LB_GRADIENTS("HypotBackward0", "0:0r 1:1r", g*(b.input(0) / b.result()), g*(b.input(1) / b.result())),
           R"(The length of the hypotenuse: sqrt(input ** 2 + other ** 2) without overflow.

>>> torch.hypot(torch.tensor([3.]), torch.tensor([4.]))
tensor([5.]))",
           .forms = kEveryForm);

}  // namespace LB_LEVEL
}  // namespace lumbre
