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
// pi/2 in three floats. For |x| < kClose each product with the whole number n is taken off by one fused operation: the
// first is exact, and the others round relative to what is left.
constexpr float kClose = 1000, kHalfPi1 = 0x1.921fb6p+0f, kHalfPi2 = -0x1.777a5cp-25f, kHalfPi3 = -0x1.ee59dap-50f;

template <bool kCosine>
void map_close(float* out, const float* in, int64_t count) {
#pragma GCC ivdep
  for (int64_t i = 0; i < count; ++i) {
    const float x = in[i], shifted = math::fma(x, 0x1.45f306p-1f, math::kRound<float>),
                n = shifted - math::kRound<float>;
    const float r = math::fma(n, -kHalfPi3, math::fma(n, -kHalfPi2, math::fma(n, -kHalfPi1, x)));
    const float y = math::sin_in_quadrant(
        math::TrigReduced<float>{r, 0, static_cast<int32_t>(math::bits_of(shifted)) + (kCosine ? 1 : 0)});
    out[i] = !kCosine && x == 0 ? x : y;
  }
}
#endif

// Sines and cosines; floats are reduced as floats where a block of them is near 0.
template <bool kCosine, class T>
void map_wave(T* out, const T* in, int64_t count) {
  using Near = std::conditional_t<kCosine, math::CosNear, math::SinNear>;
#ifdef __FMA__
  if constexpr (std::is_same_v<T, float>) {
    constexpr int64_t kBlock = 512;
    for (int64_t from = 0; from < count; from += kBlock) {
      const int64_t some = count - from < kBlock ? count - from : kBlock;
      int32_t far = 0;
      for (int64_t i = from; i < from + some; ++i) far |= math::abs(in[i]) < kClose ? 0 : 1;
      if (far)
        math::map_trig<Near>(out + from, in + from, some);
      else
        map_close<kCosine>(out + from, in + from, some);
    }
    return;
  }
#endif
  math::map_trig<Near>(out, in, count);
}

struct Sin : Floats {
  template <class T>
  T operator()(T x) const {
    return math::sin(x);
  }
  template <class T>
  static void map(T* out, const T* in, int64_t count) {
    map_wave<false>(out, in, count);
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
    map_wave<true>(out, in, count);
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
    math::map_trig<math::TanNear>(out, in, count);
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

LB_FLOATING_FUNCTOR(Sinc, math::sinc(x));
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
