// What is recorded, per thread.
#pragma once

#include <utility>

namespace lumbre::autograd {

struct Modes {
  bool grad = true;        // operations are recorded: asked for, and not in inference mode
  bool asked = true;       // what is_grad_enabled() tells
  bool inference = false;  // results never meet autograd
  bool anomaly = false;    // nodes remember where they were made, and gradients are checked for NaN
  bool anomaly_nan = true;
};

// One block of thread storage, reached without a call.
extern thread_local Modes modes __attribute__((tls_model("initial-exec")));

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
