#include "kernels/products.h"

#include <cstring>
#include <type_traits>

#include "base/level.h"

namespace lumbre {
namespace LB_LEVEL {

// C = A B for a number of columns that the compiler knows: a row of C stays in registers.
template <class T, int n>
void narrow_gemm(int64_t m, int64_t k, const T* a, MatrixLayout la, const T* b, int64_t b_row, T* c, int64_t c_row) {
  for (int64_t i = 0; i < m; ++i) {
    T sums[n] = {};
    for (int64_t p = 0; p < k; ++p) {
      const T factor = a[i * la.row + p * la.column];
      for (int j = 0; j < n; ++j) sums[j] = static_cast<T>(sums[j] + factor * b[p * b_row + j]);
    }
    for (int j = 0; j < n; ++j) c[i * c_row + j] = sums[j];
  }
}

// Rows of C are accumulated in registers or cache, four columns' worth of A at a time; the order of the additions
// over k is the same for every element.
template <class T>
void small_gemm(int64_t m, int64_t n, int64_t k, const void* a_data, MatrixLayout la, const void* b_data,
                MatrixLayout lb, void* c_data, int64_t c_row) {
  const T* a = static_cast<const T*>(a_data);
  const T* b = static_cast<const T*>(b_data);
  T* c = static_cast<T*>(c_data);
  if constexpr (std::is_floating_point_v<T>) {
    if (lb.column == 1) switch (n) {
        case 2:
          return narrow_gemm<T, 2>(m, k, a, la, b, lb.row, c, c_row);
        case 3:
          return narrow_gemm<T, 3>(m, k, a, la, b, lb.row, c, c_row);
        case 4:
          return narrow_gemm<T, 4>(m, k, a, la, b, lb.row, c, c_row);
        case 8:
          return narrow_gemm<T, 8>(m, k, a, la, b, lb.row, c, c_row);
        case 16:
          return narrow_gemm<T, 16>(m, k, a, la, b, lb.row, c, c_row);
        default:
          break;
      }
  }
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

// The sum of sixteen, by halves, in registers.
template <class T>
T sum_of_lanes(const T* lanes) {
  typedef T Vector __attribute__((vector_size(16 * sizeof(T))));
  typedef std::conditional_t<sizeof(T) == 4, int32_t, int64_t> Index;
  typedef Index Mask __attribute__((vector_size(16 * sizeof(T))));
  Vector v;
  std::memcpy(&v, lanes, sizeof(v));
  v += __builtin_shuffle(v, Mask{8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7});
  v += __builtin_shuffle(v, Mask{4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11});
  v += __builtin_shuffle(v, Mask{2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13});
  v += __builtin_shuffle(v, Mask{1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14});
  return v[0];
}

// Four outputs at a time, sixteen partial sums each: their order depends on the sizes alone.
template <class T>
void linear_loop(int64_t rows, int64_t ins, int64_t outs, const void* x_data, const void* weight_data,
                 const void* bias_data, void* out_data) {
  constexpr int64_t kLanes = 16, kOuts = 4;
  const T* bias = static_cast<const T*>(bias_data);
  for (int64_t i = 0; i < rows; ++i) {
    const T* __restrict x = static_cast<const T*>(x_data) + i * ins;
    T* __restrict out = static_cast<T*>(out_data) + i * outs;
    for (int64_t j = 0; j < outs; j += kOuts) {
      const int64_t width = outs - j < kOuts ? outs - j : kOuts;
      const T* __restrict w = static_cast<const T*>(weight_data) + j * ins;
      // A missing output repeats the last one.
      const int64_t r1 = (width > 1 ? 1 : 0) * ins, r2 = (width > 2 ? 2 : width - 1) * ins,
                    r3 = (width > 3 ? 3 : width - 1) * ins;
      T a[kOuts][kLanes] = {};
      int64_t p = 0;
      for (; p + kLanes <= ins; p += kLanes)
        for (int64_t l = 0; l < kLanes; ++l) {
          a[0][l] += x[p + l] * w[p + l];
          a[1][l] += x[p + l] * w[r1 + p + l];
          a[2][l] += x[p + l] * w[r2 + p + l];
          a[3][l] += x[p + l] * w[r3 + p + l];
        }
      T rest[kOuts] = {};
      for (; p < ins; ++p) {
        rest[0] += x[p] * w[p];
        rest[1] += x[p] * w[r1 + p];
        rest[2] += x[p] * w[r2 + p];
        rest[3] += x[p] * w[r3 + p];
      }
      for (int64_t r = 0; r < width; ++r)
        out[j + r] = (ins < kLanes ? T(0) : sum_of_lanes(a[r])) + rest[r] + (bias ? bias[j + r] : T(0));
    }
  }
}

extern constinit const ProductTable product_loops = {
    {nullptr, &small_gemm<uint8_t>, &small_gemm<int8_t>, &small_gemm<int16_t>, &small_gemm<int32_t>,
     &small_gemm<int64_t>, nullptr, nullptr, &small_gemm<float>, &small_gemm<double>},
    {nullptr, &dot_loop<uint8_t>, &dot_loop<int8_t>, &dot_loop<int16_t>, &dot_loop<int32_t>, &dot_loop<int64_t>,
     nullptr, nullptr, &dot_loop<float>, &dot_loop<double>},
    {&linear_loop<float>, &linear_loop<double>}};

}  // namespace LB_LEVEL
}  // namespace lumbre

#if LB_BASELINE
#include "base/dispatch.h"
LB_LEVEL_TABLE(lumbre::ProductTable, product_loops)
namespace lumbre {
const ProductTable& product_table() { return LB_BEST(product_loops); }
}  // namespace lumbre
#endif
