// Steps of optimizers: one call updates all parameters of a group with their state.
#include "kernels/updates.h"

#include <cmath>

#include "base/threads.h"
#include "ops/registry.h"

namespace lumbre::ops {

namespace {

using Tensors = std::vector<Tensor>;
constexpr int64_t kBlock = 1 << 15;

// A parameter, its gradient and its state as flat memory of one dtype and layout. What is not like that is worked on
// in copies, which go back afterwards.
class Flat {
 public:
  explicit Flat(std::initializer_list<const Tensor*> tensors) {
    const Tensor& param = **tensors.begin();
    LB_CHECK(is_floating(param.dtype()), Runtime, "an optimizer updates floating-point parameters, not ",
             dtype_title(param.dtype()));
    const bool native = param.dtype() == DType::Float32 || param.dtype() == DType::Float64;
    const DType compute = native ? param.dtype() : DType::Float32;
    bool alike = native && param.is_dense();
    for (const Tensor* t : tensors) {
      if (!t) continue;
      LB_CHECK(t->sizes() == param.sizes(), Runtime, "a gradient or state of size ", t->sizes(),
               " does not fit a parameter of size ", param.sizes());
      alike &= t->dtype() == param.dtype() && (t->strides() == param.strides() || (t->is_contiguous() && param.is_contiguous()));
    }
    for (const Tensor* t : tensors) {
      originals_.push_back(t);
      if (!t)
        flat_.emplace_back();
      else
        flat_.push_back(alike ? *t : t->to(compute).clone(MemoryFormat::Contiguous));
    }
    copied_ = !alike;
    is_double_ = compute == DType::Float64;
    count_ = param.count();
  }
  char* bytes(size_t i) const { return flat_[i].defined() ? flat_[i].bytes() : nullptr; }
  int64_t count() const { return count_; }
  bool is_double() const { return is_double_; }
  int64_t item() const { return is_double_ ? 8 : 4; }
  // All but the gradient, which is the second, were written to.
  void finish() const {
    for (size_t i = 0; i < originals_.size(); ++i) {
      if (i == 1 || !originals_[i]) continue;
      if (copied_) originals_[i]->copy_from(flat_[i]);
      originals_[i]->bump_version();
    }
  }

 private:
  std::vector<const Tensor*> originals_;
  Tensors flat_;
  bool copied_ = false, is_double_ = false;
  int64_t count_ = 0;
};

char* at(char* base, int64_t bytes) { return base ? base + bytes : nullptr; }

void sgd_update(const Tensors& params, const Tensors& grads, const Tensors& buffers, bool first, double lr, double momentum,
                double dampening, double weight_decay, bool nesterov, bool maximize) {
  LB_CHECK(params.size() == grads.size() && (buffers.empty() || buffers.size() == params.size()), Runtime,
           "parameters, gradients and buffers are as many");
  const SgdStep step{lr, momentum, dampening, weight_decay, nesterov, maximize, first};
  for (size_t i = 0; i < params.size(); ++i) {
    const Flat flat({&params[i], &grads[i], buffers.empty() ? nullptr : &buffers[i]});
    const SgdLoop loop = update_table().sgd[flat.is_double()];
    parallel_for(flat.count(), kBlock, [&](int64_t begin, int64_t end) {
      const int64_t offset = begin * flat.item();
      loop(end - begin, flat.bytes(0) + offset, flat.bytes(1) + offset, at(flat.bytes(2), offset), step);
    });
    flat.finish();
  }
}

void adam_update(const Tensors& params, const Tensors& grads, const Tensors& means, const Tensors& squares,
                 const Tensors& largest, const Tensors& steps, double lr, double beta1, double beta2, double eps,
                 double weight_decay, bool maximize, bool decoupled) {
  const size_t n = params.size();
  LB_CHECK(grads.size() == n && means.size() == n && squares.size() == n && steps.size() == n &&
               (largest.empty() || largest.size() == n),
           Runtime, "parameters, gradients and states are as many");
  for (size_t i = 0; i < n; ++i) {
    const double t = steps[i].item().as_double() + 1;
    steps[i].fill(Scalar(t));
    steps[i].bump_version();
    const AdamStep step{beta1, beta2, eps, weight_decay, lr, lr / (1 - std::pow(beta1, t)), std::sqrt(1 - std::pow(beta2, t)),
                        maximize, decoupled};
    const Flat flat({&params[i], &grads[i], &means[i], &squares[i], largest.empty() ? nullptr : &largest[i]});
    const AdamLoop loop = update_table().adam[flat.is_double()];
    parallel_for(flat.count(), kBlock, [&](int64_t begin, int64_t end) {
      const int64_t offset = begin * flat.item();
      loop(end - begin, flat.bytes(0) + offset, flat.bytes(1) + offset, flat.bytes(2) + offset, flat.bytes(3) + offset,
           at(flat.bytes(4), offset), step);
    });
    flat.finish();
  }
}

}  // namespace

LB_OPERATOR(.signature = "_sgd_update(params, grads, buffers, first, lr, momentum, dampening, weight_decay, nesterov, maximize)",
            .doc = R"(One step of stochastic gradient descent over lists of parameters, gradients and momenta, in place.

>>> p = torch.ones(1)
>>> torch._sgd_update([p], [torch.ones(1)], [], False, 0.5, 0.0, 0.0, 0.0, False, False); p
tensor([0.5000]))",
            .forward = forward_of<sgd_update>, .derivative = kNotDifferentiable, .forms = kFunction);
LB_OPERATOR(.signature = "_adam_update(params, grads, means, squares, largest, steps, lr, beta1, beta2, eps, weight_decay, "
                         "maximize, decoupled)",
            .doc = R"(One step of Adam (Kingma and Ba 2014) over lists of parameters, gradients and states, in place.

>>> p = torch.ones(1)
>>> zero = [torch.zeros(1) for _ in range(3)]
>>> torch._adam_update([p], [torch.ones(1)], zero[:1], zero[1:2], [], zero[2:], 0.5, 0.9, 0.999, 0.0, 0.0, False, False)
>>> p
tensor([0.5000]))",
            .forward = forward_of<adam_update>, .derivative = kNotDifferentiable, .forms = kFunction);

}  // namespace lumbre::ops
