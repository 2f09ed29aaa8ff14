// Copies, conversions of dtype and layout, and questions about a tensor.
#include <atomic>

#include "base/threads.h"
#include "ops/gradients.h"
#include "ops/views.h"
#include "tensor/plan.h"

namespace lumbre::ops {
namespace {

using Format = std::optional<MemoryFormat>;

Tensor clone(const Tensor& input, Format memory_format) {
  return input.clone(memory_format.value_or(MemoryFormat::Preserve));
}

Tensor contiguous(const Tensor& input, MemoryFormat format) {
  LB_CHECK(format != MemoryFormat::Preserve, Runtime,
           "preserve memory format is unsupported by the contiguous operator");
  return input.is_contiguous(format) ? input : input.clone(format);
}

// Whether to() takes the layout as it is: what is not channels-last counts as contiguous, whatever its strides.
bool laid_out(const Tensor& input, Format format) {
  if (!format || *format == MemoryFormat::Preserve) return true;
  for (MemoryFormat last : {MemoryFormat::ChannelsLast, MemoryFormat::ChannelsLast3d})
    if (!input.is_contiguous() && input.is_contiguous(last)) return *format == last;
  return *format == MemoryFormat::Contiguous || input.is_contiguous(*format);
}

Tensor converted(const Tensor& input, DType dtype, bool copy, Format format) {
  if (!copy && dtype == input.dtype() && laid_out(input, format)) return input;
  if (dtype == input.dtype()) return input.clone(format.value_or(MemoryFormat::Preserve));
  const bool preserve = !format || *format == MemoryFormat::Preserve;
  Tensor result = Tensor::empty_strided(
      input.sizes(), preserve ? strides_like(input, input.sizes()) : strides_for(input.sizes(), *format), dtype);
  result.copy_from(input);
  return result;
}

Tensor to_dtype(const Tensor& input, DType dtype, bool, bool copy, Format format) {
  return converted(input, dtype, copy, format);
}
Tensor to_other(const Tensor& input, const Tensor& other, bool, bool copy, Format format) {
  return converted(input, other.dtype(), copy, format);
}
Tensor to_device(const Tensor& input, std::optional<DType> dtype, bool, bool copy, Format format) {
  return converted(input, dtype.value_or(input.dtype()), copy, format);
}
Tensor cpu(const Tensor& input, Format format) { return converted(input, input.dtype(), false, format); }
Tensor type_as(const Tensor& input, const Tensor& other) { return input.to(other.dtype()); }

template <DType dtype>
Tensor to_named(const Tensor& input, Format format) {
  return converted(input, dtype, false, format);
}

Tensor copy(const Out& out, const Tensor& input, const Tensor& source, bool) {
  if (!out.in_place()) {
    Tensor result = input.clone();
    result.copy_from(source);
    return result;
  }
  input.copy_from(source);
  input.bump_version();
  return input;
}

Tensor fill_scalar(const Out& out, const Tensor& input, Scalar value) {
  const Tensor target =
      out.in_place() ? input : Tensor::empty_strided(input.sizes(), strides_like(input, input.sizes()), input.dtype());
  target.fill(value);
  if (out.in_place()) target.bump_version();
  return target;
}
Tensor fill_tensor(const Out& out, const Tensor& input, const Tensor& value) {
  LB_CHECK(value.ndim() == 0, Runtime, "fill_ only supports 0-dimension value tensor but got tensor with ",
           value.ndim(), " dimensions.");
  return fill_scalar(out, input, value.to(input.dtype()).item());
}
Tensor zero(const Out& out, const Tensor& input) { return fill_scalar(out, input, Scalar(0)); }

Tensor resize(const Out& out, const Tensor& input, const Dims& size, Format format) {
  LB_CHECK(!autograd::requires_grad(input), Runtime, "cannot resize variables that require grad");
  if (size != input.sizes()) input.resize(size);
  if (format && *format != MemoryFormat::Preserve && *format != MemoryFormat::Contiguous)
    input->set_geometry(size, strides_for(size, *format), input->offset);
  input.bump_version();
  return *out.target();
}
Tensor resize_as(const Out& out, const Tensor& input, const Tensor& the_template, Format format) {
  return resize(out, input, the_template.sizes(), format);
}

int64_t numel(const Tensor& input) { return input.count(); }
bool is_floating_point(const Tensor& input) { return is_floating(input.dtype()); }
bool is_complex(const Tensor&) { return false; }
bool is_signed_tensor(const Tensor& input) { return is_signed(input.dtype()); }
bool is_nonzero(const Tensor& input) {
  LB_CHECK(input.count() != 0, Runtime, "Boolean value of Tensor with no values is ambiguous");
  LB_CHECK(input.count() == 1, Runtime, "Boolean value of Tensor with more than one value is ambiguous");
  return input.item().as_bool();
}
bool is_same_size(const Tensor& input, const Tensor& other) { return input.sizes() == other.sizes(); }

// In blocks without a branch, of a length that the compiler knows.
template <class T>
bool equal_runs(const T* x, const T* y, int64_t count) {
  constexpr int64_t kBlock = 256;
  using Wide = std::conditional_t<is_half_type<T>, float, T>;
  using Mark = std::conditional_t<sizeof(Wide) == 8, int64_t, std::conditional_t<sizeof(Wide) == 4, int32_t, int8_t>>;
  const auto differ = [](T a, T b) { return static_cast<Wide>(a) != static_cast<Wide>(b); };
  int64_t i = 0;
  for (; i + kBlock <= count; i += kBlock) {
    Mark found = 0;
    for (int64_t k = i; k < i + kBlock; ++k) found |= static_cast<Mark>(differ(x[k], y[k]));
    if (found) return false;
  }
  for (; i < count; ++i)
    if (differ(x[i], y[i])) return false;
  return true;
}

bool equal(const Tensor& input, const Tensor& other) {
  LB_CHECK(input.dtype() == other.dtype(), Runtime, "Expected all tensors to have the same dtype, but found ",
           dtype_title(input.dtype()), " and ", dtype_title(other.dtype()));
  if (input.sizes() != other.sizes()) return false;
  const Tensor a = input.contiguous(), b = other.contiguous();
  return visit_dtype(a.dtype(), [&]<class T>(T) {
    const T *x = a.as<T>(), *y = b.as<T>();
    std::atomic<bool> same = true;
    const LongWork released(a.count() >= kLongWork);
    parallel_for(a.count(), kGrain, [&](int64_t begin, int64_t end) {
      if (same.load(std::memory_order_relaxed) && !equal_runs(x + begin, y + begin, end - begin)) same = false;
    });
    return same.load();
  });
}

LB_OPERATOR(
        .signature = "clone(input, *, memory_format=None)",
        .doc =
            R"(A copy. Its layout is the input's where that is dense, else row-major, unless memory_format says otherwise.

>>> torch.ones(2).clone()
tensor([1., 1.]))",
        .forward = forward_of<clone>, .derivative = LB_GRADIENT("CloneBackward0", "", g));
LB_OPERATOR(.signature = "contiguous(input, *, memory_format=contiguous_format)",
            .doc =
                R"(The tensor itself if its memory is in row-major (or the given) order without gaps, else such a copy.

>>> torch.zeros(2, 3).t().contiguous().stride()
(2, 1))",
            .forward = forward_of<contiguous>, .derivative = LB_GRADIENT("CloneBackward0", "", g), .forms = kMethod);
LB_OPERATOR(.signature = "to(input, dtype, non_blocking=False, copy=False, *, memory_format=None)",
            .doc = R"(The tensor in another dtype: itself when nothing changes and copy is false.

>>> torch.ones(2).to(torch.int64)
tensor([1, 1]))",
            .forward = forward_of<to_dtype>, .derivative = LB_GRADIENT("ToCopyBackward0", "", g), .forms = kMethod);
LB_OPERATOR(.signature = "to(input, other, non_blocking=False, copy=False, *, memory_format=None)",
            .doc = R"(The tensor in the dtype of other.

>>> torch.ones(2).to(torch.tensor(1))
tensor([1, 1]))",
            .forward = forward_of<to_other>, .derivative = LB_GRADIENT("ToCopyBackward0", "", g), .forms = kMethod);
LB_OPERATOR(.signature = "to(input, device=None, dtype=None, non_blocking=False, copy=False, *, memory_format=None)",
            .doc = R"(The tensor on a device (the CPU) and in a dtype.

>>> torch.ones(2).to("cpu", torch.int64)
tensor([1, 1]))",
            .forward = forward_of<to_device>, .derivative = LB_GRADIENT("ToCopyBackward0", "", g), .forms = kMethod);
LB_OPERATOR(.signature = "cpu(input, memory_format=None)", .doc = R"(The tensor itself: it is on the CPU.

>>> torch.ones(2).cpu()
tensor([1., 1.]))",
            .forward = forward_of<cpu>, .derivative = LB_GRADIENT("ToCopyBackward0", "", g), .forms = kMethod);
LB_OPERATOR(.signature = "type_as(input, other)", .doc = R"(The tensor in the dtype of other.

>>> torch.ones(2).type_as(torch.tensor(1))
tensor([1, 1]))",
            .forward = forward_of<type_as>, .derivative = LB_GRADIENT("ToCopyBackward0", "", g), .forms = kMethod);

#define LB_CONVERSION(name, dtype)                                                                                \
  LB_OPERATOR(.signature = #name "(input, memory_format=None)",                                                   \
              .doc = "The tensor as " #dtype ".\n\n>>> torch.tensor([0, 1])." #name                               \
                     "().dtype == torch.tensor([0])." #name "().dtype\nTrue",                                     \
              .forward = forward_of<to_named<DType::dtype>>, .derivative = LB_GRADIENT("ToCopyBackward0", "", g), \
              .forms = kMethod)
LB_CONVERSION(float, Float32);
LB_CONVERSION(double, Float64);
LB_CONVERSION(half, Float16);
LB_CONVERSION(bfloat16, BFloat16);
LB_CONVERSION(long, Int64);
LB_CONVERSION(int, Int32);
LB_CONVERSION(short, Int16);
LB_CONVERSION(char, Int8);
LB_CONVERSION(byte, UInt8);
LB_CONVERSION(bool, Bool);

LB_OPERATOR(.signature = "copy(input, src, non_blocking=False)",
            .doc = R"(Writes src, broadcast and converted, over the tensor.

>>> torch.zeros(2).copy_(torch.tensor(3))
tensor([3., 3.]))",
            .forward = forward_of<copy>,
            .derivative = LB_GRADIENTS("CopyBackwards", "", zeros(b.sizes(0), b.dtype(0)), g), .forms = kInPlace);
LB_OPERATOR(.signature = "fill(input, value)", .doc = R"(Every element becomes the one element of a 0-d tensor.

>>> torch.zeros(2).fill_(torch.tensor(3))
tensor([3., 3.]))",
            .forward = forward_of<fill_tensor>,
            .derivative = LB_GRADIENTS("FillBackward1/FillBackward3", "", zeros(b.sizes(0), b.dtype(0)), sum(g)),
            .forms = kFunction | kInPlace | kInPlaceFunction);
LB_OPERATOR(.signature = "fill(input, value)", .doc = R"(Every element becomes value.

>>> torch.zeros(2).fill_(3)
tensor([3., 3.]))",
            .forward = forward_of<fill_scalar>, .derivative = LB_ZERO_GRADIENT("FillBackward0/FillBackward2"),
            .forms = kFunction | kInPlace | kInPlaceFunction);
LB_OPERATOR(.signature = "zero(input)", .doc = R"(Every element becomes zero.

>>> torch.ones(2).zero_()
tensor([0., 0.]))",
            .forward = forward_of<zero>, .derivative = LB_ZERO_GRADIENT("ZeroBackward0"),
            .forms = kInPlace | kInPlaceFunction);
LB_OPERATOR(.signature = "resize(input, *size, *, memory_format=None)",
            .doc = R"(Gives the tensor other sizes, growing its memory where needed; new elements are zero.

>>> torch.ones(2).resize_(3)
tensor([1., 1., 0.]))",
            .forward = forward_of<resize>, .derivative = kNotDifferentiable, .forms = kInPlace);
LB_OPERATOR(.signature = "resize_as(input, the_template, *, memory_format=None)",
            .doc = R"(Gives the tensor the sizes of another.

>>> torch.ones(3).resize_as_(torch.zeros(2))
tensor([1., 1.]))",
            .forward = forward_of<resize_as>, .derivative = kNotDifferentiable, .forms = kInPlace | kInPlaceFunction);

LB_OPERATOR(.signature = "numel(input)", .doc = R"(The number of elements.

>>> torch.zeros(2, 3).numel()
6)",
            .forward = forward_of<numel>, .derivative = kNotDifferentiable);
LB_OPERATOR(.signature = "nelement(input)", .doc = R"(The number of elements.

>>> torch.zeros(2, 3).nelement()
6)",
            .forward = forward_of<numel>, .derivative = kNotDifferentiable, .forms = kMethod);
LB_OPERATOR(.signature = "is_floating_point(input)", .doc = R"(Whether the dtype is a floating one.

>>> torch.zeros(2).is_floating_point()
True)",
            .forward = forward_of<is_floating_point>, .derivative = kNotDifferentiable);
LB_OPERATOR(.signature = "is_complex(input)", .doc = R"(Whether the dtype is complex.

>>> torch.zeros(2).is_complex()
False)",
            .forward = forward_of<is_complex>, .derivative = kNotDifferentiable);
LB_OPERATOR(.signature = "is_signed(input)", .doc = R"(Whether the dtype has negative numbers.

>>> torch.zeros(2).is_signed()
True)",
            .forward = forward_of<is_signed_tensor>, .derivative = kNotDifferentiable);
LB_OPERATOR(.signature = "is_nonzero(input)", .doc = R"(Whether the one element is not zero.

>>> torch.is_nonzero(torch.tensor([2.0]))
True)",
            .forward = forward_of<is_nonzero>, .derivative = kNotDifferentiable, .decides = Decides::Elements);
LB_OPERATOR(.signature = "is_same_size(input, other)", .doc = R"(Whether two tensors have the same sizes.

>>> torch.is_same_size(torch.zeros(2), torch.ones(2))
True)",
            .forward = forward_of<is_same_size>, .derivative = kNotDifferentiable);
LB_OPERATOR(.signature = "equal(input, other)", .doc = R"(Whether two tensors have the same sizes and elements.

>>> torch.equal(torch.zeros(2), torch.zeros(2))
True)",
            .forward = forward_of<equal>, .derivative = kNotDifferentiable, .decides = Decides::Elements);

}  // namespace
}  // namespace lumbre::ops
