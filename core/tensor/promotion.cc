#include "tensor/promotion.h"

namespace lumbre {

DType promote_types(DType a, DType b) {
  if (a == b) return a;
  if (a > b) std::swap(a, b);
  // a is now the lower in the order Bool, UInt8, Int8 ... Int64, Float16, BFloat16, Float32, Float64.
  if (a == DType::UInt8 && b == DType::Int8) return DType::Int16;
  if (a == DType::Float16 && b == DType::BFloat16) return DType::Float32;
  return b;
}

bool can_cast(DType from, DType to) {
  const auto category = [](DType dtype) { return is_floating(dtype) ? 2 : dtype == DType::Bool ? 0 : 1; };
  return category(from) <= category(to);
}

namespace {
// `low` matters only where it is of a higher category than what `high` settled.
std::optional<DType> combine(std::optional<DType> high, std::optional<DType> low) {
  if (!high) return low;
  if (!low || can_cast(*low, *high)) return high;
  return promote_types(*high, *low);
}
}  // namespace

DType PromotionState::result() const {
  const auto result = combine(dimensioned_, combine(zero_dim_, number_));
  return result ? *result : default_dtype();
}

}  // namespace lumbre
