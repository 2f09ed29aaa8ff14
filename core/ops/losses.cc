// Losses that every training program calls; the rarer ones are compositions in the package.
#include <cmath>

#include "base/cpu.h"
#include "base/threads.h"
#include "base/warning.h"
#include "kernels/reduce.h"
#include "ops/folds.h"
#include "ops/gradients.h"
#include "ops/pointwise.h"

namespace lumbre {

namespace LB_LEVEL {
extern const PointwiseSpec Sub_spec, Bent_spec;  // of pointwise/arithmetic.cc and pointwise/losses.cc
}

namespace ops {

namespace {

using OptionalTensor = std::optional<Tensor>;

// "mean", "sum" or "none", from the argument and the two older flags.
std::string chosen_reduction(const std::string& reduction, std::optional<bool> size_average,
                             std::optional<bool> reduce) {
  std::string chosen = reduction;
  if (size_average || reduce) {
    chosen = !reduce.value_or(true) ? "none" : size_average.value_or(true) ? "mean" : "sum";
    warn("size_average and reduce args will be deprecated, please use reduction='", chosen, "' instead.");
  }
  LB_CHECK(chosen == "mean" || chosen == "sum" || chosen == "none", Value, chosen,
           " is not a valid value for reduction");
  return chosen;
}

Tensor reduced(const Tensor& each, const std::string& reduction) {
  if (reduction == "mean") return op::call<"mean">(each, op::none, false, op::none);
  if (reduction == "sum") return op::sum(each);
  return each;
}

// Sizes that differ are broadcast, which is seldom what was meant.
void warn_of_sizes(const Tensor& input, const Tensor& target) {
  if (!(input.sizes() == target.sizes()))
    warn("Using a target size (torch.Size(", target.sizes(), ")) that is different to the input size (torch.Size(",
         input.sizes(),
         ")). This will likely lead to incorrect results due to broadcasting. Please ensure they have the same size.");
}

Tensor weighted(const Tensor& each, const OptionalTensor& weight, const std::string& reduction) {
  if (!weight) return reduced(each, reduction);
  const Tensor scaled_each = op::mul(each, *weight);
  if (reduction != "mean") return reduced(scaled_each, reduction);
  return op::div(op::sum(scaled_each), op::sum(op::expand(*weight, each.sizes())));
}

// --- differences
// ------------------------------------------------------------------------------------------------------

bool plain_mean(const Tensor& input, const Tensor& target, const OptionalTensor& weight) {
  return !weight && input.sizes() == target.sizes() && input.dtype() == target.dtype() && is_floating(input.dtype());
}

// The sum of f(input, target), or of its squares, in one pass: what f gives is folded while it is in the cache.
// Undefined for tensors that are small or do not lie side by side.
Tensor sum_of_pairs(const PointwiseSpec& spec, const void* context, bool squares, const Tensor& input,
                    const Tensor& target) {
  constexpr int64_t kBlock = 2048, kBlocks = kFoldPart / kBlock;
  const int64_t count = input.count();
  const DType dtype = input.dtype();
  if (count <= kGrain || is_half(dtype) || !input.is_contiguous() || !target.is_contiguous()) return {};
  const Loop loop = spec.tables.levels[std::min(best_level(), kLevelCount - 1)]->loops[static_cast<int>(dtype)];
  const auto square = reduce_table().norm[static_cast<int>(dtype)];
  const auto sum = reduce_table().sum[static_cast<int>(dtype)];
  const auto item = static_cast<int64_t>(item_size(dtype));
  const int64_t parts = (count + kFoldPart - 1) / kFoldPart;
  std::vector<char> totals(static_cast<size_t>(parts * item));
  char *const x = input.bytes(), *const y = target.bytes();
  {
    const LongWork released(count >= kLongWork);
    parallel_for(parts, 1, [&](int64_t begin, int64_t end) {
      alignas(64) char block[kBlock * 8], each[kBlocks * 8];
      for (int64_t p = begin; p < end; ++p) {
        int64_t done = 0;
        for (int64_t at = p * kFoldPart; at < std::min(count, (p + 1) * kFoldPart); at += kBlock, ++done) {
          const int64_t some = std::min(kBlock, count - at), steps[3] = {item, item, item};
          char* const data[3] = {block, x + at * item, y + at * item};
          loop(data, steps, some, context);
          squares ? square(block, some, 1, 1, 2, each + done * item) : sum(block, some, 1, 1, each + done * item);
        }
        sum(each, done, 1, 1, totals.data() + p * item);
      }
    });
  }
  const Tensor result = Tensor::empty({}, dtype);
  sum(totals.data(), parts, 1, 1, result.bytes());
  return result;
}

// One pass forward; one node, whose gradient is 2 (input - target) / n.
Tensor squared_error(const Tensor& input, const Tensor& target) {
  const autograd::GradModeGuard off(false);
  if (const Tensor sum = sum_of_pairs(LB_LEVEL::Sub_spec, nullptr, true, input, target); sum.defined())
    return op::div(sum, Scalar(static_cast<double>(input.count())));
  const Tensor difference = op::sub(input, target);
  return op::call<"mean">(op::mul(difference, difference), op::none, false, op::none);
}

Tensor mse_loss(const Tensor& input, const Tensor& target, std::optional<bool> size_average, std::optional<bool> reduce,
                const std::string& reduction, const OptionalTensor& weight) {
  const std::string how = chosen_reduction(reduction, size_average, reduce);
  if (how == "mean" && plain_mean(input, target, weight)) return op::call<"_squared_error">(input, target);
  warn_of_sizes(input, target);
  const Tensor difference = op::sub(input, target);
  return weighted(op::mul(difference, difference), weight, how);
}

Tensor l1_loss(const Tensor& input, const Tensor& target, std::optional<bool> size_average, std::optional<bool> reduce,
               const std::string& reduction, const OptionalTensor& weight) {
  const std::string how = chosen_reduction(reduction, size_average, reduce);
  warn_of_sizes(input, target);
  return weighted(op::call<"abs">(op::sub(input, target)), weight, how);
}

// Squared below the bound, a line above: d^2 / 2 and bound (d - bound / 2).
Tensor bent(const Tensor& input, const Tensor& target, double bound) {
  if (input.dtype() == target.dtype() && is_floating(input.dtype())) return op::call<"_bent">(input, target, bound);
  const Tensor distance = op::call<"abs">(op::sub(input, target));
  const Tensor square = op::mul(op::mul(distance, distance), Scalar(0.5));
  const Tensor line = op::mul(op::sub(distance, Scalar(0.5 * bound)), Scalar(bound));
  return op::where(op::call<"lt">(distance, Scalar(bound)), square, line);
}

// The mean of what _bent gives, divided by the scale.
Tensor bent_mean(const Tensor& input, const Tensor& target, double bound, double scale) {
  const autograd::GradModeGuard off(false);
  const double by = static_cast<double>(input.count()) * scale;
  if (const Tensor sum = sum_of_pairs(LB_LEVEL::Bent_spec, &bound, false, input, target); sum.defined())
    return op::div(sum, Scalar(by));
  return op::div(op::sum(op::call<"_bent">(input, target, bound)), Scalar(by));
}

Tensor smooth_l1_loss(const Tensor& input, const Tensor& target, std::optional<bool> size_average,
                      std::optional<bool> reduce, const std::string& reduction, double beta) {
  const std::string how = chosen_reduction(reduction, size_average, reduce);
  warn_of_sizes(input, target);
  LB_CHECK(beta >= 0, Runtime, "smooth_l1_loss does not support negative values for beta.");
  if (beta == 0) return reduced(op::call<"abs">(op::sub(input, target)), how);
  if (how == "mean" && plain_mean(input, target, std::nullopt) && input.count() > kGrain && !is_half(input.dtype()))
    return op::call<"_bent_mean">(input, target, beta, beta);
  return reduced(op::div(bent(input, target, beta), Scalar(beta)), how);
}

Tensor huber_loss(const Tensor& input, const Tensor& target, const std::string& reduction, double delta,
                  const OptionalTensor& weight) {
  const std::string how = chosen_reduction(reduction, std::nullopt, std::nullopt);
  warn_of_sizes(input, target);
  LB_CHECK(delta > 0, Runtime, "huber_loss does not support non-positive values for delta.");
  if (how == "mean" && plain_mean(input, target, weight) && input.count() > kGrain && !is_half(input.dtype()))
    return op::call<"_bent_mean">(input, target, delta, 1.0);
  return weighted(bent(input, target, delta), weight, how);
}

// --- probabilities
// ----------------------------------------------------------------------------------------------------

Tensor binary_cross_entropy(const Tensor& input, const Tensor& target, const OptionalTensor& weight,
                            std::optional<bool> size_average, std::optional<bool> reduce,
                            const std::string& reduction) {
  const std::string how = chosen_reduction(reduction, size_average, reduce);
  LB_CHECK(input.sizes() == target.sizes(), Value, "Using a target size (torch.Size(", target.sizes(),
           ")) that is different to the input size (torch.Size(", input.sizes(),
           ")) is deprecated. Please ensure they have the same size.");
  {
    const autograd::GradModeGuard off(false);
    const Tensor inside_unit =
        op::call<"logical_and">(op::call<"ge">(input, Scalar(0)), op::call<"le">(input, Scalar(1)));
    LB_CHECK(op::call<"all">(inside_unit, op::none, false).item().as_bool(), Runtime,
             "all elements of input should be between 0 and 1");
  }
  Tensor each = op::call<"_bce">(input, target);
  if (weight) each = op::mul(each, *weight);
  return reduced(each, how);
}

// Logarithms are bounded below by -100, as PyTorch's are.
Tensor bce_each(const Tensor& input, const Tensor& target) {
  const autograd::GradModeGuard off(false);
  const Tensor log_one = op::call<"clamp_min">(op::call<"log">(input), Scalar(-100.0));
  const Tensor log_zero = op::call<"clamp_min">(op::call<"log1p">(op::neg(input)), Scalar(-100.0));
  return op::sub(op::mul(op::sub(target, Scalar(1)), log_zero), op::mul(target, log_one));
}
void bce_gradient(Backward& b) {
  using namespace op;
  const Tensor g = b.grad(), x = b.input(0), t = b.input(1);
  if (b.needs(0)) {
    const Tensor spread = call<"clamp_min">((Scalar(1) - x) * x, Scalar(1e-12));
    b.give(0, g * (x - t) / spread);
  }
  if (b.needs(1)) {
    const Tensor log_one = call<"clamp_min">(call<"log">(x), Scalar(-100.0));
    const Tensor log_zero = call<"clamp_min">(call<"log1p">(-x), Scalar(-100.0));
    b.give(1, g * (log_zero - log_one));
  }
}

Tensor binary_cross_entropy_with_logits(const Tensor& input, const Tensor& target, const OptionalTensor& weight,
                                        std::optional<bool> size_average, std::optional<bool> reduce,
                                        const std::string& reduction, const OptionalTensor& pos_weight) {
  const std::string how = chosen_reduction(reduction, size_average, reduce);
  LB_CHECK(input.sizes() == target.sizes(), Value, "Target size (torch.Size(", target.sizes(),
           ")) must be the same as input size (torch.Size(", input.sizes(), "))");
  // Half types keep the roundings of each step, as PyTorch's do.
  if (!pos_weight && input.dtype() == target.dtype() && is_floating(input.dtype()) && !is_half(input.dtype())) {
    const Tensor each = op::call<"_logits_entropy">(input, target);
    return reduced(weight ? op::mul(each, *weight) : each, how);
  }
  // (1 - t) x + w log(1 + exp(-x)), where w weighs the positive targets.
  const Tensor soft = op::call<"nn.functional.logsigmoid">(input);
  const Tensor rest = op::mul(op::rsub(Scalar(1), target), input);
  Tensor each;
  if (pos_weight) {
    const Tensor factor = op::add(op::mul(op::sub(*pos_weight, Scalar(1)), target), Scalar(1));
    each = op::sub(rest, op::mul(factor, soft));
  } else {
    each = op::sub(rest, soft);
  }
  if (weight) each = op::mul(each, *weight);
  return reduced(each, how);
}

// --- classes
// ----------------------------------------------------------------------------------------------------------

struct Targets {
  bool ignored = false;  // some are to be ignored
  int64_t counted = 0;   // the others
};

Targets check_targets(const Tensor& target, int64_t classes, int64_t ignore_index) {
  Targets found;
  const Tensor flat = target.to(DType::Int64).contiguous();
  for (int64_t i = 0; i < flat.count(); ++i) {
    const int64_t t = flat.as<int64_t>()[i];
    if (t == ignore_index) {
      found.ignored = true;
      continue;
    }
    LB_CHECK(t >= 0 && t < classes, Index, "Target ", t, " is out of bounds.");
    ++found.counted;
  }
  return found;
}

void check_class_shapes(const Tensor& input, const Tensor& target, const OptionalTensor& weight) {
  LB_CHECK(input.ndim() >= 1, Value, "Expected 1 or more dimensions (got ", input.ndim(), ")");
  const int64_t classes = input.ndim() == 1 ? input.sizes()[0] : input.sizes()[1];
  if (weight)
    LB_CHECK(weight->ndim() == 1 && weight->count() == classes, Runtime,
             "weight tensor should be defined either for all ", classes,
             " classes or no classes but got weight tensor of shape: ", weight->sizes());
  if (input.ndim() == 1) {
    LB_CHECK(target.ndim() == 0, Value, "Expected target size ", Dims{}, ", got ", target.sizes());
    return;
  }
  LB_CHECK(target.ndim() >= 1 && input.sizes()[0] == target.sizes()[0], Value, "Expected input batch_size (",
           input.sizes()[0], ") to match target batch_size (", target.ndim() ? target.sizes()[0] : 0, ").");
  Dims expected = input.sizes();
  expected.erase(1);
  LB_CHECK(target.sizes() == expected, Runtime, "Expected target size ", expected, ", got ", target.sizes());
}

Tensor class_loss(const Tensor& input, const Tensor& target, const OptionalTensor& weight, int64_t ignore_index,
                  const std::string& how) {
  check_class_shapes(input, target, weight);
  LB_CHECK(is_integral(target.dtype(), false) && (target.dtype() == DType::Int64 || target.dtype() == DType::UInt8),
           Runtime, "expected scalar type Long but found ", dtype_title(target.dtype()));
  const int64_t dim = input.ndim() == 1 ? 0 : 1;
  const Targets found = check_targets(target, input.sizes()[dim], ignore_index);
  const Tensor classes = target.to(DType::Int64);
  const Tensor ignored = found.ignored ? op::call<"eq">(classes, Scalar(ignore_index)) : Tensor();
  const Tensor safe = found.ignored ? op::where(ignored, Scalar(0), classes).to(DType::Int64) : classes;
  const Tensor picked = op::call<"gather">(input, dim, op::unsqueeze(safe, dim), false);
  Tensor each = op::neg(op::reshape(picked, target.sizes()));
  Tensor weights;
  if (weight) {
    const Tensor flat = op::reshape(safe, {safe.count()});
    weights = op::reshape(op::call<"index_select">(*weight, int64_t{0}, flat), target.sizes());
    if (found.ignored) weights = op::where(ignored, Scalar(0.0), weights);
    each = op::mul(each, weights);
  }
  if (found.ignored) each = op::where(ignored, Scalar(0.0), each);
  if (how != "mean") return reduced(each, how);
  if (weight) return op::div(op::sum(each), op::sum(weights));
  if (!found.ignored) return reduced(each, how);
  return op::div(op::sum(each), Scalar(static_cast<double>(found.counted)));
}

Tensor nll_loss(const Tensor& input, const Tensor& target, const OptionalTensor& weight,
                std::optional<bool> size_average, int64_t ignore_index, std::optional<bool> reduce,
                const std::string& reduction) {
  return class_loss(input, target, weight, ignore_index, chosen_reduction(reduction, size_average, reduce));
}

// Targets are probabilities of classes.
Tensor probability_loss(const Tensor& input, const Tensor& target, const OptionalTensor& weight, const std::string& how,
                        double smoothing) {
  const int64_t dim = input.ndim() == 1 ? 0 : 1;
  const auto classes = static_cast<double>(input.sizes()[dim]);
  const Tensor log_probability = op::call<"log_softmax">(input, dim, op::none);
  const Tensor wanted =
      smoothing > 0 ? op::add(op::mul(target, Scalar(1 - smoothing)), Scalar(smoothing / classes)) : target;
  Tensor each = op::mul(log_probability, wanted);
  if (weight) {
    Dims sizes(static_cast<size_t>(input.ndim()), 1);
    sizes[dim] = weight->count();
    each = op::mul(each, op::reshape(*weight, sizes));
  }
  if (how == "none") return op::neg(op::sum(each, Dims{dim}, false));
  const Tensor total = op::neg(op::sum(each));
  if (how == "sum") return total;
  const double rows = static_cast<double>(input.count()) / classes;
  return op::div(total, Scalar(rows));
}

Tensor smoothed_loss(const Tensor& input, const Tensor& target, const OptionalTensor& weight, int64_t ignore_index,
                     const std::string& how, double smoothing) {
  const int64_t dim = input.ndim() == 1 ? 0 : 1;
  const Tensor log_probability = op::call<"log_softmax">(input, dim, op::none);
  const Tensor hard = class_loss(log_probability, target, weight, ignore_index, how);
  const auto classes = static_cast<double>(input.sizes()[dim]);
  Tensor all = log_probability;
  if (weight) {
    Dims sizes(static_cast<size_t>(input.ndim()), 1);
    sizes[dim] = weight->count();
    all = op::mul(all, op::reshape(*weight, sizes));
  }
  Tensor smooth = op::neg(op::sum(all, Dims{dim}, false));
  const Tensor kept = op::call<"ne">(target, Scalar(ignore_index));
  smooth = op::where(kept, smooth, Scalar(0.0));
  if (how == "sum") smooth = op::sum(smooth);
  if (how == "mean") {
    Tensor count;
    if (weight) {
      const Tensor safe = op::where(kept, target, Scalar(0)).to(DType::Int64);
      const Tensor each = op::call<"index_select">(*weight, int64_t{0}, op::reshape(safe, {safe.count()}));
      count = op::sum(op::where(op::reshape(kept, {kept.count()}), each, Scalar(0.0)));
    } else {
      count = op::cast(op::sum(kept), smooth.dtype());
    }
    smooth = op::div(op::sum(smooth), count);
  }
  return op::add(op::mul(hard, Scalar(1 - smoothing)), op::mul(smooth, Scalar(smoothing / classes)));
}

Tensor cross_entropy(const Tensor& input, const Tensor& target, const OptionalTensor& weight,
                     std::optional<bool> size_average, int64_t ignore_index, std::optional<bool> reduce,
                     const std::string& reduction, double label_smoothing) {
  const std::string how = chosen_reduction(reduction, size_average, reduce);
  LB_CHECK(label_smoothing >= 0 && label_smoothing <= 1, Runtime,
           "label_smoothing must be between 0.0 and 1.0. Got: ", label_smoothing);
  LB_CHECK(input.ndim() >= 1, Index, "Dimension out of range (expected to be in range of [-1, 0], but got 1)");
  if (input.sizes() == target.sizes()) {
    LB_CHECK(is_floating(target.dtype()), Runtime,
             "Expected floating point type for target with class probabilities, got ", dtype_title(target.dtype()));
    LB_CHECK(ignore_index < 0, Runtime, "ignore_index is not supported for floating point target");
    return probability_loss(input, target, weight, how, label_smoothing);
  }
  check_class_shapes(input, target, weight);
  if (label_smoothing > 0) return smoothed_loss(input, target, weight, ignore_index, how, label_smoothing);
  const int64_t dim = input.ndim() == 1 ? 0 : 1;
  // The common case is one node: the gradient is softmax - one_hot.
  if (how == "mean" && !weight && input.ndim() == 2 && target.dtype() == DType::Int64 && input.count() > 0 &&
      (input.dtype() == DType::Float32 || input.dtype() == DType::Float64) &&
      !check_targets(target, input.sizes()[1], ignore_index).ignored)
    return op::call<"_softmax_loss">(input, target);
  return class_loss(op::call<"log_softmax">(input, dim, op::none), target, weight, ignore_index, how);
}

Tensor softmax_loss(const Tensor& input, const Tensor& target) {
  const autograd::GradModeGuard off(false);
  const Tensor log_probability = op::call<"log_softmax">(input, int64_t{1}, op::none).contiguous();
  const Tensor classes = target.contiguous();
  const int64_t rows = input.sizes()[0], width = input.sizes()[1];
  double total = 0;
  visit_dtype(input.dtype(), [&]<class T>(T) {
    if constexpr (std::is_floating_point_v<T>) {
      T sum = 0;
      for (int64_t i = 0; i < rows; ++i) sum -= log_probability.as<T>()[i * width + classes.as<int64_t>()[i]];
      total = static_cast<double>(sum / static_cast<T>(rows));
    }
  });
  return Tensor::scalar(Scalar(total), input.dtype());
}
void softmax_loss_gradient(Backward& b) {
  const Tensor x = b.input(0), target = b.input(1), g = b.grad();
  const Tensor probability = op::call<"softmax">(x, int64_t{1}, op::none);
  const int64_t rows = x.sizes()[0];
  const Tensor share = op::div(g, Scalar(static_cast<double>(rows)));
  const Tensor minus = op::expand(op::neg(share), {rows, 1});
  b.give(0, op::call<"scatter_add">(op::mul(probability, share), int64_t{1}, op::unsqueeze(target, 1), minus));
}

Tensor kl_div(const Tensor& input, const Tensor& target, std::optional<bool> size_average, std::optional<bool> reduce,
              const std::string& reduction, bool log_target) {
  const bool by_batch = reduction == "batchmean";
  const std::string how = by_batch ? "sum" : chosen_reduction(reduction, size_average, reduce);
  if (reduction == "mean")
    warn(
        "reduction: 'mean' divides the total loss by both the batch size and the support size.'batchmean' divides only "
        "by the batch size, and aligns with the KL div math definition.'mean' will be changed to behave the same as "
        "'batchmean' in the next major release.");
  const Tensor each = log_target ? op::mul(op::call<"exp">(target), op::sub(target, input))
                                 : op::sub(op::call<"xlogy">(target, target), op::mul(target, input));
  const Tensor result = reduced(each, how);
  if (!by_batch || input.ndim() == 0) return result;
  return op::div(result, Scalar(static_cast<double>(input.sizes()[0])));
}

}  // namespace

LB_OPERATOR(.signature = "_squared_error(input, target)", .doc = R"(The mean of squared differences, in one node.

>>> torch.nn.functional.mse_loss(torch.ones(2), torch.zeros(2))
tensor(1.))",
            .forward = forward_of<squared_error>,
            .derivative = gradients(
                "MseLossBackward0",
                [](Backward& b) {
                  const Tensor difference = op::sub(b.input(0), b.input(1));
                  const Tensor slope =
                      op::mul(difference, op::mul(b.grad(), Scalar(2.0 / static_cast<double>(difference.count()))));
                  if (b.needs(0)) b.give(0, slope);
                  if (b.needs(1)) b.give(1, op::neg(slope));
                },
                "0:01 1:01"),
            .forms = kHidden);
LB_OPERATOR(.signature = "_bent_mean(input, target, bound, scale)",
            .doc = "The mean of what _bent gives, divided by the scale, in one pass.", .forward = forward_of<bent_mean>,
            .derivative = gradients(
                "SmoothL1LossBackward0",
                [](Backward& b) {
                  const Tensor difference = op::sub(b.input(0), b.input(1));
                  const double count = static_cast<double>(difference.count()), bound = b.real(2);
                  const Tensor slope = op::mul(op::call<"clamp">(difference, Scalar(-bound), Scalar(bound)),
                                               op::mul(b.grad(), Scalar(1 / (count * b.real(3)))));
                  if (b.needs(0)) b.give(0, slope);
                  if (b.needs(1)) b.give(1, op::neg(slope));
                },
                "0:01 1:01"),
            .forms = kHidden);
LB_OPERATOR(.signature = "_bce(input, target)", .doc = R"(The binary cross entropy of each element.

>>> torch.nn.functional.binary_cross_entropy(torch.tensor([1.]), torch.tensor([1.]))
tensor(0.))",
            .forward = forward_of<bce_each>,
            .derivative = gradients("BinaryCrossEntropyBackward0", bce_gradient, "0:01 1:01"), .forms = kHidden);
LB_OPERATOR(.signature = "_softmax_loss(input, target)",
            .doc = R"(The mean cross entropy of logits (N, C) and classes (N), in one node.

>>> torch.nn.functional.cross_entropy(torch.zeros(1, 2), torch.tensor([0]))
tensor(0.6931))",
            .forward = forward_of<softmax_loss>,
            .derivative = gradients("NllLossBackward0", softmax_loss_gradient, "0:01"), .forms = kHidden);

#define LB_REDUCTION "size_average=None, reduce=None, reduction='mean'"
LB_OPERATOR(
        .signature = "nn.functional.mse_loss(input, target, " LB_REDUCTION ", weight=None)",
        .doc =
            R"(The mean (or "sum", or "none") of squared differences. Sizes that differ are broadcast, with a warning.

>>> torch.nn.functional.mse_loss(torch.tensor([1., 3.]), torch.tensor([0., 0.]))
tensor(5.))",
        .forward = forward_of<mse_loss>, .derivative = kComposed, .forms = kFunction);
LB_OPERATOR(.signature = "nn.functional.l1_loss(input, target, " LB_REDUCTION ", weight=None)",
            .doc = R"(The mean (or "sum", or "none") of absolute differences.

>>> torch.nn.functional.l1_loss(torch.tensor([1., 3.]), torch.tensor([0., 0.]))
tensor(2.))",
            .forward = forward_of<l1_loss>, .derivative = kComposed, .forms = kFunction);
LB_OPERATOR(.signature = "nn.functional.smooth_l1_loss(input, target, " LB_REDUCTION ", beta=1.0)",
            .doc = R"(Half the squared difference over beta where it is below beta, else the difference less beta / 2.

>>> torch.nn.functional.smooth_l1_loss(torch.tensor([1.]), torch.tensor([3.]))
tensor(1.5000))",
            .forward = forward_of<smooth_l1_loss>, .derivative = kComposed, .forms = kFunction);
LB_OPERATOR(.signature = "nn.functional.huber_loss(input, target, reduction='mean', delta=1.0, weight=None)",
            .doc = R"(Half the squared difference where it is below delta, else delta times (difference - delta / 2).

>>> torch.nn.functional.huber_loss(torch.tensor([1.]), torch.tensor([3.]))
tensor(1.5000))",
            .forward = forward_of<huber_loss>, .derivative = kComposed, .forms = kFunction);
LB_OPERATOR(.signature = "nn.functional.binary_cross_entropy(input, target, weight=None, " LB_REDUCTION ")",
            .doc = R"(-(t log(x) + (1 - t) log(1 - x)), for probabilities x; logarithms are bounded by -100.

Raises RuntimeError for inputs outside [0, 1] and ValueError for sizes that differ.

>>> torch.nn.functional.binary_cross_entropy(torch.tensor([0.5]), torch.tensor([1.]))
tensor(0.6931))",
            .forward = forward_of<binary_cross_entropy>, .derivative = kComposed, .forms = kFunction);
LB_OPERATOR(.signature = "nn.functional.binary_cross_entropy_with_logits(input, target, weight=None, " LB_REDUCTION
                         ", pos_weight=None)",
            .doc = R"(binary_cross_entropy of sigmoid(input), without overflow; pos_weight weighs the positive targets.

>>> torch.nn.functional.binary_cross_entropy_with_logits(torch.tensor([0.]), torch.tensor([1.]))
tensor(0.6931))",
            .forward = forward_of<binary_cross_entropy_with_logits>, .derivative = kComposed, .forms = kFunction);
LB_OPERATOR(.signature =
                "nn.functional.nll_loss(input, target, weight=None, size_average=None, ignore_index=-100, "
                "reduce=None, reduction='mean')",
            .doc = R"(-input at the target's class: input (N, C, ...) are log-probabilities, target (N, ...) classes.

Raises IndexError for a class that does not exist.

>>> torch.nn.functional.nll_loss(torch.tensor([[-1., -2.]]), torch.tensor([1]))
tensor(2.))",
            .forward = forward_of<nll_loss>, .derivative = kComposed, .forms = kFunction);
LB_OPERATOR(.signature =
                "nn.functional.cross_entropy(input, target, weight=None, size_average=None, ignore_index=-100, "
                "reduce=None, reduction='mean', label_smoothing=0.0)",
            .doc = R"(nll_loss of log_softmax of logits (N, C, ...); targets are classes, or probabilities of classes.

>>> torch.nn.functional.cross_entropy(torch.tensor([[0., 0.]]), torch.tensor([1]))
tensor(0.6931))",
            .forward = forward_of<cross_entropy>, .derivative = kComposed, .forms = kFunction);
LB_OPERATOR(.signature = "nn.functional.kl_div(input, target, " LB_REDUCTION ", log_target=False)",
            .doc = R"(target * (log(target) - input), for log-probabilities as input.

>>> torch.nn.functional.kl_div(torch.tensor([[0.]]), torch.tensor([[1.]]), reduction="batchmean")
tensor(0.))",
            .forward = forward_of<kl_div>, .derivative = kComposed, .forms = kFunction);

}  // namespace ops
}  // namespace lumbre
