#include "kernels/gemm_bfloat16.h"

#include "base/level.h"

// Compiled at one level: every processor with these instructions has the vectors of x86-64-v4.
#if defined(__AVX512BW__)
#include <immintrin.h>

#include <algorithm>

#include "base/half.h"

#define LB_PAIRS __attribute__((target("avx512bf16")))
#define LB_TILES __attribute__((target("amx-tile,amx-bf16")))

namespace lumbre {
namespace LB_LEVEL {

constexpr int kSide = kBFloat16Panel, kStep = kBFloat16Step, kPairs = kStep / 2;
constexpr int kUnit = kSide * kStep;  // elements of one step of a panel

// One step of a panel: 16 x 16 pairs of neighbours along k.
struct alignas(64) Square {
  uint32_t pairs[16][16];
};

// Element (index, p) of the step, where both are there.
uint32_t element(const uint16_t* from, int64_t across, int64_t along, int64_t index, int64_t p, int64_t width,
                 int64_t depth) {
  return index < width && p < depth ? from[index * across + p * along] : 0;
}

// By index, then by pair.
void read_rows(const uint16_t* from, int64_t across, int64_t along, int64_t width, int64_t depth, Square& to) {
  for (int i = 0; i < kSide; ++i) {
    if (along == 1 && i < width && depth == kStep) {
      _mm512_store_si512(to.pairs[i], _mm512_loadu_si512(from + i * across));
      continue;
    }
    for (int p = 0; p < kPairs; ++p)
      to.pairs[i][p] = element(from, across, along, i, 2 * p, width, depth) |
                       element(from, across, along, i, 2 * p + 1, width, depth) << 16;
  }
}

// By pair, then by index, which are neighbours in memory.
void read_columns(const uint16_t* from, int64_t along, int64_t depth, Square& to) {
  const auto wide = [&](int p) {
    if (p >= depth) return _mm512_setzero_si512();
    return _mm512_maskz_cvtepu16_epi32(0xffff, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + p * along)));
  };
  for (int p = 0; p < kPairs; ++p)
    _mm512_store_si512(to.pairs[p], _mm512_or_si512(wide(2 * p), _mm512_maskz_slli_epi32(0xffff, wide(2 * p + 1), 16)));
}

// Transposed by halving: at every width, blocks beside the diagonal change places.
template <int kWidth>
[[gnu::always_inline]] inline void transpose_stage(__m512i* rows, __m512i lane) {
  const __m512i width = _mm512_set1_epi32(kWidth);
  const __mmask16 odd = _mm512_test_epi32_mask(lane, width);
  const __m512i low = _mm512_mask_add_epi32(lane, odd, lane, _mm512_set1_epi32(16 - kWidth));
  const __m512i high = _mm512_mask_add_epi32(_mm512_add_epi32(lane, width), odd, lane, _mm512_set1_epi32(16));
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) {
    if (i & kWidth) continue;
    const __m512i x = rows[i], y = rows[i + kWidth];
    rows[i] = _mm512_permutex2var_epi32(x, low, y);
    rows[i + kWidth] = _mm512_permutex2var_epi32(x, high, y);
  }
}

void transpose(const Square& from, uint16_t* to) {
  const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  __m512i rows[16];
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) rows[i] = _mm512_load_si512(from.pairs[i]);
  transpose_stage<1>(rows, lane);
  transpose_stage<2>(rows, lane);
  transpose_stage<4>(rows, lane);
  transpose_stage<8>(rows, lane);
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) _mm512_storeu_si512(to + i * kStep, rows[i]);
}

// kByRows: a step of a panel is by index, else by pair.
template <bool kByRows>
void pack(int64_t count, int64_t k, const uint16_t* from, int64_t across, int64_t along, uint16_t* panels) {
  Square square;
  for (int64_t i = 0; i < count; i += kSide)
    for (int64_t p = 0; p < k; p += kStep, panels += kUnit) {
      const uint16_t* const at = from + i * across + p * along;
      const int64_t width = std::min<int64_t>(count - i, kSide), depth = std::min<int64_t>(k - p, kStep);
      const bool columns = across == 1 && width == kSide;
      if (columns)
        read_columns(at, along, depth, square);
      else
        read_rows(at, across, along, width, depth, square);
      if (columns == kByRows)
        transpose(square, panels);
      else
        for (int r = 0; r < 16; ++r) _mm512_storeu_si512(panels + r * kStep, _mm512_load_si512(square.pairs[r]));
    }
}

void pack_bfloat16_a(int64_t m, int64_t k, const uint16_t* a, MatrixLayout layout, uint16_t* panels) {
  pack<true>(m, k, a, layout.row, layout.column, panels);
}
void pack_bfloat16_b(int64_t n, int64_t k, const uint16_t* b, MatrixLayout layout, uint16_t* panels) {
  pack<false>(n, k, b, layout.column, layout.row, panels);
}

constexpr int kTile = 2 * kSide;  // rows and columns of c that are computed together
struct alignas(64) Sums {
  float of[kTile][kTile];
};

// The sums over `steps` of two panels of A (`next_a` apart) and two of B.
LB_TILES void multiply_tiles(int64_t steps, const uint16_t* a, int64_t next_a, const uint16_t* b, int64_t next_b,
                             Sums& sums) {
  constexpr int kRow = kStep * sizeof(uint16_t);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (int64_t s = 0; s < steps; ++s, a += kUnit, b += kUnit) {
    _tile_loadd(4, a, kRow);
    _tile_loadd(6, b, kRow);
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(7, b + next_b, kRow);
    _tile_dpbf16ps(1, 4, 7);
    _tile_loadd(5, a + next_a, kRow);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, &sums.of[0][0], sizeof(sums.of[0]));
  _tile_stored(1, &sums.of[0][kSide], sizeof(sums.of[0]));
  _tile_stored(2, &sums.of[kSide][0], sizeof(sums.of[0]));
  _tile_stored(3, &sums.of[kSide][kSide], sizeof(sums.of[0]));
}

LB_PAIRS void multiply_pairs(int64_t steps, const uint16_t* a, int64_t next_a, const uint16_t* b, int64_t next_b,
                             Sums& sums) {
  constexpr int kRows = 8;
  for (int first = 0; first < kTile; first += kRows) {
    const uint16_t* rows = a + first / kSide * next_a + first % kSide * kStep;
    __m512 s[kRows][2];
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) s[r][0] = s[r][1] = _mm512_setzero_ps();
    for (int64_t p = 0; p < steps * kPairs; ++p) {
      const int64_t at = p / kPairs * kUnit;
      const uint16_t* column = b + at + p % kPairs * kStep;
      const __m512bh x = (__m512bh)_mm512_loadu_si512(column), y = (__m512bh)_mm512_loadu_si512(column + next_b);
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        const auto* pair = reinterpret_cast<const int*>(rows + at + r * kStep) + p % kPairs;
        const __m512bh factor = (__m512bh)_mm512_set1_epi32(*pair);
        s[r][0] = _mm512_dpbf16_ps(s[r][0], factor, x);
        s[r][1] = _mm512_dpbf16_ps(s[r][1], factor, y);
      }
    }
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r)
      for (int v = 0; v < 2; ++v) _mm512_store_ps(&sums.of[first + r][v * kSide], s[r][v]);
  }
}

void write_sums(const BFloat16Block& g, const Sums& sums, int64_t i, int64_t j) {
  const int64_t rows = std::min<int64_t>(g.m - i, kTile), columns = std::min<int64_t>(g.n - j, kTile);
  for (int64_t r = 0; r < rows; ++r) {
    uint16_t* c = g.c + (i + r) * g.c_row + j;
    const float* from = sums.of[r];
    if (g.beta != 0)
      for (int64_t q = 0; q < columns; ++q)
        c[q] = float_to_bfloat16(g.alpha * from[q] + g.beta * bfloat16_to_float(c[q]));
    else
      for (int64_t q = 0; q < columns; ++q) c[q] = float_to_bfloat16(g.alpha * from[q]);
  }
}

template <auto kMultiply>
void multiply_bfloat16(const BFloat16Block& g) {
  const int64_t steps = (g.k + kStep - 1) / kStep, panel = steps * kUnit;
  Sums sums;
  for (int64_t j = 0; j < g.n; j += kTile)
    for (int64_t i = 0; i < g.m; i += kTile) {
      // A second panel that is not there is the first one again: what it gives is not written.
      kMultiply(steps, g.a + i / kSide * panel, g.m - i > kSide ? panel : 0, g.b + j / kSide * panel,
                g.n - j > kSide ? panel : 0, sums);
      write_sums(g, sums, i, j);
    }
}

struct alignas(64) TileShapes {
  uint8_t palette = 1, start = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

LB_TILES void multiply_bfloat16_tiles(const BFloat16Block& g) {
  static constexpr TileShapes kShapes;
  _tile_loadconfig(&kShapes);
  multiply_bfloat16<multiply_tiles>(g);
  _tile_release();
}

extern constinit const BFloat16Loops bfloat16_pairs = {&pack_bfloat16_a, &pack_bfloat16_b,
                                                       &multiply_bfloat16<multiply_pairs>};
extern constinit const BFloat16Loops bfloat16_tiles = {&pack_bfloat16_a, &pack_bfloat16_b, &multiply_bfloat16_tiles};

}  // namespace LB_LEVEL
}  // namespace lumbre
#endif

#if LB_BASELINE
#include "base/cpu.h"

#if LB_LEVEL_COUNT == 3
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace lumbre {
namespace v4 {
extern const BFloat16Loops bfloat16_pairs, bfloat16_tiles;
}

namespace {

// The system gives a process tiles when it asks for them.
bool may_use_tiles() {
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

const BFloat16Loops* chosen_loops() {
  unsigned a = 0, b = 0, c = 0, d = 0, most = 0;
  if (best_level() < 2 || !__get_cpuid_count(7, 0, &most, &b, &c, &d)) return nullptr;
  constexpr unsigned kTiles = 1u << 22 | 1u << 24, kPairs = 1u << 5;
  if ((d & kTiles) == kTiles && may_use_tiles()) return &v4::bfloat16_tiles;
  // Intel's processors take as long for a vector of pairs as for what float32 needs in its place.
  if (__builtin_cpu_is("intel") || most < 1 || !__get_cpuid_count(7, 1, &a, &b, &c, &d) || !(a & kPairs))
    return nullptr;
  return &v4::bfloat16_pairs;
}

}  // namespace

const BFloat16Loops* bfloat16_loops() {
  static const BFloat16Loops* const chosen = chosen_loops();
  return chosen;
}
}  // namespace lumbre
#else
namespace lumbre {
const BFloat16Loops* bfloat16_loops() { return nullptr; }
}  // namespace lumbre
#endif
#endif
