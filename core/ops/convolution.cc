// Convolutions: what is accepted, and the three products that are each other's derivatives.
#include "ops/convolution.h"

#include "ops/backward.h"
#include "ops/padding.h"
#include "ops/registry.h"
#include "ops/views.h"

namespace lumbre::ops {
namespace {

// The arguments of torch.convolution, lists expanded to one number for each dimension.
struct Settings {
  Dims stride, padding, dilation, output_padding;
  bool transposed = false;
  int64_t groups = 1;
};

Dims expand_setting(const Dims& given, int dims, const char* name) {
  if (given.size() == 1) return Dims(static_cast<size_t>(dims), given[0]);
  LB_CHECK(given.ndim() == dims, Runtime, "expected ", name, " to be a single integer value or a list of ", dims,
           " values to match the convolution dimensions, but got ", name, "=", given);
  return given;
}

bool any_below(const Dims& dims, int64_t bound) {
  return std::any_of(dims.begin(), dims.end(), [&](int64_t d) { return d < bound; });
}

std::string joined(const Dims& dims) {
  std::string result;
  for (size_t i = 0; i < dims.size(); ++i) result += (i ? " x " : "") + std::to_string(dims[i]);
  return result;
}

// dilation * (kernel - 1) + 1
int64_t extent(int64_t kernel, int64_t dilation) { return checked_add(checked_multiply(dilation, kernel - 1), 1); }

void check_dtypes(const Tensor& input, const Tensor& weight, const std::optional<Tensor>& bias) {
  LB_CHECK(input.dtype() == weight.dtype(), Runtime, "Input type (torch.", dtype_title(input.dtype()),
           "Tensor) and weight type (torch.", dtype_title(weight.dtype()),
           "Tensor) should be the same or input should be a MKLDNN tensor and weight is a dense tensor");
  const auto name = [](DType dtype) { return dtype == DType::Int64 ? "long int" : c_type_name(dtype); };
  LB_CHECK(!bias || bias->dtype() == input.dtype(), Runtime, "Input type (", name(input.dtype()), ") and bias type (",
           bias ? name(bias->dtype()) : "", ") should be the same");
}

void check_settings(const Settings& s) {
  LB_CHECK(!any_below(s.padding, 0), Runtime, "negative padding is not supported");
  LB_CHECK(!any_below(s.output_padding, 0), Runtime, "negative output_padding is not supported");
  LB_CHECK(!any_below(s.stride, 1), Runtime, "non-positive stride is not supported");
  LB_CHECK(!any_below(s.dilation, 1), Runtime, "non-positive dilation is not supported");
  LB_CHECK(s.groups > 0, Runtime, "non-positive groups is not supported");
  constexpr int64_t kLargest = INT64_MAX / 2;
  for (size_t i = 0; i < s.padding.size(); ++i)
    LB_CHECK(s.padding[i] <= kLargest, Runtime, "Given padding=", s.padding[i], " at dimension ", i,
             " , expected padding to be at most ", kLargest);
}

void check_shapes(const Tensor& input, const Tensor& weight, const std::optional<Tensor>& bias, const Settings& s) {
  const Dims &x = input.sizes(), &w = weight.sizes();
  LB_CHECK(x.ndim() == w.ndim(), Runtime, "Expected ", w.ndim(), "-dimensional input for ", w.ndim(),
           "-dimensional weight ", w, ", but got ", x.ndim(), "-dimensional input of size ", x, " instead");
  LB_CHECK(w[0] >= s.groups, Runtime, "Given groups=", s.groups, ", expected weight to be at least ", s.groups,
           " at dimension 0, but got weight of size ", w, " instead");
  LB_CHECK(w[0] % s.groups == 0, Runtime, "Given groups=", s.groups, ", expected weight to be divisible by ", s.groups,
           " at dimension 0, but got weight of size [", w, "] instead");
  const int64_t outs = s.transposed ? checked_multiply(w[1], s.groups) : w[0];
  const int64_t ins = s.transposed ? w[0] : checked_multiply(w[1], s.groups);
  if (s.transposed)
    LB_CHECK(x[1] == ins, Runtime, "Given transposed=1, weight of size ", w, ", expected input", x, " to have ", ins,
             " channels, but got ", x[1], " channels instead");
  else
    LB_CHECK(x[1] == ins, Runtime, "Given groups=", s.groups, ", weight of size ", w, ", expected input", x,
             " to have ", ins, " channels, but got ", x[1], " channels instead");
  LB_CHECK(!bias || (bias->ndim() == 1 && bias->count() == outs), Runtime, "Given ",
           s.transposed ? "transposed=1, " : "", "weight of size ", w, ", expected bias to be 1-dimensional with ",
           outs, " elements, but got bias of size ", bias ? bias->sizes() : Dims(), " instead");
}

// Sizes of the result's image.
Dims output_sizes(const Dims& x, const Dims& w, const Settings& s) {
  Dims out, padded, kernel;
  bool fits = true;
  for (size_t d = 0; d < s.stride.size(); ++d) {
    const int64_t size = x[d + 2], taps = w[d + 2];
    LB_CHECK(taps > 0, Runtime, "kernel sizes should be greater than zero, but got weight of size ", w);
    const int64_t reach = extent(taps, s.dilation[d]), border = checked_multiply(2, s.padding[d]);
    if (s.transposed) {
      out.push_back(checked_add(checked_add(checked_add(checked_multiply(size - 1, s.stride[d]), -border), reach),
                                s.output_padding[d]));
      continue;
    }
    padded.push_back(checked_add(size, border));
    kernel.push_back(reach);
    fits = fits && reach <= padded[d];
    out.push_back(fits ? (padded[d] - reach) / s.stride[d] + 1 : 0);
  }
  LB_CHECK(fits, Runtime, "Calculated padded input size per channel: (", joined(padded), "). Kernel size: (",
           joined(kernel), "). Kernel size can't be greater than actual input size");
  return out;
}

// "stride_height: 1 stride_width: 1"
std::string along(const char* name, const Dims& values) {
  constexpr const char* kAxes[] = {"depth", "height", "width"};
  std::string result;
  const size_t skipped = values.size() == 3 ? 0 : 1;  // signals are taken as images of one row
  if (values.size() == 1) result = text(name, "_height: ", std::string_view(name) == "output_padding" ? 0 : 1);
  for (size_t d = 0; d < values.size(); ++d)
    result += text(result.empty() ? "" : " ", name, "_", kAxes[values.size() == 1 ? 2 : skipped + d], ": ", values[d]);
  return result;
}

void check_transposed(const Tensor& input, const Settings& s, const Dims& out) {
  for (size_t d = 0; d < out.size(); ++d) {
    LB_CHECK(s.output_padding[d] < s.stride[d] || s.output_padding[d] < s.dilation[d], Runtime,
             "output padding must be smaller than either stride or dilation, but got ",
             along("output_padding", s.output_padding), " ", along("stride", s.stride), " ",
             along("dilation", s.dilation));
    LB_CHECK(out[d] > 0, Runtime, "Given input size per channel: (",
             joined(Dims(std::span(input.sizes().begin() + 2, input.sizes().end()))),
             "). Calculated output size per channel: (", joined(out), "). Output size is too small");
  }
}

// PyTorch's refusals of dtypes name the kernel that it would have run.
void check_supported(DType dtype, const Settings& s) {
  const size_t dims = s.stride.size();
  const bool dilated = std::any_of(s.dilation.begin(), s.dilation.end(), [](int64_t d) { return d > 1; });
  const char* name = s.transposed ? dims == 3 ? "slow_conv_transpose3d_out_cpu" : "slow_conv_transpose2d_out_cpu"
                     : dilated    ? "slow_conv_dilated<>"
                     : dims == 3  ? "compute_columns3d"
                                  : "slow_conv2d_cpu";
  const bool narrow = is_integral(dtype, true) && dtype != DType::Int64;
  LB_CHECK(dtype != DType::Bool && !(narrow && (s.transposed || dilated)), NotImplemented, "\"", name,
           "\" not implemented for '", dtype_title(dtype), "'");
}

bool channels_last(const Tensor& t) {
  return t.ndim() == 4 && !t.is_contiguous() && t.is_contiguous(MemoryFormat::ChannelsLast);
}

// x and y in the roles of ops/convolution.h.
Convolution geometry(const Dims& x, const Dims& y, const Dims& w, const Dims& stride, const Dims& padding,
                     const Dims& dilation, int64_t groups) {
  const size_t dims = w.size() - 2;
  LB_CHECK(dims >= 1 && dims <= 3, NotImplemented, "convolutions have 1 to 3 dimensions, but got weight of size ", w);
  Convolution c;
  c.n = x[0];
  c.groups = groups;
  c.in_channels = x[1];
  c.out_channels = y[1];
  for (size_t d = 0; d < dims; ++d) {
    const size_t at = 3 - dims + d;
    c.in[at] = x[d + 2];
    c.out[at] = y[d + 2];
    c.kernel[at] = w[d + 2];
    c.stride[at] = stride[d];
    c.padding[at] = padding[d];
    c.dilation[at] = dilation[d];
  }
  return c;
}

enum class Product : uint8_t { Output, Input, Weight };

// One of x, y and w from the other two, which are `a` and `b` in that order.
Tensor product_of(Product which, const Tensor& a, const Tensor& b, const std::optional<Tensor>& bias, const Dims& sizes,
                  const Dims& stride, const Dims& padding, const Dims& dilation, int64_t groups) {
  const DType dtype = a.dtype(), computed = is_half(dtype) ? DType::Float32 : is_floating(dtype) ? dtype : DType::Int64;
  const Dims& x = which == Product::Input ? sizes : a.sizes();
  const Dims& y = which == Product::Output ? sizes : which == Product::Input ? a.sizes() : b.sizes();
  const Dims& w = which == Product::Weight ? sizes : b.sizes();
  const Convolution c = geometry(x, y, w, stride, padding, dilation, groups);
  const Tensor first = a.to(computed).contiguous(), second = b.to(computed).contiguous();
  const Tensor shift = bias ? bias->to(computed).contiguous() : Tensor();
  const void* shift_data = bias ? shift.bytes() : nullptr;
  if (a.count() == 0 || b.count() == 0) return Tensor::zeros(sizes, dtype);
  Tensor result = Tensor::empty(sizes, computed);
  if (result.count() == 0) return result.to(dtype);
  if (which == Product::Output)
    convolve(c, computed, first.bytes(), second.bytes(), shift_data, result.bytes());
  else if (which == Product::Input)
    convolve_transposed(c, computed, first.bytes(), second.bytes(), shift_data, result.bytes());
  else
    correlate(c, computed, first.bytes(), second.bytes(), result.bytes());
  result = result.to(dtype);
  const bool last = which == Product::Weight ? false : channels_last(a) || channels_last(b);
  return last ? result.clone(MemoryFormat::ChannelsLast) : result;
}

Tensor convolution(const Tensor& input, const Tensor& weight, const std::optional<Tensor>& bias, const Dims& stride,
                   const Dims& padding, const Dims& dilation, bool transposed, const Dims& output_padding,
                   int64_t groups) {
  const int dims = weight.ndim() - 2;
  LB_CHECK(dims > 0, Runtime, "weight should have at least three dimensions");
  check_dtypes(input, weight, bias);
  const Settings s{expand_setting(stride, dims, "stride"),
                   expand_setting(padding, dims, "padding"),
                   expand_setting(dilation, dims, "dilation"),
                   expand_setting(output_padding, dims, "output_padding"),
                   transposed,
                   groups};
  check_settings(s);
  check_shapes(input, weight, bias, s);
  const Dims &x = input.sizes(), &w = weight.sizes();
  const Dims image = output_sizes(x, w, s);
  if (transposed) check_transposed(input, s, image);
  const bool none = x[0] == 0 || x[1] == 0;
  LB_CHECK(none || input.count() > 0, Runtime,
           "Only zero batch or zero channel inputs are supported, but got input shape: ", x);
  check_supported(input.dtype(), s);
  Dims sizes{x[0], x[1] == 0 ? 0 : transposed ? checked_multiply(w[1], groups) : w[0]};
  for (int64_t size : image) sizes.push_back(size);
  if (x[1] == 0) return Tensor::empty(sizes, input.dtype());
  if (transposed)
    return op::call<"_convolution_input">(input, weight, bias, sizes, s.stride, s.padding, s.dilation, groups);
  return op::call<"_convolution_output">(input, weight, bias, sizes, s.stride, s.padding, s.dilation, groups);
}

// The batch that a convolution of `dims` dimensions takes, and whether it was one image.
Tensor batched(const Tensor& input, int dims, const char* name, bool& single) {
  LB_CHECK(input.ndim() == dims + 1 || input.ndim() == dims + 2, Runtime, "Expected ", dims + 1, "D (unbatched) or ",
           dims + 2, "D (batched) input to ", name, ", but got input of size: ", input.sizes());
  single = input.ndim() == dims + 1;
  return single ? op::unsqueeze(input, 0) : input;
}

// One number for each of a named convolution's own dimensions.
Dims spread(const Dims& given, int dims) {
  return given.size() == 1 ? Dims(static_cast<size_t>(dims), given[0]) : given;
}

constexpr const char* kNames[] = {"conv1d", "conv2d", "conv3d"};
constexpr const char* kTransposedNames[] = {"conv_transpose1d", "conv_transpose2d", "conv_transpose3d"};

template <int dims>
Tensor conv(const Tensor& input, const Tensor& weight, const std::optional<Tensor>& bias, const Dims& stride,
            const Dims& padding, const Dims& dilation, int64_t groups) {
  bool single;
  const Tensor x = batched(input, dims, kNames[dims - 1], single);
  const Tensor y = convolution(x, weight, bias, spread(stride, dims), spread(padding, dims), spread(dilation, dims),
                               false, Dims{0}, groups);
  return single ? op::call<"select">(y, 0, 0) : y;
}

template <int dims>
Tensor conv_transpose(const Tensor& input, const Tensor& weight, const std::optional<Tensor>& bias, const Dims& stride,
                      const Dims& padding, const Dims& output_padding, int64_t groups, const Dims& dilation) {
  bool single;
  const Tensor x = batched(input, dims, kTransposedNames[dims - 1], single);
  const Tensor y = convolution(x, weight, bias, spread(stride, dims), spread(padding, dims), spread(dilation, dims),
                               true, spread(output_padding, dims), groups);
  return single ? op::call<"select">(y, 0, 0) : y;
}

// padding='same': as many zeros before and behind; one more behind where they are odd, which need a padded copy.
Tensor convolution_same(const Tensor& input, const Tensor& weight, const std::optional<Tensor>& bias,
                        const Dims& stride, const Dims& dilation, int64_t groups) {
  const int dims = weight.ndim() - 2;
  LB_CHECK(dims > 0, Runtime, "weight should have at least three dimensions");
  LB_CHECK(input.ndim() == weight.ndim(), Runtime, "Expected ", weight.ndim(), "-dimensional input for ", weight.ndim(),
           "-dimensional weight ", weight.sizes(), ", but got ", input.ndim(), "-dimensional input of size ",
           input.sizes(), " instead");
  for (int64_t step : stride) LB_CHECK(step == 1, Runtime, "padding='same' is not supported for strided convolutions");
  const Dims steps = expand_setting(dilation, dims, "dilation");
  Dims padding, behind(static_cast<size_t>(2 * dims), 0);
  bool even = true;
  for (int d = 0; d < dims; ++d) {
    const int64_t total = checked_multiply(steps[d], weight.sizes()[d + 2] - 1);
    padding.push_back(total / 2);
    behind[2 * (dims - 1 - d) + 1] = total % 2;
    even = even && total % 2 == 0;
  }
  const Tensor x = even ? input : op::call<"constant_pad_nd">(input, behind, Scalar(0));
  return convolution(x, weight, bias, stride, padding, dilation, false, Dims{0}, groups);
}

template <int dims>
Tensor conv_named(const Tensor& input, const Tensor& weight, const std::optional<Tensor>& bias, const Dims& stride,
                  const std::string& padding, const Dims& dilation, int64_t groups) {
  bool single;
  const Tensor x = batched(input, dims, kNames[dims - 1], single);
  LB_CHECK(padding == "same" || padding == "valid", Runtime, "Invalid padding string: '", padding, "'");
  const Tensor y = padding == "same" ? convolution_same(x, weight, bias, stride, dilation, groups)
                                     : convolution(x, weight, bias, spread(stride, dims), Dims{0},
                                                   spread(dilation, dims), false, Dims{0}, groups);
  return single ? op::call<"select">(y, 0, 0) : y;
}

Tensor conv_tbc(const Tensor& input, const Tensor& weight, const Tensor& bias, int64_t pad) {
  LB_CHECK(input.ndim() == 3, Runtime, "Input must have 3 dims: time, batch, in_channel");
  LB_CHECK(weight.ndim() == 3, Runtime, "Weight tensor must have 3 dims: kernel_width, in_channels, out_channels.");
  LB_CHECK(bias.ndim() == 1, Runtime, "Bias must be 1-D");
  LB_CHECK(input.sizes()[2] == weight.sizes()[1], Runtime,
           "Input dim 2 (input channels) is not == dim 1 in the weight tensor");
  LB_CHECK(weight.sizes()[2] == bias.sizes()[0], Runtime,
           "Bias size must equal dim 2 in the weight tensor (output channels).");
  LB_CHECK(input.dtype() == weight.dtype() && input.dtype() == bias.dtype(), Runtime,
           "conv_tbc takes input, weight and bias of one dtype");
  const int64_t length = checked_add(checked_add(input.sizes()[0], checked_multiply(2, pad)), 1 - weight.sizes()[0]);
  LB_CHECK(length >= 0, Runtime, "Trying to create tensor with negative dimension ", length, ": [", length, ", ",
           input.sizes()[1], ", ", weight.sizes()[2], "]");
  const Tensor x = op::call<"permute">(input, Dims{1, 2, 0}), w = op::call<"permute">(weight, Dims{2, 1, 0});
  const Dims sizes{x.sizes()[0], w.sizes()[0], length};
  const Tensor y = op::call<"_convolution_output">(x, w, bias, sizes, Dims{1}, Dims{pad}, Dims{1}, 1);
  return op::call<"permute">(y, Dims{2, 0, 1});
}

template <Product which>
Tensor product_record(const Tensor& a, const Tensor& b, const std::optional<Tensor>& bias, const Dims& sizes,
                      const Dims& stride, const Dims& padding, const Dims& dilation, int64_t groups) {
  return product_of(which, a, b, bias, sizes, stride, padding, dilation, groups);
}

Tensor weight_record(const Tensor& a, const Tensor& b, const Dims& sizes, const Dims& stride, const Dims& padding,
                     const Dims& dilation, int64_t groups) {
  return product_of(Product::Weight, a, b, std::nullopt, sizes, stride, padding, dilation, groups);
}

Tensor sum_channels(const Tensor& g) {
  Dims others{0};
  for (int64_t d = 2; d < g.ndim(); ++d) others.push_back(d);
  return op::sum(g, others, false);
}

// Of x, w and y each is a product of the others, so the gradients are the other two products.
void output_gradient(Backward& b) {
  const Tensor g = b.grad();
  const Dims &stride = b.dims(4), &padding = b.dims(5), &dilation = b.dims(6);
  const int64_t groups = b.integer(7);
  if (b.needs(0))
    b.give(0, op::call<"_convolution_input">(g, b.input(1), op::none, b.sizes(0), stride, padding, dilation, groups));
  if (b.needs(1))
    b.give(1, op::call<"_convolution_weight">(b.input(0), g, b.sizes(1), stride, padding, dilation, groups));
  if (b.needs(2)) b.give(2, sum_channels(g));
}

void input_gradient(Backward& b) {
  const Tensor g = b.grad();
  const Dims &stride = b.dims(4), &padding = b.dims(5), &dilation = b.dims(6);
  const int64_t groups = b.integer(7);
  if (b.needs(0))
    b.give(0, op::call<"_convolution_output">(g, b.input(1), op::none, b.sizes(0), stride, padding, dilation, groups));
  if (b.needs(1))
    b.give(1, op::call<"_convolution_weight">(g, b.input(0), b.sizes(1), stride, padding, dilation, groups));
  if (b.needs(2)) b.give(2, sum_channels(g));
}

void weight_gradient(Backward& b) {
  const Tensor g = b.grad();
  const Dims &stride = b.dims(3), &padding = b.dims(4), &dilation = b.dims(5);
  const int64_t groups = b.integer(6);
  if (b.needs(0))
    b.give(0, op::call<"_convolution_input">(b.input(1), g, op::none, b.sizes(0), stride, padding, dilation, groups));
  if (b.needs(1))
    b.give(1, op::call<"_convolution_output">(b.input(0), g, op::none, b.sizes(1), stride, padding, dilation, groups));
}

#define LB_CONVOLUTION(dims, text)                                                                                \
  LB_OPERATOR(.signature = "conv" #dims "d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1)", \
              .doc = text, .forward = forward_of<conv<dims>>, .derivative = kComposed, .forms = kFunction,        \
              .aliases = "nn.functional.conv" #dims "d");                                                         \
  LB_SAME_CONVOLUTION(dims, text)
#define LB_SAME_CONVOLUTION(dims, text)                                                                            \
  namespace named_##dims {                                                                                         \
    LB_OPERATOR(.signature =                                                                                       \
                    "conv" #dims "d(input, weight, bias=None, stride=1, padding='valid', dilation=1, groups=1)",   \
                .doc = text, .forward = forward_of<conv_named<dims>>, .derivative = kComposed, .forms = kFunction, \
                .aliases = "nn.functional.conv" #dims "d");                                                        \
  }
LB_CONVOLUTION(1, R"(Slides kernels along signals: input (n, channels, length) or (channels, length), weight
(out_channels, channels / groups, taps). Result (n, out_channels, steps). padding is a number or 'same' or 'valid'.

>>> torch.conv1d(torch.tensor([[1., 2., 4.]]), torch.tensor([[[1., -1.]]]))
tensor([[-1., -2.]]))")
LB_CONVOLUTION(2, R"(Slides kernels over images: input (n, channels, height, width) or one without n, weight
(out_channels, channels / groups, rows, columns). padding is a number, two, or 'same' or 'valid'.

>>> torch.conv2d(torch.ones(1, 3, 3), torch.ones(1, 1, 2, 2))
tensor([[[4., 4.],
         [4., 4.]]]))")
LB_CONVOLUTION(3, R"(Slides kernels over volumes: input (n, channels, depth, height, width) or one without n, weight
(out_channels, channels / groups, layers, rows, columns). padding is a number, three, or 'same' or 'valid'.

>>> torch.conv3d(torch.ones(1, 2, 2, 2), torch.ones(1, 1, 2, 2, 2))
tensor([[[[8.]]]]))")

#define LB_CONVOLUTION_TRANSPOSED(dims, text)                                                                          \
  LB_OPERATOR(.signature = "conv_transpose" #dims                                                                      \
                           "d(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1)", \
              .doc = text, .forward = forward_of<conv_transpose<dims>>, .derivative = kComposed, .forms = kFunction,   \
              .aliases = "nn.functional.conv_transpose" #dims "d")
LB_CONVOLUTION_TRANSPOSED(1, R"(Spreads each step of a signal over a kernel: input (n, channels, length) or without n,
weight (channels, out_channels / groups, taps). The gradient of conv1d for its input.

>>> torch.conv_transpose1d(torch.tensor([[1., 2.]]), torch.tensor([[[1., 10.]]]))
tensor([[ 1., 12., 20.]]))");
LB_CONVOLUTION_TRANSPOSED(2, R"(Spreads each pixel over a kernel: input (n, channels, height, width) or without n,
weight (channels, out_channels / groups, rows, columns). The gradient of conv2d for its input.

>>> torch.conv_transpose2d(torch.ones(1, 1, 1), torch.ones(1, 1, 2, 2))
tensor([[[1., 1.],
         [1., 1.]]]))");
LB_CONVOLUTION_TRANSPOSED(3,
                          R"(Spreads each voxel over a kernel: input (n, channels, depth, height, width) or without n,
weight (channels, out_channels / groups, layers, rows, columns). The gradient of conv3d for its input.

>>> torch.conv_transpose3d(torch.ones(1, 1, 1, 1), torch.ones(1, 1, 1, 1, 2))
tensor([[[[1., 1.]]]]))");

LB_OPERATOR(.signature =
                "convolution(input, weight, bias, stride, padding, dilation, transposed, output_padding, groups)",
            .doc = R"(The convolution of any number of dimensions that conv1d to conv_transpose3d call.

>>> torch.convolution(torch.ones(1, 1, 3), torch.ones(1, 1, 2), None, [1], [0], [1], False, [0], 1)
tensor([[[2., 2.]]]))",
            .forward = forward_of<convolution>, .derivative = kComposed, .forms = kFunction);
LB_OPERATOR(.signature = "conv_tbc(input, weight, bias, pad=0)",
            .doc = R"(conv1d with time first: input (time, n, channels), weight (taps, channels, out_channels).

>>> torch.conv_tbc(torch.ones(3, 1, 1), torch.ones(2, 1, 1), torch.zeros(1))
tensor([[[2.]],
<BLANKLINE>
        [[2.]]]))",
            .forward = forward_of<conv_tbc>, .derivative = kComposed, .forms = kFunction,
            .aliases = "nn.functional.conv_tbc");
LB_OPERATOR(.signature = "_convolution_output(input, weight, bias, sizes, stride, padding, dilation, groups)",
            .doc = "A convolution whose result has the given sizes.",
            .forward = forward_of<product_record<Product::Output>>,
            .derivative = gradients("ConvolutionBackward0", output_gradient, "0:1 1:0"), .forms = kHidden);
LB_OPERATOR(.signature = "_convolution_input(output, weight, bias, sizes, stride, padding, dilation, groups)",
            .doc = "A transposed convolution whose result has the given sizes.",
            .forward = forward_of<product_record<Product::Input>>,
            .derivative = gradients("ConvolutionBackward0", input_gradient, "0:1 1:0"), .forms = kHidden);
LB_OPERATOR(.signature = "_convolution_weight(input, output, sizes, stride, padding, dilation, groups)",
            .doc = "The gradient of a convolution for its weight, which has the given sizes.",
            .forward = forward_of<weight_record>,
            .derivative = gradients("ConvolutionBackwardBackward0", weight_gradient, "0:1 1:0"), .forms = kHidden);

}  // namespace
}  // namespace lumbre::ops
