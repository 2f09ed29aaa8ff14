#include "base/memory.h"
#include <cstdlib>
#include <cstring>
#include "base/error.h"
namespace lumbre {
void* allocate(size_t n) { if (n > (size_t(1)<<46)) fail(ErrorKind::Runtime,"not enough memory: you tried to allocate ",n," bytes."); void* p = std::aligned_alloc(64,(n+63)/64*64); if(!p) fail(ErrorKind::Runtime,"not enough memory: you tried to allocate ",n," bytes."); return p;}
void release(void* p, size_t) noexcept { std::free(p);} 
void* allocate_zeroed(size_t n){void*p=allocate(n);std::memset(p,0,n);return p;}
void empty_cache() noexcept {}
}
