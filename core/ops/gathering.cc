// Reading and writing along one dimension: gather, scatter, the index_ family, take and put.
#include <atomic>
#include <limits>

#include "kernels/index.h"
#include "ops/gradients.h"
#include "ops/indexing.h"
#include "ops/views.h"

namespace lumbre::ops {

namespace {

Tensor at_least_1d(const Tensor& t) { return t.ndim() == 0 ? with_geometry(t, {1}, {1}) : t; }

bool is_index_type(const Tensor& index) { return index.dtype() == DType::Int64 || index.dtype() == DType::Int32; }

// A tensor as an index of `sizes` reaches it along `dim`.
Tensor along(const Tensor& tensor, int dim, const Dims& sizes) {
  Dims strides = tensor.strides();
  strides[dim] = 0;
  return with_geometry(tensor, sizes, std::move(strides));
}

int64_t stride_bytes(const Tensor& t, int dim) {
  return checked_multiply(t.strides()[dim], static_cast<int64_t>(t.item_bytes()));
}

}  // namespace

namespace {
void run_fetch(const Tensor& result, const Tensor& input, int d, const Tensor& places, Loop loop, const void* context) {
  Plan plan;
  plan.add_output(at_least_1d(result));
  plan.add_input(along(input, d, places.sizes()));
  plan.add_input(places);
  plan.build_fixed("gather");
  const DType dtypes[3] = {input.dtype(), input.dtype(), DType::Int64};
  plan.run(loop, dtypes, context);
}

// Into a new result, with positions as they lie; false where one is outside.
bool gather_inside(const Tensor& result, const Tensor& input, int d, const Tensor& index) {
  std::atomic<bool> outside{false};
  const Positions positions{input.sizes()[d], stride_bytes(input, d), &outside};
  run_fetch(result, input, d, index, move_loops(input.item_bytes()).gather, &positions);
  return !outside;
}

Tensor gather_from(const Tensor& given, int64_t dim, const Tensor& given_index, bool allow_negative) {
  LB_CHECK(is_index_type(given_index) || given_index.count() == 0, Runtime,
           "gather(): Expected dtype int32/int64 for index");
  const int d = wrap_dim(dim, given.ndim());
  Tensor result = Tensor::empty(given_index.sizes(), given.dtype());
  if (given_index.count() == 0) return result;
  const Tensor input = at_least_1d(given), index = at_least_1d(given_index);
  LB_CHECK(input.ndim() == index.ndim(), Runtime,
           "Index tensor must have the same number of dimensions as input tensor");
  for (int i = 0; i < input.ndim(); ++i)
    LB_CHECK(i == d || index.sizes()[i] <= input.sizes()[i], Runtime, "Size does not match at dimension ", i,
             " expected index ", index.sizes(), " to be no larger than self ", input.sizes(), " apart from dimension ",
             d);
  const bool plain = index.dtype() == DType::Int64 && !allow_negative && input.count() > 0;
  if (plain && gather_inside(result, input, d, index)) return result;
  const Tensor offsets =
      offsets_along(index, d, input.sizes()[d], stride_bytes(input, d), allow_negative, ErrorKind::Runtime);
  run_fetch(result, input, d, offsets, fetch_loop(input.item_bytes()), nullptr);
  return result;
}
}  // namespace

Tensor gather(const Tensor& input, int64_t dim, const Tensor& index, bool) {
  return gather_from(input, dim, index, false);
}

Tensor index_select(const Tensor& given, int64_t dim, const Tensor& index) {
  LB_CHECK(index.ndim() <= 1, Index, "index_select(): Index is supposed to be a vector");
  LB_CHECK(is_index_type(index), Runtime, "index_select(): Expected dtype int32 or int64 for index");
  const int d = wrap_dim(dim, given.ndim());
  LB_CHECK(given.ndim() > 0 || index.count() == 1, Runtime,
           "index_select(): Index to scalar can have only 1 value, got ", index.count(), " value(s)");
  const Tensor positions = at_least_1d(integer_index(index)), input = at_least_1d(given);
  const int64_t size = input.sizes()[d];
  const bool rows = input.ndim() > 1;
  LB_CHECK(!rows || size > 0 || positions.count() == 0, Runtime,
           "index_select(): self indexing axis dim should be positive");
  for (int64_t i = 0; i < positions.count(); ++i) {
    const int64_t at = positions.as<int64_t>()[i];
    const bool fits = at >= 0 && at < size;
    LB_CHECK(fits || !rows || (d != 1 && input.count() > 0), Runtime, "INDICES element is out of DATA bounds, id=", at,
             " axis_dim=", size);
    LB_CHECK(fits, Index, "index out of range in self");
  }
  if (input.is_contiguous()) {
    const Tensor rows = take_rows(input, d, positions);
    return given.ndim() == 0 ? view(rows, {}) : rows;
  }
  Dims sizes = input.sizes();
  sizes[d] = positions.count();
  Tensor result = Tensor::empty(sizes, input.dtype());
  if (result.count() == 0) return result;
  const Tensor offsets = offsets_along(positions, d, size, stride_bytes(input, d), false, ErrorKind::Index);
  Dims steps(sizes.size(), 0);
  steps[d] = 1;
  Plan plan;
  plan.add_output(result);
  plan.add_input(along(input, d, sizes));
  plan.add_input(with_geometry(offsets, sizes, steps));
  plan.build_fixed("index_select");
  const DType dtypes[3] = {input.dtype(), input.dtype(), DType::Int64};
  plan.run(fetch_loop(input.item_bytes()), dtypes, nullptr);
  return result;
}

namespace {

Tensor give_gather(const Out& out, const Tensor& input, int64_t dim, const Tensor& index, bool) {
  return give_apart(out, gather_from(input, dim, index, false), {&input, &index}, true);
}
Tensor give_index_select(const Out& out, const Tensor& input, int64_t dim, const Tensor& index) {
  return give_apart(out, index_select(input, dim, index), {&input, &index});
}

// --- scatter --------------------------------------------------------------------------------------------------------

void check_scatter(const Tensor& input, int dim, const Tensor& index, const Tensor* src) {
  LB_CHECK(is_index_type(index) || index.count() == 0, Runtime, "scatter(): Expected dtype int32/int64 for index");
  LB_CHECK(!src || src->dtype() == input.dtype(), Runtime, "scatter(): Expected self.dtype to be equal to src.dtype");
  if (index.count() == 0) return;
  LB_CHECK(index.ndim() == input.ndim(), Runtime,
           "Index tensor must have the same number of dimensions as self tensor");
  bool fits = true;
  for (int d = 0; d < input.ndim(); ++d) fits &= d == dim || index.sizes()[d] <= input.sizes()[d];
  if (!src) {
    LB_CHECK(fits, Runtime, "Expected index ", index.sizes(), " to be no larger than self ", input.sizes(),
             " apart from dimension ", dim);
    return;
  }
  LB_CHECK(index.ndim() == src->ndim(), Runtime, "Index tensor must have the same number of dimensions as src tensor");
  for (int d = 0; d < input.ndim(); ++d) fits &= index.sizes()[d] <= src->sizes()[d];
  LB_CHECK(fits, Runtime, "Expected index ", index.sizes(), " to be no larger than self ", input.sizes(),
           " apart from dimension ", dim, " and to be no larger size than src ", src->sizes());
}

// target[..., index, ...] <- values by the rule; shapes are checked, indices are checked here.
void scatter_into(const Tensor& given, int dim, const Tensor& given_index, const Tensor& values, Update rule) {
  if (given_index.count() == 0) return;
  check_no_internal_overlap(given);
  const Tensor target = at_least_1d(given), index = at_least_1d(given_index);
  const Tensor offsets =
      offsets_along(index, dim, target.sizes()[dim], stride_bytes(target, dim), false, ErrorKind::Runtime);
  const Tensor source = values.shares_storage(target) ? values.clone() : values;
  update(along(target, dim, index.sizes()), source, offsets, rule);
}

Tensor scatter_from(const Out& out, const Tensor& given, int64_t dim, const Tensor& given_index,
                    const Tensor& given_src, Update rule) {
  const int d = wrap_dim(dim, given.ndim());
  const Tensor input = at_least_1d(given), index = at_least_1d(given_index), src = at_least_1d(given_src);
  check_scatter(input, d, index, &src);
  const Tensor target = out.in_place() ? given : given.clone(MemoryFormat::Contiguous);
  if (index.count() > 0) {
    const Tensor values = with_geometry(src, index.sizes(), src.strides());
    // Sums of half types are kept in float and rounded once.
    if (rule != Update::Set && is_half(given.dtype())) {
      const Tensor wide = target.to(DType::Float32);
      scatter_into(wide, d, index, values.to(DType::Float32), rule);
      target.copy_from(wide);
    } else {
      scatter_into(target, d, index, values, rule);
    }
  }
  if (out.in_place()) target.bump_version();
  return out.in_place() ? target : out.give(target);
}

Tensor scatter_number(const Out& out, const Tensor& given, int64_t dim, const Tensor& given_index, Scalar value,
                      Update rule) {
  const int d = wrap_dim(dim, given.ndim());
  const Tensor input = at_least_1d(given), index = at_least_1d(given_index);
  check_scatter(input, d, index, nullptr);
  const Tensor target = out.in_place() ? given : given.clone(MemoryFormat::Contiguous);
  if (index.count() > 0)
    scatter_into(target, d, index, expand(Tensor::scalar(value, given.dtype()), index.sizes()), rule);
  if (out.in_place()) target.bump_version();
  return out.in_place() ? target : out.give(target);
}

Update scatter_rule(const std::string& reduce) {
  if (reduce == "add") return Update::Add;
  LB_CHECK(reduce == "multiply", Runtime, "reduce argument must be either add or multiply.");
  return Update::Multiply;
}

Tensor scatter_src(const Out& out, const Tensor& input, int64_t dim, const Tensor& index, const Tensor& src) {
  return scatter_from(out, input, dim, index, src, Update::Set);
}
Tensor scatter_src_reduce(const Out& out, const Tensor& input, int64_t dim, const Tensor& index, const Tensor& src,
                          const std::string& reduce) {
  return scatter_from(out, input, dim, index, src, scatter_rule(reduce));
}
Tensor scatter_value(const Out& out, const Tensor& input, int64_t dim, const Tensor& index, Scalar value) {
  return scatter_number(out, input, dim, index, value, Update::Set);
}
Tensor scatter_value_reduce(const Out& out, const Tensor& input, int64_t dim, const Tensor& index, Scalar value,
                            const std::string& reduce) {
  return scatter_number(out, input, dim, index, value, scatter_rule(reduce));
}
Tensor scatter_add(const Out& out, const Tensor& input, int64_t dim, const Tensor& index, const Tensor& src) {
  return scatter_from(out, input, dim, index, src, Update::Add);
}

// --- reductions into places -----------------------------------------------------------------------------------------

Scalar identity_of(DType dtype, Update rule) {
  if (rule == Update::Multiply) return Scalar(1);
  if (rule != Update::Maximum && rule != Update::Minimum) return Scalar(0);
  const bool highest = rule == Update::Minimum;
  return visit_dtype(dtype, [&]<class T>(T) -> Scalar {
    if constexpr (std::is_same_v<T, bool>)
      return Scalar(highest);
    else if constexpr (is_half_type<T> || std::is_floating_point_v<T>)
      return Scalar(highest ? std::numeric_limits<double>::infinity() : -std::numeric_limits<double>::infinity());
    else
      return Scalar(static_cast<int64_t>(highest ? std::numeric_limits<T>::max() : std::numeric_limits<T>::min()));
  });
}

// target /= counts, rounding integers down; both row-major.
void divide_by_counts(const Tensor& target, const Tensor& counts) {
  const int64_t* n = counts.as<int64_t>();
  visit_dtype(target.dtype(), [&]<class T>(T) {
    T* out = target.as<T>();
    for (int64_t i = 0; i < target.count(); ++i) {
      const int64_t by = n[i];
      if (by <= 1) continue;
      if constexpr (std::is_same_v<T, bool>) {
        continue;
      } else if constexpr (std::is_integral_v<T>) {
        const auto value = static_cast<int64_t>(out[i]);
        out[i] = static_cast<T>(value / by - (value % by < 0));
      } else {
        using Wide = std::conditional_t<is_half_type<T>, float, T>;
        out[i] = T(static_cast<Wide>(out[i]) / static_cast<Wide>(by));
      }
    }
  });
}

// Applies write(target, values, rule) to a row-major copy, with starting values and counts as the reduction needs.
template <class Write>
Tensor reduce_into(const Tensor& input, const Tensor& values, Update rule, bool include_self, Write write) {
  const bool wide = is_half(input.dtype());
  const DType dtype = wide ? DType::Float32 : input.dtype();
  Tensor work = Tensor::empty(input.sizes(), dtype);
  work.copy_from(input);
  const Tensor source = values.to(dtype);
  if (!include_self) write(work, expand(Tensor::scalar(identity_of(dtype, rule), dtype), source.sizes()), Update::Set);
  write(work, source, rule);
  if (rule == Update::Mean) {
    const Tensor counts = Tensor::full(input.sizes(), Scalar(include_self ? 1 : 0), DType::Int64);
    write(counts, expand(Tensor::scalar(Scalar(1), DType::Int64), source.sizes()), Update::Add);
    divide_by_counts(work, counts);
  }
  return wide ? work.to(input.dtype()) : work;
}

Tensor give_reduced(const Out& out, const Tensor& input, const Tensor& result) {
  if (!out.in_place()) return out.give(result);
  input.copy_from(result);
  input.bump_version();
  return input;
}

std::optional<Update> reduction_named(const std::string& name) {
  if (name == "prod") return Update::Multiply;
  if (name == "mean") return Update::Mean;
  if (name == "amax") return Update::Maximum;
  if (name == "amin") return Update::Minimum;
  return std::nullopt;
}

Tensor scatter_reduce(const Out& out, const Tensor& given, int64_t dim, const Tensor& given_index,
                      const Tensor& given_src, const std::string& reduce, bool include_self) {
  const int d = wrap_dim(dim, given.ndim());
  const std::optional<Update> rule = reduce == "sum" ? Update::Add : reduction_named(reduce);
  LB_CHECK(rule, Runtime, "reduce argument must be either sum, prod, mean, amax or amin, got ", reduce);
  const Tensor input = at_least_1d(given), index = at_least_1d(given_index), src = at_least_1d(given_src);
  check_scatter(input, d, index, &src);
  if (index.count() == 0) return give_reduced(out, given, given.clone());
  const Tensor values = with_geometry(src, index.sizes(), src.strides());
  const Tensor result = reduce_into(
      given, values, *rule, include_self,
      [&](const Tensor& target, const Tensor& each, Update how) { scatter_into(target, d, index, each, how); });
  return give_reduced(out, given, result);
}

// --- the index_ family: an index vector along one dimension ---------------------------------------------------------

void update_along(const Tensor& given, int dim, const Tensor& index, const Tensor& given_source, Update rule,
                  ErrorKind kind, const char* prefix) {
  const Tensor target = at_least_1d(given), positions = at_least_1d(index);
  Dims sizes = target.sizes();
  sizes[dim] = positions.count();
  if (count_elements(sizes) == 0) {
    offsets_along(positions, dim, target.sizes()[dim], 0, false, kind, prefix);
    return;
  }
  check_no_internal_overlap(given);
  const Tensor offsets =
      offsets_along(positions, dim, target.sizes()[dim], stride_bytes(target, dim), false, kind, prefix);
  Dims steps(sizes.size(), 0);
  steps[dim] = 1;
  const Tensor source = given_source.ndim() == target.ndim() ? given_source : expand(reshape(given_source, {}), sizes);
  update(along(target, dim, sizes), source.shares_storage(target) ? source.clone() : source,
         with_geometry(offsets, sizes, steps), rule);
}

void check_index_add(const Tensor& input, int d, const Tensor& index, const Tensor& source, const char* name) {
  LB_CHECK(index.ndim() <= 1, Index, name, "(): Index is supposed to be a vector, but got dim: ", index.ndim(),
           " with type: ", dtype_title(index.dtype()), " and size: ", index.sizes());
  LB_CHECK(is_index_type(index), Runtime, name,
           "(): Expected dtype int32/int64 for index but got: ", dtype_title(index.dtype()));
  LB_CHECK(input.dtype() == source.dtype(), Runtime, name, "(): self (", dtype_title(input.dtype()), ") and source (",
           dtype_title(source.dtype()), ") must have the same scalar type");
  const int64_t length = source.ndim() == 0 ? 1 : d < source.ndim() ? source.sizes()[d] : -1;
  LB_CHECK(index.count() == length, Runtime, name, "(): Number of indices (", index.count(),
           ") should be equal to source.size(dim): (", length, "), for dim: ", d);
  bool same = source.ndim() == input.ndim();
  for (int i = 0; same && i < input.ndim(); ++i) same = i == d || source.sizes()[i] == input.sizes()[i];
  LB_CHECK(same || (input.ndim() <= 1 && source.ndim() <= 1), Runtime,
           "source tensor shape must match self tensor shape, "
           "excluding the specified dimension. Got self.shape = ",
           input.sizes(), " source.shape = ", source.sizes());
}

Tensor source_times(const Tensor& source, Scalar alpha) {
  if (alpha.as_double() == 1) return source;
  Tensor result = source.clone(MemoryFormat::Contiguous);
  visit_dtype(source.dtype(), [&]<class T>(T) {
    T* out = result.as<T>();
    for (int64_t i = 0; i < result.count(); ++i) {
      if constexpr (std::is_same_v<T, bool>)
        out[i] = out[i] && alpha.as_bool();
      else if constexpr (is_half_type<T>)
        out[i] = T(static_cast<float>(out[i]) * static_cast<float>(alpha.as_double()));
      else if constexpr (std::is_integral_v<T>)
        out[i] = static_cast<T>(static_cast<uint64_t>(out[i]) * static_cast<uint64_t>(alpha.as_int()));
      else
        out[i] *= alpha.to<T>();
    }
  });
  return result;
}

Tensor index_add(const Out& out, const Tensor& input, int64_t dim, const Tensor& index, const Tensor& source,
                 Scalar alpha) {
  const int d = wrap_dim(dim, input.ndim());
  check_index_add(input, d, index, source, "index_add_");
  const Tensor target = out.in_place() ? input : input.clone(MemoryFormat::Contiguous);
  update_along(target, d, index, at_least_1d(source_times(source, alpha)), Update::Add, ErrorKind::Runtime, "");
  if (out.in_place()) target.bump_version();
  return out.in_place() ? target : out.give(target);
}

Tensor index_copy(const Out& out, const Tensor& input, int64_t dim, const Tensor& index, const Tensor& source) {
  const int d = wrap_dim(dim, input.ndim());
  LB_CHECK(index.ndim() < 2, Index, "index_copy_(): Index should have dimension 1 or 0 (got ", index.ndim(), ")");
  LB_CHECK(source.ndim() > 0 || index.count() == 1, Index,
           "index_copy_(): When source is scalar, index should have one element (got ", index.count(), ")");
  LB_CHECK(source.ndim() == input.ndim() || source.ndim() == 0 || input.ndim() == 0, Index,
           "index_copy_(): When source and "
           "destination are not scalars, their dimensionality must match. Source dimensionality (",
           source.ndim(), "), destination dimensionality (", input.ndim(), ")");
  LB_CHECK(index.dtype() == DType::Int64, Runtime, "index_copy_(): Expected a long tensor for index, but got ",
           dtype_title(index.dtype()));
  LB_CHECK(input.dtype() == source.dtype(), Runtime,
           "index_copy_(): self and source expected to have the same dtype, but "
           "got (self) ",
           dtype_title(input.dtype()), " and (source) ", dtype_title(source.dtype()));
  const Tensor from = at_least_1d(source), to = at_least_1d(input);
  if (source.ndim() > 0 && input.ndim() > 0)
    for (int i = 0; i < input.ndim(); ++i)
      LB_CHECK(i == d || from.sizes()[i] == to.sizes()[i], Runtime,
               "index_copy_(): Source/destination tensor must have same "
               "slice shapes. Destination slice shape: ",
               to.sizes()[i], " at dimension ", i, " and source slice shape: ", from.sizes()[i], " at dimension ", i,
               ".");
  LB_CHECK(source.ndim() == 0 || index.count() == from.sizes()[from.ndim() == 1 ? 0 : d], Index,
           "index_copy_(): Number of indices (", index.count(), ") should be equal to source.size(dim) (",
           from.sizes()[from.ndim() == 1 ? 0 : d], ")");
  const Tensor target = out.in_place() ? input : input.clone(MemoryFormat::Contiguous);
  update_along(target, d, index, from, Update::Set, ErrorKind::Index, "index_copy_(): ");
  if (out.in_place()) target.bump_version();
  return out.in_place() ? target : out.give(target);
}

Tensor fill_along(const Out& out, const Tensor& input, int64_t dim, const Tensor& index, Scalar value) {
  const int d = wrap_dim(dim, input.ndim());
  LB_CHECK(index.dtype() == DType::Int64, Index, "index_fill_(): Expected dtype int64 for index.");
  LB_CHECK(index.ndim() <= 1, Runtime, "Index has to be a vector/scalar");
  const Tensor target = out.in_place() ? input : input.clone();
  check_no_internal_overlap(target);
  const Tensor whole = at_least_1d(target), positions = at_least_1d(index);
  Dims sizes = whole.sizes();
  sizes[d] = positions.count();
  Dims steps(sizes.size(), 0);
  steps[d] = 1;
  const Tensor offsets = offsets_along(positions, d, whole.sizes()[d], stride_bytes(whole, d), true, ErrorKind::Index);
  update(along(whole, d, sizes), expand(Tensor::scalar(value, input.dtype()), sizes),
         with_geometry(offsets, sizes, steps), Update::Set);
  if (out.in_place()) target.bump_version();
  return target;
}
Tensor index_fill(const Out& out, const Tensor& input, int64_t dim, const Tensor& index, Scalar value) {
  return fill_along(out, input, dim, index, value);
}
Tensor index_fill_tensor(const Out& out, const Tensor& input, int64_t dim, const Tensor& index, const Tensor& value) {
  LB_CHECK(value.ndim() == 0, Runtime, "index_fill_ only supports a 0-dimensional value tensor, but got tensor with ",
           value.ndim(), " dimension(s).");
  return fill_along(out, input, dim, index, value.item());
}

Tensor index_reduce(const Out& out, const Tensor& input, int64_t dim, const Tensor& index, const Tensor& source,
                    const std::string& reduce, bool include_self) {
  const int d = wrap_dim(dim, input.ndim());
  const std::optional<Update> rule = reduction_named(reduce);
  LB_CHECK(rule, Runtime, "index_reduce(): Expected reduce to be one of prod, mean, amax or amin but got ", reduce,
           ".");
  check_index_add(input, d, index, source, "index_reduce_");
  const Tensor result = reduce_into(input, at_least_1d(source), *rule, include_self,
                                    [&](const Tensor& target, const Tensor& each, Update how) {
                                      update_along(target, d, index, each, how, ErrorKind::Index, "");
                                    });
  return give_reduced(out, input, result);
}

// --- take and put: positions in row-major order ---------------------------------------------------------------------

Tensor flat_positions(const Tensor& index, int64_t count) {
  const Tensor positions = integer_index(index);
  Tensor wrapped = Tensor::empty(index.sizes(), DType::Int64);
  for (int64_t i = 0; i < positions.count(); ++i) {
    const int64_t at = positions.as<int64_t>()[i];
    LB_CHECK(at >= -count && at < count, Index, "out of range: tried to access index ", at, " on a tensor of ", count,
             " elements.");
    wrapped.as<int64_t>()[i] = at < 0 ? at + count : at;
  }
  return wrapped;
}

Tensor take(const Out& out, const Tensor& input, const Tensor& index) {
  LB_CHECK(index.dtype() == DType::Int64, Runtime, "take(): Expected a long tensor for index, but got ",
           dtype_title(index.dtype()));
  LB_CHECK(input.count() > 0 || index.count() == 0, Index, "take(): tried to take from an empty tensor");
  return give_apart(out, take_rows(reshape(input, {-1}).contiguous(), 0, flat_positions(index, input.count())),
                    {&input, &index});
}

Tensor put(const Out& out, const Tensor& input, const Tensor& index, const Tensor& source, bool accumulate) {
  LB_CHECK(index.dtype() == DType::Int64, Runtime, "put_(): Expected a long tensor for index, but got ",
           dtype_title(index.dtype()));
  LB_CHECK(input.dtype() == source.dtype(), Runtime,
           "put_(): self and source expected to have the same dtype, but got "
           "self.dtype = ",
           dtype_title(input.dtype()), " and source.dtype = ", dtype_title(source.dtype()));
  LB_CHECK(index.count() == source.count(), Index,
           "put_(): Expected source and index to have the same number of elements, "
           "but got source.numel() = ",
           source.count(), ", index.numel() = ", index.count());
  LB_CHECK(input.count() > 0 || index.count() == 0, Index, "put_(): tried to put elements into an empty tensor");
  const Tensor target = out.in_place() ? input : input.clone();
  if (index.count() == 0) return target;
  check_no_internal_overlap(target);
  const Tensor positions = reshape(flat_positions(index, input.count()), {-1});
  const Tensor flat = target.is_contiguous() ? target : target.clone(MemoryFormat::Contiguous);
  int64_t* offsets = positions.as<int64_t>();
  for (int64_t i = 0; i < positions.count(); ++i) offsets[i] *= static_cast<int64_t>(flat.item_bytes());
  const Tensor values = reshape(source, {-1});
  update(with_geometry(flat, {positions.count()}, {0}), values.shares_storage(target) ? values.clone() : values,
         positions, accumulate ? Update::Add : Update::Set);
  if (!flat.same(target)) target.copy_from(flat);
  if (out.in_place()) target.bump_version();
  return target;
}

Tensor take_along_dim(const Tensor& input, const Tensor& indices, std::optional<int64_t> dim) {
  LB_CHECK(is_index_type(indices), Runtime, "torch.take_along_dim(): dtype of indices should be Long but got ",
           dtype_title(indices.dtype()));
  if (!dim) return gather_from(reshape(input, {-1}), 0, reshape(indices, {-1}), true);
  LB_CHECK(input.ndim() == indices.ndim(), Runtime,
           "torch.take_along_dim(): input and indices should have the same number "
           "of dimensions, but got ",
           input.ndim(), " dimensions for input, and ", indices.ndim(), " dimensions for indices");
  const int d = wrap_dim(*dim, input.ndim());
  LB_CHECK(input.ndim() > 0, Index, "Dimension specified as ", d, " but tensor has no dimensions");
  Dims a = input.sizes(), b = indices.sizes();
  a[d] = indices.sizes()[d];
  b[d] = input.sizes()[d];
  const Dims index_sizes = broadcast_sizes(a, indices.sizes()), input_sizes = broadcast_sizes(b, input.sizes());
  return gather_from(expand(input, input_sizes), d, expand(indices, index_sizes), true);
}

LB_OPERATOR(.signature = "gather(input, dim, index, *, sparse_grad=False, out=None)",
            .doc = R"(The elements whose position along dim an index tensor gives; the result has its sizes.

>>> torch.gather(torch.tensor([[1, 2], [3, 4]]), 1, torch.tensor([[1], [0]]))
tensor([[2],
        [3]]))",
            .forward = forward_of<give_gather>,
            .derivative = LB_GRADIENT("GatherBackward0", "0:2",
                                      call<"scatter_add">(zeros(b.sizes(0), g.dtype()), b.integer(1), b.input(2), g)));
LB_OPERATOR(.signature = "index_select(input, dim, index, *, out=None)",
            .doc = R"(The positions of a dimension that an index vector names.

>>> torch.arange(3).index_select(0, torch.tensor([2, 0]))
tensor([2, 0]))",
            .forward = forward_of<give_index_select>,
            .derivative = LB_GRADIENT("IndexSelectBackward0", "0:2",
                                      call<"index_add">(zeros(b.sizes(0), g.dtype()), b.integer(1), b.input(2),
                                                        b.ndim(0) ? g : reshape(g, {}), Scalar(1))));
constexpr const char* kScatterDoc =
    R"(A copy of the input with src (or a value) written where an index tensor points along dim.

>>> torch.zeros(3).scatter(0, torch.tensor([2]), 1.0)
tensor([0., 0., 1.]))";
LB_OPERATOR(.signature = "scatter(input, dim, index, src, *, out=None)", .doc = kScatterDoc,
            .forward = forward_of<scatter_src>,
            .derivative = gradients("ScatterBackward0", scatter_gradient, "0:2 3:2"), .forms = kEveryForm);
LB_OPERATOR(.signature = "scatter(input, dim, index, src, *, reduce, out=None)", .doc = kScatterDoc,
            .forward = forward_of<scatter_src_reduce>, .derivative = kDerivativeRefused, .forms = kEveryForm);
LB_OPERATOR(.signature = "scatter(input, dim, index, value, *, out=None)", .doc = kScatterDoc,
            .forward = forward_of<scatter_value>,
            .derivative = LB_GRADIENT("ScatterBackward1", "0:2",
                                      call<"scatter">(g, b.integer(1), b.input(2), Scalar(0.0))),
            .forms = kEveryForm);
LB_OPERATOR(.signature = "scatter(input, dim, index, value, *, reduce, out=None)", .doc = kScatterDoc,
            .forward = forward_of<scatter_value_reduce>, .derivative = kDerivativeRefused, .forms = kEveryForm);
LB_OPERATOR(.signature = "scatter_add(input, dim, index, src, *, out=None)",
            .doc = R"(The input with src added where an index tensor points along dim.

>>> torch.zeros(2).scatter_add(0, torch.tensor([1, 1]), torch.ones(2))
tensor([0., 2.]))",
            .forward = forward_of<scatter_add>,
            .derivative = gradients(
                "ScatterAddBackward0",
                [](Backward& b) {
                  b.give(0, b.grad());
                  if (b.needs(3)) b.give(3, gathered(b));
                },
                "3:2"),
            .forms = kEveryForm);
LB_OPERATOR(.signature = "scatter_reduce(input, dim, index, src, reduce, *, include_self=True, out=None)",
            .doc = R"(The input reduced (sum, prod, mean, amax, amin) with src where an index tensor points along dim.

>>> torch.ones(2).scatter_reduce(0, torch.tensor([1, 1]), torch.tensor([2.0, 3.0]), "prod")
tensor([1., 6.]))",
            .forward = forward_of<scatter_reduce>,
            .derivative = gradients("ScatterReduceBackward0", scatter_reduce_gradient, "0:023r 3:023r"),
            .forms = kEveryForm);
LB_OPERATOR(.signature = "index_add(input, dim, index, source, *, alpha=1, out=None)",
            .doc =
                R"(The input with alpha times source added at the positions of a dimension that an index vector names.

>>> torch.zeros(2).index_add(0, torch.tensor([1, 1]), torch.ones(2))
tensor([0., 2.]))",
            .forward = forward_of<index_add>, .derivative = gradients("IndexAddBackward0", index_add_gradient, "3:2"),
            .forms = kEveryForm);
LB_OPERATOR(.signature = "index_copy(input, dim, index, source, *, out=None)",
            .doc = R"(The input with source written at the positions of a dimension that an index vector names.

>>> torch.zeros(3).index_copy(0, torch.tensor([2]), torch.ones(1))
tensor([0., 0., 1.]))",
            .forward = forward_of<index_copy>,
            .derivative = gradients("IndexCopyBackward0", index_copy_gradient, "0:2 3:2"), .forms = kEveryForm);
LB_OPERATOR(.signature = "index_fill(input, dim, index, value)",
            .doc = R"(The input with a value at the positions of a dimension that an index vector names.

>>> torch.zeros(3).index_fill(0, torch.tensor([2]), 1)
tensor([0., 0., 1.]))",
            .forward = forward_of<index_fill>,
            .derivative = LB_GRADIENT("IndexFillBackward0", "0:2",
                                      call<"index_fill">(g, b.integer(1), b.input(2), Scalar(0.0))),
            .forms = kEveryForm);
LB_OPERATOR(.signature = "index_fill(input, dim, index, value)", .doc = R"(index_fill with the element of a 0-d tensor.

>>> torch.zeros(3).index_fill(0, torch.tensor([2]), torch.tensor(1.0))
tensor([0., 0., 1.]))",
            .forward = forward_of<index_fill_tensor>,
            .derivative = gradients("IndexFillBackward1", index_fill_gradient, "0:2 3:2"), .forms = kEveryForm);
LB_OPERATOR(.signature = "index_reduce(input, dim, index, source, reduce, *, include_self=True, out=None)",
            .doc =
                R"(The input reduced (prod, mean, amax, amin) with source at the positions that an index vector names.

>>> torch.ones(2).index_reduce(0, torch.tensor([1, 1]), torch.tensor([2.0, 3.0]), "prod")
tensor([1., 6.]))",
            .forward = forward_of<index_reduce>,
            .derivative = gradients("IndexReduceBackward0", index_reduce_gradient, "0:023r 3:023r"),
            .forms = kEveryForm);
LB_OPERATOR(.signature = "take(input, index, *, out=None)",
            .doc = R"(The elements at positions in row-major order; the result has the index's sizes.

>>> torch.arange(4).reshape(2, 2).take(torch.tensor([3, 0]))
tensor([3, 0]))",
            .forward = forward_of<take>,
            .derivative = LB_GRADIENT("TakeBackward0", "0:1",
                                      call<"put">(zeros(b.sizes(0), g.dtype()), b.input(1), g, true)));
LB_OPERATOR(.signature = "put(input, index, source, accumulate=False)",
            .doc = R"(The input with source written (or added) at positions in row-major order.

>>> torch.zeros(2).put(torch.tensor([1]), torch.tensor([5.0]))
tensor([0., 5.]))",
            .forward = forward_of<put>, .derivative = gradients("PutBackward0", put_gradient, "0:1 2:1"),
            .forms = kEveryForm);
LB_OPERATOR(.signature = "take_along_dim(input, indices, dim=None, *, out=None)",
            .doc = R"(gather with broadcasting; without dim among all elements.

>>> torch.tensor([[3, 1]]).take_along_dim(torch.tensor([[1]]), 1)
tensor([[1]]))",
            .forward = forward_of<take_along_dim>,
            .derivative = gradients("GatherBackward0", take_along_dim_gradient, "0:1"));

}  // namespace
}  // namespace lumbre::ops
