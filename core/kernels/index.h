// Loops that only move elements, by item size: compiled once per instruction set, chosen at run time.
#pragma once

#include <atomic>

#include "tensor/plan.h"

namespace lumbre {

// Positions along a dimension of `size` elements, `step` bytes apart.
struct Positions {
  int64_t size, step;
  std::atomic<bool>* outside;  // set where one is not in [0, size)
};

struct MoveLoops {
  Loop fetch;        // (result, source, offsets): result <- source[offset]
  Loop gather;       // (result, source, positions), the context being Positions: result <- source[step * position]
  Loop set;          // (target, values, offsets): target[offset] <- value
  Loop copy;         // (result, source): any strides, negative ones included
  Loop fill_masked;  // (target, mask, value): target <- value where the mask is true
  Loop choose;       // (result, mask, a, b): result <- a where the mask is true, else b
  // out[i] <- in[at[i]], `at` holding positions from 0, or from -size
  void (*take)(char* out, const char* in, const int64_t* at, int64_t count, int64_t size);
};

const MoveLoops& move_loops(size_t item_bytes);

// out[i] <- step * (at[i], from 0) where every position lies in [lowest, size), those below 0 being counted from size;
// false where one does not.
using PlaceLoop = bool (*)(const int64_t* at, int64_t count, int64_t lowest, int64_t size, int64_t step, int64_t* out);
PlaceLoop place_loop();

// to[i] += from[i], in the dtype.
using AddLoop = void (*)(void* to, const void* from, int64_t count);
AddLoop add_loop(DType dtype);

}  // namespace lumbre
