// Tensors taken apart: views of consecutive pieces.
#include "ops/gradients.h"
#include "ops/views.h"

namespace lumbre::ops {

namespace {
// Every piece is a tensor of its own: so many of them would exhaust the memory one by one.
void check_pieces(int64_t count) { LB_CHECK(count <= int64_t{1} << 26, Memory, "cannot make ", count, " tensors"); }
}  // namespace

std::vector<Tensor> unbind(const Tensor& input, int64_t dim) {
  LB_CHECK(input.ndim() > 0, Index, "Dimension specified as ", dim, " but tensor has no dimensions");
  const int d = wrap_dim(dim, input.ndim());
  check_pieces(input.sizes()[d]);
  std::vector<Tensor> pieces;
  pieces.reserve(static_cast<size_t>(input.sizes()[d]));
  for (int64_t i = 0; i < input.sizes()[d]; ++i) pieces.push_back(select(input, d, i));
  return pieces;
}

namespace {

using Tensors = std::vector<Tensor>;

// Consecutive pieces of one size; the last may be shorter.
Tensors split(const Tensor& input, int64_t split_size, int64_t dim) {
  LB_CHECK(input.ndim() != 0, Runtime, "split expects at least a 1-dimensional tensor");
  LB_CHECK(split_size >= 0, Runtime, "split expects split_size be non-negative, but got split_size=", split_size);
  const int d = wrap_dim(dim, input.ndim());
  const int64_t size = input.sizes()[d];
  LB_CHECK(split_size > 0 || size == 0, Runtime,
           "split_size can only be 0 if dimension size is 0, but got dimension size of ", size);
  const int64_t count = split_size == 0 ? 1 : std::max<int64_t>(size / split_size + (size % split_size != 0), 1);
  check_pieces(count);
  Tensors pieces;
  pieces.reserve(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) {
    const int64_t start = i * split_size;
    pieces.push_back(narrow(input, d, start, std::min(split_size, size - start)));
  }
  return pieces;
}

Tensors split_with_sizes(const Tensor& input, const Dims& split_sizes, int64_t dim) {
  LB_CHECK(input.ndim() != 0, Runtime, "split expects at least a 1-dimensional tensor");
  const int d = wrap_dim(dim, input.ndim());
  const int64_t size = input.sizes()[d];
  int64_t total = 0;
  for (int64_t s : split_sizes) {
    LB_CHECK(s >= 0, Runtime,
             "split_with_sizes expects split_sizes have only non-negative entries, but got split_sizes=", split_sizes);
    total = checked_add(total, s);
  }
  LB_CHECK(total == size, Runtime, "split_with_sizes expects split_sizes to sum exactly to ", size,
           " (input tensor's size at dimension ", d, "), but got split_sizes=", split_sizes);
  Tensors pieces;
  int64_t start = 0;
  for (int64_t s : split_sizes) {
    pieces.push_back(narrow(input, d, start, s));
    start += s;
  }
  return pieces;
}

Tensors chunk(const Tensor& input, int64_t chunks, int64_t dim) {
  LB_CHECK(input.ndim() > 0, Runtime, "chunk expects at least a 1-dimensional tensor");
  LB_CHECK(chunks > 0, Runtime, "chunk expects `chunks` to be greater than 0, got: ", chunks);
  const int d = wrap_dim(dim, input.ndim());
  const int64_t size = input.sizes()[d];
  const int64_t piece = size / chunks + (size % chunks != 0);
  // Chunks of nothing are as many as were asked for.
  check_pieces(chunks);
  if (piece == 0) return split_with_sizes(input, Dims(static_cast<size_t>(chunks), 0), d);
  return split(input, piece, d);
}

// Chunks of nothing are a list of sizes 0.
const char* chunk_node(const OperatorNode& node) {
  const Dims& sizes = node.argument(0).dims;
  return sizes[wrap_dim(node.argument(2).integer, sizes.ndim())] == 0 ? "SplitWithSizesBackward0" : "SplitBackward0";
}

Tensors split_at(const Tensor& input, const Dims& indices, int64_t dim) {
  LB_CHECK(input.ndim() > 0, Runtime,
           "tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims");
  const int d = wrap_dim(dim, input.ndim());
  Tensors pieces;
  int64_t start = 0;
  for (int64_t end : indices) {
    pieces.push_back(slice(input, d, start, end, 1));
    start = end;
  }
  pieces.push_back(slice(input, d, start, input.sizes()[d], 1));
  return pieces;
}

Tensors split_evenly(const Tensor& input, int64_t sections, int64_t dim) {
  LB_CHECK(input.ndim() > 0, Runtime,
           "tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims");
  const int d = wrap_dim(dim, input.ndim());
  LB_CHECK(sections > 0, Runtime, "number of sections must be larger than 0, got ", sections);
  check_pieces(sections);
  const int64_t size = input.sizes()[d], least = size / sections, longer = size % sections;
  Tensors pieces;
  int64_t start = 0;
  for (int64_t i = 0; i < sections; ++i) {
    const int64_t length = least + (i < longer);
    pieces.push_back(narrow(input, d, start, length));
    start += length;
  }
  return pieces;
}

Tensors split_by_tensor(const Tensor& input, const Tensor& where, int64_t dim) {
  LB_CHECK(where.dtype() == DType::Int64, Runtime,
           "tensor_split expected tensor_indices_or_sections to have dtype of "
           "long, but got ",
           dtype_title(where.dtype()));
  LB_CHECK(where.ndim() <= 1, Runtime,
           "tensor_split expected tensor_indices_or_sections to be a zero-dimensional or "
           "one-dimensional tensor, but got a tensor with ",
           where.ndim(), " dims");
  if (where.ndim() == 0) return split_evenly(input, where.item().as_int(), dim);
  const Tensor positions = where.contiguous();
  return split_at(input, Dims(std::span(positions.as<int64_t>(), static_cast<size_t>(positions.count()))), dim);
}

// hsplit, vsplit, dsplit: the dimension and the least number of dimensions.
template <int kind>
int named_dim(const Tensor& input) {
  constexpr const char* names[] = {"hsplit", "vsplit", "dsplit"};
  constexpr int least[] = {1, 2, 3};
  LB_CHECK(input.ndim() >= least[kind], Runtime, "torch.", names[kind], " requires a tensor with at least ",
           least[kind], kind == 0 ? " dimension" : " dimension", kind == 0 ? "" : "s", ", but got a tensor with ",
           input.ndim(), " dimensions!");
  return kind == 0 ? (input.ndim() == 1 ? 0 : 1) : kind == 1 ? 0 : 2;
}
template <int kind>
Tensors named_split(const Tensor& input, int64_t sections) {
  constexpr const char* names[] = {"hsplit", "vsplit", "dsplit"};
  const int d = named_dim<kind>(input);
  LB_CHECK(sections != 0 && input.sizes()[d] % sections == 0, Runtime, "torch.", names[kind],
           " attempted to split along dimension ", d, ", but the size of the dimension ", input.sizes()[d],
           " is not divisible by the split_size ", sections, "!");
  return split_evenly(input, sections, d);
}
template <int kind>
Tensors named_split_at(const Tensor& input, const Dims& indices) {
  return split_at(input, indices, named_dim<kind>(input));
}

template <int kind>
void named_pieces(Backward& b) {
  pieces_slope(b, kind == 0 ? (b.ndim(0) == 1 ? 0 : 1) : kind == 1 ? 0 : 2);
}

Tensors copies(Tensors pieces) {
  for (Tensor& piece : pieces) piece = piece.clone(MemoryFormat::Contiguous);
  return pieces;
}
Tensors split_copy(const Tensor& input, int64_t split_size, int64_t dim) {
  return copies(split(input, split_size, dim));
}
Tensors split_sizes_copy(const Tensor& input, const Dims& sizes, int64_t dim) {
  return copies(split_with_sizes(input, sizes, dim));
}
Tensors unbind_copy(const Tensor& input, int64_t dim) { return copies(unbind(input, dim)); }

constexpr const char* kSplitDoc =
    R"(Views of consecutive pieces along a dimension: of one size, or of the sizes of a list.

>>> torch.arange(3).split(2)
(tensor([0, 1]), tensor([2])))";
LB_OPERATOR(.signature = "split(tensor, split_size_or_sections, dim=0)", .doc = kSplitDoc, .forward = forward_of<split>,
            .derivative = gradients("SplitBackward0", pieces_gradient<2>));
LB_OPERATOR(.signature = "split(tensor, split_size_or_sections, dim=0)", .doc = kSplitDoc,
            .forward = forward_of<split_with_sizes>,
            .derivative = gradients("SplitWithSizesBackward0", pieces_gradient<2>));
LB_OPERATOR(.signature = "split(tensor, split_size, dim=0)", .doc = kSplitDoc, .forward = forward_of<split>,
            .derivative = gradients("SplitBackward0", pieces_gradient<2>));
LB_OPERATOR(.signature = "split(tensor, split_size, dim=0)", .doc = kSplitDoc, .forward = forward_of<split_with_sizes>,
            .derivative = gradients("SplitWithSizesBackward0", pieces_gradient<2>));
LB_OPERATOR(.signature = "unsafe_split(tensor, split_size, dim=0)", .doc = kSplitDoc, .forward = forward_of<split>,
            .derivative = gradients("UnsafeSplitBackward0", pieces_gradient<2>));
LB_OPERATOR(.signature = "split_with_sizes(input, split_sizes, dim=0)", .doc = kSplitDoc,
            .forward = forward_of<split_with_sizes>,
            .derivative = gradients("SplitWithSizesBackward0", pieces_gradient<2>),
            .aliases = "unsafe_split_with_sizes");
LB_OPERATOR(.signature = "chunk(input, chunks, dim=0)",
            .doc = R"(Views of at most `chunks` pieces of equal size; the last may be shorter.

>>> torch.arange(3).chunk(2)
(tensor([0, 1]), tensor([2])))",
            .forward = forward_of<chunk>, .derivative = named_by(chunk_node, gradients(nullptr, pieces_gradient<2>)),
            .aliases = "unsafe_chunk");
constexpr const char* kTensorSplitDoc = R"(Views of nearly equal pieces, or of those between the given positions.

>>> torch.arange(3).tensor_split(2)
(tensor([0, 1]), tensor([2])))";
LB_OPERATOR(.signature = "tensor_split(input, sections, dim=0)", .doc = kTensorSplitDoc,
            .forward = forward_of<split_evenly>, .derivative = gradients("SliceBackward0", pieces_gradient<2>));
LB_OPERATOR(.signature = "tensor_split(input, indices, dim=0)", .doc = kTensorSplitDoc, .forward = forward_of<split_at>,
            .derivative = gradients("SliceBackward0", pieces_gradient<2>));
LB_OPERATOR(.signature = "tensor_split(input, tensor_indices_or_sections, dim=0)", .doc = kTensorSplitDoc,
            .forward = forward_of<split_by_tensor>, .derivative = gradients("SliceBackward0", pieces_gradient<2>),
            .decides = Decides::Elements);

#define LB_NAMED_SPLIT(name, kind)                                                                                   \
  constexpr const char* LB_JOIN(kDoc, name) = "tensor_split along the dimension that " #name                         \
                                              " names.\n\n"                                                          \
                                              ">>> torch.zeros(2, 2, 2)." #name "(2)[0].count_nonzero()\ntensor(0)"; \
  LB_OPERATOR(.signature = #name "(input, sections)", .doc = LB_JOIN(kDoc, name),                                    \
              .forward = forward_of<named_split<kind>>,                                                              \
              .derivative = gradients("SliceBackward0", named_pieces<kind>));
#define LB_NAMED_SPLIT_AT(name, kind)                                            \
  LB_OPERATOR(.signature = #name "(input, indices)", .doc = LB_JOIN(kDoc, name), \
              .forward = forward_of<named_split_at<kind>>,                       \
              .derivative = gradients("SliceBackward0", named_pieces<kind>))
LB_NAMED_SPLIT(hsplit, 0)
LB_NAMED_SPLIT_AT(hsplit, 0);
LB_NAMED_SPLIT(vsplit, 1)
LB_NAMED_SPLIT_AT(vsplit, 1);
LB_NAMED_SPLIT(dsplit, 2)
LB_NAMED_SPLIT_AT(dsplit, 2);

LB_OPERATOR(.signature = "unbind(input, dim=0)", .doc = R"(A view for each position of a dimension.

>>> torch.arange(2).unbind()
(tensor(0), tensor(1)))",
            .forward = forward_of<unbind>, .derivative = gradients("UnbindBackward0", unbind_gradient));
LB_OPERATOR(.signature = "unbind_copy(input, dim=0)", .doc = R"(As unbind, but copies.

>>> torch.unbind_copy(torch.arange(2))
(tensor(0), tensor(1)))",
            .forward = forward_of<unbind_copy>, .derivative = gradients("UnbindCopyBackward0", unbind_gradient),
            .forms = kFunction);
LB_OPERATOR(.signature = "split_copy(input, split_size, dim=0)", .doc = R"(As split, but copies.

>>> torch.split_copy(torch.arange(3), 2)
(tensor([0, 1]), tensor([2])))",
            .forward = forward_of<split_copy>, .derivative = gradients("SplitCopyBackward0", pieces_gradient<2>),
            .forms = kFunction);
LB_OPERATOR(.signature = "split_with_sizes_copy(input, split_sizes, dim=0)", .doc = R"(As split_with_sizes, but copies.

>>> torch.split_with_sizes_copy(torch.arange(3), (2, 1))
(tensor([0, 1]), tensor([2])))",
            .forward = forward_of<split_sizes_copy>,
            .derivative = gradients("SplitWithSizesCopyBackward0", pieces_gradient<2>), .forms = kFunction);

}  // namespace
}  // namespace lumbre::ops
