// Positions chosen by index tensors. Indices are checked and turned into byte offsets before any memory is touched; the
// loops that then move elements run on plans whose chosen dimensions have stride 0.
#pragma once

#include "ops/registry.h"
#include "tensor/plan.h"

namespace lumbre::ops {

enum class Update : uint8_t { Set, Add, Multiply, Mean, Maximum, Minimum };

// Loops over (target, values, offsets): target[offset] <- value by the rule; nullptr for rules without a loop.
Loop update_loop(DType dtype, Update rule);
// A loop over (result, source, offsets) that moves items of a size.
Loop fetch_loop(size_t item_bytes);

// The elements of an index tensor as row-major int64 (the tensor itself when it is that).
Tensor integer_index(const Tensor& index);
// Offsets in bytes along one dimension, in the shape of the index. Throws `kind` with PyTorch's sentence when an
// element is out of range.
Tensor offsets_along(const Tensor& index, int64_t dim, int64_t size, int64_t stride_bytes, bool allow_negative,
                     ErrorKind kind, const char* prefix = "");

// result <- source[offsets]; the source's geometry has stride 0 where offsets move.
Tensor fetch(const Tensor& source, const Tensor& offsets);
// target[offsets] <- values, by the rule, in order.
void update(const Tensor& target, const Tensor& values, const Tensor& offsets, Update rule);

Tensor index(const Tensor& input, const std::vector<Tensor>& indices);
// `trim` drops leading dimensions of size 1 that the result lacks from the values, as assignment does.
void index_put(const Tensor& target, const std::vector<Tensor>& indices, const Tensor& values, bool accumulate,
               bool trim);
// Rows (the elements of one position of `dim`) copied in the order of `index`, which holds checked positions.
Tensor take_rows(const Tensor& input, int dim, const Tensor& index);

Tensor index_select(const Tensor& input, int64_t dim, const Tensor& index);
Tensor gather(const Tensor& input, int64_t dim, const Tensor& index, bool sparse_grad);

// masking.cc
Tensor nonzero(const Tensor& input);  // (count, ndim)
std::vector<Tensor> nonzero_columns(const Tensor& input);
Tensor masked_select(const Tensor& input, const Tensor& mask);
void masked_fill(const Tensor& target, const Tensor& mask, Scalar value);
// Whether elements of a dimension are one element of memory.
bool is_expanded(const Tensor& t);

}  // namespace lumbre::ops
