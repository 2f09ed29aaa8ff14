// Conversions between all pairs of dtypes, as loops.
#include "base/level.h"
#include "kernels/loops.h"
#include "tensor/plan.h"

namespace lumbre {

using ConversionTable = std::array<std::array<Loop, kDTypeCount>, kDTypeCount>;

namespace LB_LEVEL {

template <class From, class To>
To converted(From value) {
  if constexpr (std::is_same_v<From, To>)
    return value;
  else if constexpr (is_half_type<From>)
    return converted<float, To>(static_cast<float>(value));
  else if constexpr (is_half_type<To>)
    return To(static_cast<float>(value));
  else if constexpr (std::is_same_v<To, bool>)
    return value != From(0);
  else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To> && sizeof(To) < 4)
    return static_cast<To>(static_cast<int32_t>(value));
  else
    return static_cast<To>(value);
}

template <class To>
void fill(void* data, To value, int64_t count) {
  using Bits = std::conditional_t<
      sizeof(To) == 1, uint8_t,
      std::conditional_t<sizeof(To) == 2, uint16_t, std::conditional_t<sizeof(To) == 4, uint32_t, uint64_t>>>;
  Bits bits;
  std::memcpy(&bits, &value, sizeof(bits));
  Bits* out = static_cast<Bits*>(data);
  for (int64_t i = 0; i < count; ++i) out[i] = bits;
}

template <class From, class To>
void conversion(char* const* data, const int64_t* strides, int64_t count, const void*) {
  if (strides[0] == sizeof(To) && strides[1] == sizeof(From)) {
    To* out = reinterpret_cast<To*>(data[0]);
    const auto* in = reinterpret_cast<const Stored<From>*>(data[1]);
    if constexpr (std::is_same_v<From, To>) {
      std::memmove(out, in, static_cast<size_t>(count) * sizeof(To));
    } else {
#pragma GCC ivdep
      for (int64_t i = 0; i < count; ++i) out[i] = converted<Stored<From>, To>(in[i]);
    }
    return;
  }
  if (strides[0] == sizeof(To) && strides[1] == 0)
    return fill(data[0], converted<From, To>(*reinterpret_cast<const From*>(data[1])), count);
  if constexpr (std::is_same_v<From, To>) {
    if (strides[0] == sizeof(To) && strides[1] == 2 * sizeof(From)) {  // every second element
      To* out = reinterpret_cast<To*>(data[0]);
      const From* in = reinterpret_cast<const From*>(data[1]);
#pragma GCC ivdep
      for (int64_t i = 0; i < count; ++i) out[i] = in[2 * i];
      return;
    }
  }
  char* out = data[0];
  const char* in = data[1];
  for (int64_t i = 0; i < count; ++i, out += strides[0], in += strides[1])
    *reinterpret_cast<To*>(out) = converted<From, To>(*reinterpret_cast<const From*>(in));
}

template <class From>
constexpr std::array<Loop, kDTypeCount> row() {
  return {&conversion<From, bool>,    &conversion<From, uint8_t>,  &conversion<From, int8_t>,
          &conversion<From, int16_t>, &conversion<From, int32_t>,  &conversion<From, int64_t>,
          &conversion<From, Half>,    &conversion<From, BFloat16>, &conversion<From, float>,
          &conversion<From, double>};
}

extern constinit const ConversionTable conversion_table = {
    row<bool>(),    row<uint8_t>(), row<int8_t>(),   row<int16_t>(), row<int32_t>(),
    row<int64_t>(), row<Half>(),    row<BFloat16>(), row<float>(),   row<double>()};

}  // namespace LB_LEVEL
}  // namespace lumbre

#if LB_BASELINE
#include "base/dispatch.h"
LB_LEVEL_TABLE(lumbre::ConversionTable, conversion_table)
namespace lumbre {
Loop conversion_loop(DType from, DType to) {
  return LB_BEST(conversion_table)[static_cast<size_t>(from)][static_cast<size_t>(to)];
}
}  // namespace lumbre
#endif
