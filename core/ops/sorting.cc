// Orders: sort, topk, kthvalue, median, mode.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "ops/gradients.h"
#include "base/threads.h"
#include "ops/ordering.h"
#include "ops/reductions.h"
#include "ops/registry.h"

namespace lumbre::ops {

namespace {

// The tensor with `dim` last, contiguous; half types widened, which keeps their order.
struct Rows {
  Tensor data;
  int64_t n = 1, rows = 1;
  int dim = 0;
  Rows(const Tensor& input, int64_t wanted) : dim(wrap_dim(wanted, input.ndim())) {
    data = dim_to_last(is_half(input.dtype()) ? input.to(DType::Float32) : input, dim).contiguous();
    n = input.ndim() ? input.sizes()[dim] : 1;
    rows = n ? data.count() / n : 0;
  }
  // A result of `m` per row, back in the input's order of dimensions.
  Tensor empty(int64_t m, DType dtype) const {
    Dims sizes = data.sizes();
    if (!sizes.empty()) sizes.back() = m;
    return Tensor::empty(sizes, dtype);
  }
  Tensor restore(const Tensor& t) const { return dim_from_last(t, dim).contiguous(); }
  // ... and in its order of memory.
  Tensor restore_like(const Tensor& t, const Tensor& input) const {
    const Tensor turned = dim_from_last(t, dim);
    if (!input.is_dense() || turned.count() < 2) return turned.contiguous();
    if (turned.strides() == input.strides()) return turned;
    Tensor result = Tensor::empty_strided(input.sizes(), input.strides(), t.dtype());
    result.copy_from(turned);
    return result;
  }
};

// Calls f(T{}) for the element type of rows, which is never a half type.
template <class F>
void visit_ordered(DType dtype, F&& f) {
  visit_dtype(dtype, [&]<class T>(T) {
    if constexpr (!is_half_type<T>) f(T{});
  });
}

template <class F>
void each_row(const Rows& r, F&& body) {
  const LongWork released(r.data.count() >= 1 << 18);
  parallel_for(r.rows, std::max<int64_t>(1, 4096 / std::max<int64_t>(1, r.n)), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) body(row);
  });
}

std::tuple<Tensor, Tensor> sort_stable(const Tensor& input, bool, int64_t dim, bool descending) {
  const Rows r(input, dim);
  Tensor values = r.empty(r.n, r.data.dtype()), indices = r.empty(r.n, DType::Int64);
  visit_ordered(r.data.dtype(), [&]<class T>(T) {
    each_row(r, [&](int64_t row) {
      const T* in = r.data.as<T>() + row * r.n;
      T* sorted = values.as<T>() + row * r.n;
      int64_t* positions = indices.as<int64_t>() + row * r.n;
      stable_order(in, r.n, descending, [=](int64_t i, int64_t from) {
        sorted[i] = in[from];
        positions[i] = from;
      });
    });
  });
  return {r.restore_like(values, input).to(input.dtype()), r.restore_like(indices, input)};
}
std::tuple<Tensor, Tensor> sort(const Tensor& input, int64_t dim, bool descending) {
  return sort_stable(input, false, dim, descending);
}
std::tuple<Tensor, Tensor> sort_keyword(const Tensor& input, std::optional<bool>, int64_t dim, bool descending) {
  return sort_stable(input, true, dim, descending);
}
Tensor argsort(const Tensor& input, int64_t dim, bool descending) {
  return std::get<1>(sort_stable(input, true, dim, descending));
}
Tensor argsort_stable(const Tensor& input, std::optional<bool>, int64_t dim, bool descending) {
  return argsort(input, dim, descending);
}
Tensor msort(const Tensor& input) { return op::call<"sort">.all(input, int64_t{0}, false)[0]; }

// Whether one of the 32 may come before the last of those chosen; NaN may.
template <class T>
bool any_enters(const T* in, T last, bool largest) {
  using Mark = std::conditional_t<sizeof(T) == 8, int64_t, std::conditional_t<sizeof(T) == 4, int32_t, int8_t>>;
  Mark found = 0;
  if (largest)
    for (int i = 0; i < 32; ++i) found |= static_cast<Mark>(!(in[i] <= last));
  else
    for (int i = 0; i < 32; ++i) found |= static_cast<Mark>(!(in[i] >= last));
  return found != 0;
}

// std::partial_sort over all elements, which touches none but the first k and those that belong among them: a heap of
// k, and a place behind it for the one that comes in.
template <class T, class Before>
std::vector<Entry<T>> first_few(const T* in, int64_t n, int64_t k, bool largest, Before before) {
  auto heap = entries_of(in, k + 1);
  const auto end = heap.begin() + k;
  std::make_heap(heap.begin(), end, before);
  constexpr int64_t kBlock = 32;
  for (int64_t i = k; i < n;) {
    const int64_t stop = std::min(i + kBlock, n);
    if (stop - i == kBlock && !any_enters(in + i, heap.front().value, largest)) {
      i = stop;
      continue;
    }
    for (; i < stop; ++i) {
      const Entry<T> next{in[i], i};
      if (!before(next, heap.front())) continue;
      *end = next;
      std::pop_heap(heap.begin(), end + 1, before);
    }
  }
  std::sort_heap(heap.begin(), end, before);
  return heap;
}

std::tuple<Tensor, Tensor> topk(const Tensor& input, int64_t k, int64_t dim, bool largest, bool sorted) {
  const Rows r(widened(input), dim);
  LB_CHECK(k >= 0 && k <= r.n, Runtime, "selected index k out of range");
  LB_CHECK(input.dtype() != DType::Bool, Runtime, "topk does not support bool dtypes on CPU");
  Tensor values = r.empty(k, r.data.dtype()), indices = r.empty(k, DType::Int64);
  visit_widened(r.data.dtype(), [&]<class T>(T) {
    if (k > 0)
      each_row(r, [&](int64_t row) {
        const T* in = r.data.as<T>() + row * r.n;
        const auto before = [largest](const Entry<T>& a, const Entry<T>& b) {
          return largest ? greater(a.value, b.value) : less(a.value, b.value);
        };
        std::vector<Entry<T>> entries;
        // PyTorch's choice, which decides between equal elements.
        if (k <= r.n / 64) {
          entries = first_few(in, r.n, k, largest, before);
        } else {
          entries = entries_of(in, r.n);
          std::nth_element(entries.begin(), entries.begin() + (k - 1), entries.end(), before);
          if (sorted) std::sort(entries.begin(), entries.begin() + (k - 1), before);
        }
        for (int64_t i = 0; i < k; ++i) {
          values.as<T>()[row * k + i] = entries[static_cast<size_t>(i)].value;
          indices.as<int64_t>()[row * k + i] = entries[static_cast<size_t>(i)].index;
        }
      });
  });
  return {r.restore(values).to(input.dtype()), r.restore(indices)};
}

Dims without(const Tensor& input, int dim, bool keepdim) {
  Dims sizes = input.sizes();
  if (sizes.empty()) return sizes;
  if (keepdim)
    sizes[dim] = 1;
  else
    sizes.erase(static_cast<size_t>(dim));
  return sizes;
}
Tensor shaped(const Tensor& t, const Dims& sizes) {
  return Tensor::over(t->storage, t.dtype(), sizes, contiguous_strides(sizes), 0);
}

// One (value, index) of each row: choose(row pointer, n, value&, index&).
template <class F>
std::tuple<Tensor, Tensor> one_of_each_row(const Tensor& input, int64_t dim, bool keepdim, F&& choose) {
  const Rows r(widened(input), dim);
  Tensor values = Tensor::empty({r.rows}, r.data.dtype()), indices = Tensor::empty({r.rows}, DType::Int64);
  visit_widened(r.data.dtype(), [&]<class T>(T) {
    each_row(r, [&](int64_t row) {
      choose(r.data.as<T>() + row * r.n, r.n, values.as<T>()[row], indices.as<int64_t>()[row]);
    });
  });
  const Dims sizes = without(input, r.dim, keepdim);
  if (r.rows == 0 && count_elements(sizes) > 0)
    fail(ErrorKind::Index, "Expected reduction dim ", r.dim, " to have non-zero size.");
  return {shaped(values, sizes).to(input.dtype()), shaped(indices, sizes)};
}

// Puts the k-th smallest in its place by Hoare's selection with a median of three, as in Press et al., "Numerical
// Recipes" (2nd edition, 8.5): PyTorch's way, which decides between equal elements.
template <class T>
void select(std::vector<Entry<T>>& entries, int64_t k) {
  const auto at = [&](int64_t i) -> Entry<T>& { return entries[static_cast<size_t>(i)]; };
  const auto order = [&](int64_t low, int64_t high) {
    if (greater(at(low).value, at(high).value)) std::swap(at(low), at(high));
  };
  int64_t left = 0, right = static_cast<int64_t>(entries.size()) - 1;
  while (left + 1 < right) {
    std::swap(at(left + (right - left) / 2), at(left + 1));
    order(left + 1, right);
    order(left, right);
    order(left + 1, left);
    int64_t i = left + 1, j = right;
    const T pivot = at(left).value;
    for (;;) {
      do ++i;
      while (greater(pivot, at(i).value));
      do --j;
      while (greater(at(j).value, pivot));
      if (j < i) break;
      std::swap(at(i), at(j));
    }
    std::swap(at(left), at(j));
    if (j <= k) left = i;
    if (j >= k) right = j - 1;
  }
  if (left + 1 == right) order(left, right);
}

std::tuple<Tensor, Tensor> kthvalue(const Tensor& input, int64_t k, int64_t dim, bool keepdim) {
  const int d = wrap_dim(dim, input.ndim());
  const int64_t size = input.ndim() ? input.sizes()[d] : 1;
  LB_CHECK(size > 0, Index, "kthvalue(): Expected reduction dim ", d, " to have non-zero size.");
  LB_CHECK(k >= 1 && k <= size, Runtime, "kthvalue(): selected number k out of range for dimension ", d);
  LB_CHECK(input.dtype() != DType::Bool, NotImplemented, "\"kthvalue_cpu\" not implemented for 'Bool'");
  return one_of_each_row(input, dim, keepdim, [k](const auto* in, int64_t n, auto& value, int64_t& index) {
    auto entries = entries_of(in, n);
    select(entries, k - 1);
    value = entries[static_cast<size_t>(k - 1)].value;
    index = entries[static_cast<size_t>(k - 1)].index;
  });
}

// The lower median; NaN wins, or is passed over.
template <bool kSkipNan>
std::tuple<Tensor, Tensor> median_dim(const Tensor& input, int64_t dim, bool keepdim) {
  const int d = wrap_dim(dim, input.ndim());
  LB_CHECK(input.ndim() == 0 || input.sizes()[d] > 0, Index, "median(): Expected reduction dim ", d,
           " to have non-zero size.");
  LB_CHECK(input.dtype() != DType::Bool, NotImplemented, "\"median_out\" not implemented for 'Bool'");
  return one_of_each_row(input, dim, keepdim, [](const auto* in, int64_t n, auto& value, int64_t& index) {
    using T = std::remove_cvref_t<decltype(value)>;
    int64_t nans = 0;
    if constexpr (std::is_floating_point_v<T>)
      for (int64_t i = 0; i < n; ++i) {
        if (in[i] == in[i]) continue;
        if constexpr (!kSkipNan) {
          value = in[i];
          index = i;
          return;
        }
        ++nans;
      }
    const int64_t at = std::max<int64_t>(n - nans - 1, 0) / 2;
    if constexpr (sizeof(T) <= 4) {
      if (n <= kRadixMost) {  // a key and a position in one number
        std::vector<uint64_t> keys(static_cast<size_t>(n));
        for (int64_t i = 0; i < n; ++i)
          keys[static_cast<size_t>(i)] = uint64_t{radix_key(in[i], false)} << 32 | static_cast<uint64_t>(i);
        std::nth_element(keys.begin(), keys.begin() + at, keys.end());
        index = static_cast<int64_t>(static_cast<uint32_t>(keys[static_cast<size_t>(at)]));
        value = in[index];
        return;
      }
    }
    auto entries = entries_of(in, n);
    std::nth_element(entries.begin(), entries.begin() + at, entries.end(), [](const auto& a, const auto& b) {
      return less(a.value, b.value) || (!less(b.value, a.value) && a.index < b.index);
    });
    value = entries[static_cast<size_t>(at)].value;
    index = entries[static_cast<size_t>(at)].index;
  });
}
template <bool kSkipNan>
Tensor median_all(const Tensor& input) {
  if (input.count() == 0) {  // NaN, or what the processor makes of it as an integer
    const Tensor none = Tensor::empty({}, input.dtype());
    visit_dtype(input.dtype(), [&]<class T>(T) {
      if constexpr (std::is_same_v<T, bool>)
        *none.as<T>() = true;
      else if constexpr (std::is_integral_v<T>)
        *none.as<T>() = std::numeric_limits<T>::min();
      else
        *none.as<T>() = static_cast<T>(NAN);
    });
    return none;
  }
  const Tensor flat = shaped(input.contiguous().clone(MemoryFormat::Contiguous), {input.count()});
  return std::get<0>(median_dim<kSkipNan>(flat, 0, false));
}

std::tuple<Tensor, Tensor> mode(const Tensor& input, int64_t dim, bool keepdim) {
  const int d = wrap_dim(dim, input.ndim());
  LB_CHECK(input.ndim() == 0 || input.sizes()[d] > 0, Index, "mode(): Expected reduction dim ", d,
           " to have non-zero size.");
  return one_of_each_row(input, dim, keepdim, [](const auto* in, int64_t n, auto& value, int64_t& index) {
    auto entries = entries_of(in, n);
    std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
      return less(a.value, b.value) || (!less(b.value, a.value) && a.index < b.index);
    });
    int64_t best = 0, run = 0;
    for (int64_t i = 0; i < n; ++i) {
      const auto& entry = entries[static_cast<size_t>(i)];
      run = i > 0 && entries[static_cast<size_t>(i - 1)].value == entry.value ? run + 1 : 1;
      if (run > best) best = run, value = entry.value, index = entry.index;
    }
    // The position is that of the last of them.
    for (int64_t i = 0; i < n; ++i)
      if (in[i] == value) index = i;
  });
}

}  // namespace

LB_OPERATOR(.signature = "sort(input, dim=-1, descending=False, *, out=None) -> (values, indices)",
            .doc = R"(The elements along `dim` in order, and where each was. NaN comes last.

>>> torch.sort(torch.tensor([3, 1, 2])).indices
tensor([1, 2, 0]))",
            .forward = forward_of<sort>,
            .derivative = gradients(
                "SortBackward0",
                [](Backward& b) {
                  if (b.has(0)) b.give(0, b.scattered(b.grad(), b.result(1), b.integer(1), true));
                },
                "0:s"));
LB_OPERATOR(.signature = "sort(input, *, stable, dim=-1, descending=False, out=None) -> (values, indices)",
            .doc = R"(The same, equal elements keeping their order.

>>> torch.sort(torch.tensor([1, 0, 1]), stable=True).indices
tensor([1, 0, 2]))",
            .forward = forward_of<sort_keyword>,
            .derivative = gradients(
                "SortBackward1",
                [](Backward& b) {
                  if (b.has(0)) b.give(0, b.scattered(b.grad(), b.result(1), b.integer(2), true));
                },
                "0:s"));
LB_OPERATOR(.signature = "argsort(input, dim=-1, descending=False)",
            .doc = R"(Where the elements of the sorted tensor were.

>>> torch.argsort(torch.tensor([3, 1, 2]))
tensor([1, 2, 0]))",
            .forward = forward_of<argsort>, .derivative = kNotDifferentiable);
LB_OPERATOR(.signature = "argsort(input, *, stable, dim=-1, descending=False, out=None)",
            .doc = R"(The same, equal elements keeping their order.

>>> torch.argsort(torch.tensor([1, 0, 1]), stable=True)
tensor([1, 0, 2]))",
            .forward = forward_of<argsort_stable>, .derivative = kNotDifferentiable);
LB_OPERATOR(.signature = "msort(input, *, out=None)", .doc = R"(The tensor sorted along its first dimension.

>>> torch.msort(torch.tensor([3, 1, 2]))
tensor([1, 2, 3]))",
            .forward = forward_of<msort>, .derivative = kComposed);
LB_OPERATOR(.signature = "topk(input, k, dim=-1, largest=True, sorted=True, *, out=None) -> (values, indices)",
            .doc = R"(The k greatest (or least) elements along `dim`, in order, and where they are.

>>> torch.topk(torch.tensor([1, 3, 2]), 2).values
tensor([3, 2]))",
            .forward = forward_of<topk>,
            .derivative = gradients(
                "TopkBackward0",
                [](Backward& b) {
                  if (b.has(0)) b.give(0, b.scattered(b.grad(), b.result(1), b.integer(2), true));
                },
                "0:s"));
LB_OPERATOR(.signature = "kthvalue(input, k, dim=-1, keepdim=False, *, out=None) -> (values, indices)",
            .doc = R"(The k-th least element along `dim` (k from 1), and where it is.

>>> torch.kthvalue(torch.tensor([3, 1, 2]), 2).values
tensor(2))",
            .forward = forward_of<kthvalue>,
            .derivative = gradients(
                "KthvalueBackward0",
                [](Backward& b) {
                  if (b.has(0)) b.give(0, b.scattered(b.grad(), b.result(1), b.integer(2), b.flag(3)));
                },
                "0:s"));
LB_OPERATOR(.signature = "median(input)", .doc = R"(The median of all elements: the lower of two.

>>> torch.median(torch.tensor([3., 1., 2., 4.]))
tensor(2.))",
            .forward = forward_of<median_all<false>>,
            .derivative = LB_GRADIENT("MedianBackward0", "0:0r", b.share(g, -1, true)));
LB_OPERATOR(.signature = "median(input, dim, keepdim=False, *, out=None) -> (values, indices)",
            .doc = R"(The medians along `dim` and where they are.

>>> torch.median(torch.tensor([3., 1., 2.]), 0).indices
tensor(2))",
            .forward = forward_of<median_dim<false>>,
            .derivative = gradients(
                "MedianBackward1",
                [](Backward& b) {
                  if (b.has(0)) b.give(0, b.scattered(b.grad(), b.result(1), b.integer(1), b.flag(2)));
                },
                "0:s"));
LB_OPERATOR(.signature = "nanmedian(input)", .doc = R"(The median of the elements that are not NaN.

>>> torch.nanmedian(torch.tensor([3., float("nan"), 2.]))
tensor(2.))",
            .forward = forward_of<median_all<true>>,
            .derivative = LB_GRADIENT("NanmedianBackward0", "0:0r", b.share(g, -1, true)));
LB_OPERATOR(.signature = "nanmedian(input, dim, keepdim=False, *, out=None) -> (values, indices)",
            .doc = R"(The medians along `dim` of the elements that are not NaN.

>>> torch.nanmedian(torch.tensor([3., float("nan"), 2.]), 0).values
tensor(2.))",
            .forward = forward_of<median_dim<true>>,
            .derivative = gradients(
                "NanmedianBackward1",
                [](Backward& b) {
                  if (b.has(0)) b.give(0, b.scattered(b.grad(), b.result(1), b.integer(1), b.flag(2)));
                },
                "0:s"));
LB_OPERATOR(.signature = "mode(input, dim=-1, keepdim=False, *, out=None) -> (values, indices)",
            .doc = R"(The most frequent element along `dim` (the least of them), and where it is.

>>> torch.mode(torch.tensor([2, 1, 2])).values
tensor(2))",
            .forward = forward_of<mode>,
            .derivative = gradients(
                "ModeBackward0",
                [](Backward& b) {
                  if (b.has(0)) b.give(0, b.scattered(b.grad(), b.result(1), b.integer(1), b.flag(2)));
                },
                "0:s"));
}  // namespace lumbre::ops
