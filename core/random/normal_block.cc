#include "random/normal_block.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>

#include "random/hot.h"

namespace lumbre::random {
namespace {

// The logarithm and the sine and cosine below are Cephes' single-precision ones (Moshier), with every multiply-add
// fused as it is in PyTorch's AVX2 build: a plain product or sum here is one that is rounded there too.

// Positive normal arguments only.
inline float block_log(float x) {
  const int32_t bits = std::bit_cast<int32_t>(x);
  const float fraction = std::bit_cast<float>((bits & 0x007fffff) | 0x3f000000);  // in [1/2, 1)
  const bool low = fraction < 0.707106781186547524f;
  const float exponent = static_cast<float>((bits >> 23) - (low ? 127 : 126));
  const float m = (fraction - 1.0f) + (low ? fraction : 0.0f);
  const float square = m * m;
  float p = 7.0376836292e-2f;
  p = __builtin_fmaf(p, m, -1.1514610310e-1f);
  p = __builtin_fmaf(p, m, 1.1676998740e-1f);
  p = __builtin_fmaf(p, m, -1.2420140846e-1f);
  p = __builtin_fmaf(p, m, 1.4249322787e-1f);
  p = __builtin_fmaf(p, m, -1.6668057665e-1f);
  p = __builtin_fmaf(p, m, 2.0000714765e-1f);
  p = __builtin_fmaf(p, m, -2.4999993993e-1f);
  p = __builtin_fmaf(p, m, 3.3333331174e-1f);
  p = p * m;
  p = __builtin_fmaf(p, square, exponent * -2.12194440e-4f);
  p = p - square * 0.5f;
  return __builtin_fmaf(exponent, 0.693359375f, m + p);
}

// Arguments from 0 to 2 pi.
inline void block_sincos(float x, float& sine, float& cosine) {
  const int32_t octant = (static_cast<int32_t>(x * 1.27323954473516f) + 1) & ~1;
  const float turns = static_cast<float>(octant);
  float r = __builtin_fmaf(turns, -0.78515625f, x);
  r = __builtin_fmaf(turns, -2.4187564849853515625e-4f, r);
  r = __builtin_fmaf(turns, -3.77489497744594108e-8f, r);
  const float square = r * r;
  float c = 2.443315711809948e-5f;
  c = __builtin_fmaf(c, square, -1.388731625493765e-3f);
  c = __builtin_fmaf(c, square, 4.166664568298827e-2f);
  c = c * square;
  c = __builtin_fmaf(c, square, square * -0.5f) + 1.0f;
  float s = -1.9515295891e-4f;
  s = __builtin_fmaf(s, square, 8.3321608736e-3f);
  s = __builtin_fmaf(s, square, -1.6666654611e-1f);
  s = s * square;
  s = __builtin_fmaf(s, r, r);
  const bool swapped = (octant & 2) != 0;
  const uint32_t sine_sign = static_cast<uint32_t>(octant & 4) << 29;
  const uint32_t cosine_sign = static_cast<uint32_t>(~(octant - 2) & 4) << 29;
  sine = std::bit_cast<float>(std::bit_cast<uint32_t>(swapped ? c : s) ^ sine_sign);
  cosine = std::bit_cast<float>(std::bit_cast<uint32_t>(swapped ? s : c) ^ cosine_sign);
}

LB_HOT_LOOP void transform_blocks(float* data, int64_t blocks, float mean, float std) {
  for (int64_t block = 0; block < blocks; ++block, data += 16) {
    float first[8], second[8];
    for (int i = 0; i < 8; ++i) {
      const float radius = __builtin_sqrtf(-2.0f * block_log(1.0f - data[i]));
      float sine, cosine;
      block_sincos(static_cast<float>(2.0 * std::numbers::pi) * data[i + 8], sine, cosine);
      first[i] = __builtin_fmaf(radius * cosine, std, mean);
      second[i] = __builtin_fmaf(radius * sine, std, mean);
    }
    for (int i = 0; i < 8; ++i) data[i] = first[i];
    for (int i = 0; i < 8; ++i) data[i + 8] = second[i];
  }
}

void transform_blocks(double* data, int64_t blocks, double mean, double std) {
  for (int64_t block = 0; block < blocks; ++block, data += 16) {
    for (int i = 0; i < 8; ++i) {
      const double radius = std::sqrt(-2.0 * std::log(1.0 - data[i]));
      const double angle = 2.0 * std::numbers::pi * data[i + 8];
      data[i] = std::fma(radius * std::cos(angle), std, mean);
      data[i + 8] = std::fma(radius * std::sin(angle), std, mean);
    }
  }
}

LB_HOT_LOOP void unit_floats(float* __restrict out, const uint32_t* __restrict words, int64_t count) {
  for (int64_t i = 0; i < count; ++i) out[i] = static_cast<float>(static_cast<int32_t>(words[i] & 0xffffff)) * 0x1p-24f;
}

void fill_uniform(Generator& generator, float* data, int64_t count) {
  constexpr int64_t kRun = 512;
  uint32_t words[kRun];
  for (int64_t done = 0; done < count; done += kRun) {
    const int64_t run = std::min(kRun, count - done);
    generator.fill(words, run);
    unit_floats(data + done, words, run);
  }
}

void fill_uniform(Generator& generator, double* data, int64_t count) {
  for (int64_t i = 0; i < count; ++i) data[i] = generator.uniform_double();
}

template <class T>
void fill_wide(Generator& generator, T* data, int64_t count, T mean, T std) {
  fill_uniform(generator, data, count);
  transform_blocks(data, count / 16, mean, std);
  if (count % 16 == 0) return;
  T* last = data + (count - 16);
  fill_uniform(generator, last, 16);
  transform_blocks(last, 1, mean, std);
}

template <class T>
void fill_narrow(Generator& generator, T* data, int64_t count, float mean, float std) {
  constexpr int64_t kRun = 512;
  float buffer[kRun];
  const int64_t whole = count - count % 16;
  for (int64_t done = 0; done < whole; done += kRun) {
    const int64_t run = std::min(kRun, whole - done);
    fill_uniform(generator, buffer, run);
    transform_blocks(buffer, run / 16, mean, std);
    for (int64_t i = 0; i < run; ++i) data[done + i] = T(buffer[i]);
  }
  if (whole == count) return;
  fill_uniform(generator, buffer, 16);
  transform_blocks(buffer, 1, mean, std);
  for (int64_t i = 0; i < 16; ++i) data[count - 16 + i] = T(buffer[i]);
}

}  // namespace

void fill_normal_blocks(Generator& generator, float* data, int64_t count, double mean, double std) {
  fill_wide(generator, data, count, static_cast<float>(mean), static_cast<float>(std));
}

void fill_normal_blocks(Generator& generator, double* data, int64_t count, double mean, double std) {
  fill_wide(generator, data, count, mean, std);
}

void fill_normal_blocks(Generator& generator, Half* data, int64_t count, double mean, double std) {
  fill_narrow(generator, data, count, static_cast<float>(mean), static_cast<float>(std));
}

void fill_normal_blocks(Generator& generator, BFloat16* data, int64_t count, double mean, double std) {
  fill_narrow(generator, data, count, static_cast<float>(mean), static_cast<float>(std));
}

}  // namespace lumbre::random
