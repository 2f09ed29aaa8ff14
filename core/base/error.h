// Errors: one C++ exception that carries the class of the Python exception it becomes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <ostream>
#include <stdexcept>
#include <string>
#include <utility>

namespace lumbre {

enum class ErrorKind : uint8_t {
  Runtime,
  Index,
  Type,
  Value,
  NotImplemented,
  Memory,
  Buffer,
  ZeroDivision,
  LinearAlgebra
};

class Error : public std::exception {
 public:
  Error(ErrorKind kind, std::string message) : kind_(kind), message_(std::move(message)) {}
  const char* what() const noexcept override { return message_.c_str(); }
  ErrorKind kind() const noexcept { return kind_; }

 private:
  ErrorKind kind_;
  std::string message_;
};

// A part of a text, and how it is written. The many lists of types that texts are made of would each need a function of
// their own otherwise.
struct TextPart {
  const void* value;
  void (*write)(std::ostream& stream, const void* value);
};
inline void write_literal(std::ostream& stream, const void* value) { stream << static_cast<const char*>(value); }
template <size_t n>
TextPart text_part(const char (&literal)[n]) {
  return {literal, &write_literal};
}
template <class T>
TextPart text_part(const T& value) {
  return {&value, [](std::ostream& stream, const void* v) { stream << *static_cast<const T*>(v); }};
}

std::string joined(std::initializer_list<TextPart> parts);
[[noreturn, gnu::cold]] void throw_error(ErrorKind kind, std::initializer_list<TextPart> parts);

// Joins its arguments into one text with operator<<.
template <class... Args>
std::string text(const Args&... args) {
  return joined({text_part(args)...});
}

template <class... Args>
[[noreturn, gnu::always_inline]] inline void fail(ErrorKind kind, const Args&... args) {
  throw_error(kind, {text_part(args)...});
}

}  // namespace lumbre

// Throws lumbre::Error of the given kind with the joined message unless the condition holds.
#define LB_CHECK(condition, kind, ...)                                                                           \
  do {                                                                                                           \
    if (__builtin_expect(!(condition), 0)) ::lumbre::fail(::lumbre::ErrorKind::kind __VA_OPT__(, ) __VA_ARGS__); \
  } while (false)
