// random_(from, to): which integers a dtype can give, and drawing them.
#include <bit>
#include <cmath>

#include "random/distributions.h"
#include "random/draws.h"

namespace lumbre::random {
namespace {

constexpr int64_t kLowest = std::numeric_limits<int64_t>::lowest();

// An integer rounded to T and back; what int64 cannot hold becomes its lowest value, as on x86.
template <class T>
int64_t rounded(int64_t value) {
  const double image = static_cast<double>(static_cast<Compute<T>>(element_of<T>(value)));
  return image >= -0x1p63 && image < 0x1p63 ? static_cast<int64_t>(image) : kLowest;
}

int64_t wrap(int64_t value, int64_t step) {
  return static_cast<int64_t>(static_cast<uint64_t>(value) + static_cast<uint64_t>(step));
}

// The distance between neighbours of T at `value`.
template <class T>
int64_t spacing(int64_t value) {
  const uint64_t magnitude = value < 0 ? 0 - static_cast<uint64_t>(value) : static_cast<uint64_t>(value);
  const int exponent = magnitude == 0 ? 0 : std::bit_width(magnitude) - 1;
  const int shift = exponent - mantissa_digits<T> + 1;
  return shift > 0 ? int64_t{1} << shift : 1;
}

// Bounds moved inwards until no value rounds out of them.
template <class T>
int64_t inner_from(int64_t from) {
  const int64_t next = rounded<T>(wrap(from, 1));
  return next < from ? wrap(next, spacing<T>(wrap(from, 1))) : from;
}

template <class T>
int64_t inner_to(int64_t to) {
  const int64_t previous = rounded<T>(wrap(to, -1));
  return previous >= to ? wrap(previous, -spacing<T>(wrap(to, -1))) : to;
}

template <class T>
void check_floating(int64_t value, const char* name, DType dtype) {
  double limit = std::numeric_limits<double>::max();
  if constexpr (std::is_same_v<T, float>) limit = static_cast<double>(std::numeric_limits<float>::max());
  if constexpr (std::is_same_v<T, Half>) limit = 65504.0;
  if constexpr (std::is_same_v<T, BFloat16>) limit = static_cast<double>(bfloat16_to_float(0x7f7f));
  LB_CHECK(std::abs(static_cast<double>(value)) <= limit, Runtime, name, " is out of bounds for ", cpp_name(dtype));
}

template <class T>
void warn_floating(int64_t value, const char* name, DType dtype, std::vector<std::string>& warnings) {
  constexpr int digits = mantissa_digits<T>;
  constexpr int64_t limit = int64_t{1} << digits;
  if (value >= -limit && value <= limit) return;
  warnings.push_back(text(name, " is out of bounds [-(2^", digits, "), 2^", digits, "]. Due to precision limitations ",
                          cpp_name(dtype),
                          " can support discrete uniform distribution only within this range. This warning will "
                          "become an error in version 1.7 release, please fix the code in advance"));
}

template <class T>
void check_range(int64_t from, int64_t last, DType dtype, std::vector<std::string>& warnings) {
  if constexpr (is_float_type<T>) {
    check_floating<T>(from, "from", dtype);
    check_floating<T>(last, "to - 1", dtype);
    warn_floating<T>(from, "from", dtype, warnings);
    warn_floating<T>(last, "to - 1", dtype, warnings);
  } else {
    const auto inside = [](int64_t value) {
      return value >= static_cast<int64_t>(std::numeric_limits<T>::lowest()) &&
             value <= static_cast<int64_t>(std::numeric_limits<T>::max());
    };
    LB_CHECK(inside(from), Runtime, "from is out of bounds for ", cpp_name(dtype));
    LB_CHECK(inside(last), Runtime, "to - 1 is out of bounds for ", cpp_name(dtype));
  }
}

}  // namespace

IntegerRange integer_range(DType dtype, int64_t from, std::optional<int64_t> to) {
  IntegerRange result;
  if (!to && from == kLowest) {
    result.any_int64 = true;
    return result;
  }
  if (to) {
    LB_CHECK(from < *to, Runtime, "random_ expects 'from' to be less than 'to', but got from=", from, " >= to=", *to);
  }
  visit_dtype(dtype, [&]<class T>(T) {
    int64_t last;
    if constexpr (is_float_type<T>) {
      from = inner_from<T>(from);
      if (to) {
        const int64_t end = inner_to<T>(*to);
        LB_CHECK(from < end, Runtime,
                 "random_ expects 'from' casted to dtype to be less than 'to' casted to dtype, but got from=", from,
                 " >= to=", end);
        last = end - 1;
      } else {
        last = int64_t{1} << mantissa_digits<T>;
        LB_CHECK(from < last, Runtime,
                 "random_ expects 'from' casted to dtype to be less than or equal to 'to_inc' casted to dtype, but got "
                 "from=",
                 from, " > to_inc=", last);
      }
    } else {
      last = to ? *to - 1 : static_cast<int64_t>(std::numeric_limits<T>::max());
    }
    check_range<T>(from, last, dtype, result.warnings);
    result.base = from;
    result.range = static_cast<uint64_t>(last) - static_cast<uint64_t>(from) + 1;
  });
  return result;
}

void random_range(Generator& generator, DType dtype, Run run, const IntegerRange& range) {
  LB_CHECK(!range.any_int64 || (dtype != DType::Bool && dtype != DType::Float16), NotImplemented,
           "\"random_full_64_bits_range_kernel_cpu\" not implemented for '", dtype_title(dtype), "'");
  LB_CHECK(!range.any_int64 || dtype == DType::Int64 || dtype == DType::Float64 || dtype == DType::Float32 ||
               dtype == DType::BFloat16,
           Runtime, "random_full_64_bits_range_kernel_cpu handles only int64, double, float and bfloat16");
  visit_dtype(dtype, [&]<class T>(T) {
    char* at = static_cast<char*>(run.data);
    const RangeDraw<T> some{range.range, range.base};
    const AnyInt64Draw<T> any;
    for (int64_t i = 0; i < run.count; ++i, at += run.stride)
      *reinterpret_cast<T*>(at) = range.any_int64 ? any(generator) : some(generator);
  });
}

}  // namespace lumbre::random
