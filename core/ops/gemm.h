// Matrix products of float32 and float64 by our own kernels: divided into blocks that fit the caches, and among
// threads.
#pragma once

#include <cstdint>

#include "base/dispatch.h"
#include "kernels/gemm.h"

namespace lumbre::ops {

template <class T>
const GemmLoops<T>& gemm_loops() {
  return loops_of<T>(gemm_table());
}

// c (m x n, contiguous rows `c_row` elements apart) = alpha a b + beta c; a and b of any strides. With beta 0 c is not
// read, with alpha 0 neither are a and b. The order of the additions depends on k alone, so the result depends neither
// on the number of threads nor on how the work is divided. May be called from a worker: it then stays on its thread.
template <class T>
void gemm(int64_t m, int64_t n, int64_t k, T alpha, const T* a, MatrixLayout layout_a, const T* b,
          MatrixLayout layout_b, T beta, T* c, int64_t c_row);

// The same of bfloat16, added up in float32 and rounded once. False, and nothing is done, where the processor has no
// instructions for it, or the product is too small for them.
bool gemm_bfloat16(int64_t m, int64_t n, int64_t k, float alpha, const uint16_t* a, MatrixLayout layout_a,
                   const uint16_t* b, MatrixLayout layout_b, float beta, uint16_t* c, int64_t c_row);

}  // namespace lumbre::ops
