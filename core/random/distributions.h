// Distributions over raw memory: checks of parameters with PyTorch's words, and fills of any dtype and stride.
// A run of `count` elements stands `stride` bytes apart; several runs in PyTorch's iteration order fill a tensor.
// Which words each distribution takes is said in draws.h; a contiguous run takes the same, only faster.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/dtype.h"
#include "random/generator.h"

namespace lumbre::random {

struct Run {
  void* data;
  int64_t stride;
  int64_t count;
};

void check_uniform(DType dtype, double from, double to);
void check_normal(double std);
void check_log_normal(double std);
void check_exponential(double rate);
void check_geometric(double p);
void check_cauchy(DType dtype, double sigma);
void check_bernoulli(double p);

void uniform(Generator& generator, DType dtype, Run run, double from, double to);
// Element by element; a whole contiguous tensor goes to normal_tensor, which takes another stream from 16 elements on.
void normal(Generator& generator, DType dtype, Run run, double mean, double std);
void normal_tensor(Generator& generator, DType dtype, void* data, int64_t count, double mean, double std);
void log_normal(Generator& generator, DType dtype, Run run, double mean, double std);
void exponential(Generator& generator, DType dtype, Run run, double rate);
void geometric(Generator& generator, DType dtype, Run run, double p);
void cauchy(Generator& generator, DType dtype, Run run, double median, double sigma);
// Also the mask of dropout: bernoulli with 1 - p, in the dtype of the input.
void bernoulli(Generator& generator, DType dtype, Run run, double p);
// `p` has the count of `run`; a broadcast probability has stride 0.
void bernoulli(Generator& generator, DType dtype, Run run, DType p_dtype, const void* p, int64_t p_stride);

// random_().
void random_full(Generator& generator, DType dtype, Run run);

// What random_(from, to) comes to for a dtype; `to` is none for "up to the largest". `any_int64` says that all 64
// bits are wanted; then `range` and `base` are unused. The warnings are UserWarnings to issue.
struct IntegerRange {
  uint64_t range = 0;
  int64_t base = 0;
  bool any_int64 = false;
  std::vector<std::string> warnings;
};
IntegerRange integer_range(DType dtype, int64_t from, std::optional<int64_t> to);
void random_range(Generator& generator, DType dtype, Run run, const IntegerRange& range);

}  // namespace lumbre::random
