// Every function of core/kernels/math.h as a loop with C linkage, for test_math_ulp.py.
#include <cstdint>

#include "kernels/convert.h"
#include "kernels/math.h"

namespace m = lumbre::LB_LEVEL::math;

#define UNARY_OF(name, function, suffix, T)                                    \
  extern "C" void name##_##suffix(T* out, const T* in, int64_t n) {            \
    for (int64_t i = 0; i < n; ++i) out[i] = m::function(in[i]);               \
  }
#define UNARY(name) UNARY_OF(name, name, f32, float) UNARY_OF(name, name, f64, double)
#define BINARY_OF(name, suffix, T)                                                \
  extern "C" void name##_##suffix(T* out, const T* a, const T* b, int64_t n) {    \
    for (int64_t i = 0; i < n; ++i) out[i] = m::name(a[i], b[i]);                 \
  }
#define BINARY(name) BINARY_OF(name, f32, float) BINARY_OF(name, f64, double)
#define TRIG_OF(name, functor, suffix, T) \
  extern "C" void name##_##suffix(T* out, const T* in, int64_t n) { m::map_trig<m::functor>(out, in, n); }
#define TRIG(name, functor) TRIG_OF(name, functor, f32, float) TRIG_OF(name, functor, f64, double)

#define MAP_OF(name, suffix, T) \
  extern "C" void name##_##suffix(T* out, const T* in, int64_t n) { m::map_##name(out, in, n); }
#define MAP(name) MAP_OF(name, f32, float) MAP_OF(name, f64, double)

// clang-format off
// Those that vectorise: the test reads the compiler's notes about these lines, up to the blank one.
UNARY(exp) UNARY(exp2) UNARY(expm1)
UNARY(log) UNARY(log2) UNARY(log10) UNARY(log1p)
UNARY(sin_near) UNARY(cos_near) UNARY(tan_near)
UNARY(asin) UNARY(acos) UNARY(atan)
UNARY(sinh) UNARY(cosh) UNARY(tanh)
UNARY(asinh) UNARY(acosh) UNARY(atanh)
UNARY(sigmoid) UNARY(erf) UNARY(gelu) UNARY(gelu_tanh) UNARY(silu) UNARY(mish)
UNARY(logit) UNARY(entr) UNARY(log1pexp) UNARY(log_sigmoid) UNARY(rsqrt)
BINARY(atan2) BINARY(xlogy) BINARY(xlog1py) BINARY(logaddexp) BINARY(logaddexp2)
BINARY(pow) BINARY_OF(hypot, f32, float)
UNARY(erfc) UNARY(erfcx) UNARY(ndtr) UNARY(ndtri) UNARY(log_ndtr)
UNARY(digamma) UNARY(trigamma)
UNARY(i0) UNARY(i0e) UNARY(i1) UNARY(i1e)
UNARY(modified_bessel_k0) UNARY(modified_bessel_k1)
UNARY(scaled_modified_bessel_k0) UNARY(scaled_modified_bessel_k1)

TRIG(sin, SinNear) TRIG(cos, CosNear) TRIG(tan, TanNear)
TRIG(bessel_j0, JNear<0>) TRIG(bessel_j1, JNear<1>) TRIG(bessel_y0, YNear<0>) TRIG(bessel_y1, YNear<1>)
BINARY_OF(hypot, f64, double)

UNARY(sinc) MAP(erfinv) MAP(lgamma) TRIG(spherical_bessel_j0, SphericalNear) UNARY(airy_ai)
BINARY(zeta) BINARY(igamma) BINARY(igammac)
BINARY(chebyshev_polynomial_t) BINARY(chebyshev_polynomial_u) BINARY(chebyshev_polynomial_v)
BINARY(chebyshev_polynomial_w) BINARY(shifted_chebyshev_polynomial_t) BINARY(shifted_chebyshev_polynomial_u)
BINARY(shifted_chebyshev_polynomial_v) BINARY(shifted_chebyshev_polynomial_w)
BINARY(hermite_polynomial_h) BINARY(hermite_polynomial_he) BINARY(laguerre_polynomial_l)
BINARY(legendre_polynomial_p)
// clang-format on

#define POLYGAMMA(suffix, T)                                                            \
  extern "C" void polygamma_##suffix(T* out, const T* n, const T* x, int64_t count) {   \
    for (int64_t i = 0; i < count; ++i) out[i] = m::polygamma(static_cast<int64_t>(n[i]), x[i]); \
  }
POLYGAMMA(f32, float)
POLYGAMMA(f64, double)

// 0 when either dtype's number is unknown.
extern "C" int convert_dtypes(int to, void* out, int from, const void* in, int64_t n) {
  if (to < 0 || from < 0 || to >= lumbre::kDTypeCount || from >= lumbre::kDTypeCount) return 0;
  lumbre::visit_dtype(static_cast<lumbre::DType>(to), [&](auto d) {
    lumbre::visit_dtype(static_cast<lumbre::DType>(from), [&](auto s) {
      lumbre::LB_LEVEL::convert(static_cast<decltype(d)*>(out), static_cast<const decltype(s)*>(in), n);
    });
  });
  return 1;
}
