#pragma once
#include <cstddef>
namespace lumbre { void* allocate(size_t); void release(void*, size_t) noexcept; void* allocate_zeroed(size_t); void empty_cache() noexcept; }
