// Slices, diagonals, windows and pieces: views that keep part of a tensor.
#include "ops/gradients.h"
#include "ops/indexing.h"
#include "ops/views.h"

namespace lumbre::ops {

Tensor select(const Tensor& input, int64_t dim, int64_t index) {
  LB_CHECK(input.ndim() > 0, Index, "select() cannot be applied to a 0-dim tensor.");
  const int d = wrap_dim(dim, input.ndim());
  const int64_t size = input.sizes()[d];
  LB_CHECK(index >= -size && index < size, Index, "select(): index ", index, " out of range for tensor of size ",
           input.sizes(), " at dimension ", d);
  Dims sizes = input.sizes(), strides = input.strides();
  const int64_t offset = input->offset + (index < 0 ? index + size : index) * strides[d];
  sizes.erase(static_cast<size_t>(d));
  strides.erase(static_cast<size_t>(d));
  return with_geometry(input, sizes, strides, offset);
}

Tensor slice(const Tensor& input, int64_t dim, std::optional<int64_t> start, std::optional<int64_t> end, int64_t step) {
  LB_CHECK(input.ndim() > 0, Runtime, "slice() cannot be applied to a 0-dim tensor.");
  LB_CHECK(step > 0, Runtime, "slice step must be positive");
  const int d = wrap_dim(dim, input.ndim());
  const int64_t size = input.sizes()[d];
  const auto clamp = [size](int64_t i) { return std::clamp<int64_t>(i < 0 ? i + size : i, 0, size); };
  const int64_t first = clamp(start.value_or(0)), last = std::max(first, clamp(end.value_or(INT64_MAX)));
  Dims sizes = input.sizes(), strides = input.strides();
  const int64_t offset = input->offset + first * strides[d];
  sizes[d] = (last - first) / step + ((last - first) % step != 0);
  strides[d] = checked_multiply(strides[d], step);
  return with_geometry(input, sizes, strides, offset);
}

namespace {
// The dimension and the first position.
std::pair<int, int64_t> checked_narrow(const Tensor& input, int64_t dim, int64_t start, int64_t length) {
  LB_CHECK(input.ndim() > 0, Runtime, "narrow() cannot be applied to a 0-dim tensor.");
  LB_CHECK(length >= 0, Runtime, "narrow(): length must be non-negative.");
  const int d = wrap_dim(dim, input.ndim());
  const int64_t size = input.sizes()[d];
  LB_CHECK(start >= -size && start <= size, Index, "start out of range (expected to be in range of [", -size, ", ",
           size, "], but got ", start, ")");
  const int64_t first = start < 0 ? start + size : start;
  LB_CHECK(first <= size - length, Runtime, "start (", first, ") + length (", length, ") exceeds dimension size (",
           size, ").");
  return {d, first};
}
}  // namespace

Tensor narrow(const Tensor& input, int64_t dim, int64_t start, int64_t length) {
  const auto [d, first] = checked_narrow(input, dim, start, length);
  return slice(input, d, first, first + length, 1);
}

Tensor diagonal(const Tensor& input, int64_t offset, int64_t dim1, int64_t dim2) {
  const int a = wrap_dim(dim1, input.ndim()), b = wrap_dim(dim2, input.ndim());
  LB_CHECK(a != b, Runtime, "diagonal dimensions cannot be identical ", dim1, ", ", dim2);
  Dims sizes = input.sizes(), strides = input.strides();
  int64_t start = input->offset;
  const int64_t rows = sizes[a], columns = sizes[b];
  const int64_t length = offset >= 0 ? std::max<int64_t>(std::min(rows, offset > columns ? 0 : columns - offset), 0)
                                     : std::max<int64_t>(std::min(offset < -rows ? 0 : rows + offset, columns), 0);
  if (length > 0) start += offset >= 0 ? offset * strides[b] : -offset * strides[a];
  const int64_t stride = checked_add(strides[a], strides[b]);
  sizes.erase(static_cast<size_t>(std::max(a, b)));
  sizes.erase(static_cast<size_t>(std::min(a, b)));
  strides.erase(static_cast<size_t>(std::max(a, b)));
  strides.erase(static_cast<size_t>(std::min(a, b)));
  sizes.push_back(length);
  strides.push_back(stride);
  return with_geometry(input, sizes, strides, start);
}

Tensor movedim(const Tensor& input, const Dims& source, const Dims& destination) {
  LB_CHECK(source.size() == destination.size(), Runtime, "movedim: Invalid source or destination dims: source (",
           source, " dims) should contain the same number of dims as destination (", destination, " dims)");
  const int n = input.ndim();
  Dims from = source, to = destination;
  for (auto& d : from) d = wrap_dim(d, n);
  for (auto& d : to) d = wrap_dim(d, n);
  const auto unique = [](Dims dims) {
    std::sort(dims.begin(), dims.end());
    return std::adjacent_find(dims.begin(), dims.end()) == dims.end();
  };
  LB_CHECK(unique(from), Runtime, "movedim: repeated dim in `source` (", source, ")");
  LB_CHECK(unique(to), Runtime, "movedim: repeated dim in `destination` (", destination, ")");
  if (n == 0) return with_geometry(input, {}, {});
  Dims order(static_cast<size_t>(n), -1);
  for (size_t i = 0; i < from.size(); ++i) order[to[i]] = from[i];
  int next = 0;
  for (auto& place : order) {
    if (place >= 0) continue;
    while (from.contains(next)) ++next;
    place = next++;
  }
  return permute(input, order);
}

namespace {

// The arguments are looked at before the history of what they are applied to.
Tensor narrow_recorded(const Tensor& input, int64_t dim, int64_t start, int64_t length) {
  if (!autograd::grad_enabled()) return narrow(input, dim, start, length);
  const auto [d, first] = checked_narrow(input, dim, start, length);
  return op::call<"_slice">(input, static_cast<int64_t>(d), first, first + length, int64_t{1});
}
Tensor narrow_tensor(const Tensor& input, int64_t dim, const Tensor& start, int64_t length) {
  LB_CHECK(start.ndim() == 0 && is_integral(start.dtype(), false), Runtime, "start must be an 0-dim integral Tensor.");
  return narrow(input, dim, start.item().as_int(), length);
}

const char* movedim_node(const OperatorNode& node) {
  return node.argument(0).dims.empty() ? "AliasBackward0" : "PermuteBackward0";
}

Tensor movedim_record(const Tensor& input, const Dims& source, const Dims& destination) {
  return movedim(input, source, destination);
}

Tensor as_strided(const Tensor& input, const Dims& size, const Dims& stride, std::optional<int64_t> storage_offset) {
  LB_CHECK(size.size() == stride.size(), Runtime, "mismatch in length of strides and shape");
  for (int64_t step : stride)
    LB_CHECK(step >= 0, Runtime, "as_strided: Negative strides are not supported at the moment, got strides: ", stride);
  for (int64_t s : size) LB_CHECK(s >= 0, Runtime, "Trying to create tensor with negative dimension ", s, ": ", size);
  const int64_t offset = storage_offset.value_or(input->offset);
  LB_CHECK(offset >= 0, Runtime, "Tensor: invalid storage offset ", offset);
  LB_CHECK(size.ndim() <= kMaxDims, Runtime, "tensor has too many (>", kMaxDims, ") dims");
  const Tensor view = input.view_as_strided(size, stride, offset);
  autograd::note_view(view, input);
  return view;
}
Tensor give_as_strided(const Out& out, const Tensor& input, const Dims& size, const Dims& stride,
                       std::optional<int64_t> storage_offset) {
  return give_view(out, as_strided(input, size, stride, storage_offset));
}

Tensor unfold(const Tensor& input, int64_t dimension, int64_t size, int64_t step) {
  const int d = wrap_dim(dimension, input.ndim());
  const int64_t have = input.ndim() == 0 ? 1 : input.sizes()[d];
  LB_CHECK(size >= 0, Runtime, "size is ", size, " but must be >= 0");
  LB_CHECK(size <= have, Runtime, "maximum size for tensor at dimension ", d, " is ", have, " but size is ", size);
  LB_CHECK(step > 0, Runtime, "step is ", step, " but must be > 0");
  Dims sizes = input.sizes(), strides = input.strides();
  sizes.push_back(size);
  strides.push_back(input.ndim() == 0 ? 1 : strides[d]);
  if (input.ndim() > 0) {
    sizes[d] = (have - size) / step + 1;
    strides[d] = checked_multiply(strides[d], step);
  }
  return with_geometry(input, sizes, strides);
}

Tensor unflatten(const Tensor& input, int64_t dim, const Dims& sizes) {
  const int d = wrap_dim(dim, input.ndim());
  LB_CHECK(!sizes.empty(), Runtime, "unflatten: sizes must be non-empty");
  LB_CHECK(input.ndim() > 0, Runtime, "unflatten: a 0-dim tensor has no dimension to unflatten");
  const int64_t have = input.sizes()[d];
  int64_t known = 1, unknown = 0;
  for (int64_t size : sizes) {
    if (size == -1)
      ++unknown;
    else
      known = checked_multiply(known, size);
  }
  LB_CHECK(unknown <= 1, Runtime, "only one dimension can be inferred");
  LB_CHECK(unknown ? known > 0 && have % known == 0 : known == have, Runtime, "unflatten: Provided sizes ", sizes,
           " don't multiply up to the size of dim ", d, " (", have, ") in the input tensor");
  Dims result;
  for (int i = 0; i < input.ndim(); ++i) {
    if (i != d)
      result.push_back(input.sizes()[i]);
    else
      for (int64_t size : sizes) result.push_back(size == -1 ? have / known : size);
  }
  return view(input, result);
}

// --- a copy with one of its views overwritten -----------------------------------------------------------------------

// A copy with the input's geometry over a copy of all its memory: what is written by position in memory falls where it
// would in the input.
Tensor clone_strided(const Tensor& input) {
  if (is_expanded(input)) return input.clone(MemoryFormat::Contiguous);
  const auto items = static_cast<int64_t>(input->storage->bytes() / input.item_bytes());
  const Tensor memory = Tensor::over(input->storage, input.dtype(), {items}, {1}, 0).clone(MemoryFormat::Contiguous);
  return Tensor::over(memory->storage, input.dtype(), input.sizes(), input.strides(), input->offset);
}

void write_view(const Tensor& view, const Tensor& src) {
  LB_CHECK(view.sizes() == src.sizes(), Runtime,
           "expected src to have a size equal to the slice of self. src size = ", src.sizes(),
           ", slice size = ", view.sizes());
  view.copy_from(src);
}

Tensor select_scatter(const Tensor& input, const Tensor& src, int64_t dim, int64_t index) {
  Tensor result = clone_strided(input);
  write_view(select(result, dim, index), src);
  return result;
}
Tensor slice_scatter(const Tensor& input, const Tensor& src, int64_t dim, std::optional<int64_t> start,
                     std::optional<int64_t> end, int64_t step) {
  Tensor result = clone_strided(input);
  const Tensor view = slice(result, dim, start, end, step);
  write_view(view, expand(src, view.sizes()));
  return result;
}
Tensor diagonal_scatter(const Tensor& input, const Tensor& src, int64_t offset, int64_t dim1, int64_t dim2) {
  Tensor result = clone_strided(input);
  write_view(diagonal(result, offset, dim1, dim2), src);
  return result;
}
Tensor as_strided_scatter(const Tensor& input, const Tensor& src, const Dims& size, const Dims& stride,
                          std::optional<int64_t> storage_offset) {
  Tensor result = clone_strided(input);
  write_view(as_strided(result, size, stride, storage_offset), src);
  return result;
}

LB_OPERATOR(.signature = "narrow(input, dim, start, length)",
            .doc = R"(A view of length positions of a dimension, from start on.

>>> torch.arange(4).narrow(0, 1, 2)
tensor([1, 2]))",
            .forward = forward_of<narrow_recorded>, .derivative = kComposed);
LB_OPERATOR(.signature = "narrow(input, dim, start, length)", .doc = R"(narrow with its start in a 0-d tensor.

>>> torch.arange(4).narrow(0, torch.tensor(1), 2)
tensor([1, 2]))",
            .forward = forward_of<narrow_tensor>,
            .derivative = LB_GRADIENT("SliceBackward0", "0:2",
                                      placed_slice(g, b.sizes(0), b.integer(1), b.input(2).item().as_int(),
                                                   b.integer(3))));
LB_OPERATOR(.signature = "select(input, dim, index)", .doc = R"(A view of one position of a dimension.

>>> torch.arange(4).select(0, 2)
tensor(2))",
            .forward = forward_of<select>,
            .derivative = LB_GRADIENT("SelectBackward0", "",
                                      call<"select_scatter">(zeros(b.sizes(0), g.dtype()), g, b.integer(1),
                                                             b.integer(2))));
LB_OPERATOR(.signature = "_slice(input, dim=0, start=None, end=None, step=1)",
            .doc = R"(A view of every step-th position of a dimension from start to before end.

>>> torch.arange(4)[1:3]
tensor([1, 2]))",
            .forward = forward_of<slice>,
            .derivative = LB_GRADIENT("SliceBackward0", "",
                                      call<"slice_scatter">(zeros(b.sizes(0), g.dtype()), g, b.integer(1), b.maybe(2),
                                                            b.maybe(3), b.integer(4))),
            .forms = kHidden);
LB_OPERATOR(.signature = "diagonal(input, offset=0, dim1=0, dim2=1)",
            .doc = R"(A view of the diagonal of two dimensions, which becomes the last one.

>>> torch.arange(4).reshape(2, 2).diagonal()
tensor([0, 3]))",
            .forward = forward_of<diagonal>,
            .derivative = LB_GRADIENT("DiagonalBackward0", "",
                                      call<"diagonal_scatter">(zeros(b.sizes(0), g.dtype()), g, b.integer(1),
                                                               b.integer(2), b.integer(3))));
LB_OPERATOR(.signature = "movedim(input, source, destination)", .doc = R"(A view with dimensions moved to other places.

>>> torch.zeros(2, 3, 5).movedim(0, 2).shape
torch.Size([3, 5, 2]))",
            .forward = forward_of<movedim_record>,
            .derivative = named_by(movedim_node, LB_GRADIENT(nullptr, "", call<"movedim">(g, b.dims(2), b.dims(1)))),
            .aliases = "moveaxis");
LB_OPERATOR(.signature = "as_strided(input, size, stride, storage_offset=None)",
            .doc =
                R"(A view of the tensor's memory with the given geometry. RuntimeError when it would leave the memory.

>>> torch.arange(4).as_strided((2, 2), (1, 1))
tensor([[0, 1],
        [1, 2]]))",
            .forward = forward_of<give_as_strided>,
            .derivative = with_geometry_only(LB_GRADIENT("AsStridedBackward0/AsStridedBackward1", "0:0",
                                                         as_strided_gradient(g, b))),
            .forms = kEveryForm | kInPlaceFunction);
LB_OPERATOR(.signature = "unfold(input, dimension, size, step)",
            .doc = R"(A view of all windows of a size along a dimension; the window is the last dimension.

>>> torch.arange(4).unfold(0, 2, 1)
tensor([[0, 1],
        [1, 2],
        [2, 3]]))",
            .forward = forward_of<unfold>, .derivative = LB_GRADIENT("UnfoldBackward0", "", unfold_gradient(g, b)),
            .forms = kMethod);
LB_OPERATOR(.signature = "unflatten(input, dim, sizes)", .doc = R"(A view with one dimension split into several.

>>> torch.zeros(6).unflatten(0, (2, -1)).shape
torch.Size([2, 3]))",
            .forward = forward_of<unflatten>, .derivative = LB_GRADIENT("ViewBackward0", "", reshape(g, b.sizes(0))));
LB_OPERATOR(.signature = "select_scatter(input, src, dim, index)",
            .doc = R"(A copy of the input with one position of a dimension replaced.

>>> torch.zeros(2, 2).select_scatter(torch.ones(2), 0, 0)
tensor([[1., 1.],
        [0., 0.]]))",
            .forward = forward_of<select_scatter>,
            .derivative = LB_GRADIENTS("SelectScatterBackward0", "",
                                       call<"select_scatter">(g, zeros(b.sizes(1), g.dtype()), b.integer(2),
                                                              b.integer(3)),
                                       call<"select">(g, b.integer(2), b.integer(3))));
LB_OPERATOR(.signature = "slice_scatter(input, src, dim=0, start=None, end=None, step=1, *, out=None)",
            .doc = R"(A copy of the input with a slice replaced.

>>> torch.zeros(3).slice_scatter(torch.ones(2), 0, 1)
tensor([0., 1., 1.]))",
            .forward = forward_of<slice_scatter>,
            .derivative = LB_GRADIENTS("SliceScatterBackward0", "",
                                       call<"slice_scatter">(g, zeros(b.sizes(1), g.dtype()), b.integer(2), b.maybe(3),
                                                             b.maybe(4), b.integer(5)),
                                       call<"_slice">(g, b.integer(2), b.maybe(3), b.maybe(4), b.integer(5))));
LB_OPERATOR(.signature = "diagonal_scatter(input, src, offset=0, dim1=0, dim2=1)",
            .doc = R"(A copy of the input with a diagonal replaced.

>>> torch.zeros(2, 2).diagonal_scatter(torch.ones(2))
tensor([[1., 0.],
        [0., 1.]]))",
            .forward = forward_of<diagonal_scatter>,
            .derivative = LB_GRADIENTS("DiagonalScatterBackward0", "",
                                       call<"diagonal_scatter">(g, zeros(b.sizes(1), g.dtype()), b.integer(2),
                                                                b.integer(3), b.integer(4)),
                                       call<"diagonal">(g, b.integer(2), b.integer(3), b.integer(4))));
LB_OPERATOR(.signature = "as_strided_scatter(input, src, size, stride, storage_offset=None)",
            .doc = R"(A copy of the input with the view as_strided(size, stride) replaced.

>>> torch.zeros(3).as_strided_scatter(torch.ones(2), (2,), (2,))
tensor([1., 0., 1.]))",
            .forward = forward_of<as_strided_scatter>,
            .derivative = with_geometry_only(gradients("AsStridedScatterBackward0", as_strided_scatter_gradient,
                                                       "0:0 1:0")));

// --- views, copied --------------------------------------------------------------------------------------------------

Tensor t_copy(const Tensor& input) {
  LB_CHECK(input.ndim() <= 2, Runtime, "t() expects a tensor with <= 2 dimensions, but self is ", input.ndim(), "D");
  return transpose(input, 0, input.ndim() < 2 ? 0 : 1).clone(MemoryFormat::Contiguous);
}
Tensor alias_copy(const Tensor& input) { return input.clone(MemoryFormat::Contiguous); }
Tensor expand_copy(const Tensor& input, const Dims& size, bool) {
  return expand(input, size).clone(MemoryFormat::Contiguous);
}

#define LB_VIEW_COPY(text, what, function, slope)                                                               \
  LB_OPERATOR(.signature = text,                                                                                \
              .doc = "As " what ", but a row-major copy.\n\n>>> torch." what "_copy.__name__\n'" what "_copy'", \
              .forward = forward_of<function>, .derivative = slope, .forms = kFunction)
LB_VIEW_COPY("alias_copy(input, *, out=None)", "alias", alias_copy, LB_GRADIENT("AliasBackward0_copy", "", g));
LB_VIEW_COPY("detach_copy(input, *, out=None)", "detach", alias_copy, kNotDifferentiable);
LB_VIEW_COPY("t_copy(input, *, out=None)", "t", t_copy, LB_GRADIENT("TBackward0_copy", "", call<"t">(g)));
LB_VIEW_COPY("expand_copy(input, size, *, implicit=False, out=None)", "expand", expand_copy,
             LB_GRADIENT("ExpandBackward0_copy", "", g));
LB_VIEW_COPY("view_copy(input, size, *, out=None)", "view", Copied<reshape>::call,
             LB_GRADIENT("ViewBackward0_copy", "", reshape(g, b.sizes(0))));
LB_VIEW_COPY("transpose_copy(input, dim0, dim1, *, out=None)", "transpose", (Copied<transpose>::call),
             LB_GRADIENT("TransposeBackward0_copy", "", transpose(g, b.integer(1), b.integer(2))));
LB_VIEW_COPY("permute_copy(input, dims, *, out=None)", "permute", Copied<permute>::call,
             LB_GRADIENT("PermuteBackward0_copy", "", inverse_permute(g, b.dims(1))));
LB_VIEW_COPY("squeeze_copy(input, *, out=None)", "squeeze", Copied<squeeze_all>::call,
             LB_GRADIENT("SqueezeBackward0_copy", "", reshape(g, b.sizes(0))));
LB_VIEW_COPY("squeeze_copy(input, dim, *, out=None)", "squeeze", Copied<squeeze>::call,
             LB_GRADIENT("SqueezeBackward0_copy", "", reshape(g, b.sizes(0))));
LB_VIEW_COPY("unsqueeze_copy(input, dim, *, out=None)", "unsqueeze", Copied<unsqueeze>::call,
             LB_GRADIENT("UnsqueezeBackward0_copy", "", reshape(g, b.sizes(0))));
LB_VIEW_COPY("select_copy(input, dim, index, *, out=None)", "select", Copied<select>::call,
             LB_GRADIENT("SelectBackward0_copy", "",
                         call<"select_scatter">(zeros(b.sizes(0), g.dtype()), g, b.integer(1), b.integer(2))));
LB_VIEW_COPY("slice_copy(input, dim=0, start=None, end=None, step=1, *, out=None)", "slice", Copied<slice>::call,
             LB_GRADIENT("SliceBackward0_copy", "",
                         call<"slice_scatter">(zeros(b.sizes(0), g.dtype()), g, b.integer(1), b.maybe(2), b.maybe(3),
                                               b.integer(4))));
LB_VIEW_COPY("diagonal_copy(input, offset=0, dim1=0, dim2=1, *, out=None)", "diagonal", Copied<diagonal>::call,
             LB_GRADIENT("DiagonalBackward0_copy", "",
                         call<"diagonal_scatter">(zeros(b.sizes(0), g.dtype()), g, b.integer(1), b.integer(2),
                                                  b.integer(3))));
LB_VIEW_COPY("as_strided_copy(input, size, stride, storage_offset=None, *, out=None)", "as_strided",
             Copied<as_strided>::call,
             with_geometry_only(LB_GRADIENT("AsStridedBackward0_copy", "0:0", as_strided_gradient(g, b))));
LB_VIEW_COPY("unfold_copy(input, dimension, size, step, *, out=None)", "unfold", Copied<unfold>::call,
             LB_GRADIENT("UnfoldBackward0_copy", "", unfold_gradient(g, b)));
Tensor narrow_copy(const Tensor& input, int64_t dim, int64_t start, int64_t length) {
  LB_CHECK(input.ndim() > 0, Runtime, "narrow() cannot be applied to a 0-dim tensor.");
  LB_CHECK(dim < input.ndim(), Runtime,
           "Expected dim < static_cast<int64_t>(self_sizes.size()) to be true, but got false.");
  const int64_t size = input.size(dim);
  LB_CHECK(start >= -size && start <= size, Index, "start out of range (expected to be in range of [", -size, ", ",
           size, "], but got ", start, ")");
  const int64_t first = start < 0 ? start + size : start;
  LB_CHECK(length >= 0 && first <= size - length, Runtime, "start (", first, ") + length (", length,
           ") exceeds dimension size (", size, ").");
  return narrow(input, dim, start, length).clone(MemoryFormat::Contiguous);
}
LB_OPERATOR(.signature = "narrow_copy(input, dim, start, length, *, out=None)",
            .doc = R"(As narrow, but a row-major copy.

>>> torch.narrow_copy(torch.arange(4), 0, 1, 2)
tensor([1, 2]))",
            .forward = forward_of<narrow_copy>,
            .derivative = LB_GRADIENT("NarrowCopyBackward0", "",
                                      placed_slice(g, b.sizes(0), b.integer(1), b.integer(2), b.integer(3))));

}  // namespace
}  // namespace lumbre::ops
