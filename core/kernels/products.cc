#include "kernels/products.h"

#include "base/level.h"

namespace lumbre {
namespace LB_LEVEL {

// Rows of C are accumulated in registers or cache, four columns' worth of A at a time; the order of the additions
// over k is the same for every element.
template <class T>
void small_gemm(int64_t m, int64_t n, int64_t k, const void* a_data, MatrixLayout la, const void* b_data,
                MatrixLayout lb, void* c_data, int64_t c_row) {
  const T* a = static_cast<const T*>(a_data);
  const T* b = static_cast<const T*>(b_data);
  T* c = static_cast<T*>(c_data);
  for (int64_t i = 0; i < m; ++i) {
    T* row = c + i * c_row;
    const T* a_row = a + i * la.row;
    if (lb.column != 1 && lb.row == 1) {  // B transposed: each element is a dot product over contiguous runs
      for (int64_t j = 0; j < n; ++j) {
        const T* column = b + j * lb.column;
        T sum = 0;
        for (int64_t p = 0; p < k; ++p) sum = static_cast<T>(sum + a_row[p * la.column] * column[p]);
        row[j] = sum;
      }
      continue;
    }
    for (int64_t j = 0; j < n; ++j) row[j] = 0;
    for (int64_t p = 0; p < k; ++p) {
      const T factor = a_row[p * la.column];
      const T* b_row = b + p * lb.row;
      if (lb.column == 1) {
#pragma GCC ivdep
        for (int64_t j = 0; j < n; ++j) row[j] = static_cast<T>(row[j] + factor * b_row[j]);
      } else {
        for (int64_t j = 0; j < n; ++j) row[j] = static_cast<T>(row[j] + factor * b_row[j * lb.column]);
      }
    }
  }
}

// Sixteen partial sums over blocks of a fixed size, combined in order.
template <class T>
void dot_loop(int64_t count, const void* x_data, int64_t x_stride, const void* y_data, int64_t y_stride, void* result) {
  const T* x = static_cast<const T*>(x_data);
  const T* y = static_cast<const T*>(y_data);
  constexpr int64_t kLanes = 16;
  T total = 0;
  int64_t i = 0;
  if (x_stride == 1 && y_stride == 1 && count >= kLanes) {
    constexpr int64_t kBlock = 4096;
    while (i + kLanes <= count) {
      T lanes[kLanes] = {};
      const int64_t end = count - i < kBlock ? i + (count - i) / kLanes * kLanes : i + kBlock;
      for (; i < end; i += kLanes)
        for (int64_t l = 0; l < kLanes; ++l) lanes[l] = static_cast<T>(lanes[l] + x[i + l] * y[i + l]);
      for (int64_t width = kLanes / 2; width > 0; width /= 2)
        for (int64_t l = 0; l < width; ++l) lanes[l] = static_cast<T>(lanes[l] + lanes[l + width]);
      total = static_cast<T>(total + lanes[0]);
    }
  }
  for (; i < count; ++i) total = static_cast<T>(total + x[i * x_stride] * y[i * y_stride]);
  *static_cast<T*>(result) = total;
}

extern constinit const ProductTable product_loops = {
    {nullptr, &small_gemm<uint8_t>, &small_gemm<int8_t>, &small_gemm<int16_t>, &small_gemm<int32_t>,
     &small_gemm<int64_t>, nullptr, nullptr, &small_gemm<float>, &small_gemm<double>},
    {nullptr, &dot_loop<uint8_t>, &dot_loop<int8_t>, &dot_loop<int16_t>, &dot_loop<int32_t>, &dot_loop<int64_t>,
     nullptr, nullptr, &dot_loop<float>, &dot_loop<double>}};

}  // namespace LB_LEVEL
}  // namespace lumbre

#if LB_BASELINE
#include "base/dispatch.h"
LB_LEVEL_TABLE(lumbre::ProductTable, product_loops)
namespace lumbre {
const ProductTable& product_table() { return LB_BEST(product_loops); }
}  // namespace lumbre
#endif
