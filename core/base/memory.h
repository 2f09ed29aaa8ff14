// The caching allocator: what small results need comes from free lists; large blocks lie on huge pages and are kept for
// the next result, because the first touch of fresh pages costs more than the arithmetic.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lumbre {

// 64-byte aligned; contents indeterminate. Throws Error (Runtime) where memory is short. Any thread may call.
void* allocate(size_t bytes);
void* allocate_zeroed(size_t bytes);
// `bytes` as given to allocate().
void release(void* block, size_t bytes) noexcept;

// A block for the time of a scope; where no bytes are asked for, none.
class Scratch {
 public:
  explicit Scratch(int64_t bytes) : bytes_(static_cast<size_t>(bytes)), data_(bytes ? allocate(bytes_) : nullptr) {}
  ~Scratch() {
    if (data_) release(data_, bytes_);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  template <class T = char>
  T* as() const {
    return static_cast<T*>(data_);
  }

 private:
  size_t bytes_;
  void* data_;
};

// Makes bytes zero, many of them on several threads.
void clear(void* memory, size_t bytes);

// Gives all idle blocks back to the system.
void empty_cache() noexcept;

// Bytes that tensors hold; guarded by the interpreter lock, as reference counts are.
extern int64_t tensor_bytes;

struct MemoryStats {
  size_t idle_bytes;  // held for reuse
};
MemoryStats memory_stats() noexcept;

}  // namespace lumbre
