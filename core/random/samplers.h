// Distributions that take a varying number of words, permutations and categorical samples.
#pragma once

#include <cstdint>

#include "base/dtype.h"
#include "random/distributions.h"
#include "random/generator.h"

namespace lumbre::random {

// 0 to count - 1 in random order, into contiguous memory. Below 214,748,364 elements: exchange element i with
// i + word % (count - i), a word for each i but the last. From there on: the inside-out shuffle, two words each.
void permutation(Generator& generator, DType dtype, void* data, int64_t count);

// Indices of categories, drawn in proportion to `weights` (rows x categories, contiguous); `out` is rows x samples.
// Several with replacement: two words a sample, a search in the row's running sum. Without, and for a single sample:
// an exponential per weight, in the weights' dtype (two words each); the largest quotients weight / exponential win,
// in falling order.
void multinomial(Generator& generator, DType dtype, const void* weights, int64_t rows, int64_t categories,
                 int64_t samples, bool with_replacement, int64_t* out);

// Element by element over runs of equal count. Poisson: two words a trial; products of uniforms below rate 10,
// transformed rejection (Hoermann 1993) from 10 on, which takes four words a trial.
void poisson(Generator& generator, DType dtype, Run out, const void* rate, int64_t rate_stride);
// Two words a trial: sums of geometrics where count * p < 10, otherwise Hoermann's BTRS with four words a trial.
void binomial(Generator& generator, DType dtype, Run out, const void* count, int64_t count_stride, const void* p,
              int64_t p_stride);
// Marsaglia and Tsang (2000), two uniform words after each normal; two more first where the shape is below 1.
void standard_gamma(Generator& generator, DType dtype, Run out, const void* shape, int64_t shape_stride);

}  // namespace lumbre::random
