#include "kernels/pooling.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>

#include "base/level.h"

namespace lumbre {
namespace LB_LEVEL {

// Places are counted in numbers as wide as the elements, so that both fill the same lanes.
template <class T>
using PlaceOf = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;

template <class T>
constexpr T lowest() {
  return std::is_floating_point_v<T> ? -std::numeric_limits<T>::infinity() : std::numeric_limits<T>::lowest();
}

inline constexpr int64_t kMostTaps = 1024;

// The rows of input under one row of outputs, as offsets in the plane.
struct RowSpan {
  int64_t depth, height;  // the first place
  int64_t depths, heights;
};

inline RowSpan span_of(const PoolWindows& w, int64_t row) {
  const int64_t d = row / w.out[1], h = row % w.out[1];
  return {w.first[0][d], w.first[1][h], w.count[0][d], w.count[1][h]};
}

template <class F>
inline void for_rows(const PoolWindows& w, const RowSpan& s, F&& f) {
  for (int64_t d = 0; d < s.depths; ++d)
    for (int64_t h = 0; h < s.heights; ++h)
      f(((s.depth + d * w.step[0]) * w.in[1] + s.height + h * w.step[1]) * w.in[2]);
}

// What whole windows of a row cover, as distances from the place of their first tap in the plane's first row.
struct Taps {
  int64_t offset[kMostTaps];
  int64_t count = -1;
  RowSpan span{-1, -1, -1, -1};
};

inline bool list_taps(const PoolWindows& w, const RowSpan& s, Taps& taps) {
  const int64_t wide = w.high > w.low ? w.count[2][w.low] : 0;
  const int64_t reach = (s.depths * w.step[0] * w.in[1] + s.heights * w.step[1]) * w.in[2];
  if (wide == 0 || s.depths * s.heights * wide > kMostTaps || reach > INT32_MAX) return false;
  if (s.depths != taps.span.depths || s.heights != taps.span.heights) {
    taps.count = 0;
    for (int64_t d = 0; d < s.depths; ++d)
      for (int64_t h = 0; h < s.heights; ++h)
        for (int64_t k = 0; k < wide; ++k)
          taps.offset[taps.count++] = (d * w.step[0] * w.in[1] + h * w.step[1]) * w.in[2] + k * w.step[2];
  }
  taps.span = s;
  return true;
}

template <class T, int kLanes>
struct LanesOf {
  typedef T type __attribute__((vector_size(kLanes * sizeof(T))));
};
template <class T, int kLanes>
using Lanes = typename LanesOf<T, kLanes>::type;

// The even ones of twice as many elements.
template <class T, size_t... I>
inline Lanes<T, sizeof...(I)> even_lanes(const T* from, std::index_sequence<I...>) {
  Lanes<T, sizeof...(I)> low, high;
  std::memcpy(&low, from, sizeof(low));
  std::memcpy(&high, from + sizeof...(I), sizeof(high));
  return __builtin_shuffle(low, high, Lanes<PlaceOf<T>, sizeof...(I)>{static_cast<PlaceOf<T>>(2 * I)...});
}

// kLanes elements, kStride apart (0: as many as `stride` says).
template <class T, int kLanes, int kStride>
inline Lanes<T, kLanes> load_lanes(const T* from, int64_t stride) {
  if constexpr (kStride == 2) return even_lanes(from, std::make_index_sequence<kLanes>{});
  Lanes<T, kLanes> lanes;
  if constexpr (kStride == 1) {
    std::memcpy(&lanes, from, sizeof(lanes));
  } else {
    for (int l = 0; l < kLanes; ++l) lanes[l] = from[l * stride];
  }
  return lanes;
}

template <class T, int kLanes, int kStride>
inline void max_block(const T* in, const Taps& taps, int64_t stride, int64_t place, T* out, int64_t* where) {
  using Place = PlaceOf<T>;
  Lanes<T, kLanes> best = Lanes<T, kLanes>{} + lowest<T>();
  Lanes<Place, kLanes> at{};
  for (int64_t t = 0; t < taps.count; ++t) {
    const Lanes<T, kLanes> v = load_lanes<T, kLanes, kStride>(in + taps.offset[t], stride);
    const auto take = (v > best) | (v != v);
    best = take ? v : best;
    at = take ? Lanes<Place, kLanes>{} + static_cast<Place>(taps.offset[t]) : at;
  }
  std::memcpy(out, &best, sizeof(best));
  for (int l = 0; l < kLanes; ++l) where[l] = at[l] + (place + l * (kStride ? kStride : stride));
}

template <class T, int kLanes, int kStride>
inline void sum_block(const T* in, const Taps& taps, int64_t stride, T* out) {
  Lanes<T, kLanes> sum{};
  for (int64_t t = 0; t < taps.count; ++t) sum += load_lanes<T, kLanes, kStride>(in + taps.offset[t], stride);
  std::memcpy(out, &sum, sizeof(sum));
}

// Runs block(output, lanes, stride) over the whole windows of a row, as far as blocks fit into what is left of the
// input and of the outputs: a block may compute outputs behind the row, which are written again afterwards. Says where
// it stopped.
template <class F>
inline int64_t in_blocks(const PoolWindows& w, int64_t reach, int64_t in_left, int64_t out_left, F&& block) {
  int64_t o = w.low;
  while (o < w.high) {
    const bool narrow = w.high - o <= 8;
    const int64_t lanes = narrow ? 8 : 16;
    if (o + lanes > out_left || reach + (o - w.low + lanes) * w.stride > in_left) break;
    if (narrow)
      block(o, std::integral_constant<int, 8>{});
    else
      block(o, std::integral_constant<int, 16>{});
    o += lanes;
  }
  return o < w.high ? o : w.high;
}

template <class F>
inline void with_stride(int64_t stride, F&& f) {
  if (stride == 1) return f(std::integral_constant<int, 1>{});
  if (stride == 2) return f(std::integral_constant<int, 2>{});
  f(std::integral_constant<int, 0>{});
}

template <class T>
void max_window(const PoolWindows& w, const RowSpan& s, const T* plane, int64_t o, T* out, int64_t* where) {
  const int64_t first = w.first[2][o], count = w.count[2][o];
  T best = lowest<T>();
  int64_t at = (s.depth * w.in[1] + s.height) * w.in[2] + first;
  for_rows(w, s, [&](int64_t row) {
    for (int64_t k = 0; k < count; ++k) {
      const int64_t place = row + first + k * w.step[2];
      const T v = plane[place];
      if (v > best || v != v) best = v, at = place;
    }
  });
  // A window that covers nothing has its first place outside.
  *out = best;
  *where = std::clamp<int64_t>(at, 0, w.in_size() - 1);
}

// The elements that are read behind the first tap of the first whole window.
inline int64_t reach_of(const Taps& taps) { return taps.offset[taps.count - 1] + 1; }

template <class T, int kStride>
void max_rows(const PoolWindows& w, const T* in, int64_t elements, int64_t begin, int64_t end, T* out, int64_t* where) {
  Taps taps;
  for (int64_t r = begin; r < end; ++r) {
    const T* plane = in + r / w.rows() * w.in_size();
    const RowSpan s = span_of(w, r % w.rows());
    T* o = out + r * w.out[2];
    int64_t* at = where + r * w.out[2];
    int64_t done = w.low;
    if (list_taps(w, s, taps) && taps.count > 0) {
      const int64_t start = (s.depth * w.in[1] + s.height) * w.in[2] + w.first[2][w.low];
      const int64_t in_left = elements - (plane - in) - start, out_left = (end - r) * w.out[2];
      done = in_blocks(w, reach_of(taps), in_left, out_left, [&](int64_t i, auto lanes) {
        const int64_t place = start + (i - w.low) * w.stride;
        max_block<T, lanes(), kStride>(plane + place, taps, w.stride, place, o + i, at + i);
      });
    }
    for (int64_t i = 0; i < w.low; ++i) max_window(w, s, plane, i, o + i, at + i);
    for (int64_t i = done; i < w.out[2]; ++i) max_window(w, s, plane, i, o + i, at + i);
  }
}

template <class T>
void max_pool(const PoolWindows& w, const void* in, int64_t elements, int64_t begin, int64_t end, void* out,
              int64_t* where) {
  with_stride(w.stride, [&](auto stride) {
    max_rows<T, stride()>(w, static_cast<const T*>(in), elements, begin, end, static_cast<T*>(out), where);
  });
}

// False where a place is outside of its plane.
template <class T>
bool max_pool_back(int64_t in_size, int64_t out_size, const void* out, const int64_t* where, int64_t begin, int64_t end,
                   void* in) {
  for (int64_t p = begin; p < end; ++p) {
    T* to = static_cast<T*>(in) + p * in_size;
    const T* from = static_cast<const T*>(out) + p * out_size;
    const int64_t* at = where + p * out_size;
    std::memset(to, 0, static_cast<size_t>(in_size) * sizeof(T));
    for (int64_t i = 0; i < out_size; ++i) {
      if (at[i] < 0 || at[i] >= in_size) return false;
      to[at[i]] = static_cast<T>(to[at[i]] + from[i]);
    }
  }
  return true;
}

// Integers divided by nothing, for windows that cover nothing, give nothing.
template <class T>
inline T shared(T sum, int64_t by) {
  if constexpr (std::is_floating_point_v<T>) {
    return sum / static_cast<T>(by);
  } else {
    if (by == 0) return 0;
    return by == -1 ? static_cast<T>(uint64_t{0} - static_cast<uint64_t>(sum)) : static_cast<T>(sum / by);
  }
}

template <class T>
T sum_window(const PoolWindows& w, const RowSpan& s, const T* plane, int64_t o) {
  T sum = 0;
  for_rows(w, s, [&](int64_t row) {
    const T* from = plane + row + w.first[2][o];
    for (int64_t k = 0; k < w.count[2][o]; ++k) sum = static_cast<T>(sum + from[k * w.step[2]]);
  });
  return sum;
}

template <class T, int kStride>
void average_rows(const PoolWindows& w, const T* in, int64_t elements, int64_t begin, int64_t end,
                  const int64_t* divisors, int64_t divisor, T* out) {
  Taps taps;
  for (int64_t r = begin; r < end; ++r) {
    const T* plane = in + r / w.rows() * w.in_size();
    const RowSpan s = span_of(w, r % w.rows());
    T* o = out + r * w.out[2];
    int64_t done = w.low;
    if (list_taps(w, s, taps) && taps.count > 0) {
      const int64_t start = (s.depth * w.in[1] + s.height) * w.in[2] + w.first[2][w.low];
      const int64_t in_left = elements - (plane - in) - start, out_left = (end - r) * w.out[2];
      done = in_blocks(w, reach_of(taps), in_left, out_left, [&](int64_t i, auto lanes) {
        sum_block<T, lanes(), kStride>(plane + start + (i - w.low) * w.stride, taps, w.stride, o + i);
      });
    }
    for (int64_t i = 0; i < w.low; ++i) o[i] = sum_window(w, s, plane, i);
    for (int64_t i = done; i < w.out[2]; ++i) o[i] = sum_window(w, s, plane, i);
    if (divisors) {
      const int64_t* by = divisors + r % w.rows() * w.out[2];
      for (int64_t i = 0; i < w.out[2]; ++i) o[i] = shared(o[i], by[i]);
    } else {
      for (int64_t i = 0; i < w.out[2]; ++i) o[i] = shared(o[i], divisor);
    }
  }
}

template <class T>
void average_pool(const PoolWindows& w, const void* in, int64_t elements, int64_t begin, int64_t end,
                  const int64_t* divisors, int64_t divisor, void* out) {
  with_stride(w.stride, [&](auto stride) {
    average_rows<T, stride()>(w, static_cast<const T*>(in), elements, begin, end, divisors, divisor,
                              static_cast<T*>(out));
  });
}

template <class T, int kStride>
void spread_row(const PoolWindows& w, const RowSpan& s, const T* shares, T* plane) {
  for_rows(w, s, [&](int64_t row) {
    T* __restrict to = plane + row;
    const auto edge = [&](int64_t o) {
      for (int64_t k = 0; k < w.count[2][o]; ++k)
        to[w.first[2][o] + k * w.step[2]] = static_cast<T>(to[w.first[2][o] + k * w.step[2]] + shares[o]);
    };
    for (int64_t o = 0; o < w.low; ++o) edge(o);
    if (w.high > w.low)
      for (int64_t k = 0; k < w.count[2][w.low]; ++k) {
        T* at = to + w.first[2][w.low] + k * w.step[2];
        const T* __restrict g = shares + w.low;
        const int64_t n = w.high - w.low, stride = kStride ? kStride : w.stride;
        for (int64_t o = 0; o < n; ++o) at[o * stride] = static_cast<T>(at[o * stride] + g[o]);
      }
    for (int64_t o = w.high > w.low ? w.high : w.low; o < w.out[2]; ++o) edge(o);
  });
}

template <class T>
void average_pool_back(const PoolWindows& w, const void* out, int64_t begin, int64_t end, const int64_t* divisors,
                       int64_t divisor, void* in) {
  constexpr int64_t kLongest = 1024;
  T buffer[kLongest];
  PoolWindows part = w;
  for (int64_t p = begin; p < end; ++p) {
    T* plane = static_cast<T*>(in) + p * w.in_size();
    std::memset(plane, 0, static_cast<size_t>(w.in_size()) * sizeof(T));
    for (int64_t r = 0; r < w.rows(); ++r) {
      const RowSpan s = span_of(w, r);
      for (int64_t from = 0; from < w.out[2]; from += kLongest) {
        const int64_t n = w.out[2] - from < kLongest ? w.out[2] - from : kLongest;
        const T* g = static_cast<const T*>(out) + p * w.out_size() + r * w.out[2] + from;
        for (int64_t i = 0; i < n; ++i) {
          const int64_t by = divisors ? divisors[r * w.out[2] + from + i] : divisor;
          buffer[i] = shared(g[i], by);
        }
        const auto within = [&](int64_t o) { return o < from ? 0 : o - from < n ? o - from : n; };
        part.first[2] = w.first[2] + from;
        part.count[2] = w.count[2] + from;
        part.out[2] = n;
        part.low = within(w.low);
        part.high = within(w.high);
        with_stride(w.stride, [&](auto stride) { spread_row<T, stride()>(part, s, buffer, plane); });
      }
    }
  }
}

template <class T>
inline constexpr PoolingLoops kPooling{&max_pool<T>, &max_pool_back<T>, &average_pool<T>, &average_pool_back<T>};

extern constinit const PoolingTable pooling_loops{
    {{}, {}, {}, {}, {}, kPooling<int64_t>, {}, {}, kPooling<float>, kPooling<double>}};

}  // namespace LB_LEVEL
}  // namespace lumbre

#if LB_BASELINE
#include "base/dispatch.h"
LB_LEVEL_TABLE(lumbre::PoolingTable, pooling_loops)
namespace lumbre {
const PoolingTable& pooling_table() { return LB_BEST(pooling_loops); }
}  // namespace lumbre
#endif
