#include "random/samplers.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>
#include <vector>

#include "random/draws.h"

namespace lumbre::random {
namespace {

template <class F>
void visit_floating(DType dtype, bool halves, const char* kernel, F&& f) {
  if (dtype == DType::Float32) return f(float{});
  if (dtype == DType::Float64) return f(double{});
  if (halves && dtype == DType::Float16) return f(Half{});
  if (halves && dtype == DType::BFloat16) return f(BFloat16{});
  fail(ErrorKind::NotImplemented, '"', kernel, "\" not implemented for '", dtype_title(dtype), "'");
}

template <class T>
T& at(Run run, int64_t i) {
  return *reinterpret_cast<T*>(static_cast<char*>(run.data) + i * run.stride);
}
template <class T>
T at(const void* data, int64_t stride, int64_t i) {
  return *reinterpret_cast<const T*>(static_cast<const char*>(data) + i * stride);
}

template <class T>
void check_weights(const T* weights, int64_t rows, int64_t categories) {
  for (int64_t row = 0; row < rows; ++row) {
    bool any = false;
    for (int64_t i = 0; i < categories; ++i) {
      const Compute<T> weight = static_cast<Compute<T>>(weights[row * categories + i]);
      LB_CHECK(weight >= 0 && std::isfinite(weight), Runtime,
               "probability tensor contains either `inf`, `nan` or element < 0");
      any |= weight > 0;
    }
    LB_CHECK(any, Runtime, "invalid multinomial distribution (sum of probabilities <= 0)");
  }
}

template <class T>
void sample_with_replacement(Generator& generator, const T* weights, int64_t categories, int64_t samples,
                             std::vector<Compute<T>>& sums, int64_t* out) {
  Compute<T> sum = 0;
  for (int64_t i = 0; i < categories; ++i) {
    const Compute<T> weight = static_cast<Compute<T>>(weights[i]);
    LB_CHECK(weight >= 0, Runtime, "invalid multinomial distribution (encountering probability entry < 0)");
    LB_CHECK(std::isfinite(weight), Runtime,
             "invalid multinomial distribution (encountering probability entry = infinity or NaN)");
    sum += weight;
    sums[static_cast<size_t>(i)] = sum;
  }
  LB_CHECK(sum > 0, Runtime, "invalid multinomial distribution (sum of probabilities <= 0)");
  for (auto& value : sums) value /= sum;
  sums.back() = 1;
  for (int64_t i = 0; i < samples; ++i) {
    const double u = generator.uniform_double();
    const auto found = std::partition_point(sums.begin(), sums.end(),
                                            [u](Compute<T> value) { return static_cast<double>(value) < u; });
    out[i] = found - sums.begin();
  }
}

// The order of ties (weights of zero) is that of the standard library's algorithms, called as PyTorch's topk does.
template <class C>
void select_largest(std::vector<std::pair<C, int64_t>>& entries, int64_t samples, int64_t* out) {
  const auto before = [](const auto& a, const auto& b) {
    return (std::isnan(a.first) && !std::isnan(b.first)) || a.first > b.first;
  };
  if (samples == 1) {
    out[0] = std::min_element(entries.begin(), entries.end(), before) - entries.begin();
    return;
  }
  if (samples * 64 <= static_cast<int64_t>(entries.size())) {
    std::partial_sort(entries.begin(), entries.begin() + samples, entries.end(), before);
  } else {
    std::nth_element(entries.begin(), entries.begin() + (samples - 1), entries.end(), before);
    std::sort(entries.begin(), entries.begin() + (samples - 1), before);
  }
  for (int64_t i = 0; i < samples; ++i) out[i] = entries[static_cast<size_t>(i)].second;
}

template <class T>
void sample_without_replacement(Generator& generator, const T* weights, int64_t categories, int64_t samples,
                                std::vector<std::pair<Compute<T>, int64_t>>& entries, int64_t* out) {
  using C = Compute<T>;
  const ExponentialDraw<T> exponential(1.0);
  for (int64_t i = 0; i < categories; ++i) {
    const C quotient = static_cast<C>(weights[i]) / static_cast<C>(exponential(generator));
    entries[static_cast<size_t>(i)] = {static_cast<C>(static_cast<T>(quotient)), i};
  }
  select_largest(entries, samples, out);
}

int64_t poisson_by_product(Generator& generator, double rate) {
  const double limit = std::exp(-rate);
  double product = 1.0;
  for (int64_t count = 0;; ++count) {
    product *= generator.uniform_double();
    if (!(product > limit)) return count;
  }
}

int64_t poisson_by_rejection(Generator& generator, double rate) {
  const double log_rate = std::log(rate);
  const double b = 0.931 + 2.53 * std::sqrt(rate);
  const double a = -0.059 + 0.02483 * b;
  const double inverse_alpha = 1.1239 + 1.1328 / (b - 3.4);
  const double accept = 0.9277 - 3.6224 / (b - 2);
  for (;;) {
    const double u = generator.uniform_double() - 0.5;
    const double v = generator.uniform_double();
    const double us = 0.5 - std::fabs(u);
    const int64_t k = element_of<int64_t>(std::floor((2 * a / us + b) * u + rate + 0.43));
    if (us >= 0.07 && v <= accept) return k;
    if (k < 0 || (us < 0.013 && v > us)) continue;
    const double left = std::log(v) + std::log(inverse_alpha) - std::log(a / (us * us) + b);
    const double whole = static_cast<double>(k);
    if (left <= -rate + whole * log_rate - std::lgamma(whole + 1)) return k;
  }
}

int64_t poisson_draw(Generator& generator, double rate) {
  LB_CHECK(rate >= 0, Runtime, "invalid Poisson rate, expected rate to be non-negative");
  if (rate == 0) return 0;
  return rate >= 10 ? poisson_by_rejection(generator, rate) : poisson_by_product(generator, rate);
}

// log(k!) less Stirling's approximation of it.
double stirling_tail(double k) {
  constexpr std::array<double, 10> table{
      0.0810614667953272, 0.0413406959554092, 0.0276779256849983, 0.02079067210376509, 0.0166446911898211,
      0.0138761288230707, 0.0118967099458917, 0.0104112652619720, 0.00925546218271273, 0.00833056343336287};
  if (k < static_cast<double>(table.size())) return table[static_cast<size_t>(k)];
  const double square = (k + 1) * (k + 1);
  return (1.0 / 12 - (1.0 / 360 - 1.0 / 1260 / square) / square) / (k + 1);
}

template <class T>
T binomial_by_geometrics(Generator& generator, T count, T p) {
  const double log_failure = std::log1p(-p);
  double sum = 0;
  for (T successes = 0;; successes = successes + 1) {
    sum += std::ceil(std::log(generator.uniform_double()) / log_failure);
    if (sum > count) return successes;
  }
}

// What is computed in T and what in double decides which samples are rejected, so the types below are PyTorch's.
template <class T>
T binomial_by_rejection(Generator& generator, T count, T p) {
  const double deviation = std::sqrt(count * p * (1 - p));
  const double b = 1.15 + 2.53 * deviation;
  const double a = -0.0873 + 0.0248 * b + 0.01 * p;
  const double center = count * p + 0.5;
  const double accept = 0.92 - 4.2 / b;
  const double odds = p / (1 - p);
  const double alpha = (2.83 + 5.1 / b) * deviation;
  const double mode = std::floor((count + 1) * p);
  for (;;) {
    const double u = generator.uniform_double() - 0.5;
    const double v = generator.uniform_double();
    const double us = 0.5 - std::abs(u);
    const T k = static_cast<T>(std::floor((2 * a / us + b) * u + center));
    if (k < 0 || k > count) continue;
    if (us >= 0.07 && v <= accept) return k;
    const double left = std::log(v * alpha / (a / (us * us) + b));
    const double right = (mode + 0.5) * std::log((mode + 1) / (odds * (count - mode + 1))) +
                         (count + 1) * std::log((count - mode + 1) / (count - k + 1)) +
                         (k + 0.5) * std::log(odds * (count - k + 1) / (k + 1)) + stirling_tail(mode) +
                         stirling_tail(count - mode) - stirling_tail(k) - stirling_tail(count - k);
    if (left <= right) return k;
  }
}

template <class T>
T binomial_draw(Generator& generator, T count, T p) {
  if (count <= 0 || p <= 0) return 0;
  if (p >= 1) return count;
  if (std::isnan(p)) return std::numeric_limits<T>::quiet_NaN();
  const bool mirrored = p > static_cast<T>(0.5);
  const T chance = mirrored ? static_cast<T>(1.0 - p) : p;
  const T drawn = count * chance >= 10 ? binomial_by_rejection(generator, count, chance)
                                       : binomial_by_geometrics(generator, count, chance);
  return mirrored ? count - drawn : drawn;
}

template <class T>
T gamma_draw(Generator& generator, T shape) {
  double scale = 1.0;
  if (shape < 1) {
    if (shape == 0) return 0;
    scale *= std::pow(1 - generator.uniform_double(), static_cast<double>(T(1) / shape));
    shape += 1;
  }
  const double d = shape - static_cast<T>(1.0f / 3.0f);
  const double c = 1.0 / std::sqrt(9.0 * d);
  for (;;) {
    double x, y;
    do {
      x = standard_normal(generator);
      y = 1.0 + c * x;
    } while (y <= 0);
    const double v = y * y * y;
    const double u = 1 - generator.uniform_double();
    const double square = x * x;
    if (u < 1.0 - static_cast<double>(0.0331f) * square * square) return static_cast<T>(scale * d * v);
    if (std::log(u) < 0.5 * square + d * (1.0 - v + std::log(v))) return static_cast<T>(scale * d * v);
  }
}

}  // namespace

void permutation(Generator& generator, DType dtype, void* data, int64_t count) {
  LB_CHECK(dtype != DType::Bool, NotImplemented, "\"randperm\" not implemented for 'Bool'");
  visit_dtype(dtype, [&]<class T>(T) {
    T* values = static_cast<T*>(data);
    if (count < 0xffffffff / 20) {
      for (int64_t i = 0; i < count; ++i) values[i] = element_of<T>(i);
      for (int64_t i = 0; i < count - 1; ++i) std::swap(values[i], values[i + generator.random() % (count - i)]);
      return;
    }
    for (int64_t i = 0; i < count; ++i) {
      const int64_t other = static_cast<int64_t>(generator.random64() % static_cast<uint64_t>(i + 1));
      values[i] = element_of<T>(i);
      values[i] = values[other];
      values[other] = element_of<T>(i);
    }
  });
}

void multinomial(Generator& generator, DType dtype, const void* weights, int64_t rows, int64_t categories,
                 int64_t samples, bool with_replacement, int64_t* out) {
  LB_CHECK(is_floating(dtype), Runtime,
           "multinomial only supports floating-point dtypes for input, got: ", dtype_title(dtype));
  LB_CHECK(samples > 0, Runtime, "cannot sample n_sample <= 0 samples");
  LB_CHECK(with_replacement || samples <= categories, Runtime,
           "cannot sample n_sample > prob_dist.size(-1) samples without replacement");
  LB_CHECK(categories <= int64_t{1} << 24, Runtime, "number of categories cannot exceed 2^24");
  const bool search = with_replacement && samples > 1;
  visit_floating(dtype, true, "multinomial", [&]<class T>(T) {
    const T* data = static_cast<const T*>(weights);
    if (!search) check_weights(data, rows, categories);
    std::vector<Compute<T>> sums(search ? static_cast<size_t>(categories) : 0);
    std::vector<std::pair<Compute<T>, int64_t>> entries(search ? 0 : static_cast<size_t>(categories));
    for (int64_t row = 0; row < rows; ++row, data += categories, out += samples) {
      if (search) {
        sample_with_replacement(generator, data, categories, samples, sums, out);
      } else {
        sample_without_replacement(generator, data, categories, samples, entries, out);
      }
    }
  });
}

void poisson(Generator& generator, DType dtype, Run out, const void* rate, int64_t rate_stride) {
  visit_floating(dtype, true, "poisson_cpu", [&]<class T>(T) {
    for (int64_t i = 0; i < out.count; ++i) {
      const double value = static_cast<double>(static_cast<Compute<T>>(at<T>(rate, rate_stride, i)));
      at<T>(out, i) = element_of<T>(poisson_draw(generator, value));
    }
  });
}

void binomial(Generator& generator, DType dtype, Run out, const void* count, int64_t count_stride, const void* p,
              int64_t p_stride) {
  visit_floating(dtype, false, "binomial_cpu", [&]<class T>(T) {
    if constexpr (std::is_floating_point_v<T>) {
      for (int64_t i = 0; i < out.count; ++i)
        at<T>(out, i) = binomial_draw<T>(generator, at<T>(count, count_stride, i), at<T>(p, p_stride, i));
    }
  });
}

void standard_gamma(Generator& generator, DType dtype, Run out, const void* shape, int64_t shape_stride) {
  visit_floating(dtype, false, "gamma_cpu", [&]<class T>(T) {
    if constexpr (std::is_floating_point_v<T>) {
      for (int64_t i = 0; i < out.count; ++i) {
        const T drawn = gamma_draw<T>(generator, at<T>(shape, shape_stride, i));
        at<T>(out, i) = std::max(std::numeric_limits<T>::min(), drawn);
      }
    }
  });
}

}  // namespace lumbre::random
