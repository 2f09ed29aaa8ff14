// Matrix products from OpenBLAS, loaded when first needed.
#pragma once

#include <cstdint>
#include <string>

namespace lumbre::blas {

// Gives the path of the library; called once, at the first product.
void set_library_resolver(std::string (*resolver)());

// Loads the library now. The resolver may call Python, so a worker thread must not be the first to need it.
void load();

// A function of the library by its name; LAPACK's are found so. Throws when there is none.
void* symbol(const char* name);

// C (m x n) = alpha op(A) op(B) + beta C, row-major with leading dimensions. With beta 0, C is not read.
void gemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, float alpha, const float* a, int64_t lda,
          const float* b, int64_t ldb, float beta, float* c, int64_t ldc);
void gemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, double alpha, const double* a,
          int64_t lda, const double* b, int64_t ldb, double beta, double* c, int64_t ldc);

}  // namespace lumbre::blas
