// One value of each distribution, as PyTorch's CPU code draws it: which words, in which order, through which
// arithmetic. A type here is a distribution with its parameters; `draw<T>(generator)` gives the next element of type
// T. Whole runs, the checks of parameters and dtypes, and the faster forms are in distributions.h.
//
// Products and sums are fused (std::fma) exactly where PyTorch's build for AVX2 fuses them. Functions of <cmath> are
// the C library's, as they are in PyTorch.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>
#include <type_traits>

#include "base/dtype.h"
#include "base/error.h"
#include "base/half.h"
#include "random/generator.h"

namespace lumbre::random {

// What std::numeric_limits says for the built-in types, for all of ours.
template <class T>
inline constexpr int mantissa_digits = std::numeric_limits<T>::digits;
template <>
inline constexpr int mantissa_digits<Half> = 11;
template <>
inline constexpr int mantissa_digits<BFloat16> = 8;

// The type that PyTorch computes in for elements of T.
template <class T>
using Compute = std::conditional_t<is_half_type<T>, float, T>;

template <class T>
inline constexpr bool is_float_type = std::is_floating_point_v<T> || is_half_type<T>;

// A dtype as the messages of PyTorch's range checks name it.
constexpr const char* cpp_name(DType dtype) {
  constexpr std::array<const char*, kDTypeCount> names{"bool",  "unsigned char", "signed char", "short int",
                                                       "int",   "long int",      "c10::Half",   "c10::BFloat16",
                                                       "float", "double"};
  return names[static_cast<size_t>(dtype)];
}

// double or int64 to an element. What does not fit an integer becomes what x86 instructions make of it: the lowest
// int32 or int64, cut to the width of the element.
template <class T>
T element_of(double value) {
  if constexpr (is_half_type<T>) {
    return T(static_cast<float>(value));
  } else if constexpr (std::is_floating_point_v<T>) {
    return static_cast<T>(value);
  } else if constexpr (sizeof(T) == 8) {
    return value >= -0x1p63 && value < 0x1p63 ? static_cast<T>(value) : std::numeric_limits<T>::lowest();
  } else {
    const bool fits = value > -2147483649.0 && value < 2147483648.0;
    return static_cast<T>(fits ? static_cast<int32_t>(value) : std::numeric_limits<int32_t>::lowest());
  }
}

template <class T>
T element_of(int64_t value) {
  if constexpr (is_half_type<T>) {
    return T(static_cast<float>(value));
  } else {
    return static_cast<T>(value);
  }
}

// Uniform on [from, to). One word for float and the half types (24 bits), two for double (53 bits). Rounding that
// reaches `to` gives `from`.
template <class T>
struct UniformDraw {
  using C = Compute<T>;
  C low, range;
  T from, to;

  UniformDraw(double from_value, double to_value)
      : low(static_cast<C>(from_value)),
        range(static_cast<C>(to_value) - low),
        from(element_of<T>(from_value)),
        to(element_of<T>(to_value)) {}

  T clamp(C value) const {
    const T result = static_cast<T>(value);
    return static_cast<C>(result) == static_cast<C>(to) ? from : result;
  }
  T operator()(Generator& generator) const {
    if constexpr (std::is_same_v<T, double>) {
      return clamp(std::fma(generator.uniform_double(), range, low));
    } else {
      return clamp(std::fma(generator.uniform_float(), range, low));
    }
  }
};

// A standard normal in double by Box-Muller. Four words make two values: the first two words give the angle, the
// next two the radius; the cosine is returned and the sine kept in the generator for the next call, whatever
// distribution or dtype that call serves.
inline double standard_normal(Generator& generator) {
  if (generator.next_double_normal) {
    const double kept = *generator.next_double_normal;
    generator.next_double_normal.reset();
    return kept;
  }
  const double u1 = generator.uniform_double();
  const double u2 = generator.uniform_double();
  const double radius = std::sqrt(-2.0 * std::log1p(-u2));
  const double angle = 2.0 * std::numbers::pi * u1;
  generator.next_double_normal = radius * std::sin(angle);
  return radius * std::cos(angle);
}

// Normal, element by element. Tensors of 16 contiguous elements and more take another stream: normal_block.h.
template <class T>
struct NormalDraw {
  double mean, std;
  T operator()(Generator& generator) const { return element_of<T>(std::fma(standard_normal(generator), std, mean)); }
};

// exp of a normal: the words of NormalDraw.
template <class T>
struct LogNormalDraw {
  double mean, std;
  T operator()(Generator& generator) const {
    return element_of<T>(std::exp(std::fma(standard_normal(generator), std, mean)));
  }
};

// Two words: a double u, then -log(1 - u) / rate.
template <class T>
struct ExponentialDraw {
  double factor;  // -1 / rate
  explicit ExponentialDraw(double rate) : factor(-1.0 / rate) {}
  T operator()(Generator& generator) const { return element_of<T>(factor * std::log1p(-generator.uniform_double())); }
};

// Two words: a double u, then the number of trials up to the first success, ceil(log(u) / log(1 - p)).
template <class T>
struct GeometricDraw {
  double log_failure;
  explicit GeometricDraw(double p) : log_failure(std::log1p(-p)) {}
  T operator()(Generator& generator) const {
    return element_of<T>(std::ceil(std::log(generator.uniform_double()) / log_failure));
  }
};

// Two words: a double u, then median + sigma tan(pi (u - 1/2)).
template <class T>
struct CauchyDraw {
  double median, sigma;
  T operator()(Generator& generator) const {
    const double u = generator.uniform_double();
    return element_of<T>(std::fma(sigma, std::tan(std::numbers::pi * (u - 0.5)), median));
  }
};

// One probability for all elements: two words each, whatever the dtype; 1 where the double is below p.
template <class T>
struct BernoulliDraw {
  double p;
  T operator()(Generator& generator) const {
    return element_of<T>(static_cast<int64_t>(generator.uniform_double() < p));
  }
};

// A probability per element: two words where probabilities are double, otherwise one (24 bits, compared in float).
template <class T, class P>
T bernoulli_draw(Generator& generator, P p) {
  const Compute<P> probability = static_cast<Compute<P>>(p);
  LB_CHECK(probability >= 0 && probability <= 1, Runtime,
           "Expected p_in >= 0 && p_in <= 1 to be true, but got false.  (Could this error message be improved?  If "
           "so, please report an enhancement request to PyTorch.)");
  if constexpr (std::is_same_v<P, double>) {
    return element_of<T>(static_cast<int64_t>(generator.uniform_double() < probability));
  } else {
    return element_of<T>(static_cast<int64_t>(generator.uniform_float() < probability));
  }
}

// random_(): all non-negative values of an integer type, or 0 to 2^digits of a floating one. Two words for int64 and
// double, one for the rest.
template <class T>
struct FullRangeDraw {
  T operator()(Generator& generator) const {
    if constexpr (std::is_same_v<T, bool>) {
      return (generator.random() & 1) != 0;
    } else if constexpr (std::is_same_v<T, int64_t>) {
      return static_cast<int64_t>(generator.random64() & 0x7fffffffffffffff);
    } else if constexpr (std::is_same_v<T, double>) {
      return static_cast<double>(generator.random64() % ((uint64_t{1} << 53) + 1));
    } else if constexpr (is_float_type<T>) {
      return element_of<T>(static_cast<int64_t>(generator.random() % ((uint32_t{1} << mantissa_digits<T>)+1)));
    } else {
      return static_cast<T>(generator.random() & static_cast<uint32_t>(std::numeric_limits<T>::max()));
    }
  }
};

// random_(from, to) and randint: base + word % range. One word where range < 2^28, otherwise two, in every dtype.
template <class T>
struct RangeDraw {
  uint64_t range;
  int64_t base;
  T operator()(Generator& generator) const {
    const uint64_t value = range >= (uint64_t{1} << 28) ? generator.random64() : generator.random();
    return element_of<T>(static_cast<int64_t>(value % range + static_cast<uint64_t>(base)));
  }
};

// random_(lowest int64, None): every int64, from two words.
template <class T>
struct AnyInt64Draw {
  T operator()(Generator& generator) const { return element_of<T>(static_cast<int64_t>(generator.random64())); }
};

}  // namespace lumbre::random
