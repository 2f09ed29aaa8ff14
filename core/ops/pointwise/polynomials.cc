// Orthogonal polynomials, by their three-term recurrences.
#include "kernels/math.h"
#include "ops/pointwise.h"

namespace lumbre {
namespace LB_LEVEL {

// The recurrences take a step per degree: one that would never end is refused. NaN and negative degrees give 0.
template <class T>
int64_t degree_of(T n) {
  LB_CHECK(!(n > T(1e6)), Runtime, "polynomials of a degree above 1000000 are not computed, got ", n);
  return n > T(-1) ? static_cast<int64_t>(n) : -1;
}

#define LB_POLYNOMIAL(F, function)                                                 \
  struct F : Floats {                                                              \
    template <class T>                                                             \
    T operator()(T x, T n) const {                                                 \
      return static_cast<T>(math::function(static_cast<double>(x), degree_of(n))); \
    }                                                                              \
  }
#if LB_BASELINE
template <const PointwiseSpec& spec>
Tensor polynomial(const Out& out, Operand input, Operand n) {
  LB_CHECK(input.is_tensor() || n.is_tensor(), Type, "special_polynomial(): one of the arguments must be Tensor");
  return pointwise(spec, out, {input, n});
}
#endif

LB_POLYNOMIAL(ChebyshevT, chebyshev_polynomial_t);
LB_LOOPS(ChebyshevT, .name = "chebyshev_polynomial_t_cpu", .promotion = Promotion::Floating,
         .accepts = kSingleAndDouble);
LB_RECORD(.signature = "special.chebyshev_polynomial_t(input, n, *, out=None)",
          .doc = R"(The polynomial of degree n of its family at each element; 0 for negative degrees.

>>> torch.special.chebyshev_polynomial_t(torch.tensor([2.]), 2)
tensor([7.]))",
          .forward = forward_of<polynomial<ChebyshevT_spec>>, .derivative = kDerivativeRefused, .forms = kFunction);

LB_POLYNOMIAL(ChebyshevU, chebyshev_polynomial_u);
LB_LOOPS(ChebyshevU, .name = "chebyshev_polynomial_u_cpu", .promotion = Promotion::Floating,
         .accepts = kSingleAndDouble);
LB_RECORD(.signature = "special.chebyshev_polynomial_u(input, n, *, out=None)",
          .doc = R"(The polynomial of degree n of its family at each element; 0 for negative degrees.

>>> torch.special.chebyshev_polynomial_u(torch.tensor([2.]), 2)
tensor([15.]))",
          .forward = forward_of<polynomial<ChebyshevU_spec>>, .derivative = kDerivativeRefused, .forms = kFunction);

LB_POLYNOMIAL(ChebyshevV, chebyshev_polynomial_v);
LB_LOOPS(ChebyshevV, .name = "chebyshev_polynomial_v_cpu", .promotion = Promotion::Floating,
         .accepts = kSingleAndDouble);
LB_RECORD(.signature = "special.chebyshev_polynomial_v(input, n, *, out=None)",
          .doc = R"(The polynomial of degree n of its family at each element; 0 for negative degrees.

>>> torch.special.chebyshev_polynomial_v(torch.tensor([2.]), 2)
tensor([11.]))",
          .forward = forward_of<polynomial<ChebyshevV_spec>>, .derivative = kDerivativeRefused, .forms = kFunction);

LB_POLYNOMIAL(ChebyshevW, chebyshev_polynomial_w);
LB_LOOPS(ChebyshevW, .name = "chebyshev_polynomial_w_cpu", .promotion = Promotion::Floating,
         .accepts = kSingleAndDouble);
LB_RECORD(.signature = "special.chebyshev_polynomial_w(input, n, *, out=None)",
          .doc = R"(The polynomial of degree n of its family at each element; 0 for negative degrees.

>>> torch.special.chebyshev_polynomial_w(torch.tensor([2.]), 2)
tensor([19.]))",
          .forward = forward_of<polynomial<ChebyshevW_spec>>, .derivative = kDerivativeRefused, .forms = kFunction);

LB_POLYNOMIAL(ShiftedT, shifted_chebyshev_polynomial_t);
LB_LOOPS(ShiftedT, .name = "shifted_chebyshev_polynomial_t_cpu", .promotion = Promotion::Floating,
         .accepts = kSingleAndDouble);
LB_RECORD(.signature = "special.shifted_chebyshev_polynomial_t(input, n, *, out=None)",
          .doc = R"(The polynomial of degree n of its family at each element; 0 for negative degrees.

>>> torch.special.shifted_chebyshev_polynomial_t(torch.tensor([2.]), 2)
tensor([17.]))",
          .forward = forward_of<polynomial<ShiftedT_spec>>, .derivative = kDerivativeRefused, .forms = kFunction);

LB_POLYNOMIAL(ShiftedU, shifted_chebyshev_polynomial_u);
LB_LOOPS(ShiftedU, .name = "shifted_chebyshev_polynomial_u_cpu", .promotion = Promotion::Floating,
         .accepts = kSingleAndDouble);
LB_RECORD(.signature = "special.shifted_chebyshev_polynomial_u(input, n, *, out=None)",
          .doc = R"(The polynomial of degree n of its family at each element; 0 for negative degrees.

>>> torch.special.shifted_chebyshev_polynomial_u(torch.tensor([2.]), 2)
tensor([35.]))",
          .forward = forward_of<polynomial<ShiftedU_spec>>, .derivative = kDerivativeRefused, .forms = kFunction);

LB_POLYNOMIAL(ShiftedV, shifted_chebyshev_polynomial_v);
LB_LOOPS(ShiftedV, .name = "shifted_chebyshev_polynomial_v_cpu", .promotion = Promotion::Floating,
         .accepts = kSingleAndDouble);
LB_RECORD(.signature = "special.shifted_chebyshev_polynomial_v(input, n, *, out=None)",
          .doc = R"(The polynomial of degree n of its family at each element; 0 for negative degrees.

>>> torch.special.shifted_chebyshev_polynomial_v(torch.tensor([2.]), 2)
tensor([29.]))",
          .forward = forward_of<polynomial<ShiftedV_spec>>, .derivative = kDerivativeRefused, .forms = kFunction);

LB_POLYNOMIAL(ShiftedW, shifted_chebyshev_polynomial_w);
LB_LOOPS(ShiftedW, .name = "shifted_chebyshev_polynomial_w_cpu", .promotion = Promotion::Floating,
         .accepts = kSingleAndDouble);
LB_RECORD(.signature = "special.shifted_chebyshev_polynomial_w(input, n, *, out=None)",
          .doc = R"(The polynomial of degree n of its family at each element; 0 for negative degrees.

>>> torch.special.shifted_chebyshev_polynomial_w(torch.tensor([2.]), 2)
tensor([41.]))",
          .forward = forward_of<polynomial<ShiftedW_spec>>, .derivative = kDerivativeRefused, .forms = kFunction);

LB_POLYNOMIAL(HermiteH, hermite_polynomial_h);
LB_LOOPS(HermiteH, .name = "hermite_polynomial_h_cpu", .promotion = Promotion::Floating, .accepts = kSingleAndDouble);
LB_RECORD(.signature = "special.hermite_polynomial_h(input, n, *, out=None)",
          .doc = R"(The polynomial of degree n of its family at each element; 0 for negative degrees.

>>> torch.special.hermite_polynomial_h(torch.tensor([2.]), 2)
tensor([14.]))",
          .forward = forward_of<polynomial<HermiteH_spec>>, .derivative = kDerivativeRefused, .forms = kFunction);

LB_POLYNOMIAL(HermiteHe, hermite_polynomial_he);
LB_LOOPS(HermiteHe, .name = "hermite_polynomial_he_cpu", .promotion = Promotion::Floating, .accepts = kSingleAndDouble);
LB_RECORD(.signature = "special.hermite_polynomial_he(input, n, *, out=None)",
          .doc = R"(The polynomial of degree n of its family at each element; 0 for negative degrees.

>>> torch.special.hermite_polynomial_he(torch.tensor([2.]), 2)
tensor([3.]))",
          .forward = forward_of<polynomial<HermiteHe_spec>>, .derivative = kDerivativeRefused, .forms = kFunction);

LB_POLYNOMIAL(LaguerreL, laguerre_polynomial_l);
LB_LOOPS(LaguerreL, .name = "laguerre_polynomial_l_cpu", .promotion = Promotion::Floating, .accepts = kSingleAndDouble);
LB_RECORD(.signature = "special.laguerre_polynomial_l(input, n, *, out=None)",
          .doc = R"(The polynomial of degree n of its family at each element; 0 for negative degrees.

>>> torch.special.laguerre_polynomial_l(torch.tensor([2.]), 2)
tensor([-1.]))",
          .forward = forward_of<polynomial<LaguerreL_spec>>, .derivative = kDerivativeRefused, .forms = kFunction);

LB_POLYNOMIAL(LegendreP, legendre_polynomial_p);
LB_LOOPS(LegendreP, .name = "legendre_polynomial_p_cpu", .promotion = Promotion::Floating, .accepts = kSingleAndDouble);
LB_RECORD(.signature = "special.legendre_polynomial_p(input, n, *, out=None)",
          .doc = R"(The polynomial of degree n of its family at each element; 0 for negative degrees.

>>> torch.special.legendre_polynomial_p(torch.tensor([2.]), 2)
tensor([5.5000]))",
          .forward = forward_of<polynomial<LegendreP_spec>>, .derivative = kDerivativeRefused, .forms = kFunction);

}  // namespace LB_LEVEL
}  // namespace lumbre
