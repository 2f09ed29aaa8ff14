// Hyperbolic functions and their inverses.
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

LB_FLOATING_FUNCTOR(Sinh, math::sinh(x));
LB_LOOPS(Sinh, .name = "sinh", .promotion = Promotion::Floating);
LB_UNARY("sinh", Sinh, LB_GRADIENT("SinhBackward0", "0:0", g* call<"cosh">(b.input(0))),
         R"(The hyperbolic sine of each element.

>>> torch.sinh(torch.tensor([0., 1.]))
tensor([0.0000, 1.1752]))");

LB_FLOATING_FUNCTOR(Cosh, math::cosh(x));
LB_LOOPS(Cosh, .name = "cosh", .promotion = Promotion::Floating);
LB_UNARY("cosh", Cosh, LB_GRADIENT("CoshBackward0", "0:0", g* call<"sinh">(b.input(0))),
         R"(The hyperbolic cosine of each element.

>>> torch.cosh(torch.tensor([0., 1.]))
tensor([1.0000, 1.5431]))");

LB_FLOATING_FUNCTOR(Tanh, math::tanh(x));
LB_LOOPS(Tanh, .name = "tanh", .promotion = Promotion::Floating);
LB_UNARY("tanh", Tanh, LB_GRADIENT("TanhBackward0", "0:r", call<"_tanh_slope">(g, b.result())),
         R"(The hyperbolic tangent of each element.

>>> torch.tanh(torch.tensor([0., 1.]))
tensor([0.0000, 0.7616]))",
         .aliases = "nn.functional.tanh");

LB_FLOATING_FUNCTOR(Asinh, math::asinh(x));
LB_LOOPS(Asinh, .name = "asinh", .promotion = Promotion::Floating);
LB_UNARY("asinh", Asinh, LB_GRADIENT("AsinhBackward0", "0:0", g* call<"rsqrt">(b.input(0) * b.input(0) + Scalar(1))),
         R"(The inverse hyperbolic sine of each element.

>>> torch.asinh(torch.tensor([0., 1.]))
tensor([0.0000, 0.8814]))",
         .aliases = "arcsinh");

LB_FLOATING_FUNCTOR(Acosh, math::acosh(x));
LB_LOOPS(Acosh, .name = "acosh", .promotion = Promotion::Floating);
LB_UNARY("acosh", Acosh, LB_GRADIENT("AcoshBackward0", "0:0", g* call<"rsqrt">(b.input(0) * b.input(0) - Scalar(1))),
         R"(The inverse hyperbolic cosine of each element: NaN below 1.

>>> torch.acosh(torch.tensor([1., 2.]))
tensor([0.0000, 1.3170]))",
         .aliases = "arccosh");

LB_FLOATING_FUNCTOR(Atanh, math::atanh(x));
LB_LOOPS(Atanh, .name = "atanh", .promotion = Promotion::Floating);
LB_UNARY("atanh", Atanh, LB_GRADIENT("AtanhBackward0", "0:0", g / (Scalar(1) - b.input(0) * b.input(0))),
         R"(The inverse hyperbolic tangent of each element: NaN outside of [-1, 1].

>>> torch.atanh(torch.tensor([0., 0.5]))
tensor([0.0000, 0.5493]))",
         .aliases = "arctanh");

}  // namespace LB_LEVEL
}  // namespace lumbre
