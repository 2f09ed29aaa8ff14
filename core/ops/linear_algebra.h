// Batches of matrices for our own factorizations and LAPACK's: dense copies, one call per matrix, `info` per matrix.
#pragma once

#include "base/function_ref.h"
#include "base/lapack.h"
#include "kernels/products.h"
#include "ops/registry.h"

namespace lumbre::ops {

inline int64_t rows(const Tensor& a) { return a.sizes()[a.ndim() - 2]; }
inline int64_t columns(const Tensor& a) { return a.sizes()[a.ndim() - 1]; }

// Sizes without the last `count` dimensions, and with others after them.
Dims batch_sizes(const Tensor& a, int count = 2);
Dims joined(Dims batch, std::initializer_list<int64_t> last);

// Checks with PyTorch's sentences; `name` is the operator's.
void check_matrix(const Tensor& a, const char* name, const char* parameter = "A");
void check_square(const Tensor& a, const char* name, const char* parameter = "A");
void check_floating(const Tensor& a, const char* name);
void check_same_dtype(const Tensor& a, const Tensor& b, const char* name);

// New tensors of (..., rows, columns) whose matrices are column-major and follow each other without gaps.
Tensor column_major(const Dims& sizes, DType dtype);
Tensor column_major_copy(const Tensor& a);
Tensor column_major_copy(const Tensor& a, const Dims& sizes);  // broadcast to the sizes
// Itself when it is laid out so already.
Tensor as_column_major(const Tensor& a);

// The matrices of a batch that column_major made, as raw memory.
template <class T>
struct Matrices {
  T* data;
  int64_t count, step;  // matrices, elements from one to the next
  lapack::Int rows, columns;
  T* at(int64_t i) const { return data + i * step; }
  lapack::Int leading() const { return std::max<lapack::Int>(rows, 1); }
};
template <class T>
Matrices<T> matrices(const Tensor& a) {
  LB_CHECK(rows(a) <= INT32_MAX && columns(a) <= INT32_MAX, Runtime,
           "a matrix is beyond what 32-bit row numbers can say: ", a.sizes());
  const int64_t step = rows(a) * columns(a);
  int64_t count = 1;
  for (int64_t size : batch_sizes(a)) count *= size;
  return {a.as<T>(), count, step, static_cast<lapack::Int>(rows(a)), static_cast<lapack::Int>(columns(a))};
}

// A batch of matrices to read: as it lies where either its rows or its columns are contiguous and nothing has gaps,
// else a copy.
struct Dense {
  Tensor tensor;
  MatrixLayout layout;
};
Dense dense(const Tensor& a);

// Calls body(i) for each matrix of a batch: many small ones are divided among threads, few large ones are left to their
// own loops. `work` is of one matrix, in multiply-adds.
void each_matrix(int64_t count, double work, FunctionRef<void(int64_t)> body);

// Calls body(float{}) or body(double{}).
template <class Body>
void visit_real(DType dtype, Body&& body) {
  if (dtype == DType::Float32)
    body(float{});
  else
    body(double{});
}

// Throws for the first matrix whose info is not 0; `sentence(info)` says what that means.
void check_info(const Tensor& info, const char* name, FunctionRef<std::string(int)> sentence,
                ErrorKind kind = ErrorKind::LinearAlgebra);

}  // namespace lumbre::ops
