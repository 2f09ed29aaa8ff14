// What a factorization does between its matrix products: narrow panels, and small triangles. How a matrix is divided
// into them is the driver's business (ops/factorizations.h).
#pragma once

#include <cstdint>

#include "kernels/products.h"

namespace lumbre {

template <class T>
struct FactorLoops {
  // Elements that there must be between a panel's columns, behind the m of each; what they hold is changed.
  int64_t slack;
  // LU with partial pivoting of a panel (m x n, its columns contiguous and `pitch` apart). The first of the largest
  // elements is the pivot; a NaN is one only where it lies on the diagonal. `pivots` are min(m, n) row numbers from 0.
  // Returns the first column whose pivot is zero, from 1, or 0.
  int64_t (*lu)(int64_t m, int64_t n, T* a, int64_t pitch, int32_t* pivots);
  // b (n x columns, its rows contiguous) <- L^-1 b for a lower triangle of at most kMostRows and of any strides;
  // negative ones make an upper triangle a lower one.
  static constexpr int64_t kMostRows = 64;
  void (*solve)(bool unit, int64_t n, int64_t columns, const T* l, MatrixLayout layout, T* b, int64_t b_row);
};

struct FactorTable {
  FactorLoops<float> f32;
  FactorLoops<double> f64;
};

const FactorTable& factor_table();

}  // namespace lumbre
