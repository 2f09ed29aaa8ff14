// Shared ownership. Counts are plain integers: they are guarded by the interpreter lock (or, without
// Python, by the one thread that uses the engine); worker threads see raw memory only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

namespace lumbre {

// T has a member `uint32_t references` that starts at 0 and a static `void destroy(T*)`.
template <class T>
class Ref {
 public:
  Ref() noexcept = default;
  explicit Ref(T* object) noexcept : object_(object) { retain(); }
  Ref(const Ref& other) noexcept : object_(other.object_) { retain(); }
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Ref& operator=(Ref other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Ref() {
    if (object_ && --object_->references == 0) T::destroy(object_);
  }

  T* get() const noexcept { return object_; }
  T* operator->() const noexcept { return object_; }
  T& operator*() const noexcept { return *object_; }
  explicit operator bool() const noexcept { return object_ != nullptr; }
  bool operator==(const Ref& other) const noexcept { return object_ == other.object_; }

 private:
  void retain() noexcept {
    if (object_) ++object_->references;
  }
  T* object_ = nullptr;
};

// Blocks of one size, reused last in first out: making and freeing a small object calls no allocator.
template <size_t kBytes, size_t kAlignment>
class FreeList {
 public:
  static void* take() {
#if !defined(__SANITIZE_ADDRESS__)
    if (head_) {
      Node* node = head_;
      head_ = node->next;
      --idle_;
      return node;
    }
#endif
    return ::operator new(kBytes, std::align_val_t(kAlignment));
  }
  static void give(void* block) noexcept {
#if !defined(__SANITIZE_ADDRESS__)
    if (idle_ < kMaxIdle) {
      head_ = ::new (block) Node{head_};
      ++idle_;
      return;
    }
#endif
    ::operator delete(block, std::align_val_t(kAlignment));
  }

 private:
  struct Node {
    Node* next;
  };
  static constexpr uint32_t kMaxIdle = 4096;
  static inline Node* head_ = nullptr;
  static inline uint32_t idle_ = 0;
};

}  // namespace lumbre
