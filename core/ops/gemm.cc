#include "ops/gemm.h"

#include <algorithm>

#include "base/dims.h"
#include "base/memory.h"
#include "base/threads.h"
#include "kernels/gemm_bfloat16.h"

namespace lumbre::ops {

namespace {

// Multiply-adds below which a product stays on its thread, and from which the interpreter lock is let go.
constexpr int64_t kParallelWork = 1 << 20, kLongWork = 1 << 24;
constexpr double kReading = 8;       // multiply-adds that are done in the time that a number of a large matrix is read
constexpr int64_t kDepth = 512;      // of k in one pass over a block of c, which is read and written once for each
constexpr int64_t kBlockRows = 168;  // of packed A in the second-level cache
template <class T>
constexpr int64_t kOwnLength = 1024 / sizeof(T);  // rows or columns that a thread packs at a time, half a megabyte
constexpr int64_t kSharedLength = 1024;           // rows or columns packed at a time for all threads,
constexpr int64_t kSharedDepth = 4 * kDepth;      // this deep
constexpr int64_t kDirectWork = 1 << 18;          // multiply-adds below which packing does not pay
constexpr int64_t kFewRows = 8;

template <class T>
int64_t bytes_of(int64_t rows, int64_t columns) {
  return checked_multiply(checked_multiply(rows, columns), sizeof(T));
}

// body(begin, end) over [0, n) in multiples of `unit`; on one thread where the work is not worth more.
template <class F>
void divide(int64_t n, int64_t unit, double work, const F& body) {
  if (work < kParallelWork) return body(int64_t{0}, n);
  const int64_t units = (n + unit - 1) / unit;
  const int64_t grain = std::max<int64_t>((units + 7) / 8, 1);
  parallel_for(units, grain, [&](int64_t begin, int64_t end) { body(begin * unit, std::min(end * unit, n)); });
}

// Few rows, or a narrow result: A is read where it lies, and B too if its rows are contiguous.
template <class T>
void multiply_direct(const GemmBlock<T>& whole) {
  const auto& table = gemm_loops<T>();
  const int64_t columns = table.columns;
  const double work =
      std::max(static_cast<double>(whole.m), kReading) * static_cast<double>(whole.n) * static_cast<double>(whole.k);
  const bool in_place = whole.layout_b.column == 1;
  const int64_t plain = in_place ? whole.n / columns * columns : 0;  // columns of B that are not packed
  const int64_t packed = whole.n - plain;
  const int64_t panel = columns * whole.k;
  const Scratch scratch(bytes_of<T>(round_up(packed, columns), whole.k));
  T* const panels = scratch.template as<T>();
  if (packed)
    divide(packed, columns, static_cast<double>(packed) * static_cast<double>(whole.k) * 8,
           [&](int64_t begin, int64_t end) {
             table.pack_b(end - begin, whole.k, whole.b + (plain + begin) * whole.layout_b.column, whole.layout_b,
                          panels + begin / columns * panel, panel);
           });
  const auto pass = [&](int64_t row, int64_t rows, int64_t column, int64_t end_column, int64_t p) {
    GemmBlock<T> block = whole;
    block.m = rows;
    block.k = std::min(kDepth, whole.k - p);
    block.a = whole.a + row * whole.layout_a.row + p * whole.layout_a.column;
    block.accumulate = whole.accumulate || p > 0;
    const int64_t in_place_end = std::min(end_column, plain);
    if (column < in_place_end) {
      block.n = in_place_end - column;
      block.b = whole.b + column + p * whole.layout_b.row;
      block.c = whole.c + row * whole.c_row + column;
      table.multiply(block);
      column = in_place_end;
    }
    if (column == end_column) return;
    block.n = end_column - column;
    block.b = panels + (column - plain) / columns * panel + p * columns;
    block.layout_b = {panel, 0};
    block.c = whole.c + row * whole.c_row + column;
    table.multiply(block);
  };
  const auto part = [&](int64_t row, int64_t rows, int64_t column, int64_t end_column) {
    for (int64_t p = 0; p < whole.k; p += kDepth) pass(row, rows, column, end_column, p);
  };
  // Few rows are not divided by tiles: there would be too few parts.
  if (whole.m >= whole.n)
    divide(whole.m, whole.m < 8 * table.rows ? (whole.m + 3) / 4 : table.rows, work,
           [&](int64_t begin, int64_t end) { part(begin, end - begin, 0, whole.n); });
  else
    divide(whole.n, whole.m == 1 ? 4 * columns : columns, work,
           [&](int64_t begin, int64_t end) { part(0, whole.m, begin, end); });
}

// One pass over k, with B packed; A is packed too or read where it lies.
template <class T>
void multiply_pass(const GemmBlock<T>& pass) {
  const auto& table = gemm_loops<T>();
  const bool packed = pass.packed_a;
  const int64_t blocks = (pass.m + kBlockRows - 1) / kBlockRows;
  const int64_t step = packed ? kBlockRows : (pass.m + blocks - 1) / blocks;
  GemmBlock<T> block = pass;
  for (int64_t i = 0; i < pass.m; i += step) {
    block.m = std::min(step, pass.m - i);
    block.a = pass.a + i * (packed ? pass.k : pass.layout_a.row);
    block.c = pass.c + i * pass.c_row;
    table.multiply(block);
  }
}

// A is read where it lies; each thread packs its own columns of B.
template <class T>
void multiply_columns(const GemmBlock<T>& whole, double work) {
  const auto& table = gemm_loops<T>();
  divide(whole.n, table.columns, work, [&](int64_t begin, int64_t end) {
    const int64_t step = std::min<int64_t>(kOwnLength<T>, round_up(end - begin, table.columns));
    const Scratch scratch(bytes_of<T>(step, std::min(kDepth, whole.k)));
    T* const own = scratch.template as<T>();
    GemmBlock<T> pass = whole;
    for (int64_t j = begin; j < end; j += step)
      for (int64_t p = 0; p < whole.k; p += kDepth) {
        pass.m = whole.m;
        pass.n = std::min(step, end - j);
        pass.k = std::min(kDepth, whole.k - p);
        pass.a = whole.a + p * whole.layout_a.column;
        pass.b = whole.b + j * whole.layout_b.column + p * whole.layout_b.row;
        pass.layout_b = whole.layout_b;
        pass.c = whole.c + j;
        pass.accumulate = whole.accumulate || p > 0;
        const int64_t panel = table.columns * pass.k;
        if (pass.layout_b.column == 1 && pass.m > table.rows) {
          table.multiply_and_pack(pass, own, panel);
          pass.m -= table.rows;
          pass.a += table.rows * pass.layout_a.row;
          pass.c += table.rows * pass.c_row;
        } else {
          table.pack_b(pass.n, pass.k, pass.b, pass.layout_b, own, panel);
        }
        pass.b = own;
        pass.layout_b = {panel, 0};
        multiply_pass(pass);
      }
  });
}

// The operand with fewer rows or columns is packed once for all threads, a strip at a time; each thread packs its own
// part of the other. kSharesA: A is the shared one, and the work is divided by columns; else by rows.
template <class T, bool kSharesA>
void multiply_strip(const GemmBlock<T>& strip, double work, T* shared) {
  const auto& table = gemm_loops<T>();
  const int64_t unit = kSharesA ? table.rows : table.columns, own_unit = kSharesA ? table.columns : table.rows;
  const int64_t length = kSharesA ? strip.m : strip.n, own_length = kSharesA ? strip.n : strip.m;
  const int64_t wide = round_up(length, unit);
  const auto pack = [&](bool a, int64_t begin, int64_t count, int64_t p, int64_t depth, T* to) {
    const MatrixLayout& layout = a ? strip.layout_a : strip.layout_b;
    if (a)
      table.pack_a(count, depth, strip.a + begin * layout.row + p * layout.column, layout, to);
    else
      table.pack_b(count, depth, strip.b + begin * layout.column + p * layout.row, layout, to, table.columns * depth);
  };
  const double packing = static_cast<double>(length) * static_cast<double>(strip.k) * 8;
  const auto pack_shared = [&](int64_t begin, int64_t end, int64_t from, int64_t to) {
    for (int64_t p = from; p < to; p += kDepth) {
      const int64_t depth = std::min(kDepth, strip.k - p);
      pack(kSharesA, begin, end - begin, p, depth, shared + wide * p + begin * depth);
    }
  };
  if (length >= 8 * unit)
    divide(length, unit, packing, [&](int64_t begin, int64_t end) { pack_shared(begin, end, 0, strip.k); });
  else
    divide(strip.k, kDepth, packing, [&](int64_t from, int64_t to) { pack_shared(0, length, from, to); });
  const bool in_place = !kSharesA && strip.layout_a.column == 1;
  // Few rows are not divided by tiles: there would be too few parts.
  const int64_t own_part = in_place && own_length < 8 * own_unit ? (own_length + 3) / 4 : own_unit;
  divide(own_length, own_part, work, [&](int64_t begin, int64_t end) {
    const int64_t step =
        in_place ? end - begin : std::min(round_up(kOwnLength<T>, own_unit), round_up(end - begin, own_unit));
    const Scratch scratch(in_place ? 0 : bytes_of<T>(step, std::min(kDepth, strip.k)));
    T* const own = scratch.template as<T>();
    for (int64_t p = 0; p < strip.k; p += kDepth) {
      const int64_t depth = std::min(kDepth, strip.k - p);
      for (int64_t i = begin; i < end; i += step) {
        GemmBlock<T> part = strip;
        const int64_t count = std::min(step, end - i);
        if (!in_place) pack(!kSharesA, i, count, p, depth, own);
        (kSharesA ? part.n : part.m) = count;
        part.c = strip.c + (kSharesA ? i : i * strip.c_row);
        const T* const panels = shared + wide * p;
        part.a = in_place ? strip.a + i * strip.layout_a.row + p : kSharesA ? panels : own;
        part.b = kSharesA ? own : panels;
        part.k = depth;
        part.packed_a = !in_place;
        part.layout_b = {table.columns * depth, 0};
        part.accumulate = strip.accumulate || p > 0;
        multiply_pass(part);
      }
    }
  });
}

template <class T, bool kSharesA>
void multiply_packed(const GemmBlock<T>& whole) {
  const auto& table = gemm_loops<T>();
  const double work = static_cast<double>(whole.m) * static_cast<double>(whole.n) * static_cast<double>(whole.k);
  const int64_t unit = kSharesA ? table.rows : table.columns, length = kSharesA ? whole.m : whole.n;
  const int64_t step = round_up(kSharedLength, unit);
  const Scratch scratch(bytes_of<T>(std::min(round_up(length, unit), step), std::min(whole.k, kSharedDepth)));
  for (int64_t i = 0; i < length; i += step)
    for (int64_t p = 0; p < whole.k; p += kSharedDepth) {
      GemmBlock<T> strip = whole;
      (kSharesA ? strip.m : strip.n) = std::min(step, length - i);
      strip.k = std::min(kSharedDepth, whole.k - p);
      strip.a = whole.a + p * whole.layout_a.column + (kSharesA ? i * whole.layout_a.row : 0);
      strip.b = whole.b + p * whole.layout_b.row + (kSharesA ? 0 : i * whole.layout_b.column);
      strip.c = whole.c + (kSharesA ? i * whole.c_row : i);
      strip.accumulate = whole.accumulate || p > 0;
      multiply_strip<T, kSharesA>(strip, work, scratch.template as<T>());
    }
}

template <class T>
void scale(int64_t m, int64_t n, T beta, T* c, int64_t c_row) {
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j) c[i * c_row + j] = beta == 0 ? T(0) : c[i * c_row + j] * beta;
}

}  // namespace

template <class T>
void gemm(int64_t m, int64_t n, int64_t k, T alpha, const T* a, MatrixLayout layout_a, const T* b,
          MatrixLayout layout_b, T beta, T* c, int64_t c_row) {
  if (m == 0 || n == 0) return;
  if (alpha == 0 || k == 0 || (beta != 0 && beta != 1)) scale(m, n, beta, c, c_row);
  if (alpha == 0 || k == 0) return;
  const double work = static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  const LongWork released(work >= kLongWork);
  // A column is a row of the transposed product.
  if (n == 1 && c_row == 1) {
    std::swap(m, n);
    std::swap(a, b);
    const MatrixLayout left = layout_a;
    layout_a = {layout_b.column, layout_b.row};
    layout_b = {left.column, left.row};
    c_row = n;
  }
  const GemmBlock<T> whole{m, n, k, alpha, a, layout_a, b, layout_b, beta != 0, c, c_row};
  if (m <= kFewRows && (layout_a.column == 1 || k == 1) && (layout_b.row == 1 || k == 1) && layout_b.column != 1)
    return divide(n, 16, kReading * static_cast<double>(n) * static_cast<double>(k), [&](int64_t begin, int64_t end) {
      GemmBlock<T> block = whole;
      block.n = end - begin;
      block.b = b + begin * layout_b.column;
      block.c = c + begin;
      gemm_loops<T>().dots(block);
    });
  const auto& table = gemm_loops<T>();
  // Narrow rows of B lie as if they were packed; of a shallow B, so little is used again that packing does not pay.
  const bool in_place = layout_b.column == 1 && n % table.columns == 0;
  const bool narrow = in_place && n <= 2 * table.columns && layout_b.row == n && m >= n;
  const bool shallow = in_place && layout_a.column == 1 && m <= 5 * table.rows && k <= 64 &&
                       layout_b.row * static_cast<int64_t>(sizeof(T)) % 4096 != 0;  // or they would share cache sets
  const bool outer = layout_b.column == 1 && k <= kShallowDepth && n >= 8 * table.columns;
  if (m <= table.rows || work <= kDirectWork || narrow || shallow || outer) return multiply_direct(whole);
  const bool contiguous = layout_a.column == 1;
  if (contiguous && ((n >= m && n >= 4 * table.columns) || n >= kSharedLength)) return multiply_columns(whole, work);
  if (contiguous) return multiply_packed<T, false>(whole);
  if (n <= 2 * table.columns || k <= 8) return multiply_direct(whole);
  return n >= m ? multiply_packed<T, true>(whole) : multiply_packed<T, false>(whole);
}

template void gemm(int64_t, int64_t, int64_t, float, const float*, MatrixLayout, const float*, MatrixLayout, float,
                   float*, int64_t);
template void gemm(int64_t, int64_t, int64_t, double, const double*, MatrixLayout, const double*, MatrixLayout, double,
                   double*, int64_t);

bool gemm_bfloat16(int64_t m, int64_t n, int64_t k, float alpha, const uint16_t* a, MatrixLayout layout_a,
                   const uint16_t* b, MatrixLayout layout_b, float beta, uint16_t* c, int64_t c_row) {
  constexpr int64_t kPanel = kBFloat16Panel, kSmall = 1 << 15;
  const double work = static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  const BFloat16Loops* const table = work < kSmall ? nullptr : bfloat16_loops();
  if (!table) return false;
  const LongWork released(work >= kLongWork);
  const int64_t depth = round_up(k, kBFloat16Step);
  const Scratch packed_a(bytes_of<uint16_t>(round_up(m, kPanel), depth));
  const Scratch packed_b(bytes_of<uint16_t>(round_up(n, kPanel), depth));
  uint16_t* const panels_a = packed_a.as<uint16_t>();
  uint16_t* const panels_b = packed_b.as<uint16_t>();
  const int64_t rows = round_up(m, kPanel);
  // Rows of A, then columns of B, as one range of work.
  divide(rows + n, kPanel, static_cast<double>(rows + n) * static_cast<double>(k), [&](int64_t begin, int64_t end) {
    if (begin < m)
      table->pack_a(std::min(end, m) - begin, k, a + begin * layout_a.row, layout_a, panels_a + begin * depth);
    begin = std::max<int64_t>(begin - rows, 0);
    end -= rows;
    if (begin < end) table->pack_b(end - begin, k, b + begin * layout_b.column, layout_b, panels_b + begin * depth);
  });
  const auto part = [&](int64_t row, int64_t count, int64_t column, int64_t columns) {
    table->multiply({count, columns, k, alpha, beta, panels_a + row * depth, panels_b + column * depth,
                     c + row * c_row + column, c_row});
  };
  if (m > n)
    divide(m, 2 * kPanel, work / 8, [&](int64_t begin, int64_t end) { part(begin, end - begin, 0, n); });
  else
    divide(n, 2 * kPanel, work / 8, [&](int64_t begin, int64_t end) { part(0, m, begin, end - begin); });
  return true;
}

}  // namespace lumbre::ops
