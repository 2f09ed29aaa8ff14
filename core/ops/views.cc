// The views that every program uses; slices, diagonals and windows are in reshaping.cc.
#include "ops/gradients.h"
#include "ops/views.h"

#include "ops/backward.h"

#include "tensor/plan.h"

namespace lumbre::ops {

Tensor with_geometry(const Tensor& input, const Dims& sizes, const Dims& strides) {
  return with_geometry(input, sizes, strides, input->offset);
}
Tensor with_geometry(const Tensor& input, const Dims& sizes, const Dims& strides, int64_t offset) {
  LB_CHECK(sizes.ndim() <= kMaxDims, Runtime, "tensor has too many (>", kMaxDims, ") dims");
  Tensor view = Tensor::over(input->storage, input.dtype(), sizes, strides, offset);
  autograd::note_view(view, input);
  return view;
}

Dims wrap_unique(const Dims& dims, int64_t ndim) {
  Dims wrapped = dims;
  for (auto& dim : wrapped) dim = wrap_dim(dim, ndim);
  for (size_t i = 0; i < wrapped.size(); ++i)
    for (size_t k = 0; k < i; ++k)
      LB_CHECK(wrapped[i] != wrapped[k], Runtime, "dim ", wrapped[i], " appears multiple times in the list of dims");
  return wrapped;
}

Tensor view(const Tensor& input, const Dims& size) {
  const Dims sizes = infer_sizes(size, input.count());
  std::optional<Dims> strides = view_strides(input.sizes(), input.strides(), sizes);
  LB_CHECK(strides, Runtime,
           "view size is not compatible with input tensor's size and stride (at least one dimension "
           "spans across two contiguous subspaces). Use .reshape(...) instead.");
  return with_geometry(input, sizes, *strides);
}

Tensor reshape(const Tensor& input, const Dims& shape) {
  const Dims sizes = infer_sizes(shape, input.count());
  if (std::optional<Dims> strides = view_strides(input.sizes(), input.strides(), sizes))
    return with_geometry(input, sizes, *strides);
  return with_geometry(input.clone(MemoryFormat::Contiguous), sizes, contiguous_strides(sizes), 0);
}

Tensor transpose(const Tensor& input, int64_t dim0, int64_t dim1) {
  const int a = wrap_dim(dim0, input.ndim()), b = wrap_dim(dim1, input.ndim());
  Dims sizes = input.sizes(), strides = input.strides();
  if (!sizes.empty()) {
    std::swap(sizes[a], sizes[b]);
    std::swap(strides[a], strides[b]);
  }
  return with_geometry(input, sizes, strides);
}

Tensor permute(const Tensor& input, const Dims& dims) {
  LB_CHECK(dims.ndim() == input.ndim(), Runtime,
           "permute(sparse_coo): number of dimensions in the tensor input does "
           "not match the length of the desired ordering of dimensions i.e. input.dim() = ",
           input.ndim(), " is not equal to len(dims) = ", dims.size());
  Dims sizes = dims, strides = dims;
  uint64_t seen = 0;
  for (size_t i = 0; i < dims.size(); ++i) {
    const int from = wrap_dim(dims[i], input.ndim());
    LB_CHECK(!(seen >> from & 1), Runtime, "permute(): duplicate dims are not allowed.");
    seen |= uint64_t{1} << from;
    sizes[i] = input.sizes()[from];
    strides[i] = input.strides()[from];
  }
  return with_geometry(input, sizes, strides);
}

namespace {
template <class Drop>
Tensor without_dims(const Tensor& input, Drop drop) {
  Dims sizes, strides;
  for (int d = 0; d < input.ndim(); ++d) {
    if (input.sizes()[d] == 1 && drop(d)) continue;
    sizes.push_back(input.sizes()[d]);
    strides.push_back(input.strides()[d]);
  }
  return with_geometry(input, sizes, strides);
}

Tensor squeeze_dim(const Tensor& input, int64_t dim) {
  const int wrapped = wrap_dim(dim, input.ndim());
  return without_dims(input, [&](int d) { return d == wrapped; });
}

}  // namespace

Tensor give_view(const Out& out, Tensor view) {
  if (!out.in_place()) return view;
  TensorData* target = out.target()->get();
  target->set_geometry(view->sizes, view->strides, view->offset);
  out.target()->bump_version();
  return *out.target();
}

namespace {
bool memory_meets(const Tensor& a, const Tensor& b) {
  if (!a.shares_storage(b) || a.count() == 0 || b.count() == 0) return false;
  return a.bytes() < b.bytes() + reach(b.sizes(), b.strides()) * static_cast<int64_t>(b.item_bytes()) &&
         b.bytes() < a.bytes() + reach(a.sizes(), a.strides()) * static_cast<int64_t>(a.item_bytes());
}
}  // namespace

Tensor give_apart(const Out& out, Tensor result, std::initializer_list<const Tensor*> inputs, bool same_dtype) {
  if (!out.target()) return result;
  const Tensor& target = *out.target();
  LB_CHECK(!same_dtype || target.dtype() == result.dtype(), Runtime, "Expected out tensor to have dtype ",
           dtype_name(result.dtype()), ", but got ", dtype_name(target.dtype()), " instead");
  check_no_internal_overlap(target);
  for (const Tensor* input : inputs)
    LB_CHECK(
        !target.same(*input) && !memory_meets(target, *input), Runtime,
        "unsupported operation: some elements of the "
        "input tensor and the written-to tensor refer to a single memory location. Please clone() the tensor before "
        "performing the operation.");
  return out.give(std::move(result));
}

Tensor squeeze_all(const Tensor& input) {
  return without_dims(input, [](int) { return true; });
}

Tensor squeeze(const Tensor& input, const Dims& dims) {
  const Dims wrapped = wrap_unique(dims, input.ndim());
  return without_dims(input, [&](int d) { return wrapped.contains(d); });
}

Tensor unsqueeze(const Tensor& input, int64_t dim) {
  const int at = wrap_dim(dim, input.ndim() + 1);
  Dims sizes = input.sizes(), strides = input.strides();
  const int64_t stride = at < input.ndim() ? checked_multiply(sizes[at], strides[at]) : 1;
  sizes.insert(static_cast<size_t>(at), 1);
  strides.insert(static_cast<size_t>(at), stride);
  return with_geometry(input, sizes, strides);
}

// The old name of a tensor's type; the kinds that came later have none.
static std::string type_title(DType dtype) {
  const bool old = dtype != DType::Bool && dtype != DType::BFloat16;
  return text(old ? "torch." : "CPU", dtype_title(dtype), old ? "Tensor" : "Type");
}

Tensor expand(const Tensor& input, const Dims& size) {
  const int have = input.ndim(), wanted = size.ndim();
  LB_CHECK(wanted >= have, Runtime, "expand(", type_title(input.dtype()), "{", input.sizes(), "}, size=", size,
           "): the number of sizes provided (", wanted,
           ") must be greater or equal to the number of dimensions in the tensor (", have, ")");
  Dims sizes = size, strides = size;
  for (int d = wanted - 1; d >= 0; --d) {
    const int from = d - (wanted - have);
    const int64_t old = from >= 0 ? input.sizes()[from] : 1;
    const int64_t stride = from >= 0 ? input.strides()[from] : d + 1 < wanted ? sizes[d + 1] * strides[d + 1] : 1;
    if (sizes[d] == -1) {
      LB_CHECK(from >= 0, Runtime, "The expanded size of the tensor (", sizes[d],
               ") isn't allowed in a leading, non-existing dimension ", d);
      sizes[d] = old;
    }
    LB_CHECK(sizes[d] >= 0, Runtime, "Trying to create tensor with negative dimension ", sizes[d], ": ", size);
    strides[d] = have == 0 ? 0 : stride;
    if (old == sizes[d]) continue;
    LB_CHECK(old == 1, Runtime, "The expanded size of the tensor (", sizes[d], ") must match the existing size (", old,
             ") at non-singleton dimension ", d, ".  Target sizes: ", size, ".  Tensor sizes: ", input.sizes());
    strides[d] = 0;
  }
  return with_geometry(input, sizes, strides);
}

Tensor flatten(const Tensor& input, int64_t start_dim, int64_t end_dim) {
  const int start = wrap_dim(start_dim, input.ndim()), end = wrap_dim(end_dim, input.ndim());
  LB_CHECK(start <= end, Runtime, "flatten() has invalid args: start_dim cannot come after end_dim");
  if (input.ndim() == 0) return reshape(input, {1});
  if (start == end) return input;
  Dims sizes;
  int64_t run = 1;
  for (int d = 0; d < input.ndim(); ++d) {
    if (d >= start && d <= end) run = checked_multiply(run, input.sizes()[d]);
    if (d < start || d > end)
      sizes.push_back(input.sizes()[d]);
    else if (d == end)
      sizes.push_back(run);
  }
  return reshape(input, sizes);
}

namespace {

Tensor view_dtype(const Tensor& input, DType dtype) {
  const auto from = static_cast<int64_t>(input.item_bytes()), to = static_cast<int64_t>(item_size(dtype));
  Dims sizes = input.sizes(), strides = input.strides();
  int64_t offset = input->offset;
  if (from != to) {
    LB_CHECK(input.ndim() > 0, Runtime, "self.dim() cannot be 0 to view ", dtype_title(input.dtype()), " as ",
             dtype_title(dtype), " (different element sizes)");
    LB_CHECK(strides.back() == 1, Runtime, "self.stride(-1) must be 1 to view ", dtype_title(input.dtype()), " as ",
             dtype_title(dtype), " (different element sizes), but got ", strides.back());
    const int last = input.ndim() - 1;
    if (from > to) {
      const int64_t ratio = from / to;
      sizes[last] = checked_multiply(sizes[last], ratio);
      for (int d = 0; d < last; ++d) strides[d] = checked_multiply(strides[d], ratio);
      offset *= ratio;
    } else {
      const int64_t ratio = to / from;
      LB_CHECK(sizes[last] % ratio == 0, Runtime, "self.size(-1) must be divisible by ", ratio, " to view ",
               dtype_title(input.dtype()), " as ", dtype_title(dtype), " (different element sizes), but got ",
               sizes[last]);
      LB_CHECK(offset % ratio == 0, Runtime, "self.storage_offset() must be divisible by ", ratio, " to view ",
               dtype_title(input.dtype()), " as ", dtype_title(dtype), " (different element sizes), but got ", offset);
      for (int d = 0; d < last; ++d) {
        LB_CHECK(strides[d] % ratio == 0, Runtime, "self.stride(", d, ") must be divisible by ", ratio, " to view ",
                 dtype_title(input.dtype()), " as ", dtype_title(dtype), " (different element sizes), but got ",
                 strides[d]);
        strides[d] /= ratio;
      }
      sizes[last] /= ratio;
      offset /= ratio;
    }
  }
  Tensor result = Tensor::over(input->storage, dtype, sizes, strides, offset);
  if (dtype == input.dtype()) autograd::note_view(result, input);
  return result;
}

Tensor t(const Tensor& input) {
  LB_CHECK(input.ndim() <= 2, Runtime, "t() expects a tensor with <= 2 dimensions, but self is ", input.ndim(), "D");
  return transpose(input, 0, input.ndim() < 2 ? 0 : 1);
}

Tensor give_squeeze_all(const Out& out, const Tensor& input) { return give_view(out, squeeze_all(input)); }
Tensor give_squeeze_dim(const Out& out, const Tensor& input, int64_t dim) {
  return give_view(out, squeeze_dim(input, dim));
}
Tensor give_squeeze(const Out& out, const Tensor& input, const Dims& dim) {
  return give_view(out, squeeze(input, dim));
}
Tensor give_unsqueeze(const Out& out, const Tensor& input, int64_t dim) {
  return give_view(out, unsqueeze(input, dim));
}
Tensor give_transpose(const Out& out, const Tensor& input, int64_t dim0, int64_t dim1) {
  return give_view(out, transpose(input, dim0, dim1));
}
Tensor give_t(const Out& out, const Tensor& input) { return give_view(out, t(input)); }

Tensor expand_record(const Tensor& input, const Dims& size, bool) { return expand(input, size); }
// Recorded as calls that know only the sizes of the other: whether that requires a gradient is of no account.
Tensor expand_as(const Tensor& input, const Tensor& other) { return op::expand(input, other.sizes()); }
Tensor view_as(const Tensor& input, const Tensor& other) { return op::call<"view">(input, other.sizes()); }
Tensor reshape_as(const Tensor& input, const Tensor& other) { return op::reshape(input, other.sizes()); }
Tensor ravel(const Tensor& input) { return view(input.contiguous(), {input.count()}); }
Tensor alias(const Tensor& input) { return with_geometry(input, input.sizes(), input.strides()); }

Tensor swap_last(const Tensor& input, const char* name) {
  LB_CHECK(input.ndim() != 1, Runtime, "tensor.", name,
           " is only supported on matrices or batches of matrices. Got 1-D "
           "tensor.");
  return input.ndim() == 0 ? alias(input) : transpose(input, -2, -1);
}
Tensor adjoint(const Tensor& input) {
  LB_CHECK(input.ndim() != 1, Runtime,
           "tensor.adjoint() is only supported on matrices or batches of matrices. Got 1-D "
           "tensor.");
  return swap_last(input, "adjoint()");
}

LB_OPERATOR(.signature = "view(input, dtype)",
            .doc = R"(The same memory read as another dtype; the last dimension grows or shrinks with the item size.

>>> torch.tensor([1.0]).view(torch.int32)
tensor([1065353216], dtype=torch.int32))",
            .forward = forward_of<view_dtype>, .derivative = kNotDifferentiable, .forms = kMethod);
LB_OPERATOR(.signature = "view(input, *size)",
            .doc = R"(A view with other sizes; one of them may be -1. RuntimeError when strides do not allow one.

>>> torch.arange(4).view(2, -1)
tensor([[0, 1],
        [2, 3]]))",
            .forward = forward_of<view>, .derivative = LB_GRADIENT("ViewBackward0", "", reshape(g, b.sizes(0))),
            .forms = kMethod);
LB_OPERATOR(.signature = "reshape(input, *shape)",
            .doc = R"(Other sizes: a view where strides allow, else a copy. One size may be -1.

>>> torch.arange(4).reshape(2, 2)
tensor([[0, 1],
        [2, 3]]))",
            .forward = forward_of<reshape>,
            .derivative = LB_GRADIENT("ViewBackward0~UnsafeViewBackward0", "", reshape(g, b.sizes(0))));
LB_OPERATOR(.signature = "view_as(input, other)", .doc = R"(A view with the sizes of other.

>>> torch.arange(4).view_as(torch.zeros(2, 2)).shape
torch.Size([2, 2]))",
            .forward = forward_of<view_as>, .derivative = kComposed, .forms = kMethod);
LB_OPERATOR(.signature = "reshape_as(input, other)", .doc = R"(reshape to the sizes of other.

>>> torch.arange(4).reshape_as(torch.zeros(2, 2)).shape
torch.Size([2, 2]))",
            .forward = forward_of<reshape_as>, .derivative = kComposed, .forms = kMethod);
LB_OPERATOR(.signature = "transpose(input, dim0, dim1)", .doc = R"(A view with two dimensions exchanged.

>>> torch.zeros(2, 3).transpose(0, 1).shape
torch.Size([3, 2]))",
            .forward = forward_of<give_transpose>,
            .derivative = LB_GRADIENT("TransposeBackward0/TransposeBackward1", "",
                                      transpose(g, b.integer(1), b.integer(2))),
            .forms = kEveryForm);
LB_OPERATOR(.signature = "swapdims(input, dim0, dim1)", .doc = R"(A view with two dimensions exchanged, as transpose.

>>> torch.zeros(2, 3).swapdims(0, 1).shape
torch.Size([3, 2]))",
            .forward = forward_of<give_transpose>,
            .derivative = LB_GRADIENT("TransposeBackward0/TransposeBackward1", "",
                                      transpose(g, b.integer(1), b.integer(2))),
            .forms = kEveryForm);
LB_OPERATOR(.signature = "swapaxes(input, axis0, axis1)", .doc = R"(A view with two dimensions exchanged, as transpose.

>>> torch.zeros(2, 3).swapaxes(0, 1).shape
torch.Size([3, 2]))",
            .forward = forward_of<give_transpose>,
            .derivative = LB_GRADIENT("TransposeBackward0/TransposeBackward1", "",
                                      transpose(g, b.integer(1), b.integer(2))),
            .forms = kEveryForm);
LB_OPERATOR(.signature = "t(input)",
            .doc = R"(The transpose of a matrix, as a view; tensors of fewer dimensions as they are.

>>> torch.zeros(2, 3).t().shape
torch.Size([3, 2]))",
            .forward = forward_of<give_t>, .derivative = LB_GRADIENT("TBackward0/TBackward1", "", call<"t">(g)),
            .forms = kEveryForm);
LB_OPERATOR(.signature = "adjoint(input)",
            .doc = R"(A view with the last two dimensions exchanged (and conjugated, which real numbers do not show).

>>> torch.zeros(4, 2, 3).adjoint().shape
torch.Size([4, 3, 2]))",
            .forward = forward_of<adjoint>, .derivative = LB_GRADIENT("TransposeBackward0", "", transpose(g, -2, -1)));
LB_OPERATOR(.signature = "permute(input, *dims)", .doc = R"(A view with the dimensions in another order.

>>> torch.zeros(2, 3, 5).permute(2, 0, 1).shape
torch.Size([5, 2, 3]))",
            .forward = forward_of<permute>,
            .derivative = LB_GRADIENT("PermuteBackward0", "", inverse_permute(g, b.dims(1))));
LB_OPERATOR(.signature = "squeeze(input)", .doc = R"(A view without the dimensions of size 1.

>>> torch.zeros(1, 2, 1).squeeze().shape
torch.Size([2]))",
            .forward = forward_of<give_squeeze_all>,
            .derivative = LB_GRADIENT("SqueezeBackward0/SqueezeBackward3", "", reshape(g, b.sizes(0))),
            .forms = kEveryForm);
LB_OPERATOR(.signature = "squeeze(input, dim)", .doc = R"(A view without one dimension, if its size is 1.

>>> torch.zeros(1, 2, 1).squeeze(0).shape
torch.Size([2, 1]))",
            .forward = forward_of<give_squeeze_dim>,
            .derivative = LB_GRADIENT("SqueezeBackward1/SqueezeBackward4", "", reshape(g, b.sizes(0))),
            .forms = kEveryForm);
LB_OPERATOR(.signature = "squeeze(input, dim)", .doc = R"(A view without the given dimensions of size 1.

>>> torch.zeros(1, 2, 1).squeeze((0, 2)).shape
torch.Size([2]))",
            .forward = forward_of<give_squeeze>,
            .derivative = LB_GRADIENT("SqueezeBackward2/SqueezeBackward5", "", reshape(g, b.sizes(0))),
            .forms = kEveryForm);
LB_OPERATOR(.signature = "unsqueeze(input, dim)", .doc = R"(A view with a new dimension of size 1.

>>> torch.zeros(2).unsqueeze(0).shape
torch.Size([1, 2]))",
            .forward = forward_of<give_unsqueeze>,
            .derivative = LB_GRADIENT("UnsqueezeBackward0/UnsqueezeBackward1", "", reshape(g, b.sizes(0))),
            .forms = kEveryForm);
LB_OPERATOR(.signature = "expand(input, *size, *, implicit=False)",
            .doc = R"(A view that repeats dimensions of size 1 without copying; -1 keeps a size.

>>> torch.zeros(1, 2).expand(3, -1).shape
torch.Size([3, 2]))",
            .forward = forward_of<expand_record>, .derivative = LB_GRADIENT("ExpandBackward0", "", g),
            .forms = kMethod);
LB_OPERATOR(.signature = "expand_as(input, other)", .doc = R"(expand to the sizes of other.

>>> torch.zeros(1, 2).expand_as(torch.zeros(3, 2)).shape
torch.Size([3, 2]))",
            .forward = forward_of<expand_as>, .derivative = kComposed, .forms = kMethod);
LB_OPERATOR(.signature = "broadcast_to(input, size)",
            .doc = R"(A view that repeats dimensions of size 1 without copying.

>>> torch.broadcast_to(torch.arange(2), (3, 2)).shape
torch.Size([3, 2]))",
            .forward = forward_of<expand>, .derivative = LB_GRADIENT("ExpandBackward0", "", g));
LB_OPERATOR(.signature = "flatten(input, start_dim=0, end_dim=-1)",
            .doc = R"(Joins dimensions start_dim to end_dim into one.

>>> torch.zeros(2, 3, 5).flatten(1).shape
torch.Size([2, 15]))",
            .forward = forward_of<flatten>,
            .derivative = LB_GRADIENT("ViewBackward0~UnsafeViewBackward0", "", reshape(g, b.sizes(0))));
LB_OPERATOR(.signature = "ravel(input)", .doc = R"(One dimension: a view where strides allow, else a copy.

>>> torch.zeros(2, 3).ravel().shape
torch.Size([6]))",
            .forward = forward_of<ravel>,
            .derivative = LB_GRADIENT("ViewBackward0~UnsafeViewBackward0", "", reshape(g, b.sizes(0))));
LB_OPERATOR(.signature = "_alias(input)", .doc = R"(Another tensor over the same memory.

>>> torch.ones(2).view(2)
tensor([1., 1.]))",
            .forward = forward_of<alias>, .derivative = LB_GRADIENT("AliasBackward0", "", g), .forms = kHidden);

}  // namespace
}  // namespace lumbre::ops
