// Vectors of the register width of the level, for loops that the compiler does not turn into them by itself.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "base/half.h"
#include "base/level.h"

#ifdef __SSE2__
#include <immintrin.h>
#endif

namespace lumbre {
namespace LB_LEVEL {

#if defined(__AVX512F__)
inline constexpr int kVectorBytes = 64;
#elif defined(__AVX2__)
inline constexpr int kVectorBytes = 32;
#else
inline constexpr int kVectorBytes = 16;
#endif

template <class T>
using Vector __attribute__((vector_size(kVectorBytes))) = T;
template <class T>
inline constexpr int64_t kVectorLanes = kVectorBytes / static_cast<int64_t>(sizeof(T));

template <class T>
[[gnu::always_inline]] inline Vector<T> load_vector(const T* from) {
  Vector<T> v;
  std::memcpy(&v, from, sizeof(v));
  return v;
}
// Half a vector of halfwords, each a word. Of a conversion between vectors the compiler makes four instructions.
[[gnu::always_inline]] inline Vector<uint32_t> widened(const void* from) {
  typedef uint16_t Words __attribute__((vector_size(kVectorBytes / 2)));
  Words words;
  std::memcpy(&words, from, sizeof(words));
#if defined(__AVX512F__)
  return reinterpret_cast<Vector<uint32_t>>(_mm512_maskz_cvtepu16_epi32(0xffff, reinterpret_cast<__m256i>(words)));
#elif defined(__AVX2__)
  return reinterpret_cast<Vector<uint32_t>>(_mm256_cvtepu16_epi32(reinterpret_cast<__m128i>(words)));
#else
  return __builtin_convertvector(words, Vector<uint32_t>);
#endif
}
// kVectorLanes<T> elements of type S as a vector of T.
template <class T, class S>
[[gnu::always_inline]] inline Vector<T> load_as(const S* from) {
  if constexpr (std::is_same_v<S, BFloat16>) {
    return std::bit_cast<Vector<float>>(widened(from) << 16);
  } else {
    return load_vector(from);
  }
}
template <class T, class V>
[[gnu::always_inline]] inline void store_vector(T* to, const V& v) {
  std::memcpy(to, &v, sizeof(v));
}

// Bytes that do not overlap, or are the same. The library's copy takes a string instruction for some kilobytes, which
// is ten times slower where the two addresses are nearly alike in their low twelve bits, as those of shifted rows are.
inline void copy_run(char* to, const char* from, int64_t bytes) {
  using Bytes = Vector<char>;
  constexpr int64_t width = sizeof(Bytes);
  if (to == from) return;
  if (bytes < width) {
    std::memcpy(to, from, static_cast<size_t>(bytes));
    return;
  }
  int64_t i = 0;
  for (; i + 4 * width <= bytes; i += 4 * width) {
    const Bytes a = load_vector(from + i), b = load_vector(from + i + width), c = load_vector(from + i + 2 * width),
                d = load_vector(from + i + 3 * width);
    store_vector(to + i, a);
    store_vector(to + i + width, b);
    store_vector(to + i + 2 * width, c);
    store_vector(to + i + 3 * width, d);
  }
  for (; i + width <= bytes; i += width) store_vector(to + i, load_vector(from + i));
  if (i < bytes) store_vector(to + bytes - width, load_vector(from + bytes - width));
}

// b > a ? b : a and b < a ? b : a: one instruction each, which the compiler does not see in a choice between vectors.
#ifdef __SSE2__
#if defined(__AVX512F__)
// With a full mask: the plain forms start from a register that the compiler takes for uninitialised.
#define LB_WIDE(name, ...) _mm512_maskz_##name(static_cast<__mmask16>(sizeof(b[0]) == 4 ? 0xffff : 0xff), __VA_ARGS__)
#elif defined(__AVX2__)
#define LB_WIDE(name, ...) _mm256_##name(__VA_ARGS__)
#else
#define LB_WIDE(name, ...) _mm_##name(__VA_ARGS__)
#endif
[[gnu::always_inline]] inline Vector<float> greater_of(Vector<float> b, Vector<float> a) {
  return LB_WIDE(max_ps, b, a);
}
[[gnu::always_inline]] inline Vector<double> greater_of(Vector<double> b, Vector<double> a) {
  return LB_WIDE(max_pd, b, a);
}
[[gnu::always_inline]] inline Vector<float> lesser_of(Vector<float> b, Vector<float> a) {
  return LB_WIDE(min_ps, b, a);
}
[[gnu::always_inline]] inline Vector<double> lesser_of(Vector<double> b, Vector<double> a) {
  return LB_WIDE(min_pd, b, a);
}
#undef LB_WIDE
#endif
template <class X>
[[gnu::always_inline]] inline X greater_of(X b, X a) {
  return b > a ? b : a;
}
template <class X>
[[gnu::always_inline]] inline X lesser_of(X b, X a) {
  return b < a ? b : a;
}

// Signed integers of T's width: what compares of vectors of T give, and what shuffles take.
template <class T>
using LaneIndex = std::conditional_t<
    sizeof(T) == 1, int8_t,
    std::conditional_t<sizeof(T) == 2, int16_t, std::conditional_t<sizeof(T) == 4, int32_t, int64_t>>>;

}  // namespace LB_LEVEL
}  // namespace lumbre
