// What torch.compile writes down of one run of a program, and runs again without Python between the steps.
#pragma once

#include <string>
#include <vector>

#include "autograd/engine.h"
#include "ops/registry.h"
#include "tensor/plan.h"

namespace lumbre::compile {

using Slot = int32_t;  // the place of one tensor of the run
inline constexpr Slot kNone = -1;

// What a program can see of a tensor without reading its elements.
struct Facts {
  DType dtype = DType::Float32;
  bool requires_grad = false, leaf = true, view = false, inference = false, untracked = false;
  int64_t offset = 0;
  Dims sizes, strides;

  static Facts of(const Tensor& t);
  bool hold_for(const Tensor& t) const;
};

// A call that is one loop over elements: contiguous tensors of its dtype, tensors of one element, and numbers.
struct Pointwise {
  struct Operand {
    Slot slot = kNone;  // kNone: a number
    alignas(8) std::byte number[8] = {};
  };
  Loop loop = nullptr;
  DType dtype = DType::Float32;
  Slot result = kNone;
  std::vector<Operand> operands;
  std::vector<std::byte> context;  // the functor
};

struct Step {
  enum class Kind : uint8_t {
    Call,             // of an operator
    Backward,         // a run of the engine
    LoadGradient,     // results[0] = inputs[0].grad
    StoreGradient,    // inputs[0].grad = inputs[1]
    Detach,           // results[0] = inputs[0].detach()
    Data,             // results[0] = inputs[0].data
    Constant,         // results[0] = a copy of `constant`, which the program makes of numbers
    RequireGradient,  // inputs[0].requires_grad = flag
    Accumulate,       // inputs[0].grad += inputs[1]; of programs only
    Derive,           // the derivative of the call `record` with `inputs` that gave `gradients`; of programs only
  };
  Kind kind = Kind::Call;
  bool asked = true, inference = false;  // the modes that it ran in

  const Operator* record = nullptr;
  Out::Form form = Out::Form::Function;
  std::vector<Value> values;             // a tensor's entry points to its slot
  std::vector<Slot> inputs;              // per parameter, or as `kind` says
  std::vector<std::vector<Slot>> lists;  // per parameter: the members of a list of tensors
  std::vector<Slot> targets;             // of an in-place or out= form
  std::vector<Slot> results;
  std::vector<Facts> result_facts;
  Result answer;  // a result that is no tensor

  // Of a backward run, whose roots are `inputs`; of a derivative, what the call gave and what the node takes.
  std::vector<Slot> gradients, wanted;
  std::vector<bool> edges;  // of a derivative: which gradients it is asked for
  bool flag = false, keep_graph = false, create_graph = false, accumulate = false;
  Tensor constant;

  std::unique_ptr<Pointwise> pointwise;  // what the call is, where it is no more than that

  std::vector<Slot> last;  // slots that no later step reads
};

// Points arguments to the slots, and makes room for lists.
void point_to_slots(Step& step, std::vector<Tensor>& slots);
// Says in each step which slots it is the last to use, but for those that are kept.
void find_last_uses(std::vector<Step>& steps, std::vector<bool> kept);
// Puts the members of lists in place, and takes them away.
void fill_lists(Step& step, const std::vector<Tensor>& slots);
void clear_lists(Step& step) noexcept;
// Keeps what a step gave; throws where it is not what it was in the recording.
void put_results(Step& step, Result result, std::vector<Tensor>& slots);
// Steps of the kinds that are neither calls nor backward runs.
void run_small_step(Step& step, std::vector<Tensor>& slots);

// How the engine is run; set by whoever guards it against other threads.
extern std::vector<Tensor> (*run_engine)(autograd::Request request);

// The steps of a run. Slots hold tensors while it runs; those from outside stay in theirs.
class Program;

class Tape {
 public:
  Tape();
  Tape(Tape&&) noexcept;
  Tape& operator=(Tape&&) noexcept;
  ~Tape();

  struct Outside {
    Slot slot;
    Facts facts;
    bool gradient_matters = true;  // false: the steps drop its gradient before they look at it
    bool has_gradient = false;
    Facts gradient;
  };
  std::vector<Step> steps;
  std::vector<Tensor> slots;
  std::vector<Outside> outside;
  std::vector<Slot> arguments;
  std::vector<Slot> constants;       // tensors that nobody writes to; they stay in their slots
  std::unique_ptr<Program> program;  // the same without a graph, where nothing of the graph is left at the end
  std::vector<Slot> outputs;         // slots that are read after the run
  bool leaves_asked = true, leaves_inference = false;

  // Called once, when all steps are there: points arguments to slots and finds where each slot is read last.
  void finish();
  // Whether the tensors from outside are as they were.
  bool fits() const;
  // Whether it is one of them, or an argument that is in its slot already.
  bool holds(const Tensor& t) const;
  // Arguments are in their slots. Exceptions are those of the steps, and leave what the steps before them did.
  void run();
  size_t longest_chain() const;
  size_t program_steps() const;  // 0: there is no program
  // Lets go of all tensors but those from outside.
  void clear() noexcept;

 private:
  void run_graph();
  void run_step(Step& step);
  void call(Step& step);
  void backward(Step& step);

  std::vector<Slot> inner_;                      // slots that a run leaves empty
  std::vector<const TensorData*> outside_data_;  // sorted
};

}  // namespace lumbre::compile
