// Products of small or non-floating matrices, and dot products: own loops where a call of the BLAS library costs more
// than the arithmetic, and for the dtypes that it does not have.
#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace lumbre {

struct MatrixLayout {
  int64_t row;     // elements from a row to the next
  int64_t column;  // elements from a column to the next
};

// C (m x n, rows `c_row` elements apart) = A B, any strides. Integers wrap.
using SmallGemm = void (*)(int64_t m, int64_t n, int64_t k, const void* a, MatrixLayout layout_a, const void* b,
                           MatrixLayout layout_b, void* c, int64_t c_row);
using DotLoop = void (*)(int64_t count, const void* x, int64_t x_stride, const void* y, int64_t y_stride, void* result);

// out (rows x outs) = x (rows x ins) weight^T + bias, all row-major; weight is (outs x ins), bias may be null.
using LinearLoop = void (*)(int64_t rows, int64_t ins, int64_t outs, const void* x, const void* weight,
                            const void* bias, void* out);

// Entries of dtypes that are not multiplied here (bool, the half types) are null.
struct ProductTable {
  SmallGemm gemm[kDTypeCount];
  DotLoop dot[kDTypeCount];
  LinearLoop linear[2];  // float, double
};

const ProductTable& product_table();

}  // namespace lumbre
