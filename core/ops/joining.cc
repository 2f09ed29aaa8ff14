// Tensors put together: cat, stack and the names built on them; and taken apart again.
#include <cstring>

#include "ops/gradients.h"
#include "base/threads.h"
#include "kernels/index.h"
#include "ops/views.h"
#include "tensor/plan.h"

namespace lumbre::ops {
namespace {

using Tensors = std::vector<Tensor>;

// One-dimensional tensors without elements were once the only empty ones; they still join anything.
bool is_skipped(const Tensor& t) { return t.ndim() == 1 && t.sizes()[0] == 0; }

DType common_dtype(const Tensors& tensors) {
  DType dtype = tensors[0].dtype();
  bool same = true;
  for (const Tensor& t : tensors) same &= t.dtype() == dtype;
  if (same) return dtype;
  PromotionState state;
  for (const Tensor& t : tensors) state.add(t);
  return state.result();
}

struct Joint {
  Dims sizes;
  int dim = 0;
  bool all_contiguous = true;  // and of the result's dtype
  MemoryFormat format = MemoryFormat::Contiguous;
};

MemoryFormat common_format(const Tensors& tensors) {
  for (MemoryFormat format : {MemoryFormat::ChannelsLast, MemoryFormat::ChannelsLast3d}) {
    bool all = true;
    for (const Tensor& t : tensors) all &= !t.is_contiguous() && t.is_contiguous(format);
    if (all) return format;
  }
  return MemoryFormat::Contiguous;
}

Joint joint_of(const Tensors& tensors, int64_t dim, DType dtype) {
  LB_CHECK(!tensors.empty(), Value, "torch.cat(): expected a non-empty list of Tensors");
  Joint joint;
  const Tensor* first = nullptr;
  for (size_t i = 0; i < tensors.size(); ++i) {
    LB_CHECK(tensors[i].ndim() > 0, Runtime, "zero-dimensional tensor (at position ", i, ") cannot be concatenated");
    if (!first && !is_skipped(tensors[i])) first = &tensors[i];
  }
  if (!first) first = &tensors[0];
  joint.dim = wrap_dim(dim, first->ndim());
  joint.sizes = first->sizes();
  int64_t total = 0;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const Tensor& t = tensors[i];
    if (is_skipped(t)) continue;
    LB_CHECK(t.ndim() == first->ndim(), Runtime, "Tensors must have same number of dimensions: got ", first->ndim(),
             " and ", t.ndim());
    for (int d = 0; d < t.ndim(); ++d)
      LB_CHECK(d == joint.dim || t.sizes()[d] == joint.sizes[d], Runtime,
               "Sizes of tensors must match except in "
               "dimension ",
               joint.dim, ". Expected size ", joint.sizes[d], " but got size ", t.sizes()[d], " for tensor number ", i,
               " in the list.");
    total = checked_add(total, t.sizes()[joint.dim]);
    joint.all_contiguous &= t.is_contiguous() && t.dtype() == dtype;
  }
  joint.sizes[joint.dim] = total;
  if (!joint.all_contiguous) joint.format = common_format(tensors);
  return joint;
}

// Every piece gives `outer` runs of bytes, which follow each other in the result.
void join_runs(const Tensors& tensors, char* out, int64_t outer, int64_t row_bytes) {
  if (outer == 1 && row_bytes < kGrain * 8) {
    for (const Tensor& t : tensors) {
      const size_t bytes = static_cast<size_t>(t.count()) * t.item_bytes();
      if (bytes) std::memcpy(out, t.bytes(), bytes);
      out += bytes;
    }
    return;
  }
  int64_t at = 0;
  for (const Tensor& t : tensors) {
    if (t.count() == 0) continue;
    const int64_t run = t.count() / outer * static_cast<int64_t>(t.item_bytes());
    const char* in = t.bytes();
    char* target = out + at;
    if (outer == 1) {
      parallel_for(run, kGrain * 8, [=](int64_t begin, int64_t end) {
        std::memcpy(target + begin, in + begin, static_cast<size_t>(end - begin));
      });
    } else if (run == static_cast<int64_t>(t.item_bytes())) {
      const Loop copy = move_loops(t.item_bytes()).copy;
      parallel_for(outer, kGrain, [=](int64_t begin, int64_t end) {
        char* const data[2] = {target + begin * row_bytes, const_cast<char*>(in) + begin * run};
        const int64_t strides[2] = {row_bytes, run};
        copy(data, strides, end - begin, nullptr);
      });
    } else {
      const auto copy = [=](int64_t begin, int64_t end) {
        for (int64_t o = begin; o < end; ++o)
          std::memcpy(target + o * row_bytes, in + o * run, static_cast<size_t>(run));
      };
      const int64_t grain = std::max<int64_t>(1, kGrain * 4 / std::max<int64_t>(run, 1));
      if (outer <= grain)
        copy(0, outer);
      else
        parallel_for(outer, grain, copy);
    }
    at += run;
  }
}

}  // namespace

Tensor cat(const Tensors& tensors, int64_t dim) {
  LB_CHECK(!tensors.empty(), Value, "torch.cat(): expected a non-empty list of Tensors");
  const DType dtype = common_dtype(tensors);
  const Joint joint = joint_of(tensors, dim, dtype);
  if (joint.all_contiguous) {
    Tensor result = Tensor::empty(joint.sizes, dtype);
    int64_t outer = 1;
    for (int d = 0; d < joint.dim; ++d) outer *= joint.sizes[d];
    if (result.count() > 0)
      join_runs(tensors, result.bytes(), outer, result.count() / outer * static_cast<int64_t>(result.item_bytes()));
    return result;
  }
  Tensor result = Tensor::empty_strided(joint.sizes, strides_for(joint.sizes, joint.format), dtype);
  int64_t at = 0;
  for (const Tensor& t : tensors) {
    if (is_skipped(t)) continue;
    const int64_t size = t.sizes()[joint.dim];
    narrow(result, joint.dim, at, size).copy_from(t);
    at += size;
  }
  return result;
}

namespace {

Tensor cat_record(const Out& out, const Tensors& tensors, int64_t dim) {
  if (out.target())
    for (const Tensor& t : tensors)
      LB_CHECK(!out.target()->same(t) && (!out.target()->shares_storage(t) || t.count() == 0), Runtime,
               "unsupported operation: some elements of the "
               "input tensor and the written-to tensor refer to a single memory location. Please clone() the tensor "
               "before performing the operation.");
  return out.give(cat(tensors, dim));
}

Tensor stack(const Tensors& tensors, int64_t dim) {
  LB_CHECK(!tensors.empty(), Runtime, "stack expects a non-empty TensorList");
  const Dims& sizes = tensors[0].sizes();
  const int at = wrap_dim(dim, tensors[0].ndim() + 1);
  for (size_t i = 1; i < tensors.size(); ++i)
    LB_CHECK(tensors[i].sizes() == sizes, Runtime, "stack expects each tensor to be equal size, but got ", sizes,
             " at entry 0 and ", tensors[i].sizes(), " at entry ", i);
  if (at == tensors[0].ndim() || is_skipped(tensors[0])) {
    Tensors raised;
    raised.reserve(tensors.size());
    for (const Tensor& t : tensors) raised.push_back(unsqueeze(t, at));
    return cat(raised, at);
  }
  Dims result = sizes;
  result.insert(static_cast<size_t>(at), static_cast<int64_t>(tensors.size()));
  const Tensor joined = cat(tensors, at);
  if (!joined.is_contiguous()) return view(joined, result);
  joined->set_geometry(result, contiguous_strides(result), 0);
  return joined;
}

Tensor atleast(const Tensor& t, int ndim) {
  if (t.ndim() >= ndim) return t;
  if (t.ndim() == 0) return reshape(t, Dims(static_cast<size_t>(ndim), 1));
  if (ndim == 2) return unsqueeze(t, 0);
  return t.ndim() == 1 ? unsqueeze(unsqueeze(t, 0), -1) : unsqueeze(t, -1);
}
Tensors all_atleast(const Tensors& tensors, int ndim) {
  Tensors result;
  for (const Tensor& t : tensors) result.push_back(atleast(t, ndim));
  return result;
}

Tensor hstack(const Tensors& tensors) {
  LB_CHECK(!tensors.empty(), Runtime, "hstack expects a non-empty TensorList");
  const Tensors raised = all_atleast(tensors, 1);
  return cat(raised, raised[0].ndim() == 1 ? 0 : 1);
}
Tensor vstack(const Tensors& tensors) {
  LB_CHECK(!tensors.empty(), Runtime, "vstack expects a non-empty TensorList");
  return cat(all_atleast(tensors, 2), 0);
}
Tensor dstack(const Tensors& tensors) {
  LB_CHECK(!tensors.empty(), Runtime, "dstack expects a non-empty TensorList");
  return cat(all_atleast(tensors, 3), 2);
}
Tensor column_stack(const Tensors& tensors) {
  LB_CHECK(!tensors.empty(), Runtime, "column_stack expects a non-empty TensorList");
  Tensors columns;
  for (const Tensor& t : tensors) columns.push_back(t.ndim() <= 1 ? reshape(t, {t.count(), 1}) : t);
  return hstack(columns);
}

Tensor block_diag(const Tensors& tensors) {
  if (tensors.empty()) return Tensor::empty({1, 0}, default_dtype());
  int64_t rows = 0, columns = 0;
  Tensors blocks;
  for (size_t i = 0; i < tensors.size(); ++i) {
    LB_CHECK(tensors[i].ndim() <= 2, Runtime, "torch.block_diag: Input tensors must have 2 or fewer dimensions. Input ",
             i, " has ", tensors[i].ndim(), " dimensions");
    blocks.push_back(atleast(tensors[i], 2));
    rows = checked_add(rows, blocks[i].sizes()[0]);
    columns = checked_add(columns, blocks[i].sizes()[1]);
  }
  Tensor result = Tensor::zeros({rows, columns}, common_dtype(tensors));
  int64_t row = 0, column = 0;
  for (const Tensor& block : blocks) {
    narrow(narrow(result, 0, row, block.sizes()[0]), 1, column, block.sizes()[1]).copy_from(block);
    row += block.sizes()[0];
    column += block.sizes()[1];
  }
  return result;
}

LB_OPERATOR(.signature = "cat(tensors, dim=0, *, out=None)",
            .doc = R"(The tensors one after the other along a dimension; other sizes must agree.

>>> torch.cat((torch.zeros(1), torch.ones(2)))
tensor([0., 1., 1.]))",
            .forward = forward_of<cat_record>, .derivative = gradients("CatBackward0", cat_gradient),
            .forms = kFunction, .aliases = "concat concatenate");
LB_OPERATOR(.signature = "stack(tensors, dim=0, *, out=None)", .doc = R"(Tensors of equal sizes along a new dimension.

>>> torch.stack((torch.zeros(2), torch.ones(2)))
tensor([[0., 0.],
        [1., 1.]]))",
            .forward = forward_of<stack>, .derivative = gradients("StackBackward0", stack_gradient),
            .forms = kFunction);
LB_OPERATOR(.signature = "hstack(tensors, *, out=None)",
            .doc = R"(The tensors side by side: along dimension 1, or 0 for vectors.

>>> torch.hstack((torch.zeros(1), torch.ones(2)))
tensor([0., 1., 1.]))",
            .forward = forward_of<hstack>, .derivative = gradients("CatBackward0", joined_gradient),
            .forms = kFunction);
LB_OPERATOR(.signature = "vstack(tensors, *, out=None)", .doc = R"(The tensors below each other; vectors are rows.

>>> torch.vstack((torch.zeros(2), torch.ones(2)))
tensor([[0., 0.],
        [1., 1.]]))",
            .forward = forward_of<vstack>, .derivative = gradients("CatBackward0", joined_gradient), .forms = kFunction,
            .aliases = "row_stack");
LB_OPERATOR(.signature = "dstack(tensors, *, out=None)", .doc = R"(The tensors along the third dimension.

>>> torch.dstack((torch.zeros(2), torch.ones(2))).shape
torch.Size([1, 2, 2]))",
            .forward = forward_of<dstack>, .derivative = gradients("CatBackward0", joined_gradient),
            .forms = kFunction);
LB_OPERATOR(.signature = "column_stack(tensors, *, out=None)", .doc = R"(The tensors side by side; vectors are columns.

>>> torch.column_stack((torch.zeros(2), torch.ones(2)))
tensor([[0., 1.],
        [0., 1.]]))",
            .forward = forward_of<column_stack>, .derivative = gradients("CatBackward0", joined_gradient),
            .forms = kFunction);
LB_OPERATOR(.signature = "_block_diag(tensors)", .doc = R"(Matrices along the diagonal of a matrix of zeros.

>>> torch.block_diag(torch.ones(1, 1), torch.ones(1, 1))
tensor([[1., 0.],
        [0., 1.]]))",
            .forward = forward_of<block_diag>, .derivative = gradients("BlockDiagBackward0", block_diag_gradient),
            .forms = kFunction);

}  // namespace
}  // namespace lumbre::ops
