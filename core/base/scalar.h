// A Python number on its way into an operator.
#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace lumbre {

class Scalar {
 public:
  enum class Kind : uint8_t { Bool, Int, Float };  // Complex follows later

  constexpr Scalar() : kind_(Kind::Int), integer_(0) {}
  constexpr Scalar(bool value) : kind_(Kind::Bool), integer_(value) {}
  constexpr Scalar(int value) : kind_(Kind::Int), integer_(value) {}
  constexpr Scalar(int64_t value) : kind_(Kind::Int), integer_(value) {}
  constexpr Scalar(double value) : kind_(Kind::Float), real_(value) {}

  constexpr Kind kind() const { return kind_; }
  constexpr bool is_float() const { return kind_ == Kind::Float; }
  constexpr bool is_bool() const { return kind_ == Kind::Bool; }
  constexpr double as_double() const { return is_float() ? real_ : static_cast<double>(integer_); }
  constexpr int64_t as_int() const {
    if (!is_float()) return integer_;
    // Out-of-range conversions give the lowest integer, as x86 does; never undefined.
    return real_ >= -0x1p63 && real_ < 0x1p63 ? static_cast<int64_t>(real_) : INT64_MIN;
  }
  constexpr bool as_bool() const { return is_float() ? real_ != 0 : integer_ != 0; }

  template <class T>
  constexpr T to() const {
    if constexpr (std::is_same_v<T, bool>)
      return as_bool();
    else if constexpr (is_half_type<T>)
      return T(static_cast<float>(as_double()));
    else if constexpr (std::is_floating_point_v<T>)
      return static_cast<T>(as_double());
    else
      return static_cast<T>(as_int());
  }

  // The dtype it has in promotion before its lower category is weighed.
  constexpr DType natural_dtype(DType default_dtype) const {
    return is_float() ? default_dtype : kind_ == Kind::Bool ? DType::Bool : DType::Int64;
  }

 private:
  Kind kind_;
  union {
    int64_t integer_;
    double real_;
  };
};

}  // namespace lumbre
