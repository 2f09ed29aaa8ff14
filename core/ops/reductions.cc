#include "ops/gradients.h"
#include "ops/reductions.h"

#include <cmath>

#include "base/threads.h"
#include "kernels/reduce.h"
#include "ops/registry.h"

namespace lumbre::ops {

namespace {

constexpr int64_t kWork = 32768;        // elements that one task takes
constexpr int64_t kWholeBlock = 65536;  // elements of one part of a whole reduction

Tensor viewed(const Tensor& t, Dims sizes, Dims strides) {
  return Tensor::over(t->storage, t.dtype(), std::move(sizes), std::move(strides), t->offset);
}

using Loop = ReduceLoop;

// Runs a loop over the a blocks, in parallel over blocks, columns, or parts of one long row.
void run(Loop loop, const Reduction& r, const Tensor& out, Loop combine) {
  const auto item = static_cast<int64_t>(r.input.item_bytes()), out_item = static_cast<int64_t>(out.item_bytes());
  const char* in = r.input.bytes();
  char* target = out.bytes();
  const int64_t total = r.a * r.n * r.b;
  if (total <= kWork || r.n == 0) {
    for (int64_t i = 0; i < r.a; ++i) loop(in + i * r.n * r.b * item, r.n, r.b, target + i * r.b * out_item);
    return;
  }
  const LongWork released(total >= 1 << 20);
  if (r.a == 1 && r.b == 1) {
    const int64_t parts = (r.n + kWholeBlock - 1) / kWholeBlock;
    std::vector<char> partial(static_cast<size_t>(parts * out_item));
    parallel_for(parts, 1, [&](int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; ++p)
        loop(in + p * kWholeBlock * item, std::min(kWholeBlock, r.n - p * kWholeBlock), 1,
             partial.data() + p * out_item);
    });
    return combine(partial.data(), parts, 1, target);
  }
  if (r.a == 1 && r.n >= 128) {  // split the rows, fold the parts; how many rows depends on the sizes only
    const int64_t kRows = std::clamp<int64_t>(131072 / r.b, 64, 2048);
    const int64_t parts = (r.n + kRows - 1) / kRows;
    std::vector<char> partial(static_cast<size_t>(parts * r.b * out_item));
    parallel_for(parts, 1, [&](int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; ++p)
        loop(in + p * kRows * r.b * item, std::min(kRows, r.n - p * kRows), r.b, partial.data() + p * r.b * out_item);
    });
    return combine(partial.data(), parts, r.b, target);
  }
  if (r.a == 1) {
    // Column blocks: the loop walks rows of b elements, so a block is copied out of them first.
    constexpr int64_t kColumns = 256;
    parallel_for((r.b + kColumns - 1) / kColumns, 1, [&](int64_t begin, int64_t end) {
      for (int64_t block = begin; block < end; ++block) {
        const int64_t from = block * kColumns, width = std::min(kColumns, r.b - from);
        constexpr int64_t kRows = 64;
        std::vector<char> tile(static_cast<size_t>(kRows * width * item));
        std::vector<char> parts(static_cast<size_t>((r.n + kRows - 1) / kRows * width * out_item));
        int64_t part = 0;
        for (int64_t row = 0; row < r.n; row += kRows, ++part) {
          const int64_t rows = std::min(kRows, r.n - row);
          for (int64_t i = 0; i < rows; ++i)
            std::memcpy(tile.data() + i * width * item, in + ((row + i) * r.b + from) * item,
                        static_cast<size_t>(width * item));
          loop(tile.data(), rows, width, parts.data() + part * width * out_item);
        }
        combine(parts.data(), part, width, target + from * out_item);
      }
    });
    return;
  }
  parallel_for(r.a, std::max<int64_t>(1, kWork / std::max<int64_t>(1, r.n * r.b)), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) loop(in + i * r.n * r.b * item, r.n, r.b, target + i * r.b * out_item);
  });
}

// Loops whose parts cannot be combined: whole blocks only.
template <class F>
void each_block(const Reduction& r, F&& body) {
  const LongWork released(r.a * r.n * r.b >= 1 << 20);
  parallel_for(r.a, std::max<int64_t>(1, kWork / std::max<int64_t>(1, r.n * r.b)), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) body(i);
  });
}

DType sum_dtype(const Tensor& input, std::optional<DType> dtype) {
  if (dtype) return *dtype;
  return is_integral(input.dtype(), true) ? DType::Int64 : input.dtype();
}
DType compute_dtype(DType dtype) {
  return is_half(dtype) ? DType::Float32 : is_integral(dtype, true) ? DType::Int64 : dtype;
}

Tensor fold(const ReduceLoop (&loops)[kDTypeCount], const Tensor& input, const std::optional<Dims>& dims, bool keepdim,
            DType result) {
  const DType compute = compute_dtype(result);
  // A small contiguous tensor reduced whole needs no plan.
  if (input.dtype() == compute && result == compute && !keepdim && input.is_contiguous() && input.count() <= kWork &&
      (!dims || dims->empty())) {
    Tensor out = Tensor::empty({}, compute);
    loops[static_cast<int>(compute)](input.bytes(), input.count(), 1, out.bytes());
    return out;
  }
  const Reduction r = prepare_reduction(input.to(result).to(compute), dims);
  Tensor out = Tensor::empty(r.sizes(keepdim), compute);
  if (out.count() > 0) run(loops[static_cast<int>(compute)], r, out, loops[static_cast<int>(compute)]);
  return out.to(result);
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
  return fold(reduce_table().sum, input, dims, keepdim, sum_dtype(input, dtype));
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
  return fold(reduce_table().prod, input, std::nullopt, false, sum_dtype(input, dtype));
}
Tensor prod(const Tensor& input, int64_t dim, bool keepdim, std::optional<DType> dtype) {
  return fold(reduce_table().prod, input, Dims{dim}, keepdim, sum_dtype(input, dtype));
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

void check_not_empty(const Reduction& r, const Tensor& input, const char* name, bool whole) {
  if (r.n > 0) return;
  if (whole)
    fail(ErrorKind::Runtime, name,
         "(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim with the 'dim' "
         "argument.");
  for (int d = 0; d < input.ndim(); ++d)
    LB_CHECK(input.sizes()[d] != 0 || r.kept_with_ones[d] != 1, Index, name, "(): Expected reduction dim ", d,
             " to have non-zero size.");
}

// Half types are ordered as float; bool as bytes.
Tensor ordered(const Tensor& input) { return is_half(input.dtype()) ? input.to(DType::Float32) : input; }

Tensor extreme(const ReduceLoop (&loops)[kDTypeCount], const Tensor& input, const std::optional<Dims>& dims,
               bool keepdim, const char* name) {
  const Tensor values = ordered(input);
  const Reduction r = prepare_reduction(values, dims);
  Tensor out = Tensor::empty(r.sizes(keepdim), values.dtype());
  if (r.n == 0 && (out.count() > 0 || !dims)) check_not_empty(r, input, name, !dims || dims->empty());
  const auto loop = loops[static_cast<int>(values.dtype())];
  if (out.count() > 0) run(loop, r, out, loop);
  return out.to(input.dtype());
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

Tensor arg(const ArgLoop (&loops)[kDTypeCount], const Tensor& input, std::optional<int64_t> dim, bool keepdim,
           const char* name) {
  const Tensor values = ordered(input);
  if (!dim)
    LB_CHECK(input.count() > 0, Index, name,
             "(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim with the "
             "'dim' argument.");
  const Reduction r = prepare_reduction(values, one_dim(dim));
  Tensor out = Tensor::empty(r.sizes(keepdim), DType::Int64);
  check_not_empty(r, input, name, !dim);
  const auto item = static_cast<int64_t>(values.item_bytes());
  const auto loop = loops[static_cast<int>(values.dtype())];
  if (out.count() > 0)
    each_block(r,
               [&](int64_t i) { loop(r.input.bytes() + i * r.n * r.b * item, r.n, r.b, out.as<int64_t>() + i * r.b); });
  return out;
}
void check_arg_dtype(const Tensor& input, const char* name) {
  LB_CHECK(input.dtype() != DType::Bool, Runtime, name, "(): does not support bool input");
}
Tensor argmax(const Tensor& input, std::optional<int64_t> dim, bool keepdim) {
  check_arg_dtype(input, "argmax");
  return arg(reduce_table().argmax, input, dim, keepdim, "argmax");
}
Tensor argmin(const Tensor& input, std::optional<int64_t> dim, bool keepdim) {
  check_arg_dtype(input, "argmin");
  return arg(reduce_table().argmin, input, dim, keepdim, "argmin");
}

// Values at the positions along the dimension.
Tensor pick(const Tensor& input, const Tensor& positions, int dim, bool keepdim) {
  const Tensor rows = dim_to_last(input, dim).contiguous();
  const Tensor index = (keepdim && input.ndim() > 0 ? dim_to_last(positions, dim) : positions).contiguous();
  Tensor out = Tensor::empty(index.sizes(), input.dtype());
  const int64_t n = input.ndim() ? input.sizes()[dim] : 1;
  visit_width(input.item_bytes(), [&]<class T>(T) {
    for (int64_t i = 0; i < out.count(); ++i) out.as<T>()[i] = rows.as<T>()[i * n + index.as<int64_t>()[i]];
  });
  return keepdim && input.ndim() > 0 ? dim_from_last(out, dim).contiguous() : out;
}
std::tuple<Tensor, Tensor> max_dim(const Tensor& input, int64_t dim, bool keepdim) {
  const Tensor positions = arg(reduce_table().argmax, input, dim, keepdim, "max");
  return {pick(input, positions, wrap_dim(dim, input.ndim()), keepdim), positions};
}
std::tuple<Tensor, Tensor> min_dim(const Tensor& input, int64_t dim, bool keepdim) {
  const Tensor positions = arg(reduce_table().argmin, input, dim, keepdim, "min");
  return {pick(input, positions, wrap_dim(dim, input.ndim()), keepdim), positions};
}

// --- truth ----------------------------------------------------------------------------------------------------------

Tensor truth(const ReduceLoop (&loops)[kDTypeCount], const Tensor& input, const std::optional<Dims>& dims, bool keepdim,
             bool of_none) {
  const Reduction r = prepare_reduction(input.to(DType::Bool), dims);
  Tensor out = Tensor::empty(r.sizes(keepdim), DType::Bool);
  const auto loop = loops[static_cast<int>(DType::Bool)];
  if (r.n == 0)
    out.fill(Scalar(of_none));
  else if (out.count() > 0)
    run(loop, r, out, loop);
  // PyTorch keeps uint8 for uint8.
  return input.dtype() == DType::UInt8 ? out.to(DType::UInt8) : out;
}
Tensor all(const Tensor& input, const std::optional<Dims>& dim, bool keepdim) {
  return truth(reduce_table().min, input, dim, keepdim, true);
}
Tensor any(const Tensor& input, const std::optional<Dims>& dim, bool keepdim) {
  return truth(reduce_table().max, input, dim, keepdim, false);
}

Tensor count_nonzero(const Tensor& input, const std::optional<Dims>& dim) {
  return sum(input.to(DType::Bool), dim, false, DType::Int64);
}

Tensor logsumexp(const Tensor& input, const Dims& dims, bool keepdim) {
  const DType result = is_floating(input.dtype()) ? input.dtype() : default_dtype();
  const DType compute = compute_dtype(result);
  const Reduction r = prepare_reduction(input.to(compute), dims);
  Tensor out = Tensor::empty(r.sizes(keepdim), compute);
  const auto loop = reduce_table().logsumexp[static_cast<int>(compute)];
  const auto item = static_cast<int64_t>(out.item_bytes());
  if (out.count() > 0)
    each_block(
        r, [&](int64_t i) { loop(r.input.bytes() + i * r.n * r.b * item, r.n, r.b, out.bytes() + i * r.b * item); });
  return out.to(result);
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
