#include "kernels/recurrent.h"

#include "base/level.h"
#include "kernels/math.h"

namespace lumbre {
namespace LB_LEVEL {

template <class T>
void lstm_forward(int64_t rows, int64_t width, const void* gates, const void* recurrent, int64_t pitch,
                  const void* cell, void* active, void* hidden, void* next) {
  for (int64_t row = 0; row < rows; ++row) {
    const T* g = static_cast<const T*>(gates) + row * 4 * width;
    const T* __restrict c = static_cast<const T*>(cell) + row * width;
    T* __restrict a = static_cast<T*>(active) + row * 4 * width;
    T* __restrict h = static_cast<T*>(hidden) + row * width;
    T* __restrict n = static_cast<T*>(next) + row * width;
    if (recurrent) {
      const T* __restrict more = static_cast<const T*>(recurrent) + row * pitch;
      for (int64_t j = 0; j < 4 * width; ++j) a[j] = g[j] + more[j];
      g = a;
    }
#pragma GCC ivdep
    for (int64_t j = 0; j < 2 * width; ++j) a[j] = T(1) / (T(1) + math::exp(-g[j]));
#pragma GCC ivdep
    for (int64_t j = 2 * width; j < 3 * width; ++j) a[j] = math::tanh(g[j]);
#pragma GCC ivdep
    for (int64_t j = 3 * width; j < 4 * width; ++j) a[j] = T(1) / (T(1) + math::exp(-g[j]));
    for (int64_t j = 0; j < width; ++j) n[j] = a[width + j] * c[j] + a[j] * a[2 * width + j];
    for (int64_t j = 0; j < width; ++j) h[j] = a[3 * width + j] * math::tanh(n[j]);
  }
}

template <class T>
void lstm_backward(int64_t rows, int64_t width, const void* active, const void* cell, const void* next,
                   const void* grad_hidden, const void* grad_later, int64_t pitch, const void* grad_next,
                   void* grad_gates, void* grad_cell) {
  for (int64_t row = 0; row < rows; ++row) {
    const T* __restrict a = static_cast<const T*>(active) + row * 4 * width;
    const T* __restrict c = static_cast<const T*>(cell) + row * width;
    const T* __restrict n = static_cast<const T*>(next) + row * width;
    const T* gh = grad_hidden ? static_cast<const T*>(grad_hidden) + row * width : nullptr;
    const T* gn = grad_next ? static_cast<const T*>(grad_next) + row * width : nullptr;
    T* gg = static_cast<T*>(grad_gates) + row * 4 * width;
    T* gc = static_cast<T*>(grad_cell) + row * width;
    // What comes to the hidden state and the cell, gathered first: the loops below have no choices.
    T* hidden = gg;
    for (int64_t j = 0; j < width; ++j) hidden[j] = gh ? gh[j] : T(0);
    if (const T* later = static_cast<const T*>(grad_later); later)
      for (int64_t j = 0; j < width; ++j) hidden[j] += later[row * pitch + j];
    for (int64_t j = 0; j < width; ++j) gc[j] = gn ? gn[j] : T(0);
#pragma GCC ivdep
    for (int64_t j = 0; j < width; ++j) {
      const T t = math::tanh(n[j]), o = a[3 * width + j], h = hidden[j];
      gc[j] += h * o * (T(1) - t * t);
      gg[3 * width + j] = h * t * o * (T(1) - o);
    }
#pragma GCC ivdep
    for (int64_t j = 0; j < width; ++j) {
      const T i = a[j], f = a[width + j], g = a[2 * width + j], d = gc[j];
      gg[j] = d * g * i * (T(1) - i);
      gg[width + j] = d * c[j] * f * (T(1) - f);
      gg[2 * width + j] = d * i * (T(1) - g * g);
      gc[j] = d * f;
    }
  }
}

extern constinit const RecurrentTable recurrent_loops{{&lstm_forward<float>, &lstm_forward<double>},
                                                      {&lstm_backward<float>, &lstm_backward<double>}};

}  // namespace LB_LEVEL
}  // namespace lumbre

#if LB_BASELINE
#include "base/dispatch.h"
LB_LEVEL_TABLE(lumbre::RecurrentTable, recurrent_loops)
namespace lumbre {
const RecurrentTable& recurrent_table() { return LB_BEST(recurrent_loops); }
}  // namespace lumbre
#endif
