// Sums, products, quotients.
#include "ops/pointwise.h"

namespace lumbre {
namespace LB_LEVEL {

struct Add : NumbersAndBool {
  template <class T>
  T operator()(T a, T b) const { return static_cast<T>(a + b); }
};
LB_LOOPS(Add, .name = "add");

struct AddScaled : NumbersAndBool {
  double real;
  int64_t integer;
  template <class T>
  T operator()(T a, T b) const {
    if constexpr (std::is_floating_point_v<T>) return a + static_cast<T>(real) * b;
    else return static_cast<T>(a + static_cast<T>(integer) * b);
  }
};
LB_LOOPS(AddScaled, .name = "add");

#if LB_BASELINE
// alpha must not be of a higher category than the result.
void check_alpha(Scalar alpha, const Tensor& input, const Operand& other) {
  PromotionState state;
  state.add(input);
  if (other.is_tensor()) state.add(other.tensor());
  else state.add(other.scalar());
  const DType result = state.result();
  LB_CHECK(!alpha.is_bool() || result == DType::Bool, Runtime, "Boolean alpha only supported for Boolean results.");
  LB_CHECK(is_floating(result) || !alpha.is_float(), Runtime,
           "For integral input tensors, argument alpha must not be a floating point number.");
}

Tensor add(const Out& out, const Tensor& input, Operand other, Scalar alpha) {
  if (alpha.kind() == Scalar::Kind::Int && alpha.as_int() == 1) return pointwise(Add_spec, out, {input, other});
  check_alpha(alpha, input, other);
  AddScaled scaled{.real = alpha.as_double(), .integer = alpha.as_int()};
  return pointwise(AddScaled_spec, out, {input, other}, &scaled);
}
#endif

LB_RECORD(.signature = "add(input, other, *, alpha=1, out=None)",
          .doc = R"(The sum input + alpha * other, element by element.

The shapes are broadcast and the dtypes promoted. `other` may be a number. Raises RuntimeError where the shapes do not
fit or `alpha` is of a higher category than the result.

>>> torch.add(torch.tensor([1., 2.]), torch.tensor([3., 4.]), alpha=10)
tensor([31., 42.]))",
          .forward = forward_of<add>, .derivative = kDerivativePlanned, .forms = kEveryForm);

}  // namespace LB_LEVEL
}  // namespace lumbre
