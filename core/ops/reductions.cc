#include "ops/gradients.h"
#include "ops/reductions.h"

#include <cmath>

#include "base/threads.h"
#include "kernels/reduce.h"
#include "ops/folds.h"
#include "ops/registry.h"

namespace lumbre::ops {

namespace {

Tensor viewed(const Tensor& t, Dims sizes, Dims strides) {
  return Tensor::over(t->storage, t.dtype(), std::move(sizes), std::move(strides), t->offset);
}

DType sum_dtype(const Tensor& input, std::optional<DType> dtype) {
  if (dtype) return *dtype;
  return is_integral(input.dtype(), true) ? DType::Int64 : input.dtype();
}
DType compute_dtype(DType dtype) {
  return is_half(dtype) ? DType::Float32 : is_integral(dtype, true) ? DType::Int64 : dtype;
}

// Folds into `compute`; bfloat16 is read as it is where there is a loop for it.
Tensor fold_with(const ReduceLoop (&loops)[kDTypeCount], const Blocks& blocks, DType compute, bool keepdim) {
  const DType own = blocks.input.dtype();
  const bool direct = own == DType::BFloat16 && loops[static_cast<int>(own)];
  const auto combine = loops[static_cast<int>(compute)];
  return fold_blocks(blocks, direct ? own : compute, compute, keepdim, direct ? loops[static_cast<int>(own)] : combine,
                     combine);
}

// One dimension of a contiguous tensor that has elements.
Tensor fold_contiguous(ReduceLoop loop, const Tensor& input, int dim, bool keepdim) {
  Dims sizes;
  int64_t a = 1, b = 1;
  for (int d = 0; d < input.ndim(); ++d) {
    const int64_t size = input.sizes()[d];
    if (d != dim || keepdim) sizes.push_back(d == dim ? 1 : size);
    if (d != dim) (d < dim ? a : b) *= size;
  }
  const int64_t n = input.sizes()[dim], line = b * static_cast<int64_t>(input.item_bytes());
  Tensor out = Tensor::empty(sizes, input.dtype());
  for (int64_t i = 0; i < a; ++i) loop(input.bytes() + i * n * line, n, b, b, out.bytes() + i * line);
  return out;
}

// The reduced dimension of the least stride, -1 where it is the only one.
int innermost_reduced(const Tensor& input, const std::optional<Dims>& dims) {
  const std::vector<bool> reduced = reduced_dims(dims, input.ndim());
  int found = -1, count = 0;
  for (int d = 0; d < input.ndim(); ++d) {
    if (!reduced[static_cast<size_t>(d)] || input.sizes()[d] == 1) continue;
    ++count;
    if (found < 0 || input.strides()[d] < input.strides()[found]) found = d;
  }
  return count > 1 ? found : -1;
}

void multiply(const Tensor& t, int64_t by) {
  visit_dtype(t.dtype(), [&]<class T>(T) {
    if constexpr (std::is_floating_point_v<T>)
      for (int64_t i = 0; i < t.count(); ++i) t.as<T>()[i] *= static_cast<T>(by);
    else if constexpr (std::is_same_v<T, int64_t>)
      for (int64_t i = 0; i < t.count(); ++i) t.as<uint64_t>()[i] *= static_cast<uint64_t>(by);
  });
}

Tensor fold(const ReduceLoop (&loops)[kDTypeCount], const Tensor& input, const std::optional<Dims>& dims, bool keepdim,
            DType result, Repeats repeats) {
  const DType compute = compute_dtype(result);
  const auto loop = loops[static_cast<int>(compute)];
  // Small contiguous tensors need no plan.
  if (input.dtype() == compute && result == compute && input.count() <= kFoldWork && input.is_contiguous()) {
    const bool whole = !dims || dims->empty();
    if (whole && !keepdim) {
      Tensor out = Tensor::empty({}, compute);
      loop(input.bytes(), input.count(), 1, 1, out.bytes());
      return out;
    }
    if (!whole && dims->size() == 1 && input.ndim() > 0 && input.count() > 0)
      return fold_contiguous(loop, input, wrap_dim((*dims)[0], input.ndim()), keepdim);
  }
  // A narrower result's dtype rounds each element.
  const Tensor& elements = compute == result ? input : input.to(result);
  if (elements.count() > kFoldWork && !lies_in_blocks(elements, dims))
    if (const int d = innermost_reduced(elements, dims); d >= 0) {
      // The innermost first: then what is left is small, and nothing is copied.
      const Tensor part = fold(loops, elements, Dims{d}, true, compute, repeats);
      return fold(loops, part, dims, keepdim, compute, repeats).to(result);
    }
  const Blocks blocks = blocks_of(elements, dims, repeats);
  const Tensor out = fold_with(loops, blocks, compute, keepdim);
  if (blocks.repeats != 1) multiply(out, blocks.repeats);
  return out.to(result);
}

// How many elements are true, that is, not zero.
Tensor count_true(const Tensor& input, const std::optional<Dims>& dims, bool keepdim) {
  const ReduceLoop add = reduce_table().sum[static_cast<int>(DType::Int64)];
  const Blocks blocks = blocks_of(input, dims, Repeats::Once);
  const Tensor out = fold_blocks(blocks, DType::Bool, DType::Int64, keepdim, reduce_table().count_true, add);
  if (blocks.repeats != 1) multiply(out, blocks.repeats);
  return out;
}

std::optional<Dims> one_dim(std::optional<int64_t> dim) {
  if (!dim) return std::nullopt;
  return Dims{*dim};
}

}  // namespace

std::vector<bool> reduced_dims(const std::optional<Dims>& dims, int ndim) {
  std::vector<bool> reduced(static_cast<size_t>(ndim), !dims || dims->empty());
  if (!dims || dims->empty()) return reduced;
  for (int64_t dim : *dims) {
    const int d = wrap_dim(dim, ndim);
    if (ndim == 0) continue;
    LB_CHECK(!reduced[static_cast<size_t>(d)], Runtime, "dim ", d, " appears multiple times in the list of dims");
    reduced[static_cast<size_t>(d)] = true;
  }
  return reduced;
}

Reduction prepare_reduction(const Tensor& input, const std::optional<Dims>& dims) {
  const std::vector<bool> reduced = reduced_dims(dims, input.ndim());
  Reduction r;
  std::vector<int> order;
  int first = -1, last = -1;
  for (int d = 0; d < input.ndim(); ++d) {
    const bool gone = reduced[static_cast<size_t>(d)];
    r.kept_with_ones.push_back(gone ? 1 : input.sizes()[d]);
    if (!gone) r.kept.push_back(input.sizes()[d]);
    if (gone) {
      if (first < 0) first = d;
      last = d;
    }
  }
  if (first < 0) {
    r.input = input.contiguous();
    r.a = r.input.count();
    return r;
  }
  bool adjacent = true;
  for (int d = first; d <= last; ++d) adjacent &= reduced[static_cast<size_t>(d)] || input.sizes()[d] == 1;
  if (adjacent) {
    r.input = input.contiguous();
    for (int d = 0; d < input.ndim(); ++d) (d < first ? r.a : d <= last ? r.n : r.b) *= input.sizes()[d];
    return r;
  }
  // Scattered dimensions are moved to the end.
  Dims sizes, strides;
  for (int pass = 0; pass < 2; ++pass)
    for (int d = 0; d < input.ndim(); ++d) {
      if (reduced[static_cast<size_t>(d)] != (pass == 1)) continue;
      sizes.push_back(input.sizes()[d]);
      strides.push_back(input.strides()[d]);
      (pass ? r.n : r.a) *= input.sizes()[d];
    }
  r.input = viewed(input, std::move(sizes), std::move(strides)).contiguous();
  return r;
}

Tensor dim_to_last(const Tensor& t, int dim) {
  if (t.ndim() <= 1) return t;
  Dims sizes = t.sizes(), strides = t.strides();
  std::rotate(sizes.begin() + dim, sizes.begin() + dim + 1, sizes.end());
  std::rotate(strides.begin() + dim, strides.begin() + dim + 1, strides.end());
  return viewed(t, std::move(sizes), std::move(strides));
}
Tensor dim_from_last(const Tensor& t, int dim) {
  if (t.ndim() <= 1) return t;
  Dims sizes = t.sizes(), strides = t.strides();
  std::rotate(sizes.begin() + dim, sizes.end() - 1, sizes.end());
  std::rotate(strides.begin() + dim, strides.end() - 1, strides.end());
  return viewed(t, std::move(sizes), std::move(strides));
}

Tensor sum(const Tensor& input, const std::optional<Dims>& dims, bool keepdim, std::optional<DType> dtype) {
  const DType result = sum_dtype(input, dtype);
  if (input.dtype() == DType::Bool && result == DType::Int64) return count_true(input, dims, keepdim);
  // What is repeated is summed once: one product then has a smaller error than as many sums.
  return fold(reduce_table().sum, input, dims, keepdim, result, Repeats::Once);
}

namespace {

void divide(const Tensor& t, double by) {
  visit_dtype(t.dtype(), [&]<class T>(T) {
    if constexpr (std::is_floating_point_v<T>)
      for (int64_t i = 0; i < t.count(); ++i) t.as<T>()[i] = static_cast<T>(t.as<T>()[i] / static_cast<T>(by));
  });
}

}  // namespace

Tensor mean(const Tensor& input, const std::optional<Dims>& dims, bool keepdim, std::optional<DType> dtype) {
  const DType result = dtype.value_or(input.dtype());
  LB_CHECK(is_floating(result), Runtime,
           "mean(): could not infer output dtype. Input dtype must be either a floating "
           "point or complex dtype. Got: ",
           dtype_title(result));
  const Tensor total = sum(input.to(result), dims, keepdim, compute_dtype(result));
  const double count = total.count() ? static_cast<double>(input.count()) / static_cast<double>(total.count()) : 1;
  divide(total, count);
  return total.to(result);
}

namespace {

Tensor prod_all(const Tensor& input, std::optional<DType> dtype) {
  return fold(reduce_table().prod, input, std::nullopt, false, sum_dtype(input, dtype), Repeats::Each);
}
Tensor prod(const Tensor& input, int64_t dim, bool keepdim, std::optional<DType> dtype) {
  return fold(reduce_table().prod, input, Dims{dim}, keepdim, sum_dtype(input, dtype), Repeats::Each);
}

Tensor nansum(const Tensor& input, const std::optional<Dims>& dims, bool keepdim, std::optional<DType> dtype) {
  if (!is_floating(input.dtype())) return sum(input, dims, keepdim, dtype);
  const Tensor clean = input.clone(MemoryFormat::Contiguous);
  visit_dtype(clean.dtype(), [&]<class T>(T) {
    for (int64_t i = 0; i < clean.count(); ++i) {
      const auto value = static_cast<double>(Scalar(0).to<double>() + [&] {
        if constexpr (is_half_type<T>)
          return static_cast<double>(static_cast<float>(clean.as<T>()[i]));
        else
          return static_cast<double>(clean.as<T>()[i]);
      }());
      if (value != value) clean.as<T>()[i] = T{};
    }
  });
  return sum(clean, dims, keepdim, dtype);
}

// --- extremes -------------------------------------------------------------------------------------------------------

void check_not_empty(const Blocks& blocks, const Tensor& input, const char* name, bool whole) {
  if (blocks.n > 0) return;
  if (whole)
    fail(ErrorKind::Runtime, name,
         "(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim with the 'dim' "
         "argument.");
  for (int d = 0; d < input.ndim(); ++d)
    LB_CHECK(input.sizes()[d] != 0 || blocks.sizes_with_ones[d] != 1, Index, name, "(): Expected reduction dim ", d,
             " to have non-zero size.");
}

// Half types are ordered as float; bool as bytes.
DType ordered(DType dtype) { return is_half(dtype) ? DType::Float32 : dtype; }

Tensor extreme(const ReduceLoop (&loops)[kDTypeCount], const Tensor& input, const std::optional<Dims>& dims,
               bool keepdim, const char* name) {
  const DType compute = ordered(input.dtype());
  const Blocks blocks = blocks_of(input, dims, Repeats::Once);
  if (blocks.n == 0 && (blocks.a * blocks.b > 0 || !dims)) check_not_empty(blocks, input, name, !dims || dims->empty());
  return fold_with(loops, blocks, compute, keepdim).to(input.dtype());
}

Tensor max_all(const Tensor& input) {
  LB_CHECK(input.count() > 0, Runtime,
           "max(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim with the "
           "'dim' argument.");
  return extreme(reduce_table().max, input, std::nullopt, false, "max");
}
Tensor min_all(const Tensor& input) {
  LB_CHECK(input.count() > 0, Runtime,
           "min(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim with the "
           "'dim' argument.");
  return extreme(reduce_table().min, input, std::nullopt, false, "min");
}
Tensor amax(const Tensor& input, const std::optional<Dims>& dim, bool keepdim) {
  return extreme(reduce_table().max, input, dim, keepdim, "amax");
}
Tensor amin(const Tensor& input, const std::optional<Dims>& dim, bool keepdim) {
  return extreme(reduce_table().min, input, dim, keepdim, "amin");
}
std::tuple<Tensor, Tensor> aminmax(const Tensor& input, std::optional<int64_t> dim, bool keepdim) {
  if (!dim)
    LB_CHECK(input.count() > 0, Runtime,
             "aminmax(): cannot compute aminmax over an empty dimension as the operation has no identity.");
  Tensor low = extreme(reduce_table().min, input, one_dim(dim), keepdim, "aminmax");
  return {low, extreme(reduce_table().max, input, one_dim(dim), keepdim, "aminmax")};
}

// The dtype in which positions are looked for.
DType arg_dtype(DType dtype) { return dtype < DType::Int32 ? DType::Int32 : ordered(dtype); }

// Extremes are looked for in memory as it lies where that is in the loops' form; without a dimension, in row-major
// order.
Blocks arg_blocks(const Tensor& input, std::optional<int64_t> dim) {
  const Tensor values = input.to(arg_dtype(input.dtype()));
  const Blocks blocks = blocks_of(dim ? values : values.contiguous(), one_dim(dim));
  return blocks.is_plain() ? blocks : blocks_of(values.contiguous(), one_dim(dim));
}

template <class T>
const T* block_at(const Blocks& blocks, int64_t i) {
  return reinterpret_cast<const T*>(blocks.input.bytes() + i * blocks.step_a);
}

// One long block: the positions in parts of its rows, then the part that has the extreme.
template <class T>
void arg_of_parts(ArgLoop loop, const Blocks& blocks, int64_t* out) {
  const int64_t b = blocks.b, pitch = blocks.pitch(), rows = std::clamp<int64_t>(131072 / b, 64, kFoldPart),
                parts = (blocks.n + rows - 1) / rows;
  const T* const in = block_at<T>(blocks, 0);
  std::vector<int64_t> positions(static_cast<size_t>(parts * b)), best(static_cast<size_t>(b));
  std::vector<T> extremes(positions.size());
  parallel_for(parts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      int64_t* const at = positions.data() + p * b;
      loop(in + p * rows * pitch, std::min(rows, blocks.n - p * rows), b, pitch, at);
      for (int64_t j = 0; j < b; ++j) {
        at[j] += p * rows;
        extremes[static_cast<size_t>(p * b + j)] = in[at[j] * pitch + j];
      }
    }
  });
  loop(extremes.data(), parts, b, b, best.data());
  for (int64_t j = 0; j < b; ++j) out[j] = positions[static_cast<size_t>(best[static_cast<size_t>(j)] * b + j)];
}

struct Extremes {
  Tensor values, positions;
};

// Values are left undefined unless asked for.
Extremes arg(const ArgLoop (&loops)[kDTypeCount], const Tensor& input, std::optional<int64_t> dim, bool keepdim,
             const char* name, bool with_values) {
  if (!dim)
    LB_CHECK(input.count() > 0, Index, name,
             "(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim with the "
             "'dim' argument.");
  const Blocks blocks = arg_blocks(input, dim);
  check_not_empty(blocks, input, name, !dim);
  const int64_t results = blocks.a * blocks.b, b = blocks.b, pitch = blocks.pitch();
  const Tensor at = Tensor::empty(blocks.held, DType::Int64);
  const DType compute = blocks.input.dtype();
  const Tensor values = with_values ? Tensor::empty(blocks.held, compute) : Tensor();
  const auto loop = loops[static_cast<int>(compute)];
  int64_t* const positions = at.as<int64_t>();
  const LongWork released(blocks.count() >= 1 << 20);
  visit_width(item_size(compute), [&]<class T>(T) {
    if (results > 0 && blocks.a == 1 && blocks.n * b > kFoldPart && blocks.n >= 128)
      arg_of_parts<T>(loop, blocks, positions);
    else if (results > 0)
      parallel_for(blocks.a, std::max<int64_t>(1, kFoldWork / (blocks.n * b)), [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) loop(block_at<T>(blocks, i), blocks.n, b, pitch, positions + i * b);
      });
    for (int64_t i = 0; with_values && i < results; ++i)
      values.as<T>()[i] = block_at<T>(blocks, i / b)[positions[i] * pitch + i % b];
  });
  return {with_values ? as_result(blocks, values, keepdim).to(input.dtype()) : values, as_result(blocks, at, keepdim)};
}
void check_arg_dtype(const Tensor& input, const char* name) {
  LB_CHECK(input.dtype() != DType::Bool, Runtime, name, "(): does not support bool input");
}
Tensor argmax(const Tensor& input, std::optional<int64_t> dim, bool keepdim) {
  check_arg_dtype(input, "argmax");
  return arg(reduce_table().argmax, input, dim, keepdim, "argmax", false).positions;
}
Tensor argmin(const Tensor& input, std::optional<int64_t> dim, bool keepdim) {
  check_arg_dtype(input, "argmin");
  return arg(reduce_table().argmin, input, dim, keepdim, "argmin", false).positions;
}

std::tuple<Tensor, Tensor> max_dim(const Tensor& input, int64_t dim, bool keepdim) {
  const Extremes found = arg(reduce_table().argmax, input, dim, keepdim, "max", true);
  return {found.values, found.positions};
}
std::tuple<Tensor, Tensor> min_dim(const Tensor& input, int64_t dim, bool keepdim) {
  const Extremes found = arg(reduce_table().argmin, input, dim, keepdim, "min", true);
  return {found.values, found.positions};
}

// --- truth ----------------------------------------------------------------------------------------------------------

Tensor truth(const ReduceLoop (&loops)[kDTypeCount], const Tensor& input, const std::optional<Dims>& dims, bool keepdim,
             bool of_none) {
  const Blocks blocks = blocks_of(input, dims, Repeats::Once);
  const auto loop = loops[static_cast<int>(DType::Bool)];
  Tensor out = blocks.n == 0
                   ? Tensor::full(keepdim ? blocks.sizes_with_ones : blocks.sizes, Scalar(of_none), DType::Bool)
                   : fold_blocks(blocks, DType::Bool, DType::Bool, keepdim, loop, loop);
  // PyTorch keeps uint8 for uint8.
  return input.dtype() == DType::UInt8 ? out.to(DType::UInt8) : out;
}
Tensor all(const Tensor& input, const std::optional<Dims>& dim, bool keepdim) {
  return truth(reduce_table().min, input, dim, keepdim, true);
}
Tensor any(const Tensor& input, const std::optional<Dims>& dim, bool keepdim) {
  return truth(reduce_table().max, input, dim, keepdim, false);
}

Tensor count_nonzero(const Tensor& input, const std::optional<Dims>& dim) { return count_true(input, dim, false); }

Tensor logsumexp(const Tensor& input, const Dims& dims, bool keepdim) {
  const DType result = is_floating(input.dtype()) ? input.dtype() : default_dtype();
  const DType compute = compute_dtype(result);
  const auto loop = reduce_table().logsumexp[static_cast<int>(compute)];
  return fold_blocks(blocks_of(input, dims), compute, compute, keepdim, loop, loop).to(result);
}

}  // namespace

LB_OPERATOR(.signature = "sum(input, dim=None, keepdim=False, *, dtype=None, out=None)",
            .doc = R"(The sum of all elements, or over the dimensions `dim`.

Integers and bool are summed as int64; `dtype` converts first. float32 sums are pairwise.

>>> torch.sum(torch.tensor([[1., 2.], [3., 4.]]), 0)
tensor([4., 6.]))",
            .forward = forward_of<sum>,
            .derivative = LB_GRADIENT("SumBackward0;SumBackward1", "", b.spread(g, 1, b.flag(2))));
LB_OPERATOR(.signature = "mean(input, dim=None, keepdim=False, *, dtype=None, out=None)",
            .doc = R"(The mean of all elements, or over the dimensions `dim`. Floating-point only.

>>> torch.mean(torch.tensor([1., 2., 6.]))
tensor(3.))",
            .forward = forward_of<mean>,
            .derivative = LB_GRADIENT("MeanBackward0;MeanBackward1", "",
                                      b.spread(g, 1, b.flag(2)) / Scalar(b.reduced_count(1))));
LB_OPERATOR(.signature = "nansum(input, dim=None, keepdim=False, *, dtype=None, out=None)",
            .doc = R"(The sum with NaN counted as 0.

>>> torch.nansum(torch.tensor([1., float("nan")]))
tensor(1.))",
            .forward = forward_of<nansum>,
            .derivative = LB_GRADIENT("NansumBackward0", "0:0",
                                      where(call<"isnan">(b.input(0)), Scalar(0.0), b.spread(g, 1, b.flag(2)))));
LB_OPERATOR(.signature = "prod(input, *, dtype=None)", .doc = R"(The product of all elements.

>>> torch.prod(torch.tensor([2., 3.]))
tensor(6.))",
            .forward = forward_of<prod_all>,
            .derivative = LB_GRADIENT("ProdBackward0", "0:0r",
                                      prod_gradient(g, b.input(0), b.result(), std::nullopt, false)));
LB_OPERATOR(.signature = "prod(input, dim, keepdim=False, *, dtype=None, out=None)",
            .doc = R"(The product over the dimension `dim`.

>>> torch.prod(torch.tensor([[1., 2.], [3., 4.]]), 0)
tensor([3., 8.]))",
            .forward = forward_of<prod>,
            .derivative = LB_GRADIENT("ProdBackward1", "0:0r",
                                      prod_gradient(g, b.input(0), b.result(), b.integer(1), b.flag(2))));
LB_OPERATOR(.signature = "max(input, *, out=None)", .doc = R"(The greatest element; NaN if there is one.

>>> torch.max(torch.tensor([1., 3., 2.]))
tensor(3.))",
            .forward = forward_of<max_all>, .derivative = LB_GRADIENT("MaxBackward1", "0:0r", b.share(g, -1, true)));
LB_OPERATOR(.signature = "max(input, dim, keepdim=False, *, out=None) -> (values, indices)",
            .doc = R"(The greatest elements along `dim` and where they are (the first of equals).

>>> torch.max(torch.tensor([[1., 3.], [4., 2.]]), 1).indices
tensor([1, 0]))",
            .forward = forward_of<max_dim>,
            .derivative = gradients(
                "MaxBackward0",
                [](Backward& b) {
                  if (b.has(0)) b.give(0, picked(b, 1, 2));
                },
                "0:s"));
LB_OPERATOR(.signature = "min(input, *, out=None)", .doc = R"(The least element; NaN if there is one.

>>> torch.min(torch.tensor([1., 3., 2.]))
tensor(1.))",
            .forward = forward_of<min_all>, .derivative = LB_GRADIENT("MinBackward1", "0:0r", b.share(g, -1, true)));
LB_OPERATOR(.signature = "min(input, dim, keepdim=False, *, out=None) -> (values, indices)",
            .doc = R"(The least elements along `dim` and where they are (the first of equals).

>>> torch.min(torch.tensor([[1., 3.], [4., 2.]]), 1).indices
tensor([0, 1]))",
            .forward = forward_of<min_dim>,
            .derivative = gradients(
                "MinBackward0",
                [](Backward& b) {
                  if (b.has(0)) b.give(0, picked(b, 1, 2));
                },
                "0:s"));
LB_OPERATOR(.signature = "amax(input, dim=(), keepdim=False, *, out=None)",
            .doc = R"(The greatest elements over the dimensions `dim`.

>>> torch.amax(torch.tensor([[1., 3.], [4., 2.]]), 1)
tensor([3., 4.]))",
            .forward = forward_of<amax>, .derivative = LB_GRADIENT("AmaxBackward0", "0:0r", b.share(g, 1, b.flag(2))));
LB_OPERATOR(.signature = "amin(input, dim=(), keepdim=False, *, out=None)",
            .doc = R"(The least elements over the dimensions `dim`.

>>> torch.amin(torch.tensor([[1., 3.], [4., 2.]]), 1)
tensor([1., 2.]))",
            .forward = forward_of<amin>, .derivative = LB_GRADIENT("AminBackward0", "0:0r", b.share(g, 1, b.flag(2))));
LB_OPERATOR(.signature = "aminmax(input, *, dim=None, keepdim=False, out=None) -> (min, max)",
            .doc = R"(The least and the greatest element, or those along `dim`.

>>> torch.aminmax(torch.tensor([1., 3., 2.])).max
tensor(3.))",
            .forward = forward_of<aminmax>, .derivative = gradients("AminmaxBackward0", aminmax_gradient, "0:0rs"));
LB_OPERATOR(.signature = "argmax(input, dim=None, keepdim=False, *, out=None)",
            .doc =
                R"(The position of the greatest element (the first of equals): of the flattened tensor, or along `dim`.

>>> torch.argmax(torch.tensor([1., 3., 2.]))
tensor(1))",
            .forward = forward_of<argmax>, .derivative = kNotDifferentiable);
LB_OPERATOR(.signature = "argmin(input, dim=None, keepdim=False, *, out=None)",
            .doc = R"(The position of the least element (the first of equals): of the flattened tensor, or along `dim`.

>>> torch.argmin(torch.tensor([1., 3., 2.]))
tensor(0))",
            .forward = forward_of<argmin>, .derivative = kNotDifferentiable);
LB_OPERATOR(.signature = "all(input, dim=None, keepdim=False, *, out=None)",
            .doc = R"(Whether all elements are nonzero, or all along `dim`.

>>> torch.all(torch.tensor([True, False]))
tensor(False))",
            .forward = forward_of<all>, .derivative = kNotDifferentiable);
LB_OPERATOR(.signature = "any(input, dim=None, keepdim=False, *, out=None)",
            .doc = R"(Whether any element is nonzero, or any along `dim`.

>>> torch.any(torch.tensor([True, False]))
tensor(True))",
            .forward = forward_of<any>, .derivative = kNotDifferentiable);
LB_OPERATOR(.signature = "count_nonzero(input, dim=None)", .doc = R"(How many elements are nonzero.

>>> torch.count_nonzero(torch.tensor([0, 1, 2]))
tensor(2))",
            .forward = forward_of<count_nonzero>, .derivative = kNotDifferentiable);
LB_OPERATOR(.signature = "logsumexp(input, dim, keepdim=False, *, out=None)",
            .doc = R"(log(sum(exp(input))) over the dimensions `dim`, without overflow.

>>> torch.logsumexp(torch.tensor([1000., 1000.]), 0)
tensor(1000.6931))",
            .forward = forward_of<logsumexp>,
            .derivative = LB_GRADIENT("LogsumexpBackward0", "0:0r", logsumexp_gradient(g, b)),
            .aliases = "special.logsumexp");

}  // namespace lumbre::ops
