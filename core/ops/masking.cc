// Boolean masks: the positions they choose, and reading and writing through them.
#include <bit>
#include <cstring>

#include "base/threads.h"
#include "base/warning.h"
#include "kernels/index.h"
#include "ops/backward.h"
#include "ops/gradients.h"
#include "ops/indexing.h"
#include "ops/views.h"

namespace lumbre::ops {

namespace {

// One byte per element, not zero where the element is not. Views of other dtypes may hold any byte.
Tensor truth(const Tensor& input) { return input.to(DType::Bool).contiguous(); }

int64_t count_true(const uint8_t* bytes, int64_t size) {
  constexpr uint64_t kLow = 0x7f7f7f7f7f7f7f7f;
  int64_t count = 0, i = 0;
  for (; i + 8 <= size; i += 8) {
    uint64_t word;
    std::memcpy(&word, bytes + i, 8);
    // The high bit of each byte that is not zero.
    count += std::popcount((((word & kLow) + kLow) | word) & ~kLow);
  }
  for (; i < size; ++i) count += bytes[i] != 0;
  return count;
}
int64_t count_true(const Tensor& mask) { return count_true(mask.as<uint8_t>(), mask.count()); }

// The number of true elements before each part of kGrain elements, and of all at the end.
std::vector<int64_t> starts_of(const Tensor& mask) {
  const uint8_t* bytes = mask.as<uint8_t>();
  const int64_t size = mask.count(), parts = (size + kGrain - 1) / kGrain;
  std::vector<int64_t> starts(static_cast<size_t>(parts + 1));
  parallel_for(parts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p)
      starts[static_cast<size_t>(p + 1)] = count_true(bytes + p * kGrain, std::min(kGrain, size - p * kGrain));
  });
  for (size_t p = 1; p < starts.size(); ++p) starts[p] += starts[p - 1];
  return starts;
}

// Calls body(first element, one past the last, how many true ones are before, how many up to its end) for each part.
template <class Body>
void each_part(const std::vector<int64_t>& starts, int64_t size, Body body) {
  const LongWork released(size >= kLongWork);
  parallel_for(static_cast<int64_t>(starts.size()) - 1, 1, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p)
      body(p * kGrain, std::min(size, (p + 1) * kGrain), starts[static_cast<size_t>(p)],
           starts[static_cast<size_t>(p + 1)]);
  });
}

// Calls f(flat position) for each true element in row-major order.
template <class F>
void each_true(const uint8_t* bytes, int64_t count, F f) {
  int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    uint64_t word;
    std::memcpy(&word, bytes + i, 8);
    if (word == 0) continue;
    for (int64_t k = i; k < i + 8; ++k)
      if (bytes[k]) f(k);
  }
  for (; i < count; ++i)
    if (bytes[i]) f(i);
}
template <class F>
void each_true(const Tensor& mask, F f) {
  each_true(mask.as<uint8_t>(), mask.count(), f);
}

}  // namespace

Tensor nonzero(const Tensor& input) {
  const Tensor mask = truth(input);
  const std::vector<int64_t> starts = starts_of(mask);
  const int64_t count = starts.back();
  const int ndim = input.ndim();
  // A row of positions per dimension, seen transposed: as PyTorch lays it out, and as indexing reads it.
  Tensor result = with_geometry(Tensor::empty({ndim, count}, DType::Int64), {count, ndim}, {1, count});
  if (ndim == 0 || count == 0) return result;
  int64_t* const out = result.as<int64_t>();
  const Dims& sizes = input.sizes();
  const int64_t columns = sizes[ndim - 1];
  const uint8_t* const bytes = mask.as<uint8_t>();
  each_part(starts, mask.count(), [=, &sizes](int64_t from, int64_t to, int64_t at, int64_t end) {
    // Along a row every position is written, and the next one over it where that was not true: no branch depends on
    // the elements but the one that leaves when all have been found.
    int64_t* const last = out + (ndim - 1) * count;
    while (from < to && at < end) {
      const int64_t row = from / columns, before = at, stop = std::min(to, (row + 1) * columns);
      for (; from < stop && at < end; ++from) {
        last[at] = from - row * columns;
        at += bytes[from] != 0;
      }
      from = stop;
      int64_t rest = row;
      for (int d = ndim - 2; d >= 0; rest /= sizes[d--])
        std::fill(out + d * count + before, out + d * count + at, rest % sizes[d]);
    }
  });
  return result;
}

std::vector<Tensor> nonzero_columns(const Tensor& input) {
  const Tensor positions = nonzero(input);
  std::vector<Tensor> columns;
  if (input.ndim() == 0) {
    const Tensor flat = nonzero(reshape(input, {1}));
    columns.push_back(select(flat, 1, 0));
    return columns;
  }
  for (int d = 0; d < input.ndim(); ++d) columns.push_back(select(positions, 1, d));
  return columns;
}

Tensor masked_select(const Tensor& input, const Tensor& mask) {
  LB_CHECK(mask.dtype() == DType::Bool, Runtime, "masked_select: expected BoolTensor for mask");
  const Dims sizes = input.sizes() == mask.sizes() ? input.sizes() : broadcast_sizes(input.sizes(), mask.sizes());
  const Tensor chosen = expand(mask, sizes).contiguous(), source = expand(input, sizes).contiguous();
  const std::vector<int64_t> starts = starts_of(chosen);
  Tensor result = Tensor::empty({starts.back()}, input.dtype());
  const uint8_t* const bytes = chosen.as<uint8_t>();
  visit_width(input.item_bytes(), [&]<class W>(W) {
    const W* const in = source.as<W>();
    W* const out = result.as<W>();
    each_part(starts, chosen.count(), [=](int64_t from, int64_t to, int64_t at, int64_t end) {
      for (; from < to && at < end; ++from) {
        out[at] = in[from];
        at += bytes[from] != 0;
      }
    });
  });
  return result;
}

bool is_expanded(const Tensor& t) {
  for (int d = 0; d < t.ndim(); ++d)
    if (t.strides()[d] == 0 && t.sizes()[d] > 1) return true;
  return false;
}

// The elements of an expanded tensor that are elements of memory, and whether a mask chooses any of what each stands
// for.
void masked_fill_expanded(const Tensor& target, const Tensor& mask, Scalar value) {
  warn(
      "Use of masked_fill_ on expanded tensors is deprecated. Please clone() the tensor before performing this "
      "operation. This also applies to advanced indexing e.g. tensor[mask] = scalar");
  Dims sizes = target.sizes(), repeated;
  for (int d = 0; d < target.ndim(); ++d)
    if (target.strides()[d] == 0) {
      repeated.push_back(d);
      sizes[d] = std::min<int64_t>(sizes[d], 1);
    }
  const Tensor chosen = op::call<"any">(expand(mask, target.sizes()), repeated, true);
  masked_fill(target.view_as_strided(sizes, target.strides(), target->offset), chosen, value);
}

void masked_fill(const Tensor& target, const Tensor& mask, Scalar value) {
  LB_CHECK(mask.dtype() == DType::Bool, Runtime, "masked_fill_ only supports boolean masks, but got mask with dtype ",
           mask.dtype() == DType::UInt8 ? "unsigned char" : dtype_name(mask.dtype()));
  if (is_expanded(target) && broadcast_sizes(target.sizes(), mask.sizes()) == target.sizes())
    return masked_fill_expanded(target, mask, value);
  const Tensor chosen = mask.shares_storage(target) ? mask.clone() : mask;
  const Tensor filler = Tensor::scalar(value, target.dtype());
  Plan plan;
  plan.add_output(target);
  plan.add_input(chosen);
  plan.add_input(filler);
  plan.build_fixed("masked_fill_");
  const DType dtypes[3] = {target.dtype(), DType::Bool, target.dtype()};
  plan.run(move_loops(target.item_bytes()).fill_masked, dtypes, nullptr);
}

namespace {

// The in-place target, or a copy of the input that has the broadcast sizes.
Tensor target_of(const Out& out, const Tensor& input, const Tensor& mask) {
  if (out.in_place()) return input;
  const Dims sizes = broadcast_sizes(input.sizes(), mask.sizes());
  return (sizes == input.sizes() ? input : expand(input, sizes)).clone(MemoryFormat::Contiguous);
}

Tensor masked_fill_scalar(const Out& out, const Tensor& input, const Tensor& mask, Scalar value) {
  const Tensor target = target_of(out, input, mask);
  masked_fill(target, mask, value);
  if (out.in_place()) target.bump_version();
  return target;
}
Tensor masked_fill_tensor(const Out& out, const Tensor& input, const Tensor& mask, const Tensor& value) {
  LB_CHECK(value.ndim() == 0, Runtime, "masked_fill_ only supports a 0-dimensional value tensor, but got tensor with ",
           value.ndim(), " dimension(s).");
  const Tensor target = target_of(out, input, mask);
  masked_fill(target, mask, value.item());
  if (out.in_place()) target.bump_version();
  return target;
}

Tensor masked_scatter(const Out& out, const Tensor& input, const Tensor& mask, const Tensor& source) {
  LB_CHECK(input.dtype() == source.dtype(), Runtime,
           "masked_scatter: expected self and source to have same dtypes but got ", dtype_title(input.dtype()), " and ",
           dtype_title(source.dtype()));
  LB_CHECK(mask.dtype() == DType::Bool, Runtime,
           "masked_scatter_ only supports boolean masks, but got mask with dtype ", dtype_title(mask.dtype()));
  const Tensor target = target_of(out, input, mask);
  const Tensor chosen = expand(mask, target.sizes()).contiguous();
  LB_CHECK(count_true(chosen) <= source.count(), Runtime, "Number of elements of source < number of ones in mask");
  const Tensor values = source.contiguous();
  const Tensor whole = target.is_contiguous() ? target : target.clone(MemoryFormat::Contiguous);
  visit_width(target.item_bytes(), [&]<class W>(W) {
    const W* in = values.as<W>();
    W* items = whole.as<W>();
    each_true(chosen, [&](int64_t at) { items[at] = *in++; });
  });
  if (!whole.same(target)) target.copy_from(whole);
  if (out.in_place()) target.bump_version();
  return target;
}

Tensor argwhere(const Tensor& input) { return nonzero(input); }
std::vector<Tensor> nonzero_tuple(const Tensor& input) { return nonzero_columns(input); }

Tensor give_masked_select(const Out& out, const Tensor& input, const Tensor& mask) {
  return give_apart(out, masked_select(input, mask), {&input, &mask});
}
LB_OPERATOR(.signature = "where(condition)",
            .doc = R"(The positions of the elements that are not zero, one tensor per dimension.

>>> torch.where(torch.tensor([0, 1, 1]))
(tensor([1, 2]),))",
            .forward = forward_of<nonzero_tuple>, .derivative = kNotDifferentiable, .forms = kFunction,
            .decides = Decides::Elements);
LB_OPERATOR(.signature = "masked_select(input, mask, *, out=None)",
            .doc = R"(The elements where a bool mask, broadcast with the input, is true; one dimension.

>>> torch.arange(3).masked_select(torch.tensor([True, False, True]))
tensor([0, 2]))",
            .forward = forward_of<give_masked_select>,
            .derivative = LB_GRADIENT("MaskedSelectBackward0", "0:1", masked_select_gradient(g, b)),
            .decides = Decides::Elements);
LB_OPERATOR(.signature = "masked_fill(input, mask, value)",
            .doc = R"(The input with the element of a 0-d tensor where a bool mask is true.

>>> torch.zeros(2).masked_fill(torch.tensor([True, False]), torch.tensor(7))
tensor([7., 0.]))",
            .forward = forward_of<masked_fill_tensor>,
            .derivative = gradients("MaskedFillBackward1", masked_fill_gradient, "0:1 2:1"), .forms = kEveryForm);
LB_OPERATOR(.signature = "masked_fill(input, mask, value)", .doc = R"(The input with value where a bool mask is true.

>>> torch.zeros(2).masked_fill(torch.tensor([True, False]), 7)
tensor([7., 0.]))",
            .forward = forward_of<masked_fill_scalar>,
            .derivative = LB_GRADIENT("MaskedFillBackward0", "0:1", where(b.input(1), Scalar(0.0), g)),
            .forms = kEveryForm);
LB_OPERATOR(.signature = "masked_scatter(input, mask, source)",
            .doc = R"(The input with the elements of source, in order, where a bool mask is true.

>>> torch.zeros(3).masked_scatter(torch.tensor([True, False, True]), torch.tensor([1.0, 2.0]))
tensor([1., 0., 2.]))",
            .forward = forward_of<masked_scatter>,
            .derivative = gradients("MaskedScatterBackward0", masked_scatter_gradient, "0:1 2:1"), .forms = kEveryForm);
LB_OPERATOR(.signature = "argwhere(input)", .doc = R"(The positions of the elements that are not zero, one row each.

>>> torch.tensor([0, 1, 1]).argwhere()
tensor([[1],
        [2]]))",
            .forward = forward_of<argwhere>, .derivative = kNotDifferentiable, .decides = Decides::Elements);
Tensor nonzero_static(const Tensor& input, int64_t size, int64_t fill_value) {
  LB_CHECK(size >= 0, Runtime, "nonzero_static: 'size' must be an non-negative integer");
  const Tensor found = nonzero(input);
  Tensor result = Tensor::full({size, input.ndim()}, Scalar(fill_value), DType::Int64);
  const int64_t kept = std::min(size, found.sizes()[0]);
  narrow(result, 0, 0, kept).copy_from(narrow(found, 0, 0, kept));
  return result;
}
LB_OPERATOR(.signature = "nonzero_static(input, *, size, fill_value=-1, out=None)",
            .doc = R"(nonzero cut or filled up to a number of rows.

>>> torch.nonzero_static(torch.tensor([0, 1]), size=2)
tensor([[ 1],
        [-1]]))",
            .forward = forward_of<nonzero_static>, .derivative = kNotDifferentiable);
// The result's kind depends on as_tuple, which is why this is not two overloads.
Result nonzero_either(const Out& out, const Tensor& input, bool as_tuple) {
  if (as_tuple) return Result(nonzero_columns(input));
  return Result(out.give(nonzero(input)));
}
LB_OPERATOR(
        .signature = "nonzero(input, *, out=None, as_tuple=False)",
        .doc =
            R"(The positions of the elements that are not zero: (count, ndim), or a tensor per dimension with as_tuple.

>>> torch.tensor([0, 1, 1]).nonzero()
tensor([[1],
        [2]]))",
        .forward = forward_of<nonzero_either>, .derivative = kNotDifferentiable, .decides = Decides::Elements);

}  // namespace
}  // namespace lumbre::ops
