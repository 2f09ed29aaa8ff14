#include "kernels/updates.h"

#include <cmath>

#include "base/level.h"

namespace lumbre {
namespace LB_LEVEL {

template <class T, bool kMomentum>
void sgd_loop(int64_t count, T* __restrict param, const T* __restrict grad, T* __restrict buffer, const SgdStep& s) {
  const T lr = static_cast<T>(-s.lr), decay = static_cast<T>(s.weight_decay), momentum = static_cast<T>(s.momentum);
  const T keep = s.first ? T(0) : momentum, take = s.first ? T(1) : static_cast<T>(1 - s.dampening);
  const T sign = s.maximize ? T(-1) : T(1), ahead = s.nesterov ? momentum : T(0);
  const bool nesterov = s.nesterov;
  for (int64_t i = 0; i < count; ++i) {
    T g = sign * grad[i] + decay * param[i];
    if constexpr (kMomentum) {
      // A first step must not read what the buffer held before.
      const T moved = (keep == T(0) ? T(0) : keep * buffer[i]) + take * g;
      buffer[i] = moved;
      g = nesterov ? g + ahead * moved : moved;
    }
    param[i] += lr * g;
  }
}

template <class T>
void sgd(int64_t count, void* param, const void* grad, void* momentum, const SgdStep& step) {
  auto* p = static_cast<T*>(param);
  auto* g = static_cast<const T*>(grad);
  if (momentum)
    sgd_loop<T, true>(count, p, g, static_cast<T*>(momentum), step);
  else
    sgd_loop<T, false>(count, p, g, nullptr, step);
}

template <class T, bool kLargest>
void adam_loop(int64_t count, T* __restrict param, const T* __restrict grad, T* __restrict mean, T* __restrict square,
               T* __restrict largest, const AdamStep& s) {
  const T sign = s.maximize ? T(-1) : T(1);
  const T decay = s.decoupled ? T(0) : static_cast<T>(s.weight_decay);
  const T shrink = s.decoupled ? static_cast<T>(1 - s.lr * s.weight_decay) : T(1);
  const T weight = static_cast<T>(1 - s.beta1), beta2 = static_cast<T>(s.beta2), rest = static_cast<T>(1 - s.beta2);
  const T root = static_cast<T>(s.root_of_correction), eps = static_cast<T>(s.eps), size = static_cast<T>(-s.step_size);
  // lerp starts from its nearer end.
  const bool near_start = weight < T(0.5);
  for (int64_t i = 0; i < count; ++i) {
    const T p = param[i] * shrink;
    const T g = sign * grad[i] + decay * p;
    const T m = near_start ? mean[i] + weight * (g - mean[i]) : g - (g - mean[i]) * (T(1) - weight);
    T v = square[i] * beta2 + rest * (g * g);
    mean[i] = m;
    square[i] = v;
    if constexpr (kLargest) {
      v = largest[i] > v ? largest[i] : v;
      largest[i] = v;
    }
    param[i] = p + size * (m / (std::sqrt(v) / root + eps));
  }
}

template <class T>
void adam(int64_t count, void* param, const void* grad, void* mean, void* square, void* largest, const AdamStep& step) {
  auto *p = static_cast<T*>(param), *m = static_cast<T*>(mean), *v = static_cast<T*>(square);
  auto* g = static_cast<const T*>(grad);
  if (largest)
    adam_loop<T, true>(count, p, g, m, v, static_cast<T*>(largest), step);
  else
    adam_loop<T, false>(count, p, g, m, v, nullptr, step);
}

extern constinit const UpdateTable update_loops{{&sgd<float>, &sgd<double>}, {&adam<float>, &adam<double>}};

}  // namespace LB_LEVEL
}  // namespace lumbre

#if LB_BASELINE
#include "base/dispatch.h"
LB_LEVEL_TABLE(lumbre::UpdateTable, update_loops)
namespace lumbre {
const UpdateTable& update_table() { return LB_BEST(update_loops); }
}  // namespace lumbre
#endif
