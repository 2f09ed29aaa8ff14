// A tape without its graph: the calls of derivatives stand where the engine ran them, so that nothing is recorded for
// them; small results keep their memory from one run to the next, and chains of pointwise operations go over their
// elements once.
#pragma once

#include "compile/tape.h"

namespace lumbre::compile {

class Program {
 public:
  // A result whose graph was run backwards and freed: it shows the node that it came from, as the recorded one did.
  struct Spent {
    Slot slot;
    autograd::NodeRef node;
    uint32_t output;
  };
  // What becomes of slots beside being used.
  struct Uses {
    std::vector<bool> given;    // found outside, or an argument: may share memory with another at another run
    std::vector<bool> stable;   // the same tensor at every run: found outside, or constant
    std::vector<bool> outlive;  // read after the run
  };

  Program(std::vector<Step> steps, std::vector<Spent> spent) : steps_(std::move(steps)), spent_(std::move(spent)) {}
  // Slots still hold what was recorded; those of the program's own then hold their memory.
  void finish(std::vector<Tensor>& slots, const Uses& uses);
  size_t size() const { return instructions_.size(); }
  size_t longest_chain() const;
  // Another run used the slots: puts the memory of the program's own into them again.
  void put_back(std::vector<Tensor>& slots) const;
  bool owns(Slot slot) const { return own_[static_cast<size_t>(slot)]; }
  // Whether nobody listens to what the graph would tell.
  bool fits(const std::vector<Tensor>& slots) const;
  void run(std::vector<Tensor>& slots);

 private:
  // One operand of a loop.
  struct Place {
    Slot slot = kNone;
    int scratch = -1;    // of a chain: a block of memory for what nobody reads afterwards
    int64_t stride = 0;  // in bytes; 0 for a number and for a tensor of one element
    alignas(8) std::byte number[8] = {};
  };
  struct LoopCall {
    Loop loop = nullptr;
    int64_t count = 0;
    std::vector<Place> places;  // the result first
    std::vector<std::byte> context;
    bool in_place = false;
    DType dtype = DType::Float32;
    Dims sizes;
  };
  struct Instruction {
    enum class Kind : uint8_t { Thunk, Small, Loop, Chain, View, Derive };
    Kind kind;
    size_t first;      // in steps_, or in loops_
    size_t count = 1;  // of loops
    bool lists_stay = false;
    std::vector<Slot> last;
  };

  void make_instruction(Step& step, size_t number, const std::vector<Tensor>& slots, const Uses& uses);
  bool make_loop(const Step& step, const std::vector<Tensor>& slots, const Uses& uses);
  template <class F>
  void each_slot(const Instruction& instruction, F f) const;
  void find_own(std::vector<Tensor>& slots, const Uses& uses);
  void own(Slot slot, Tensor memory, std::vector<Tensor>& slots);
  void join_loops();
  bool joins(const Instruction& chain, const LoopCall& next) const;
  void find_last_uses(const Uses& uses);
  void hide_in_chain(Instruction& chain);
  void fill_lists_that_stay(std::vector<Tensor>& slots, const Uses& uses);
  void call(const Instruction& instruction, std::vector<Tensor>& slots);
  void derive(const Instruction& instruction, std::vector<Tensor>& slots);
  void prepare(const LoopCall& call, std::vector<Tensor>& slots, char** data) const;
  void run_loop(const LoopCall& call, std::vector<Tensor>& slots) const;
  void run_chain(const Instruction& chain, std::vector<Tensor>& slots) const;

  std::vector<Step> steps_;
  std::vector<Spent> spent_;
  std::vector<Instruction> instructions_;
  std::vector<LoopCall> loops_;
  std::vector<bool> own_;
  std::vector<std::pair<Slot, Tensor>> memory_;
  std::vector<Slot> leaves_;  // whose gradients it adds to
};

}  // namespace lumbre::compile
