// LAPACK, from the library that brings BLAS: factorisations and solvers on column-major matrices with leading
// dimensions. Each returns LAPACK's `info`: 0, or the (one-based) place where it failed; a negative one says which
// argument was refused. Workspaces are asked for and freed inside.
#pragma once

#include <cstdint>

namespace lumbre::lapack {

// LAPACK's integers.
using Int = int32_t;

template <class T>
Int potrf(bool upper, Int n, T* a, Int lda);
// LDL^T of a symmetric matrix, and its solver.
template <class T>
Int sytrf(Int n, T* a, Int lda, Int* pivots);
template <class T>
Int sytrs(Int n, Int columns, const T* a, Int lda, const Int* pivots, T* b, Int ldb);
template <class T>
Int ormqr(bool left, bool transposed, Int m, Int n, Int reflectors, const T* a, Int lda, const T* tau, T* c, Int ldc);
// job: 'A' all of U and V^T, 'S' the first min(m, n) columns and rows, 'N' none.
template <class T>
Int gesdd(char job, Int m, Int n, T* a, Int lda, T* s, T* u, Int ldu, T* vt, Int ldvt);
// Eigenvalues in rising order; with `vectors`, they replace the matrix.
template <class T>
Int syevd(bool vectors, bool upper, Int n, T* a, Int lda, T* values);
// One step of the estimate of a triangle's largest, or smallest, singular value: with x for the first `count` columns,
// for (s x, c) when (w, gamma) is the next. Bischof, SIAM J. Matrix Anal. Appl. 11(2), 1990.
template <class T>
void laic1(bool largest, Int count, const T* x, T estimate, const T* w, T gamma, T* next, T* s, T* c);
// Least squares; B holds the right-hand sides, max(m, n) rows.
template <class T>
Int gels(Int m, Int n, Int columns, T* a, Int lda, T* b, Int ldb);
template <class T>
Int gelsy(Int m, Int n, Int columns, T* a, Int lda, T* b, Int ldb, T rcond, Int* rank);
template <class T>
Int gelsd(Int m, Int n, Int columns, T* a, Int lda, T* b, Int ldb, T* singular_values, T rcond, Int* rank);
template <class T>
Int gelss(Int m, Int n, Int columns, T* a, Int lda, T* b, Int ldb, T* singular_values, T rcond, Int* rank);

}  // namespace lumbre::lapack
