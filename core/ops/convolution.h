// Convolutions of raw, row-major memory; core/ops/convolution.cc makes operators of them.
#pragma once

#include <array>

#include "base/dims.h"
#include "base/dtype.h"

namespace lumbre::ops {

// One of up to three dimensions: absent leading ones have size 1. x is (n, in_channels, in...), y is
// (n, out_channels, out...), w is (out_channels, in_channels / groups, kernel...); output o lies over the inputs
// o * stride + k * dilation - padding, for each k of the kernel. Inputs that no output lies over are allowed.
struct Convolution {
  using Sizes = std::array<int64_t, 3>;
  int64_t n = 1, groups = 1, in_channels = 1, out_channels = 1;
  Sizes in{1, 1, 1}, out{1, 1, 1}, kernel{1, 1, 1}, stride{1, 1, 1}, padding{0, 0, 0}, dilation{1, 1, 1};

  static int64_t product(const Sizes& s) { return checked_multiply(checked_multiply(s[0], s[1]), s[2]); }
  int64_t taps() const { return product(kernel); }
  // Products of an element of w with an element of x.
  double work() const {
    return static_cast<double>(n) * static_cast<double>(out_channels) *
           static_cast<double>(in_channels / std::max<int64_t>(groups, 1)) * static_cast<double>(product(out)) *
           static_cast<double>(taps());
  }
};

// The dtype is int64, float32 or float64. `bias` may be null.
void convolve(const Convolution& c, DType dtype, const void* x, const void* w, const void* bias, void* y);
// x from y: what a transposed convolution computes. `bias` has in_channels elements, or is null.
void convolve_transposed(const Convolution& c, DType dtype, const void* y, const void* w, const void* bias, void* x);
// w from x and y.
void correlate(const Convolution& c, DType dtype, const void* x, const void* y, void* w);

}  // namespace lumbre::ops
