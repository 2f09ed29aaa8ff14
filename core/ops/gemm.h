// Matrix products of float32 and float64 by our own kernels: divided into blocks that fit the caches, and among
// threads.
#pragma once

#include <cstdint>

#include "kernels/gemm.h"

namespace lumbre::ops {

// c (m x n, contiguous rows `c_row` elements apart) = alpha a b + beta c; a and b of any strides. With beta 0 c is not
// read, with alpha 0 neither are a and b. The order of the additions depends on k alone, so the result depends neither
// on the number of threads nor on how the work is divided. May be called from a worker: it then stays on its thread.
template <class T>
void gemm(int64_t m, int64_t n, int64_t k, T alpha, const T* a, MatrixLayout layout_a, const T* b,
          MatrixLayout layout_b, T beta, T* c, int64_t c_row);

}  // namespace lumbre::ops
