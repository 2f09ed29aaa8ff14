// Conversions between all pairs of dtypes, as loops.
#include "base/level.h"
#include "kernels/loops.h"
#include "kernels/vectors.h"
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
    [[maybe_unused]] To* out = reinterpret_cast<To*>(data[0]);
    [[maybe_unused]] const auto* in = reinterpret_cast<const Stored<From>*>(data[1]);
    if constexpr (std::is_same_v<From, To>) {
      copy_run(data[0], data[1], count * static_cast<int64_t>(sizeof(To)));
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

// The same bytes, stored past the cache: for results too large to be found there again. No fence: what tells other
// threads of the result, the pool's counter or the interpreter's lock, is a locked instruction, which orders these too.
static void stream(char* to, const char* from, int64_t bytes) {
#ifdef __SSE2__
  while (bytes > 0 && reinterpret_cast<uintptr_t>(to) % 64) *to++ = *from++, --bytes;
  for (; bytes >= 64; to += 64, from += 64, bytes -= 64) {
#ifdef __AVX512F__
    _mm512_stream_si512(reinterpret_cast<__m512i*>(to), _mm512_loadu_si512(from));
#else
    for (int64_t i = 0; i < 64; i += 16)
      _mm_stream_si128(reinterpret_cast<__m128i*>(to + i), _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i)));
#endif
  }
#endif
  std::memcpy(to, from, static_cast<size_t>(bytes));
}

extern constinit const StreamLoop stream_table = &stream;

}  // namespace LB_LEVEL
}  // namespace lumbre

#if LB_BASELINE
#include "base/dispatch.h"
LB_LEVEL_TABLE(lumbre::ConversionTable, conversion_table)
LB_LEVEL_TABLE(lumbre::StreamLoop, stream_table)
namespace lumbre {
StreamLoop stream_loop() { return LB_BEST(stream_table); }
Loop conversion_loop(DType from, DType to) {
  return LB_BEST(conversion_table)[static_cast<size_t>(from)][static_cast<size_t>(to)];
}
}  // namespace lumbre
#endif
