// What is recorded, per thread.
#pragma once

#include <cstdint>
#include <utility>

namespace lumbre::autograd {

// Why calls of operators take the longer way: automatic casts, the profiler, a recording of torch.compile.
enum Watch : uint8_t { kCasts = 1, kTimes = 2, kRecords = 4 };

struct Modes {
  bool grad = true;        // operations are recorded: asked for, and not in inference mode
  bool asked = true;       // what is_grad_enabled() tells
  bool inference = false;  // results never meet autograd
  bool anomaly = false;    // nodes remember where they were made, and gradients are checked for NaN
  bool anomaly_nan = true;
  uint8_t watched = 0;  // bits of Watch
  void watch(Watch why, bool on) noexcept { watched = static_cast<uint8_t>(on ? watched | why : watched & ~why); }
};

// One block of thread storage, reached without a call.
extern constinit thread_local Modes modes __attribute__((tls_model("initial-exec")));

inline bool grad_enabled() noexcept { return modes.grad; }

class GradModeGuard {
 public:
  explicit GradModeGuard(bool enabled) noexcept
      : previous_(std::exchange(modes.grad, enabled && !modes.inference)),
        asked_(std::exchange(modes.asked, enabled)) {}
  ~GradModeGuard() {
    modes.grad = previous_;
    modes.asked = asked_;
  }
  GradModeGuard(const GradModeGuard&) = delete;
  GradModeGuard& operator=(const GradModeGuard&) = delete;

 private:
  bool previous_, asked_;
};

}  // namespace lumbre::autograd
