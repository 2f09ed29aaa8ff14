// Advanced indexing: tensor[index tensors], and writing through it.
#include "ops/gradients.h"
#include "ops/indexing.h"

#include <atomic>
#include <cstring>

#include "base/threads.h"
#include "base/warning.h"
#include "kernels/index.h"
#include "ops/views.h"

namespace lumbre::ops {

namespace {

template <class T>
using Wide = std::conditional_t<is_half_type<T>, float, T>;

template <class T, Update rule>
T combined(T a, T b) {
  const Wide<T> x = static_cast<Wide<T>>(a), y = static_cast<Wide<T>>(b);
  if constexpr (std::is_same_v<T, bool>) {
    if constexpr (rule == Update::Multiply || rule == Update::Minimum)
      return x && y;
    else
      return x || y;
  } else if constexpr (rule == Update::Add) {
    if constexpr (std::is_integral_v<T>)
      return static_cast<T>(static_cast<uint64_t>(x) + static_cast<uint64_t>(y));
    else
      return T(x + y);
  } else if constexpr (rule == Update::Multiply) {
    if constexpr (std::is_integral_v<T>)
      return static_cast<T>(static_cast<uint64_t>(x) * static_cast<uint64_t>(y));
    else
      return T(x * y);
  } else if constexpr (rule == Update::Maximum) {
    return x != x || x > y ? a : b;
  } else {
    return x != x || x < y ? a : b;
  }
}

template <class T, Update rule>
void combine_items(char* const* data, const int64_t* strides, int64_t count, const void*) {
  if (strides[2] == 0 && strides[0] == sizeof(T) && strides[1] == sizeof(T)) {
    T* target = reinterpret_cast<T*>(data[0] + *reinterpret_cast<const int64_t*>(data[2]));
    const T* values = reinterpret_cast<const T*>(data[1]);
    if constexpr (rule == Update::Add) return add_loop(dtype_of<T>)(target, values, count);
#pragma GCC ivdep
    for (int64_t i = 0; i < count; ++i) target[i] = combined<T, rule>(target[i], values[i]);
    return;
  }
  for (int64_t i = 0; i < count; ++i) {
    const int64_t offset = *reinterpret_cast<const int64_t*>(data[2] + i * strides[2]);
    T* target = reinterpret_cast<T*>(data[0] + i * strides[0] + offset);
    *target = combined<T, rule>(*target, *reinterpret_cast<const T*>(data[1] + i * strides[1]));
  }
}

bool is_mask(const Tensor& index) { return index.dtype() == DType::Bool || index.dtype() == DType::UInt8; }

// Index tensors per dimension, masks replaced by the positions of their true elements.
std::vector<Tensor> expand_masks(const Tensor& input, const std::vector<Tensor>& indices) {
  std::vector<Tensor> result;
  for (const Tensor& index : indices) {
    if (!index.defined()) {
      result.emplace_back();
    } else if (is_mask(index)) {
      for (int j = 0; j < index.ndim(); ++j) {
        const size_t at = result.size() + static_cast<size_t>(j);
        LB_CHECK(at < input.sizes().size() && index.sizes()[j] == input.sizes()[at], Index, "The shape of the mask ",
                 index.sizes(), " at index ", j, " does not match the shape of the indexed tensor ", input.sizes(),
                 " at index ", at);
      }
      for (Tensor& column : nonzero_columns(index)) result.push_back(std::move(column));
    } else {
      LB_CHECK(index.dtype() == DType::Int64 || index.dtype() == DType::Int32, Index,
               "tensors used as indices must be long, int, byte or bool tensors");
      result.push_back(index);
    }
  }
  LB_CHECK(result.size() <= input.sizes().size(), Index, "too many indices for tensor of dimension ", input.ndim(),
           " (got ", result.size(), ")");
  return result;
}

// What an indexing reaches: the result's sizes, the tensor with stride 0 where indices move, and byte offsets.
struct Reach {
  Tensor source;
  Tensor offsets;
};

Dims common_sizes(const std::vector<Tensor>& indices) {
  Dims sizes;
  bool first = true, fits = true;
  for (const Tensor& index : indices) {
    if (!index.defined()) continue;
    if (first)
      sizes = index.sizes();
    else if (sizes != index.sizes()) {
      try {
        sizes = broadcast_sizes(sizes, index.sizes());
      } catch (const Error&) {
        fits = false;
        break;
      }
    }
    first = false;
  }
  if (fits) return sizes;
  std::string shapes;
  for (const Tensor& index : indices)
    if (index.defined()) shapes += text(shapes.empty() ? "" : ", ", index.sizes());
  fail(ErrorKind::Index, "shape mismatch: indexing tensors could not be broadcast together with shapes ", shapes);
}

// Where indices point, in bytes from the source's first element, in their common sizes; checked unless there is nothing
// to move.
Tensor byte_offsets(const Tensor& input, const std::vector<Tensor>& indices, const Dims& common, bool empty) {
  if (empty) return Tensor::zeros(common, DType::Int64);
  Tensor offsets;
  int used = 0;
  for (int d = 0; d < static_cast<int>(indices.size()); ++d) {
    const Tensor& index = indices[static_cast<size_t>(d)];
    if (!index.defined()) continue;
    const Tensor one = index.sizes() == common ? index : expand(index, common);
    const int64_t stride = input.strides()[d] * static_cast<int64_t>(input.item_bytes());
    const Tensor along = offsets_along(one, used++, input.sizes()[d], stride, true, ErrorKind::Index);
    if (!offsets.defined())
      offsets = along;
    else
      for (int64_t i = 0; i < along.count(); ++i) offsets.as<int64_t>()[i] += along.as<int64_t>()[i];
  }
  return offsets;
}

// Adjacent indices leave their dimensions in place; otherwise the result begins with them.
bool adjacent(const std::vector<Tensor>& indices) {
  const auto defined = [](const Tensor& t) { return t.defined(); };
  const auto first = std::find_if(indices.begin(), indices.end(), defined);
  const auto gap = std::find_if_not(first, indices.end(), defined);
  return std::none_of(gap, indices.end(), defined);
}

// Values to be written must broadcast to `sizes` and have the dtype.
void check_values(const Tensor& values, const Dims& sizes, DType dtype) {
  bool fits = values.ndim() <= sizes.ndim();
  for (int d = 1; fits && d <= values.ndim(); ++d) {
    const int64_t size = values.sizes()[values.ndim() - d];
    fits = size == 1 || size == sizes[sizes.ndim() - d];
  }
  LB_CHECK(fits, Runtime, "shape mismatch: value tensor of shape ", values.sizes(),
           " cannot be broadcast to indexing result of shape ", sizes);
  LB_CHECK(dtype == values.dtype(), Runtime, "Index put requires the source and destination dtypes match, got ",
           dtype_title(dtype), " for the destination and ", dtype_title(values.dtype()), " for the source.");
}

Reach reach_of(const Tensor& input, const std::vector<Tensor>& indices, const Tensor* values = nullptr) {
  const Dims common = common_sizes(indices), common_strides = contiguous_strides(common);
  Dims sizes, strides, offset_strides;
  const auto place = [&] {
    for (size_t i = 0; i < common.size(); ++i) {
      sizes.push_back(common[i]);
      strides.push_back(0);
      offset_strides.push_back(common_strides[i]);
    }
  };
  const bool in_place = adjacent(indices);
  bool placed = !in_place;
  if (placed) place();
  for (int d = 0; d < input.ndim(); ++d) {
    if (d < static_cast<int>(indices.size()) && indices[static_cast<size_t>(d)].defined()) {
      if (!placed) place();
      placed = true;
      continue;
    }
    sizes.push_back(input.sizes()[d]);
    strides.push_back(input.strides()[d]);
    // Dimensions of size 1 have the stride that a reshaped index would have: it decides the result's layout.
    offset_strides.push_back(sizes.back() != 1 ? 0 : placed ? 1 : count_elements(common));
  }
  for (int d = 0; d < static_cast<int>(indices.size()); ++d)
    LB_CHECK(!indices[static_cast<size_t>(d)].defined() || input.sizes()[d] != 0 || count_elements(common) == 0, Index,
             "index is out of bounds for dimension with size 0");
  if (values) check_values(*values, sizes, input.dtype());
  const bool empty = std::find(sizes.begin(), sizes.end(), 0) != sizes.end();
  const Tensor offsets = byte_offsets(input, indices, common, empty);
  Tensor expanded = Tensor::over(offsets->storage, DType::Int64, sizes, offset_strides, 0);
  return {with_geometry(input, std::move(sizes), std::move(strides)), std::move(expanded)};
}

// The one dimension that is indexed, when it is indexed by one integer tensor.
int single_dim(const std::vector<Tensor>& indices) {
  int found = -1;
  for (int d = 0; d < static_cast<int>(indices.size()); ++d) {
    if (!indices[static_cast<size_t>(d)].defined()) continue;
    if (found >= 0) return -1;
    found = d;
  }
  return found;
}

bool any_defined(const std::vector<Tensor>& indices) {
  return std::any_of(indices.begin(), indices.end(), [](const Tensor& t) { return t.defined(); });
}

}  // namespace

Loop fetch_loop(size_t item_bytes) { return move_loops(item_bytes).fetch; }

Loop update_loop(DType dtype, Update rule) {
  if (rule == Update::Set) return move_loops(item_size(dtype)).set;
  return visit_dtype(dtype, [rule]<class T>(T) -> Loop {
    switch (rule) {
      case Update::Mean:
      case Update::Add:
        return &combine_items<T, Update::Add>;
      case Update::Multiply:
        return &combine_items<T, Update::Multiply>;
      case Update::Maximum:
        return &combine_items<T, Update::Maximum>;
      case Update::Minimum:
        return &combine_items<T, Update::Minimum>;
      case Update::Set:
        break;
    }
    return nullptr;
  });
}

Tensor integer_index(const Tensor& index) { return index.to(DType::Int64).contiguous(); }

static int64_t first_outside(const int64_t* at, int64_t count, int64_t lowest, int64_t size) {
  return *std::find_if(at, at + count, [=](int64_t x) { return x < lowest || x >= size; });
}

Tensor offsets_along(const Tensor& index, int64_t dim, int64_t size, int64_t stride_bytes, bool allow_negative,
                     ErrorKind kind, const char* prefix) {
  const Tensor positions = integer_index(index);
  Tensor offsets = Tensor::empty(index.sizes(), DType::Int64);
  const int64_t* in = positions.as<int64_t>();
  int64_t* out = offsets.as<int64_t>();
  const int64_t lowest = allow_negative ? -size : 0;
  const auto place = place_loop();
  std::atomic<bool> fits = true;
  parallel_for(positions.count(), kGrain, [&](int64_t begin, int64_t end) {
    if (!place(in + begin, end - begin, lowest, size, stride_bytes, out + begin)) fits = false;
  });
  if (!fits)
    fail(kind, prefix, "index ", first_outside(in, positions.count(), lowest, size), " is out of bounds for dimension ",
         dim, " with size ", size);
  return offsets;
}

Tensor fetch(const Tensor& source, const Tensor& offsets) {
  Plan plan;
  plan.add_new_output(source.dtype());
  plan.add_input(source);
  plan.add_input(offsets);
  plan.build("index");
  const DType dtypes[3] = {source.dtype(), source.dtype(), DType::Int64};
  plan.run(fetch_loop(source.item_bytes()), dtypes, nullptr);
  return plan.output();
}

namespace {

// Dimension along which no two elements of the target are the same; 0 where there is none of more than one.
int free_dimension(const Tensor& target) {
  int found = 0;
  for (int d = 0; d < target.ndim(); ++d)
    if (target.strides()[d] != 0 && (target.strides()[found] == 0 || target.sizes()[d] > target.sizes()[found]))
      found = d;
  return found;
}

void plan_update(Plan& plan, const Tensor& target, const Tensor& values, const Tensor& offsets) {
  // All are inputs to the plan: the target's stride 0 is meant, and positions may repeat.
  plan.add_input(target);
  plan.add_input(values);
  plan.add_input(offsets);
  plan.build("index_put_");
}

}  // namespace

void update(const Tensor& target, const Tensor& values, const Tensor& offsets, Update rule) {
  const DType dtypes[3] = {target.dtype(), values.dtype(), DType::Int64};
  const Loop loop = update_loop(target.dtype(), rule);
  const int dim = target.ndim() ? free_dimension(target) : 0;
  const int64_t size = target.ndim() && target.strides()[dim] != 0 ? target.sizes()[dim] : 1;
  // Long parts are quicker: two for each thread, so that one may be held up.
  const int64_t threads = num_threads(), most = threads > 1 ? 2 * threads : 1;
  const int64_t parts = std::min({target.count() / kGrain, size / 64, most});
  if (parts < 2 || offsets.sizes() != target.sizes()) {
    Plan plan;
    plan_update(plan, target, values, offsets);
    return plan.run_serial(loop, dtypes, nullptr);
  }
  // Positions along a dimension that offsets do not move meet no element twice: each part of them keeps the order.
  const Tensor source = values.sizes() == target.sizes() ? values : expand(values, target.sizes());
  std::vector<Plan> plans(static_cast<size_t>(parts));
  for (int64_t p = 0; p < parts; ++p) {
    const int64_t from = size * p / parts, length = size * (p + 1) / parts - from;
    const auto part = [=](const Tensor& t) { return narrow(t, dim, from, length); };
    plan_update(plans[static_cast<size_t>(p)], part(target), part(source), part(offsets));
  }
  const LongWork released(target.count() >= kLongWork);
  parallel_for(parts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) plans[static_cast<size_t>(p)].run_serial(loop, dtypes, nullptr);
  });
}

Tensor take_rows(const Tensor& input, int dim, const Tensor& index) {
  int64_t outer = 1, inner = 1;
  Dims sizes;
  for (int d = 0; d < dim; ++d) {
    outer *= input.sizes()[d];
    sizes.push_back(input.sizes()[d]);
  }
  for (int64_t size : index.sizes()) sizes.push_back(size);
  for (int d = dim + 1; d < input.ndim(); ++d) {
    inner *= input.sizes()[d];
    sizes.push_back(input.sizes()[d]);
  }
  Tensor result = Tensor::empty(sizes, input.dtype());
  const int64_t count = index.count(), size = input.sizes()[dim];
  const auto bytes = inner * static_cast<int64_t>(input.item_bytes());
  if (result.count() == 0) return result;
  const int64_t* at = index.as<int64_t>();
  const char* in = input.bytes();
  char* out = result.bytes();
  if (inner == 1) {
    const auto item = static_cast<int64_t>(input.item_bytes());
    const auto take = move_loops(input.item_bytes()).take;
    const auto copy = [=](int64_t begin, int64_t end) {
      for (int64_t o = begin; o < end; ++o) take(out + o * count * item, in + o * size * item, at, count, size);
    };
    if (result.count() < kGrain)
      copy(0, outer);
    else if (outer > 1)
      parallel_for(outer, std::max<int64_t>(1, kGrain / count), copy);
    else
      parallel_for(count, kGrain,
                   [=](int64_t begin, int64_t end) { take(out + begin * item, in, at + begin, end - begin, size); });
    return result;
  }
  const auto copy = [=](int64_t begin, int64_t end) {
    int64_t o = begin / count, i = begin % count;
    for (int64_t k = begin; k < end; ++k) {
      const int64_t row = o * size + at[i] + (at[i] < 0 ? size : 0);
      std::memcpy(out + k * bytes, in + row * bytes, static_cast<size_t>(bytes));
      if (++i == count) {
        i = 0;
        ++o;
      }
    }
  };
  if (result.count() < kGrain)
    copy(0, outer * count);
  else
    parallel_for(outer * count, std::max<int64_t>(1, kGrain / inner), copy);
  return result;
}

Tensor index(const Tensor& input, const std::vector<Tensor>& given) {
  LB_CHECK(any_defined(given), Value, "at least one index must be provided");
  if (given.size() == 1 && is_mask(given[0]) && given[0].ndim() == input.ndim() && given[0].sizes() == input.sizes())
    return masked_select(input, given[0].dtype() == DType::Bool ? given[0] : given[0].to(DType::Bool));
  const std::vector<Tensor> indices = expand_masks(input, given);
  const int dim = single_dim(indices);
  if (dim >= 0 && input.is_contiguous()) {
    const Tensor positions = integer_index(indices[static_cast<size_t>(dim)]);
    const int64_t size = input.sizes()[dim];
    LB_CHECK(size != 0 || positions.count() == 0, Index, "index is out of bounds for dimension with size 0");
    const int64_t* at = positions.as<int64_t>();
    const int64_t checked = input.count() == 0 ? 0 : positions.count();
    for (int64_t i = 0; i < checked; ++i)
      LB_CHECK(at[i] >= -size && at[i] < size, Index, "index ", at[i], " is out of bounds for dimension 0 with size ",
               size);
    return take_rows(input, dim, positions);
  }
  const Reach reach = reach_of(input, indices);
  return fetch(reach.source, reach.offsets);
}

namespace {
bool has_one_mask(const std::vector<Tensor>& indices) {
  const auto defined = [](const Tensor& t) { return t.defined(); };
  const auto found = std::find_if(indices.begin(), indices.end(), defined);
  return found != indices.end() && is_mask(*found) && std::none_of(found + 1, indices.end(), defined);
}
}  // namespace

void index_put(const Tensor& target, const std::vector<Tensor>& given, const Tensor& given_values, bool accumulate,
               bool trim) {
  Tensor values = given_values;
  LB_CHECK(any_defined(given), Value, "at least one index must be provided");
  if (is_expanded(target))
    warn(
        "Use of index_put_ on expanded tensors is deprecated. Please clone() the tensor before performing this "
        "operation. This also applies to advanced indexing e.g. tensor[indices] = tensor");
  // One value under one mask is converted; any other must have the target's dtype.
  if (!accumulate && values.count() == 1 && has_one_mask(given)) {
    const auto found = std::find_if(given.begin(), given.end(), [](const Tensor& t) { return t.defined(); });
    const Tensor& mask = *found;
    const bool whole = given.size() == 1 && mask.sizes() == target.sizes();
    if (!whole) expand_masks(target, given);  // checks their sizes
    LB_CHECK(mask.dtype() == DType::Bool, Runtime,
             "masked_fill_ only supports boolean masks, but got mask with dtype unsigned char");
    if (whole || is_expanded(target)) {
      Dims sizes = mask.sizes();
      while (sizes.ndim() < target.ndim() - (found - given.begin())) sizes.push_back(1);
      return masked_fill(target, reshape(mask, sizes), values.item());
    }
    values = Tensor::scalar(values.item(), target.dtype());
  }
  while (trim && values.ndim() > 0 && values.sizes()[0] == 1) values = select(values, 0, 0);
  const Reach reach = reach_of(target, expand_masks(target, given), &values);
  const Tensor source = values.shares_storage(target) ? values.clone() : values;
  update(reach.source, source, reach.offsets, accumulate ? Update::Add : Update::Set);
}

namespace {

// tensor[...] leaves an undefined entry for each further dimension of a mask; the public form has none.
std::vector<Tensor> without_mask_fillers(const std::vector<Tensor>& indices) {
  std::vector<Tensor> result;
  for (size_t i = 0; i < indices.size(); ++i) {
    result.push_back(indices[i]);
    if (indices[i].defined() && is_mask(indices[i])) i += static_cast<size_t>(std::max(indices[i].ndim(), 1) - 1);
  }
  return result;
}

Tensor index_hidden(const Tensor& input, OptionalTensors indices) {
  return index(input, without_mask_fillers(indices.list));
}

Tensor index_put_hidden(const Out& out, const Tensor& input, OptionalTensors indices, const Tensor& values,
                        bool accumulate) {
  const Tensor target = out.in_place() ? input : input.clone();
  index_put(target, without_mask_fillers(indices.list), values, accumulate, true);
  if (out.in_place()) target.bump_version();
  return target;
}

Tensor index_put_public(const Out& out, const Tensor& input, OptionalTensors indices, const Tensor& values,
                        bool accumulate) {
  const Tensor target = out.in_place() ? input : input.clone();
  index_put(target, indices.list, values, accumulate, false);
  if (out.in_place()) target.bump_version();
  return target;
}

LB_OPERATOR(.signature = "_index(input, indices)",
            .doc = R"(tensor[...] with index tensors: one entry per dimension, None where a dimension is whole.

>>> torch.arange(3)[torch.tensor([2, 0])]
tensor([2, 0]))",
            .forward = forward_of<index_hidden>, .derivative = gradients("IndexBackward0", index_gradient, "0:1"),
            .forms = kHidden, .decides = Decides::Masks);
LB_OPERATOR(.signature = "_index_put(input, indices, values, accumulate=False)",
            .doc = R"(tensor[...] = values with index tensors, as _index reads.

>>> t = torch.zeros(3)
>>> t[torch.tensor([2, 0])] = 1.0
>>> t
tensor([1., 0., 1.]))",
            .forward = forward_of<index_put_hidden>,
            .derivative = gradients("IndexPutBackward0", index_put_gradient, "0:1 2:1"), .forms = kInPlace);
LB_OPERATOR(.signature = "index_put(input, indices, values, accumulate=False)",
            .doc =
                R"(Writes values, broadcast, where a tuple of index tensors points; adds them when accumulate is true.

>>> torch.zeros(3).index_put((torch.tensor([2, 2]),), torch.ones(2), accumulate=True)
tensor([0., 0., 2.]))",
            .forward = forward_of<index_put_public>,
            .derivative = gradients("IndexPutBackward0", index_put_gradient, "0:1 2:1"),
            .forms = kEveryForm | kInPlaceFunction);

}  // namespace
}  // namespace lumbre::ops
