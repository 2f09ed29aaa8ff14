#include "random/distributions.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "random/draws.h"
#include "random/hot.h"
#include "random/normal_block.h"

namespace lumbre::random {
namespace {

constexpr int64_t kBuffer = 512;  // words drawn at a time

[[noreturn]] void not_implemented(const char* kernel, DType dtype) {
  fail(ErrorKind::NotImplemented, '"', kernel, "\" not implemented for '", dtype_title(dtype), "'");
}

double largest(DType dtype) {
  switch (dtype) {
    case DType::Float16:
      return 65504.0;
    case DType::BFloat16:
      return static_cast<double>(bfloat16_to_float(0x7f7f));
    case DType::Float32:
      return static_cast<double>(std::numeric_limits<float>::max());
    default:
      return std::numeric_limits<double>::max();
  }
}

template <class F>
void visit_floating(DType dtype, const char* kernel, F&& f) {
  switch (dtype) {
    case DType::Float16:
      return f(Half{});
    case DType::BFloat16:
      return f(BFloat16{});
    case DType::Float32:
      return f(float{});
    case DType::Float64:
      return f(double{});
    default:
      not_implemented(kernel, dtype);
  }
}

template <class T, class Draw>
void fill(Generator& generator, Run run, const Draw& draw) {
  char* at = static_cast<char*>(run.data);
  for (int64_t i = 0; i < run.count; ++i, at += run.stride) *reinterpret_cast<T*>(at) = draw(generator);
}

LB_HOT_LOOP void scale_words(float* __restrict out, const uint32_t* __restrict words, int64_t count, float range,
                             float low, float from, float to) {
  for (int64_t i = 0; i < count; ++i) {
    const float unit = static_cast<float>(static_cast<int32_t>(words[i] & 0xffffff)) * 0x1p-24f;
    const float value = __builtin_fmaf(unit, range, low);
    out[i] = value == to ? from : value;
  }
}

// Ones where the 53-bit number of a pair of words is below `threshold`.
LB_HOT_LOOP void compare_words(int32_t* __restrict out, const uint32_t* __restrict words, int64_t count,
                               int64_t threshold) {
  for (int64_t i = 0; i < count; ++i) {
    const int64_t value = static_cast<int64_t>(words[2 * i] & 0x1fffff) << 32 | static_cast<int64_t>(words[2 * i + 1]);
    out[i] = value < threshold ? 1 : 0;
  }
}

void uniform_floats(Generator& generator, float* data, int64_t count, const UniformDraw<float>& draw) {
  uint32_t words[kBuffer];
  for (int64_t done = 0; done < count; done += kBuffer) {
    const int64_t run = std::min(kBuffer, count - done);
    generator.fill(words, run);
    scale_words(data + done, words, run, draw.range, draw.low, draw.from, draw.to);
  }
}

template <class T>
void bernoulli_run(Generator& generator, Run run, double p) {
  // u = m 2^-53 < p is m < p 2^53, and m is whole.
  const int64_t threshold = static_cast<int64_t>(std::ceil(p * 0x1p53));
  uint32_t words[kBuffer];
  int32_t hits[kBuffer / 2];
  const T values[2] = {element_of<T>(int64_t{0}), element_of<T>(int64_t{1})};
  char* at = static_cast<char*>(run.data);
  for (int64_t done = 0; done < run.count; done += kBuffer / 2) {
    const int64_t part = std::min(kBuffer / 2, run.count - done);
    generator.fill(words, 2 * part);
    compare_words(hits, words, part, threshold);
    for (int64_t i = 0; i < part; ++i, at += run.stride) *reinterpret_cast<T*>(at) = values[hits[i]];
  }
}

void check_bounds(double value, const char* name, double limit, DType dtype) {
  LB_CHECK(value >= -limit && value <= limit, Runtime, name, " is out of bounds for ", cpp_name(dtype));
}

}  // namespace

void check_uniform(DType dtype, double from, double to) {
  if (!is_floating(dtype)) not_implemented("check_uniform_bounds", dtype);
  check_bounds(from, "from", largest(dtype), dtype);
  check_bounds(to, "to", largest(dtype), dtype);
  LB_CHECK(from <= to, Runtime, "uniform_ expects to return a [from, to) range, but found from=", from, " > to=", to);
  LB_CHECK(to - from <= largest(dtype), Runtime, "uniform_ expects to-from <= std::numeric_limits<", dtype_title(dtype),
           ">::max(), but found to=", to, " and from=", from, " which result in to-from to exceed the limit");
}

void check_normal(double std) { LB_CHECK(std >= 0.0, Runtime, "normal expects std >= 0.0, but found std ", std); }

void check_log_normal(double std) {
  LB_CHECK(std > 0.0, Runtime, "log_normal_ expects std > 0.0, but found std=", std);
}

void check_exponential(double rate) {
  LB_CHECK(rate > 0.0, Runtime, "exponential_ expects lambda > 0.0, but found lambda=", rate);
}

void check_geometric(double p) {
  LB_CHECK(0 < p && p < 1, Runtime, "geometric_ expects p to be in (0, 1), but got p=", p);
}

void check_cauchy(DType dtype, double sigma) {
  LB_CHECK(sigma > 0.0, Runtime, "cauchy_ expects sigma > 0.0, but found sigma=", sigma);
  LB_CHECK(is_floating(dtype), Runtime,
           "Cauchy distribution is a continuous probability distribution. dtype must be a floating point but you "
           "specified ",
           cpp_name(dtype));
}

void check_bernoulli(double p) {
  LB_CHECK(0 <= p && p <= 1, Runtime, "bernoulli_ expects p to be in [0, 1], but got p=", p);
}

void uniform(Generator& generator, DType dtype, Run run, double from, double to) {
  visit_floating(dtype, "check_uniform_bounds", [&]<class T>(T) {
    const UniformDraw<T> draw(from, to);
    if constexpr (std::is_same_v<T, float>) {
      if (run.stride == sizeof(T)) return uniform_floats(generator, static_cast<T*>(run.data), run.count, draw);
    }
    fill<T>(generator, run, draw);
  });
}

void normal(Generator& generator, DType dtype, Run run, double mean, double std) {
  visit_floating(dtype, "normal_kernel_cpu", [&]<class T>(T) { fill<T>(generator, run, NormalDraw<T>{mean, std}); });
}

void normal_tensor(Generator& generator, DType dtype, void* data, int64_t count, double mean, double std) {
  if (count < 16) return normal(generator, dtype, {data, static_cast<int64_t>(item_size(dtype)), count}, mean, std);
  visit_floating(dtype, "normal_kernel_cpu",
                 [&]<class T>(T) { fill_normal_blocks(generator, static_cast<T*>(data), count, mean, std); });
}

void log_normal(Generator& generator, DType dtype, Run run, double mean, double std) {
  visit_floating(dtype, "log_normal_cpu", [&]<class T>(T) { fill<T>(generator, run, LogNormalDraw<T>{mean, std}); });
}

void exponential(Generator& generator, DType dtype, Run run, double rate) {
  LB_CHECK(is_floating(dtype), Runtime,
           "Exponential distribution is a continuous probability distribution. dtype must be a floating point but you "
           "specified ",
           dtype_title(dtype));
  visit_floating(dtype, "exponential_cpu", [&]<class T>(T) { fill<T>(generator, run, ExponentialDraw<T>(rate)); });
}

void geometric(Generator& generator, DType dtype, Run run, double p) {
  visit_dtype(dtype, [&]<class T>(T) {
    if constexpr (std::is_same_v<T, bool>) {
      not_implemented("geometric_cpu", dtype);
    } else {
      fill<T>(generator, run, GeometricDraw<T>(p));
    }
  });
}

void cauchy(Generator& generator, DType dtype, Run run, double median, double sigma) {
  visit_floating(dtype, "cauchy_cpu", [&]<class T>(T) { fill<T>(generator, run, CauchyDraw<T>{median, sigma}); });
}

void bernoulli(Generator& generator, DType dtype, Run run, double p) {
  visit_dtype(dtype, [&]<class T>(T) { bernoulli_run<T>(generator, run, p); });
}

void bernoulli(Generator& generator, DType dtype, Run run, DType p_dtype, const void* p, int64_t p_stride) {
  visit_dtype(dtype, [&]<class T>(T) {
    visit_floating(p_dtype, "bernoulli_tensor_cpu_p_", [&]<class P>(P) {
      char* at = static_cast<char*>(run.data);
      const char* p_at = static_cast<const char*>(p);
      for (int64_t i = 0; i < run.count; ++i, at += run.stride, p_at += p_stride)
        *reinterpret_cast<T*>(at) = bernoulli_draw<T>(generator, *reinterpret_cast<const P*>(p_at));
    });
  });
}

void random_full(Generator& generator, DType dtype, Run run) {
  visit_dtype(dtype, [&]<class T>(T) { fill<T>(generator, run, FullRangeDraw<T>{}); });
}

}  // namespace lumbre::random
