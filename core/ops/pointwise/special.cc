// Special functions of one argument.
#include "kernels/math.h"
#include "ops/pointwise.h"

namespace lumbre {
namespace LB_LEVEL {

// Inlined, or a long one is called from its loops, which then are not vector code.
#define LB_FLOATING_FUNCTOR(F, expression) \
  struct F : Floats {                      \
    template <class T>                     \
    LB_MATH T operator()(T x) const {      \
      return expression;                   \
    }                                      \
  }

// For functions with a way of their own through a run of elements.
#define LB_MAPPED_FUNCTOR(F, name)                        \
  struct F : Floats {                                     \
    template <class T>                                    \
    T operator()(T x) const {                             \
      return math::name(x);                               \
    }                                                     \
    template <class T>                                    \
    static void map(T* out, const T* in, int64_t count) { \
      math::map_##name(out, in, count);                   \
    }                                                     \
  }

// For functions that are vector code near 0 only (math::map_trig).
#define LB_NEAR_FUNCTOR(F, Near)                          \
  struct F : Floats {                                     \
    template <class T>                                    \
    T operator()(T x) const {                             \
      return math::trig<Near>(x);                         \
    }                                                     \
    template <class T>                                    \
    static void map(T* out, const T* in, int64_t count) { \
      math::map_trig<Near>(out, in, count);               \
    }                                                     \
  }

LB_FLOATING_FUNCTOR(Erf, math::erf(x));
LB_LOOPS(Erf, .name = "erf", .promotion = Promotion::Floating);
LB_RECORD(.signature = "erf(input, *, out=None)", .doc = R"(The error function of each element.

>>> torch.erf(torch.tensor([0., 1.]))
tensor([0.0000, 0.8427]))",
          .forward = forward_of<unary_forward<Erf_spec>>,
          .derivative = LB_GRADIENT("ErfBackward0", "0:0",
                                    g*(call<"exp">(-(b.input(0) * b.input(0))) * Scalar(1.1283791670955125739))),
          .forms = kUnaryForms, .aliases = "special.erf");

LB_FLOATING_FUNCTOR(Erfc, math::erfc(x));
LB_LOOPS(Erfc, .name = "erfc", .promotion = Promotion::Floating);
LB_RECORD(.signature = "erfc(input, *, out=None)", .doc = R"(1 - erf(x), accurate for large x.

>>> torch.erfc(torch.tensor([0., 1.]))
tensor([1.0000, 0.1573]))",
          .forward = forward_of<unary_forward<Erfc_spec>>,
          .derivative = LB_GRADIENT("ErfcBackward0", "0:0",
                                    g*(call<"exp">(-(b.input(0) * b.input(0))) * Scalar(-1.1283791670955125739))),
          .forms = kUnaryForms, .aliases = "special.erfc");

LB_MAPPED_FUNCTOR(ErfInv, erfinv);
LB_LOOPS(ErfInv, .name = "erfinv", .promotion = Promotion::Floating);
LB_RECORD(.signature = "erfinv(input, *, out=None)", .doc = R"(The inverse of erf: infinite at -1 and 1, NaN outside.

>>> torch.erfinv(torch.tensor([0., 0.5]))
tensor([0.0000, 0.4769]))",
          .forward = forward_of<unary_forward<ErfInv_spec>>,
          .derivative = LB_GRADIENT("ErfinvBackward0", "0:0",
                                    g*(call<"exp">(call<"square">(call<"erfinv">(b.input(0)))) *
                                       Scalar(0.88622692545275801365))),
          .forms = kEveryForm, .aliases = "special.erfinv");

LB_MAPPED_FUNCTOR(LGamma, lgamma);
LB_LOOPS(LGamma, .name = "lgamma", .promotion = Promotion::Floating);
LB_RECORD(.signature = "lgamma(input, *, out=None)",
          .doc = R"(The logarithm of the absolute value of the gamma function.

>>> torch.lgamma(torch.tensor([1., 4.]))
tensor([0.0000, 1.7918]))",
          .forward = forward_of<unary_forward<LGamma_spec>>,
          .derivative = LB_GRADIENT("LgammaBackward0", "0:0", g* call<"digamma">(b.input(0))), .forms = kEveryForm,
          .aliases = "special.gammaln");

LB_FLOATING_FUNCTOR(Digamma, math::digamma(x));
LB_LOOPS(Digamma, .name = "digamma", .promotion = Promotion::Floating);
LB_RECORD(.signature = "digamma(input, *, out=None)", .doc = R"(The logarithmic derivative of the gamma function.

>>> torch.digamma(torch.tensor([1.]))
tensor([-0.5772]))",
          .forward = forward_of<unary_forward<Digamma_spec>>,
          .derivative = LB_GRADIENT("DigammaBackward0", "0:0", g* call<"polygamma">(int64_t{1}, b.input(0))),
          .forms = kEveryForm, .aliases = "special.digamma special.psi");

LB_FLOATING_FUNCTOR(I0, math::i0(x));
LB_LOOPS(I0, .name = "i0", .promotion = Promotion::Floating);
LB_RECORD(.signature = "i0(input, *, out=None)", .doc = R"(The modified Bessel function of the first kind, order 0.

>>> torch.i0(torch.tensor([0., 1.]))
tensor([1.0000, 1.2661]))",
          .forward = forward_of<unary_forward<I0_spec>>,
          .derivative = LB_GRADIENT("I0Backward0", "0:0", g* call<"special.i1">(b.input(0))), .forms = kUnaryForms,
          .aliases = "special.i0");

LB_FLOATING_FUNCTOR(I0e, math::i0e(x));
LB_LOOPS(I0e, .name = "i0e", .promotion = Promotion::Floating);
LB_RECORD(.signature = "special.i0e(input, *, out=None)", .doc = R"(exp(-|x|) * i0(x).

>>> torch.special.i0e(torch.tensor([0., 1.]))
tensor([1.0000, 0.4658]))",
          .forward = forward_of<unary_forward<I0e_spec>>,
          .derivative = LB_GRADIENT("SpecialI0EBackward0", "0:0r",
                                    g*(call<"special.i1e">(b.input(0)) - call<"sign">(b.input(0)) * b.result())),
          .forms = kFunction);

LB_FLOATING_FUNCTOR(I1, math::i1(x));
LB_LOOPS(I1, .name = "i1", .promotion = Promotion::Floating);
LB_RECORD(.signature = "special.i1(input, *, out=None)",
          .doc = R"(The modified Bessel function of the first kind, order 1.

>>> torch.special.i1(torch.tensor([0., 1.]))
tensor([0.0000, 0.5652]))",
          .forward = forward_of<unary_forward<I1_spec>>,
          .derivative = LB_GRADIENT("SpecialI1Backward0", "0:0r",
                                    g* i1_slope(b.input(0), b.result(), call<"i0">(b.input(0)), false)),
          .forms = kFunction);

LB_FLOATING_FUNCTOR(I1e, math::i1e(x));
LB_LOOPS(I1e, .name = "i1e", .promotion = Promotion::Floating);
LB_RECORD(.signature = "special.i1e(input, *, out=None)", .doc = R"(exp(-|x|) * i1(x).

>>> torch.special.i1e(torch.tensor([0., 1.]))
tensor([0.0000, 0.2079]))",
          .forward = forward_of<unary_forward<I1e_spec>>,
          .derivative = LB_GRADIENT("SpecialI1EBackward0", "0:0r",
                                    g* i1_slope(b.input(0), b.result(), call<"special.i0e">(b.input(0)), true)),
          .forms = kFunction);

LB_FLOATING_FUNCTOR(Erfcx, math::erfcx(x));
LB_LOOPS(Erfcx, .name = "erfcx_cpu", .promotion = Promotion::Floating, .accepts = kSingleAndDouble);
LB_RECORD(.signature = "special.erfcx(input, *, out=None)", .doc = R"(exp(x ** 2) * erfc(x), without overflow.

>>> torch.special.erfcx(torch.tensor([0., 1.]))
tensor([1.0000, 0.4276]))",
          .forward = forward_of<unary_forward<Erfcx_spec>>,
          .derivative = LB_GRADIENT("SpecialErfcxBackward0", "0:0r",
                                    g*(b.input(0) * b.result() * Scalar(2.0) - Scalar(1.1283791670955125739))),
          .forms = kFunction);

LB_FLOATING_FUNCTOR(Entr, math::entr(x));
LB_LOOPS(Entr, .name = "entr", .promotion = Promotion::Floating);
LB_RECORD(.signature = "special.entr(input, *, out=None)", .doc = R"(-x * log(x); 0 at 0, -inf below.

>>> torch.special.entr(torch.tensor([0., 1.]))
tensor([0., -0.]))",
          .forward = forward_of<unary_forward<Entr_spec>>,
          .derivative = LB_GRADIENT("SpecialEntrBackward0", "0:0",
                                    g* where(call<"isnan">(b.input(0)), b.input(0),
                                             -call<"log">(b.input(0)) - Scalar(1))),
          .forms = kFunction);

LB_FLOATING_FUNCTOR(Ndtr, math::ndtr(x));
LB_LOOPS(Ndtr, .name = "ndtr", .promotion = Promotion::Floating);
LB_RECORD(.signature = "special.ndtr(input, *, out=None)", .doc = R"(The standard normal distribution function.

>>> torch.special.ndtr(torch.tensor([0.]))
tensor([0.5000]))",
          .forward = forward_of<unary_forward<Ndtr_spec>>,
          .derivative = LB_GRADIENT("SpecialNdtrBackward0", "0:0",
                                    g*(call<"exp">(b.input(0) * b.input(0) * Scalar(-0.5)) *
                                       Scalar(0.39894228040143267794))),
          .forms = kFunction);

LB_FLOATING_FUNCTOR(Ndtri, math::ndtri(x));
LB_LOOPS(Ndtri, .name = "ndtri_cpu", .promotion = Promotion::Floating, .accepts = kSingleAndDouble);
LB_RECORD(.signature = "special.ndtri(input, *, out=None)", .doc = R"(The inverse of ndtr.

>>> torch.special.ndtri(torch.tensor([0.5]))
tensor([0.]))",
          .forward = forward_of<unary_forward<Ndtri_spec>>,
          .derivative = LB_GRADIENT("SpecialNdtriBackward0", "0:r",
                                    g*(call<"exp">(b.result() * b.result() * Scalar(0.5)) *
                                       Scalar(2.5066282746310005024))),
          .forms = kFunction);

LB_FLOATING_FUNCTOR(LogNdtr, math::log_ndtr(x));
LB_LOOPS(LogNdtr, .name = "log_ndtr_cpu", .promotion = Promotion::Floating, .accepts = kSingleAndDouble);
LB_RECORD(.signature = "special.log_ndtr(input, *, out=None)",
          .doc = R"(The logarithm of ndtr, accurate far to the left.

>>> torch.special.log_ndtr(torch.tensor([0.]))
tensor([-0.6931]))",
          .forward = forward_of<unary_forward<LogNdtr_spec>>,
          .derivative = LB_GRADIENT("SpecialLogNdtrBackward0", "0:0",
                                    g / call<"special.erfcx">(b.input(0) * Scalar(-0.70710678118654752440)) *
                                        Scalar(0.79788456080286535588)),
          .forms = kFunction);

LB_NEAR_FUNCTOR(BesselJ0, math::JNear<0>);
LB_LOOPS(BesselJ0, .name = "bessel_j0_cpu", .promotion = Promotion::Floating, .accepts = kSingleAndDouble);
LB_RECORD(.signature = "special.bessel_j0(input, *, out=None)",
          .doc = R"(The Bessel function of the first kind, order 0.

>>> torch.special.bessel_j0(torch.tensor([0.]))
tensor([1.]))",
          .forward = forward_of<unary_forward<BesselJ0_spec>>, .derivative = kDerivativeRefused, .forms = kFunction);

LB_NEAR_FUNCTOR(BesselJ1, math::JNear<1>);
LB_LOOPS(BesselJ1, .name = "bessel_j1_cpu", .promotion = Promotion::Floating, .accepts = kSingleAndDouble);
LB_RECORD(.signature = "special.bessel_j1(input, *, out=None)",
          .doc = R"(The Bessel function of the first kind, order 1.

>>> torch.special.bessel_j1(torch.tensor([0.]))
tensor([0.]))",
          .forward = forward_of<unary_forward<BesselJ1_spec>>, .derivative = kDerivativeRefused, .forms = kFunction);

LB_NEAR_FUNCTOR(BesselY0, math::YNear<0>);
LB_LOOPS(BesselY0, .name = "bessel_y0_cpu", .promotion = Promotion::Floating, .accepts = kSingleAndDouble);
LB_RECORD(.signature = "special.bessel_y0(input, *, out=None)",
          .doc = R"(The Bessel function of the second kind, order 0.

>>> torch.special.bessel_y0(torch.tensor([1.]))
tensor([0.0883]))",
          .forward = forward_of<unary_forward<BesselY0_spec>>, .derivative = kDerivativeRefused, .forms = kFunction);

LB_NEAR_FUNCTOR(BesselY1, math::YNear<1>);
LB_LOOPS(BesselY1, .name = "bessel_y1_cpu", .promotion = Promotion::Floating, .accepts = kSingleAndDouble);
LB_RECORD(.signature = "special.bessel_y1(input, *, out=None)",
          .doc = R"(The Bessel function of the second kind, order 1.

>>> torch.special.bessel_y1(torch.tensor([1.]))
tensor([-0.7812]))",
          .forward = forward_of<unary_forward<BesselY1_spec>>, .derivative = kDerivativeRefused, .forms = kFunction);

using ModifiedI0 = I0;
LB_LOOPS(ModifiedI0, .name = "modified_bessel_i0_cpu", .promotion = Promotion::Floating, .accepts = kSingleAndDouble);
LB_RECORD(.signature = "special.modified_bessel_i0(input, *, out=None)",
          .doc = R"(The modified Bessel function of the first kind, order 0.

>>> torch.special.modified_bessel_i0(torch.tensor([0.]))
tensor([1.]))",
          .forward = forward_of<unary_forward<ModifiedI0_spec>>, .derivative = kDerivativeRefused, .forms = kFunction);

using ModifiedI1 = I1;
LB_LOOPS(ModifiedI1, .name = "modified_bessel_i1_cpu", .promotion = Promotion::Floating, .accepts = kSingleAndDouble);
LB_RECORD(.signature = "special.modified_bessel_i1(input, *, out=None)",
          .doc = R"(The modified Bessel function of the first kind, order 1.

>>> torch.special.modified_bessel_i1(torch.tensor([0.]))
tensor([0.]))",
          .forward = forward_of<unary_forward<ModifiedI1_spec>>, .derivative = kDerivativeRefused, .forms = kFunction);

LB_FLOATING_FUNCTOR(ModifiedK0, math::modified_bessel_k0(x));
LB_LOOPS(ModifiedK0, .name = "modified_bessel_k0_cpu", .promotion = Promotion::Floating, .accepts = kSingleAndDouble);
LB_RECORD(.signature = "special.modified_bessel_k0(input, *, out=None)",
          .doc = R"(The modified Bessel function of the second kind, order 0.

>>> torch.special.modified_bessel_k0(torch.tensor([1.]))
tensor([0.4210]))",
          .forward = forward_of<unary_forward<ModifiedK0_spec>>, .derivative = kDerivativeRefused, .forms = kFunction);

LB_FLOATING_FUNCTOR(ModifiedK1, math::modified_bessel_k1(x));
LB_LOOPS(ModifiedK1, .name = "modified_bessel_k1_cpu", .promotion = Promotion::Floating, .accepts = kSingleAndDouble);
LB_RECORD(.signature = "special.modified_bessel_k1(input, *, out=None)",
          .doc = R"(The modified Bessel function of the second kind, order 1.

>>> torch.special.modified_bessel_k1(torch.tensor([1.]))
tensor([0.6019]))",
          .forward = forward_of<unary_forward<ModifiedK1_spec>>, .derivative = kDerivativeRefused, .forms = kFunction);

LB_FLOATING_FUNCTOR(ScaledK0, math::scaled_modified_bessel_k0(x));
LB_LOOPS(ScaledK0, .name = "scaled_modified_bessel_k0_cpu", .promotion = Promotion::Floating,
         .accepts = kSingleAndDouble);
LB_RECORD(.signature = "special.scaled_modified_bessel_k0(input, *, out=None)",
          .doc = R"(exp(x) * modified_bessel_k0(x).

>>> torch.special.scaled_modified_bessel_k0(torch.tensor([1.]))
tensor([1.1445]))",
          .forward = forward_of<unary_forward<ScaledK0_spec>>, .derivative = kDerivativeRefused, .forms = kFunction);

LB_FLOATING_FUNCTOR(ScaledK1, math::scaled_modified_bessel_k1(x));
LB_LOOPS(ScaledK1, .name = "scaled_modified_bessel_k1_cpu", .promotion = Promotion::Floating,
         .accepts = kSingleAndDouble);
LB_RECORD(.signature = "special.scaled_modified_bessel_k1(input, *, out=None)",
          .doc = R"(exp(x) * modified_bessel_k1(x).

>>> torch.special.scaled_modified_bessel_k1(torch.tensor([1.]))
tensor([1.6362]))",
          .forward = forward_of<unary_forward<ScaledK1_spec>>, .derivative = kDerivativeRefused, .forms = kFunction);

LB_NEAR_FUNCTOR(SphericalJ0, math::SphericalNear);
LB_LOOPS(SphericalJ0, .name = "spherical_bessel_j0_cpu", .promotion = Promotion::Floating, .accepts = kSingleAndDouble);
LB_RECORD(.signature = "special.spherical_bessel_j0(input, *, out=None)",
          .doc = R"(The spherical Bessel function of the first kind, order 0: sin(x) / x.

>>> torch.special.spherical_bessel_j0(torch.tensor([0.]))
tensor([1.]))",
          .forward = forward_of<unary_forward<SphericalJ0_spec>>, .derivative = kDerivativeRefused, .forms = kFunction);

LB_FLOATING_FUNCTOR(AiryAi, static_cast<T>(math::airy_ai(x)));
LB_LOOPS(AiryAi, .name = "airy_ai_cpu", .promotion = Promotion::Floating, .accepts = kSingleAndDouble);
LB_RECORD(.signature = "special.airy_ai(input, *, out=None)", .doc = R"(The Airy function Ai.

>>> torch.special.airy_ai(torch.tensor([0.]))
tensor([0.3550]))",
          .forward = forward_of<unary_forward<AiryAi_spec>>, .derivative = kDerivativeRefused, .forms = kFunction);

}  // namespace LB_LEVEL
}  // namespace lumbre
