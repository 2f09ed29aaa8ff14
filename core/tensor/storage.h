// Bytes, their owner, and the version that in-place operations raise.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/ref.h"

namespace lumbre {

class Storage {
 public:
  using ReleaseFn = void (*)(void* context) noexcept;

  uint32_t references = 0;

  // New memory; contents are indeterminate unless `zeroed`.
  static Ref<Storage> make(size_t bytes, bool zeroed = false);
  // Memory of somebody else's; release(context) is called once, when the last tensor lets go.
  static Ref<Storage> adopt(void* data, size_t bytes, ReleaseFn release, void* context);
  static void destroy(Storage* storage) noexcept;

  char* data() const noexcept { return data_; }
  size_t bytes() const noexcept { return bytes_; }
  bool resizable() const noexcept { return owner_ != Owner::Foreign && !exported_; }
  // Somebody else reads or writes these bytes (an array over them): from now on they stay where they are.
  void note_export() noexcept { exported_ = true; }
  // Keeps the old bytes and clears the new ones. Throws for memory that is not ours.
  void resize(size_t bytes);
  // The bytes go to another place of the same size, which is then somebody else's memory as adopt() takes it. Throws
  // where somebody knows the old place.
  void move_to(void* data, ReleaseFn release, void* context);
  // What adopt() or move_to() was given together with this function; null for other memory.
  void* context_of(ReleaseFn release) const noexcept {
    return owner_ == Owner::Foreign && release_ == release ? context_ : nullptr;
  }

  uint32_t version = 0;
  void* python_object = nullptr;  // borrowed: the one Python object that stands for this storage, if any

 private:
  enum class Owner : uint8_t { Inline, Allocator, Foreign };
  // Small data follows the header in the same block.
  static constexpr size_t kInlineBytes = 64;
  Storage() = default;
  ~Storage() = default;
  void free_data() noexcept;

  Owner owner_ = Owner::Inline;
  bool exported_ = false;
  char* data_ = nullptr;
  size_t bytes_ = 0;
  size_t capacity_ = 0;
  ReleaseFn release_ = nullptr;
  void* context_ = nullptr;
  alignas(64) char inline_[kInlineBytes];
};

}  // namespace lumbre
