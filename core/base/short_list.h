// A list whose first few members live inside their owner.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <vector>

namespace lumbre {

template <class T, size_t kInline>
class ShortList {
 public:
  ShortList() = default;
  explicit ShortList(size_t count) { resize(count); }
  size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  T* data() noexcept { return spilled() ? heap_.data() : inline_.data(); }
  const T* data() const noexcept { return spilled() ? heap_.data() : inline_.data(); }
  T& operator[](size_t i) noexcept { return data()[i]; }
  const T& operator[](size_t i) const noexcept { return data()[i]; }
  T* begin() noexcept { return data(); }
  T* end() noexcept { return data() + size_; }
  const T* begin() const noexcept { return data(); }
  const T* end() const noexcept { return data() + size_; }
  // The first members keep their values while both counts stay on one side of kInline.
  void resize(size_t count) {
    if (count > kInline) heap_.resize(count);
    size_ = count;
  }
  void clear() noexcept {
    for (T& member : *this) member = T();
    heap_.clear();
    size_ = 0;
  }

 private:
  bool spilled() const noexcept { return size_ > kInline; }
  size_t size_ = 0;
  std::array<T, kInline> inline_{};
  std::vector<T> heap_;
};

}  // namespace lumbre
