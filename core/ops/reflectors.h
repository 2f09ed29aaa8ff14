// Householder reflectors of one matrix in memory, by our own products: QR, and what is done with it. Matrices are by
// columns, `a_column` elements apart, and hold the reflectors as LAPACK does: below the diagonal, a one on it left out,
// their scales in `tau`. Results do not depend on the number of threads.
#pragma once

#include <cstdint>

namespace lumbre::ops {

// a (m x n) <- R above, reflectors below; b (m x columns) <- Q^T b. min(m, n) scales.
template <class T>
void factor_qr(int64_t m, int64_t n, T* a, int64_t a_column, T* tau, int64_t columns = 0, T* b = nullptr,
               int64_t b_column = 0);

// a (m x n), whose first `count` columns hold reflectors, <- the first n columns of Q.
template <class T>
void form_q(int64_t m, int64_t n, int64_t count, T* a, int64_t a_column, const T* tau);

// b (m x columns, by columns) <- in its first n rows X of the smallest A X - b; below, what has the length of that. A
// (m x n, m >= n, columns without gaps) is overwritten. The result is false, and both are lost, where A has not full
// rank (with `ranked`: where its estimated smallest singular value is not rcond times its largest), or where its
// numbers are too large or too small.
template <class T>
bool solve_least_squares(bool ranked, T rcond, int64_t m, int64_t n, int64_t columns, T* a, T* b);

}  // namespace lumbre::ops
