// Automatic casts: which operators compute in half precision, and which in float32, inside torch.autocast("cpu").
#pragma once

#include <unordered_map>

#include "ops/registry.h"

namespace lumbre::autocast {

enum class Policy : uint8_t {
  None,     // as its arguments are
  Lower,    // in the block's half precision
  Float32,  // half precision is widened
  Widest,   // all arguments in the widest type among them
  Inside    // as its arguments are, and so is what it is made of
};

// What a thread has set.
struct State {
  bool enabled = false;
  bool cache_enabled = true;
  DType dtype = DType::BFloat16;
  int nesting = 0;
  // Casts of parameters, so that a block casts each once and gathers its gradient once. Both keep the tensors alive.
  std::unordered_map<TensorData*, std::pair<Tensor, Tensor>> cache;
};
State& state();
void set_enabled(bool enabled);

class Disabled {
 public:
  Disabled() : previous_(state().enabled) { set_enabled(false); }
  ~Disabled() { set_enabled(previous_); }
  Disabled(const Disabled&) = delete;
  Disabled& operator=(const Disabled&) = delete;

 private:
  bool previous_;
};

Policy policy_of(std::string_view operator_name);
// Of a call: a few operators stand for several of PyTorch's, told apart by their arguments.
Policy policy_of(const Operator& record, const Value* values);
// The dtype that a policy gives a call; `note` each tensor argument, in order.
class Target {
 public:
  explicit Target(Policy policy);
  void note(const Tensor& tensor);
  Tensor cast(const Tensor& tensor) const;

 private:
  Policy policy_;
  DType dtype_;
};

// Casts the arguments of a call; the tensors made are put in `made`, which must outlive the call.
void cast_arguments(Policy policy, const Operator& record, Value* values, std::vector<Tensor>& made);

}  // namespace lumbre::autocast
