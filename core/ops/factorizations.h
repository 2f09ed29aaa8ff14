// Triangular systems and LU factors of one matrix in memory, by our own kernels over our own products, divided among
// threads. Results depend neither on the number of threads nor on how the work is divided.
#pragma once

#include <cstdint>

#include "kernels/products.h"

namespace lumbre::ops {

// A triangle: the other half of the n x n matrix is not read, and with `unit` neither is the diagonal.
template <class T>
struct Triangle {
  const T* data;
  MatrixLayout layout;
  bool upper, unit;

  Triangle transposed() const { return {data, {layout.column, layout.row}, !upper, unit}; }
};

// b (n x columns, contiguous rows `b_row` elements apart) <- A^-1 b.
template <class T>
void solve_triangle(int64_t n, int64_t columns, const Triangle<T>& a, T* b, int64_t b_row);

// b <- A^-1 where A is lower: the zeros above the diagonal of b (n x n) take no work, and are written.
template <class T>
void invert_lower(int64_t n, const Triangle<T>& a, T* b, int64_t b_row);

// L U = P A in place of a (m x n, contiguous rows `row` elements apart), L's diagonal of ones left out. `pivots` are
// min(m, n) row numbers from 1, as LAPACK's: row i was exchanged with row pivots[i], in turn. Returns the place of the
// first zero on U's diagonal, from 1, or 0.
template <class T>
int64_t factor_lu(int64_t m, int64_t n, T* a, int64_t row, int32_t* pivots);

// The exchanges of rows of b (contiguous, `b_row` elements apart) that `count` pivots say, in turn or undone.
template <class T>
void exchange_rows(int64_t count, const int32_t* pivots, bool undone, int64_t columns, T* b, int64_t b_row);

}  // namespace lumbre::ops
