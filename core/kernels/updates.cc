#include "kernels/updates.h"

#include <cmath>

#include "base/level.h"
#include "kernels/math.h"

namespace lumbre {
namespace LB_LEVEL {

// The order of operations is that of PyTorch's steps on a CPU, for the sake of the last bits: where the processor can,
// a product is added in one rounding (fma).
template <class T>
inline T lerp(T start, T end, T weight) {
  return weight < T(0.5) ? fma(weight, end - start, start) : end - (end - start) * (T(1) - weight);
}

// One step of one element: p and g are the parameter and its gradient (turned and decayed), s the states.
template <class T>
struct Step {
  T settings[kUpdateSettings];
  explicit Step(const double* values) {
    for (int i = 0; i < kUpdateSettings; ++i) settings[i] = static_cast<T>(values[i]);
  }
};

template <class T>
struct SgdStep : Step<T> {
  using Step<T>::Step;
  T operator()(T p, T g, T*) const { return fma(-this->settings[0], g, p); }
};
template <class T>
struct SgdMomentumStep : Step<T> {
  using Step<T>::Step;
  T operator()(T p, T g, T* s) const {
    const auto& [lr, momentum, take, nesterov, x4, x5, x6, x7, x8, x9] = this->settings;
    s[0] = fma(take, g, s[0] * momentum);
    return fma(-lr, nesterov != T(0) ? fma(momentum, s[0], g) : s[0], p);
  }
};
template <class T, bool kLargest>
struct AdamStep : Step<T> {
  using Step<T>::Step;
  T operator()(T p, T g, T* s) const {
    const auto& [weight, beta2, shrink, eps, size, root, rest, x7, x8, x9] = this->settings;
    s[0] = lerp(s[0], g, weight);
    s[1] = fma(rest * g, g, s[1] * beta2);
    T v = s[1];
    if constexpr (kLargest) {
      // As maximum does: a NaN stays.
      v = s[2] > v || s[2] != s[2] ? s[2] : v;
      s[2] = v;
    }
    return p + -size * s[0] / (std::sqrt(v) / root + eps);
  }
};
template <class T>
using PlainAdamStep = AdamStep<T, false>;
template <class T>
using LargestAdamStep = AdamStep<T, true>;

template <class T>
struct AdagradStep : Step<T> {
  using Step<T>::Step;
  T operator()(T p, T g, T* s) const {
    s[0] = fma(g, g, s[0]);
    return p + -this->settings[0] * g / (std::sqrt(s[0]) + this->settings[1]);
  }
};
template <class T>
struct AdadeltaStep : Step<T> {
  using Step<T>::Step;
  T operator()(T p, T g, T* s) const {
    const auto& [lr, rho, eps, rest, x4, x5, x6, x7, x8, x9] = this->settings;
    s[0] = fma(rest * g, g, s[0] * rho);
    const T delta = std::sqrt(s[1] + eps) / std::sqrt(s[0] + eps) * g;
    s[1] = fma(rest * delta, delta, s[1] * rho);
    return fma(-lr, delta, p);
  }
};
template <class T>
struct AdamaxStep : Step<T> {
  using Step<T>::Step;
  T operator()(T p, T g, T* s) const {
    const auto& [lr, weight, beta2, eps, x4, x5, x6, x7, x8, x9] = this->settings;
    s[0] = lerp(s[0], g, weight);
    const T before = s[1] * beta2, now = std::fabs(g) + eps;
    s[1] = before > now || before != before ? before : now;
    return p + -lr * s[0] / s[1];
  }
};
template <class T, bool kMomentum, bool kCentered>
struct RmsStep : Step<T> {
  using Step<T>::Step;
  T operator()(T p, T g, T* s) const {
    const auto& [lr, alpha, eps, momentum, rest, x5, x6, x7, x8, x9] = this->settings;
    s[0] = fma(rest * g, g, s[0] * alpha);
    T v = s[0];
    if constexpr (kCentered) {
      T& mean = s[1 + kMomentum];
      mean = lerp(mean, g, rest);
      v = fma(-mean, mean, v);
    }
    const T root = std::sqrt(v) + eps;
    if constexpr (!kMomentum) return p + -lr * g / root;
    if constexpr (kMomentum) {
      s[1] = s[1] * momentum + g / root;
      return fma(-lr, s[1], p);
    }
  }
};
template <class T>
using RmsPropStep = RmsStep<T, false, false>;
template <class T>
using RmsMomentumStep = RmsStep<T, true, false>;
template <class T>
using RmsCenteredStep = RmsStep<T, false, true>;
template <class T>
using RmsBothStep = RmsStep<T, true, true>;

template <class T>
struct NAdamStep : Step<T> {
  using Step<T>::Step;
  T operator()(T p, T g, T* s) const {
    const auto& [weight, beta2, shrink, eps, correction, of_gradient, of_mean, rest, x8, x9] = this->settings;
    s[0] = lerp(s[0], g, weight);
    s[1] = fma(rest * g, g, s[1] * beta2);
    const T root = std::sqrt(s[1] / correction) + eps;
    return (p + of_gradient * g / root) + of_mean * s[0] / root;
  }
};
template <class T>
struct RAdamStep : Step<T> {
  using Step<T>::Step;
  T operator()(T p, T g, T* s) const {
    const auto& [weight, beta2, shrink, eps, correction, lr, root, rectified, rest, x9] = this->settings;
    s[0] = lerp(s[0], g, weight);
    s[1] = fma(rest * g, g, s[1] * beta2);
    const T moved = s[0] / correction * lr;
    return p - (rectified != T(0) ? moved * (root / (std::sqrt(s[1]) + eps)) * rectified : moved);
  }
};
template <class T>
struct RpropStep : Step<T> {
  using Step<T>::Step;
  T operator()(T p, T g, T* s) const {
    const auto& [down, up, smallest, largest, x4, x5, x6, x7, x8, x9] = this->settings;
    const T agreement = g * s[0];
    const T size = s[1] * (agreement > T(0) ? up : agreement < T(0) ? down : T(1));
    s[1] = size < smallest ? smallest : size > largest ? largest : size;
    const T kept = agreement < T(0) ? T(0) : g;
    s[0] = kept;
    const T sign = static_cast<T>(kept > T(0)) - static_cast<T>(kept < T(0));
    return fma(-sign, s[1], p);
  }
};
template <class T>
struct AsgdStep : Step<T> {
  using Step<T>::Step;
  T operator()(T p, T g, T* s) const {
    const auto& [shrink, eta, mu, x3, x4, x5, x6, x7, x8, x9] = this->settings;
    p = fma(-eta, g, p * shrink);
    s[0] = mu == T(1) ? p : s[0] + (p - s[0]) * mu;
    return p;
  }
};

template <template <class> class Body, class T, int kStates, int kShrink>
void run(int64_t count, void* const* memory, const double* settings) {
  T* __restrict p = static_cast<T*>(memory[0]);
  const T* __restrict g = static_cast<const T*>(memory[1]);
  T* __restrict a = kStates > 0 ? static_cast<T*>(memory[2]) : nullptr;
  T* __restrict b = kStates > 1 ? static_cast<T*>(memory[3]) : nullptr;
  T* __restrict c = kStates > 2 ? static_cast<T*>(memory[4]) : nullptr;
  const Body<T> step(settings + 2);
  const T sign = static_cast<T>(settings[0]), decay = static_cast<T>(settings[1]);
  const T shrink = kShrink < 0 ? T(1) : static_cast<T>(settings[2 + (kShrink < 0 ? 0 : kShrink)]);
  const bool decays = settings[1] != 0;
  for (int64_t i = 0; i < count; ++i) {
    T state[3];
    if constexpr (kStates > 0) state[0] = a[i];
    if constexpr (kStates > 1) state[1] = b[i];
    if constexpr (kStates > 2) state[2] = c[i];
    const T turned = sign * g[i];
    const T gradient = decays ? fma(decay, p[i], turned) : turned;
    p[i] = step(p[i] * shrink, gradient, state);
    if constexpr (kStates > 0) a[i] = state[0];
    if constexpr (kStates > 1) b[i] = state[1];
    if constexpr (kStates > 2) c[i] = state[2];
  }
}

#define LB_UPDATE(Body, states, shrink) {&run<Body, float, states, shrink>, &run<Body, double, states, shrink>}
extern constinit const UpdateTable update_loops{{
    LB_UPDATE(SgdStep, 0, -1),
    LB_UPDATE(SgdMomentumStep, 1, -1),
    LB_UPDATE(PlainAdamStep, 2, 2),
    LB_UPDATE(LargestAdamStep, 3, 2),
    LB_UPDATE(AdagradStep, 1, -1),
    LB_UPDATE(AdadeltaStep, 2, -1),
    LB_UPDATE(AdamaxStep, 2, -1),
    LB_UPDATE(RmsPropStep, 1, -1),
    LB_UPDATE(RmsMomentumStep, 2, -1),
    LB_UPDATE(RmsCenteredStep, 2, -1),
    LB_UPDATE(RmsBothStep, 3, -1),
    LB_UPDATE(NAdamStep, 2, 2),
    LB_UPDATE(RAdamStep, 2, 2),
    LB_UPDATE(RpropStep, 2, -1),
    LB_UPDATE(AsgdStep, 1, -1),
}};
#undef LB_UPDATE

}  // namespace LB_LEVEL
}  // namespace lumbre

#if LB_BASELINE
#include "base/dispatch.h"
LB_LEVEL_TABLE(lumbre::UpdateTable, update_loops)
namespace lumbre {
const UpdateTable& update_table() { return LB_BEST(update_loops); }
}  // namespace lumbre
#endif
