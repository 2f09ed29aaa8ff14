// Loops of reductions. The input is a contiguous (n x b) block of which the n are reduced: rows when b is 1, columns
// otherwise. Blocks are of fixed sizes, so a result depends on the data only.
#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace lumbre {

// out[b] = reduction over n of in[n][b].
using ReduceLoop = void (*)(const void* in, int64_t n, int64_t b, void* out);
// The same for positions: out is int64.
using ArgLoop = void (*)(const void* in, int64_t n, int64_t b, int64_t* out);
// Mean and sum of squared deviations, in the input's dtype.
using MomentsLoop = void (*)(const void* in, int64_t n, int64_t b, void* mean, void* squares);
// The p-norm's sum: of |x|^p, or the extreme of |x| for infinite p.
using NormLoop = void (*)(const void* in, int64_t n, int64_t b, double p, void* out);
// in and out are (n x b): each of the b columns becomes its (log-)softmax over n.
using SoftmaxLoop = void (*)(const void* in, int64_t n, int64_t b, void* out);

// By dtype; null where there is none. Sums and products have entries for int64, float and double; half types and
// other integers are converted before. Extremes have all but the half types; bool is taken as uint8.
struct ReduceTable {
  ReduceLoop sum[kDTypeCount];
  ReduceLoop prod[kDTypeCount];
  ReduceLoop max[kDTypeCount];
  ReduceLoop min[kDTypeCount];
  ArgLoop argmax[kDTypeCount];
  ArgLoop argmin[kDTypeCount];
  MomentsLoop moments[kDTypeCount];
  NormLoop norm[kDTypeCount];
  ReduceLoop logsumexp[kDTypeCount];
  SoftmaxLoop softmax[kDTypeCount];
  SoftmaxLoop log_softmax[kDTypeCount];
  SoftmaxLoop cumsum[kDTypeCount];
  SoftmaxLoop cumprod[kDTypeCount];
};

const ReduceTable& reduce_table();

}  // namespace lumbre
