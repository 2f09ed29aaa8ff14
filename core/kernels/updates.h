// Steps of optimizers over raw memory: each reads the gradient and writes the parameter and its state in one pass.
#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace lumbre {

struct SgdStep {
  double lr, momentum, dampening, weight_decay;
  bool nesterov, maximize;
  bool first;  // the momentum starts as the gradient itself
};
struct AdamStep {
  double beta1, beta2, eps, weight_decay;
  double lr, step_size, root_of_correction;  // lr / (1 - beta1^t), sqrt(1 - beta2^t)
  bool maximize, decoupled;
};

// `momentum` and `largest` may be null.
using SgdLoop = void (*)(int64_t count, void* param, const void* grad, void* momentum, const SgdStep& step);
using AdamLoop = void (*)(int64_t count, void* param, const void* grad, void* mean, void* square, void* largest,
                          const AdamStep& step);

struct UpdateTable {
  SgdLoop sgd[2];  // float, double
  AdamLoop adam[2];
};

const UpdateTable& update_table();

}  // namespace lumbre
