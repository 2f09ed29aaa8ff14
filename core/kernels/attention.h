// The element-wise steps of attention on a tile of scores. A tile holds one query a column: (keys x columns), rows
// contiguous, `columns` being the width of a panel of the matrix product (kernels/gemm.h). So a tile is what one
// product writes and the next one reads, and maxima and sums over keys need no sums across a vector's lanes.
#pragma once

#include <cstdint>

namespace lumbre {

// What is known of each query's row of scores so far: the largest one, and the sum of exp(score - largest).
template <class T>
struct ScoreSums {
  T* top;
  T* sum;
};

template <class T>
struct AttentionLoops {
  int columns;
  // scores <- exp(score - largest), the sums brought up to date; `shrink` is what was summed before is to be multiplied
  // with. Whether any of `shrink` is not 1.
  bool (*absorb)(int64_t keys, T* scores, ScoreSums<T> sums, T* shrink);
  // Rows of `columns` elements times a factor for each column.
  void (*rescale)(int64_t rows, const T* factors, T* values);
  // 1 / sum, or 0 where no key takes part, into `inverse`; the logarithm of the sum of exp(score), or infinity.
  void (*conclude)(ScoreSums<T> sums, T* inverse, T* logarithm);
  // The way back: scores <- weights, slopes <- weights * (slopes - inner).
  void (*weigh)(int64_t keys, T* scores, T* slopes, const T* logarithm, const T* inner);
  // -inf added to (`adds`), or put in the place of, the scores of query j where key > j + lead.
  void (*shut)(int64_t keys, int64_t lead, bool adds, T* scores);
  void (*add)(int64_t keys, const T* mask, T* scores);                     // a mask of the tile's layout
  void (*add_keys)(int64_t keys, const T* mask, int64_t step, T* scores);  // one number a key
  // 0 where a bool mask is true, -inf elsewhere.
  void (*numbers)(int64_t count, const void* mask, int64_t step, T* to);
};

struct AttentionTable {
  AttentionLoops<float> f32;
  AttentionLoops<double> f64;
};

const AttentionTable& attention_table();

}  // namespace lumbre
