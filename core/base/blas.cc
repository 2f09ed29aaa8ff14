#include "base/blas.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <optional>

#include "base/cpu.h"
#include "base/error.h"
#include "base/threads.h"

namespace lumbre::blas {

namespace {

constexpr int kRowMajor = 101, kNoTranspose = 111, kTranspose = 112;

template <class T>
using Gemm = void (*)(int order, int transpose_a, int transpose_b, int m, int n, int k, T alpha, const T* a, int lda,
                      const T* b, int ldb, T beta, T* c, int ldc);

std::string (*resolve_library)() = nullptr;

struct Library {
  void* handle = nullptr;
  Gemm<float> sgemm = nullptr;
  Gemm<double> dgemm = nullptr;
};

// A variable of the environment while this lives, where the user has not set it.
class Setting {
 public:
  Setting(const char* name, const char* value) : name_(name), set_(!std::getenv(name) && setenv(name, value, 1) == 0) {}
  ~Setting() {
    if (set_) unsetenv(name_);
  }
  Setting(const Setting&) = delete;
  Setting& operator=(const Setting&) = delete;

 private:
  const char* name_;
  bool set_;
};

template <class F>
F find(void* handle, const char* name) {
  void* address = dlsym(handle, name);
  LB_CHECK(address, Runtime, "the BLAS library has no function ", name);
  return reinterpret_cast<F>(address);
}

Library load_library() {
  LB_CHECK(resolve_library, Runtime, "no BLAS library was named");
  const std::string path = resolve_library();
  // OpenBLAS takes recent AMD processors for an older kind and leaves AVX-512 unused, where there is one.
  std::optional<Setting> kind;
  if (best_level() >= 2) kind.emplace("OPENBLAS_CORETYPE", "SKYLAKEX");
  // Its threads would be started, and spin, before they can be told not to be.
  const Setting threads("OPENBLAS_NUM_THREADS", "1");
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  LB_CHECK(handle, Runtime, "the BLAS library cannot be loaded (pip install scipy-openblas32): ", dlerror());
  // The library's own threads would spin against ours, and its split of the work depends on their number.
  find<void (*)(int)>(handle, "scipy_openblas_set_num_threads")(1);
  return {handle, find<Gemm<float>>(handle, "scipy_cblas_sgemm"), find<Gemm<double>>(handle, "scipy_cblas_dgemm")};
}

const Library& library() {
  static const Library loaded = load_library();
  return loaded;
}

int narrow(int64_t value) {
  LB_CHECK(value <= INT32_MAX, Runtime, "a matrix dimension of ", value, " is beyond what the BLAS library takes");
  return static_cast<int>(value);
}

constexpr double kParallelWork = 2e6;  // multiply-adds below which a product stays on its thread

template <class T>
void run(Gemm<T> kernel, bool ta, bool tb, int64_t m, int64_t n, int64_t k, T alpha, const T* a, int64_t lda,
         const T* b, int64_t ldb, T beta, T* c, int64_t ldc) {
  const auto call = [&](int64_t row, int64_t rows, int64_t column, int64_t columns) {
    const T* part_a = a + (ta ? row : row * lda);
    const T* part_b = b + (tb ? column * ldb : column);
    kernel(kRowMajor, ta ? kTranspose : kNoTranspose, tb ? kTranspose : kNoTranspose, narrow(rows), narrow(columns),
           narrow(k), alpha, part_a, narrow(lda), part_b, narrow(ldb), beta, c + row * ldc + column, narrow(ldc));
  };
  narrow(m), narrow(n), narrow(k), narrow(lda), narrow(ldb), narrow(ldc);
  const double work = static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  if (work < kParallelWork) return call(0, m, 0, n);
  // The split depends on the sizes only, so that the result does not depend on the number of threads.
  constexpr int64_t kParts = 8;
  const bool by_rows = m >= n;
  const int64_t length = by_rows ? m : n;
  const int64_t part = std::max<int64_t>(((length + kParts - 1) / kParts + 31) / 32 * 32, length >= 512 ? 256 : 64);
  const int64_t parts = (length + part - 1) / part;
  const LongWork released(work >= 1e7);
  parallel_for(parts, 1, [&](int64_t begin, int64_t end) {
    const int64_t from = begin * part, to = std::min(end * part, length);
    if (by_rows)
      call(from, to - from, 0, n);
    else
      call(0, m, from, to - from);
  });
}

}  // namespace

void load() { library(); }

void* symbol(const char* name) { return find<void*>(library().handle, name); }

void set_library_resolver(std::string (*resolver)()) { resolve_library = resolver; }

void gemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, float alpha, const float* a, int64_t lda, const float* b,
          int64_t ldb, float beta, float* c, int64_t ldc) {
  run(library().sgemm, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
void gemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, double alpha, const double* a, int64_t lda,
          const double* b, int64_t ldb, double beta, double* c, int64_t ldc) {
  run(library().dgemm, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

}  // namespace lumbre::blas
