// The element types, their sizes, names and categories.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "base/error.h"
#include "base/half.h"

namespace lumbre {

// Order matters twice: categories are contiguous ranges, and tables are indexed by it.
// Complex types will follow Float64.
enum class DType : uint8_t { Bool, UInt8, Int8, Int16, Int32, Int64, Float16, BFloat16, Float32, Float64 };
inline constexpr int kDTypeCount = 10;

inline constexpr std::array<uint8_t, kDTypeCount> kItemSizes{1, 1, 1, 2, 4, 8, 2, 2, 4, 8};
constexpr size_t item_size(DType dtype) { return kItemSizes[static_cast<size_t>(dtype)]; }

constexpr bool is_floating(DType dtype) { return dtype >= DType::Float16; }
constexpr bool is_half(DType dtype) { return dtype == DType::Float16 || dtype == DType::BFloat16; }
constexpr bool is_integral(DType dtype, bool include_bool) {
  return dtype <= DType::Int64 && (include_bool || dtype != DType::Bool);
}
constexpr bool is_signed(DType dtype) { return dtype >= DType::Int8; }

// "float32", as printed after the package's name.
constexpr const char* dtype_name(DType dtype) {
  constexpr std::array<const char*, kDTypeCount> names{"bool",  "uint8",   "int8",     "int16",   "int32",
                                                       "int64", "float16", "bfloat16", "float32", "float64"};
  return names[static_cast<size_t>(dtype)];
}

// "Float", as PyTorch's error messages and legacy tensor types call it.
constexpr const char* dtype_title(DType dtype) {
  constexpr std::array<const char*, kDTypeCount> names{"Bool", "Byte", "Char",     "Short", "Int",
                                                       "Long", "Half", "BFloat16", "Float", "Double"};
  return names[static_cast<size_t>(dtype)];
}

// "float", as C++ calls it: some of PyTorch's messages do.
constexpr const char* c_type_name(DType dtype) {
  constexpr std::array<const char*, kDTypeCount> names{"bool", "unsigned char", "signed char",   "short", "int",
                                                       "long", "c10::Half",     "c10::BFloat16", "float", "double"};
  return names[static_cast<size_t>(dtype)];
}

template <class T>
struct DTypeOf;
template <>
struct DTypeOf<bool> {
  static constexpr DType value = DType::Bool;
};
template <>
struct DTypeOf<uint8_t> {
  static constexpr DType value = DType::UInt8;
};
template <>
struct DTypeOf<int8_t> {
  static constexpr DType value = DType::Int8;
};
template <>
struct DTypeOf<int16_t> {
  static constexpr DType value = DType::Int16;
};
template <>
struct DTypeOf<int32_t> {
  static constexpr DType value = DType::Int32;
};
template <>
struct DTypeOf<int64_t> {
  static constexpr DType value = DType::Int64;
};
template <>
struct DTypeOf<Half> {
  static constexpr DType value = DType::Float16;
};
template <>
struct DTypeOf<BFloat16> {
  static constexpr DType value = DType::BFloat16;
};
template <>
struct DTypeOf<float> {
  static constexpr DType value = DType::Float32;
};
template <>
struct DTypeOf<double> {
  static constexpr DType value = DType::Float64;
};
template <class T>
inline constexpr DType dtype_of = DTypeOf<T>::value;

// Calls f(T{}) with the element type of `dtype`; f is a generic lambda.
template <class F>
decltype(auto) visit_dtype(DType dtype, F&& f) {
  switch (dtype) {
    case DType::Bool:
      return f(bool{});
    case DType::UInt8:
      return f(uint8_t{});
    case DType::Int8:
      return f(int8_t{});
    case DType::Int16:
      return f(int16_t{});
    case DType::Int32:
      return f(int32_t{});
    case DType::Int64:
      return f(int64_t{});
    case DType::Float16:
      return f(Half{});
    case DType::BFloat16:
      return f(BFloat16{});
    case DType::Float32:
      return f(float{});
    case DType::Float64:
      return f(double{});
  }
  fail(ErrorKind::Runtime, "unknown dtype ", static_cast<int>(dtype));
}

// Calls f with an unsigned integer of the item's size: for code that only moves elements.
template <class F>
decltype(auto) visit_width(size_t bytes, F&& f) {
  switch (bytes) {
    case 1:
      return f(uint8_t{});
    case 2:
      return f(uint16_t{});
    case 4:
      return f(uint32_t{});
    case 8:
      return f(uint64_t{});
  }
  fail(ErrorKind::Runtime, "unknown item size ", bytes);
}

}  // namespace lumbre
