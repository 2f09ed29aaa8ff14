// Normalisations: of layers, batches, groups and instances. All of them are one standardisation over some dimensions.
#include <cmath>

#include "ops/gradients.h"

namespace lumbre::ops {

namespace {

using OptionalTensor = std::optional<Tensor>;

int64_t product_over(const Dims& sizes, const Dims& dims) {
  int64_t product = 1;
  for (const int64_t d : dims) product *= sizes[d];
  return product;
}

// (x - mean) / sqrt(var + eps) over dimensions, 1 / sqrt(var + eps), mean and (biased) variance.
std::tuple<Tensor, Tensor, Tensor, Tensor> standardize(const Tensor& input, const Dims& dims, double eps) {
  const autograd::GradModeGuard off(false);
  const DType compute = is_half(input.dtype()) ? DType::Float32 : input.dtype();
  const Tensor x = input.to(compute);
  const std::vector<Tensor> moments = op::call<"var_mean">.all(x, dims, Scalar(0), true);
  const Tensor &variance = moments[0], &mean = moments[1];
  const Tensor root = op::call<"rsqrt">(op::add(variance, Scalar(eps)));
  const Tensor result = op::mul(op::sub(x, mean), root);
  return {result, root, mean, variance};
}

void standardize_gradient(Backward& b) {
  using namespace op;
  const Tensor normal = b.result(0), root = b.result(1);
  const Dims& dims = b.dims(1);
  const auto n = static_cast<double>(product_over(b.sizes(0), dims));
  Tensor total;
  const auto include = [&](const Tensor& part) { total = total.defined() ? total + part : part; };
  if (b.has(0)) {
    const Tensor g = b.grad(0);
    const Tensor mean = call<"mean">(g, dims, true, none), along = call<"mean">(g * normal, dims, true, none);
    include((g - mean - normal * along) * root);
  }
  if (b.has(1)) include(normal * (b.grad(1) * root * root * Scalar(-1 / n)));
  if (b.has(2)) include(op::expand(b.grad(2) / Scalar(n), b.sizes(0)));
  if (b.has(3)) include(normal * (b.grad(3) * Scalar(2 / n) / root));
  b.give(0, total);
}

Tensor scaled_and_moved(const Tensor& normal, const OptionalTensor& weight, const OptionalTensor& bias,
                        const Dims& sizes) {
  if (weight && bias)
    return op::call<"addcmul">(op::reshape(*bias, sizes), normal, op::reshape(*weight, sizes), Scalar(1));
  if (weight) return op::mul(normal, op::reshape(*weight, sizes));
  if (bias) return op::add(normal, op::reshape(*bias, sizes));
  return normal;
}

std::vector<Tensor> standardized(const Tensor& input, const Dims& dims, double eps) {
  return op::call<"_standardize">.all(input, dims, eps);
}

// Whether the loops over rows (normalization_rows.cc) take these.
bool by_rows(const Tensor& input, const OptionalTensor& weight, const OptionalTensor& bias) {
  const auto fits = [&](const OptionalTensor& t) { return !t || t->dtype() == input.dtype(); };
  return (input.dtype() == DType::Float32 || input.dtype() == DType::Float64) && input.is_contiguous() &&
         input.count() > 0 && fits(weight) && fits(bias);
}
// Half types are normalised in float32 and rounded once: normalize(input, weight, bias) of wide ones.
template <class F>
Tensor through_float(const Tensor& input, const OptionalTensor& weight, const OptionalTensor& bias, F&& normalize) {
  const auto wide = [](const OptionalTensor& t) { return t ? OptionalTensor(op::cast(*t, DType::Float32)) : t; };
  return op::cast(normalize(op::cast(input, DType::Float32), wide(weight), wide(bias)), input.dtype());
}
// Rows of channels are worth it from some length on.
bool has_long_rows(const Tensor& input) {
  return input.count() / std::max<int64_t>(input.sizes()[0] * input.sizes()[1], 1) >= 16;
}

Dims last_dims(const Tensor& input, const Dims& shape, const char* name) {
  const int n = shape.ndim();
  LB_CHECK(n >= 1, Runtime,
           "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one element, "
           "but got normalized_shape = ",
           shape);
  bool fits = input.ndim() >= n;
  for (int i = 0; fits && i < n; ++i) fits = input.sizes()[input.ndim() - n + i] == shape[i];
  if (!fits) {
    std::string tail;
    for (const int64_t size : shape) tail += ", " + std::to_string(size);
    fail(ErrorKind::Runtime, "Given normalized_shape=", shape, ", expected input with shape [*", tail,
         "], but got input of size", input.sizes());
  }
  static_cast<void>(name);
  Dims dims;
  for (int i = 0; i < n; ++i) dims.push_back(input.ndim() - n + i);
  return dims;
}

void check_affine(const OptionalTensor& t, const Dims& shape, const char* name) {
  if (t)
    LB_CHECK(t->sizes() == shape, Runtime, "Expected ", name, " to be of same shape as normalized_shape, but got ",
             name, " of shape ", t->sizes(), " and normalized_shape = ", shape);
}

Tensor layer_norm(const Tensor& input, const Dims& shape, const OptionalTensor& weight, const OptionalTensor& bias,
                  double eps) {
  const Dims dims = last_dims(input, shape, "layer_norm");
  check_affine(weight, shape, "weight");
  check_affine(bias, shape, "bias");
  if (is_half(input.dtype()))
    return through_float(input, weight, bias, [&](const Tensor& x, const OptionalTensor& w, const OptionalTensor& b) {
      return layer_norm(x, shape, w, b, eps);
    });
  if (by_rows(input, weight, bias))
    return op::call<"_layer_norm_rows">.all(input, weight, bias, int64_t{shape.ndim()}, eps)[0];
  return op::cast(scaled_and_moved(standardized(input, dims, eps)[0], weight, bias, shape), input.dtype());
}

Tensor rms_norm(const Tensor& input, const Dims& shape, const OptionalTensor& weight, std::optional<double> eps) {
  const Dims dims = last_dims(input, shape, "rms_norm");
  check_affine(weight, shape, "weight");
  const bool half = is_half(input.dtype());
  const double tiny = eps.value_or(input.dtype() == DType::Float64 ? 2.220446049250313e-16 : 1.1920928955078125e-07);
  const Tensor x = half ? op::cast(input, DType::Float32) : input;
  const Tensor mean = op::call<"mean">(op::mul(x, x), dims, true, op::none);
  Tensor result = op::mul(x, op::call<"rsqrt">(op::add(mean, Scalar(tiny))));
  if (weight) result = op::mul(result, *weight);
  return half ? op::cast(result, input.dtype()) : result;
}

Dims channel_sizes(const Tensor& input) {
  Dims sizes(static_cast<size_t>(input.ndim()), 1);
  sizes[1] = input.sizes()[1];
  return sizes;
}

Dims all_but_channels(const Tensor& input) {
  Dims dims{0};
  for (int d = 2; d < input.ndim(); ++d) dims.push_back(d);
  return dims;
}

void check_channels(const OptionalTensor& t, int64_t channels, const char* name) {
  if (t) LB_CHECK(t->count() == channels, Runtime, name, " should contain ", channels, " elements not ", t->count());
}

// running <- (1 - momentum) running + momentum value, in place and unrecorded.
void follow(const OptionalTensor& running, const Tensor& value, double momentum) {
  if (!running) return;
  const autograd::GradModeGuard off(false);
  const Tensor flat = op::cast(op::reshape(value, running->sizes()), running->dtype());
  op::call<"lerp">.in_place(*running, flat, Scalar(momentum));
}

Tensor batch_norm(const Tensor& input, const OptionalTensor& running_mean, const OptionalTensor& running_var,
                  const OptionalTensor& weight, const OptionalTensor& bias, bool training, double momentum,
                  double eps) {
  if (input.ndim() == 1 && input.count() == 0) return op::call<"clone">(input, MemoryFormat::Contiguous);
  LB_CHECK(input.ndim() >= 2, Index, "Dimension out of range (expected to be in range of [-", std::max(input.ndim(), 1),
           ", ", std::max(input.ndim(), 1) - 1, "], but got 1)");
  const int64_t channels = input.sizes()[1];
  const Dims dims = all_but_channels(input), sizes = channel_sizes(input);
  check_channels(running_mean, channels, "running_mean");
  check_channels(running_var, channels, "running_var");
  check_channels(weight, channels, "weight");
  check_channels(bias, channels, "bias");
  LB_CHECK(training || (running_mean && running_var), Runtime,
           "Expected running_mean and running_var to be defined when training=False");
  if (!training) {
    const DType compute = is_half(input.dtype()) ? DType::Float32 : input.dtype();
    const Tensor root = op::call<"rsqrt">(op::add(op::cast(*running_var, compute), Scalar(eps)));
    const Tensor factor = weight ? op::mul(op::cast(*weight, compute), root) : root;
    const Tensor moved = op::mul(op::cast(*running_mean, compute), factor);
    const Tensor shift = bias ? op::sub(op::cast(*bias, compute), moved) : op::neg(moved);
    const Tensor result =
        op::call<"addcmul">(op::reshape(shift, sizes), op::cast(input, compute), op::reshape(factor, sizes), Scalar(1));
    return op::cast(result, input.dtype());
  }
  if (is_half(input.dtype()))
    return through_float(input, weight, bias, [&](const Tensor& x, const OptionalTensor& w, const OptionalTensor& b) {
      return batch_norm(x, running_mean, running_var, w, b, true, momentum, eps);
    });
  const int64_t n = product_over(input.sizes(), dims);
  LB_CHECK(n != 1, Value, "Expected more than 1 value per channel when training, got input size torch.Size(",
           input.sizes(), ")");
  // No values leave the running statistics as they are.
  if (n == 0) return op::cast(scaled_and_moved(input, weight, bias, sizes), input.dtype());
  const bool rows = by_rows(input, weight, bias) && has_long_rows(input);
  const std::vector<Tensor> parts =
      rows ? op::call<"_batch_norm_rows">.all(input, weight, bias, int64_t{1}, eps) : standardized(input, dims, eps);
  follow(running_mean, parts[rows ? 1 : 2], momentum);
  if (running_var) {
    const autograd::GradModeGuard off(false);
    follow(running_var, op::mul(parts[3], Scalar(static_cast<double>(n) / static_cast<double>(n - 1))), momentum);
  }
  if (rows) return parts[0];
  return op::cast(scaled_and_moved(parts[0], weight, bias, sizes), input.dtype());
}

Tensor group_norm(const Tensor& input, int64_t groups, const OptionalTensor& weight, const OptionalTensor& bias,
                  double eps) {
  LB_CHECK(input.ndim() >= 2, Runtime, "Expected at least 2 dimensions for input tensor but received ", input.ndim());
  LB_CHECK(groups > 0, Runtime, "Expected num groups to be greater than 0, got ", groups);
  const int64_t channels = input.sizes()[1];
  LB_CHECK(channels % groups == 0, Runtime,
           "Expected number of channels in input to be divisible by num_groups, but got input of "
           "shape ",
           input.sizes(), " and num_groups=", groups);
  const auto check = [&](const OptionalTensor& t, const char* name) {
    if (t)
      LB_CHECK(t->ndim() == 1 && t->count() == channels, Runtime, "Expected ", name,
               " to be a vector of size equal to the number of channels in input, but got ", name, " of shape ",
               t->sizes(), " and input of shape ", input.sizes());
  };
  check(weight, "weight");
  check(bias, "bias");
  if (input.count() == 0) return op::call<"clone">(input, MemoryFormat::Contiguous);
  if (is_half(input.dtype()))
    return through_float(input, weight, bias, [&](const Tensor& x, const OptionalTensor& w, const OptionalTensor& b) {
      return group_norm(x, groups, w, b, eps);
    });
  if (by_rows(input, weight, bias) && has_long_rows(input))
    return op::call<"_group_norm_rows">.all(input, weight, bias, groups, eps)[0];
  const int64_t n = input.sizes()[0];
  const Tensor grouped = op::reshape(input, {n, groups, input.count() / (n * groups)});
  const Tensor normal = op::reshape(standardized(grouped, Dims{2}, eps)[0], input.sizes());
  return op::cast(scaled_and_moved(normal, weight, bias, channel_sizes(input)), input.dtype());
}

Tensor instance_norm(const Tensor& input, const OptionalTensor& running_mean, const OptionalTensor& running_var,
                     const OptionalTensor& weight, const OptionalTensor& bias, bool use_input_stats, double momentum,
                     double eps) {
  LB_CHECK(input.ndim() >= 2, Runtime, "Expected at least 2 dimensions for input tensor but received ", input.ndim());
  LB_CHECK(use_input_stats || (running_mean && running_var), Runtime,
           "Expected running_mean and running_var to be defined when use_input_stats is false");
  if (!use_input_stats) return batch_norm(input, running_mean, running_var, weight, bias, false, momentum, eps);
  Dims dims;
  for (int d = 2; d < input.ndim(); ++d) dims.push_back(d);
  const int64_t n = product_over(input.sizes(), dims);
  LB_CHECK(n > 1, Value, "Expected more than 1 spatial element when training, got input size torch.Size(",
           input.sizes(), ")");
  const std::vector<Tensor> parts = standardized(input, dims, eps);
  if (running_mean || running_var) {
    const autograd::GradModeGuard off(false);
    const auto over_batch = [&](const Tensor& t) { return op::call<"mean">(t, Dims{0}, false, op::none); };
    follow(running_mean, over_batch(parts[2]), momentum);
    const double unbiased = static_cast<double>(n) / static_cast<double>(n - 1);
    follow(running_var, op::mul(over_batch(parts[3]), Scalar(unbiased)), momentum);
  }
  return op::cast(scaled_and_moved(parts[0], weight, bias, channel_sizes(input)), input.dtype());
}

}  // namespace

LB_OPERATOR(.signature = "_standardize(input, dims, eps)",
            .doc = R"((x - mean) / sqrt(var + eps) over dimensions; 1 / sqrt(var + eps), mean and variance.

>>> torch.nn.functional.layer_norm(torch.tensor([-1., 1.]), (2,), eps=0.0)
tensor([-1.,  1.]))",
            .forward = forward_of<standardize>,
            .derivative = gradients("NativeLayerNormBackward0", standardize_gradient, "0:rs"), .forms = kHidden);
LB_OPERATOR(.signature = "nn.functional.layer_norm(input, normalized_shape, weight=None, bias=None, eps=1e-05)",
            .doc = R"(Mean 0 and variance 1 over the last dimensions, then weight and bias (Ba et al. 2016).

>>> torch.nn.functional.layer_norm(torch.tensor([-1., 1.]), (2,), eps=0.0)
tensor([-1.,  1.]))",
            .forward = forward_of<layer_norm>, .derivative = kComposed, .forms = kFunction);
LB_OPERATOR(.signature = "nn.functional.rms_norm(input, normalized_shape, weight=None, eps=None)",
            .doc = R"(Mean square 1 over the last dimensions, then weight (Zhang and Sennrich 2019).

>>> torch.nn.functional.rms_norm(torch.tensor([-2., 2.]), (2,))
tensor([-1.,  1.]))",
            .forward = forward_of<rms_norm>, .derivative = kComposed, .forms = kFunction, .aliases = "rms_norm");
LB_OPERATOR(.signature =
                "nn.functional.batch_norm(input, running_mean, running_var, weight=None, bias=None, training=False, "
                "momentum=0.1, eps=1e-05)",
            .doc =
                R"(Mean 0 and variance 1 of each channel (dimension 1), then weight and bias (Ioffe and Szegedy 2015).

In training the batch's own statistics serve, and the running ones follow them; otherwise the running ones serve.

>>> torch.nn.functional.batch_norm(torch.tensor([[-1.], [1.]]), None, None, training=True, eps=0.0)
tensor([[-1.],
        [ 1.]]))",
            .forward = forward_of<batch_norm>, .derivative = kComposed, .forms = kFunction);
LB_OPERATOR(.signature = "nn.functional.group_norm(input, num_groups, weight=None, bias=None, eps=1e-05)",
            .doc = R"(Mean 0 and variance 1 of each group of channels of each sample (Wu and He 2018).

>>> torch.nn.functional.group_norm(torch.tensor([[-1., 1.]]), 1, eps=0.0)
tensor([[-1.,  1.]]))",
            .forward = forward_of<group_norm>, .derivative = kComposed, .forms = kFunction);
LB_OPERATOR(.signature =
                "nn.functional.instance_norm(input, running_mean=None, running_var=None, weight=None, bias=None, "
                "use_input_stats=True, momentum=0.1, eps=1e-05)",
            .doc = R"(Mean 0 and variance 1 of each channel of each sample (Ulyanov et al. 2016).

>>> torch.nn.functional.instance_norm(torch.tensor([[[-1., 1.]]]), eps=0.0)
tensor([[[-1.,  1.]]]))",
            .forward = forward_of<instance_norm>, .derivative = kComposed, .forms = kFunction);

}  // namespace lumbre::ops
