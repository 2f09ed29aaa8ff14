// Steps of optimizers: one call updates the parameters of a group that have gradients, with their states. Each gives
// false, and has done nothing, where memory is not what its loops work on: then the step is made of operators.
#include "kernels/updates.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "autograd/node.h"
#include "base/threads.h"
#include "ops/registry.h"

namespace lumbre::ops {

namespace {

using Tensors = std::vector<Tensor>;
using Settings = std::array<double, kSharedSettings + kUpdateSettings>;
constexpr int64_t kBlock = 1 << 15;

// The parameters of a group with their states. Gradients are those that autograd left.
class Group {
 public:
  Group(const Tensors& params, std::initializer_list<const Tensors*> states,
        std::initializer_list<const Tensors*> scalars) {
    params_ = &params;
    for (const Tensors* list : states) {
      LB_CHECK(list->size() == params.size(), Runtime, "parameters and states are as many");
      states_[state_count_++] = list;
    }
    fits_ = std::all_of(scalars.begin(), scalars.end(), [&](const Tensors* list) {
      LB_CHECK(list->size() == params.size(), Runtime, "parameters and states are as many");
      return std::all_of(list->begin(), list->end(), is_scalar);
    });
    for (size_t i = 0; fits_ && i < params.size(); ++i) fits_ = !gradient(i) || fits(i);
  }

  // Whether every parameter with a gradient is plain memory of one layout and dtype with its gradient and its states.
  bool fits() const { return fits_; }

  // Calls settings(i, values) for each parameter with a gradient, to fill in the loop's own settings, then runs the
  // loop.
  template <class Fill>
  void run(Update update, double decay, bool maximize, Fill&& fill) const {
    Settings values{};
    values[0] = maximize ? -1 : 1;
    values[1] = decay;
    bool released = false;
    for (size_t i = 0; i < params_->size(); ++i) {
      const Tensor* g = gradient(i);
      if (!g) continue;
      // Other threads may have run during a long step before this one.
      LB_CHECK(!released || fits(i), Runtime,
               "a parameter's gradient or state was replaced during the optimizer's step");
      fill(i, values.data() + kSharedSettings);
      released |= step((*params_)[i], Tensor(*g), i, update, values.data());
    }
  }

 private:
  static bool is_scalar(const Tensor& t) {
    return t.count() == 1 && (t.dtype() == DType::Float32 || t.dtype() == DType::Float64);
  }
  const Tensor* gradient(size_t i) const {
    const autograd::History* history = autograd::history_of((*params_)[i]);
    return history && history->gradient.defined() ? &history->gradient : nullptr;
  }
  bool fits(size_t i) const {
    const Tensor& p = (*params_)[i];
    // A view's history follows its base, and what inference mode made is written to in it alone: left to operators.
    if ((p.dtype() != DType::Float32 && p.dtype() != DType::Float64) || p->base || p->inference || !p.is_dense())
      return false;
    const Tensor* all[2 + kUpdateStates] = {&p, gradient(i)};
    for (int s = 0; s < state_count_; ++s) all[2 + s] = &(*states_[s])[i];
    const int64_t bytes = p.count() * static_cast<int64_t>(p.item_bytes());
    for (int a = 1; a < 2 + state_count_; ++a) {
      const Tensor& t = *all[a];
      if (t->inference || t.dtype() != p.dtype() || t.sizes() != p.sizes() ||
          !((t.is_contiguous() && p.is_contiguous()) || t.strides() == p.strides()))
        return false;
      for (int b = 0; b < a; ++b)
        if (t.bytes() < all[b]->bytes() + bytes && all[b]->bytes() < t.bytes() + bytes) return false;
    }
    return true;
  }
  // Holds the gradient, which another thread may drop. Tells whether other threads could run.
  bool step(const Tensor& p, const Tensor g, size_t i, Update update, const double* settings) const {
    const UpdateLoop loop = update_table().loops[static_cast<int>(update)][p.dtype() == DType::Float64];
    char* memory[2 + kUpdateStates] = {p.bytes(), g.bytes()};
    for (int s = 0; s < state_count_; ++s) memory[2 + s] = (*states_[s])[i].bytes();
    const int64_t item = static_cast<int64_t>(p.item_bytes());
    const int count = 2 + state_count_;
    const auto part = [&](int64_t begin, int64_t end) {
      void* at[2 + kUpdateStates] = {};
      for (int k = 0; k < count; ++k) at[k] = memory[k] + begin * item;
      loop(end - begin, at, settings);
    };
    const bool is_long = p.count() > kBlock;
    if (!is_long) {
      part(0, p.count());
    } else {
      const LongWork work(true);
      parallel_for(p.count(), kBlock, part);
    }
    p.bump_version();
    for (int s = 0; s < state_count_; ++s) (*states_[s])[i].bump_version();
    return is_long;
  }

  const Tensors* params_ = nullptr;
  std::array<const Tensors*, kUpdateStates> states_{};
  int state_count_ = 0;
  bool fits_ = true;
};

double read(const Tensor& t) { return t.dtype() == DType::Float32 ? double{*t.as<float>()} : *t.as<double>(); }
// Gives what was stored: rounded to the tensor's dtype.
double write(const Tensor& t, double value) {
  if (t.dtype() == DType::Float32)
    *t.as<float>() = static_cast<float>(value);
  else
    *t.as<double>() = value;
  t.bump_version();
  return read(t);
}
double next(const Tensor& step) { return write(step, read(step) + 1); }

bool sgd_update(const Tensors& params, const Tensors& buffers, double lr, double momentum, double dampening,
                double weight_decay, bool nesterov, bool maximize) {
  if (momentum == 0) {
    const Group group(params, {}, {});
    if (!group.fits()) return false;
    group.run(Update::Sgd, weight_decay, maximize, [&](size_t, double* s) { s[0] = lr; });
    return true;
  }
  const Group group(params, {&buffers}, {});
  if (!group.fits()) return false;
  group.run(Update::SgdMomentum, weight_decay, maximize, [&](size_t, double* s) {
    const double settings[] = {lr, momentum, 1 - dampening, nesterov ? 1.0 : 0.0};
    std::copy(std::begin(settings), std::end(settings), s);
  });
  return true;
}

bool adam_update(const Tensors& params, const Tensors& means, const Tensors& squares, const Tensors& largest,
                 const Tensors& steps, double lr, double beta1, double beta2, double eps, double weight_decay,
                 bool amsgrad, bool maximize, bool decoupled) {
  const Group group =
      amsgrad ? Group(params, {&means, &squares, &largest}, {&steps}) : Group(params, {&means, &squares}, {&steps});
  if (!group.fits()) return false;
  group.run(amsgrad ? Update::AdamLargest : Update::Adam, decoupled ? 0 : weight_decay, maximize,
            [&](size_t i, double* s) {
              const double t = next(steps[i]);
              const double settings[] = {1 - beta1,
                                         beta2,
                                         decoupled ? 1 - lr * weight_decay : 1,
                                         eps,
                                         lr / (1 - std::pow(beta1, t)),
                                         std::sqrt(1 - std::pow(beta2, t)),
                                         1 - beta2};
              std::copy(std::begin(settings), std::end(settings), s);
            });
  return true;
}

bool adagrad_update(const Tensors& params, const Tensors& sums, const Tensors& steps, double lr, double lr_decay,
                    double eps, double weight_decay, bool maximize) {
  const Group group(params, {&sums}, {&steps});
  if (!group.fits()) return false;
  group.run(Update::Adagrad, weight_decay, maximize, [&](size_t i, double* s) {
    s[0] = lr / (1 + (next(steps[i]) - 1) * lr_decay);
    s[1] = eps;
  });
  return true;
}

bool adadelta_update(const Tensors& params, const Tensors& squares, const Tensors& deltas, const Tensors& steps,
                     double lr, double rho, double eps, double weight_decay, bool maximize) {
  const Group group(params, {&squares, &deltas}, {&steps});
  if (!group.fits()) return false;
  group.run(Update::Adadelta, weight_decay, maximize, [&](size_t i, double* s) {
    next(steps[i]);
    const double settings[] = {lr, rho, eps, 1 - rho};
    std::copy(std::begin(settings), std::end(settings), s);
  });
  return true;
}

bool adamax_update(const Tensors& params, const Tensors& means, const Tensors& largest, const Tensors& steps, double lr,
                   double beta1, double beta2, double eps, double weight_decay, bool maximize) {
  const Group group(params, {&means, &largest}, {&steps});
  if (!group.fits()) return false;
  group.run(Update::Adamax, weight_decay, maximize, [&](size_t i, double* s) {
    const double settings[] = {lr / (1 - std::pow(beta1, next(steps[i]))), 1 - beta1, beta2, eps};
    std::copy(std::begin(settings), std::end(settings), s);
  });
  return true;
}

bool rmsprop_update(const Tensors& params, const Tensors& squares, const Tensors& buffers, const Tensors& means,
                    const Tensors& steps, double lr, double alpha, double eps, double weight_decay, double momentum,
                    bool centered, bool maximize) {
  const bool moves = momentum > 0;
  const Group group = moves && centered ? Group(params, {&squares, &buffers, &means}, {&steps})
                      : moves           ? Group(params, {&squares, &buffers}, {&steps})
                      : centered        ? Group(params, {&squares, &means}, {&steps})
                                        : Group(params, {&squares}, {&steps});
  if (!group.fits()) return false;
  const Update update =
      moves ? (centered ? Update::RmsBoth : Update::RmsMomentum) : (centered ? Update::RmsCentered : Update::RmsProp);
  group.run(update, weight_decay, maximize, [&](size_t i, double* s) {
    next(steps[i]);
    const double settings[] = {lr, alpha, eps, momentum, 1 - alpha};
    std::copy(std::begin(settings), std::end(settings), s);
  });
  return true;
}

bool nadam_update(const Tensors& params, const Tensors& means, const Tensors& squares, const Tensors& products,
                  const Tensors& steps, double lr, double beta1, double beta2, double eps, double weight_decay,
                  double momentum_decay, bool decoupled, bool maximize) {
  const Group group(params, {&means, &squares}, {&steps, &products});
  if (!group.fits()) return false;
  group.run(Update::NAdam, decoupled ? 0 : weight_decay, maximize, [&](size_t i, double* s) {
    const double t = next(steps[i]);
    const double now = beta1 * (1 - 0.5 * std::pow(0.96, t * momentum_decay));
    const double later = beta1 * (1 - 0.5 * std::pow(0.96, (t + 1) * momentum_decay));
    const bool narrow = products[i].dtype() == DType::Float32;
    const double product = write(products[i], read(products[i]) * (narrow ? static_cast<float>(now) : now));
    const double settings[] = {1 - beta1,
                               beta2,
                               decoupled ? 1 - lr * weight_decay : 1,
                               eps,
                               1 - std::pow(beta2, t),
                               -lr * (1 - now) / (1 - product),
                               -lr * later / (1 - product * later),
                               1 - beta2};
    std::copy(std::begin(settings), std::end(settings), s);
  });
  return true;
}

bool radam_update(const Tensors& params, const Tensors& means, const Tensors& squares, const Tensors& steps, double lr,
                  double beta1, double beta2, double eps, double weight_decay, bool decoupled, bool maximize) {
  const Group group(params, {&means, &squares}, {&steps});
  if (!group.fits()) return false;
  const double longest = 2 / (1 - beta2) - 1;
  group.run(Update::RAdam, decoupled ? 0 : weight_decay, maximize, [&](size_t i, double* s) {
    const double t = next(steps[i]), correction = 1 - std::pow(beta2, t);
    const double length = longest - 2 * t * std::pow(beta2, t) / correction;
    const double rectified =
        length > 5 ? std::sqrt((length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)) : 0;
    const double settings[] = {1 - beta1,
                               beta2,
                               decoupled ? 1 - lr * weight_decay : 1,
                               eps,
                               1 - std::pow(beta1, t),
                               lr,
                               std::sqrt(correction),
                               rectified,
                               1 - beta2};
    std::copy(std::begin(settings), std::end(settings), s);
  });
  return true;
}

bool rprop_update(const Tensors& params, const Tensors& previous, const Tensors& sizes, const Tensors& steps,
                  double down, double up, double smallest, double largest, bool maximize) {
  const Group group(params, {&previous, &sizes}, {&steps});
  if (!group.fits()) return false;
  group.run(Update::Rprop, 0, maximize, [&](size_t i, double* s) {
    next(steps[i]);
    const double settings[] = {down, up, smallest, largest};
    std::copy(std::begin(settings), std::end(settings), s);
  });
  return true;
}

bool asgd_update(const Tensors& params, const Tensors& averages, const Tensors& etas, const Tensors& mus,
                 const Tensors& steps, double lr, double lambd, double alpha, double t0, double weight_decay,
                 bool maximize) {
  const Group group(params, {&averages}, {&steps, &etas, &mus});
  if (!group.fits()) return false;
  group.run(Update::Asgd, weight_decay, maximize, [&](size_t i, double* s) {
    const double t = next(steps[i]), eta = read(etas[i]);
    const double settings[] = {1 - lambd * eta, eta, read(mus[i])};
    std::copy(std::begin(settings), std::end(settings), s);
    write(etas[i], lr / std::pow(1 + lambd * lr * t, alpha));
    write(mus[i], 1 / std::max(1.0, t - t0));
  });
  return true;
}

}  // namespace

#define LB_UPDATE(name, lists, settings, what, example)                                                               \
  LB_OPERATOR(.signature = "_" #name "_update(params, " lists ", " settings ")",                                      \
              .doc =                                                                                                  \
                  "One step of " what                                                                                 \
                  " for the parameters that have gradients, in place, with lists of their "                           \
                  "states.\n\nFalse, with nothing done, where parameters, gradients and states are not dense memory " \
                  "of one floating-point\ndtype and layout that nothing else overlaps. RuntimeError where lists "     \
                  "differ in length.\n\n>>> p = torch.ones(1); p.grad = torch.ones(1)\n>>> zeros = lambda: "          \
                  "[torch.zeros(1)]\n>>> torch._" #name "_update(" example ")\nTrue",                                 \
              .forward = forward_of<name##_update>, .derivative = kNotDifferentiable, .forms = kFunction)

LB_UPDATE(sgd, "buffers", "lr, momentum, dampening, weight_decay, nesterov, maximize", "stochastic gradient descent",
          "[p], [], 0.5, 0.0, 0.0, 0.0, False, False");
LB_UPDATE(adam, "means, squares, largest, steps", "lr, beta1, beta2, eps, weight_decay, amsgrad, maximize, decoupled",
          "Adam (Kingma and Ba 2014)",
          "[p], zeros(), zeros(), [], zeros(), 0.5, 0.9, 0.999, 1e-8, 0.0, False, False, False");
LB_UPDATE(adagrad, "sums, steps", "lr, lr_decay, eps, weight_decay, maximize", "Adagrad (Duchi et al. 2011)",
          "[p], zeros(), zeros(), 0.5, 0.0, 1e-8, 0.0, False");
LB_UPDATE(adadelta, "squares, deltas, steps", "lr, rho, eps, weight_decay, maximize", "Adadelta (Zeiler 2012)",
          "[p], zeros(), zeros(), zeros(), 0.5, 0.9, 1e-8, 0.0, False");
LB_UPDATE(adamax, "means, largest, steps", "lr, beta1, beta2, eps, weight_decay, maximize",
          "Adamax (Kingma and Ba 2014)", "[p], zeros(), zeros(), zeros(), 0.5, 0.9, 0.999, 1e-8, 0.0, False");
LB_UPDATE(rmsprop, "squares, buffers, means, steps", "lr, alpha, eps, weight_decay, momentum, centered, maximize",
          "RMSprop (Hinton's lectures)", "[p], zeros(), [], [], zeros(), 0.5, 0.9, 1e-8, 0.0, 0.0, False, False");
LB_UPDATE(nadam, "means, squares, products, steps",
          "lr, beta1, beta2, eps, weight_decay, momentum_decay, decoupled, maximize", "NAdam (Dozat 2016)",
          "[p], zeros(), zeros(), [torch.ones(1)], zeros(), 0.5, 0.9, 0.999, 1e-8, 0.0, 0.0, False, False");
LB_UPDATE(radam, "means, squares, steps", "lr, beta1, beta2, eps, weight_decay, decoupled, maximize",
          "RAdam (Liu et al. 2019)", "[p], zeros(), zeros(), zeros(), 0.5, 0.9, 0.999, 1e-8, 0.0, False, False");
LB_UPDATE(rprop, "previous, sizes, steps", "down, up, smallest, largest, maximize", "Rprop (Riedmiller and Braun 1993)",
          "[p], zeros(), [torch.ones(1)], zeros(), 0.5, 1.2, 1e-6, 50.0, False");
LB_UPDATE(asgd, "averages, etas, mus, steps", "lr, lambd, alpha, t0, weight_decay, maximize",
          "averaged gradient descent (Polyak and Juditsky 1992)",
          "[p], zeros(), [torch.ones(1)], [torch.ones(1)], zeros(), 0.5, 0.0, 0.75, 1e6, 0.0, False");
#undef LB_UPDATE

}  // namespace lumbre::ops
