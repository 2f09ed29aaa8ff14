#include "base/lapack.h"

#include <algorithm>
#include <string>
#include <type_traits>
#include <vector>

#include "base/blas.h"

namespace lumbre::lapack {

namespace {

// Fortran passes the lengths of character arguments behind all others.
using Length = size_t;

template <class T, class F>
F find(const char* name) {
  const std::string symbol = std::string("scipy_") + (std::is_same_v<T, float> ? "s" : "d") + name + "_";
  return reinterpret_cast<F>(blas::symbol(symbol.c_str()));
}

// Calls twice: first with a workspace of one element, whose value then says how many there should be.
template <class T, class F>
Int with_workspace(F&& call) {
  T wanted = 0;
  const Int info = call(&wanted, Int{-1});
  if (info != 0) return info;
  std::vector<T> work(static_cast<size_t>(std::max(wanted, T{1})));
  return call(work.data(), static_cast<Int>(work.size()));
}

}  // namespace

template <class T>
Int potrf(bool upper, Int n, T* a, Int lda) {
  using F = void (*)(const char*, const Int*, T*, const Int*, Int*, Length);
  static const F f = find<T, F>("potrf");
  Int info = 0;
  f(upper ? "U" : "L", &n, a, &lda, &info, 1);
  return info;
}

template <class T>
Int sytrf(Int n, T* a, Int lda, Int* pivots) {
  using F = void (*)(const char*, const Int*, T*, const Int*, Int*, T*, const Int*, Int*, Length);
  static const F f = find<T, F>("sytrf");
  return with_workspace<T>([&](T* work, Int length) {
    Int info = 0;
    f("L", &n, a, &lda, pivots, work, &length, &info, 1);
    return info;
  });
}

template <class T>
Int sytrs(Int n, Int columns, const T* a, Int lda, const Int* pivots, T* b, Int ldb) {
  using F =
      void (*)(const char*, const Int*, const Int*, const T*, const Int*, const Int*, T*, const Int*, Int*, Length);
  static const F f = find<T, F>("sytrs");
  Int info = 0;
  f("L", &n, &columns, a, &lda, pivots, b, &ldb, &info, 1);
  return info;
}

template <class T>
Int ormqr(bool left, bool transposed, Int m, Int n, Int reflectors, const T* a, Int lda, const T* tau, T* c, Int ldc) {
  using F = void (*)(const char*, const char*, const Int*, const Int*, const Int*, const T*, const Int*, const T*, T*,
                     const Int*, T*, const Int*, Int*, Length, Length);
  static const F f = find<T, F>("ormqr");
  return with_workspace<T>([&](T* work, Int length) {
    Int info = 0;
    f(left ? "L" : "R", transposed ? "T" : "N", &m, &n, &reflectors, a, &lda, tau, c, &ldc, work, &length, &info, 1, 1);
    return info;
  });
}

template <class T>
Int gesdd(char job, Int m, Int n, T* a, Int lda, T* s, T* u, Int ldu, T* vt, Int ldvt) {
  using F = void (*)(const char*, const Int*, const Int*, T*, const Int*, T*, T*, const Int*, T*, const Int*, T*,
                     const Int*, Int*, Int*, Length);
  static const F f = find<T, F>("gesdd");
  std::vector<Int> integers(static_cast<size_t>(std::max(8 * std::min(m, n), 1)));
  return with_workspace<T>([&](T* work, Int length) {
    Int info = 0;
    f(&job, &m, &n, a, &lda, s, u, &ldu, vt, &ldvt, work, &length, integers.data(), &info, 1);
    return info;
  });
}

template <class T>
Int syevd(bool vectors, bool upper, Int n, T* a, Int lda, T* values) {
  using F = void (*)(const char*, const char*, const Int*, T*, const Int*, T*, T*, const Int*, Int*, const Int*, Int*,
                     Length, Length);
  static const F f = find<T, F>("syevd");
  const char *job = vectors ? "V" : "N", *half = upper ? "U" : "L";
  Int info = 0, integer_count = -1, ask = -1;
  T wanted = 0;
  Int integers_wanted = 0;
  f(job, half, &n, a, &lda, values, &wanted, &ask, &integers_wanted, &integer_count, &info, 1, 1);
  if (info != 0) return info;
  std::vector<T> work(static_cast<size_t>(std::max(wanted, T{1})));
  std::vector<Int> integers(static_cast<size_t>(std::max(integers_wanted, 1)));
  const Int length = static_cast<Int>(work.size());
  integer_count = static_cast<Int>(integers.size());
  f(job, half, &n, a, &lda, values, work.data(), &length, integers.data(), &integer_count, &info, 1, 1);
  return info;
}

template <class T>
void laic1(bool largest, Int count, const T* x, T estimate, const T* w, T gamma, T* next, T* s, T* c) {
  using F = void (*)(const Int*, const Int*, const T*, const T*, const T*, const T*, T*, T*, T*);
  static const F f = find<T, F>("laic1");
  const Int job = largest ? 1 : 2;
  f(&job, &count, x, &estimate, w, &gamma, next, s, c);
}

template <class T>
Int gels(Int m, Int n, Int columns, T* a, Int lda, T* b, Int ldb) {
  using F = void (*)(const char*, const Int*, const Int*, const Int*, T*, const Int*, T*, const Int*, T*, const Int*,
                     Int*, Length);
  static const F f = find<T, F>("gels");
  return with_workspace<T>([&](T* work, Int length) {
    Int info = 0;
    f("N", &m, &n, &columns, a, &lda, b, &ldb, work, &length, &info, 1);
    return info;
  });
}

template <class T>
Int gelsy(Int m, Int n, Int columns, T* a, Int lda, T* b, Int ldb, T rcond, Int* rank) {
  using F = void (*)(const Int*, const Int*, const Int*, T*, const Int*, T*, const Int*, Int*, const T*, Int*, T*,
                     const Int*, Int*);
  static const F f = find<T, F>("gelsy");
  std::vector<Int> order(static_cast<size_t>(std::max(n, 1)));  // zero: every column may be moved
  return with_workspace<T>([&](T* work, Int length) {
    Int info = 0;
    f(&m, &n, &columns, a, &lda, b, &ldb, order.data(), &rcond, rank, work, &length, &info);
    return info;
  });
}

template <class T>
Int gelsd(Int m, Int n, Int columns, T* a, Int lda, T* b, Int ldb, T* singular_values, T rcond, Int* rank) {
  using F = void (*)(const Int*, const Int*, const Int*, T*, const Int*, T*, const Int*, T*, const T*, Int*, T*,
                     const Int*, Int*, Int*);
  static const F f = find<T, F>("gelsd");
  T wanted = 0;
  Int info = 0, ask = -1, integers_wanted = 0;
  f(&m, &n, &columns, a, &lda, b, &ldb, singular_values, &rcond, rank, &wanted, &ask, &integers_wanted, &info);
  if (info != 0) return info;
  std::vector<T> work(static_cast<size_t>(std::max(wanted, T{1})));
  std::vector<Int> integers(static_cast<size_t>(std::max(integers_wanted, 1)));
  const Int length = static_cast<Int>(work.size());
  f(&m, &n, &columns, a, &lda, b, &ldb, singular_values, &rcond, rank, work.data(), &length, integers.data(), &info);
  return info;
}

template <class T>
Int gelss(Int m, Int n, Int columns, T* a, Int lda, T* b, Int ldb, T* singular_values, T rcond, Int* rank) {
  using F = void (*)(const Int*, const Int*, const Int*, T*, const Int*, T*, const Int*, T*, const T*, Int*, T*,
                     const Int*, Int*);
  static const F f = find<T, F>("gelss");
  return with_workspace<T>([&](T* work, Int length) {
    Int info = 0;
    f(&m, &n, &columns, a, &lda, b, &ldb, singular_values, &rcond, rank, work, &length, &info);
    return info;
  });
}

#define LB_LAPACK(T)                                                                  \
  template Int potrf<T>(bool, Int, T*, Int);                                          \
  template Int sytrf<T>(Int, T*, Int, Int*);                                          \
  template Int sytrs<T>(Int, Int, const T*, Int, const Int*, T*, Int);                \
  template Int ormqr<T>(bool, bool, Int, Int, Int, const T*, Int, const T*, T*, Int); \
  template Int gesdd<T>(char, Int, Int, T*, Int, T*, T*, Int, T*, Int);               \
  template Int syevd<T>(bool, bool, Int, T*, Int, T*);                                \
  template void laic1<T>(bool, Int, const T*, T, const T*, T, T*, T*, T*);            \
  template Int gels<T>(Int, Int, Int, T*, Int, T*, Int);                              \
  template Int gelsy<T>(Int, Int, Int, T*, Int, T*, Int, T, Int*);                    \
  template Int gelsd<T>(Int, Int, Int, T*, Int, T*, Int, T*, T, Int*);                \
  template Int gelss<T>(Int, Int, Int, T*, Int, T*, Int, T*, T, Int*)
LB_LAPACK(float);
LB_LAPACK(double);

}  // namespace lumbre::lapack
