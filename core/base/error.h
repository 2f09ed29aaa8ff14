// Errors: one C++ exception that carries the class of the Python exception it becomes.
#pragma once

#include <cstdint>
#include <sstream>
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

// Joins its arguments into one text with operator<<.
template <class... Args>
std::string text(const Args&... args) {
  std::ostringstream stream;
  (stream << ... << args);
  return std::move(stream).str();
}

template <class... Args>
[[noreturn, gnu::cold, gnu::noinline]] void fail(ErrorKind kind, const Args&... args) {
  throw Error(kind, text(args...));
}

}  // namespace lumbre

// Throws lumbre::Error of the given kind with the joined message unless the condition holds.
#define LB_CHECK(condition, kind, ...)                                                                           \
  do {                                                                                                           \
    if (__builtin_expect(!(condition), 0)) ::lumbre::fail(::lumbre::ErrorKind::kind __VA_OPT__(, ) __VA_ARGS__); \
  } while (false)
