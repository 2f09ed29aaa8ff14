// New tensors: constants, sequences, the identity.
#include <cmath>
#include <functional>

#include "base/threads.h"
#include "kernels/sequences.h"
#include "ops/views.h"
#include "tensor/plan.h"

namespace lumbre::ops {
namespace {

using Format = std::optional<MemoryFormat>;
using MaybeDType = std::optional<DType>;

DType dtype_for(const Out& out, MaybeDType dtype) {
  if (out.target()) {
    LB_CHECK(!dtype || *dtype == out.target()->dtype(), Runtime, "dtype ", "does not match dtype of out parameter (",
             dtype_title(out.target()->dtype()), ")");
    return out.target()->dtype();
  }
  return dtype.value_or(default_dtype());
}

void check_negative(const Dims& size, const char* name) {
  for (int64_t s : size) LB_CHECK(s >= 0, Runtime, name, ": Dimension size must be non-negative.");
}

Tensor zeros(const Out& out, const Dims& size, MaybeDType dtype) {
  check_negative(size, "zeros");
  return out.give(Tensor::zeros(size, dtype_for(out, dtype)));
}
Tensor ones(const Out& out, const Dims& size, MaybeDType dtype) {
  return out.give(Tensor::full(size, Scalar(1), dtype_for(out, dtype)));
}
Tensor empty(const Out& out, const Dims& size, MaybeDType dtype, Format format) {
  if (out.target()) {
    out.target()->resize(size);
    return *out.target();
  }
  if (format && *format != MemoryFormat::Contiguous)
    return Tensor::empty_strided(size, strides_for(size, *format), dtype_for(out, dtype));
  return Tensor::empty(size, dtype_for(out, dtype));
}
Tensor empty_strided(const Dims& size, const Dims& stride, MaybeDType dtype) {
  return Tensor::empty_strided(size, stride, dtype.value_or(default_dtype()));
}
Tensor empty_permuted(const Dims& size, const Dims& order, MaybeDType dtype) {
  LB_CHECK(size.size() == order.size(), Runtime,
           "Number of dimensions in size does not match the length of the "
           "physical_layout; i.e. len(size) = ",
           size.size(), " is not equal to len(physical_layout) = ", order.size());
  Dims strides = size;
  std::vector<bool> seen(size.size());
  int64_t step = 1;
  for (int i = size.ndim() - 1; i >= 0; --i) {
    const int64_t d = order[i];
    LB_CHECK(d >= 0 && d < size.ndim(), Runtime, "Dimension out of range (expected to be between 0 and ",
             size.ndim() - 1, ", but got ", d, " at index ", i,
             ").  NB: negative dims not currently supported; file an "
             "issue if you want it.");
    LB_CHECK(!seen[d], Runtime, "Duplicate dim not allowed");
    seen[d] = true;
    strides[d] = step;
    step = checked_multiply(step, std::max<int64_t>(size[d], 1));
  }
  return Tensor::empty_strided(size, strides, dtype.value_or(default_dtype()));
}
Tensor full(const Out& out, const Dims& size, Scalar value, MaybeDType dtype) {
  if (!dtype && !out.target()) dtype = value.natural_dtype(default_dtype());
  return out.give(Tensor::full(size, value, dtype_for(out, dtype)));
}
Tensor scalar_tensor(Scalar value, MaybeDType dtype) { return Tensor::scalar(value, dtype.value_or(default_dtype())); }

Tensor empty_like(const Tensor& input, MaybeDType dtype, Format format) {
  const MemoryFormat wanted = format.value_or(MemoryFormat::Preserve);
  const Dims strides =
      wanted == MemoryFormat::Preserve ? strides_like(input, input.sizes()) : strides_for(input.sizes(), wanted);
  return Tensor::empty_strided(input.sizes(), strides, dtype.value_or(input.dtype()));
}
Tensor full_like(const Tensor& input, Scalar value, MaybeDType dtype, Format format) {
  Tensor result = empty_like(input, dtype, format);
  result.fill(value);
  return result;
}
Tensor zeros_like(const Tensor& input, MaybeDType dtype, Format format) {
  return full_like(input, Scalar(0), dtype, format);
}
Tensor ones_like(const Tensor& input, MaybeDType dtype, Format format) {
  return full_like(input, Scalar(1), dtype, format);
}

Tensor new_zeros(const Tensor& input, const Dims& size, MaybeDType dtype) {
  return Tensor::zeros(size, dtype.value_or(input.dtype()));
}
Tensor new_ones(const Tensor& input, const Dims& size, MaybeDType dtype) {
  return Tensor::full(size, Scalar(1), dtype.value_or(input.dtype()));
}
Tensor new_empty(const Tensor& input, const Dims& size, MaybeDType dtype) {
  return Tensor::empty(size, dtype.value_or(input.dtype()));
}
Tensor new_full(const Tensor& input, const Dims& size, Scalar value, MaybeDType dtype) {
  return Tensor::full(size, value, dtype.value_or(input.dtype()));
}
Tensor new_empty_strided(const Tensor& input, const Dims& size, const Dims& stride, MaybeDType dtype) {
  return Tensor::empty_strided(size, stride, dtype.value_or(input.dtype()));
}

// --- sequences ------------------------------------------------------------------------------------------------------

// Writes value(i) at every place of a new one-dimensional tensor.
template <class T, class F>
void write_sequence(const Tensor& result, F value) {
  T* out = result.as<T>();
  parallel_for(result.count(), kGrain, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) out[i] = T(value(i));
  });
}

void check_range(double start, double end, double step) {
  LB_CHECK(step != 0, Runtime, "step must be nonzero");
  LB_CHECK(std::isfinite(start) && std::isfinite(end), Runtime, "unsupported range: ", start, " -> ", end);
  LB_CHECK((step > 0 && end >= start) || (step < 0 && end <= start), Runtime,
           "upper bound and lower bound inconsistent with step sign");
}

int64_t checked_length(double length) {
  LB_CHECK(length >= 0 && length < 0x1p63, Runtime, "invalid size, possible overflow?");
  return static_cast<int64_t>(length);
}

int64_t arange_length(Scalar start, Scalar end, Scalar step, DType dtype) {
  if (dtype == DType::Int64 || (is_integral(dtype, true) && !start.is_float() && !end.is_float() && !step.is_float())) {
    const __int128 span = static_cast<__int128>(end.as_int()) - start.as_int();
    const __int128 stride = step.as_int();
    return static_cast<int64_t>((span + stride + (stride > 0 ? -1 : 1)) / stride);
  }
  return checked_length(std::ceil((end.as_double() - start.as_double()) / step.as_double()));
}

Tensor fill_arange(Scalar start, Scalar step, int64_t length, DType dtype) {
  Tensor result = Tensor::empty({length}, dtype);
  visit_dtype(dtype, [&]<class T>(T) {
    if constexpr (std::is_same_v<T, int64_t>) {
      int64_t* const to = result.as<int64_t>();
      const int64_t first = start.as_int(), stride = step.as_int();
      parallel_for(length, kGrain, [=](int64_t begin, int64_t end) {
        sequence_loops().of_int64(to + begin, end - begin, first, stride, begin);
      });
    } else if constexpr (std::is_integral_v<T>) {
      const auto first = static_cast<uint64_t>(start.as_int()), stride = static_cast<uint64_t>(step.as_int());
      write_sequence<T>(result,
                        [=](int64_t i) { return static_cast<int64_t>(first + static_cast<uint64_t>(i) * stride); });
    } else {
      using Item = std::conditional_t<is_half_type<T>, float, T>;
      const double first = start.as_double(), stride = step.as_double();
      // PyTorch rounds the first element of each full vector of 32 bytes, and counts on from there.
      constexpr int64_t kVector = sizeof(T) == 8 ? 4 : sizeof(T) == 4 ? 8 : 1;
      double steps[kVector];
      for (int64_t lane = 0; lane < kVector; ++lane) steps[lane] = static_cast<double>(lane) * stride;
      T* out = result.as<T>();
      const int64_t full = length - length % kVector;
      parallel_for(full / kVector, kGrain / kVector, [=](int64_t begin, int64_t end) {
        for (int64_t i = begin * kVector; i < end * kVector; i += kVector) {
          const auto base = static_cast<double>(static_cast<Item>(first + static_cast<double>(i) * stride));
          for (int64_t lane = 0; lane < kVector; ++lane) out[i + lane] = T(static_cast<Item>(base + steps[lane]));
        }
      });
      for (int64_t i = full; i < length; ++i) out[i] = T(static_cast<Item>(first + static_cast<double>(i) * stride));
    }
  });
  return result;
}

Tensor arange(const Out& out, Scalar start, Scalar end, Scalar step, MaybeDType dtype) {
  if (!dtype && !out.target())
    dtype = start.is_float() || end.is_float() || step.is_float() ? default_dtype() : DType::Int64;
  const DType type = dtype_for(out, dtype);
  check_range(start.as_double(), end.as_double(), step.as_double());
  LB_CHECK(!is_integral(type, true) || step.as_int() != 0, Value, "step must be nonzero");
  return out.give(fill_arange(start, step, arange_length(start, end, step, type), type));
}
Tensor arange_end(const Out& out, Scalar end, MaybeDType dtype) {
  return arange(out, Scalar(0), end, Scalar(1), dtype);
}

Tensor range(const Out& out, Scalar start, Scalar end, Scalar step, MaybeDType dtype) {
  const DType type = dtype_for(out, dtype);
  check_range(start.as_double(), end.as_double(), step.as_double());
  const int64_t length = checked_length(std::floor((end.as_double() - start.as_double()) / step.as_double()) + 1);
  return out.give(fill_arange(start, step, length, type));
}

// The two halves are counted from their own ends, so that the last element is exactly `end`.
template <class Step, class T, class F>
void write_spaced(const Tensor& result, Scalar start, Scalar end, F map) {
  const int64_t steps = result.count();
  const Step first = static_cast<Step>(start.to<T>()), last = static_cast<Step>(end.to<T>());
  const Step step = (last - first) / static_cast<Step>(steps - 1);
  if constexpr (std::is_same_v<F, std::identity> && std::is_same_v<T, Step>) {
    T* const to = result.as<T>();
    parallel_for(steps, kGrain, [=](int64_t begin, int64_t end) {
      const auto loop = [] {
        if constexpr (std::is_same_v<T, float>)
          return sequence_loops().of_float;
        else
          return sequence_loops().of_double;
      }();
      const int64_t middle = std::clamp(steps / 2, begin, end);
      loop(to + begin, middle - begin, first, step, begin);
      loop(to + middle, end - middle, last, step, middle - (steps - 1));
    });
    return;
  }
  write_sequence<T>(result, [=](int64_t i) {
    return map(i < steps / 2 ? std::fma(step, static_cast<Step>(i), first)
                             : std::fma(-step, static_cast<Step>(steps - i - 1), last));
  });
}

Scalar end_point(const Operand& given, const char* name, const char* which) {
  if (!given.is_tensor()) return given.scalar();
  LB_CHECK(given.tensor().ndim() == 0, Runtime, name, " only supports 0-dimensional start and end tensors, but got ",
           which, " with ", given.tensor().ndim(), " dimension(s).");
  return given.tensor().item();
}

Tensor linspace(const Out& out, Operand first, Operand last, int64_t steps, MaybeDType dtype) {
  const Scalar start = end_point(first, "linspace", "start"), end = end_point(last, "linspace", "end");
  const DType type = dtype_for(out, dtype);
  LB_CHECK(steps >= 0, Runtime, "number of steps must be non-negative");
  Tensor result = Tensor::empty({steps}, type);
  if (steps == 1) result.fill(start);
  if (steps > 1)
    visit_dtype(type, [&]<class T>(T) {
      using Step = std::conditional_t<std::is_integral_v<T>, double, std::conditional_t<is_half_type<T>, float, T>>;
      write_spaced<Step, T>(result, start, end, std::identity{});
    });
  return out.give(std::move(result));
}

Tensor logspace(const Out& out, Operand first, Operand last, int64_t steps, double base, MaybeDType dtype) {
  const Scalar start = end_point(first, "logspace", "start"), end = end_point(last, "logspace", "end");
  const DType type = dtype_for(out, dtype);
  LB_CHECK(steps >= 0, Runtime, "number of steps must be non-negative");
  Tensor result = Tensor::empty({steps}, type);
  visit_dtype(type, [&]<class T>(T) {
    using Step = std::conditional_t<std::is_same_v<T, double> || std::is_integral_v<T>, double, float>;
    const auto power = [base](Step x) { return static_cast<Step>(std::pow(static_cast<Step>(base), x)); };
    if (steps == 1)
      result.fill(Scalar(static_cast<double>(power(static_cast<Step>(start.as_double())))));
    else if (steps > 1)
      write_spaced<Step, T>(result, start, end, power);
  });
  return out.give(std::move(result));
}

Tensor eye(const Out& out, int64_t n, std::optional<int64_t> m, MaybeDType dtype) {
  LB_CHECK(n >= 0, Runtime, "n must be greater or equal to 0, got ", n);
  LB_CHECK(!m || *m >= 0, Runtime, "m must be greater or equal to 0, got ", m.value_or(0));
  const int64_t columns = m.value_or(n);
  Tensor result = Tensor::zeros({n, columns}, dtype_for(out, dtype));
  visit_dtype(result.dtype(), [&]<class T>(T) {
    T* data = result.as<T>();
    for (int64_t i = 0; i < std::min(n, columns); ++i) data[i * (columns + 1)] = Scalar(1).to<T>();
  });
  return out.give(std::move(result));
}

#define LB_FACTORY ", dtype=None, layout=None, device=None, pin_memory=False, requires_grad=False)"

LB_OPERATOR(.signature = "zeros(*size, *, out=None" LB_FACTORY, .doc = R"(A tensor of zeros.

>>> torch.zeros(2)
tensor([0., 0.]))",
            .forward = forward_of<zeros>, .derivative = kNotDifferentiable, .forms = kFunction);
LB_OPERATOR(.signature = "ones(*size, *, out=None" LB_FACTORY, .doc = R"(A tensor of ones.

>>> torch.ones(2)
tensor([1., 1.]))",
            .forward = forward_of<ones>, .derivative = kNotDifferentiable, .forms = kFunction);
LB_OPERATOR(.signature =
                "empty(*size, *, out=None, dtype=None, memory_format=None, layout=None, device=None, pin_memory=False, "
                "requires_grad=False)",
            .doc = R"(A tensor whose elements are whatever the memory holds.

>>> torch.empty(2, 3).shape
torch.Size([2, 3]))",
            .forward = forward_of<empty>, .derivative = kNotDifferentiable, .forms = kFunction);
LB_OPERATOR(.signature = "empty_strided(size, stride, *" LB_FACTORY,
            .doc = R"(An uninitialised tensor with the given strides.

>>> torch.empty_strided((2, 3), (1, 2)).stride()
(1, 2))",
            .forward = forward_of<empty_strided>, .derivative = kNotDifferentiable, .forms = kFunction);
LB_OPERATOR(.signature = "empty_permuted(size, physical_layout, *" LB_FACTORY,
            .doc = R"(An uninitialised dense tensor whose dimensions lie in memory in the given order, outermost first.

>>> torch.empty_permuted((2, 3), (1, 0)).stride()
(1, 2))",
            .forward = forward_of<empty_permuted>, .derivative = kNotDifferentiable, .forms = kFunction);
LB_OPERATOR(.signature = "full(size, fill_value, *, out=None" LB_FACTORY,
            .doc = R"(A tensor of one value; its dtype is the value's unless given.

>>> torch.full((2,), 7)
tensor([7, 7]))",
            .forward = forward_of<full>, .derivative = kNotDifferentiable, .forms = kFunction);
LB_OPERATOR(.signature = "scalar_tensor(s, *" LB_FACTORY, .doc = R"(A 0-d tensor of the default dtype.

>>> torch.scalar_tensor(2)
tensor(2.))",
            .forward = forward_of<scalar_tensor>, .derivative = kNotDifferentiable, .forms = kFunction);
#define LB_LIKE ", dtype=None, memory_format=None, layout=None, device=None, pin_memory=False, requires_grad=False)"
LB_OPERATOR(.signature = "empty_like(input, *" LB_LIKE,
            .doc = R"(An uninitialised tensor with the input's sizes, layout and dtype.

>>> torch.empty_like(torch.zeros(2, 3)).shape
torch.Size([2, 3]))",
            .forward = forward_of<empty_like>, .derivative = kNotDifferentiable, .forms = kFunction);
LB_OPERATOR(.signature = "zeros_like(input, *" LB_LIKE, .doc = R"(Zeros with the input's sizes, layout and dtype.

>>> torch.zeros_like(torch.ones(2))
tensor([0., 0.]))",
            .forward = forward_of<zeros_like>, .derivative = kNotDifferentiable, .forms = kFunction);
LB_OPERATOR(.signature = "ones_like(input, *" LB_LIKE, .doc = R"(Ones with the input's sizes, layout and dtype.

>>> torch.ones_like(torch.zeros(2))
tensor([1., 1.]))",
            .forward = forward_of<ones_like>, .derivative = kNotDifferentiable, .forms = kFunction);
LB_OPERATOR(.signature = "full_like(input, fill_value, *" LB_LIKE,
            .doc = R"(One value with the input's sizes, layout and dtype.

>>> torch.full_like(torch.zeros(2), 7)
tensor([7., 7.]))",
            .forward = forward_of<full_like>, .derivative = kNotDifferentiable, .forms = kFunction);
LB_OPERATOR(.signature = "new_zeros(input, *size, *" LB_FACTORY, .doc = R"(Zeros of the tensor's dtype.

>>> torch.tensor([1]).new_zeros(2)
tensor([0, 0]))",
            .forward = forward_of<new_zeros>, .derivative = kNotDifferentiable, .forms = kMethod);
LB_OPERATOR(.signature = "new_ones(input, *size, *" LB_FACTORY, .doc = R"(Ones of the tensor's dtype.

>>> torch.tensor([1]).new_ones(2)
tensor([1, 1]))",
            .forward = forward_of<new_ones>, .derivative = kNotDifferentiable, .forms = kMethod);
LB_OPERATOR(.signature = "new_empty(input, *size, *" LB_FACTORY,
            .doc = R"(An uninitialised tensor of the tensor's dtype.

>>> torch.tensor([1]).new_empty(2).dtype
torch.int64)",
            .forward = forward_of<new_empty>, .derivative = kNotDifferentiable, .forms = kMethod);
LB_OPERATOR(.signature = "new_full(input, size, fill_value, *" LB_FACTORY, .doc = R"(One value in the tensor's dtype.

>>> torch.tensor([1]).new_full((2,), 7)
tensor([7, 7]))",
            .forward = forward_of<new_full>, .derivative = kNotDifferentiable, .forms = kMethod);
LB_OPERATOR(.signature = "new_empty_strided(input, size, stride, *" LB_FACTORY,
            .doc = R"(An uninitialised tensor of the tensor's dtype with the given strides.

>>> torch.tensor([1]).new_empty_strided((2, 2), (1, 2)).stride()
(1, 2))",
            .forward = forward_of<new_empty_strided>, .derivative = kNotDifferentiable, .forms = kMethod);
LB_OPERATOR(.signature = "arange(end, *, out=None" LB_FACTORY, .doc = R"(0, 1, ... below end.

>>> torch.arange(3)
tensor([0, 1, 2]))",
            .forward = forward_of<arange_end>, .derivative = kNotDifferentiable, .forms = kFunction);
LB_OPERATOR(.signature = "arange(start, end, step=1, *, out=None" LB_FACTORY,
            .doc = R"(start, start + step, ... before end; int64 when all three are integers.

>>> torch.arange(1, 2, 0.5)
tensor([1.0000, 1.5000]))",
            .forward = forward_of<arange>, .derivative = kNotDifferentiable, .forms = kFunction);
LB_OPERATOR(.signature = "range(start, end, step=1, *, out=None" LB_FACTORY,
            .doc = R"(start, start + step, ... up to and with end. arange is preferred.

>>> torch.range(1, 3)
tensor([1., 2., 3.]))",
            .forward = forward_of<range>, .derivative = kNotDifferentiable, .forms = kFunction);
LB_OPERATOR(.signature = "linspace(start, end, steps, *, out=None" LB_FACTORY,
            .doc = R"(steps evenly spaced numbers from start to end, both included.

>>> torch.linspace(0, 1, 3)
tensor([0.0000, 0.5000, 1.0000]))",
            .forward = forward_of<linspace>, .derivative = kNotDifferentiable, .forms = kFunction);
LB_OPERATOR(.signature = "logspace(start, end, steps, base=10.0, *, out=None" LB_FACTORY,
            .doc = R"(base to the power of steps evenly spaced numbers from start to end.

>>> torch.logspace(0, 2, 3)
tensor([  1.,  10., 100.]))",
            .forward = forward_of<logspace>, .derivative = kNotDifferentiable, .forms = kFunction);
LB_OPERATOR(.signature = "eye(n, m=None, *, out=None" LB_FACTORY, .doc = R"(A matrix with ones on its diagonal.

>>> torch.eye(2)
tensor([[1., 0.],
        [0., 1.]]))",
            .forward = forward_of<eye>, .derivative = kNotDifferentiable, .forms = kFunction);

}  // namespace
}  // namespace lumbre::ops
