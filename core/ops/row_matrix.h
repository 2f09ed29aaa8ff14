// Memory for numbers, and for a matrix by rows, for the time of a scope.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/dims.h"
#include "base/memory.h"
#include "tensor/plan.h"

namespace lumbre::ops {

// Contents indeterminate.
template <class T>
class Numbers {
 public:
  Numbers(int64_t rows, int64_t columns) : memory_(checked_multiply(checked_multiply(rows, columns), sizeof(T))) {}
  T* data() const { return memory_.template as<T>(); }

 private:
  Scratch memory_;
};

// Rows lie an odd number of cache lines apart, so that they spread over the cache's sets.
template <class T>
class RowMatrix {
 public:
  RowMatrix(int64_t rows, int64_t columns)
      : rows_(rows), columns_(columns), step_(((columns * kSize + 63) / 64 | 1) * 64 / kSize), numbers_(rows, step_) {}

  T* data() const { return numbers_.data(); }
  int64_t step() const { return step_; }
  // From a matrix by rows without gaps.
  void fill_from(const T* from) const {
    for (int64_t i = 0; i < rows_; ++i) std::copy_n(from + i * columns_, columns_, data() + i * step_);
  }
  // From and to a matrix by columns, `column` elements apart.
  void turn_from(const T* from, int64_t column) const {
    transpose_loop(sizeof(T))(reinterpret_cast<const char*>(from), column * kSize, columns_, rows_,
                              reinterpret_cast<char*>(data()), step_ * kSize);
  }
  void turn_to(T* to, int64_t column) const {
    transpose_loop(sizeof(T))(reinterpret_cast<const char*>(data()), step_ * kSize, rows_, columns_,
                              reinterpret_cast<char*>(to), column * kSize);
  }

 private:
  static constexpr auto kSize = static_cast<int64_t>(sizeof(T));

  int64_t rows_, columns_, step_;
  Numbers<T> numbers_;
};

}  // namespace lumbre::ops
