// Products of vectors, matrices and batches of matrices.
#pragma once

#include "tensor/tensor.h"

namespace lumbre::ops {

Tensor dot(const Tensor& input, const Tensor& other);
Tensor mv(const Tensor& input, const Tensor& vec);
Tensor mm(const Tensor& input, const Tensor& mat2);
Tensor bmm(const Tensor& input, const Tensor& mat2);
Tensor matmul(const Tensor& input, const Tensor& other);

}  // namespace lumbre::ops
