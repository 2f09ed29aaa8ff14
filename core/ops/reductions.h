// What reductions share: the input as a contiguous (a x n x b) block, the n reduced.
#pragma once

#include <optional>

#include "tensor/tensor.h"

namespace lumbre::ops {

struct Reduction {
  Tensor input;  // contiguous, its elements in (a, n, b) order
  int64_t a = 1, n = 1, b = 1;
  Dims kept;            // sizes of the result without the reduced dimensions
  Dims kept_with_ones;  // the same with ones in their places
  const Dims& sizes(bool keepdim) const { return keepdim ? kept_with_ones : kept; }
};

// Which dimensions are reduced: none named, or an empty list, means all.
std::vector<bool> reduced_dims(const std::optional<Dims>& dims, int ndim);
Reduction prepare_reduction(const Tensor& input, const std::optional<Dims>& dims);

// Shared by the families.
Tensor sum(const Tensor& input, const std::optional<Dims>& dims, bool keepdim, std::optional<DType> dtype);
Tensor mean(const Tensor& input, const std::optional<Dims>& dims, bool keepdim, std::optional<DType> dtype);

// The view of `t` with dimension `dim` last, and its inverse.
Tensor dim_to_last(const Tensor& t, int dim);
Tensor dim_from_last(const Tensor& t, int dim);

}  // namespace lumbre::ops
