#include "kernels/sequences.h"

#include <algorithm>
#include <cmath>

#include "base/level.h"

namespace lumbre {
namespace LB_LEVEL {

// Numbers that fit an int32 are converted from one, which every instruction set can do for several at once.
template <class T>
void spaced(T* out, int64_t count, T start, T step, int64_t first) {
  constexpr int64_t kBlock = 4096, kFits = int64_t{1} << 31;
  for (int64_t from = 0; from < count; from += kBlock) {
    const auto width = static_cast<int32_t>(std::min(kBlock, count - from));
    const int64_t origin = first + from;
    T* __restrict to = out + from;
    if (origin > -kFits && origin + kBlock < kFits) {
      const auto base = static_cast<int32_t>(origin);
      for (int32_t i = 0; i < width; ++i) to[i] = std::fma(step, static_cast<T>(base + i), start);
    } else {
      for (int32_t i = 0; i < width; ++i) to[i] = std::fma(step, static_cast<T>(origin + i), start);
    }
  }
}

inline void whole(int64_t* out, int64_t count, int64_t start, int64_t step, int64_t first) {
  uint64_t value = static_cast<uint64_t>(start) + static_cast<uint64_t>(step) * static_cast<uint64_t>(first);
  for (int64_t i = 0; i < count; ++i, value += static_cast<uint64_t>(step)) out[i] = static_cast<int64_t>(value);
}

extern constinit const SequenceLoops sequences = {&spaced<float>, &spaced<double>, &whole};

}  // namespace LB_LEVEL
}  // namespace lumbre

#if LB_BASELINE
#include "base/dispatch.h"
LB_LEVEL_TABLE(lumbre::SequenceLoops, sequences)
namespace lumbre {
const SequenceLoops& sequence_loops() { return LB_BEST(sequences); }
}  // namespace lumbre
#endif
