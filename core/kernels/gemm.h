// The building blocks of a matrix product: packing, and tiles of the result accumulated in registers. What is divided
// how, and among which threads, is the driver's business (ops/gemm.h).
//
// Goto and van de Geijn, "Anatomy of high-performance matrix multiplication", ACM TOMS 34(3), 2008.
#pragma once

#include <cstdint>

#include "kernels/products.h"

namespace lumbre {

// c (m x n) = alpha * a b + beta * c, where beta is 0 (c is not read) or 1. Rows of c are contiguous.
template <class T>
struct GemmBlock {
  int64_t m, n, k;
  T alpha;
  const T* a;
  MatrixLayout layout_a;
  const T* b;
  MatrixLayout layout_b;
  bool accumulate;
  T* c;
  int64_t c_row;
  bool packed_a = false;
};

// Up to this depth B is best read where it lies: C takes longer than its sums.
constexpr int64_t kShallowDepth = 8;

template <class T>
struct GemmLoops {
  // The tile: `rows` x `columns` elements of c. Packed A is in panels of `rows`, packed B in panels of `columns`; the
  // last panel of each is filled up with zeros.
  int rows, columns;
  // `panels` points at ceil(m / rows) * rows * k elements.
  void (*pack_a)(int64_t m, int64_t k, const T* a, MatrixLayout layout, T* panels);
  // `panels` points at ceil(n / columns) * columns * k elements; from one panel to the next `panel_stride` elements.
  void (*pack_b)(int64_t n, int64_t k, const T* b, MatrixLayout layout, T* panels, int64_t panel_stride);
  // A where it lies, or packed (packed_a; its strides say nothing: those of an expanded matrix are 0). B packed
  // (layout_b.column == 0, layout_b.row its panel stride), or where it lies if its rows are contiguous (layout_b.column
  // == 1) and n is a multiple of `columns`.
  void (*multiply)(const GemmBlock<T>& block);
  // The first `rows` rows of the product (block.m says nothing), and B into `panels` as pack_b does it. A where it
  // lies; rows of B contiguous (layout_b.column == 1).
  void (*multiply_and_pack)(const GemmBlock<T>& block, T* panels, int64_t panel_stride);
  // Rows of A and columns of B contiguous (layout_a.column == 1, layout_b.row == 1): dot products, nothing packed.
  void (*dots)(const GemmBlock<T>& block);
};

struct GemmTable {
  GemmLoops<float> f32;
  GemmLoops<double> f64;
};

const GemmTable& gemm_table();

}  // namespace lumbre
