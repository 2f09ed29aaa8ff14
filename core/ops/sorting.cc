// Orders: sort, topk, kthvalue, median, mode, unique; places in sorted sequences.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "ops/gradients.h"
#include "base/threads.h"
#include "ops/radix.h"
#include "ops/reductions.h"
#include "ops/registry.h"
#include "tensor/plan.h"

namespace lumbre::ops {

namespace {

// NaN counts as greater than every number.
template <class T>
bool less(T a, T b) {
  if constexpr (std::is_floating_point_v<T>)
    return a < b || (b != b && a == a);
  else
    return a < b;
}
template <class T>
bool greater(T a, T b) {
  return less(b, a);
}

template <class T>
struct Entry {
  T value;
  int64_t index;
};

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

template <class T>
std::vector<Entry<T>> entries_of(const T* in, int64_t n) {
  std::vector<Entry<T>> entries(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) entries[static_cast<size_t>(i)] = {in[i], i};
  return entries;
}

// Calls put(place, position) for each of n elements in order, equal ones in the order of their positions.
template <class T, class Put>
void stable_order(const T* in, int64_t n, bool descending, Put put) {
  if (n >= kRadixLeast && n <= kRadixMost) return radix_order(in, n, descending, put);
  auto entries = entries_of(in, n);
  // Ties are broken by position, which makes the order stable.
  if (descending)
    std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
      return greater(a.value, b.value) || (!less(a.value, b.value) && a.index < b.index);
    });
  else
    std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
      return less(a.value, b.value) || (!greater(a.value, b.value) && a.index < b.index);
    });
  for (int64_t i = 0; i < n; ++i) put(i, entries[static_cast<size_t>(i)].index);
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
  return {r.restore(values).to(input.dtype()), r.restore(indices)};
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
  const Rows r(input, dim);
  LB_CHECK(k >= 0 && k <= r.n, Runtime, "selected index k out of range");
  LB_CHECK(input.dtype() != DType::Bool, Runtime, "topk does not support bool dtypes on CPU");
  Tensor values = r.empty(k, r.data.dtype()), indices = r.empty(k, DType::Int64);
  visit_ordered(r.data.dtype(), [&]<class T>(T) {
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
  const Rows r(input, dim);
  Tensor values = Tensor::empty({r.rows}, r.data.dtype()), indices = Tensor::empty({r.rows}, DType::Int64);
  visit_ordered(r.data.dtype(), [&]<class T>(T) {
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

// --- places in sorted sequences -------------------------------------------------------------------------------------

// How many edges lie before x. Each step moves by a choice, not by a branch that half of the values would mispredict.
template <bool kRight, class T>
int64_t place_of(const T* edges, const int64_t* permutation, int64_t n, T x) {
  const auto before = [x](T edge) {
    return kRight ? !(edge > x) & !((edge != edge) & (x == x)) : (edge < x) | ((x != x) & (edge == edge));
  };
  if (n == 0) return 0;
  const T* base = edges;  // products, as a choice would be compiled to a branch
  int64_t low = 0;
  if (permutation) {
    for (int64_t length = n; length > 1; length -= length / 2)
      low += before(edges[permutation[low + length / 2 - 1]]) * (length / 2);
    return low + before(edges[permutation[low]]);
  }
  for (int64_t length = n; length > 1; length -= length / 2) base += before(base[length / 2 - 1]) * (length / 2);
  return base - edges + before(*base);
}

Tensor find_places(const Tensor& sequence, const Tensor& values, bool out_int32, bool right,
                   const std::optional<Tensor>& sorter) {
  const bool shared = sequence.ndim() == 1;
  PromotionState state;
  state.add(sequence);
  state.add(values);
  const DType common = state.result(), dtype = is_half(common) ? DType::Float32 : common;
  LB_CHECK(common != DType::Bool, NotImplemented, "\"searchsorted_out_cpu\" not implemented for 'Bool'");
  const Tensor edges = sequence.to(dtype).contiguous(), wanted = values.to(dtype).contiguous();
  const Tensor order = sorter ? sorter->contiguous() : Tensor();
  const int64_t n = edges.ndim() ? edges.sizes().back() : 1;
  const int64_t per_row = shared || values.ndim() == 0 ? values.count() : values.sizes().back();
  LB_CHECK(!out_int32 || n < INT32_MAX, Runtime,
           "torch.searchsorted(): the size of boundaries' last dimension should be less than ", INT32_MAX,
           ", but we got ", n);
  Tensor out = Tensor::empty(values.sizes(), DType::Int64);
  const LongWork released(out.count() >= kLongWork);
  visit_ordered(dtype, [&]<class T>(T) {
    const T *first = edges.as<T>(), *x = wanted.as<T>();
    const int64_t* permutation = sorter ? order.as<int64_t>() : nullptr;
    int64_t* places = out.as<int64_t>();
    parallel_for(out.count(), 4096, [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t row = shared ? 0 : i / per_row * n;
        places[i] = right ? place_of<true>(first + row, permutation ? permutation + row : nullptr, n, x[i])
                          : place_of<false>(first + row, permutation ? permutation + row : nullptr, n, x[i]);
      }
    });
  });
  return out_int32 ? out.to(DType::Int32) : out;
}

bool from_right(bool right, const std::optional<std::string>& side) {
  if (!side) return right;
  LB_CHECK(*side == "left" || *side == "right", Runtime,
           "torch.searchsorted(): side can only be 'left' or 'right' but got ", *side);
  LB_CHECK(!right || *side == "right", Runtime,
           "torch.searchsorted(): side and right can't be set to opposites, got side of ", *side,
           " while right was True");
  return *side == "right";
}

// A number becomes a 0-d tensor of the dtype that it and the sequence share.
Tensor wanted_values(const Tensor& sequence, const Operand& input) {
  if (input.is_tensor()) return input.tensor();
  PromotionState state;
  state.add(sequence);
  state.add(input.scalar());
  return Tensor::scalar(input.scalar(), state.result());
}

Tensor searchsorted(const Tensor& sequence, Operand input, bool out_int32, bool right, std::optional<std::string> side,
                    std::optional<Tensor> sorter) {
  const Tensor values = wanted_values(sequence, input);
  if (values.ndim() == 0)
    LB_CHECK(sequence.ndim() == 1, Runtime,
             "torch.searchsorted(): input value can be a scalar only when boundaries tensor dimension is 1, but we got "
             "boundaries tensor dim(",
             sequence.ndim(), ") and input value's dim(0) numel(1)");
  LB_CHECK(sequence.ndim() > 0, Runtime,
           "torch.searchsorted(): boundaries tensor should have positive dimension, but got 0 dimension");
  if (sequence.ndim() > 1) {
    bool fits = sequence.ndim() == values.ndim();
    for (int d = 0; fits && d + 1 < sequence.ndim(); ++d) fits = sequence.sizes()[d] == values.sizes()[d];
    LB_CHECK(fits, Runtime,
             "torch.searchsorted(): boundaries tensor should be 1 dimension or the first N-1 dimensions of boundaries "
             "tensor and input value tensor must match, but we got boundaries tensor ",
             sequence.sizes(), " and input value tensor ", values.sizes());
  }
  if (sorter) {
    LB_CHECK(sorter->sizes() == sequence.sizes(), Runtime,
             "torch.searchsorted(): boundary and sorter must have the same size, but got boundary tensor ",
             sequence.sizes(), "and got sorter tensor ", sorter->sizes());
    LB_CHECK(sorter->dtype() == DType::Int64, Runtime,
             "torch.searchsorted(): sorter must be a tensor of long dtype but got dtype ",
             dtype_title(sorter->dtype()));
    const Tensor order = sorter->contiguous();
    for (int64_t i = 0; i < order.count(); ++i)
      LB_CHECK(order.as<int64_t>()[i] >= 0 && order.as<int64_t>()[i] < sequence.sizes().back(), Runtime,
               "torch.searchsorted(): sorter index out of range");
  }
  return find_places(sequence, values, out_int32, from_right(right, side), sorter);
}

Tensor bucketize(Operand input, const Tensor& boundaries, bool out_int32, bool right) {
  LB_CHECK(boundaries.ndim() == 1, Runtime, "bucketize(): boundaries tensor must be 1 dimension, but got dim(",
           boundaries.ndim(), ")");
  const Tensor values = wanted_values(boundaries, input);
  return find_places(boundaries, values, out_int32, right, std::nullopt);
}

// --- unique ---------------------------------------------------------------------------------------------------------

// Groups of equal neighbours among `order`ed slices; equal(i, j) compares slices.
template <class Equal>
std::tuple<Tensor, Tensor, Tensor> group(const std::vector<int64_t>& order, const Equal& equal) {
  const auto n = static_cast<int64_t>(order.size());
  Tensor inverse = Tensor::empty({n}, DType::Int64);
  std::vector<int64_t> firsts, counts;
  for (int64_t i = 0; i < n; ++i) {
    const int64_t at = order[static_cast<size_t>(i)];
    if (i == 0 || !equal(order[static_cast<size_t>(i - 1)], at)) firsts.push_back(at), counts.push_back(0);
    ++counts.back();
    inverse.as<int64_t>()[at] = static_cast<int64_t>(firsts.size()) - 1;
  }
  Tensor first = Tensor::empty({static_cast<int64_t>(firsts.size())}, DType::Int64),
         count = Tensor::empty({static_cast<int64_t>(counts.size())}, DType::Int64);
  std::copy(firsts.begin(), firsts.end(), first.as<int64_t>());
  std::copy(counts.begin(), counts.end(), count.as<int64_t>());
  return {first, inverse, count};
}

// The least and the greatest of integers, where they are so near to each other that counting is quicker than sorting.
template <class T>
std::optional<std::pair<T, T>> narrow_range(const T* data, int64_t n) {
  if constexpr (std::is_integral_v<T>) {
    if (n < kRadixLeast) return std::nullopt;
    const auto [least, greatest] = std::minmax_element(data, data + n);
    if (static_cast<uint64_t>(*greatest) - static_cast<uint64_t>(*least) < static_cast<uint64_t>(n))
      return std::pair{*least, *greatest};
  }
  return std::nullopt;
}

// What group gives for stably sorted integers from `least` on, without sorting them.
template <class T>
std::tuple<Tensor, Tensor, Tensor> counted_groups(const T* data, int64_t n, T least, T greatest) {
  const auto place = [least](T x) {
    return static_cast<size_t>(static_cast<uint64_t>(x) - static_cast<uint64_t>(least));
  };
  std::vector<int64_t> counts(place(greatest) + 1), firsts(counts.size()), groups(counts.size());
  for (int64_t i = n - 1; i >= 0; --i) {
    ++counts[place(data[i])];
    firsts[place(data[i])] = i;
  }
  int64_t found = 0;
  for (size_t p = 0; p < counts.size(); ++p) {
    groups[p] = found;
    found += counts[p] != 0;
  }
  const Tensor first = Tensor::empty({found}, DType::Int64), inverse = Tensor::empty({n}, DType::Int64),
               count = Tensor::empty({found}, DType::Int64);
  for (size_t p = 0; p < counts.size(); ++p)
    if (counts[p]) first.as<int64_t>()[groups[p]] = firsts[p], count.as<int64_t>()[groups[p]] = counts[p];
  for (int64_t i = 0; i < n; ++i) inverse.as<int64_t>()[i] = groups[place(data[i])];
  return {first, inverse, count};
}

// (positions of one of each group, group of each slice, sizes): over the flattened tensor, or slices along `dim`.
std::tuple<Tensor, Tensor, Tensor> unique_groups(const Tensor& input, std::optional<int64_t> dim, bool sorted) {
  Tensor rows = is_half(input.dtype()) ? input.to(DType::Float32) : input;
  int64_t n = input.count(), width = 1;
  if (dim) {
    const int d = wrap_dim(*dim, input.ndim());
    if (input.ndim() > 0) {
      Dims sizes = rows.sizes(), strides = rows.strides();
      std::rotate(sizes.begin(), sizes.begin() + d, sizes.begin() + d + 1);
      std::rotate(strides.begin(), strides.begin() + d, strides.begin() + d + 1);
      rows = Tensor::over(rows->storage, rows.dtype(), sizes, strides, rows->offset);
      n = sizes[0];
      width = n ? input.count() / n : 0;
    }
  }
  rows = rows.contiguous();
  std::tuple<Tensor, Tensor, Tensor> result;
  visit_ordered(rows.dtype(), [&]<class T>(T) {
    const T* data = rows.as<T>();
    if (sorted && width == 1)
      if (const auto range = narrow_range(data, n)) {
        result = counted_groups(data, n, range->first, range->second);
        return;
      }
    std::vector<int64_t> order(static_cast<size_t>(n));
    std::iota(order.begin(), order.end(), 0);
    const auto compare = [&](int64_t a, int64_t b) {
      return std::lexicographical_compare(data + a * width, data + (a + 1) * width, data + b * width,
                                          data + (b + 1) * width, less<T>);
    };
    if (sorted && width == 1)
      stable_order(data, n, false, [&](int64_t i, int64_t at) { order[static_cast<size_t>(i)] = at; });
    else if (sorted)
      std::stable_sort(order.begin(), order.end(), compare);
    result = group(order, [&](int64_t a, int64_t b) {
      return std::equal(data + a * width, data + (a + 1) * width, data + b * width);
    });
  });
  return result;
}

// The distinct elements (slices), by where each first stands.
Tensor unique_values(const Tensor& input, const Tensor& first, std::optional<int64_t> dim) {
  const autograd::GradModeGuard off(false);
  if (input.ndim() == 0 || !dim) return op::call<"index_select">(op::reshape(input, {-1}), int64_t{0}, first);
  return op::call<"index_select">(input, *dim, first);
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
LB_OPERATOR(
        .signature =
            "searchsorted(sorted_sequence, input, *, out_int32=False, right=False, side=None, sorter=None, out=None)",
        .doc = R"(Where values would be inserted into a sorted sequence to keep it sorted.

>>> torch.searchsorted(torch.tensor([1, 3, 5]), torch.tensor([3, 4]))
tensor([1, 2]))",
        .forward = forward_of<searchsorted>, .derivative = kNotDifferentiable, .forms = kFunction);
LB_OPERATOR(.signature = "bucketize(input, boundaries, *, out_int32=False, right=False, out=None)",
            .doc = R"(The bucket of each value among sorted boundaries.

>>> torch.bucketize(torch.tensor([3, 6]), torch.tensor([1, 3, 5]))
tensor([1, 3]))",
            .forward = forward_of<bucketize>, .derivative = kNotDifferentiable, .forms = kFunction);
LB_OPERATOR(.signature = "_unique_groups(input, dim, sorted)",
            .doc = "The groups of equal elements (or slices): one of each, each one's group, sizes.",
            .forward = forward_of<unique_groups>, .derivative = kNotDifferentiable, .forms = kFunction,
            .decides = Decides::Elements);
// One record for each of PyTorch's operators: their nodes and refusals carry its name.
#define LB_UNIQUE_VALUES(name)                                                                      \
  LB_OPERATOR(.signature = name "(input, first, dim=None)", .doc = "The groups' values, in order.", \
              .forward = forward_of<unique_values>, .derivative = kDerivativeRefused, .forms = kFunction)
LB_UNIQUE_VALUES("_unique2");
LB_UNIQUE_VALUES("_unique_dim");
LB_UNIQUE_VALUES("_unique_consecutive");
#undef LB_UNIQUE_VALUES

}  // namespace lumbre::ops
