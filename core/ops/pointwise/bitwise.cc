// Operations on the bits of integers; number theory.
#include "ops/pointwise.h"

namespace lumbre {
namespace LB_LEVEL {

#define LB_BITWISE(F, op)            \
  struct F : IntegersAndBool {       \
    template <class T>               \
    T operator()(T a, T b) const {   \
      return static_cast<T>(a op b); \
    }                                \
  }

LB_BITWISE(BitAnd, &);
LB_LOOPS(BitAnd, .name = "bitwise_and_cpu", .accepts = kIntegralDTypes);
LB_BITWISE(BitOr, |);
LB_LOOPS(BitOr, .name = "bitwise_or_cpu", .accepts = kIntegralDTypes);
LB_BITWISE(BitXor, ^);
LB_LOOPS(BitXor, .name = "bitwise_xor_cpu", .accepts = kIntegralDTypes);

struct BitNot : IntegersAndBool {
  template <class T>
  T operator()(T x) const {
    if constexpr (std::is_same_v<T, bool>)
      return !x;
    else
      return static_cast<T>(~x);
  }
};
LB_LOOPS(BitNot, .name = "bitwise_not_cpu", .accepts = kIntegralDTypes);
LB_RECORD(.signature = "bitwise_not(input, *, out=None)",
          .doc = R"(The complement of each element's bits; of bool, the negation.

>>> torch.bitwise_not(torch.tensor([0, 1]))
tensor([-1, -2]))",
          .forward = forward_of<unary_forward<BitNot_spec>>, .derivative = kNotDifferentiable, .forms = kEveryForm);

// Shifts by the width or more (or by a negative count) leave nothing but, to the right, the sign.
struct LeftShift : Integers {
  template <class T>
  T operator()(T a, T b) const {
    constexpr auto width = static_cast<int64_t>(sizeof(T) * 8);
    if (static_cast<int64_t>(b) < 0 || static_cast<int64_t>(b) >= width) return 0;
    return static_cast<T>(static_cast<uint64_t>(a) << b);
  }
};
LB_LOOPS(LeftShift, .name = "lshift_cpu", .accepts = kIntegralDTypes & kNumberDTypes);
struct RightShift : Integers {
  template <class T>
  T operator()(T a, T b) const {
    constexpr auto width = static_cast<int64_t>(sizeof(T) * 8);
    const bool outside = static_cast<int64_t>(b) < 0 || static_cast<int64_t>(b) >= width;
    if constexpr (std::is_signed_v<T>)
      return static_cast<T>(a >> (outside ? width - 1 : static_cast<int64_t>(b)));
    else
      return outside ? T(0) : static_cast<T>(a >> b);
  }
};
LB_LOOPS(RightShift, .name = "rshift_cpu", .accepts = kIntegralDTypes & kNumberDTypes);

struct Gcd : Integers {
  template <class T>
  T operator()(T a, T b) const {
    using U = std::make_unsigned_t<T>;
    U x = a < 0 ? static_cast<U>(-static_cast<U>(a)) : static_cast<U>(a),
      y = b < 0 ? static_cast<U>(-static_cast<U>(b)) : static_cast<U>(b);
    while (y) {
      const U rest = static_cast<U>(x % y);
      x = y;
      y = rest;
    }
    return static_cast<T>(x);
  }
};
LB_LOOPS(Gcd, .name = "gcd_cpu", .accepts = kIntegralDTypes & kNumberDTypes);
struct Lcm : Integers {
  template <class T>
  T operator()(T a, T b) const {
    const T g = Gcd{}(a, b);
    if (g == 0) return 0;
    const auto product = static_cast<T>(static_cast<uint64_t>(a / g) * static_cast<uint64_t>(b));
    return product < 0 ? static_cast<T>(-static_cast<uint64_t>(product)) : product;
  }
};
LB_LOOPS(Lcm, .name = "lcm_cpu", .accepts = kIntegralDTypes & kNumberDTypes);

#if LB_BASELINE
template <const PointwiseSpec& spec>
Tensor reversed_bitwise(const Out& out, const Tensor& input, Operand other) {
  return pointwise(spec, out, {other, input});
}
#endif
LB_RECORD(.signature = "bitwise_and(input, other, *, out=None)",
          .doc = R"(The bits that both elements have. Integers and bool.

>>> torch.bitwise_and(torch.tensor([6]), 3)
tensor([2]))",
          .forward = forward_of<binary_forward<BitAnd_spec>>, .derivative = kNotDifferentiable, .forms = kEveryForm,
          .aliases = "__and__ __rand__");
LB_RECORD(.signature = "bitwise_or(input, other, *, out=None)",
          .doc = R"(The bits that at least one element has. Integers and bool.

>>> torch.bitwise_or(torch.tensor([6]), 3)
tensor([7]))",
          .forward = forward_of<binary_forward<BitOr_spec>>, .derivative = kNotDifferentiable, .forms = kEveryForm,
          .aliases = "__or__ __ror__");
LB_RECORD(.signature = "bitwise_xor(input, other, *, out=None)",
          .doc = R"(The bits that exactly one element has. Integers and bool.

>>> torch.bitwise_xor(torch.tensor([6]), 3)
tensor([5]))",
          .forward = forward_of<binary_forward<BitXor_spec>>, .derivative = kNotDifferentiable, .forms = kEveryForm,
          .aliases = "__xor__ __rxor__");
LB_RECORD(.signature = "bitwise_left_shift(input, other, *, out=None)",
          .doc = R"(Bits moved to the left by `other` places.

>>> torch.bitwise_left_shift(torch.tensor([1, 2]), 3)
tensor([ 8, 16]))",
          .forward = forward_of<binary_forward<LeftShift_spec>>, .derivative = kNotDifferentiable, .forms = kEveryForm,
          .aliases = "__lshift__");
LB_RECORD(.signature = "bitwise_right_shift(input, other, *, out=None)",
          .doc = R"(Bits moved to the right by `other` places; the sign stays.

>>> torch.bitwise_right_shift(torch.tensor([8, -16]), 3)
tensor([ 1, -2]))",
          .forward = forward_of<binary_forward<RightShift_spec>>, .derivative = kNotDifferentiable, .forms = kEveryForm,
          .aliases = "__rshift__");
LB_RECORD(.signature = "bitwise_and(input, other, *, out=None)", .doc = R"(The same with a number first.

>>> torch.bitwise_and(6, torch.tensor([3]))
tensor([2]))",
          .forward = forward_of<number_forward<BitAnd_spec>>, .derivative = kNotDifferentiable, .forms = kFunction);
LB_RECORD(.signature = "bitwise_or(input, other, *, out=None)", .doc = R"(The same with a number first.

>>> torch.bitwise_or(6, torch.tensor([3]))
tensor([7]))",
          .forward = forward_of<number_forward<BitOr_spec>>, .derivative = kNotDifferentiable, .forms = kFunction);
LB_RECORD(.signature = "bitwise_xor(input, other, *, out=None)", .doc = R"(The same with a number first.

>>> torch.bitwise_xor(6, torch.tensor([3]))
tensor([5]))",
          .forward = forward_of<number_forward<BitXor_spec>>, .derivative = kNotDifferentiable, .forms = kFunction);
LB_RECORD(.signature = "bitwise_left_shift(input, other, *, out=None)", .doc = R"(The same with a number first.

>>> torch.bitwise_left_shift(1, torch.tensor([3]))
tensor([8]))",
          .forward = forward_of<number_forward<LeftShift_spec>>, .derivative = kNotDifferentiable, .forms = kFunction);
LB_RECORD(.signature = "bitwise_right_shift(input, other, *, out=None)", .doc = R"(The same with a number first.

>>> torch.bitwise_right_shift(8, torch.tensor([3]))
tensor([1]))",
          .forward = forward_of<number_forward<RightShift_spec>>, .derivative = kNotDifferentiable, .forms = kFunction);
LB_RECORD(.signature = "_reversed_left_shift(input, other)", .doc = "other << input.",
          .forward = forward_of<reversed_bitwise<LeftShift_spec>>, .derivative = kNotDifferentiable, .forms = kHidden);
LB_RECORD(.signature = "_reversed_right_shift(input, other)", .doc = "other >> input.",
          .forward = forward_of<reversed_bitwise<RightShift_spec>>, .derivative = kNotDifferentiable, .forms = kHidden);
LB_RECORD(.signature = "gcd(input, other, *, out=None)",
          .doc = R"(The greatest common divisor, pair by pair; gcd(0, 0) is 0.

>>> torch.gcd(torch.tensor([12]), torch.tensor([18]))
tensor([6]))",
          .forward = forward_of<tensors_forward<Gcd_spec>>, .derivative = kNotDifferentiable, .forms = kUnaryForms);
LB_RECORD(.signature = "lcm(input, other, *, out=None)", .doc = R"(The least common multiple, pair by pair.

>>> torch.lcm(torch.tensor([4]), torch.tensor([6]))
tensor([12]))",
          .forward = forward_of<tensors_forward<Lcm_spec>>, .derivative = kNotDifferentiable, .forms = kUnaryForms);

}  // namespace LB_LEVEL
}  // namespace lumbre
