#include "kernels/reduce.h"

#include <algorithm>
#include <cstring>
#include <type_traits>
#include <utility>

#include "base/level.h"
#include "kernels/math.h"
#include "kernels/vectors.h"

namespace lumbre {
namespace LB_LEVEL {

constexpr int64_t kLeafVectors = 256;    // vectors that are folded one after the other,
constexpr int64_t kBoughVectors = 8192;  // and whose results are, before pairs are
constexpr int64_t kColumnBlock = 1024;   // columns that are folded together: their partial results stay in the cache
constexpr int64_t kRowBlock = 512;       // rows whose partial results are folded together
constexpr int64_t kNarrow = 64;          // columns below which several rows are taken for one
constexpr int64_t kPiece = 512;          // elements whose exponentials are kept at a time

struct SumFold {
  template <class T>
  static T start() {
    return T(0);
  }
  template <class T>
  static T fold(T a, T b) {
    if constexpr (std::is_integral_v<T>)
      return static_cast<T>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
    else
      return a + b;
  }
};
struct ProdFold {
  template <class T>
  static T start() {
    return T(1);
  }
  template <class T>
  static T fold(T a, T b) {
    if constexpr (std::is_integral_v<T>)
      return static_cast<T>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
    else
      return a * b;
  }
};
// NaN, once met, stays. beats: whether b takes the place of a that was met before; NaN beats all but NaN.
struct MaxFold {
  template <class T>
  static T start() {
    return std::is_floating_point_v<T> ? -std::numeric_limits<T>::infinity() : std::numeric_limits<T>::lowest();
  }
  template <class T>
  static T fold(T a, T b) {
    const T larger = greater_of(b, a);
    return b != b ? b : larger;
  }
  template <class T>
  static bool beats(T b, T a) {
    return (a == a) & !(b <= a);
  }
};
struct MinFold {
  template <class T>
  static T start() {
    return std::is_floating_point_v<T> ? std::numeric_limits<T>::infinity() : std::numeric_limits<T>::max();
  }
  template <class T>
  static T fold(T a, T b) {
    const T smaller = lesser_of(b, a);
    return b != b ? b : smaller;
  }
  template <class T>
  static bool beats(T b, T a) {
    return (a == a) & !(b >= a);
  }
};

// All lanes folded into one: each half onto the other, then the quarters of that.
template <class F, class T, int64_t kShift = kVectorLanes<T> / 2, size_t... lane>
T fold_lanes(const Vector<T>& v, std::index_sequence<lane...> sequence) {
  const Vector<T> other =
      __builtin_shuffle(v, Vector<LaneIndex<T>>{static_cast<LaneIndex<T>>((lane + kShift) % sizeof...(lane))...});
  const Vector<T> folded = F::template fold<Vector<T>>(v, other);
  if constexpr (kShift > 1)
    return fold_lanes<F, T, kShift / 2>(folded, sequence);
  else
    return folded[0];
}

// Four chains, so that none waits for the result before it.
template <class F, class T, class S, class Map>
[[gnu::always_inline]] inline Vector<T> fold_leaf(const S* in, int64_t vectors, Map map) {
  constexpr int64_t kWidth = kVectorLanes<T>;
  const auto at = [&](int64_t i) -> Vector<T> { return map(load_as<T>(in + i * kWidth)); };
  const auto fold = [](const Vector<T>& a, const Vector<T>& b) { return F::template fold<Vector<T>>(a, b); };
  Vector<T> first = at(0);
  int64_t i = 1;
  if (vectors >= 4) {
    Vector<T> second = at(1), third = at(2), fourth = at(3);
    for (i = 4; i + 4 <= vectors; i += 4) {
      first = fold(first, at(i));
      second = fold(second, at(i + 1));
      third = fold(third, at(i + 2));
      fourth = fold(fourth, at(i + 3));
    }
    first = fold(fold(first, second), fold(third, fourth));
  }
  for (; i < vectors; ++i) first = fold(first, at(i));
  return first;
}

// Leaves one after the other up to a bough, pairwise over boughs: the rounding error grows with the logarithm of the
// length. Within a bough everything stays in registers: results on the stack would hold up loads from addresses of the
// same low bits.
template <class F, class T, class S, class Map>
Vector<T> fold_leaves(const S* in, int64_t vectors, Map map) {
  if (vectors > kBoughVectors) {
    const int64_t half = (vectors / 2 + kBoughVectors - 1) / kBoughVectors * kBoughVectors;
    return F::template fold<Vector<T>>(fold_leaves<F, T>(in, half, map),
                                       fold_leaves<F, T>(in + half * kVectorLanes<T>, vectors - half, map));
  }
  Vector<T> total = fold_leaf<F, T>(in, std::min(vectors, kLeafVectors), map);
  for (int64_t from = kLeafVectors; from < vectors; from += kLeafVectors)
    total = F::template fold<Vector<T>>(
        total, fold_leaf<F, T>(in + from * kVectorLanes<T>, std::min(vectors - from, kLeafVectors), map));
  return total;
}

// v's last `count` lanes, the others being `other`.
template <class T, size_t... lane>
Vector<T> last_lanes(const Vector<T>& v, int64_t count, T other, std::index_sequence<lane...>) {
  using Lane = LaneIndex<T>;
  const Vector<Lane> places{static_cast<Lane>(lane)...};
  const Vector<Lane> first = Vector<Lane>{} + static_cast<Lane>(static_cast<int64_t>(sizeof...(lane)) - count);
  return places >= first ? v : Vector<T>{} + other;
}

template <class F, class T, class S, class Map>
T fold_row(const S* in, int64_t n, Map map) {
  constexpr int64_t kWidth = kVectorLanes<T>;
  if (n >= kWidth) {
    Vector<T> total = fold_leaves<F, T>(in, n / kWidth, map);
    // The last elements come in a vector of which some lanes are folded already.
    if (const int64_t rest = n % kWidth)
      total =
          F::template fold<Vector<T>>(total, last_lanes<T>(map(load_as<T>(in + n - kWidth)), rest,
                                                           F::template start<T>(), std::make_index_sequence<kWidth>{}));
    return fold_lanes<F, T>(total, std::make_index_sequence<kWidth>{});
  }
  T result = F::template start<T>();
  for (int64_t i = 0; i < n; ++i) result = F::fold(result, static_cast<T>(map(static_cast<T>(in[i]))));
  return result;
}

// Folds `rows` rows of `width` columns, `pitch` elements apart, into part.
template <class F, class T, class S, class Map>
void fold_rows(const S* in, int64_t rows, int64_t width, int64_t pitch, T* __restrict part, Map map) {
  const auto at = [map](S x) { return static_cast<T>(map(static_cast<T>(x))); };
  for (int64_t j = 0; j < width; ++j) part[j] = F::template start<T>();
  int64_t i = 0;
  for (; i + 4 <= rows; i += 4) {
    const S* __restrict line = in + i * pitch;
    for (int64_t j = 0; j < width; ++j) {
      const T low = F::fold(at(line[j]), at(line[j + pitch]));
      const T high = F::fold(at(line[j + 2 * pitch]), at(line[j + 3 * pitch]));
      part[j] = F::fold(part[j], F::fold(low, high));
    }
  }
  for (; i < rows; ++i) {
    const S* __restrict line = in + i * pitch;
    for (int64_t j = 0; j < width; ++j) part[j] = F::fold(part[j], at(line[j]));
  }
}

// map_at(column) gives the map of the columns from there on.
template <class F, class T, class S, class MapAt>
void fold_columns(const S* in, int64_t n, int64_t b, int64_t pitch, T* out, MapAt map_at) {
  T total[kColumnBlock], part[kColumnBlock];
  for (int64_t from = 0; from < b; from += kColumnBlock) {
    const int64_t width = std::min(kColumnBlock, b - from);
    const auto map = map_at(from);
    fold_rows<F>(in + from, std::min(n, kRowBlock), width, pitch, total, map);
    for (int64_t row = kRowBlock; row < n; row += kRowBlock) {
      fold_rows<F>(in + row * pitch + from, std::min(n - row, kRowBlock), width, pitch, part, map);
      for (int64_t j = 0; j < width; ++j) total[j] = F::fold(total[j], part[j]);
    }
    for (int64_t j = 0; j < width; ++j) out[from + j] = total[j];
  }
}

// Rows, or columns whose map is the same everywhere.
template <class F, class T, class S, class Map>
void fold_any(const S* in, int64_t n, int64_t b, int64_t pitch, T* out, Map map) {
  if (b == 1 && pitch == 1) {
    *out = fold_row<F, T>(in, n, map);
    return;
  }
  const auto same_map = [map](int64_t) { return map; };
  const int64_t joined = kNarrow / b;
  if (joined < 2 || pitch != b || n < 4 * joined) return fold_columns<F>(in, n, b, pitch, out, same_map);
  // A few columns make a vector only together: of `joined` rows, and of what is left.
  T part[kNarrow];
  const int64_t lines = n / joined, done = lines * joined;
  fold_columns<F>(in, lines, b * joined, b * joined, part, same_map);
  fold_columns<F>(in + done * b, n - done, b, b, out, same_map);
  for (int64_t k = 0; k < joined; ++k)
    for (int64_t j = 0; j < b; ++j) out[j] = F::fold(out[j], part[k * b + j]);
}

// Maps of the elements; of single ones and of vectors.
struct Identity {
  template <class X>
  X operator()(X x) const {
    return x;
  }
};
struct Magnitude {
  template <class X>
  X operator()(X x) const {
    return x > X{} ? x : X{} - x;
  }
};
struct Square {
  template <class X>
  X operator()(X x) const {
    return x * x;
  }
};
struct NotZero {
  template <class X>
  X operator()(X x) const {
    return x != X{} ? X{} + 1 : X{};
  }
};
template <class T>
struct SquaredDeviation {
  T mean;
  template <class X>
  X operator()(X x) const {
    const X d = x - mean;
    return d * d;
  }
};

template <class F, class S, class T = S>
void reduce(const void* in, int64_t n, int64_t b, int64_t pitch, void* out) {
  fold_any<F>(static_cast<const S*>(in), n, b, pitch, static_cast<T*>(out), Identity{});
}

// How many bytes are 1, the others being 0. A byte counts up to 255 of them.
inline void count_columns(const uint8_t* in, int64_t n, int64_t b, int64_t pitch, int64_t* out) {
  constexpr int64_t kByteRows = 255;
  uint8_t part[kColumnBlock];
  for (int64_t from = 0; from < b; from += kColumnBlock) {
    const int64_t width = std::min(kColumnBlock, b - from);
    for (int64_t j = 0; j < width; ++j) out[from + j] = 0;
    for (int64_t row = 0; row < n; row += kByteRows) {
      for (int64_t j = 0; j < width; ++j) part[j] = 0;
      for (int64_t i = row; i < std::min(n, row + kByteRows); ++i) {
        const uint8_t* __restrict line = in + i * pitch + from;
        for (int64_t j = 0; j < width; ++j) part[j] = static_cast<uint8_t>(part[j] + line[j]);
      }
      for (int64_t j = 0; j < width; ++j) out[from + j] += part[j];
    }
  }
}
inline void count_true(const void* data, int64_t n, int64_t b, int64_t pitch, void* result) {
  const auto* in = static_cast<const uint8_t*>(data);
  auto* out = static_cast<int64_t*>(result);
  if (b != 1 || pitch != 1) return count_columns(in, n, b, pitch, out);
  constexpr int64_t kLine = 256;  // a row is counted as columns
  int64_t counts[kLine], total = 0;
  count_columns(in, n / kLine, kLine, kLine, counts);
  for (int64_t j = 0; j < kLine; ++j) total += counts[j];
  for (int64_t i = n / kLine * kLine; i < n; ++i) total += in[i];
  *out = total;
}

// The first position of `best`, or of the first NaN where that is what it is; there is one.
template <class T>
int64_t find(const T* in, int64_t n, T best) {
  constexpr int64_t kBlock = 256;
  const auto is_it = [best](T x) { return (x == best) | ((best != best) & (x != x)); };
  int64_t i = 0;
  for (; i + kBlock < n; i += kBlock) {
    int found = 0;
    for (int64_t k = 0; k < kBlock; ++k) found |= is_it(in[i + k]);
    if (found) break;
  }
  while (i + 1 < n && !is_it(in[i])) ++i;
  return i;
}

// The first position of the extreme; the first NaN wins.
template <class F, class T>
void arg(const void* data, int64_t n, int64_t b, int64_t pitch, int64_t* out) {
  const T* in = static_cast<const T*>(data);
  if (b == 1 && pitch == 1) {
    *out = find(in, n, fold_row<F, T>(in, n, Identity{}));
    return;
  }
  using Position = std::conditional_t<sizeof(T) == 8, int64_t, int32_t>;
  constexpr int64_t kMaxRows = int64_t{1} << 30;  // that a Position counts
  T best[kColumnBlock];
  Position at[kColumnBlock];
  for (int64_t from = 0; from < b; from += kColumnBlock) {
    const int64_t width = std::min(kColumnBlock, b - from);
    for (int64_t j = 0; j < width; ++j) {
      best[j] = in[from + j];
      out[from + j] = 0;
    }
    for (int64_t start = 0; start < n; start += kMaxRows) {
      const auto rows = static_cast<Position>(std::min(kMaxRows, n - start));
      for (int64_t j = 0; j < width; ++j) at[j] = -1;
      for (Position i = 0; i < rows; ++i) {
        const T* __restrict line = in + (start + i) * pitch + from;
        for (int64_t j = 0; j < width; ++j) {
          const bool better = F::beats(line[j], best[j]);
          best[j] = better ? line[j] : best[j];
          at[j] = better ? i : at[j];
        }
      }
      for (int64_t j = 0; j < width; ++j)
        if (at[j] >= 0) out[from + j] = start + at[j];
    }
  }
}

template <class T>
void moments(const void* data, int64_t n, int64_t b, void* mean_data, void* squares_data) {
  const T* in = static_cast<const T*>(data);
  T *mean = static_cast<T*>(mean_data), *squares = static_cast<T*>(squares_data);
  if (b == 1) {
    *mean = fold_row<SumFold, T>(in, n, Identity{}) / static_cast<T>(n);
    *squares = fold_row<SumFold, T>(in, n, SquaredDeviation<T>{*mean});
    return;
  }
  fold_any<SumFold>(in, n, b, b, mean, Identity{});
  for (int64_t j = 0; j < b; ++j) mean[j] /= static_cast<T>(n);
  for (int64_t from = 0; from < b; from += kColumnBlock) {
    const int64_t width = std::min(kColumnBlock, b - from);
    T total[kColumnBlock] = {}, part[kColumnBlock];
    for (int64_t row = 0; row < n; row += kRowBlock) {
      for (int64_t j = 0; j < width; ++j) part[j] = 0;
      for (int64_t i = row; i < std::min(n, row + kRowBlock); ++i)
        for (int64_t j = 0; j < width; ++j) {
          const T d = in[i * b + from + j] - mean[from + j];
          part[j] += d * d;
        }
      for (int64_t j = 0; j < width; ++j) total[j] += part[j];
    }
    for (int64_t j = 0; j < width; ++j) squares[from + j] = total[j];
  }
}

// The sum of map(x) over a row, for maps of single elements: a piece of them is written out and folded at a time.
template <class T, class Map>
T sum_of(const T* in, int64_t n, Map map) {
  T piece[kPiece], total = 0;
  for (int64_t from = 0; from < n; from += kPiece) {
    const int64_t width = std::min(kPiece, n - from);
    for (int64_t i = 0; i < width; ++i) piece[i] = map(in[from + i]);
    total += fold_row<SumFold, T>(piece, width, Identity{});
  }
  return total;
}

template <class T>
void norm(const void* data, int64_t n, int64_t b, int64_t pitch, double p, void* result) {
  const T* in = static_cast<const T*>(data);
  T* out = static_cast<T*>(result);
  if (p == std::numeric_limits<double>::infinity()) return fold_any<MaxFold>(in, n, b, pitch, out, Magnitude{});
  if (p == -std::numeric_limits<double>::infinity()) return fold_any<MinFold>(in, n, b, pitch, out, Magnitude{});
  if (p == 0) return fold_any<SumFold>(in, n, b, pitch, out, NotZero{});
  if (p == 1) return fold_any<SumFold>(in, n, b, pitch, out, Magnitude{});
  if (p == 2) return fold_any<SumFold>(in, n, b, pitch, out, Square{});
  const auto power = [p](T x) { return math::pow(math::abs(x), static_cast<T>(p)); };
  if (b == 1 && pitch == 1)
    *out = sum_of(in, n, power);
  else
    fold_columns<SumFold>(in, n, b, pitch, out, [power](int64_t) { return power; });
}

// What is subtracted before exp: the maximum, or 0 where that is infinite.
template <class T>
T finite_or_zero(T x) {
  return x == math::kInf<T> || x == -math::kInf<T> ? T(0) : x;
}

template <class T>
void logsumexp(const void* data, int64_t n, int64_t b, int64_t pitch, void* result) {
  const T* in = static_cast<const T*>(data);
  T* out = static_cast<T*>(result);
  if (b == 1 && pitch == 1) {
    const T top = finite_or_zero(fold_row<MaxFold, T>(in, n, Identity{}));
    *out = math::log(sum_of(in, n, [top](T x) { return math::exp(x - top); })) + top;
    return;
  }
  T top[kColumnBlock], sum[kColumnBlock];
  for (int64_t from = 0; from < b; from += kColumnBlock) {
    const int64_t width = std::min(kColumnBlock, b - from);
    fold_rows<MaxFold>(in + from, n, width, pitch, top, Identity{});
    for (int64_t j = 0; j < width; ++j) top[j] = finite_or_zero(top[j]);
    for (int64_t j = 0; j < width; ++j) sum[j] = 0;
    for (int64_t i = 0; i < n; ++i) {
      const T* __restrict line = in + i * pitch + from;
      for (int64_t j = 0; j < width; ++j) sum[j] += math::exp(line[j] - top[j]);
    }
    for (int64_t j = 0; j < width; ++j) out[from + j] = math::log(sum[j]) + top[j];
  }
}

template <class T, bool kLog>
void softmax(const void* data, int64_t n, int64_t b, void* result) {
  const T* in = static_cast<const T*>(data);
  T* out = static_cast<T*>(result);
  if (b == 1) {
    const T top = fold_row<MaxFold, T>(in, n, Identity{});
    if constexpr (kLog) {
      const T shift = math::log(sum_of(in, n, [top](T x) { return math::exp(x - top); })) + top;
      const bool plain = shift == shift;
      for (int64_t i = 0; i < n; ++i) out[i] = plain ? in[i] - shift : math::kNan<T>;
    } else {
      for (int64_t i = 0; i < n; ++i) out[i] = math::exp(in[i] - top);
      const T scale = T(1) / fold_row<SumFold, T>(out, n, Identity{});
      for (int64_t i = 0; i < n; ++i) out[i] *= scale;
    }
    return;
  }
  for (int64_t from = 0; from < b; from += kColumnBlock) {
    const int64_t width = std::min(kColumnBlock, b - from);
    T top[kColumnBlock], sum[kColumnBlock] = {};
    for (int64_t j = 0; j < width; ++j) top[j] = in[from + j];
    for (int64_t i = 1; i < n; ++i)
      for (int64_t j = 0; j < width; ++j) top[j] = MaxFold::fold(top[j], in[i * b + from + j]);
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < width; ++j) {
        const T e = math::exp(in[i * b + from + j] - top[j]);
        sum[j] += e;
        if constexpr (!kLog) out[i * b + from + j] = e;
      }
    for (int64_t j = 0; j < width; ++j) sum[j] = kLog ? math::log(sum[j]) + top[j] : T(1) / sum[j];
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < width; ++j) {
        T& target = out[i * b + from + j];
        target = kLog ? in[i * b + from + j] - sum[j] : target * sum[j];
      }
  }
}

template <class F, class T>
void scan(const void* data, int64_t n, int64_t b, void* result) {
  const T* in = static_cast<const T*>(data);
  T* out = static_cast<T*>(result);
  // float accumulates in double: the running value must not lose what it has.
  using A = std::conditional_t<std::is_same_v<T, float>, double, T>;
  if (b == 1) {
    A running = F::template start<A>();
    for (int64_t i = 0; i < n; ++i) out[i] = static_cast<T>(running = F::fold(running, static_cast<A>(in[i])));
    return;
  }
  A running[kColumnBlock];
  for (int64_t from = 0; from < b; from += kColumnBlock) {
    const int64_t width = std::min(kColumnBlock, b - from);
    std::fill_n(running, width, F::template start<A>());
    for (int64_t i = from; i < n * b; i += b)
#pragma GCC ivdep
      for (int64_t j = 0; j < width; ++j)
        out[i + j] = static_cast<T>(running[j] = F::fold(running[j], static_cast<A>(in[i + j])));
  }
}

#define LB_EACH_SUM(f, of_bfloat16, ...) \
  {nullptr,                              \
   nullptr,                              \
   nullptr,                              \
   nullptr,                              \
   nullptr,                              \
   &f<__VA_ARGS__ int64_t>,              \
   nullptr,                              \
   of_bfloat16,                          \
   &f<__VA_ARGS__ float>,                \
   &f<__VA_ARGS__ double>}
#define LB_EACH_ORDER(f, F)                                                                \
  {&f<F, uint8_t>, &f<F, uint8_t>, &f<F, int8_t>,          &f<F, int16_t>, &f<F, int32_t>, \
   &f<F, int64_t>, nullptr,        &f<F, BFloat16, float>, &f<F, float>,   &f<F, double>}
#define LB_EACH_POSITION(f, F) \
  {nullptr, nullptr, nullptr, nullptr, &f<F, int32_t>, &f<F, int64_t>, nullptr, nullptr, &f<F, float>, &f<F, double>}
#define LB_EACH_FLOAT(...) {nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, __VA_ARGS__}

extern constinit const ReduceTable reduce_loops = {LB_EACH_SUM(reduce, (&reduce<SumFold, BFloat16, float>), SumFold, ),
                                                   LB_EACH_SUM(reduce, nullptr, ProdFold, ),
                                                   LB_EACH_ORDER(reduce, MaxFold),
                                                   LB_EACH_ORDER(reduce, MinFold),
                                                   &count_true,
                                                   LB_EACH_POSITION(arg, MaxFold),
                                                   LB_EACH_POSITION(arg, MinFold),
                                                   LB_EACH_FLOAT(&moments<float>, &moments<double>),
                                                   LB_EACH_FLOAT(&norm<float>, &norm<double>),
                                                   LB_EACH_FLOAT(&logsumexp<float>, &logsumexp<double>),
                                                   LB_EACH_FLOAT(&softmax<float, false>, &softmax<double, false>),
                                                   LB_EACH_FLOAT(&softmax<float, true>, &softmax<double, true>),
                                                   LB_EACH_SUM(scan, nullptr, SumFold, ),
                                                   LB_EACH_SUM(scan, nullptr, ProdFold, )};

}  // namespace LB_LEVEL
}  // namespace lumbre

#if LB_BASELINE
#include "base/dispatch.h"
LB_LEVEL_TABLE(lumbre::ReduceTable, reduce_loops)
namespace lumbre {
const ReduceTable& reduce_table() { return LB_BEST(reduce_loops); }
}  // namespace lumbre
#endif
