#include "kernels/convolution.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/level.h"

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

namespace lumbre {
namespace LB_LEVEL {

#if defined(__AVX512F__)
inline constexpr int kVectorBytes = 64;
inline constexpr int kRowBlock = 8;
#elif defined(__AVX__)
inline constexpr int kVectorBytes = 32;
inline constexpr int kRowBlock = 4;
#else
inline constexpr int kVectorBytes = 16;
inline constexpr int kRowBlock = 4;
#endif
inline constexpr int kColumnVectors = 3;
// Taps that are multiplied before the next: their weights and planes stay in the first cache.
inline constexpr int64_t kTapBlock = 384;

template <class T>
struct VectorOf;
template <>
struct VectorOf<float> {
  typedef float type __attribute__((vector_size(kVectorBytes), aligned(4), may_alias));
};
template <>
struct VectorOf<double> {
  typedef double type __attribute__((vector_size(kVectorBytes), aligned(8), may_alias));
};
template <>
struct VectorOf<int64_t> {
  typedef int64_t type __attribute__((vector_size(kVectorBytes), aligned(8), may_alias));
};
template <class T>
using Vector = typename VectorOf<T>::type;
template <class T>
inline constexpr int kLanes = kVectorBytes / static_cast<int>(sizeof(T));

template <class T>
inline Vector<T> load(const T* p) {
  return *reinterpret_cast<const Vector<T>*>(p);
}
template <class T>
inline void store(T* p, Vector<T> v) {
  *reinterpret_cast<Vector<T>*>(p) = v;
}

// out[i] = from[i] for begin <= i < end, zero for the other i < count. Rows are short: with masks, a vector of them
// costs no more than an element.
template <class T>
inline void copy_between(const T* from, int64_t begin, int64_t end, int64_t count, T* out) {
#if defined(__AVX512F__)
  constexpr int64_t kL = kLanes<T>;
  const auto below = [](int64_t n) { return n >= kL ? 0xffffu : n <= 0 ? 0u : (1u << n) - 1; };
  for (int64_t i = 0; i < count; i += kL) {
    const unsigned there = below(end - i) & ~below(begin - i), written = below(count - i);
    if constexpr (sizeof(T) == 4)
      _mm512_mask_storeu_epi32(out + i, static_cast<__mmask16>(written),
                               _mm512_maskz_loadu_epi32(static_cast<__mmask16>(there), from + i));
    else
      _mm512_mask_storeu_epi64(out + i, static_cast<__mmask8>(written),
                               _mm512_maskz_loadu_epi64(static_cast<__mmask8>(there), from + i));
  }
#else
  for (int64_t i = 0; i < begin; ++i) out[i] = 0;
  for (int64_t i = begin; i < end; ++i) out[i] = from[i];
  for (int64_t i = end; i < count; ++i) out[i] = 0;
#endif
}

// out[i] = from[2 * i] for i < count.
template <class T, size_t... I>
inline void copy_even(const T* from, int64_t count, T* out, std::index_sequence<I...>) {
  constexpr int64_t kL = sizeof...(I);
  int64_t i = 0;
  // A pair of vectors ends with an element that is not taken, which may lie behind the row: one is left over.
  for (; i + kL < count; i += kL)
    store(out + i, __builtin_shufflevector(load(from + 2 * i), load(from + 2 * i + kL), (2 * I)...));
  for (; i < count; ++i) out[i] = from[2 * i];
}

// A row of a plane from every `step`-th of a row of the image. Out of line, so that rows of step 1 are packed in line.
template <class T>
[[gnu::noinline]] void pack_apart(const T* row, int64_t size, int64_t start, int64_t step, T* out, int64_t count) {
  const int64_t first = start >= 0 ? 0 : (-start + step - 1) / step;
  const int64_t last = start >= size ? 0 : (size - 1 - start) / step + 1;
  const int64_t begin = first < count ? first : count;
  const int64_t end = last < begin ? begin : last < count ? last : count;
  for (int64_t i = 0; i < begin; ++i) out[i] = 0;
  if (step == 2 && begin < end)
    copy_even(row + start + 2 * begin, end - begin, out + begin, std::make_index_sequence<kLanes<T>>{});
  else
    for (int64_t i = begin; i < end; ++i) out[i] = row[start + i * step];
  for (int64_t i = end; i < count; ++i) out[i] = 0;
}

template <class T>
inline void pack_row(const T* row, int64_t size, int64_t start, int64_t step, T* out, int64_t count) {
  if (step != 1) return pack_apart(row, size, start, step, out, count);
  const int64_t first = std::clamp<int64_t>(-start, 0, count);
  copy_between(row + start, first, std::clamp<int64_t>(size - start, first, count), count, out);
}

template <class T>
void pack_plane(const PlaneLayout& l, const T* image, const int64_t* start, T* out) {
  const int64_t width = l.plane[2];
  for (int64_t d = 0; d < l.plane[0]; ++d) {
    const int64_t z = start[0] + d * l.step[0];
    for (int64_t h = 0; h < l.plane[1]; ++h, out += width) {
      const int64_t y = start[1] + h * l.step[1];
      if (z < 0 || z >= l.image[0] || y < 0 || y >= l.image[1])
        std::memset(out, 0, static_cast<size_t>(width) * sizeof(T));
      else
        pack_row(image + (z * l.image[1] + y) * l.image[2], l.image[2], start[2], l.step[2], out, width);
    }
  }
}

template <class T>
void pack_planes(const PlaneLayout& l, const void* image, int64_t image_stride, int64_t channel_stride,
                 int64_t channels, int64_t count, void* scratch) {
  const int64_t size = l.plane_size();
  T* out = static_cast<T*>(scratch);
  for (int64_t c = 0; c < channels; ++c) {
    for (int64_t fd = 0; fd < l.phases[0]; ++fd)
      for (int64_t fh = 0; fh < l.phases[1]; ++fh)
        for (int64_t fw = 0; fw < l.phases[2]; ++fw, out += l.phase_pitch()) {
          const int64_t start[3] = {l.start[0][fd], l.start[1][fh], l.start[2][fw]};
          for (int64_t n = 0; n < count; ++n)
            pack_plane(l, static_cast<const T*>(image) + n * image_stride + c * channel_stride, start, out + n * size);
          std::memset(out + count * size, 0, static_cast<size_t>((l.images - count) * size) * sizeof(T));
        }
    std::memset(out, 0, static_cast<size_t>(l.gap) * sizeof(T));
    out += l.gap;
  }
}

// R rows of weights times C vectors of the run, all sums in registers.
template <class T, int R, int C>
inline void multiply_tile(const T* planes, const int64_t* offsets, int64_t taps, const T* weights, const T* bias,
                          bool first, T* sums, int64_t pitch) {
  constexpr int kL = kLanes<T>;
  Vector<T> s[R][C];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
    for (int c = 0; c < C; ++c)
      s[r][c] = first ? Vector<T>{} + (bias ? bias[r] : T(0)) : load(sums + r * pitch + c * kL);
  for (int64_t t = 0; t < taps; ++t) {
    const T* p = planes + offsets[t];
    Vector<T> x[C];
#pragma GCC unroll 4
    for (int c = 0; c < C; ++c) x[c] = load(p + c * kL);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const Vector<T> w = weights[t * R + r] - Vector<T>{};  // a broadcast without an addition
#pragma GCC unroll 4
      for (int c = 0; c < C; ++c) s[r][c] += w * x[c];
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
    for (int c = 0; c < C; ++c) store(sums + r * pitch + c * kL, s[r][c]);
}

template <class T, int R>
void multiply_rows(const T* planes, const int64_t* offsets, int64_t taps, const T* weights, const T* bias, int64_t run,
                   T* sums, int64_t pitch) {
  constexpr int64_t kL = kLanes<T>;
  int64_t t = 0;
  do {
    const int64_t block = taps - t < kTapBlock ? taps - t : kTapBlock;
    const bool first = t == 0;
    const int64_t* o = offsets + t;
    const T* w = weights + t * R;
    int64_t i = 0;
    for (; i + (kColumnVectors - 1) * kL < run; i += kColumnVectors * kL)
      multiply_tile<T, R, kColumnVectors>(planes + i, o, block, w, bias, first, sums + i, pitch);
    if (i + kL < run)
      multiply_tile<T, R, 2>(planes + i, o, block, w, bias, first, sums + i, pitch);
    else if (i < run)
      multiply_tile<T, R, 1>(planes + i, o, block, w, bias, first, sums + i, pitch);
    t += block;
  } while (t < taps);
}

template <class T>
void multiply_planes(const void* planes_data, const int64_t* offsets, int64_t taps, const void* weights, int rows,
                     const void* bias, int64_t run, void* sums, int64_t pitch) {
  const auto call = [&](auto rows_function) {
    rows_function(static_cast<const T*>(planes_data), offsets, taps, static_cast<const T*>(weights),
                  static_cast<const T*>(bias), run, static_cast<T*>(sums), pitch);
  };
  if constexpr (kRowBlock == 8) {
    if (rows == 8) return call(&multiply_rows<T, 8>);
    if (rows == 7) return call(&multiply_rows<T, 7>);
    if (rows == 6) return call(&multiply_rows<T, 6>);
    if (rows == 5) return call(&multiply_rows<T, 5>);
  }
  if (rows == 4) return call(&multiply_rows<T, 4>);
  if (rows == 3) return call(&multiply_rows<T, 3>);
  if (rows == 2) return call(&multiply_rows<T, 2>);
  call(&multiply_rows<T, 1>);
}

// The sum of all lanes, by halves, in registers.
template <class V, size_t... I>
inline auto half_sum(V v, std::index_sequence<I...>) {
  return __builtin_shufflevector(v, v, I...) + __builtin_shufflevector(v, v, (sizeof...(I) + I)...);
}
template <class T, int kCount, class V>
inline T sum_of(V v) {
  if constexpr (kCount == 2)
    return v[0] + v[1];
  else
    return sum_of<T, kCount / 2>(half_sum(v, std::make_index_sequence<kCount / 2>{}));
}
template <class T>
inline T lane_sum(Vector<T> v) {
  return sum_of<T, kLanes<T>>(v);
}

template <class T, int R, int C>
inline void correlate_tile(const T* rows, int64_t row_pitch, const T* planes, const int64_t* offsets, int64_t run,
                           T* target, int64_t pitch) {
  constexpr int64_t kL = kLanes<T>;
  Vector<T> s[R][C] = {};
  const T* p[C];
#pragma GCC unroll 8
  for (int c = 0; c < C; ++c) p[c] = planes + offsets[c];
  for (int64_t i = 0; i < run; i += kL) {
    Vector<T> g[R];
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) g[r] = load(rows + r * row_pitch + i);
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) {
      const Vector<T> x = load(p[c] + i);
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) s[r][c] += g[r] * x;
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) target[r * pitch + c] += lane_sum<T>(s[r][c]);
}

template <class T, int R>
void correlate_rows(const T* rows, int64_t row_pitch, const T* planes, const int64_t* offsets, int64_t columns,
                    int64_t run, T* target, int64_t pitch) {
  constexpr int kC = kRowBlock == 8 ? 6 : 3;
  int64_t c = 0;
  for (; c + kC <= columns; c += kC)
    correlate_tile<T, R, kC>(rows, row_pitch, planes, offsets + c, run, target + c, pitch);
  if constexpr (kC == 6)
    for (; c + 3 <= columns; c += 3)
      correlate_tile<T, R, 3>(rows, row_pitch, planes, offsets + c, run, target + c, pitch);
  for (; c < columns; ++c) correlate_tile<T, R, 1>(rows, row_pitch, planes, offsets + c, run, target + c, pitch);
}

// The run is taken in parts that stay in the first cache. Behind it, rows hold zeros.
template <class T>
void correlate_planes(const void* rows_data, int64_t row_pitch, int64_t row_count, const void* planes_data,
                      const int64_t* offsets, int64_t columns, int64_t run, void* target_data, int64_t pitch) {
  constexpr int64_t kPart = 4096 / sizeof(T);
  for (int64_t i = 0; i < run; i += kPart) {
    const int64_t part = run - i < kPart ? run - i : kPart;
    const T* planes = static_cast<const T*>(planes_data) + i;
    for (int64_t r = 0; r < row_count;) {
      const T* rows = static_cast<const T*>(rows_data) + r * row_pitch + i;
      T* target = static_cast<T*>(target_data) + r * pitch;
      const int64_t left = row_count - r;
      if (left >= 4) {
        correlate_rows<T, 4>(rows, row_pitch, planes, offsets, columns, part, target, pitch);
        r += 4;
      } else if (left >= 2) {
        correlate_rows<T, 2>(rows, row_pitch, planes, offsets, columns, part, target, pitch);
        r += 2;
      } else {
        correlate_rows<T, 1>(rows, row_pitch, planes, offsets, columns, part, target, pitch);
        r += 1;
      }
    }
  }
}

template <class T>
void unpack_planes(const PlaneResult& r, const void* sums, void* image) {
  for (int64_t d = 0; d < r.count[0]; ++d)
    for (int64_t h = 0; h < r.count[1]; ++h) {
      const T* from = static_cast<const T*>(sums) + d * r.from[0] + h * r.from[1];
      T* to = static_cast<T*>(image) + d * r.to[0] + h * r.to[1];
      const int64_t step = r.to[2];
      if (step == 1)
        copy_between(from, 0, r.count[2], r.count[2], to);
      else
        for (int64_t w = 0; w < r.count[2]; ++w) to[w * step] = from[w];
    }
}

template <class T>
constexpr ConvolutionLoops convolution_loops_of() {
  return {&pack_planes<T>,   &multiply_planes<T>, &correlate_planes<T>,
          &unpack_planes<T>, kRowBlock,           kColumnVectors * kLanes<T>};
}

extern constinit const ConvolutionTable convolution_loops = {{{},
                                                              {},
                                                              {},
                                                              {},
                                                              {},
                                                              convolution_loops_of<int64_t>(),
                                                              {},
                                                              {},
                                                              convolution_loops_of<float>(),
                                                              convolution_loops_of<double>()}};

}  // namespace LB_LEVEL
}  // namespace lumbre

#if LB_BASELINE
#include "base/dispatch.h"
LB_LEVEL_TABLE(lumbre::ConvolutionTable, convolution_loops)
namespace lumbre {
const ConvolutionTable& convolution_table() { return LB_BEST(convolution_loops); }
}  // namespace lumbre
#endif
