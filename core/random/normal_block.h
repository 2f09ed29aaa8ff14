// Normals of a whole contiguous tensor of 16 elements and more: a Box-Muller transform of blocks of 16 uniforms.
#pragma once

#include <cstdint>

#include "base/half.h"
#include "random/generator.h"

namespace lumbre::random {

// `count` is at least 16. Element i and i + 8 of a block come from uniforms i (radius) and i + 8 (angle).
// float, double: a uniform per element first (one word, two for double), then the blocks of 16 in place; if count is
// no multiple of 16, sixteen new uniforms overwrite the last sixteen elements and make a block of their own.
// The half types: a float block at a time, no uniforms for the incomplete block, then the same last sixteen.
// The normal that an earlier call kept in the generator is neither used nor touched.
void fill_normal_blocks(Generator& generator, float* data, int64_t count, double mean, double std);
void fill_normal_blocks(Generator& generator, double* data, int64_t count, double mean, double std);
void fill_normal_blocks(Generator& generator, Half* data, int64_t count, double mean, double std);
void fill_normal_blocks(Generator& generator, BFloat16* data, int64_t count, double mean, double std);

}  // namespace lumbre::random
