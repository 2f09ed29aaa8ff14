// Type promotion: PyTorch's lattice and its three priorities (tensors with dimensions, 0-d tensors, Python numbers).
#pragma once

#include "tensor/tensor.h"

namespace lumbre {

DType promote_types(DType a, DType b);
// Whether a result of `from` may be written to a tensor of `to` (no drop of category: float, integer, bool).
bool can_cast(DType from, DType to);

class PromotionState {
 public:
  void add(const Tensor& tensor) {
    auto& slot = tensor.ndim() == 0 ? zero_dim_ : dimensioned_;
    slot = slot ? promote_types(*slot, tensor.dtype()) : tensor.dtype();
  }
  void add(Scalar scalar) {
    const DType natural = scalar.natural_dtype(default_dtype());
    number_ = number_ ? promote_types(*number_, natural) : natural;
  }
  DType result() const;

 private:
  std::optional<DType> dimensioned_, zero_dim_, number_;
};

}  // namespace lumbre
