#include "kernels/normalize.h"

#include "base/level.h"

namespace lumbre {
namespace LB_LEVEL {

// Sums run over lanes within blocks of a fixed size, and from block to block in double.
inline constexpr int64_t kSumLanes = 32, kSumBlock = 2048;

template <class T, class F>
inline double blocked_sum(int64_t count, F&& term) {
  double total = 0;
  int64_t i = 0;
  while (i + kSumLanes <= count) {
    T lanes[kSumLanes] = {};
    const int64_t end = count - i < kSumBlock ? i + (count - i) / kSumLanes * kSumLanes : i + kSumBlock;
    for (; i < end; i += kSumLanes)
      for (int64_t l = 0; l < kSumLanes; ++l) lanes[l] += term(i + l);
    for (int64_t l = 0; l < 16; ++l) lanes[l] += lanes[l + 16];
    for (int64_t l = 0; l < 8; ++l) lanes[l] += lanes[l + 8];
    for (int64_t l = 0; l < 4; ++l) lanes[l] += lanes[l + 4];
    total += static_cast<double>((lanes[0] + lanes[2]) + (lanes[1] + lanes[3]));
  }
  T rest = 0;
  for (; i < count; ++i) rest += term(i);
  return total + static_cast<double>(rest);
}

template <class T>
double row_sum(const void* x_data, int64_t count) {
  const T* x = static_cast<const T*>(x_data);
  return blocked_sum<T>(count, [=](int64_t i) { return x[i]; });
}

template <class T>
double row_squares(const void* x_data, int64_t count, double mean) {
  const T* x = static_cast<const T*>(x_data);
  const T m = static_cast<T>(mean);
  return blocked_sum<T>(count, [=](int64_t i) { return (x[i] - m) * (x[i] - m); });
}

template <class T>
void row_apply(const void* x_data, int64_t count, double mean, double scale, double shift, void* y_data) {
  const T* __restrict x = static_cast<const T*>(x_data);
  T* __restrict y = static_cast<T*>(y_data);
  const T m = static_cast<T>(mean), s = static_cast<T>(scale), b = static_cast<T>(shift);
  for (int64_t i = 0; i < count; ++i) y[i] = (x[i] - m) * s + b;
}

template <class T>
RowSums row_sums(const void* g_data, const void* x_data, int64_t count, Moments m) {
  const T* g = static_cast<const T*>(g_data);
  const T* x = static_cast<const T*>(x_data);
  const T mean = static_cast<T>(m.mean);
  return {blocked_sum<T>(count, [=](int64_t i) { return g[i]; }),
          m.root * blocked_sum<T>(count, [=](int64_t i) { return g[i] * (x[i] - mean); })};
}

template <class T>
void row_back(const void* g_data, const void* x_data, int64_t count, Moments m, double weight, RowSums means,
              void* to_data) {
  const T* __restrict g = static_cast<const T*>(g_data);
  const T* __restrict x = static_cast<const T*>(x_data);
  T* __restrict to = static_cast<T*>(to_data);
  const T mean = static_cast<T>(m.mean), root = static_cast<T>(m.root), w = static_cast<T>(weight),
          plain = static_cast<T>(means.plain), along = static_cast<T>(means.along * m.root);
  for (int64_t i = 0; i < count; ++i) to[i] = (w * g[i] - plain - (x[i] - mean) * along) * root;
}

template <class T>
void row_apply_each(const void* x_data, int64_t count, Moments m, const void* weight, const void* bias, void* y_data) {
  const T* __restrict x = static_cast<const T*>(x_data);
  const T* __restrict w = static_cast<const T*>(weight);
  const T* __restrict b = static_cast<const T*>(bias);
  T* __restrict y = static_cast<T*>(y_data);
  const T mean = static_cast<T>(m.mean), root = static_cast<T>(m.root);
  if (w && b)
    for (int64_t i = 0; i < count; ++i) y[i] = (x[i] - mean) * root * w[i] + b[i];
  else if (w)
    for (int64_t i = 0; i < count; ++i) y[i] = (x[i] - mean) * root * w[i];
  else if (b)
    for (int64_t i = 0; i < count; ++i) y[i] = (x[i] - mean) * root + b[i];
  else
    for (int64_t i = 0; i < count; ++i) y[i] = (x[i] - mean) * root;
}

template <class T>
RowSums row_sums_each(const void* g_data, const void* x_data, int64_t count, Moments m, const void* weight,
                      void* to_weight, void* to_bias) {
  const T* __restrict g = static_cast<const T*>(g_data);
  const T* __restrict x = static_cast<const T*>(x_data);
  const T* __restrict w = static_cast<const T*>(weight);
  T* __restrict tw = static_cast<T*>(to_weight);
  T* __restrict tb = static_cast<T*>(to_bias);
  const T mean = static_cast<T>(m.mean), root = static_cast<T>(m.root);
  if (tw)
    for (int64_t i = 0; i < count; ++i) tw[i] += g[i] * ((x[i] - mean) * root);
  if (tb)
    for (int64_t i = 0; i < count; ++i) tb[i] += g[i];
  if (!w) return row_sums<T>(g_data, x_data, count, m);
  return {blocked_sum<T>(count, [=](int64_t i) { return g[i] * w[i]; }),
          m.root * blocked_sum<T>(count, [=](int64_t i) { return g[i] * w[i] * (x[i] - mean); })};
}

template <class T>
void row_back_each(const void* g_data, const void* x_data, int64_t count, Moments m, const void* weight, RowSums means,
                   void* to_data) {
  if (!weight) return row_back<T>(g_data, x_data, count, m, 1.0, means, to_data);
  const T* __restrict g = static_cast<const T*>(g_data);
  const T* __restrict x = static_cast<const T*>(x_data);
  const T* __restrict w = static_cast<const T*>(weight);
  T* __restrict to = static_cast<T*>(to_data);
  const T mean = static_cast<T>(m.mean), root = static_cast<T>(m.root), plain = static_cast<T>(means.plain),
          along = static_cast<T>(means.along * m.root);
  for (int64_t i = 0; i < count; ++i) to[i] = (w[i] * g[i] - plain - (x[i] - mean) * along) * root;
}

template <class T>
inline constexpr NormalizeLoops kNormalize{&row_sum<T>,  &row_squares<T>,    &row_apply<T>,     &row_sums<T>,
                                           &row_back<T>, &row_apply_each<T>, &row_sums_each<T>, &row_back_each<T>};

extern constinit const NormalizeTable normalize_loops{{kNormalize<float>, kNormalize<double>}};

}  // namespace LB_LEVEL
}  // namespace lumbre

#if LB_BASELINE
#include "base/dispatch.h"
LB_LEVEL_TABLE(lumbre::NormalizeTable, normalize_loops)
namespace lumbre {
const NormalizeTable& normalize_table() { return LB_BEST(normalize_loops); }
}  // namespace lumbre
#endif
