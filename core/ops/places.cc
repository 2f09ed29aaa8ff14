// Places in sorted sequences, and groups of equal elements: searchsorted, bucketize, unique.
#include <algorithm>
#include <numeric>

#include "base/threads.h"
#include "ops/gradients.h"
#include "ops/ordering.h"
#include "ops/registry.h"
#include "tensor/plan.h"

namespace lumbre::ops {

namespace {

// How many edges lie before x. Each step moves by a choice, not by a branch that half of the values would mispredict.
template <bool kRight, class T>
int64_t place_of(const T* edges, const int64_t* permutation, int64_t n, T x) {
  const auto before = [x](T edge) {
    return kRight ? !(edge > x) & !((edge != edge) & (x == x)) : (edge < x) | ((x != x) & (edge == edge));
  };
  if (n == 0) return 0;
  int64_t low = 0;
  if (permutation) {
    for (int64_t length = n; length > 1; length -= length / 2)
      low += before(edges[permutation[low + length / 2 - 1]]) * (length / 2);
    return low + before(edges[permutation[low]]);
  }
  for (int64_t length = n; length > 1; length -= length / 2) low += before(edges[low + length / 2 - 1]) * (length / 2);
  return low + before(edges[low]);
}

// The same for kTogether values at a time, whose steps do not wait for each other.
template <bool kRight, class T>
void places_of(const T* edges, int64_t n, const T* x, int64_t* places, int64_t count) {
  constexpr int64_t kTogether = 16;
  int64_t i = 0;
  for (; n > 0 && i + kTogether <= count; i += kTogether) {
    int64_t low[kTogether] = {};
    for (int64_t length = n; length > 0; length -= std::max<int64_t>(length / 2, 1)) {
      const int64_t half = std::max<int64_t>(length / 2, 1);  // the last step is over the one that is left
      for (int64_t k = 0; k < kTogether; ++k) {
        const T edge = edges[low[k] + half - 1], value = x[i + k];
        const bool before = kRight ? !(edge > value) & !((edge != edge) & (value == value))
                                   : (edge < value) | ((value != value) & (edge == edge));
        low[k] += -static_cast<int64_t>(before) & half;
      }
    }
    std::copy(low, low + kTogether, places + i);
  }
  for (; i < count; ++i) places[i] = place_of<kRight, T>(edges, nullptr, n, x[i]);
}

Tensor find_places(const Tensor& sequence, const Tensor& values, bool out_int32, bool right,
                   const std::optional<Tensor>& sorter) {
  const bool shared = sequence.ndim() == 1;
  PromotionState state;
  state.add(sequence);
  state.add(values);
  const DType common = state.result(), dtype = widened_dtype(common);
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
  visit_widened(dtype, [&]<class T>(T) {
    const T *first = edges.as<T>(), *x = wanted.as<T>();
    const int64_t* permutation = sorter ? order.as<int64_t>() : nullptr;
    int64_t* places = out.as<int64_t>();
    parallel_for(out.count(), 4096, [=](int64_t begin, int64_t end) {
      if (shared && !permutation)
        return right ? places_of<true>(first, n, x + begin, places + begin, end - begin)
                     : places_of<false>(first, n, x + begin, places + begin, end - begin);
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
  Tensor rows = widened(input);
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
  visit_widened(rows.dtype(), [&]<class T>(T) {
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
