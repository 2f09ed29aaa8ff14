#include "tensor/tensor.h"

#include "tensor/reads.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <cstring>

#include "base/memory.h"
#include "base/threads.h"
#include "tensor/plan.h"

namespace lumbre {

namespace {
using Blocks = FreeList<sizeof(TensorData), alignof(TensorData)>;
DType current_default = DType::Float32;

Ref<TensorData> new_data(DType dtype) {
  Ref<TensorData> data(::new (Blocks::take()) TensorData);
  data->dtype = dtype;
  return data;
}

void check_sizes(const Dims& sizes) {
  LB_CHECK(sizes.ndim() <= kMaxDims, Runtime, "tensor has too many (>", kMaxDims, ") dims");
  for (int64_t size : sizes)
    LB_CHECK(size >= 0, Runtime, "Trying to create tensor with negative dimension ", size, ": ", sizes);
}

bool rows_are_contiguous(const Dims& sizes, const Dims& strides) {
  int64_t expected = 1;
  for (int d = sizes.ndim() - 1; d >= 0; --d) {
    if (sizes[d] == 1) continue;
    if (strides[d] != expected) return false;
    expected *= sizes[d];
  }
  return true;
}

size_t storage_bytes(int64_t elements, DType dtype) {
  return static_cast<size_t>(checked_multiply(elements, static_cast<int64_t>(item_size(dtype))));
}

Tensor make(const Dims& sizes, DType dtype, bool zeroed) {
  auto data = new_data(dtype);
  if (sizes.empty()) {
    data->count = 1;
    data->storage = Storage::make(item_size(dtype), zeroed);
    return Tensor(std::move(data));
  }
  bool valid = sizes.ndim() <= kMaxDims;
  for (const int64_t size : sizes) valid &= size >= 0;
  if (!valid) check_sizes(sizes);
  data->sizes = sizes;
  // One pass for the strides, in which a dimension of size 0 counts as 1, and the number of elements.
  data->strides.resize(sizes.size());
  int64_t step = 1;
  bool empty = false;
  for (int d = sizes.ndim() - 1; d >= 0; --d) {
    data->strides[d] = step;
    empty |= sizes[d] == 0;
    step = checked_multiply(step, std::max<int64_t>(sizes[d], 1));
  }
  const int64_t count = empty ? 0 : step;
  data->count = count;
  data->storage = Storage::make(storage_bytes(count, dtype), zeroed);
  return Tensor(std::move(data));
}
}  // namespace

DType default_dtype() noexcept { return current_default; }
void set_default_dtype(DType dtype) {
  LB_CHECK(is_floating(dtype), Type, "only floating-point types are supported as the default type");
  current_default = dtype;
}

void (*TensorData::end_kept_object)(TensorData*) noexcept = nullptr;

void TensorData::destroy(TensorData* data) noexcept {
  if (__builtin_expect(data->keeps_object, 0)) return end_kept_object(data);
  data->~TensorData();
  Blocks::give(data);
}

void TensorData::set_geometry(const Dims& new_sizes, const Dims& new_strides, int64_t new_offset) {
  // Plans and views keep their dimensions in arrays of this length.
  LB_CHECK(new_sizes.ndim() <= kMaxDims, Runtime, "tensor has too many (>", kMaxDims, ") dims");
  count = count_elements(new_sizes);
  contiguous = count == 0 || rows_are_contiguous(new_sizes, new_strides);
  sizes = new_sizes;
  strides = new_strides;
  offset = new_offset;
}

Tensor Tensor::empty(const Dims& sizes, DType dtype) { return make(sizes, dtype, false); }
Tensor Tensor::zeros(const Dims& sizes, DType dtype) { return make(sizes, dtype, true); }

Tensor Tensor::empty_as(const Tensor& contiguous, DType dtype) {
  const int64_t count = contiguous.count();
  if (count == 0) return empty(contiguous.sizes(), dtype);
  auto data = new_data(dtype);
  data->sizes = contiguous.sizes();
  data->count = count;
  // Not its own strides: those of dimensions of size 1 may be anything.
  data->strides.resize(data->sizes.size());
  int64_t step = 1;
  for (int d = data->sizes.ndim() - 1; d >= 0; step *= data->sizes[d--]) data->strides[d] = step;
  data->storage = Storage::make(storage_bytes(count, dtype));
  return Tensor(std::move(data));
}

Tensor Tensor::empty_strided(const Dims& sizes, const Dims& strides, DType dtype) {
  check_sizes(sizes);
  LB_CHECK(sizes.size() == strides.size(), Runtime, "dimensionality of sizes (", sizes.size(),
           ") must match dimensionality of strides (", strides.size(), ")");
  for (int64_t stride : strides)
    LB_CHECK(stride >= 0, Runtime,
             "as_strided: Negative strides are not supported at the moment, got strides: ", strides);
  auto data = new_data(dtype);
  data->set_geometry(sizes, strides, 0);
  data->storage = Storage::make(storage_bytes(reach(sizes, strides), dtype));
  return Tensor(std::move(data));
}

Tensor Tensor::full(const Dims& sizes, Scalar value, DType dtype) {
  Tensor result = empty(sizes, dtype);
  result.fill(value);
  return result;
}

namespace {

template <class T>
constexpr const char* overflow_name() {
  constexpr DType dtype = DTypeOf<T>::value;
  if constexpr (dtype == DType::UInt8) return "uint8_t";
  if constexpr (dtype == DType::Int8) return "int8_t";
  if constexpr (dtype == DType::Int16) return "int16_t";
  if constexpr (dtype == DType::Int64) return "int64_t";
  return c_type_name(dtype);
}

// A number that a tensor is filled with must be within the dtype's range; negative integers wrap in uint8.
template <class T>
T checked(Scalar value) {
  bool fits = true;
  if constexpr (std::is_same_v<T, bool>) {
    return value.as_bool();
  } else if constexpr (is_half_type<T> || std::is_floating_point_v<T>) {
    double largest = std::is_same_v<T, Half> ? 65504 : 0x1.FEp127;
    if constexpr (!is_half_type<T>) largest = static_cast<double>(std::numeric_limits<T>::max());
    const double x = value.as_double();
    fits = std::isinf(x) || !(std::abs(x) > largest);
  } else if (value.is_float()) {
    const double x = value.as_double();
    fits = x >= static_cast<double>(std::numeric_limits<T>::lowest()) &&
           x <= static_cast<double>(std::numeric_limits<T>::max());
  } else {
    const int64_t x = value.as_int(), largest = std::numeric_limits<T>::max();
    fits = x <= largest && x >= (std::is_unsigned_v<T> ? -largest : std::numeric_limits<T>::lowest());
  }
  LB_CHECK(fits, Runtime, "value cannot be converted to type ", overflow_name<T>(), " without overflow");
  return value.to<T>();
}

}  // namespace

Tensor Tensor::scalar(Scalar value, DType dtype) {
  Tensor result = empty({}, dtype);
  visit_dtype(dtype, [&]<class T>(T) { *result.as<T>() = checked<T>(value); });
  return result;
}

Tensor Tensor::over(Ref<Storage> storage, DType dtype, const Dims& sizes, const Dims& strides, int64_t offset) {
  auto data = new_data(dtype);
  data->set_geometry(sizes, strides, offset);
  data->storage = std::move(storage);
  return Tensor(std::move(data));
}

Tensor Tensor::view_as_strided(const Dims& sizes, const Dims& strides, int64_t offset) const {
  const int64_t end = checked_add(offset, reach(sizes, strides));
  const auto bytes = static_cast<size_t>(checked_multiply(end, static_cast<int64_t>(item_bytes())));
  if (reach(sizes, strides) > 0)
    LB_CHECK(bytes <= data_->storage->bytes(), Runtime, "setStorage: sizes ", sizes, ", strides ", strides,
             ", storage offset ", offset, ", and itemsize ", item_bytes(), " requiring a storage size of ", bytes,
             " are out of bounds for storage of size ", data_->storage->bytes());
  return over(data_->storage, dtype(), sizes, strides, offset);
}

int64_t reach(const Dims& sizes, const Dims& strides) {
  int64_t last = 0;
  for (size_t d = 0; d < sizes.size(); ++d) {
    if (sizes[d] == 0) return 0;
    last = checked_add(last, checked_multiply(sizes[d] - 1, strides[d]));
  }
  return checked_add(last, 1);
}

bool Tensor::is_dense() const {
  if (data_->contiguous) return true;
  std::array<int, kMaxDims> order;
  const int n = ndim();
  for (int d = 0; d < n; ++d) order[d] = d;
  const Dims& shape = sizes();
  const Dims& step = strides();
  std::sort(order.begin(), order.begin() + n, [&](int a, int b) {
    if (shape[a] < 2 || shape[b] < 2) return shape[a] >= 2 && shape[b] < 2;
    return step[a] < step[b];
  });
  int64_t expected = 1;
  for (int i = 0; i < n && shape[order[i]] >= 2; ++i) {
    if (step[order[i]] != expected) return false;
    expected *= shape[order[i]];
  }
  return true;
}

bool Tensor::is_contiguous(MemoryFormat format) const {
  if (format == MemoryFormat::Contiguous) return data_->contiguous;
  const int wanted = format == MemoryFormat::ChannelsLast ? 4 : 5;
  if (ndim() != wanted) return false;
  return view_strides(sizes(), strides(), sizes()).has_value() && [&] {
    const Dims expected = strides_for(sizes(), format);
    for (int d = 0; d < wanted; ++d)
      if (sizes()[d] != 1 && strides()[d] != expected[d]) return false;
    return true;
  }();
}

Dims strides_for(const Dims& sizes, MemoryFormat format) {
  if (format == MemoryFormat::Contiguous || format == MemoryFormat::Preserve) return contiguous_strides(sizes);
  const int wanted = format == MemoryFormat::ChannelsLast ? 4 : 5;
  LB_CHECK(sizes.ndim() == wanted, Runtime, "required rank ", wanted, " tensor to use channels_last",
           wanted == 5 ? "_3d" : "", " format");
  Dims strides = sizes;
  int64_t step = 1;
  strides[1] = step;
  step *= std::max<int64_t>(sizes[1], 1);
  for (int d = wanted - 1; d != 1; d = d == 2 ? 0 : d - 1) {
    strides[d] = step;
    step = checked_multiply(step, std::max<int64_t>(sizes[d], 1));
    if (d == 0) break;
  }
  return strides;
}

Dims strides_like(const Tensor& like, const Dims& sizes) {
  if (like.is_contiguous() || sizes != like.sizes()) return contiguous_strides(sizes);
  if (like.is_dense()) return like.strides();
  return Plan::inferred_strides(sizes, like.sizes(), like.strides());
}

uint64_t element_reads = 0;

Scalar Tensor::item() const {
  ++element_reads;
  if (count() != 1) {
    LB_CHECK(count() != 0, Runtime, "a Tensor with 0 elements cannot be converted to Scalar");
    fail(ErrorKind::Runtime, "a Tensor with ", count(), " elements cannot be converted to Scalar");
  }
  return visit_dtype(dtype(), [&]<class T>(T) -> Scalar {
    const T value = *as<T>();
    if constexpr (std::is_same_v<T, bool>)
      return Scalar(value);
    else if constexpr (is_half_type<T>)
      return Scalar(static_cast<double>(static_cast<float>(value)));
    else if constexpr (std::is_floating_point_v<T>)
      return Scalar(static_cast<double>(value));
    else
      return Scalar(static_cast<int64_t>(value));
  });
}

Tensor Tensor::contiguous() const { return is_contiguous() ? *this : clone(MemoryFormat::Contiguous); }

Tensor Tensor::clone(MemoryFormat format) const {
  if (is_contiguous() && (format == MemoryFormat::Contiguous || format == MemoryFormat::Preserve)) {
    Tensor result = empty_as(*this, dtype());
    result.copy_from(*this);
    return result;
  }
  const Dims layout = format == MemoryFormat::Preserve ? strides_like(*this, sizes()) : strides_for(sizes(), format);
  Tensor result = empty_strided(sizes(), layout, dtype());
  result.copy_from(*this);
  return result;
}

Tensor Tensor::to(DType dtype) const {
  if (dtype == this->dtype()) return *this;
  Tensor result =
      is_contiguous() ? empty_as(*this, dtype) : empty_strided(sizes(), strides_like(*this, sizes()), dtype);
  result.copy_from(*this);
  return result;
}

void Tensor::copy_from(const Tensor& source) const {
  if (same(source)) return;
  // Few elements in one run, or one for all of them: no plan is needed.
  const bool one = source.ndim() == 0;
  if (count() <= kGrain && is_contiguous() && !shares_storage(source) &&
      (one || (source.is_contiguous() && source.sizes() == sizes()))) {
    char* const data[2] = {bytes(), source.bytes()};
    const int64_t steps[2] = {static_cast<int64_t>(item_bytes()), one ? 0 : static_cast<int64_t>(source.item_bytes())};
    return conversion_loop(source.dtype(), dtype())(data, steps, count(), nullptr);
  }
  Plan plan;
  plan.add_output(*this);
  plan.add_input(source);
  plan.build_fixed("copy_");
  plan.copy();
}

void Tensor::fill(Scalar value) const {
  if (count() == 0) return;
  alignas(8) char item[8];
  visit_dtype(dtype(), [&]<class T>(T) {
    const T converted = checked<T>(value);
    std::memcpy(item, &converted, sizeof(T));
  });
  if (is_contiguous() && count() <= kGrain) {
    char* const data[2] = {bytes(), item};
    const int64_t steps[2] = {static_cast<int64_t>(item_bytes()), 0};
    return conversion_loop(dtype(), dtype())(data, steps, count(), nullptr);
  }
  const auto size = static_cast<size_t>(count()) * item_bytes();
  const bool zero = std::all_of(item, item + item_bytes(), [](char byte) { return byte == 0; });
  if (zero && is_contiguous() && size < kStreamBytes) {
    const LongWork released(count() >= kLongWork);
    return clear(bytes(), size);
  }
  // Elements that an expanded tensor repeats are written once.
  Dims once = sizes();
  for (int d = 0; d < ndim(); ++d)
    if (strides()[d] == 0) once[d] = 1;
  Plan plan;
  plan.add_output(over(data_->storage, dtype(), once, strides(), data_->offset));
  plan.add_constant(item, dtype());
  plan.build_fixed("fill_");
  plan.copy();
}

void Tensor::resize(const Dims& sizes) const {
  check_sizes(sizes);
  const int64_t count = count_elements(sizes);
  const size_t needed = storage_bytes(checked_add(data_->offset, count), dtype());
  if (count > 0 && needed > data_->storage->bytes()) data_->storage->resize(needed);
  data_->set_geometry(sizes, contiguous_strides(sizes), data_->offset);
}

std::optional<Dims> view_strides(const Dims& sizes, const Dims& strides, const Dims& wanted) {
  const int64_t count = count_elements(sizes);
  if (count == 0) return sizes == wanted ? strides : contiguous_strides(wanted);
  Dims result;
  result.resize(wanted.size());
  if (sizes.empty()) {
    for (auto& stride : result) stride = 1;
    return result;
  }
  // Walk from the innermost dimension: a maximal run of old dimensions that lie evenly in memory must hold
  // a whole number of new dimensions.
  int next = wanted.ndim() - 1;
  int64_t chunk_stride = strides.back();
  int64_t chunk_count = 1, view_count = 1;
  for (int d = sizes.ndim() - 1; d >= 0; --d) {
    chunk_count *= sizes[d];
    const bool chunk_ends = d == 0 || (sizes[d - 1] != 1 && strides[d - 1] != chunk_count * chunk_stride);
    if (!chunk_ends) continue;
    while (next >= 0 && (view_count < chunk_count || wanted[next] == 1)) {
      result[next] = view_count * chunk_stride;
      view_count *= wanted[next];
      --next;
    }
    if (view_count != chunk_count) return std::nullopt;
    if (d > 0) {
      chunk_stride = strides[d - 1];
      chunk_count = view_count = 1;
    }
  }
  if (next != -1) return std::nullopt;
  return result;
}

Dims infer_sizes(const Dims& sizes, int64_t count) {
  int unknown = -1;
  int64_t known = 1;
  for (int d = 0; d < sizes.ndim(); ++d) {
    if (sizes[d] == -1) {
      LB_CHECK(unknown < 0, Runtime, "only one dimension can be inferred");
      unknown = d;
    } else {
      LB_CHECK(sizes[d] >= 0, Runtime, "invalid shape dimension ", sizes[d]);
      known = checked_multiply(known, sizes[d]);
    }
  }
  if (unknown < 0) {
    LB_CHECK(known == count, Runtime, "shape '", sizes, "' is invalid for input of size ", count);
    return sizes;
  }
  LB_CHECK(known != 0 || count != 0, Runtime, "cannot reshape tensor of 0 elements into shape ", sizes,
           " because the unspecified dimension size -1 can be any value and is ambiguous");
  LB_CHECK(known != 0 && count % known == 0, Runtime, "shape '", sizes, "' is invalid for input of size ", count);
  Dims result = sizes;
  result[unknown] = count / known;
  return result;
}

Dims broadcast_sizes(const Dims& a, const Dims& b) {
  const int n = std::max(a.ndim(), b.ndim());
  Dims result(n, 1);
  for (int d = n - 1; d >= 0; --d) {
    const int ia = d - (n - a.ndim()), ib = d - (n - b.ndim());
    const int64_t x = ia >= 0 ? a[ia] : 1, y = ib >= 0 ? b[ib] : 1;
    LB_CHECK(x == y || x == 1 || y == 1, Runtime, "The size of tensor a (", x, ") must match the size of tensor b (", y,
             ") at non-singleton dimension ", d);
    result[d] = x == 1 ? y : x;
  }
  return result;
}

}  // namespace lumbre
