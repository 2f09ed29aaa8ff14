// Borders of one value.
#pragma once

#include "tensor/tensor.h"

namespace lumbre::ops {

// pad is (left, right, top, bottom, ...), last dimension first; negative numbers crop.
Tensor constant_pad_nd(const Tensor& input, const Dims& pad, Scalar value);

}  // namespace lumbre::ops
