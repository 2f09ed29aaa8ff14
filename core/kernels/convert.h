// Bulk conversion between element types, with the values that PyTorch's conversions have on x86: floats become integers
// through a 32- or 64-bit truncation whose out-of-range result is the lowest integer, then lose their high bits.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "base/dtype.h"
#include "base/level.h"

#ifdef __F16C__
#include <immintrin.h>
#endif

namespace lumbre {
namespace LB_LEVEL {

// C leaves float to integer outside the range undefined; these pin cvttss2si's answer.
template <class F>
[[gnu::always_inline]] inline int32_t truncate32(F x) {
  constexpr F limit = F(0x1p31);
  const bool inside = (x < limit) & (x > -limit - F(1));
  const int32_t y = static_cast<int32_t>(inside ? x : F(0));
  return inside ? y : INT32_MIN;
}

template <class F>
[[gnu::always_inline]] inline int64_t truncate64(F x) {
  constexpr F limit = F(0x1p63);
  const bool inside = (x < limit) & (x >= -limit);
  const int64_t y = static_cast<int64_t>(inside ? x : F(0));
  return inside ? y : INT64_MIN;
}

template <class To, class From>
[[gnu::always_inline]] inline To convert_one(From x) {
  if constexpr (std::is_same_v<To, From>)
    return x;
  else if constexpr (is_half_type<From>)
    return convert_one<To>(static_cast<float>(x));
  else if constexpr (is_half_type<To>)
    return To(static_cast<float>(x));
  else if constexpr (std::is_same_v<To, bool>)
    return x != From(0);
  else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    if constexpr (sizeof(To) == 8 || std::is_same_v<To, uint8_t>)
      return static_cast<To>(truncate64(x));
    else
      return static_cast<To>(truncate32(x));
  } else
    return static_cast<To>(x);
}

#ifdef __F16C__
// Elements [i, n) that the vector loops leave are done by the caller.
inline int64_t half_to_float_blocks(float* out, const Half* in, int64_t n) {
  int64_t i = 0;
#ifdef __AVX512F__
  for (; i + 16 <= n; i += 16)
    _mm512_storeu_ps(out + i,
                     _mm512_maskz_cvtph_ps(0xffff, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(in + i))));
#endif
  for (; i + 8 <= n; i += 8)
    _mm256_storeu_ps(out + i, _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(in + i))));
  return i;
}

inline int64_t float_to_half_blocks(Half* out, const float* in, int64_t n) {
  int64_t i = 0;
#ifdef __AVX512F__
  for (; i + 16 <= n; i += 16)
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i), _mm512_maskz_cvtps_ph(0xffff, _mm512_loadu_ps(in + i), 0));
#endif
  for (; i + 8 <= n; i += 8)
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i), _mm256_cvtps_ph(_mm256_loadu_ps(in + i), 0));
  return i;
}
#endif

// out and in do not overlap, unless the types are the same.
template <class To, class From>
void convert(To* out, const From* in, int64_t n) {
  int64_t i = 0;
  if constexpr (std::is_same_v<To, From>) {
    if (n > 0) std::memmove(out, in, static_cast<size_t>(n) * sizeof(To));
    return;
  } else if constexpr ((is_half_type<From> && !std::is_same_v<To, float>) ||
                       (is_half_type<To> && !std::is_same_v<From, float>)) {
    // Through float32, in pieces that stay in the first-level cache.
    float piece[512];
    for (; i < n; i += 512) {
      const int64_t count = n - i < 512 ? n - i : 512;
      convert(piece, in + i, count);
      convert(out + i, piece, count);
    }
    return;
  }
#ifdef __F16C__
  if constexpr (std::is_same_v<From, Half> && std::is_same_v<To, float>) i = half_to_float_blocks(out, in, n);
  if constexpr (std::is_same_v<From, float> && std::is_same_v<To, Half>) i = float_to_half_blocks(out, in, n);
#endif
#pragma GCC ivdep
  for (; i < n; ++i) out[i] = convert_one<To>(in[i]);
}

}  // namespace LB_LEVEL
}  // namespace lumbre
