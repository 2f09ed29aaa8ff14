// The thread pool: started when first needed, quick to wake, asleep when idle, alive after fork.
#pragma once

#include <cstdint>

#include "base/function_ref.h"

namespace lumbre {

// How many threads an operation may use. The default is OMP_NUM_THREADS, else the processors available.
int num_threads();
void set_num_threads(int count);

// Calls body(begin, end) over [0, n) in chunks, on several threads when there is more than one chunk. The chunks'
// boundaries depend on n and grain only, never on the number of threads. A chunk's exception is rethrown here (the
// first one). Calls from within a body run on their thread. Bodies touch raw memory only: no reference counts, no
// Python.
void parallel_for(int64_t n, int64_t grain, FunctionRef<void(int64_t, int64_t)> body);

// Called around long parallel work on the thread that asked for it: the Python module lets go of the interpreter lock.
struct LongWorkHooks {
  void* (*enter)() = nullptr;
  void (*leave)(void*) = nullptr;
};
void set_long_work_hooks(LongWorkHooks hooks);

// Lets go of the interpreter lock while it lives. Only for scopes that touch raw memory.
class LongWork {
 public:
  explicit LongWork(bool worthwhile);
  ~LongWork();
  LongWork(const LongWork&) = delete;
  LongWork& operator=(const LongWork&) = delete;

 private:
  void* state_ = nullptr;
};

}  // namespace lumbre
