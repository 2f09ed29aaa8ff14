// Triangles and diagonals of matrices.
#include <cstring>

#include "ops/gradients.h"
#include "ops/views.h"

namespace lumbre::ops {
namespace {

// Rows of a row-major copy keep the columns up to (lower) or from (upper) the diagonal; the rest becomes zero.
template <bool upper>
Tensor triangle(const Tensor& input, int64_t diagonal) {
  LB_CHECK(input.ndim() >= 2, Runtime, upper ? "triu" : "tril", ": input tensor must have at least 2 dimensions");
  Tensor result = input.clone(MemoryFormat::Contiguous);
  const int64_t rows = input.sizes()[input.ndim() - 2], columns = input.sizes()[input.ndim() - 1];
  if (result.count() == 0) return result;
  const int64_t total = result.count() / columns;
  const auto item = static_cast<int64_t>(result.item_bytes());
  char* row = result.bytes();
  for (int64_t r = 0; r < total; ++r, row += columns * item) {
    const __int128 edge = static_cast<__int128>(r % rows) + diagonal + (upper ? 0 : 1);
    const int64_t at = static_cast<int64_t>(std::clamp<__int128>(edge, 0, columns));
    if (upper)
      std::memset(row, 0, static_cast<size_t>(at * item));
    else
      std::memset(row + at * item, 0, static_cast<size_t>((columns - at) * item));
  }
  return result;
}

// The elements of a triangle's rows [begin, end), none of them empty: rows as wide as the matrix, and an arithmetic
// series.
template <bool upper>
__int128 triangle_count(__int128 begin, __int128 end, __int128 col, __int128 offset) {
  if (begin >= end) return 0;
  if constexpr (upper) {
    const __int128 narrows = std::clamp<__int128>(-offset, begin, end);
    const __int128 first = col - narrows - offset, last = col - (end - 1) - offset;
    return (narrows - begin) * col + (first + last) * (end - narrows) / 2;
  } else {
    const __int128 full = std::clamp<__int128>(col - 1 - offset, begin, end);
    const __int128 first = begin + offset + 1, last = full + offset;
    return (first + last) * (full - begin) / 2 + (end - full) * col;
  }
}

template <bool upper>
Tensor triangle_indices(int64_t row, int64_t col, int64_t offset, std::optional<DType> dtype) {
  LB_CHECK(row >= 0, Runtime, "row must be non-negative, got", row);
  LB_CHECK(col >= 0, Runtime, "col must be non-negative, got", col);
  const auto first = [&](int64_t r) {
    return upper ? static_cast<int64_t>(std::clamp<__int128>(static_cast<__int128>(r) + offset, 0, col)) : int64_t{0};
  };
  const auto last = [&](int64_t r) {
    return upper ? col : static_cast<int64_t>(std::clamp<__int128>(static_cast<__int128>(r) + offset + 1, 0, col));
  };
  // Rows outside of these have no element: a loop over them could be endless.
  const __int128 edge = upper ? static_cast<__int128>(col) - offset : -static_cast<__int128>(offset);
  const auto bound = static_cast<int64_t>(std::clamp<__int128>(edge, 0, row));
  const int64_t begin = col == 0 ? row : upper ? 0 : bound, end = upper ? bound : row;
  const __int128 elements = triangle_count<upper>(begin, end, col, offset);
  LB_CHECK(elements <= INT64_MAX / 16, Memory, "the indices of ", end - begin, " rows do not fit in memory");
  const auto count = static_cast<int64_t>(elements);
  Tensor result = Tensor::empty({2, count}, DType::Int64);
  int64_t* out = result.as<int64_t>();
  int64_t at = 0;
  for (int64_t r = begin; r < end; ++r)
    for (int64_t c = first(r); c < last(r); ++c, ++at) {
      out[at] = r;
      out[count + at] = c;
    }
  return result.to(dtype.value_or(DType::Int64));
}

Tensor diag_embed(const Tensor& input, int64_t offset, int64_t dim1, int64_t dim2) {
  const int n = input.ndim() + 1;
  const int a = wrap_dim(dim1, n), b = wrap_dim(dim2, n);
  LB_CHECK(a != b, Runtime, "diagonal dimensions cannot be identical ", dim1, ", ", dim2);
  LB_CHECK(input.ndim() > 0, Index, "Dimension out of range (expected to be in range of [-1, 0], but got -1)");
  LB_CHECK(offset > -INT64_MAX / 2 && offset < INT64_MAX / 2, Runtime, "diagonal offset out of range: ", offset);
  const int64_t length = checked_add(input.sizes()[input.ndim() - 1], offset < 0 ? -offset : offset);
  Dims sizes = input.sizes();
  sizes.pop_back();
  sizes.insert(static_cast<size_t>(std::min(a, b)), length);
  sizes.insert(static_cast<size_t>(std::max(a, b)), length);
  Tensor result = Tensor::zeros(sizes, input.dtype());
  diagonal(result, offset, a, b).copy_from(input);
  return result;
}

Tensor diag(const Tensor& input, int64_t offset) {
  LB_CHECK(input.ndim() == 1 || input.ndim() == 2, Runtime, "diag(): Supports 1D or 2D tensors. Got ", input.ndim(),
           "D");
  return input.ndim() == 1 ? op::call<"diag_embed">(input, offset, int64_t{0}, int64_t{1})
                           : op::call<"diagonal_copy">(input, offset, int64_t{0}, int64_t{1});
}

Tensor diagflat(const Tensor& input, int64_t offset) { return diag_embed(reshape(input, {-1}), offset, 0, 1); }

Tensor fill_diagonal(const Out& out, const Tensor& input, Scalar value, bool wrap) {
  LB_CHECK(input.ndim() >= 2, Runtime, "dimensions must larger than 1");
  const Tensor target = out.in_place() ? input : input.clone();
  const Dims& sizes = target.sizes();
  int64_t stride = 0, shortest = sizes[0];
  for (int d = 0; d < target.ndim(); ++d) {
    LB_CHECK(target.ndim() == 2 || sizes[d] == sizes[0], Runtime, "all dimensions of input must be of equal length");
    stride = checked_add(stride, target.strides()[d]);
    shortest = std::min(shortest, sizes[d]);
  }
  with_geometry(target, {shortest}, {stride}).fill(value);
  // Below a square, the diagonal starts again after one row's gap.
  if (wrap && target.ndim() == 2 && sizes[0] > sizes[1] + 1 && sizes[1] > 0) {
    const int64_t rows = sizes[0], columns = sizes[1];
    for (int64_t at = columns + 1; at < rows; at += columns + 1) {
      const int64_t length = std::min(columns, rows - at);
      with_geometry(target, {length}, {stride}, target->offset + at * target.strides()[0]).fill(value);
    }
  }
  target.bump_version();
  return target;
}

LB_OPERATOR(.signature = "tril(input, diagonal=0, *, out=None)",
            .doc = R"(Matrices with what lies above a diagonal set to zero.

>>> torch.ones(2, 2).tril()
tensor([[1., 0.],
        [1., 1.]]))",
            .forward = forward_of<triangle<false>>,
            .derivative = LB_GRADIENT("TrilBackward0", "", call<"tril">(g, b.integer(1))), .forms = kEveryForm);
LB_OPERATOR(.signature = "triu(input, diagonal=0, *, out=None)",
            .doc = R"(Matrices with what lies below a diagonal set to zero.

>>> torch.ones(2, 2).triu()
tensor([[1., 1.],
        [0., 1.]]))",
            .forward = forward_of<triangle<true>>,
            .derivative = LB_GRADIENT("TriuBackward0", "", call<"triu">(g, b.integer(1))), .forms = kEveryForm);
LB_OPERATOR(.signature =
                "tril_indices(row, col, offset=0, *, dtype=int64, layout=None, device=None, pin_memory=False, "
                "requires_grad=False)",
            .doc = R"(Rows and columns of the elements of a lower triangle, in row-major order.

>>> torch.tril_indices(2, 2)
tensor([[0, 1, 1],
        [0, 0, 1]]))",
            .forward = forward_of<triangle_indices<false>>, .derivative = kNotDifferentiable, .forms = kFunction);
LB_OPERATOR(.signature =
                "triu_indices(row, col, offset=0, *, dtype=int64, layout=None, device=None, pin_memory=False, "
                "requires_grad=False)",
            .doc = R"(Rows and columns of the elements of an upper triangle, in row-major order.

>>> torch.triu_indices(2, 2)
tensor([[0, 0, 1],
        [0, 1, 1]]))",
            .forward = forward_of<triangle_indices<true>>, .derivative = kNotDifferentiable, .forms = kFunction);
LB_OPERATOR(.signature = "diag_embed(input, offset=0, dim1=-2, dim2=-1)",
            .doc = R"(Matrices of zeros with the last dimension of the input on a diagonal.

>>> torch.diag_embed(torch.tensor([1, 2]))
tensor([[1, 0],
        [0, 2]]))",
            .forward = forward_of<diag_embed>,
            .derivative = LB_GRADIENT("DiagEmbedBackward0", "",
                                      call<"diagonal">(g, b.integer(1), b.integer(2), b.integer(3))));
LB_OPERATOR(.signature = "diag(input, diagonal=0, *, out=None)",
            .doc = R"(A vector's diagonal matrix, or a matrix's diagonal as a copy.

>>> torch.diag(torch.tensor([1, 2]))
tensor([[1, 0],
        [0, 2]]))",
            .forward = forward_of<diag>, .derivative = kComposed);
LB_OPERATOR(.signature = "diagflat(input, offset=0)", .doc = R"(The diagonal matrix of all elements.

>>> torch.diagflat(torch.tensor([1, 2]))
tensor([[1, 0],
        [0, 2]]))",
            .forward = forward_of<diagflat>,
            .derivative = LB_GRADIENT("DiagEmbedBackward0", "",
                                      reshape(call<"diagonal">(g, b.integer(1), int64_t{0}, int64_t{1}), b.sizes(0))));
LB_OPERATOR(.signature = "fill_diagonal(input, fill_value, wrap=False)",
            .doc = R"(Writes one value on the diagonal; with wrap it starts again below a square.

>>> torch.zeros(2, 2).fill_diagonal_(1)
tensor([[1., 0.],
        [0., 1.]]))",
            .forward = forward_of<fill_diagonal>,
            .derivative = LB_GRADIENT("FillDiagonalBackward0", "", fill_diagonal_gradient(g, b.flag(2))),
            .forms = kInPlace);

}  // namespace
}  // namespace lumbre::ops
