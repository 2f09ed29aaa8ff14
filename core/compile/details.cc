#include "compile/details.h"

#include <algorithm>

#include "compile/recorder.h"
#include "ops/recording.h"
#include "tensor/reads.h"

namespace lumbre::compile {

namespace {

std::span<const Tensor> tensors_of(const Result& result) {
  if (const auto* one = std::get_if<Tensor>(&result)) return {one, 1};
  if (const auto* several = std::get_if<std::vector<Tensor>>(&result)) return *several;
  return {};
}

}  // namespace

Step copy_of(const Step& step) {
  Step copy;
  copy.kind = step.kind;
  copy.asked = step.asked;
  copy.inference = step.inference;
  copy.record = step.record;
  copy.form = step.form;
  copy.values.resize(step.values.size());
  for (size_t i = 0; i < step.values.size(); ++i) copy_value(step.values[i], copy.values[i]);
  copy.inputs = step.inputs;
  copy.lists = step.lists;
  copy.targets = step.targets;
  copy.results = step.results;
  copy.result_facts = step.result_facts;
  copy.answer = step.answer;
  copy.flag = step.flag;
  copy.constant = step.constant;
  return copy;
}

// --- regions ---------------------------------------------------------------------------------------------------------

void Details::enter() {
  if (possible_) regions_.push_back({steps_.size(), element_reads});
}

Details::Region Details::take_region() {
  Region region = std::move(regions_.back());
  regions_.pop_back();
  return region;
}

// Whether repeating the calls inside of it repeats all that it did.
bool Details::explained(const Region& region) const { return !region.unknown && region.reads == element_reads; }

void Details::leave(const Step& step, const Result& result) {
  if (!possible_) return;
  Region region = take_region();
  note_nodes(step, result);
  // In other forms the result is copied into its target without a call.
  const bool takes_apart = step.record->derivative.state == Derivative::State::Composed &&
                           step.form == Out::Form::Function && explained(region) && steps_.size() > region.begin &&
                           !std::holds_alternative<std::monostate>(result) &&
                           std::all_of(step.results.begin(), step.results.end(), [](Slot s) { return s != kNone; }) &&
                           recorder_.results_were_known();
  if (takes_apart) return;
  steps_.erase(steps_.begin() + static_cast<std::ptrdiff_t>(region.begin), steps_.end());
  // What a composed operator recorded inside of it would be missed when the engine comes to it.
  if (step.record->derivative.state == Derivative::State::Composed && step.asked && !step.inference)
    for (const Tensor& t : tensors_of(result))
      if (t.defined() && autograd::requires_grad(t)) return give_up();
  Step copy = copy_of(step);
  if (region.pointwise_calls == 1) copy.pointwise = std::move(region.pointwise);
  steps_.push_back(std::move(copy));
}

void Details::note_pointwise(const PointwiseCall& call) {
  if (!possible_ || regions_.empty()) return;
  Region& region = regions_.back();
  if (++region.pointwise_calls > 1 || call.common != call.compute || (call.context && !call.spec.context_bytes)) return;
  // A target of another dtype takes what the loop gives through a conversion.
  if (call.result.dtype() != (call.spec.tables.levels[0]->to_bool ? DType::Bool : call.compute)) return;
  auto noted = std::make_unique<Pointwise>();
  noted->loop = call.loop;
  noted->dtype = call.compute;
  noted->result = recorder_.know(call.result);
  if (call.context) {
    const auto* bytes = static_cast<const std::byte*>(call.context);
    noted->context.assign(bytes, bytes + call.spec.context_bytes);
  }
  for (const Operand& input : call.inputs) {
    Pointwise::Operand operand;
    if (input.is_tensor()) {
      if (input.tensor().dtype() != call.compute) return;
      operand.slot = recorder_.find_memory(input.tensor());
      if (operand.slot == kNone) return;
    } else {
      visit_dtype(call.compute, [&]<class T>(T) {
        const T value = input.scalar().to<T>();
        std::memcpy(operand.number, &value, sizeof value);
      });
    }
    noted->operands.push_back(operand);
  }
  region.pointwise = std::move(noted);
}

// --- the graph -------------------------------------------------------------------------------------------------------

void Details::note_nodes(const Step& step, const Result& result) {
  const bool writes = std::any_of(step.results.begin(), step.results.end(), [&](Slot slot) {
    return std::find(step.inputs.begin(), step.inputs.end(), slot) != step.inputs.end();
  });
  for (const Tensor& t : tensors_of(result)) {
    if (!t.defined()) continue;
    const autograd::History* history = autograd::history_of(t);
    if (!history || !history->node || !made_.insert(history->node.get()).second) continue;
    held_.push_back(history->node);
    if (step.form == Out::Form::Function && !writes && dynamic_cast<const OperatorNode*>(history->node.get()))
      calls_.emplace(history->node.get(), copy_of(step));
  }
}

// A derivative whose calls do not explain what it gives is run as it is, from the call's arguments and results.
bool Details::derive(const autograd::Node& node, std::span<autograd::Edge> edges, const autograd::Gradients& given) {
  const auto found = calls_.find(&node);
  if (found == calls_.end()) return false;
  Step step = copy_of(found->second);
  step.kind = Step::Kind::Derive;
  const auto is_tensor = [](const Value& value) { return value.given && value.kind == Param::Tensor; };
  for (size_t i = 0; i < step.values.size(); ++i)
    if (is_tensor(step.values[i]) && step.inputs[i] == kNone) return false;
  if (std::find(step.results.begin(), step.results.end(), kNone) != step.results.end()) return false;
  step.gradients = std::exchange(step.results, {});
  step.result_facts.clear();
  step.wanted = taken_;
  for (const autograd::Edge& edge : edges) step.edges.push_back(static_cast<bool>(edge));
  for (size_t i = 0; i < given.size(); ++i)
    step.results.push_back(given[i].defined() && step.edges[i] ? recorder_.know(given[i]) : kNone);
  steps_.push_back(std::move(step));
  return true;
}

void Details::node_applies(autograd::Node& node, const autograd::Gradients& taken) {
  if (!possible_) return;
  const bool leaf = dynamic_cast<const autograd::AccumulateGrad*>(&node) != nullptr;
  if (node.hooks || (!leaf && !made_.contains(&node))) return give_up();
  taken_.clear();
  for (const Tensor& g : taken) {
    taken_.push_back(g.defined() ? recorder_.find_memory(g) : kNone);
    if (g.defined() && taken_.back() == kNone) return give_up();
  }
  regions_.push_back({steps_.size(), element_reads});
}

void Details::node_applied(autograd::Node& node, const autograd::Gradients& given, bool released) {
  if (!possible_) return;
  const Region region = take_region();
  if (const auto* leaf = dynamic_cast<const autograd::AccumulateGrad*>(&node)) {
    steps_.erase(steps_.begin() + static_cast<std::ptrdiff_t>(region.begin), steps_.end());
    const Slot variable = recorder_.find(leaf->variable());
    if (variable == kNone || !leaf->after.empty()) return give_up();
    Step& step = steps_.emplace_back();
    step.kind = Step::Kind::Accumulate;
    step.inputs = {variable, taken_[0]};
    return;
  }
  const bool understood = explained(region) && std::all_of(given.begin(), given.end(), [&](const Tensor& g) {
                            return !g.defined() || recorder_.find_memory(g) != kNone;
                          });
  if (!understood) {
    steps_.erase(steps_.begin() + static_cast<std::ptrdiff_t>(region.begin), steps_.end());
    if (!derive(node, node.edges(), given)) return give_up();
  }
  if (released) released_.insert(&node);
}

void Details::root_gradient(const Tensor& made) {
  if (possible_) recorder_.keep_constant(made);
}

void Details::add(const Step& step) {
  if (!possible_) return;
  if (step.kind == Step::Kind::RequireGradient) return give_up();
  if (step.kind == Step::Kind::Backward) {
    if (step.create_graph || step.accumulate) give_up();
    return;
  }
  steps_.push_back(copy_of(step));
}

// --- the end ---------------------------------------------------------------------------------------------------------

bool Details::is_spent(const autograd::NodeRef& start) const {
  std::vector<autograd::Node*> waiting{start.get()};
  std::unordered_set<autograd::Node*> seen;
  while (!waiting.empty()) {
    autograd::Node* node = waiting.back();
    waiting.pop_back();
    if (!seen.insert(node).second || dynamic_cast<autograd::AccumulateGrad*>(node)) continue;
    if (!released_.contains(node)) return false;
    for (const autograd::Edge& edge : node->edges())
      if (edge) waiting.push_back(edge.node.get());
  }
  return true;
}

bool Details::outputs_fit(const Tape& tape, std::vector<Program::Spent>& spent) const {
  std::unordered_set<Slot> given(tape.arguments.begin(), tape.arguments.end());
  for (const Tape::Outside& entry : tape.outside) given.insert(entry.slot);
  for (const Slot slot : given) {
    const autograd::History* history = autograd::history_of(tape.slots[static_cast<size_t>(slot)]);
    if (history && history->node) return false;  // what is given has a graph, or was given one
  }
  std::unordered_set<const Storage*> constant;
  for (const Slot slot : tape.constants) constant.insert(tape.slots[static_cast<size_t>(slot)]->storage.get());
  const auto is_constant = [&](Slot slot) {
    return slot != kNone && constant.contains(tape.slots[static_cast<size_t>(slot)]->storage.get());
  };
  // What stays from run to run must neither be written to nor handed out.
  for (const Step& step : steps_) {
    if (std::any_of(step.targets.begin(), step.targets.end(), is_constant)) return false;
    if (step.kind == Step::Kind::StoreGradient && is_constant(step.inputs[1])) return false;
  }
  if (std::any_of(tape.outputs.begin(), tape.outputs.end(), is_constant)) return false;
  std::unordered_set<Slot> seen;
  for (const Slot slot : tape.outputs) {
    if (given.contains(slot) || !seen.insert(slot).second) continue;
    const Tensor& t = tape.slots[static_cast<size_t>(slot)];
    if (t->base || t->inference) return false;
    if (!autograd::requires_grad(t)) continue;
    const autograd::History* history = autograd::history_of(t);
    if (!history || !history->node || !is_spent(history->node)) return false;
    spent.push_back({slot, history->node, history->output});
  }
  return true;
}

std::unique_ptr<Program> Details::finish(const Tape& tape) {
  if (!possible_) return nullptr;
  for (const Step& step : tape.steps) {
    if (step.inference) return nullptr;
    if (step.kind == Step::Kind::StoreGradient && step.inputs[1] != kNone &&
        autograd::requires_grad(tape.slots[static_cast<size_t>(step.inputs[1])]))
      return nullptr;
  }
  std::vector<Program::Spent> spent;
  if (!outputs_fit(tape, spent)) return nullptr;
  return std::make_unique<Program>(std::move(steps_), std::move(spent));
}

}  // namespace lumbre::compile
