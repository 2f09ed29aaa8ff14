// Blocks of memory turned over: lines become columns.
#include <array>
#include <cstring>
#include <utility>

#include "base/level.h"
#include "tensor/plan.h"

namespace lumbre {
namespace LB_LEVEL {

// Elements of a side of the square that is turned in registers.
template <class W>
inline constexpr size_t kSide = sizeof(W) == 8 ? 8 : 16;
template <class W>
using Line __attribute__((vector_size(kSide<W> * sizeof(W)))) = W;

// One round of a perfect shuffle of the rows; after log2(side) of them the square is transposed.
template <class W, size_t... lane>
[[gnu::always_inline]] inline void shuffle_rows(Line<W>* rows, std::index_sequence<lane...>) {
  constexpr size_t n = kSide<W>;
  constexpr Line<W> low{static_cast<W>(lane / 2 + (lane % 2) * n)...};
  constexpr Line<W> high{static_cast<W>(n / 2 + lane / 2 + (lane % 2) * n)...};
  Line<W> turned[n];
#pragma GCC unroll 8
  for (size_t i = 0; i < n / 2; ++i) {
    turned[2 * i] = __builtin_shuffle(rows[i], rows[i + n / 2], low);
    turned[2 * i + 1] = __builtin_shuffle(rows[i], rows[i + n / 2], high);
  }
#pragma GCC unroll 16
  for (size_t i = 0; i < n; ++i) rows[i] = turned[i];
}

template <class W>
void transpose_square(const char* from, int64_t from_pitch, char* to, int64_t to_pitch) {
  constexpr size_t n = kSide<W>;
  Line<W> rows[n];
#pragma GCC unroll 16
  for (size_t i = 0; i < n; ++i) std::memcpy(&rows[i], from + static_cast<int64_t>(i) * from_pitch, sizeof(rows[i]));
#pragma GCC unroll 4
  for (size_t round = 1; round < n; round *= 2) shuffle_rows<W>(rows, std::make_index_sequence<n>{});
#pragma GCC unroll 16
  for (size_t i = 0; i < n; ++i) std::memcpy(to + static_cast<int64_t>(i) * to_pitch, &rows[i], sizeof(rows[i]));
}

template <class W>
void transpose(const char* from, int64_t from_pitch, int64_t lines, int64_t run, char* to, int64_t to_pitch) {
  constexpr auto side = static_cast<int64_t>(kSide<W>), width = static_cast<int64_t>(sizeof(W));
  const auto each = [&](int64_t line, int64_t end, int64_t r, int64_t r_end) {
    for (; line < end; ++line)
      for (int64_t i = r; i < r_end; ++i)
        std::memcpy(to + i * to_pitch + line * width, from + line * from_pitch + i * width, sizeof(W));
  };
  const int64_t whole_lines = lines / side * side, whole_run = run / side * side;
  for (int64_t line = 0; line < whole_lines; line += side)
    for (int64_t r = 0; r < whole_run; r += side)
      transpose_square<W>(from + line * from_pitch + r * width, from_pitch, to + r * to_pitch + line * width, to_pitch);
  each(0, whole_lines, whole_run, run);
  each(whole_lines, lines, 0, run);
}

using TransposeTable = std::array<TransposeLoop, 4>;
extern constinit const TransposeTable transpose_table = {&transpose<uint8_t>, &transpose<uint16_t>,
                                                         &transpose<uint32_t>, &transpose<uint64_t>};

}  // namespace LB_LEVEL
}  // namespace lumbre

#if LB_BASELINE
#include <bit>

#include "base/dispatch.h"
namespace lumbre {
using TransposeTable = std::array<TransposeLoop, 4>;
}
LB_LEVEL_TABLE(lumbre::TransposeTable, transpose_table)
namespace lumbre {
TransposeLoop transpose_loop(size_t item_bytes) {
  return LB_BEST(transpose_table)[static_cast<size_t>(std::countr_zero(item_bytes))];
}
}  // namespace lumbre
#endif
