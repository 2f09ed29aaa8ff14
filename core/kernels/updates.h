// Steps of optimizers over raw memory: each reads the gradient and writes the parameter and its state in one pass.
#pragma once

#include <cstdint>

namespace lumbre {

// What a loop does, and the order of its memory (after the parameter and the gradient) and of its settings (after
// `sign`, which turns the gradient around, and `decay`, of which the parameter is added to the gradient).
enum class Update : uint8_t {
  Sgd,          //                              | lr
  SgdMomentum,  // buffer                       | lr, momentum, 1 - dampening, nesterov
  Adam,         // mean, square                 | 1 - beta1, beta2, shrink, eps, size, root of the correction, 1 - beta2
  AdamLargest,  // mean, square, largest        | as Adam
  Adagrad,      // sum                          | lr, eps
  Adadelta,     // square, steps                | lr, rho, eps, 1 - rho
  Adamax,       // mean, largest                | lr, 1 - beta1, beta2, eps
  RmsProp,      // square                       | lr, alpha, eps, momentum, 1 - alpha
  RmsMomentum,  // square, buffer               | as RmsProp
  RmsCentered,  // square, mean                 | as RmsProp
  RmsBoth,      // square, buffer, mean         | as RmsProp
  NAdam,  // mean, square                 | 1 - beta1, beta2, shrink, eps, correction, gradient's and mean's shares,
          //                              |   1 - beta2
  RAdam,  // mean, square                 | 1 - beta1, beta2, shrink, eps, mean's correction, lr, root of the square's
          //                              |   correction, its rectification or 0, 1 - beta2
  Rprop,  // previous gradient, step size | down, up, smallest, largest
  Asgd,   // average                      | shrink, eta, mu
  Count
};
inline constexpr int kUpdates = static_cast<int>(Update::Count);
inline constexpr int kUpdateStates = 3;     // at most
inline constexpr int kUpdateSettings = 10;  // at most
inline constexpr int kSharedSettings = 2;

using UpdateLoop = void (*)(int64_t count, void* const* memory, const double* settings);

struct UpdateTable {
  UpdateLoop loops[kUpdates][2];  // float, double
};

const UpdateTable& update_table();

}  // namespace lumbre
