#include "kernels/attention.h"

#include "kernels/math.h"
#include "kernels/vectors.h"

namespace lumbre {
namespace LB_LEVEL {

template <class T>
inline constexpr int64_t kColumns = 2 * kVectorLanes<T>;

// exp for x that are not positive, but for rounding; results below the normal numbers are 0.
template <class T>
LB_MATH T exp_weight(T x) {
  const T y = math::exp_normal(x);
  return x < math::kExpTiny<T> ? T(0) : y;
}

// The largest score of each column, NaN passed over: a NaN makes its column's sum NaN.
template <class T>
[[gnu::always_inline]] inline void largest(int64_t keys, const T* scores, T* top) {
  constexpr int64_t lanes = kVectorLanes<T>, width = kColumns<T>;
  Vector<T> a = load_vector(top), b = load_vector(top + lanes), c = a, d = b;
  int64_t k = 0;
  for (; k + 2 <= keys; k += 2, scores += 2 * width) {
    a = greater_of(load_vector(scores), a);
    b = greater_of(load_vector(scores + lanes), b);
    c = greater_of(load_vector(scores + width), c);
    d = greater_of(load_vector(scores + width + lanes), d);
  }
  if (k < keys) {
    a = greater_of(load_vector(scores), a);
    b = greater_of(load_vector(scores + lanes), b);
  }
  store_vector(top, greater_of(a, c));
  store_vector(top + lanes, greater_of(b, d));
}

template <class T>
bool absorb(int64_t keys, T* __restrict scores, ScoreSums<T> sums, T* __restrict shrink) {
  constexpr int64_t width = kColumns<T>;
  T top[width], shift[width], sum[width] = {};
  for (int64_t j = 0; j < width; ++j) top[j] = sums.top[j];
  largest(keys, scores, top);
  for (int64_t j = 0; j < width; ++j) shift[j] = top[j] == -math::kInf<T> ? T(0) : top[j];
  for (int64_t k = 0; k < keys; ++k) {
    T* __restrict row = scores + k * width;
    for (int64_t j = 0; j < width; ++j) {
      const T e = exp_weight(row[j] - shift[j]);
      row[j] = e;
      sum[j] += e;
    }
  }
  for (int64_t j = 0; j < width; ++j) shrink[j] = exp_weight(sums.top[j] - shift[j]);
  int changed = 0;
  for (int64_t j = 0; j < width; ++j) changed += shrink[j] != T(1);
  T* __restrict total = sums.sum;
  for (int64_t j = 0; j < width; ++j) total[j] = total[j] * shrink[j] + sum[j];
  for (int64_t j = 0; j < width; ++j) sums.top[j] = top[j];
  return changed != 0;
}

template <class T>
void rescale(int64_t rows, const T* __restrict factors, T* __restrict values) {
  constexpr int64_t width = kColumns<T>;
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t j = 0; j < width; ++j) values[r * width + j] *= factors[j];
}

template <class T>
void conclude(ScoreSums<T> sums, T* __restrict inverse, T* __restrict logarithm) {
  for (int64_t j = 0; j < kColumns<T>; ++j) {
    const T sum = sums.sum[j];
    inverse[j] = sum == T(0) ? T(0) : T(1) / sum;
    logarithm[j] = sum == T(0) ? math::kInf<T> : sums.top[j] + math::log(sum);
  }
}

template <class T>
void weigh(int64_t keys, T* __restrict scores, T* __restrict slopes, const T* logarithm, const T* inner) {
  constexpr int64_t width = kColumns<T>;
  T shift[width], mean[width];
  for (int64_t j = 0; j < width; ++j) shift[j] = logarithm[j];
  for (int64_t j = 0; j < width; ++j) mean[j] = inner[j];
  for (int64_t k = 0; k < keys; ++k) {
    T* __restrict row = scores + k * width;
    T* __restrict slope = slopes + k * width;
    for (int64_t j = 0; j < width; ++j) {
      const T p = exp_weight(row[j] - shift[j]);
      row[j] = p;
      slope[j] = p * (slope[j] - mean[j]);
    }
  }
}

template <class T>
void shut(int64_t keys, int64_t lead, bool adds, T* __restrict scores) {
  constexpr int64_t width = kColumns<T>;
  for (int64_t k = lead < 0 ? 0 : lead + 1; k < keys; ++k) {
    T* __restrict row = scores + k * width;
    const int64_t end = k - lead < width ? k - lead : width;
    for (int64_t j = 0; j < end; ++j) row[j] = adds ? row[j] - math::kInf<T> : -math::kInf<T>;
  }
}

template <class T>
void add(int64_t keys, const T* __restrict mask, T* __restrict scores) {
  for (int64_t i = 0; i < keys * kColumns<T>; ++i) scores[i] += mask[i];
}

template <class T>
void add_keys(int64_t keys, const T* mask, int64_t step, T* __restrict scores) {
  constexpr int64_t width = kColumns<T>;
  for (int64_t k = 0; k < keys; ++k) {
    const T each = mask[k * step];
    for (int64_t j = 0; j < width; ++j) scores[k * width + j] += each;
  }
}

template <class T>
void numbers(int64_t count, const void* mask_data, int64_t step, T* __restrict to) {
  const auto* mask = static_cast<const uint8_t*>(mask_data);
  if (step == 1)
    for (int64_t i = 0; i < count; ++i) to[i] = mask[i] ? T(0) : -math::kInf<T>;
  else
    for (int64_t i = 0; i < count; ++i) to[i] = mask[i * step] ? T(0) : -math::kInf<T>;
}

template <class T>
inline constexpr AttentionLoops<T> kAttention{static_cast<int>(kColumns<T>),
                                              &absorb<T>,
                                              &rescale<T>,
                                              &conclude<T>,
                                              &weigh<T>,
                                              &shut<T>,
                                              &add<T>,
                                              &add_keys<T>,
                                              &numbers<T>};

extern constinit const AttentionTable attention_loops{kAttention<float>, kAttention<double>};

}  // namespace LB_LEVEL
}  // namespace lumbre

#if LB_BASELINE
#include "base/dispatch.h"
LB_LEVEL_TABLE(lumbre::AttentionTable, attention_loops)
namespace lumbre {
const AttentionTable& attention_table() { return LB_BEST(attention_loops); }
}  // namespace lumbre
#endif
