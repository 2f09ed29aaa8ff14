// Views: new geometry over the same storage. Nothing here copies, except reshape and flatten where no view exists.
#pragma once

#include "ops/registry.h"

namespace lumbre::ops {

// The same storage, dtype and offset (unless given) with another geometry; the caller knows that it is inside.
Tensor with_geometry(const Tensor& input, const Dims& sizes, const Dims& strides);
Tensor with_geometry(const Tensor& input, const Dims& sizes, const Dims& strides, int64_t offset);

Tensor view(const Tensor& input, const Dims& size);
Tensor reshape(const Tensor& input, const Dims& shape);
Tensor transpose(const Tensor& input, int64_t dim0, int64_t dim1);
Tensor permute(const Tensor& input, const Dims& dims);
Tensor squeeze_all(const Tensor& input);
Tensor squeeze(const Tensor& input, const Dims& dims);
Tensor unsqueeze(const Tensor& input, int64_t dim);
Tensor expand(const Tensor& input, const Dims& size);  // -1 keeps a size
Tensor flatten(const Tensor& input, int64_t start_dim, int64_t end_dim);
Tensor select(const Tensor& input, int64_t dim, int64_t index);
Tensor narrow(const Tensor& input, int64_t dim, int64_t start, int64_t length);
Tensor slice(const Tensor& input, int64_t dim, std::optional<int64_t> start, std::optional<int64_t> end, int64_t step);
Tensor diagonal(const Tensor& input, int64_t offset, int64_t dim1, int64_t dim2);
std::vector<Tensor> unbind(const Tensor& input, int64_t dim);
Tensor flip(const Tensor& input, const Dims& dims);
Tensor cat(const std::vector<Tensor>& tensors, int64_t dim);
Tensor movedim(const Tensor& input, const Dims& source, const Dims& destination);

// In-place forms of views change the tensor's own geometry.
Tensor give_view(const Out& out, Tensor view);

// out.give for results whose target must not share memory with the inputs; where PyTorch asks for it, also not differ
// in dtype.
Tensor give_apart(const Out& out, Tensor result, std::initializer_list<const Tensor*> inputs, bool same_dtype = false);

// The same view, copied row-major: forwards of the `_copy` operators.
template <auto function>
struct Copied;
template <class... Args, Tensor (*function)(Args...)>
struct Copied<function> {
  static Tensor call(Args... args) { return function(args...).clone(MemoryFormat::Contiguous); }
};

// Dimensions wrapped; PyTorch's error when one appears twice.
Dims wrap_unique(const Dims& dims, int64_t ndim);

}  // namespace lumbre::ops
