#include "tensor/storage.h"

#include <cstring>
#include <new>

#include "base/error.h"
#include "base/memory.h"

namespace lumbre {

namespace {
using Blocks = FreeList<sizeof(Storage), alignof(Storage)>;
}

int64_t tensor_bytes = 0;

Ref<Storage> Storage::make(size_t bytes, bool zeroed) {
  char* data = nullptr;
  if (bytes > kInlineBytes) data = static_cast<char*>(zeroed ? allocate_zeroed(bytes) : allocate(bytes));
  Storage* storage = ::new (Blocks::take()) Storage;
  storage->bytes_ = storage->capacity_ = bytes;
  tensor_bytes += static_cast<int64_t>(bytes);
  if (data) {
    storage->owner_ = Owner::Allocator;
    storage->data_ = data;
  } else {
    storage->capacity_ = kInlineBytes;
    storage->data_ = storage->inline_;
    if (zeroed) std::memset(storage->inline_, 0, kInlineBytes);
  }
  return Ref<Storage>(storage);
}

Ref<Storage> Storage::adopt(void* data, size_t bytes, ReleaseFn release, void* context) {
  Storage* storage = ::new (Blocks::take()) Storage;
  storage->owner_ = Owner::Foreign;
  storage->data_ = static_cast<char*>(data);
  storage->bytes_ = storage->capacity_ = bytes;
  storage->release_ = release;
  storage->context_ = context;
  return Ref<Storage>(storage);
}

void Storage::free_data() noexcept {
  if (owner_ == Owner::Allocator) release(data_, capacity_);
  if (owner_ == Owner::Foreign && release_) release_(context_);
}

void Storage::destroy(Storage* storage) noexcept {
  if (storage->owner_ != Owner::Foreign) tensor_bytes -= static_cast<int64_t>(storage->bytes_);
  storage->free_data();
  storage->~Storage();
  Blocks::give(storage);
}

void Storage::resize(size_t bytes) {
  LB_CHECK(resizable(), Runtime, "Trying to resize storage that is not resizable");
  const int64_t growth = static_cast<int64_t>(bytes) - static_cast<int64_t>(bytes_);
  if (bytes <= capacity_) {
    tensor_bytes += growth;
    if (bytes > bytes_) std::memset(data_ + bytes_, 0, bytes - bytes_);
    bytes_ = bytes;
    return;
  }
  char* grown = static_cast<char*>(allocate(bytes));
  tensor_bytes += growth;
  std::memcpy(grown, data_, bytes_);
  std::memset(grown + bytes_, 0, bytes - bytes_);
  free_data();
  owner_ = Owner::Allocator;
  data_ = grown;
  bytes_ = capacity_ = bytes;
}

void Storage::move_to(void* data, ReleaseFn release, void* context) {
  LB_CHECK(resizable(), Runtime, "the memory of this storage is used by others, an array for instance: it cannot move");
  std::memcpy(data, data_, bytes_);
  free_data();
  tensor_bytes -= static_cast<int64_t>(bytes_);
  owner_ = Owner::Foreign;
  data_ = static_cast<char*>(data);
  capacity_ = bytes_;
  release_ = release;
  context_ = context;
}

}  // namespace lumbre
