#include "kernels/panels.h"

#include "base/level.h"

namespace lumbre {
namespace LB_LEVEL {

#if defined(__AVX512F__)
inline constexpr int kPanelBytes = 64, kMostRows = 8;
#elif defined(__AVX__)
inline constexpr int kPanelBytes = 32, kMostRows = 4;
#else
inline constexpr int kPanelBytes = 16, kMostRows = 4;
#endif
inline constexpr int kPanelVectors = 2;

template <class T>
struct PanelVector {
  typedef T type __attribute__((vector_size(kPanelBytes), aligned(sizeof(T)), may_alias));
};
template <class T>
inline constexpr int64_t kPanelLanes = kPanelBytes / static_cast<int64_t>(sizeof(T));
template <class T>
inline constexpr int64_t kPanelWidth = kPanelVectors * kPanelLanes<T>;

template <class T>
void pack_panels(int64_t k, int64_t n, const void* matrix, int64_t k_stride, int64_t n_stride, void* packed) {
  const T* from = static_cast<const T*>(matrix);
  T* to = static_cast<T*>(packed);
  for (int64_t first = 0; first < n; first += kPanelWidth<T>)
    for (int64_t p = 0; p < k; ++p)
      for (int64_t j = first; j < first + kPanelWidth<T>; ++j) *to++ = j < n ? from[p * k_stride + j * n_stride] : T(0);
}

template <class T, int R>
void multiply_panel(int64_t k, const T* a, int64_t a_pitch, const T* panel, T* c, int64_t c_pitch) {
  using Vector = typename PanelVector<T>::type;
  Vector sums[R][kPanelVectors] = {};
  for (int64_t p = 0; p < k; ++p) {
    const Vector* row = reinterpret_cast<const Vector*>(panel + p * kPanelWidth<T>);
    const Vector low = row[0], high = row[1];
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const Vector factor = a[r * a_pitch + p] - Vector{};  // a broadcast without an addition
      sums[r][0] += factor * low;
      sums[r][1] += factor * high;
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
    Vector* row = reinterpret_cast<Vector*>(c + r * c_pitch);
    row[0] = sums[r][0];
    row[1] = sums[r][1];
  }
}

template <class T, int R>
int64_t multiply_some(int64_t row, int64_t rows, int64_t k, const T* a, int64_t a_pitch, const T* panel, T* c,
                      int64_t c_pitch) {
  for (; row + R <= rows; row += R)
    multiply_panel<T, R>(k, a + row * a_pitch, a_pitch, panel, c + row * c_pitch, c_pitch);
  return row;
}

template <class T>
void multiply_panels(int64_t rows, int64_t k, int64_t n, const void* a_data, int64_t a_pitch, const void* packed,
                     void* c_data, int64_t c_pitch) {
  const T* a = static_cast<const T*>(a_data);
  const T* panel = static_cast<const T*>(packed);
  T* c = static_cast<T*>(c_data);
  for (int64_t first = 0; first < n; first += kPanelWidth<T>, panel += k * kPanelWidth<T>) {
    int64_t row = 0;
    if constexpr (kMostRows == 8) row = multiply_some<T, 8>(row, rows, k, a, a_pitch, panel, c + first, c_pitch);
    row = multiply_some<T, 4>(row, rows, k, a, a_pitch, panel, c + first, c_pitch);
    row = multiply_some<T, 2>(row, rows, k, a, a_pitch, panel, c + first, c_pitch);
    multiply_some<T, 1>(row, rows, k, a, a_pitch, panel, c + first, c_pitch);
  }
}

extern constinit const PanelTable panel_loops{{{&pack_panels<float>, &multiply_panels<float>, kPanelWidth<float>},
                                               {&pack_panels<double>, &multiply_panels<double>, kPanelWidth<double>}}};

}  // namespace LB_LEVEL
}  // namespace lumbre

#if LB_BASELINE
#include "base/dispatch.h"
LB_LEVEL_TABLE(lumbre::PanelTable, panel_loops)
namespace lumbre {
const PanelTable& panel_table() { return LB_BEST(panel_loops); }
}  // namespace lumbre
#endif
