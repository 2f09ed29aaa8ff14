#include "base/memory.h"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "base/error.h"
#include "base/threads.h"

namespace lumbre {

namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kLarge = size_t{1} << 20;  // from here on: own mappings
constexpr size_t kHugePage = size_t{1} << 21;
constexpr size_t kMaxRequest = size_t{1} << 47;

[[noreturn]] void fail_allocation(size_t bytes) {
  fail(ErrorKind::Runtime,
       "[enforce fail at alloc_cpu.cpp] . DefaultCPUAllocator: not enough memory: you tried to allocate ", bytes,
       " bytes.");
}

class SpinLock {
 public:
  void lock() noexcept {
    while (flag_.test_and_set(std::memory_order_acquire)) {
#if defined(__x86_64__)
      __builtin_ia32_pause();
#endif
    }
  }
  void unlock() noexcept { flag_.clear(std::memory_order_release); }

 private:
  std::atomic_flag flag_;
};

SpinLock mutex;

class Guard {
 public:
  Guard() noexcept { mutex.lock(); }
  ~Guard() { mutex.unlock(); }
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;
};

// --- up to 1 MB: four size classes per power of two, each with a list of idle blocks ---------------------------------

constexpr int kClasses = 64;
constexpr size_t kIdlePerClass = size_t{4} << 20;  // bytes

struct IdleBlock {
  IdleBlock* next;
};
std::array<IdleBlock*, kClasses> idle_blocks{};
std::array<size_t, kClasses> idle_counts{};

// The class of a size and the size that its blocks have.
std::pair<int, size_t> size_class(size_t bytes) {
  if (bytes <= 256) {
    const size_t quarter = (std::max<size_t>(bytes, 1) + 63) / 64;
    return {static_cast<int>(quarter) - 1, quarter * 64};
  }
  const int power = std::bit_width(bytes - 1) - 1;  // 2^power < bytes <= 2^(power + 1)
  const size_t step = size_t{1} << (power - 2);
  const size_t steps = (bytes - (size_t{1} << power) + step - 1) / step;
  return {4 + (power - 8) * 4 + static_cast<int>(steps) - 1, (size_t{1} << power) + steps * step};
}

void* take_idle(int index) noexcept {
  const Guard guard;
  IdleBlock* block = idle_blocks[static_cast<size_t>(index)];
  if (!block) return nullptr;
  idle_blocks[static_cast<size_t>(index)] = block->next;
  --idle_counts[static_cast<size_t>(index)];
  return block;
}

bool give_idle(void* block, int index, size_t size) noexcept {
  const Guard guard;
  auto& count = idle_counts[static_cast<size_t>(index)];
  if ((count + 1) * size > kIdlePerClass) return false;
  idle_blocks[static_cast<size_t>(index)] = ::new (block) IdleBlock{idle_blocks[static_cast<size_t>(index)]};
  ++count;
  return true;
}

// --- from 1 MB: mappings on huge pages -------------------------------------------------------------------------------

struct Mapping {
  void* address;
  size_t bytes;
};
constexpr size_t kMaxIdleMappings = 64;
std::array<Mapping, kMaxIdleMappings> idle_mappings;
size_t idle_mapping_count = 0;
size_t idle_mapping_bytes = 0;

size_t idle_limit() {
  static const size_t limit = [] {
    const auto ram = static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<size_t>(sysconf(_SC_PAGESIZE));
    return std::min(ram / 8, size_t{1} << 30);
  }();
  return limit;
}

size_t mapping_size(size_t bytes) {
  const size_t unit = bytes >= kHugePage ? kHugePage : size_t{1} << 16;
  return (bytes + unit - 1) / unit * unit;
}

// The mapping of this size that was freed last, if there is one.
void* take_mapping(size_t bytes) noexcept {
  const Guard guard;
  size_t best = kMaxIdleMappings;
  for (size_t i = 0; i < idle_mapping_count; ++i)
    if (idle_mappings[i].bytes == bytes) best = i;
  if (best == kMaxIdleMappings) return nullptr;
  const Mapping found = idle_mappings[best];
  idle_mappings[best] = idle_mappings[--idle_mapping_count];
  idle_mapping_bytes -= found.bytes;
  return found.address;
}

void* map_fresh(size_t bytes) noexcept {
  const bool huge = bytes >= kHugePage;
  const size_t slack = huge ? kHugePage : 0;
  void* raw = mmap(nullptr, bytes + slack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (raw == MAP_FAILED) return nullptr;
  if (!huge) return raw;
  const auto start = reinterpret_cast<uintptr_t>(raw);
  const uintptr_t aligned = (start + kHugePage - 1) / kHugePage * kHugePage;
  if (aligned > start) munmap(raw, aligned - start);
  const uintptr_t tail = start + slack - aligned;
  if (tail) munmap(reinterpret_cast<void*>(aligned + bytes), tail);
  madvise(reinterpret_cast<void*>(aligned), bytes, MADV_HUGEPAGE);
  return reinterpret_cast<void*>(aligned);
}

void give_mapping(void* address, size_t bytes) noexcept {
  {
    const Guard guard;
    if (idle_mapping_count < kMaxIdleMappings && idle_mapping_bytes + bytes <= idle_limit()) {
      idle_mappings[idle_mapping_count++] = {address, bytes};
      idle_mapping_bytes += bytes;
      return;
    }
  }
  munmap(address, bytes);
}

void* allocate_large(size_t bytes, bool zeroed) {
  const size_t size = mapping_size(bytes);
  if (void* block = take_mapping(size)) {
    if (zeroed) clear(block, bytes);
    return block;
  }
  void* block = map_fresh(size);
  if (!block) {
    empty_cache();
    block = map_fresh(size);
  }
  if (!block) fail_allocation(bytes);
  return block;
}

void unlock_in_child() { mutex.unlock(); }
void register_fork() {
  static const int registered = pthread_atfork([] { mutex.lock(); }, unlock_in_child, unlock_in_child);
  (void)registered;
}

void* allocate_block(size_t bytes) {
  const auto [index, size] = size_class(bytes);
  if (void* block = take_idle(index)) return block;
  void* block = std::aligned_alloc(kAlignment, size);
  if (!block) fail_allocation(bytes);
  return block;
}

}  // namespace

// The library's memset takes a string instruction, for which the processor does not read what it overwrites.
void clear(void* memory, size_t bytes) {
  constexpr int64_t kPiece = int64_t{1} << 17;
  parallel_for(static_cast<int64_t>(bytes), kPiece, [&](int64_t begin, int64_t end) {
    std::memset(static_cast<char*>(memory) + begin, 0, static_cast<size_t>(end - begin));
  });
}

#if defined(__SANITIZE_ADDRESS__)
// Under the sanitizer every block is the system's, so that it sees each overrun.
void* allocate(size_t bytes) {
  if (bytes > kMaxRequest) fail_allocation(bytes);
  void* block = std::aligned_alloc(kAlignment, (std::max<size_t>(bytes, 1) + kAlignment - 1) / kAlignment * kAlignment);
  if (!block) fail_allocation(bytes);
  return block;
}
void* allocate_zeroed(size_t bytes) { return std::memset(allocate(bytes), 0, bytes); }
void release(void* block, size_t) noexcept { std::free(block); }
void empty_cache() noexcept {}
#else
void* allocate(size_t bytes) {
  if (bytes > kMaxRequest) fail_allocation(bytes);
  register_fork();
  return bytes >= kLarge ? allocate_large(bytes, false) : allocate_block(bytes);
}

void* allocate_zeroed(size_t bytes) {
  if (bytes > kMaxRequest) fail_allocation(bytes);
  register_fork();
  if (bytes >= kLarge) return allocate_large(bytes, true);
  return std::memset(allocate_block(bytes), 0, bytes);
}

void release(void* block, size_t bytes) noexcept {
  if (bytes >= kLarge) return give_mapping(block, mapping_size(bytes));
  const auto [index, size] = size_class(bytes);
  if (!give_idle(block, index, size)) std::free(block);
}

void empty_cache() noexcept {
  std::array<Mapping, kMaxIdleMappings> mappings;
  size_t count;
  std::array<IdleBlock*, kClasses> blocks;
  {
    const Guard guard;
    mappings = idle_mappings;
    count = std::exchange(idle_mapping_count, 0);
    idle_mapping_bytes = 0;
    blocks = std::exchange(idle_blocks, {});
    idle_counts = {};
  }
  for (size_t i = 0; i < count; ++i) munmap(mappings[i].address, mappings[i].bytes);
  for (IdleBlock* block : blocks)
    while (block) std::free(std::exchange(block, block->next));
}
#endif

MemoryStats memory_stats() noexcept {
  const Guard guard;
  size_t idle = idle_mapping_bytes;
  for (int i = 0; i < kClasses; ++i) {
    size_t size = i < 4 ? static_cast<size_t>(i + 1) * 64
                        : (size_t{1} << (8 + (i - 4) / 4)) +
                              static_cast<size_t>((i - 4) % 4 + 1) * (size_t{1} << (6 + (i - 4) / 4));
    idle += idle_counts[static_cast<size_t>(i)] * size;
  }
  return {idle};
}

}  // namespace lumbre
