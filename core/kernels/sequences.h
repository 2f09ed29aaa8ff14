// Loops that make sequences of numbers.
#pragma once

#include <cstdint>

namespace lumbre {

// out[i] = start + step (first + i), a product and a sum that are rounded once.
struct SequenceLoops {
  void (*of_float)(float* out, int64_t count, float start, float step, int64_t first);
  void (*of_double)(double* out, int64_t count, double start, double step, int64_t first);
  void (*of_int64)(int64_t* out, int64_t count, int64_t start, int64_t step, int64_t first);  // wraps around
};
const SequenceLoops& sequence_loops();

}  // namespace lumbre
