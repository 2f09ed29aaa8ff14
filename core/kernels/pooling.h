// Loops of pooling over raw, row-major planes. A plane has three dimensions (absent leading ones have size 1); what a
// window covers is a range along each of them.
#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace lumbre {

struct PoolWindows {
  int64_t in[3], out[3];
  // By output: the first place inside of the plane, and how many there are, `step` apart.
  const int64_t* first[3];
  const int64_t* count[3];
  int64_t step[3];
  // Along the last dimension, outputs from low to high have whole windows that begin `stride` apart.
  int64_t low, high, stride;

  int64_t in_size() const { return in[0] * in[1] * in[2]; }
  int64_t out_size() const { return out[0] * out[1] * out[2]; }
  int64_t rows() const { return out[0] * out[1]; }  // of outputs, in a plane
};

// Output rows from `begin` to `end`, counted over all planes: the greatest of each window and its place in the plane.
// The last NaN of a window wins, else the first of equals. `elements` of input there are in all.
using MaxPoolLoop = void (*)(const PoolWindows& windows, const void* in, int64_t elements, int64_t begin, int64_t end,
                             void* out, int64_t* where);
// in[plane][where] += out, for planes from `begin` to `end`, over zeros.
using MaxPoolBackLoop = bool (*)(int64_t in_size, int64_t out_size, const void* out, const int64_t* where,
                                 int64_t begin, int64_t end, void* in);
// The sums of windows divided by divisors[output of a plane], or by `divisor` where there are none.
using AveragePoolLoop = void (*)(const PoolWindows& windows, const void* in, int64_t elements, int64_t begin,
                                 int64_t end, const int64_t* divisors, int64_t divisor, void* out);
// Each output divided and added to its window, for planes from `begin` to `end`, over zeros.
using AveragePoolBackLoop = void (*)(const PoolWindows& windows, const void* out, int64_t begin, int64_t end,
                                     const int64_t* divisors, int64_t divisor, void* in);

struct PoolingLoops {
  MaxPoolLoop max;
  MaxPoolBackLoop max_back;
  AveragePoolLoop average;
  AveragePoolBackLoop average_back;
};

// By dtype: int64, float32 and float64 have entries.
struct PoolingTable {
  PoolingLoops loops[kDTypeCount];
};

const PoolingTable& pooling_table();

}  // namespace lumbre
