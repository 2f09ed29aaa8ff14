#include "kernels/gemm.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <type_traits>
#include <utility>

#include "base/level.h"

namespace lumbre {
namespace LB_LEVEL {

#if defined(__AVX512F__)
constexpr int kVectorBytes = 64, kRows = 14;
#elif defined(__AVX2__)
constexpr int kVectorBytes = 32, kRows = 6;
#else
constexpr int kVectorBytes = 16, kRows = 4;
#endif
constexpr int kVectors = 2;  // in a tile's row
constexpr int kAhead = 12;   // rows of B
// Rows of A that lie a multiple of this apart share the few places of one set of the first cache: fewer make a tile.
constexpr int64_t kSetBytes = 4096, kSetRows = std::min(kRows, 8);

template <class T>
using Vector __attribute__((vector_size(kVectorBytes), aligned(alignof(T)), may_alias)) = T;
template <class T>
constexpr int kLanes = kVectorBytes / sizeof(T);
template <class T>
constexpr int kColumns = kVectors * kLanes<T>;

template <class T>
using LaneIndex = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;
template <class T>
using Mask __attribute__((vector_size(kVectorBytes))) = LaneIndex<T>;

template <class T>
Vector<T> load(const T* from) {
  return *reinterpret_cast<const Vector<T>*>(from);
}
template <class T, class V>
void store(T* to, V value) {
  static_assert(sizeof(V) == kVectorBytes);
  *reinterpret_cast<Vector<T>*>(to) = value;
}

// --- packing
// -----------------------------------------------------------------------------------------------------------

// Element j of an interleaving of two vectors' halves: one stage of a transposition by halving.
template <class T, int kWidth, bool kHigh, size_t... j>
Vector<T> interleave(Vector<T> x, Vector<T> y, std::index_sequence<j...>) {
  constexpr int lanes = kLanes<T>;
  return __builtin_shuffle(
      x, y,
      Mask<T>{static_cast<LaneIndex<T>>((j / kWidth) % 2 == 0 ? (kHigh ? j + kWidth : j)
                                                              : lanes + (kHigh ? j : j - kWidth))...});
}

template <class T, int kWidth>
[[gnu::always_inline]] inline void transpose_stage(Vector<T>* rows) {
  constexpr int lanes = kLanes<T>;
  using Lanes = std::make_index_sequence<lanes>;
  if constexpr (kWidth < lanes) {
#pragma GCC unroll 16
    for (int i = 0; i < lanes; ++i) {
      if (i & kWidth) continue;
      const Vector<T> x = rows[i], y = rows[i + kWidth];
      rows[i] = interleave<T, kWidth, false>(x, y, Lanes{});
      rows[i + kWidth] = interleave<T, kWidth, true>(x, y, Lanes{});
    }
    transpose_stage<T, kWidth * 2>(rows);
  }
}

// `width` rows (at most kPanel) of a matrix whose rows are contiguous, as columns of a panel: panel[p * kPanel + r].
// A vector that reaches beyond the panel's width runs into what is written after it; never beyond the panel.
template <class T, int kPanel>
void pack_transposed(int64_t width, int64_t k, const T* from, int64_t row, T* panel) {
  constexpr int lanes = kLanes<T>;
  for (int first = (kPanel - 1) / lanes * lanes; first >= 0; first -= lanes) {
    const int64_t rows = std::min<int64_t>(width - first, lanes);
    int64_t p = 0;
    for (; p + lanes <= k && rows > 0; p += lanes) {
      Vector<T> block[lanes];
#pragma GCC unroll 16
      for (int r = 0; r < lanes; ++r) block[r] = r < rows ? load(from + (first + r) * row + p) : Vector<T>{};
      transpose_stage<T, 1>(block);
#pragma GCC unroll 16
      for (int q = 0; q < lanes - 1; ++q) store(panel + (p + q) * kPanel + first, block[q]);
      T* const last = panel + (p + lanes - 1) * kPanel + first;
      if (first + lanes <= kPanel || p + lanes < k)
        store(last, block[lanes - 1]);
      else
        std::memcpy(last, &block[lanes - 1], (kPanel - first) * sizeof(T));
    }
    for (; p < k; ++p)
      for (int r = first; r < std::min(first + lanes, kPanel); ++r)
        panel[p * kPanel + r] = r < width ? from[r * row + p] : T(0);
  }
}

// `width` neighbouring columns as the rows of a panel. A vector that reaches beyond the panel's width runs into what is
// written after it; never beyond the panel, nor beyond the matrix, of which `left` rows are there.
template <class T, int kPanel>
void pack_straight(int64_t width, int64_t k, int64_t left, const T* from, int64_t row, T* panel) {
  constexpr int lanes = kLanes<T>, kV = (kPanel + lanes - 1) / lanes;
  const int64_t beyond = kV * lanes - width;
  int64_t safe = beyond == 0 ? left : row <= 0 ? 0 : left - (beyond + row - 1) / row;
  if (kPanel % lanes != 0) safe = std::min(safe, left - 1);
  safe = std::min(safe, k);
  Mask<T> there[kV];
  for (int j = 0; j < kV * lanes; ++j) there[j / lanes][j % lanes] = j < width ? -1 : 0;
  int64_t p = 0;
  for (; p < safe; ++p)
#pragma GCC unroll 8
    for (int v = 0; v < kV; ++v)
      store(panel + p * kPanel + v * lanes,
            reinterpret_cast<Vector<T>>(reinterpret_cast<Mask<T>>(load(from + p * row + v * lanes)) & there[v]));
  for (; p < k; ++p)
    for (int r = 0; r < kPanel; ++r) panel[p * kPanel + r] = r < width ? from[p * row + r] : T(0);
}

// `count` of the index whose stride is `across`, along the index of length k whose stride is `along`: panels `stride`
// elements apart. Neighbours are taken some rows at a time, so that what lies in one row is read together.
template <class T, int kPanel>
void pack_panels(int64_t count, int64_t k, const T* from, int64_t across, int64_t along, T* panels, int64_t stride) {
  const int64_t step = across == 1 ? 16 : k;
  for (int64_t p = 0; p < k; p += step)
    for (int64_t i = 0; i < count; i += kPanel) {
      const int64_t width = std::min<int64_t>(count - i, kPanel);
      const T* const at = from + i * across + p * along;
      T* const panel = panels + i / kPanel * stride + p * kPanel;
      if (across == 1) {
        pack_straight<T, kPanel>(width, std::min(step, k - p), k - p, at, along, panel);
      } else if (along == 1) {
        pack_transposed<T, kPanel>(width, k, at, across, panel);
      } else {
        for (int64_t q = 0; q < k; ++q)
          for (int r = 0; r < kPanel; ++r) panel[q * kPanel + r] = r < width ? at[r * across + q * along] : T(0);
      }
    }
}

template <class T>
void pack_a(int64_t m, int64_t k, const T* a, MatrixLayout layout, T* panels) {
  pack_panels<T, kRows>(m, k, a, layout.row, layout.column, panels, kRows * k);
}

template <class T>
void pack_b(int64_t n, int64_t k, const T* b, MatrixLayout layout, T* panels, int64_t panel_stride) {
  pack_panels<T, kColumns<T>>(n, k, b, layout.column, layout.row, panels, panel_stride);
}

// --- tiles
// -------------------------------------------------------------------------------------------------------------

template <class T>
struct Tile {
  int64_t k;
  T alpha;
  const T* a;
  int64_t a_row, a_step;  // to the next row, to the next k
  const T* b;
  int64_t b_step;
  bool accumulate;
  T* c;
  int64_t c_row;
  int64_t rows, columns;  // of c that are there
  T* panel;               // where the rows of B that are read are packed
};

// A tile of which only a part is there.
template <class T>
[[gnu::noinline]] void write_part(const Tile<T>& tile, const T* sums, int64_t pitch) {
  for (int64_t r = 0; r < tile.rows; ++r, sums += pitch) {
    T* c = tile.c + r * tile.c_row;
    for (int64_t j = 0; j < tile.columns; ++j) c[j] = tile.accumulate ? c[j] + sums[j] : sums[j];
  }
}

template <class T, int kR, int kV, bool kAdds>
[[gnu::always_inline]] inline void write_tile(const Vector<T> (&sums)[kR][kV], T alpha, T* c, int64_t c_row) {
#pragma GCC unroll 14
  for (int r = 0; r < kR; ++r, c += c_row)
#pragma GCC unroll 8
    for (int v = 0; v < kV; ++v) {
      const Vector<T> scaled = sums[r][v] * alpha;
      store(c + v * kLanes<T>, kAdds ? load(c + v * kLanes<T>) + scaled : scaled);
    }
}

template <class T, int kR, int kV, bool kPacks = false>
void multiply_tile(const Tile<T>& tile) {
  constexpr int lanes = kLanes<T>, kGroup = 4, kGroups = (kR + kGroup - 1) / kGroup;
  const bool whole = tile.columns == kV * lanes && tile.rows == kR;
  if (whole) {
    const T* c = tile.c;
#pragma GCC unroll 14
    for (int r = 0; r < kR; ++r, c += tile.c_row) __builtin_prefetch(c, 1);
  }
  Vector<T> sums[kR][kV] = {};
  int64_t a_row = tile.a_row, a_step = tile.a_step, b_step = tile.b_step;
  asm("" : "+r"(a_row), "+r"(a_step), "+r"(b_step));  // or there would be more loops, for neighbours
  // Four rows share a pointer: the others of a group lie one, two and three strides from it.
  const T* a[kGroups];
#pragma GCC unroll 4
  for (int g = 0; g < kGroups; ++g) a[g] = tile.a + g * kGroup * a_row;
  const T* b = tile.b;
  [[maybe_unused]] T* panel = tile.panel;
  for (int64_t p = 0; p < tile.k; ++p, b += b_step) {
    Vector<T> row[kV];
#pragma GCC unroll 8
    for (int v = 0; v < kV; ++v) {
      row[v] = load(b + v * lanes);
      if constexpr (kPacks) {
        store(panel + v * lanes, row[v]);
        __builtin_prefetch(b + kAhead * b_step + v * lanes);  // the rows lie too far apart for the processor to foresee
      }
    }
    if constexpr (kPacks) panel += kV * lanes;
#pragma GCC unroll 14
    for (int r = 0; r < kR; ++r) {
      const T factor = a[r / kGroup][(r % kGroup) * a_row];
#pragma GCC unroll 8
      for (int v = 0; v < kV; ++v) sums[r][v] += factor * row[v];
    }
#pragma GCC unroll 4
    for (int g = 0; g < kGroups; ++g) a[g] += a_step;
  }
  if (!whole) {
    T spilled[kR * kV * lanes];
    write_tile<T, kR, kV, false>(sums, tile.alpha, spilled, kV * lanes);
    return write_part(tile, spilled, kV * lanes);
  }
  if (tile.accumulate)
    write_tile<T, kR, kV, true>(sums, tile.alpha, tile.c, tile.c_row);
  else
    write_tile<T, kR, kV, false>(sums, tile.alpha, tile.c, tile.c_row);
}

template <class T>
using TileLoop = void (*)(const Tile<T>&);

// Loops for tiles of 1, 2, ... rows.
template <class T, int kV, size_t... i>
constexpr std::array<TileLoop<T>, sizeof...(i)> tile_loops(std::index_sequence<i...>) {
  return {&multiply_tile<T, static_cast<int>(i) + 1, kV>...};
}

// A row of C after the other, in long runs of B's rows; what is left on the right begins at the column returned. For a
// vector times a matrix, and for so few multiply-adds that C is what takes time: memory likes to be written in order.
template <class T>
int64_t multiply_runs(const GemmBlock<T>& g, Tile<T> tile) {
  constexpr int kVectorsOfRun = 8;
  constexpr int64_t run = kVectorsOfRun * kLanes<T>;
  tile.rows = 1;
  tile.columns = run;
  for (int64_t i = 0; i < g.m; ++i) {
    tile.a = g.a + i * g.layout_a.row;
    for (int64_t j = 0; j + run <= g.n; j += run) {
      tile.b = g.b + j;
      tile.c = g.c + i * g.c_row + j;
      multiply_tile<T, 1, kVectorsOfRun>(tile);
    }
  }
  return g.n / run * run;
}

template <class T>
void multiply_block(const GemmBlock<T>& g) {
  using Rows = std::make_index_sequence<kRows>;
  static constexpr std::array<TileLoop<T>, kRows> kLoops[2] = {tile_loops<T, 1>(Rows()), tile_loops<T, 2>(Rows())};
  const bool packed_a = g.packed_a, packed_b = g.layout_b.column == 0;
  const int64_t panel = packed_b ? g.layout_b.row : kColumns<T>;
  Tile<T> tile{g.k,
               g.alpha,
               nullptr,
               packed_a ? 1 : g.layout_a.row,
               packed_a ? kRows : g.layout_a.column,
               g.b,
               packed_b ? kColumns<T> : g.layout_b.row,
               g.accumulate,
               nullptr,
               g.c_row,
               0,
               0,
               nullptr};
  const bool one_set = !packed_a && g.layout_a.row * static_cast<int64_t>(sizeof(T)) % kSetBytes == 0;
  const int64_t most = one_set ? kSetRows : kRows;
  int64_t j = 0;
  if ((g.m == 1 || g.k <= kShallowDepth) && !packed_a && !packed_b) {
    j = multiply_runs(g, tile);
    tile.b += j;
  }
  // Along packed B, c is written a row at a time; B where it lies is used by all rows while it is in the cache.
  const int64_t width = packed_b ? std::max<int64_t>(g.n, 1) : kColumns<T>;
  for (; j < g.n; j += width) {
    const T* const columns = tile.b;
    for (int64_t i = 0; i < g.m; i += tile.rows) {
      const int64_t left = g.m - i;
      // Sixteen rows are two tiles of eight rather than one of fourteen and one of two.
      tile.rows = packed_a || left >= 2 * most || left <= most ? std::min(left, most) : (left + 1) / 2;
      tile.a = g.a + (packed_a ? i * g.k : i * g.layout_a.row);
      tile.b = columns;
      for (int64_t q = j; q < std::min(g.n, j + width); q += kColumns<T>, tile.b += panel) {
        tile.columns = std::min<int64_t>(g.n - q, kColumns<T>);
        tile.c = g.c + i * g.c_row + q;
        kLoops[tile.columns > kLanes<T>][static_cast<size_t>(tile.rows - 1)](tile);
      }
    }
  }
}

// The first rows of the product, in whose course the B that they read is packed: it takes no time beside the sums.
template <class T>
void multiply_and_pack(const GemmBlock<T>& g, T* panels, int64_t panel_stride) {
  Tile<T> tile{g.k,          g.alpha, g.a,     g.layout_a.row, g.layout_a.column, g.b,   g.layout_b.row,
               g.accumulate, g.c,     g.c_row, kRows,          kColumns<T>,       panels};
  int64_t j = 0;
  for (; j + kColumns<T> <= g.n; j += kColumns<T>) {
    multiply_tile<T, kRows, kVectors, true>(tile);
    tile.b += kColumns<T>;
    tile.c += kColumns<T>;
    tile.panel += panel_stride;
  }
  if (j == g.n) return;
  tile.columns = g.n - j;
  pack_b(tile.columns, g.k, tile.b, g.layout_b, tile.panel, panel_stride);
  tile.b = tile.panel;
  tile.b_step = kColumns<T>;
  multiply_tile<T, kRows, kVectors>(tile);
}

// --- few rows times a transposed matrix
// --------------------------------------------------------------------------------

template <class T, int kShift, size_t... lane>
Vector<T> rotated(Vector<T> v, std::index_sequence<lane...>) {
  return __builtin_shuffle(v, Mask<T>{static_cast<LaneIndex<T>>((lane + kShift) % kLanes<T>)...});
}

// The sum of the lanes, by halves.
template <class T, int kShift = kLanes<T> / 2>
T sum_of(Vector<T> v) {
  v += rotated<T, kShift>(v, std::make_index_sequence<kLanes<T>>{});
  if constexpr (kShift > 1)
    return sum_of<T, kShift / 2>(v);
  else
    return v[0];
}

template <class T, int kR, int kC>
void multiply_dots_tile(const GemmBlock<T>& g, const T* a, const T* b, T* c) {
  constexpr int lanes = kLanes<T>;
  Vector<T> sums[kR][kC] = {};
  const int64_t a_row = g.layout_a.row, b_row = g.layout_b.column;
  int64_t p = 0;
  for (; p + lanes <= g.k; p += lanes) {
    Vector<T> x[kR];
#pragma GCC unroll 4
    for (int r = 0; r < kR; ++r) x[r] = load(a + r * a_row + p);
#pragma GCC unroll 4
    for (int j = 0; j < kC; ++j) {
      const Vector<T> y = load(b + j * b_row + p);
#pragma GCC unroll 4
      for (int r = 0; r < kR; ++r) sums[r][j] += x[r] * y;
    }
  }
  for (int r = 0; r < kR; ++r)
    for (int j = 0; j < kC; ++j) {
      T total = sum_of<T>(sums[r][j]);
      for (int64_t q = p; q < g.k; ++q) total += a[r * a_row + q] * b[j * b_row + q];
      T& to = c[r * g.c_row + j];
      to = g.accumulate ? to + g.alpha * total : g.alpha * total;
    }
}

template <class T, int kR>
void multiply_dots_rows(const GemmBlock<T>& g, const T* a, T* c) {
  const T* b = g.b;
  int64_t j = 0;
  for (; j + 4 <= g.n; j += 4, b += 4 * g.layout_b.column) multiply_dots_tile<T, kR, 4>(g, a, b, c + j);
  for (; j < g.n; ++j, b += g.layout_b.column) multiply_dots_tile<T, kR, 1>(g, a, b, c + j);
}

template <class T>
void multiply_dots(const GemmBlock<T>& g) {
  int64_t i = 0;
  for (; i + 4 <= g.m; i += 4) multiply_dots_rows<T, 4>(g, g.a + i * g.layout_a.row, g.c + i * g.c_row);
  for (; i < g.m; ++i) multiply_dots_rows<T, 1>(g, g.a + i * g.layout_a.row, g.c + i * g.c_row);
}

extern constinit const GemmTable gemm_loops = {
    {kRows, kColumns<float>, &pack_a<float>, &pack_b<float>, &multiply_block<float>, &multiply_and_pack<float>,
     &multiply_dots<float>},
    {kRows, kColumns<double>, &pack_a<double>, &pack_b<double>, &multiply_block<double>, &multiply_and_pack<double>,
     &multiply_dots<double>}};

}  // namespace LB_LEVEL
}  // namespace lumbre

#if LB_BASELINE
#include "base/dispatch.h"
LB_LEVEL_TABLE(lumbre::GemmTable, gemm_loops)
namespace lumbre {
const GemmTable& gemm_table() { return LB_BEST(gemm_loops); }
}  // namespace lumbre
#endif
