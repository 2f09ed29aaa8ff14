// The inner loops of pointwise operators: a functor on elements becomes a loop over (pointers, strides, count), with
// paths for contiguous runs and repeated (stride 0) operands that the compiler turns into vector code.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "base/dtype.h"
#include "base/level.h"

namespace lumbre {
namespace LB_LEVEL {

template <class F, class T>
concept Unary = requires(const F f, T x) { f(x); };
template <class F, class T>
concept Binary = requires(const F f, T x) { f(x, x); };
template <class F, class T>
concept Ternary = requires(const F f, T x) { f(x, x, x); };

template <class F, class T>
using ResultOf = std::conditional_t<requires { requires F::kToBool; }, bool, T>;

template <class F>
F functor_from(const void* context) {
  if constexpr (std::is_empty_v<F>)
    return F{};
  else
    return *static_cast<const F*>(context);
}

template <class F, class T>
void unary_loop(char* const* data, const int64_t* strides, int64_t count, const void* context) {
  using R = ResultOf<F, T>;
  const F f = functor_from<F>(context);
  if (strides[0] == sizeof(R) && strides[1] == sizeof(T)) {
    R* out = reinterpret_cast<R*>(data[0]);
    const T* in = reinterpret_cast<const T*>(data[1]);
    if constexpr (requires { F::map(out, in, count); }) {  // a functor with a way of its own for contiguous runs
      F::map(out, in, count);
    } else {
#pragma GCC ivdep
      for (int64_t i = 0; i < count; ++i) out[i] = static_cast<R>(f(in[i]));
    }
    return;
  }
  char* out = data[0];
  const char* in = data[1];
  for (int64_t i = 0; i < count; ++i, out += strides[0], in += strides[1])
    *reinterpret_cast<R*>(out) = static_cast<R>(f(*reinterpret_cast<const T*>(in)));
}

// A functor with kSpreads has cases of its second operand that the compiler would pull out of the loop, one loop for
// each and none of them vector code: a repeated operand is written out that often.
constexpr int64_t kSpread = 256;

template <class F, class T>
void binary_loop(char* const* data, const int64_t* strides, int64_t count, const void* context) {
  using R = ResultOf<F, T>;
  const F f = functor_from<F>(context);
  if (strides[0] == sizeof(R)) {
    R* out = reinterpret_cast<R*>(data[0]);
    const T* a = reinterpret_cast<const T*>(data[1]);
    const T* b = reinterpret_cast<const T*>(data[2]);
    if (strides[1] == sizeof(T) && strides[2] == sizeof(T)) {
#pragma GCC ivdep
      for (int64_t i = 0; i < count; ++i) out[i] = static_cast<R>(f(a[i], b[i]));
      return;
    }
    if (strides[1] == sizeof(T) && strides[2] == 0) {
      const T y = *b;
      if constexpr (requires { F::kSpreads; }) {
        T spread[kSpread];
        for (T& one : spread) one = y;
        for (int64_t from = 0; from < count; from += kSpread) {
          const int64_t width = count - from < kSpread ? count - from : kSpread;
#pragma GCC ivdep
          for (int64_t i = 0; i < width; ++i) out[from + i] = static_cast<R>(f(a[from + i], spread[i]));
        }
        return;
      }
#pragma GCC ivdep
      for (int64_t i = 0; i < count; ++i) out[i] = static_cast<R>(f(a[i], y));
      return;
    }
    if (strides[1] == 0 && strides[2] == sizeof(T)) {
      const T x = *a;
#pragma GCC ivdep
      for (int64_t i = 0; i < count; ++i) out[i] = static_cast<R>(f(x, b[i]));
      return;
    }
  }
  char* out = data[0];
  const char* a = data[1];
  const char* b = data[2];
  for (int64_t i = 0; i < count; ++i, out += strides[0], a += strides[1], b += strides[2])
    *reinterpret_cast<R*>(out) = static_cast<R>(f(*reinterpret_cast<const T*>(a), *reinterpret_cast<const T*>(b)));
}

template <class F, class T>
void ternary_loop(char* const* data, const int64_t* strides, int64_t count, const void* context) {
  using R = ResultOf<F, T>;
  const F f = functor_from<F>(context);
  if (strides[0] == sizeof(R) && strides[1] == sizeof(T) && strides[2] == sizeof(T) && strides[3] == sizeof(T)) {
    R* out = reinterpret_cast<R*>(data[0]);
    const T* a = reinterpret_cast<const T*>(data[1]);
    const T* b = reinterpret_cast<const T*>(data[2]);
    const T* c = reinterpret_cast<const T*>(data[3]);
#pragma GCC ivdep
    for (int64_t i = 0; i < count; ++i) out[i] = static_cast<R>(f(a[i], b[i], c[i]));
    return;
  }
  char* out = data[0];
  const char *a = data[1], *b = data[2], *c = data[3];
  for (int64_t i = 0; i < count; ++i, out += strides[0], a += strides[1], b += strides[2], c += strides[3])
    *reinterpret_cast<R*>(out) = static_cast<R>(
        f(*reinterpret_cast<const T*>(a), *reinterpret_cast<const T*>(b), *reinterpret_cast<const T*>(c)));
}

// The loop of a functor computing in T, by the number of elements it takes.
template <class F, class T>
void pointwise_loop(char* const* data, const int64_t* strides, int64_t count, const void* context) {
  if constexpr (Unary<F, T>)
    unary_loop<F, T>(data, strides, count, context);
  else if constexpr (Binary<F, T>)
    binary_loop<F, T>(data, strides, count, context);
  else
    ternary_loop<F, T>(data, strides, count, context);
}

}  // namespace LB_LEVEL
}  // namespace lumbre
