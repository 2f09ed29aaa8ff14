// Sizes, strides and lists of dimensions: a short vector of int64 that lives inside its owner.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <ostream>
#include <span>

#include "base/error.h"

namespace lumbre {

inline constexpr int kMaxDims = 64;

class Dims {
 public:
  Dims() noexcept {}
  Dims(std::initializer_list<int64_t> values) { assign(values.begin(), values.size()); }
  explicit Dims(std::span<const int64_t> values) { assign(values.data(), values.size()); }
  Dims(size_t count, int64_t value) {
    resize(count);
    std::fill_n(data(), count, value);
  }
  Dims(const Dims& other) { copy(other); }
  Dims(Dims&& other) noexcept : size_(other.size_), capacity_(other.capacity_), heap_(std::move(other.heap_)) {
    if (!heap_) std::memcpy(inline_, other.inline_, sizeof(inline_));
    other.size_ = 0;
    other.capacity_ = kInline;
  }
  Dims& operator=(const Dims& other) {
    if (this != &other) copy(other);
    return *this;
  }
  Dims& operator=(Dims&& other) noexcept {
    if (this == &other) return *this;
    size_ = std::exchange(other.size_, 0);
    capacity_ = std::exchange(other.capacity_, kInline);
    heap_ = std::move(other.heap_);
    if (!heap_) std::memcpy(inline_, other.inline_, sizeof(inline_));
    return *this;
  }

  size_t size() const noexcept { return size_; }
  int ndim() const noexcept { return static_cast<int>(size_); }
  bool empty() const noexcept { return size_ == 0; }
  int64_t* data() noexcept { return heap_ ? heap_.get() : inline_; }
  const int64_t* data() const noexcept { return heap_ ? heap_.get() : inline_; }
  int64_t* begin() noexcept { return data(); }
  int64_t* end() noexcept { return data() + size_; }
  const int64_t* begin() const noexcept { return data(); }
  const int64_t* end() const noexcept { return data() + size_; }
  int64_t& operator[](size_t i) noexcept { return data()[i]; }
  int64_t operator[](size_t i) const noexcept { return data()[i]; }
  int64_t& back() noexcept { return data()[size_ - 1]; }
  int64_t back() const noexcept { return data()[size_ - 1]; }
  operator std::span<const int64_t>() const noexcept { return {data(), size_}; }

  void resize(size_t count) {
    reserve(count);
    size_ = static_cast<uint32_t>(count);
  }
  void push_back(int64_t value) {
    reserve(size_ + 1);
    data()[size_++] = value;
  }
  void pop_back() noexcept { --size_; }
  void insert(size_t at, int64_t value) {
    push_back(value);
    std::rotate(begin() + at, end() - 1, end());
  }
  void erase(size_t at) noexcept {
    std::copy(begin() + at + 1, end(), begin() + at);
    --size_;
  }
  bool operator==(const Dims& other) const noexcept {
    if (size_ != other.size_) return false;
    const int64_t *a = data(), *b = other.data();
    for (uint32_t i = 0; i < size_; ++i)
      if (a[i] != b[i]) return false;
    return true;
  }
  bool contains(int64_t value) const noexcept { return std::find(begin(), end(), value) != end(); }

 private:
  static constexpr uint32_t kInline = 6;
  void assign(const int64_t* values, size_t count) {
    resize(count);
    std::copy_n(values, count, data());
  }
  // Short lists are copied whole: a few moves of fixed width, whatever their length.
  void copy(const Dims& other) {
    if (heap_ || other.heap_) return assign(other.data(), other.size_);
    size_ = other.size_;
    std::memcpy(inline_, other.inline_, sizeof(inline_));
  }
  void reserve(size_t count) {
    if (count <= capacity_) return;
    const size_t capacity = std::max<size_t>(count, 2 * capacity_);
    auto grown = std::make_unique_for_overwrite<int64_t[]>(capacity);
    std::copy_n(data(), size_, grown.get());
    heap_ = std::move(grown);
    capacity_ = static_cast<uint32_t>(capacity);
  }

  uint32_t size_ = 0;
  uint32_t capacity_ = kInline;
  std::unique_ptr<int64_t[]> heap_;
  int64_t inline_[kInline];
};

// "[2, 3]", as PyTorch's messages write sizes.
inline std::ostream& operator<<(std::ostream& stream, const Dims& dims) {
  stream << '[';
  for (size_t i = 0; i < dims.size(); ++i) stream << (i ? ", " : "") << dims[i];
  return stream << ']';
}

inline int64_t checked_multiply(int64_t a, int64_t b) {
  int64_t product;
  LB_CHECK(!__builtin_mul_overflow(a, b, &product), Runtime, "numel: integer multiplication overflow");
  return product;
}

inline int64_t checked_add(int64_t a, int64_t b) {
  int64_t sum;
  LB_CHECK(!__builtin_add_overflow(a, b, &sum), Runtime, "Storage size calculation overflowed");
  return sum;
}

// Of what is not negative: how many units hold it, and the size of those.
constexpr int64_t divide_up(int64_t value, int64_t unit) { return (value + unit - 1) / unit; }
constexpr int64_t round_up(int64_t value, int64_t unit) { return divide_up(value, unit) * unit; }

inline int64_t count_elements(std::span<const int64_t> sizes) {
  int64_t count = 1;
  for (int64_t size : sizes) count = checked_multiply(count, size);
  return count;
}

// Row-major strides; a dimension of size 0 counts as 1, as in PyTorch.
inline Dims contiguous_strides(const Dims& sizes) {
  Dims strides;
  strides.resize(sizes.size());
  int64_t step = 1;
  for (int d = sizes.ndim() - 1; d >= 0; --d) {
    strides[d] = step;
    step = checked_multiply(step, std::max<int64_t>(sizes[d], 1));
  }
  return strides;
}

// Turns a possibly negative dimension into an index; a 0-d tensor counts as having one dimension.
inline int wrap_dim(int64_t dim, int64_t ndim) {
  const int64_t bound = std::max<int64_t>(ndim, 1);
  LB_CHECK(dim >= -bound && dim < bound, Index, "Dimension out of range (expected to be in range of [", -bound, ", ",
           bound - 1, "], but got ", dim, ")");
  return static_cast<int>(dim < 0 ? dim + bound : dim);
}

}  // namespace lumbre
