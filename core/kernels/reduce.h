// Loops of reductions. The input is an (n x b) block whose rows of b elements are `pitch` elements apart and of which
// the n are reduced: a contiguous row when b and pitch are 1, columns otherwise; pitch is b where it is not given.
// Blocks are of fixed sizes, so a result depends on the data only.
#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace lumbre {

// out[b] = reduction over n of in[n][b].
using ReduceLoop = void (*)(const void* in, int64_t n, int64_t b, int64_t pitch, void* out);
// The same for positions: out is int64.
using ArgLoop = void (*)(const void* in, int64_t n, int64_t b, int64_t pitch, int64_t* out);
// Mean and sum of squared deviations, in the input's dtype.
using MomentsLoop = void (*)(const void* in, int64_t n, int64_t b, void* mean, void* squares);
// The p-norm's sum: of |x|^p, or the extreme of |x| for infinite p.
using NormLoop = void (*)(const void* in, int64_t n, int64_t b, int64_t pitch, double p, void* out);
// in and out are (n x b): each of the b columns becomes its (log-)softmax over n.
using SoftmaxLoop = void (*)(const void* in, int64_t n, int64_t b, void* out);

// By dtype; null where there is none, and the elements are converted before. Sums and products have entries for int64,
// float and double. Extremes have all but float16, bool taken as uint8; their positions have the widths from int32 on.
// Sums and extremes of bfloat16 are float32.
struct ReduceTable {
  ReduceLoop sum[kDTypeCount];
  ReduceLoop prod[kDTypeCount];
  ReduceLoop max[kDTypeCount];
  ReduceLoop min[kDTypeCount];
  ReduceLoop count_true;  // of bool, into int64
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
