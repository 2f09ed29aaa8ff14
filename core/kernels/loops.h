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

// f of elements; of half types in float, for functors that leave that to us.
template <class F, class... Ts>
[[gnu::always_inline]] inline auto apply(const F& f, Ts... elements) {
  if constexpr ((is_half_type<Ts> || ...) && requires { requires F::kWidensHalf; })
    return f(static_cast<float>(elements)...);
  else
    return f(elements...);
}

// Elements in memory as the loops see them: bool as the byte that it is, which becomes vector code.
template <class T>
using Stored = std::conditional_t<std::is_same_v<T, bool>, uint8_t, T>;

template <class F>
F functor_from(const void* context) {
  if constexpr (std::is_empty_v<F>)
    return F{};
  else
    return *static_cast<const F*>(context);
}

// The contiguous loops; a step is 0 for an operand that is repeated.
template <class F, class T, class R, class... In>
[[gnu::always_inline]] inline void contiguous_loop(const F& f, Stored<R>* out, int64_t count, const In*... in) {
#pragma GCC ivdep
  for (int64_t i = 0; i < count; ++i)
    out[i] = static_cast<Stored<R>>(static_cast<R>(apply(f, static_cast<T>(in[i])...)));
}

template <class F, class T>
void unary_loop(char* const* data, const int64_t* strides, int64_t count, const void* context) {
  using R = ResultOf<F, T>;
  const F f = functor_from<F>(context);
  if (strides[0] == sizeof(R) && strides[1] == sizeof(T)) {
    R* out = reinterpret_cast<R*>(data[0]);
    const T* in = reinterpret_cast<const T*>(data[1]);
    if constexpr (requires { F::map(out, in, count); })  // a functor with a way of its own for contiguous runs
      F::map(out, in, count);
    else
      contiguous_loop<F, T, R>(f, reinterpret_cast<Stored<R>*>(out), count, reinterpret_cast<const Stored<T>*>(in));
    return;
  }
  // Elements that lie apart are brought together, so that the function itself is there once.
  constexpr int64_t kBlock = 64;
  T ins[kBlock];
  R outs[kBlock];
  char* const together[2] = {reinterpret_cast<char*>(outs), reinterpret_cast<char*>(ins)};
  constexpr int64_t steps[2] = {sizeof(R), sizeof(T)};
  for (int64_t at = 0; at < count; at += kBlock) {
    const int64_t some = count - at < kBlock ? count - at : kBlock;
    for (int64_t i = 0; i < some; ++i) ins[i] = *reinterpret_cast<const T*>(data[1] + (at + i) * strides[1]);
    unary_loop<F, T>(together, steps, some, context);
    for (int64_t i = 0; i < some; ++i) *reinterpret_cast<R*>(data[0] + (at + i) * strides[0]) = outs[i];
  }
}

constexpr int64_t kSpread = 256;

// Operands that are contiguous or repeated, the repeated ones written out as often as a block of them is long:
// body(offset, count, operands).
template <class S, size_t N, class Body>
void spread_blocks(char* const* data, const int64_t* strides, int64_t count, Body body) {
  S spread[N][kSpread];
  const S* from[N];
  for (size_t k = 0; k < N; ++k) {
    from[k] = reinterpret_cast<const S*>(data[k]);
    if (strides[k] != 0) continue;
    for (S& one : spread[k]) one = *from[k];
    from[k] = spread[k];
  }
  for (int64_t at = 0; at < count; at += kSpread) {
    body(at, count - at < kSpread ? count - at : kSpread, from);
    for (size_t k = 0; k < N; ++k)
      if (strides[k] != 0) from[k] += kSpread;
  }
}

// A functor with kSpreads has cases of its second operand that the compiler would pull out of the loop, one loop for
// each and none of them vector code: a repeated operand is written out. So is one of a functor with a map of its own.
template <class F, class T>
void binary_loop(char* const* data, const int64_t* strides, int64_t count, const void* context) {
  using R = ResultOf<F, T>;
  using S = Stored<T>;
  constexpr bool maps = requires(T* out, const T* in) { F::map(out, in, in, int64_t{}); };
  const F f = functor_from<F>(context);
  const auto lies_well = [](int64_t stride) { return stride == 0 || stride == sizeof(T); };
  if (strides[0] == sizeof(R) && lies_well(strides[1]) && lies_well(strides[2])) {
    auto* out = reinterpret_cast<Stored<R>*>(data[0]);
    const S* a = reinterpret_cast<const S*>(data[1]);
    const S* b = reinterpret_cast<const S*>(data[2]);
    if (strides[1] && strides[2]) {
      if constexpr (maps)
        return F::map(out, a, b, count);
      else
        return contiguous_loop<F, T, R>(f, out, count, a, b);
    }
    if constexpr (maps || requires { F::kSpreads; }) {
      return spread_blocks<S, 2>(data + 1, strides + 1, count, [&](int64_t at, int64_t some, const S* const* in) {
        if constexpr (maps)
          F::map(out + at, in[0], in[1], some);
        else
          contiguous_loop<F, T, R>(f, out + at, some, in[0], in[1]);
      });
    } else if (strides[1]) {
      const T y = static_cast<T>(*b);
#pragma GCC ivdep
      for (int64_t i = 0; i < count; ++i)
        out[i] = static_cast<Stored<R>>(static_cast<R>(apply(f, static_cast<T>(a[i]), y)));
      return;
    } else if (strides[2]) {
      const T x = static_cast<T>(*a);
#pragma GCC ivdep
      for (int64_t i = 0; i < count; ++i)
        out[i] = static_cast<Stored<R>>(static_cast<R>(apply(f, x, static_cast<T>(b[i]))));
      return;
    }
  }
  char* out = data[0];
  const char* a = data[1];
  const char* b = data[2];
  for (int64_t i = 0; i < count; ++i, out += strides[0], a += strides[1], b += strides[2])
    *reinterpret_cast<R*>(out) =
        static_cast<R>(apply(f, *reinterpret_cast<const T*>(a), *reinterpret_cast<const T*>(b)));
}

template <class F, class T>
void ternary_loop(char* const* data, const int64_t* strides, int64_t count, const void* context) {
  using R = ResultOf<F, T>;
  using S = Stored<T>;
  const F f = functor_from<F>(context);
  bool lie_well = strides[0] == sizeof(R);
  for (int k = 1; k < 4; ++k) lie_well &= strides[k] == 0 || strides[k] == sizeof(T);
  if (lie_well) {
    auto* out = reinterpret_cast<Stored<R>*>(data[0]);
    return spread_blocks<S, 3>(data + 1, strides + 1, count, [&](int64_t at, int64_t some, const S* const* in) {
      contiguous_loop<F, T, R>(f, out + at, some, in[0], in[1], in[2]);
    });
  }
  char* out = data[0];
  const char *a = data[1], *b = data[2], *c = data[3];
  for (int64_t i = 0; i < count; ++i, out += strides[0], a += strides[1], b += strides[2], c += strides[3])
    *reinterpret_cast<R*>(out) = static_cast<R>(
        apply(f, *reinterpret_cast<const T*>(a), *reinterpret_cast<const T*>(b), *reinterpret_cast<const T*>(c)));
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
