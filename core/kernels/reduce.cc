#include "kernels/reduce.h"

#include <algorithm>
#include <cstring>
#include <type_traits>
#include <utility>

#include "base/level.h"
#include "kernels/math.h"

namespace lumbre {
namespace LB_LEVEL {

constexpr int64_t kLanes = 32;         // partial results of a short row,
constexpr int64_t kWideLanes = 64;     // of a long one
constexpr int64_t kLeaf = 4096;        // elements that one set of lanes takes before it is folded
constexpr int64_t kColumnBlock = 256;  // columns that are reduced together
constexpr int64_t kRowBlock = 512;     // rows whose partial results are folded together

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
// NaN, once met, stays.
struct MaxFold {
  template <class T>
  static T start() {
    return std::is_floating_point_v<T> ? -std::numeric_limits<T>::infinity() : std::numeric_limits<T>::lowest();
  }
  template <class T>
  static T fold(T a, T b) {
    const T larger = b > a ? b : a;
    return b != b ? b : larger;
  }
};
struct MinFold {
  template <class T>
  static T start() {
    return std::is_floating_point_v<T> ? std::numeric_limits<T>::infinity() : std::numeric_limits<T>::max();
  }
  template <class T>
  static T fold(T a, T b) {
    const T smaller = b < a ? b : a;
    return b != b ? b : smaller;
  }
};

template <class T>
using LaneIndex = std::conditional_t<
    sizeof(T) == 1, int8_t,
    std::conditional_t<sizeof(T) == 2, int16_t, std::conditional_t<sizeof(T) == 4, int32_t, int64_t>>>;
constexpr int kHalf = kLanes / 2;
template <class T>
using HalfVector __attribute__((vector_size(kHalf * sizeof(T)))) = T;

// All lanes folded into one: each half onto the other, then the quarters of that.
template <class F, class T, int kShift, size_t... lane>
T fold_halves(const HalfVector<T>& v, std::index_sequence<lane...> sequence) {
  typedef LaneIndex<T> Mask __attribute__((vector_size(kHalf * sizeof(T))));
  const HalfVector<T> other = __builtin_shuffle(v, Mask{static_cast<LaneIndex<T>>((lane + kShift) % kHalf)...});
  const HalfVector<T> folded = F::template fold<HalfVector<T>>(v, other);
  if constexpr (kShift > 1)
    return fold_halves<F, T, kShift / 2>(folded, sequence);
  else
    return folded[0];
}

// Loops of at most 16 rounds are taken apart by the compiler into scalars: these have 32 and more.
template <class F, class T, class Map>
T fold_leaf(const T* in, int64_t n, Map map) {
  if (n < kLanes) {
    T result = F::template start<T>();
    for (int64_t i = 0; i < n; ++i) result = F::fold(result, map(in[i]));
    return result;
  }
  T lanes[kLanes];
  int64_t i = kLanes;
  if (n >= kWideLanes) {
    T wide[kWideLanes];
    for (int64_t l = 0; l < kWideLanes; ++l) wide[l] = map(in[l]);
    for (i = kWideLanes; i + kWideLanes <= n; i += kWideLanes)
      for (int64_t l = 0; l < kWideLanes; ++l) wide[l] = F::fold(wide[l], map(in[i + l]));
    for (int64_t l = 0; l < kLanes; ++l) lanes[l] = F::fold(wide[l], wide[l + kLanes]);
  } else {
    for (int64_t l = 0; l < kLanes; ++l) lanes[l] = map(in[l]);
  }
  for (; i + kLanes <= n; i += kLanes)
    for (int64_t l = 0; l < kLanes; ++l) lanes[l] = F::fold(lanes[l], map(in[i + l]));
  if (const int64_t known = kLanes - (n - i); known < kLanes) {  // the last lanes' worth, of which some are in already
    const T* const last = in + n - kLanes;
    for (int64_t l = 0; l < kLanes; ++l) lanes[l] = l < known ? lanes[l] : F::fold(lanes[l], map(last[l]));
  }
  HalfVector<T> low, high;
  std::memcpy(&low, lanes, sizeof(low));
  std::memcpy(&high, lanes + kHalf, sizeof(high));
  return fold_halves<F, T, kHalf / 2>(F::template fold<HalfVector<T>>(low, high), std::make_index_sequence<kHalf>{});
}

// Pairwise over leaves: the rounding error grows with the logarithm of n.
template <class F, class T, class Map>
T fold_row(const T* in, int64_t n, Map map) {
  if (n <= kLeaf) return fold_leaf<F>(in, n, map);
  const int64_t half = (n / 2 + kLeaf - 1) / kLeaf * kLeaf;
  return F::fold(fold_row<F>(in, half, map), fold_row<F>(in + half, n - half, map));
}

template <class F, class T, class Map>
void fold_columns(const T* in, int64_t n, int64_t b, T* out, Map map) {
  for (int64_t from = 0; from < b; from += kColumnBlock) {
    const int64_t width = std::min(kColumnBlock, b - from);
    T total[kColumnBlock], part[kColumnBlock];
    for (int64_t j = 0; j < width; ++j) total[j] = F::template start<T>();
    for (int64_t row = 0; row < n; row += kRowBlock) {
      const int64_t end = std::min(n, row + kRowBlock);
      for (int64_t j = 0; j < width; ++j) part[j] = map(in[row * b + from + j]);
      for (int64_t i = row + 1; i < end; ++i) {
        const T* line = in + i * b + from;
        for (int64_t j = 0; j < width; ++j) part[j] = F::fold(part[j], map(line[j]));
      }
      for (int64_t j = 0; j < width; ++j) total[j] = F::fold(total[j], part[j]);
    }
    for (int64_t j = 0; j < width; ++j) out[from + j] = total[j];
  }
}

struct Identity {
  template <class T>
  T operator()(T x) const {
    return x;
  }
};

template <class F, class T>
void reduce(const void* in, int64_t n, int64_t b, void* out) {
  if (b == 1)
    *static_cast<T*>(out) = fold_row<F>(static_cast<const T*>(in), n, Identity{});
  else
    fold_columns<F>(static_cast<const T*>(in), n, b, static_cast<T*>(out), Identity{});
}

// The first position of the extreme; the first NaN wins.
template <class F, class T>
void arg(const void* data, int64_t n, int64_t b, int64_t* out) {
  const T* in = static_cast<const T*>(data);
  if (b == 1) {
    const T best = fold_row<F>(in, n, Identity{});
    int64_t i = 0;
    while (i + 1 < n && !(in[i] == best || (best != best && in[i] != in[i]))) ++i;
    *out = i;
    return;
  }
  for (int64_t from = 0; from < b; from += kColumnBlock) {
    const int64_t width = std::min(kColumnBlock, b - from);
    T best[kColumnBlock];
    for (int64_t j = 0; j < width; ++j) {
      best[j] = in[from + j];
      out[from + j] = 0;
    }
    for (int64_t i = 1; i < n; ++i)
      for (int64_t j = 0; j < width; ++j) {
        const T x = in[i * b + from + j];
        const bool better = (best[j] == best[j]) & (F::fold(best[j], x) != best[j]);
        best[j] = better ? x : best[j];
        out[from + j] = better ? i : out[from + j];
      }
  }
}

template <class T>
void moments(const void* data, int64_t n, int64_t b, void* mean_data, void* squares_data) {
  const T* in = static_cast<const T*>(data);
  T *mean = static_cast<T*>(mean_data), *squares = static_cast<T*>(squares_data);
  if (b == 1) {
    const T m = fold_row<SumFold>(in, n, Identity{}) / static_cast<T>(n);
    *mean = m;
    *squares = fold_row<SumFold>(in, n, [m](T x) { return (x - m) * (x - m); });
    return;
  }
  fold_columns<SumFold>(in, n, b, mean, Identity{});
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

template <class F, class T, class Map>
void norm_with(const T* in, int64_t n, int64_t b, T* out, Map map) {
  if (b == 1)
    *out = fold_row<F>(in, n, map);
  else
    fold_columns<F>(in, n, b, out, map);
}

template <class T>
void norm(const void* data, int64_t n, int64_t b, double p, void* result) {
  const T* in = static_cast<const T*>(data);
  T* out = static_cast<T*>(result);
  if (p == std::numeric_limits<double>::infinity())
    return norm_with<MaxFold>(in, n, b, out, [](T x) { return math::abs(x); });
  if (p == -std::numeric_limits<double>::infinity())
    return norm_with<MinFold>(in, n, b, out, [](T x) { return math::abs(x); });
  if (p == 0) return norm_with<SumFold>(in, n, b, out, [](T x) { return x != T(0) ? T(1) : T(0); });
  if (p == 1) return norm_with<SumFold>(in, n, b, out, [](T x) { return math::abs(x); });
  if (p == 2) return norm_with<SumFold>(in, n, b, out, [](T x) { return x * x; });
  norm_with<SumFold>(in, n, b, out, [p](T x) { return math::pow(math::abs(x), static_cast<T>(p)); });
}

// What is subtracted before exp: the maximum, or 0 where that is infinite.
template <class T>
T finite_or_zero(T x) {
  return x == math::kInf<T> || x == -math::kInf<T> ? T(0) : x;
}

template <class T>
void logsumexp(const void* data, int64_t n, int64_t b, void* result) {
  const T* in = static_cast<const T*>(data);
  T* out = static_cast<T*>(result);
  if (b == 1) {
    const T top = finite_or_zero(fold_row<MaxFold>(in, n, Identity{}));
    *out = math::log(fold_row<SumFold>(in, n, [top](T x) { return math::exp(x - top); })) + top;
    return;
  }
  for (int64_t j = 0; j < b; ++j) {
    T top = MaxFold::start<T>(), sum = 0;
    for (int64_t i = 0; i < n; ++i) top = MaxFold::fold(top, in[i * b + j]);
    top = finite_or_zero(top);
    for (int64_t i = 0; i < n; ++i) sum += math::exp(in[i * b + j] - top);
    out[j] = math::log(sum) + top;
  }
}

template <class T, bool kLog>
void softmax(const void* data, int64_t n, int64_t b, void* result) {
  const T* in = static_cast<const T*>(data);
  T* out = static_cast<T*>(result);
  if (b == 1) {
    const T top = fold_row<MaxFold>(in, n, Identity{});
    if constexpr (kLog) {
      const T shift = math::log(fold_row<SumFold>(in, n, [top](T x) { return math::exp(x - top); })) + top;
      const bool plain = shift == shift;
      for (int64_t i = 0; i < n; ++i) out[i] = plain ? in[i] - shift : math::kNan<T>;
    } else {
      for (int64_t i = 0; i < n; ++i) out[i] = math::exp(in[i] - top);
      const T scale = T(1) / fold_row<SumFold>(out, n, Identity{});
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
  if (b == 1) {
    // float accumulates in double: the running value must not lose what it has.
    using A = std::conditional_t<std::is_same_v<T, float>, double, T>;
    A running = F::template start<A>();
    for (int64_t i = 0; i < n; ++i) out[i] = static_cast<T>(running = F::fold(running, static_cast<A>(in[i])));
    return;
  }
  for (int64_t j = 0; j < b; ++j) out[j] = in[j];
  for (int64_t i = 1; i < n; ++i)
    for (int64_t j = 0; j < b; ++j) out[i * b + j] = F::fold(out[(i - 1) * b + j], in[i * b + j]);
}

#define LB_EACH_SUM(f, ...) \
  {nullptr,                 \
   nullptr,                 \
   nullptr,                 \
   nullptr,                 \
   nullptr,                 \
   &f<__VA_ARGS__ int64_t>, \
   nullptr,                 \
   nullptr,                 \
   &f<__VA_ARGS__ float>,   \
   &f<__VA_ARGS__ double>}
#define LB_EACH_ORDER(f, F)                                                       \
  {&f<F, uint8_t>, &f<F, uint8_t>, &f<F, int8_t>, &f<F, int16_t>, &f<F, int32_t>, \
   &f<F, int64_t>, nullptr,        nullptr,       &f<F, float>,   &f<F, double>}
#define LB_EACH_FLOAT(...) {nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, __VA_ARGS__}

extern constinit const ReduceTable reduce_loops = {LB_EACH_SUM(reduce, SumFold, ),
                                                   LB_EACH_SUM(reduce, ProdFold, ),
                                                   LB_EACH_ORDER(reduce, MaxFold),
                                                   LB_EACH_ORDER(reduce, MinFold),
                                                   LB_EACH_ORDER(arg, MaxFold),
                                                   LB_EACH_ORDER(arg, MinFold),
                                                   LB_EACH_FLOAT(&moments<float>, &moments<double>),
                                                   LB_EACH_FLOAT(&norm<float>, &norm<double>),
                                                   LB_EACH_FLOAT(&logsumexp<float>, &logsumexp<double>),
                                                   LB_EACH_FLOAT(&softmax<float, false>, &softmax<double, false>),
                                                   LB_EACH_FLOAT(&softmax<float, true>, &softmax<double, true>),
                                                   LB_EACH_SUM(scan, SumFold, ),
                                                   LB_EACH_SUM(scan, ProdFold, )};

}  // namespace LB_LEVEL
}  // namespace lumbre

#if LB_BASELINE
#include "base/dispatch.h"
LB_LEVEL_TABLE(lumbre::ReduceTable, reduce_loops)
namespace lumbre {
const ReduceTable& reduce_table() { return LB_BEST(reduce_loops); }
}  // namespace lumbre
#endif
