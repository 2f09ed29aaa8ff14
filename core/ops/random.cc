// Random tensors and random fills: from the generator's stream into tensors, in PyTorch's order.
#include <algorithm>

#include "ops/gradients.h"
#include "ops/backward.h"
#include "random/distributions.h"
#include "random/samplers.h"
#include "tensor/plan.h"

namespace lumbre::ops {

namespace {

using random::Run;

Generator& chosen(Generator* generator) { return generator ? *generator : default_generator(); }

// Runs fill(Run) over the tensor's elements in the order of PyTorch's iteration: memory order, dimension by dimension.
template <class F>
void for_runs(const Tensor& t, const F& fill) {
  if (t.count() == 0) return;
  check_no_internal_overlap(t);
  const auto item = static_cast<int64_t>(t.item_bytes());
  if (t.is_contiguous()) return fill(Run{t.bytes(), item, t.count()});
  Plan plan;
  plan.add_output(t);
  plan.build_fixed("random");
  const Loop loop = [](char* const* data, const int64_t* strides, int64_t count, const void* context) {
    (*static_cast<const F*>(context))(Run{data[0], strides[0], count});
  };
  const DType dtypes[1] = {t.dtype()};
  plan.run_serial(loop, dtypes, &fill);
}

void check_floating(const Tensor& t, const char* name) {
  LB_CHECK(is_floating(t.dtype()), NotImplemented, "\"", name, "\" not implemented for '", dtype_title(t.dtype()), "'");
}

// --- fills ----------------------------------------------------------------------------------------------------------

void fill_normal(const Tensor& t, double mean, double std, Generator& generator) {
  random::check_normal(std);
  check_floating(t, "normal_kernel_cpu");
  if (t.is_contiguous()) {
    check_no_internal_overlap(t);
    return random::normal_tensor(generator, t.dtype(), t.bytes(), t.count(), mean, std);
  }
  for_runs(t, [&](Run run) { random::normal(generator, t.dtype(), run, mean, std); });
}

template <class F>
Tensor filled(const Out& out, const Tensor& input, const F& fill) {
  const Tensor target = out.target()
                            ? *out.target()
                            : Tensor::empty_strided(input.sizes(), strides_like(input, input.sizes()), input.dtype());
  fill(target);
  if (out.target()) target.bump_version();
  return target;
}

Tensor uniform(const Out& out, const Tensor& input, double from, double to, Generator* generator) {
  check_floating(input, "check_uniform_bounds");
  random::check_uniform(input.dtype(), from, to);
  return filled(out, input, [&](const Tensor& t) {
    for_runs(t, [&](Run run) { random::uniform(chosen(generator), t.dtype(), run, from, to); });
  });
}
Tensor normal_fill(const Out& out, const Tensor& input, double mean, double std, Generator* generator) {
  return filled(out, input, [&](const Tensor& t) { fill_normal(t, mean, std, chosen(generator)); });
}
Tensor log_normal(const Out& out, const Tensor& input, double mean, double std, Generator* generator) {
  random::check_log_normal(std);
  check_floating(input, "log_normal");
  return filled(out, input, [&](const Tensor& t) {
    for_runs(t, [&](Run run) { random::log_normal(chosen(generator), t.dtype(), run, mean, std); });
  });
}
Tensor exponential(const Out& out, const Tensor& input, double lambd, Generator* generator) {
  random::check_exponential(lambd);
  LB_CHECK(is_floating(input.dtype()), Runtime,
           "Exponential distribution is a continuous probability distribution. dtype must be a floating point but you "
           "specified ",
           dtype_title(input.dtype()));
  return filled(out, input, [&](const Tensor& t) {
    for_runs(t, [&](Run run) { random::exponential(chosen(generator), t.dtype(), run, lambd); });
  });
}
Tensor geometric(const Out& out, const Tensor& input, double p, Generator* generator) {
  random::check_geometric(p);
  LB_CHECK(input.dtype() != DType::Bool, NotImplemented, "\"geometric_cpu_\" not implemented for 'Bool'");
  return filled(out, input, [&](const Tensor& t) {
    for_runs(t, [&](Run run) { random::geometric(chosen(generator), t.dtype(), run, p); });
  });
}
Tensor cauchy(const Out& out, const Tensor& input, double median, double sigma, Generator* generator) {
  random::check_cauchy(input.dtype(), sigma);
  LB_CHECK(
      is_floating(input.dtype()), Runtime,
      "Cauchy distribution is a continuous probability distribution. dtype must be a floating point but you specified ",
      dtype_title(input.dtype()));
  return filled(out, input, [&](const Tensor& t) {
    for_runs(t, [&](Run run) { random::cauchy(chosen(generator), t.dtype(), run, median, sigma); });
  });
}

void fill_range(const Tensor& t, int64_t from, std::optional<int64_t> to, Generator& generator) {
  const random::IntegerRange range = random::integer_range(t.dtype(), from, to);
  for_runs(t, [&](Run run) { random::random_range(generator, t.dtype(), run, range); });
}
Tensor random_full(const Out& out, const Tensor& input, Generator* generator) {
  return filled(out, input, [&](const Tensor& t) {
    for_runs(t, [&](Run run) { random::random_full(chosen(generator), t.dtype(), run); });
  });
}
Tensor random_to(const Out& out, const Tensor& input, int64_t to, Generator* generator) {
  return filled(out, input, [&](const Tensor& t) { fill_range(t, 0, to, chosen(generator)); });
}
Tensor random_from(const Out& out, const Tensor& input, int64_t from, std::optional<int64_t> to, Generator* generator) {
  return filled(out, input, [&](const Tensor& t) { fill_range(t, from, to, chosen(generator)); });
}

// --- bernoulli ------------------------------------------------------------------------------------------------------

void fill_bernoulli(const Tensor& t, double p, Generator& generator) {
  random::check_bernoulli(p);
  for_runs(t, [&](Run run) { random::bernoulli(generator, t.dtype(), run, p); });
}

// Probabilities of a tensor, element by element in the target's logical order.
void fill_bernoulli(const Tensor& t, const Tensor& p, Generator& generator) {
  LB_CHECK(is_floating(p.dtype()), Runtime, "expected probabilities tensor to have floating type, got ",
           dtype_title(p.dtype()));
  Plan plan;
  plan.add_output(t);
  plan.add_input(p);
  plan.build_fixed("bernoulli_");
  struct Context {
    Generator* generator;
    DType target, p;
  } context{&generator, t.dtype(), p.dtype()};
  const Loop loop = [](char* const* data, const int64_t* strides, int64_t count, const void* state) {
    const auto& c = *static_cast<const Context*>(state);
    random::bernoulli(*c.generator, c.target, Run{data[0], strides[0], count}, c.p, data[1], strides[1]);
  };
  const DType dtypes[2] = {t.dtype(), p.dtype()};
  plan.run_serial(loop, dtypes, &context);
}

Tensor bernoulli(const Out& out, const Tensor& input, Generator* generator) {
  LB_CHECK(is_floating(input.dtype()), NotImplemented, "\"bernoulli_tensor_cpu_p_\" not implemented for '",
           dtype_title(input.dtype()), "'");
  Tensor target = out.target()
                      ? *out.target()
                      : Tensor::empty_strided(input.sizes(), strides_like(input, input.sizes()), input.dtype());
  if (out.target() && target.sizes() != input.sizes()) target.resize(input.sizes());
  const Tensor probabilities = out.target() && target.shares_storage(input) ? input.clone() : input;
  fill_bernoulli(target, probabilities, chosen(generator));
  if (out.target()) target.bump_version();
  return target;
}
Tensor bernoulli_p(const Out& out, const Tensor& input, double p, Generator* generator) {
  return filled(out, input, [&](const Tensor& t) { fill_bernoulli(t, p, chosen(generator)); });
}
// bernoulli_() : p is a number or a tensor.
Tensor bernoulli_fill(const Out& out, const Tensor& input, Operand p, Generator* generator) {
  return filled(out, input, [&](const Tensor& t) {
    if (p.is_tensor())
      fill_bernoulli(t, p.tensor(), chosen(generator));
    else
      fill_bernoulli(t, p.scalar().as_double(), chosen(generator));
  });
}

// --- new tensors ----------------------------------------------------------------------------------------------------

Tensor target_of(const Out& out, const Dims& size, std::optional<DType> dtype, DType fallback) {
  if (!out.target()) return Tensor::empty(size, dtype.value_or(fallback));
  if (dtype)
    LB_CHECK(*dtype == out.target()->dtype(), Runtime, "dtype ", dtype_title(*dtype),
             " does not match dtype of out parameter (", dtype_title(out.target()->dtype()), ")");
  if (out.target()->sizes() != size) out.target()->resize(size);
  return *out.target();
}

Tensor rand(const Out& out, const Dims& size, Generator* generator, std::optional<DType> dtype) {
  const Tensor t = target_of(out, size, dtype, default_dtype());
  check_floating(t, "check_uniform_bounds");
  for_runs(t, [&](Run run) { random::uniform(chosen(generator), t.dtype(), run, 0, 1); });
  return t;
}
Tensor randn(const Out& out, const Dims& size, Generator* generator, std::optional<DType> dtype) {
  const Tensor t = target_of(out, size, dtype, default_dtype());
  fill_normal(t, 0, 1, chosen(generator));
  return t;
}
Tensor randint_between(const Out& out, int64_t low, int64_t high, const Dims& size, Generator* generator,
                       std::optional<DType> dtype) {
  const Tensor t = target_of(out, size, dtype, DType::Int64);
  fill_range(t, low, high, chosen(generator));
  return t;
}
Tensor randint_below(const Out& out, int64_t high, const Dims& size, Generator* generator, std::optional<DType> dtype) {
  return randint_between(out, 0, high, size, generator, dtype);
}

Tensor like(const Tensor& input, std::optional<DType> dtype) {
  return Tensor::empty_strided(input.sizes(), strides_like(input, input.sizes()), dtype.value_or(input.dtype()));
}
Tensor rand_like(const Tensor& input, std::optional<DType> dtype, std::optional<MemoryFormat>, Generator* generator) {
  const Tensor t = like(input, dtype);
  check_floating(t, "check_uniform_bounds");
  for_runs(t, [&](Run run) { random::uniform(chosen(generator), t.dtype(), run, 0, 1); });
  return t;
}
Tensor randn_like(const Tensor& input, std::optional<DType> dtype, std::optional<MemoryFormat>, Generator* generator) {
  const Tensor t = like(input, dtype);
  fill_normal(t, 0, 1, chosen(generator));
  return t;
}
Tensor randint_like(const Tensor& input, int64_t low, int64_t high, std::optional<DType> dtype,
                    std::optional<MemoryFormat>, Generator* generator) {
  const Tensor t = like(input, dtype);
  fill_range(t, low, high, chosen(generator));
  return t;
}
Tensor randint_like_below(const Tensor& input, int64_t high, std::optional<DType> dtype,
                          std::optional<MemoryFormat> format, Generator* generator) {
  return randint_like(input, 0, high, dtype, format, generator);
}

Tensor randperm(const Out& out, int64_t n, Generator* generator, std::optional<DType> dtype) {
  LB_CHECK(n >= 0, Runtime, "n must be non-negative, got ", n);
  Tensor t = target_of(out, {n}, dtype, DType::Int64);
  LB_CHECK(t.dtype() != DType::Bool, NotImplemented, "\"randperm\" not implemented for 'Bool'");
  const int64_t largest = t.dtype() == DType::UInt8      ? 255
                          : t.dtype() == DType::Int8     ? 127
                          : t.dtype() == DType::Int16    ? 32767
                          : t.dtype() == DType::Int32    ? INT32_MAX
                          : t.dtype() == DType::Float16  ? 2049
                          : t.dtype() == DType::BFloat16 ? 257
                          : t.dtype() == DType::Float32  ? (int64_t{1} << 24) + 1
                                                         : INT64_MAX;
  LB_CHECK(n <= largest, Runtime, "n is too large for result tensor type: '", dtype_title(t.dtype()), "'");
  if (t.is_contiguous()) {
    random::permutation(chosen(generator), t.dtype(), t.bytes(), n);
  } else {
    const Tensor flat = Tensor::empty({n}, t.dtype());
    random::permutation(chosen(generator), t.dtype(), flat.bytes(), n);
    t.copy_from(flat);
  }
  return t;
}

Tensor multinomial(const Tensor& input, int64_t num_samples, bool replacement, Generator* generator) {
  LB_CHECK(is_floating(input.dtype()), Runtime,
           "multinomial only supports floating-point dtypes for input, got: ", dtype_title(input.dtype()));
  LB_CHECK(input.ndim() == 1 || input.ndim() == 2, Runtime, "prob_dist must be 1 or 2 dim");
  const int64_t categories = input.sizes().back(), rows = input.ndim() == 2 ? input.sizes()[0] : 1;
  LB_CHECK(num_samples > 0, Runtime, "cannot sample n_sample <= 0 samples");
  LB_CHECK(replacement || num_samples <= categories, Runtime,
           "cannot sample n_sample > prob_dist.size(-1) samples without replacement");
  LB_CHECK(categories <= int64_t{1} << 24, Runtime, "number of categories cannot exceed 2^24");
  Tensor out = Tensor::empty(input.ndim() == 2 ? Dims{rows, num_samples} : Dims{num_samples}, DType::Int64);
  const Tensor weights = input.contiguous();
  if (rows > 0)
    random::multinomial(chosen(generator), input.dtype(), weights.bytes(), rows, categories, num_samples, replacement,
                        out.as<int64_t>());
  return out;
}

Tensor normal_tensors(const Out& out, Operand mean, Operand std, Generator* generator) {
  const auto sizes_of = [](const Operand& x) { return x.is_tensor() ? x.tensor().sizes() : Dims(); };
  LB_CHECK(mean.is_tensor() || std.is_tensor(), Type,
           "normal(): one of mean and std must be a tensor, or a size given");
  const Dims sizes = broadcast_sizes(sizes_of(mean), sizes_of(std));
  const DType dtype = mean.is_tensor() ? mean.dtype() : std.dtype();
  const Tensor t = target_of(out, sizes, std::nullopt, is_floating(dtype) ? dtype : default_dtype());
  if (std.is_tensor()) {
    LB_CHECK(is_floating(std.dtype()), Runtime, "normal expects standard deviation to be floating point");
    const Tensor s = std.tensor().to(DType::Float64).contiguous();
    for (int64_t i = 0; i < s.count(); ++i)
      LB_CHECK(s.as<double>()[i] >= 0, Runtime, "normal expects all elements of std >= 0.0");
  } else {
    random::check_normal(std.scalar().as_double());
  }
  fill_normal(t, 0, 1, chosen(generator));
  // t * std + mean, in the tensor's own precision.
  const auto spread = [&](const Operand& x) {
    Tensor full = Tensor::empty(sizes, t.dtype());
    if (x.is_tensor())
      full.copy_from(x.tensor());
    else
      full.fill(x.scalar());
    return full;
  };
  const Tensor m = spread(mean), s = spread(std), draw = t.contiguous();
  visit_dtype(t.dtype(), [&]<class T>(T) {
    if constexpr (std::is_floating_point_v<T>)
      for (int64_t i = 0; i < draw.count(); ++i) draw.as<T>()[i] = draw.as<T>()[i] * s.as<T>()[i] + m.as<T>()[i];
    else if constexpr (is_half_type<T>)
      for (int64_t i = 0; i < draw.count(); ++i)
        draw.as<T>()[i] =
            T(static_cast<float>(T(static_cast<float>(draw.as<T>()[i]) * static_cast<float>(s.as<T>()[i]))) +
              static_cast<float>(m.as<T>()[i]));
  });
  if (!draw.same(t)) t.copy_from(draw);
  return t;
}
Tensor normal_numbers(const Out& out, double mean, double std, const Dims& size, Generator* generator,
                      std::optional<DType> dtype) {
  const Tensor t = target_of(out, size, dtype, default_dtype());
  fill_normal(t, mean, std, chosen(generator));
  return t;
}

// Rates, shapes and counts given as tensors; the result has their sizes.
Tensor poisson(const Tensor& input, Generator* generator) {
  check_floating(input, "poisson_cpu");
  const Tensor rates = input.contiguous();
  Tensor out = Tensor::empty(input.sizes(), input.dtype());
  const auto item = static_cast<int64_t>(out.item_bytes());
  random::poisson(chosen(generator), out.dtype(), Run{out.bytes(), item, out.count()}, rates.bytes(), item);
  return out;
}
Tensor binomial(const Tensor& count, const Tensor& prob, Generator* generator) {
  LB_CHECK(count.dtype() == prob.dtype(), Runtime, "binomial: count and prob must have the same dtype");
  check_floating(count, "binomial_cpu");
  const Dims sizes = broadcast_sizes(count.sizes(), prob.sizes());
  const auto spread = [&](const Tensor& x) {
    Tensor full = Tensor::empty(sizes, x.dtype());
    full.copy_from(x);
    return full;
  };
  const Tensor n = spread(count), p = spread(prob);
  Tensor out = Tensor::empty(sizes, count.dtype());
  const auto item = static_cast<int64_t>(out.item_bytes());
  random::binomial(chosen(generator), out.dtype(), Run{out.bytes(), item, out.count()}, n.bytes(), item, p.bytes(),
                   item);
  return out;
}
Tensor standard_gamma(const Tensor& input, Generator* generator) {
  check_floating(input, "_standard_gamma");
  const Tensor shapes = input.contiguous();
  Tensor out = Tensor::empty(input.sizes(), input.dtype());
  const auto item = static_cast<int64_t>(out.item_bytes());
  random::standard_gamma(chosen(generator), out.dtype(), Run{out.bytes(), item, out.count()}, shapes.bytes(), item);
  return out;
}

// Zeroes elements with probability p and scales the rest by 1 / (1 - p) (Srivastava et al., 2014).
Tensor dropout(const Tensor& input, double p, bool training, bool inplace) {
  LB_CHECK(p >= 0 && p <= 1, Value, "dropout probability has to be between 0 and 1, but got ", p);
  if (!training || p == 0 || input.count() == 0) return input;
  check_floating(input, "bernoulli_scalar_cpu_");
  const Tensor noise = like(input, std::nullopt);
  if (p == 1) {
    noise.fill(Scalar(0));
  } else {
    fill_bernoulli(noise, 1 - p, default_generator());
    const autograd::GradModeGuard off(false);
    op::call<"div">.in_place(noise, Scalar(1 - p), op::none);
  }
  if (!inplace) return op::mul(input, noise);
  op::call<"mul">.in_place(input, noise);
  return input;
}

}  // namespace

#define LB_FACTORY ", dtype=None, layout=None, device=None, pin_memory=False, requires_grad=False)"
#define LB_LIKE \
  ", dtype=None, memory_format=None, generator=None, layout=None, device=None, pin_memory=False, requires_grad=False)"
#define LB_FILL(name, arguments, f, text)                                                                         \
  LB_OPERATOR(.signature = name "(input" arguments ", *, generator=None)", .doc = text, .forward = forward_of<f>, \
              .derivative = kNotDifferentiable, .forms = kInPlace)

LB_FILL("uniform", ", from=0.0, to=1.0", uniform, R"(Fills with numbers drawn evenly from [from, to).

>>> torch.zeros(3).uniform_(1, 2).min() >= 1
tensor(True))");
LB_FILL("normal", ", mean=0.0, std=1.0", normal_fill, R"(Fills with draws of a normal distribution.

>>> torch.zeros(3).normal_().shape
torch.Size([3]))");
LB_FILL("log_normal", ", mean=1.0, std=2.0", log_normal, R"(Fills with exp of draws of a normal distribution.

>>> torch.zeros(3).log_normal_().min() > 0
tensor(True))");
LB_FILL("exponential", ", lambd=1.0", exponential, R"(Fills with draws of an exponential distribution of rate `lambd`.

>>> torch.zeros(3).exponential_().min() >= 0
tensor(True))");
LB_FILL("geometric", ", p", geometric, R"(Fills with the number of trials up to the first success.

>>> torch.zeros(3).geometric_(0.5).min() >= 1
tensor(True))");
LB_FILL("cauchy", ", median=0.0, sigma=1.0", cauchy, R"(Fills with draws of a Cauchy distribution.

>>> torch.zeros(3).cauchy_().shape
torch.Size([3]))");
LB_FILL("random", "", random_full, R"(Fills with whole numbers over the dtype's range.

>>> torch.zeros(3).random_().min() >= 0
tensor(True))");
LB_FILL("random", ", to", random_to, R"(Fills with whole numbers from 0 up to, not including, `to`.

>>> torch.zeros(3).random_(2).max() <= 1
tensor(True))");
LB_FILL("random", ", from, to", random_from,
        R"(Fills with whole numbers in [from, to); None: up to the largest of the dtype.

>>> torch.zeros(3).random_(2, 5).min() >= 2
tensor(True))");
LB_OPERATOR(.signature = "bernoulli(input, p, *, generator=None)",
            .doc = R"(Zeros and ones, one with probability p, in the sizes of `input`.

>>> torch.bernoulli(torch.zeros(3), 1.0)
tensor([1., 1., 1.]))",
            .forward = forward_of<bernoulli_p>, .derivative = LB_ZERO_GRADIENT("BernoulliBackward0"));
LB_OPERATOR(.signature = "bernoulli(input, *, generator=None, out=None)",
            .doc = R"(Zeros and ones; `input` holds the probabilities of one.

>>> torch.bernoulli(torch.tensor([0., 1.]))
tensor([0., 1.]))",
            .forward = forward_of<bernoulli>, .derivative = LB_ZERO_GRADIENT("BernoulliBackward0"));
LB_OPERATOR(.signature = "bernoulli(input, p=0.5, *, generator=None)",
            .doc = R"(Fills with zeros and ones; p is a number or a tensor of probabilities.

>>> torch.zeros(3).bernoulli_(1.0)
tensor([1., 1., 1.]))",
            .forward = forward_of<bernoulli_fill>, .derivative = kNotDifferentiable, .forms = kInPlace);
LB_OPERATOR(.signature = "rand(*size, *, generator=None, out=None" LB_FACTORY,
            .doc = R"(Numbers drawn evenly from [0, 1).

>>> torch.rand(2, 3).shape
torch.Size([2, 3]))",
            .forward = forward_of<rand>, .derivative = kNotDifferentiable, .forms = kFunction);
LB_OPERATOR(.signature = "randn(*size, *, generator=None, out=None" LB_FACTORY,
            .doc = R"(Draws of the standard normal distribution.

>>> torch.randn(2, 3).shape
torch.Size([2, 3]))",
            .forward = forward_of<randn>, .derivative = kNotDifferentiable, .forms = kFunction);
LB_OPERATOR(.signature = "randint(high, size, *, generator=None, out=None" LB_FACTORY,
            .doc = R"(Whole numbers from 0 up to, not including, `high`.

>>> torch.randint(3, (2, 2)).max() < 3
tensor(True))",
            .forward = forward_of<randint_below>, .derivative = kNotDifferentiable, .forms = kFunction);
LB_OPERATOR(.signature = "randint(low, high, size, *, generator=None, out=None" LB_FACTORY,
            .doc = R"(Whole numbers in [low, high).

>>> torch.randint(1, 3, (2, 2)).min() >= 1
tensor(True))",
            .forward = forward_of<randint_between>, .derivative = kNotDifferentiable, .forms = kFunction);
LB_OPERATOR(.signature = "rand_like(input, *" LB_LIKE, .doc = R"(rand in the sizes and dtype of `input`.

>>> torch.rand_like(torch.zeros(3)).shape
torch.Size([3]))",
            .forward = forward_of<rand_like>, .derivative = kNotDifferentiable, .forms = kFunction);
LB_OPERATOR(.signature = "randn_like(input, *" LB_LIKE, .doc = R"(randn in the sizes and dtype of `input`.

>>> torch.randn_like(torch.zeros(3)).shape
torch.Size([3]))",
            .forward = forward_of<randn_like>, .derivative = kNotDifferentiable, .forms = kFunction);
LB_OPERATOR(.signature = "randint_like(input, high, *" LB_LIKE,
            .doc = R"(Whole numbers from 0 up to `high` in the sizes and dtype of `input`.

>>> torch.randint_like(torch.zeros(3), 2).max() < 2
tensor(True))",
            .forward = forward_of<randint_like_below>, .derivative = kNotDifferentiable, .forms = kFunction);
LB_OPERATOR(.signature = "randint_like(input, low, high, *" LB_LIKE,
            .doc = R"(Whole numbers in [low, high) in the sizes and dtype of `input`.

>>> torch.randint_like(torch.zeros(3), 1, 3).min() >= 1
tensor(True))",
            .forward = forward_of<randint_like>, .derivative = kNotDifferentiable, .forms = kFunction);
LB_OPERATOR(.signature = "randperm(n, *, generator=None, out=None" LB_FACTORY,
            .doc = R"(The numbers 0 to n - 1 in random order.

>>> torch.randperm(4).sort().values
tensor([0, 1, 2, 3]))",
            .forward = forward_of<randperm>, .derivative = kNotDifferentiable, .forms = kFunction);
LB_OPERATOR(.signature = "multinomial(input, num_samples, replacement=False, *, generator=None, out=None)",
            .doc = R"(Indices drawn in proportion to the weights of each row: (c) gives (n), (r, c) gives (r, n).

>>> torch.multinomial(torch.tensor([0., 1.]), 1)
tensor([1]))",
            .forward = forward_of<multinomial>, .derivative = kNotDifferentiable);
LB_OPERATOR(.signature = "normal(mean, std, size, *, generator=None, out=None" LB_FACTORY,
            .doc = R"(Draws of a normal distribution given by two numbers.

>>> torch.normal(0., 1., (2,)).shape
torch.Size([2]))",
            .forward = forward_of<normal_numbers>, .derivative = kNotDifferentiable, .forms = kFunction);
LB_OPERATOR(.signature = "normal(mean, std=1.0, *, generator=None, out=None)",
            .doc = R"(Draws of normal distributions whose means and deviations are tensors (one may be a number).

>>> torch.normal(torch.zeros(2), torch.zeros(2))
tensor([0., 0.]))",
            .forward = forward_of<normal_tensors>,
            .derivative = LB_GRADIENTS("NormalBackward1", "", zeros(b.sizes(0), b.dtype(0)),
                                       zeros(b.sizes(1), b.dtype(1))),
            .forms = kFunction);
LB_OPERATOR(.signature = "poisson(input, generator=None)",
            .doc = R"(Draws of Poisson distributions whose rates are in `input`.

>>> torch.poisson(torch.zeros(2))
tensor([0., 0.]))",
            .forward = forward_of<poisson>, .derivative = LB_ZERO_GRADIENT("PoissonBackward0"), .forms = kFunction);
LB_OPERATOR(.signature = "binomial(count, prob, generator=None)", .doc = R"(Draws of binomial distributions.

>>> torch.binomial(torch.tensor([3.]), torch.tensor([1.]))
tensor([3.]))",
            .forward = forward_of<binomial>, .derivative = kNotDifferentiable, .forms = kFunction);
LB_OPERATOR(.signature = "_standard_gamma(input, generator=None)",
            .doc = "Draws of gamma distributions of scale 1 whose shapes are in `input`.",
            .forward = forward_of<standard_gamma>, .derivative = kNotDifferentiable, .forms = kFunction);
LB_OPERATOR(.signature = "nn.functional.dropout(input, p=0.5, training=True, inplace=False)",
            .doc = R"(Zeroes elements with probability p and scales the others by 1 / (1 - p) (Srivastava et al., 2014).

>>> torch.nn.functional.dropout(torch.ones(2), training=False)
tensor([1., 1.]))",
            .forward = forward_of<dropout>, .derivative = kComposed, .forms = kFunction);

}  // namespace lumbre::ops
