#include "compile/program.h"

#include <algorithm>

#include "base/threads.h"
#include "ops/recording.h"

namespace lumbre::compile {

namespace {

// A chain goes over its elements in blocks that stay in the nearest cache; results up to that size keep their memory
// from one run to the next.
constexpr int64_t kBlock = 1024;
constexpr int kMaxScratch = 16;
constexpr size_t kMaxPlaces = 8, kMaxChain = 24;

size_t at(Slot slot) { return static_cast<size_t>(slot); }

// Whether the step does nothing but show its input's memory in another way.
bool is_view(const Step& step, const std::vector<Tensor>& slots) {
  if (step.kind != Step::Kind::Call || step.form != Out::Form::Function || step.results.size() != 1 ||
      step.results[0] == kNone || step.inputs.empty() || step.inputs[0] == kNone || step.results[0] == step.inputs[0])
    return false;
  const Tensor &from = slots[at(step.inputs[0])], &view = slots[at(step.results[0])];
  return view.shares_storage(from) && view.dtype() == from.dtype();
}

}  // namespace

// --- preparation -----------------------------------------------------------------------------------------------------

// A loop for a call that is no more than one, where its operands lie in memory as the loop walks.
bool Program::make_loop(const Step& step, const std::vector<Tensor>& slots, const Uses& uses) {
  if (!step.pointwise || step.results.size() != 1 || step.results[0] != step.pointwise->result ||
      step.form == Out::Form::Given || step.pointwise->operands.size() >= kMaxPlaces)
    return false;
  const Slot target = step.results[0];
  const Tensor& result = slots[at(target)];
  const auto item = static_cast<int64_t>(result.item_bytes());
  if (!result.is_contiguous() || result.count() == 0) return false;
  LoopCall made;
  made.loop = step.pointwise->loop;
  made.count = result.count();
  made.context = step.pointwise->context;
  made.in_place =
      step.form == Out::Form::InPlace || std::find(step.inputs.begin(), step.inputs.end(), target) != step.inputs.end();
  made.dtype = result.dtype();
  made.sizes = result.sizes();
  made.places.push_back({target, -1, item, {}});
  for (const Pointwise::Operand& operand : step.pointwise->operands) {
    Place place{operand.slot, -1, 0, {}};
    std::copy(std::begin(operand.number), std::end(operand.number), place.number);
    if (operand.slot != kNone) {
      const Tensor& t = slots[at(operand.slot)];
      // Of what is given, only the call itself can see whether it overlaps.
      if (operand.slot != target && (t.shares_storage(result) || (made.in_place && uses.given[at(target)])))
        return false;
      const bool one = t.count() == 1 && result.count() != 1;
      if (!one && (!t.is_contiguous() || t.count() != result.count() || !(t.sizes() == result.sizes()))) return false;
      if (!one) place.stride = static_cast<int64_t>(t.item_bytes());
    }
    made.places.push_back(place);
  }
  loops_.push_back(std::move(made));
  return true;
}

void Program::make_instruction(Step& step, size_t number, const std::vector<Tensor>& slots, const Uses& uses) {
  if (make_loop(step, slots, uses)) {
    instructions_.push_back({Instruction::Kind::Loop, loops_.size() - 1, 1, false, {}});
    return;
  }
  const auto kind = is_view(step, slots)              ? Instruction::Kind::View
                    : step.kind == Step::Kind::Call   ? Instruction::Kind::Thunk
                    : step.kind == Step::Kind::Derive ? Instruction::Kind::Derive
                                                      : Instruction::Kind::Small;
  instructions_.push_back({kind, number, 1, false, {}});
  if (step.kind == Step::Kind::Accumulate) leaves_.push_back(step.inputs[0]);
}

void Program::finish(std::vector<Tensor>& slots, const Uses& uses) {
  for (size_t i = 0; i < steps_.size(); ++i) {
    point_to_slots(steps_[i], slots);
    make_instruction(steps_[i], i, slots, uses);
  }
  own_.assign(slots.size(), false);
  find_own(slots, uses);
  join_loops();
  find_last_uses(uses);
  for (Instruction& instruction : instructions_)
    if (instruction.kind == Instruction::Kind::Chain) hide_in_chain(instruction);
  fill_lists_that_stay(slots, uses);
}

template <class F>
void Program::each_slot(const Instruction& instruction, F f) const {
  if (instruction.kind == Instruction::Kind::Loop || instruction.kind == Instruction::Kind::Chain) {
    for (size_t i = 0; i < instruction.count; ++i)
      for (const Place& place : loops_[instruction.first + i].places)
        if (place.slot != kNone) f(place.slot);
    return;
  }
  const Step& step = steps_[instruction.first];
  const auto each = [&](const std::vector<Slot>& list) {
    for (const Slot slot : list)
      if (slot != kNone) f(slot);
  };
  each(step.results);
  each(step.inputs);
  each(step.targets);
  each(step.gradients);
  each(step.wanted);
  for (const auto& list : step.lists) each(list);
}

void Program::own(Slot slot, Tensor memory, std::vector<Tensor>& slots) {
  slots[at(slot)] = memory;
  memory_.emplace_back(slot, std::move(memory));
  own_[at(slot)] = true;
}

void Program::put_back(std::vector<Tensor>& slots) const {
  for (const auto& [slot, tensor] : memory_) slots[at(slot)] = tensor;
}

// Small results of loops stay in their slots, and so do views of what stays; but not what outlives the run, and not
// gradients, whose memory is handed over.
void Program::find_own(std::vector<Tensor>& slots, const Uses& uses) {
  std::vector<bool> handed_over = uses.outlive;
  for (const Step& step : steps_)
    if ((step.kind == Step::Kind::Accumulate || step.kind == Step::Kind::StoreGradient) && step.inputs[1] != kNone)
      handed_over[at(step.inputs[1])] = true;
  // Whatever shares memory with what is handed over is handed over too.
  std::vector<const Storage*> gone;
  for (size_t i = 0; i < slots.size(); ++i)
    if (handed_over[i] && slots[i].defined()) gone.push_back(slots[i]->storage.get());
  std::sort(gone.begin(), gone.end());
  for (const Instruction& instruction : instructions_) {
    if (instruction.kind == Instruction::Kind::Loop) {
      const LoopCall& call = loops_[instruction.first];
      const Slot slot = call.places[0].slot;
      const Tensor& t = slots[at(slot)];
      if (call.in_place || own_[at(slot)] || call.count > kBlock || t->offset != 0 ||
          std::binary_search(gone.begin(), gone.end(), t->storage.get()))
        continue;
      own(slot, Tensor::empty(call.sizes, call.dtype), slots);
    } else if (instruction.kind == Instruction::Kind::View) {
      const Slot from = steps_[instruction.first].inputs[0], slot = steps_[instruction.first].results[0];
      const Tensor &base = slots[at(from)], &view = slots[at(slot)];
      if (handed_over[at(slot)] || !(own_[at(from)] || uses.stable[at(from)])) continue;
      // What a loop made anew begins at 0, as it did in the recording.
      own(slot, Tensor::over(base->storage, view.dtype(), view.sizes(), view.strides(), view->offset), slots);
    }
  }
}

// A chain writes new results, or goes on with those that it has made: nothing else can share their memory.
bool Program::joins(const Instruction& chain, const LoopCall& next) const {
  const LoopCall& first = loops_[chain.first];  // in place: of what was there before, which others may share
  if (chain.count >= kMaxChain || next.count != first.count || first.in_place) return false;
  if (!next.in_place) return true;
  for (size_t i = 0; i < chain.count; ++i) {
    const LoopCall& made = loops_[chain.first + i];
    if (!made.in_place && made.places[0].slot == next.places[0].slot) return true;
  }
  return false;
}

void Program::join_loops() {
  std::vector<Instruction> joined;
  for (Instruction& instruction : instructions_) {
    const bool is_loop = instruction.kind == Instruction::Kind::Loop && loops_[instruction.first].count > kBlock;
    if (is_loop && !joined.empty() && joined.back().kind == Instruction::Kind::Chain &&
        joins(joined.back(), loops_[instruction.first])) {
      ++joined.back().count;
      continue;
    }
    if (is_loop) instruction.kind = Instruction::Kind::Chain;
    joined.push_back(std::move(instruction));
  }
  instructions_ = std::move(joined);
}

void Program::find_last_uses(const Uses& uses) {
  std::vector<bool> seen = uses.outlive;
  for (size_t i = 0; i < seen.size(); ++i) seen[i] = seen[i] || uses.stable[i] || own_[i];
  for (auto it = instructions_.rbegin(); it != instructions_.rend(); ++it)
    each_slot(*it, [&](Slot slot) {
      if (seen[at(slot)]) return;
      seen[at(slot)] = true;
      it->last.push_back(slot);
      // The step that hands a gradient over lets go of it first.
      if (it->kind == Instruction::Kind::Small) steps_[it->first].last.push_back(slot);
    });
}

// What the chain makes and nobody reads after it needs no more memory than a block.
void Program::hide_in_chain(Instruction& chain) {
  if (chain.count == 1) return;
  std::vector<Slot> hidden;
  for (size_t i = 0; i < chain.count; ++i) {
    const LoopCall& call = loops_[chain.first + i];
    const Slot slot = call.places[0].slot;
    const bool ends = std::find(chain.last.begin(), chain.last.end(), slot) != chain.last.end();
    if (ends && !call.in_place && hidden.size() < kMaxScratch) hidden.push_back(slot);
  }
  for (size_t i = 0; i < chain.count; ++i)
    for (Place& place : loops_[chain.first + i].places) {
      const auto found = std::find(hidden.begin(), hidden.end(), place.slot);
      if (place.slot != kNone && found != hidden.end()) place.scratch = static_cast<int>(found - hidden.begin());
    }
}

void Program::fill_lists_that_stay(std::vector<Tensor>& slots, const Uses& uses) {
  for (Instruction& instruction : instructions_) {
    if (instruction.kind != Instruction::Kind::Thunk && instruction.kind != Instruction::Kind::Derive) continue;
    Step& step = steps_[instruction.first];
    instruction.lists_stay = std::all_of(step.lists.begin(), step.lists.end(), [&](const std::vector<Slot>& list) {
      return std::all_of(list.begin(), list.end(),
                         [&](Slot slot) { return slot == kNone || uses.stable[at(slot)] || own_[at(slot)]; });
    });
    if (instruction.lists_stay) fill_lists(step, slots);
  }
}

size_t Program::longest_chain() const {
  size_t longest = 0;
  for (const Instruction& instruction : instructions_)
    if (instruction.kind == Instruction::Kind::Chain) longest = std::max(longest, instruction.count);
  return longest;
}

// --- a run -----------------------------------------------------------------------------------------------------------

bool Program::fits(const std::vector<Tensor>& slots) const {
  for (const Spent& one : spent_)
    if (one.node->hooks || one.node->python_object) return false;
  for (const Slot leaf : leaves_) {
    const autograd::History* history = autograd::history_of(slots[at(leaf)]);
    if (!history) continue;
    const autograd::AccumulateGrad* node = history->accumulator;
    if (history->leaf_hooks || !history->after_accumulation.empty() || (node && (node->hooks || !node->after.empty())))
      return false;
  }
  return true;
}

void Program::run(std::vector<Tensor>& slots) {
  const autograd::GradModeGuard off(false);
  for (const Instruction& instruction : instructions_) {
    switch (instruction.kind) {
      case Instruction::Kind::Thunk:
        call(instruction, slots);
        break;
      case Instruction::Kind::Small:
        run_small_step(steps_[instruction.first], slots);
        break;
      case Instruction::Kind::Loop:
        run_loop(loops_[instruction.first], slots);
        break;
      case Instruction::Kind::Chain:
        run_chain(instruction, slots);
        break;
      case Instruction::Kind::Derive:
        derive(instruction, slots);
        break;
      case Instruction::Kind::View: {
        const Step& step = steps_[instruction.first];
        if (!own_[at(step.results[0])])
          call(instruction, slots);
        else if (const Ref<Storage>& memory = slots[at(step.inputs[0])]->storage;
                 !(slots[at(step.results[0])]->storage == memory))
          slots[at(step.results[0])]->storage = memory;
      }
    }
    for (const Slot slot : instruction.last) slots[at(slot)] = Tensor();
  }
  for (const Spent& one : spent_) autograd::set_node(slots[at(one.slot)], one.node, one.output);
}

void Program::call(const Instruction& instruction, std::vector<Tensor>& slots) {
  Step& step = steps_[instruction.first];
  if (!instruction.lists_stay) fill_lists(step, slots);
  Tensor targets[Out::kMax];
  for (size_t i = 0; i < step.targets.size(); ++i) targets[i] = slots[at(step.targets[i])];
  const Out out(step.form, {targets, step.targets.size()});
  put_results(step, step.record->forward.thunk(out, step.values.data()), slots);
  if (!instruction.lists_stay) clear_lists(step);
}

namespace {
// Stands where a gradient is asked for: the program knows where it goes.
class Asked final : public autograd::Node {
 public:
  std::string name() const override { return "Asked"; }
  std::span<autograd::Edge> edges() noexcept override { return {}; }
  void apply(autograd::Gradients&, autograd::Gradients&) override {}
};
}  // namespace

// The work of a node, from the tensors that it would have kept.
void Program::derive(const Instruction& instruction, std::vector<Tensor>& slots) {
  static const autograd::NodeRef asked(std::make_unique<Asked>().release());
  Step& step = steps_[instruction.first];
  if (!instruction.lists_stay) fill_lists(step, slots);
  const autograd::NodeRef made = OperatorNode::make(*step.record, step.record->derivative, step.values.data());
  auto& node = static_cast<OperatorNode&>(*made);
  const std::span<autograd::Edge> edges = node.edges();
  LB_CHECK(edges.size() == step.edges.size(), Runtime, "a compiled function's derivative takes other arguments");
  for (size_t i = 0; i < edges.size(); ++i) edges[i] = step.edges[i] ? autograd::Edge{asked, 0} : autograd::Edge();
  node.save_inputs(step.values.data(), nullptr);
  std::vector<Tensor> results;
  for (const Slot slot : step.gradients) results.push_back(slot == kNone ? Tensor() : slots[at(slot)]);
  node.taken = static_cast<uint32_t>(std::max<size_t>(results.size(), 1));
  node.save_results(results);
  autograd::Gradients taken(step.wanted.size()), given(edges.size());
  for (size_t i = 0; i < step.wanted.size(); ++i)
    if (step.wanted[i] != kNone) taken[i] = slots[at(step.wanted[i])];
  node.apply(taken, given);
  for (size_t i = 0; i < step.results.size(); ++i) {
    if (step.results[i] == kNone) continue;
    LB_CHECK(given[i].defined(), Runtime, "a compiled function's derivative gave another kind of result");
    slots[at(step.results[i])] = std::move(given[i]);
  }
  if (!instruction.lists_stay) clear_lists(step);
}

// Where the operands of a loop are; makes the result where it has no memory yet.
void Program::prepare(const LoopCall& call, std::vector<Tensor>& slots, char** data) const {
  const Place& result = call.places[0];
  if (result.scratch < 0) {
    Tensor& t = slots[at(result.slot)];
    if (call.in_place)
      t.bump_version();
    else if (!own_[at(result.slot)])
      t = Tensor::empty(call.sizes, call.dtype);
  }
  for (size_t i = 0; i < call.places.size(); ++i) {
    const Place& place = call.places[i];
    if (place.scratch >= 0) continue;
    data[i] = place.slot == kNone ? const_cast<char*>(reinterpret_cast<const char*>(place.number))
                                  : slots[at(place.slot)].bytes();
  }
}

void Program::run_loop(const LoopCall& call, std::vector<Tensor>& slots) const {
  char* data[kMaxPlaces];
  int64_t strides[kMaxPlaces];
  prepare(call, slots, data);
  for (size_t i = 0; i < call.places.size(); ++i) strides[i] = call.places[i].stride;
  call.loop(data, strides, call.count, call.context.data());
}

void Program::run_chain(const Instruction& chain, std::vector<Tensor>& slots) const {
  char* data[kMaxChain][kMaxPlaces];
  for (size_t k = 0; k < chain.count; ++k) prepare(loops_[chain.first + k], slots, data[k]);
  const auto part = [&](int64_t begin, int64_t end) {
    alignas(64) char scratch[kMaxScratch][kBlock * 8];
    const int64_t block = chain.count == 1 ? end - begin : kBlock;
    for (int64_t from = begin; from < end; from += block) {
      const int64_t count = std::min(block, end - from);
      for (size_t k = 0; k < chain.count; ++k) {
        const LoopCall& call = loops_[chain.first + k];
        char* here[kMaxPlaces];
        int64_t strides[kMaxPlaces];
        for (size_t i = 0; i < call.places.size(); ++i) {
          const Place& place = call.places[i];
          here[i] = place.scratch >= 0 ? scratch[place.scratch] : data[k][i] + from * place.stride;
          strides[i] = place.stride;
        }
        call.loop(here, strides, count, call.context.data());
      }
    }
  };
  const int64_t count = loops_[chain.first].count;
  if (count <= kGrain) return part(0, count);
  const LongWork released(count >= kLongWork);
  parallel_for(count, kGrain, part);
}

}  // namespace lumbre::compile
