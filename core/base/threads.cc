#include "base/threads.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.h"

namespace lumbre {

namespace {

constexpr int64_t kMaxChunks = 64;
constexpr int kSpins = 4000;  // some tens of microseconds
constexpr int kMaxThreads = 256;

thread_local bool inside_parallel = false;
thread_local bool lock_released = false;
LongWorkHooks hooks;

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

int available_processors() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1u, std::thread::hardware_concurrency());
}

int default_threads() {
  if (const char* text = std::getenv("OMP_NUM_THREADS")) {
    const int count = std::atoi(text);
    if (count > 0) return std::min(count, kMaxThreads);
  }
  return std::min(available_processors(), kMaxThreads);
}

// Each thread has a share of the chunks, the same one in every job of the same shape, so that it finds in its own cache
// what it wrote there last; then it helps with the others' shares: a thread that is held up holds back only one chunk.
class Job {
 public:
  Job(FunctionRef<void(int64_t, int64_t)> body, int64_t n, int64_t chunk, int64_t chunks, int threads)
      : body_(body), n_(n), chunk_(chunk), count_(std::min(threads, kMaxShares)) {
    for (int i = 0; i < count_; ++i) {
      shares_[i].next.store(chunks * i / count_, std::memory_order_relaxed);
      shares_[i].end = chunks * (i + 1) / count_;
    }
  }

  void work(int thread) noexcept {
    for (int i = 0; i < count_; ++i) work_share(shares_[(thread + i) % count_]);
  }

  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  static constexpr int kMaxShares = 16;
  struct alignas(64) Share {
    std::atomic<int64_t> next;
    int64_t end;
  };

  void work_share(Share& share) noexcept {
    for (int64_t i; (i = share.next.fetch_add(1, std::memory_order_relaxed)) < share.end;) {
      try {
        body_(i * chunk_, std::min(n_, (i + 1) * chunk_));
      } catch (...) {
        const std::lock_guard lock(error_mutex_);
        if (!error_) error_ = std::current_exception();
        for (int other = 0; other < count_; ++other) shares_[other].next.store(n_, std::memory_order_relaxed);
      }
    }
  }

  FunctionRef<void(int64_t, int64_t)> body_;
  int64_t n_, chunk_;
  int count_;
  std::array<Share, kMaxShares> shares_;
  std::exception_ptr error_;
  std::mutex error_mutex_;
};

class Pool {
 public:
  // The pool is never destroyed: its threads may outlive static objects.
  static Pool& instance() {
    if (!current) {
      current = std::make_unique<Pool>().release();
      static const int registered = pthread_atfork(nullptr, nullptr, [] {
        // The child has none of the threads, and their locks may be held: it starts afresh.
        current = nullptr;
        inside_parallel = false;
      });
      (void)registered;
    }
    return *current;
  }

  void run(Job& job, int threads) {
    const std::unique_lock owner(owner_, std::try_to_lock);
    if (!owner) {  // another Python thread has the workers
      inside_parallel = true;
      job.work(0);
      inside_parallel = false;
      return;
    }
    start(threads - 1);
    keep_apart();
    {
      const std::lock_guard lock(mutex_);
      job_ = &job;
      limit_ = threads - 1;
      epoch_.fetch_add(1, std::memory_order_release);
    }
    if (sleepers_.load(std::memory_order_seq_cst) > 0) wake_.notify_all();
    inside_parallel = true;
    job.work(0);
    inside_parallel = false;
    {
      const std::lock_guard lock(mutex_);
      job_ = nullptr;  // late workers find nothing
    }
    for (int spin = 0; working_.load(std::memory_order_acquire) > 0 && spin < kSpins; ++spin) pause();
    std::unique_lock lock(mutex_);
    done_.wait(lock, [&] { return working_.load(std::memory_order_acquire) == 0; });
  }

 private:
  void start(int count) {
    while (started_ < count) {
      ++started_;
      std::thread worker([this, number = started_] { loop(number); });
      workers_.push_back(worker.native_handle());
      worker.detach();
      apart_from_ = -1;
    }
  }

  // Keeps the workers off the caller's processor: where another process held the rest for a moment, the system wakes
  // them there, and they wait for the caller to finish what they should have shared. Callers that alternate between
  // processors are left alone.
  void keep_apart() {
    const int processor = sched_getcpu();
    if (const pthread_t self = pthread_self(); !pthread_equal(self, std::exchange(caller_, self)))
      caller_on_ = apart_from_ = -1;  // its workers may run where it may
    if (processor >= 0 && processor == std::exchange(caller_on_, processor) && processor != apart_from_) {
      apart_from_ = processor;
      cpu_set_t others;
      if (sched_getaffinity(0, sizeof(others), &others) != 0) return;
      CPU_CLR(static_cast<size_t>(processor), &others);
      if (CPU_COUNT(&others) == 0) return;
      for (const pthread_t worker : workers_) pthread_setaffinity_np(worker, sizeof(others), &others);
    }
  }

  void loop(int number) {
    inside_parallel = true;
    uint64_t seen = 0;
    for (;;) {
      wait_for_epoch(seen);
      Job* job = nullptr;
      {
        const std::lock_guard lock(mutex_);
        seen = epoch_.load(std::memory_order_relaxed);
        if (job_ && working_.load(std::memory_order_relaxed) < limit_) {
          job = job_;
          working_.fetch_add(1, std::memory_order_relaxed);
        }
      }
      if (!job) continue;
      job->work(number);
      const std::lock_guard lock(mutex_);
      if (working_.fetch_sub(1, std::memory_order_release) == 1) done_.notify_all();
    }
  }

  void wait_for_epoch(uint64_t seen) {
    for (int spin = 0; spin < kSpins; ++spin) {
      if (epoch_.load(std::memory_order_acquire) != seen) return;
      pause();
    }
    std::unique_lock lock(mutex_);
    sleepers_.fetch_add(1, std::memory_order_seq_cst);
    wake_.wait(lock, [&] { return epoch_.load(std::memory_order_acquire) != seen; });
    sleepers_.fetch_sub(1, std::memory_order_seq_cst);
  }

  static inline Pool* current = nullptr;
  std::mutex owner_;  // held by the thread whose job runs
  std::mutex mutex_;
  std::condition_variable wake_, done_;
  std::atomic<uint64_t> epoch_{0};
  std::atomic<int> working_{0};
  std::atomic<int> sleepers_{0};
  Job* job_ = nullptr;
  int limit_ = 0;
  int started_ = 0;
  std::vector<pthread_t> workers_;
  pthread_t caller_{};   // of the last job,
  int caller_on_ = -1;   // and its processor
  int apart_from_ = -1;  // the processor that the workers may not run on
};

std::atomic<int>& thread_count() {
  static std::atomic<int> count{default_threads()};
  return count;
}

}  // namespace

int num_threads() { return thread_count().load(std::memory_order_relaxed); }

void set_num_threads(int count) {
  LB_CHECK(count > 0, Runtime, "Expected positive number of threads");
  thread_count().store(std::min(count, kMaxThreads), std::memory_order_relaxed);
}

void parallel_for(int64_t n, int64_t grain, FunctionRef<void(int64_t, int64_t)> body) {
  if (n <= 0) return;
  grain = std::max<int64_t>(grain, 1);
  const int64_t chunk = std::max(grain, n / kMaxChunks + (n % kMaxChunks != 0));
  const int64_t chunks = n / chunk + (n % chunk != 0);
  const int threads = static_cast<int>(std::min<int64_t>(num_threads(), chunks));
  if (threads <= 1 || inside_parallel) {
    for (int64_t begin = 0; begin < n; begin += chunk) body(begin, std::min(n, begin + chunk));
    return;
  }
  Job job(body, n, chunk, chunks, threads);
  Pool::instance().run(job, threads);
  job.rethrow();
}

void set_long_work_hooks(LongWorkHooks value) { hooks = value; }

LongWork::LongWork(bool worthwhile) {
  if (!worthwhile || !hooks.enter || inside_parallel || lock_released) return;
  state_ = hooks.enter();
  lock_released = state_ != nullptr;
}
LongWork::~LongWork() {
  if (!state_) return;
  lock_released = false;
  hooks.leave(state_);
}

}  // namespace lumbre
