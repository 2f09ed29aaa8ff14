#include "compile/tape.h"

#include <algorithm>

#include "compile/program.h"
#include "ops/recording.h"

namespace lumbre::compile {

std::vector<Tensor> (*run_engine)(autograd::Request request) = nullptr;

Facts Facts::of(const Tensor& t) {
  Facts facts;
  facts.dtype = t.dtype();
  facts.requires_grad = autograd::requires_grad(t);
  facts.leaf = autograd::is_leaf(t);
  facts.view = static_cast<bool>(t->base);
  facts.inference = t->inference;
  facts.untracked = t->untracked;
  facts.offset = t->offset;
  facts.sizes = t.sizes();
  facts.strides = t.strides();
  return facts;
}

namespace {
// Few numbers, compared where they are.
bool same_dims(const Dims& a, const Dims& b) {
  const size_t count = a.size();
  if (count != b.size()) return false;
  const int64_t *x = a.data(), *y = b.data();
  for (size_t i = 0; i < count; ++i)
    if (x[i] != y[i]) return false;
  return true;
}
}  // namespace

bool Facts::hold_for(const Tensor& t) const {
  if (t.dtype() != dtype || t->inference != inference || t->untracked != untracked || t->offset != offset ||
      static_cast<bool>(t->base) != view || !same_dims(t.sizes(), sizes) || !same_dims(t.strides(), strides))
    return false;
  if (autograd::requires_grad(t) != requires_grad) return false;
  const autograd::History* history = autograd::history_of(t);
  return leaf == !(history && history->node);
}

namespace {

// The modes of the program around a step; put back when a step fails, as the blocks that changed them would.
class Modes {
 public:
  Modes() : asked_(autograd::modes.asked), inference_(autograd::modes.inference) {}
  ~Modes() { set(asked_, inference_); }
  Modes(const Modes&) = delete;
  Modes& operator=(const Modes&) = delete;
  static void set(bool asked, bool inference) {
    autograd::modes.asked = asked;
    autograd::modes.inference = inference;
    autograd::modes.grad = asked && !inference;
  }
  void leave(bool asked, bool inference) {
    asked_ = asked;
    inference_ = inference;
  }

 private:
  bool asked_, inference_;
};

// What an operator says that gives no tensor is what the program acted on.
bool same_answer(const Result& a, const Result& b) {
  if (a.index() != b.index()) return false;
  if (const auto* flag = std::get_if<bool>(&a)) return *flag == std::get<bool>(b);
  if (const auto* integer = std::get_if<int64_t>(&a)) return *integer == std::get<int64_t>(b);
  if (const auto* dims = std::get_if<Dims>(&a)) return *dims == std::get<Dims>(b);
  if (const auto* dtype = std::get_if<DType>(&a)) return *dtype == std::get<DType>(b);
  return std::holds_alternative<std::monostate>(a) || std::holds_alternative<std::string>(a);
}

[[noreturn]] void fail_different(const Operator& record) {
  const std::string_view signature = record.signature;
  fail(ErrorKind::Runtime, "a compiled function's call of ", signature.substr(0, signature.find('(')),
       "() gave another kind of result than when it was recorded");
}

}  // namespace

// --- preparation -----------------------------------------------------------------------------------------------------

Tape::Tape() = default;
Tape::Tape(Tape&&) noexcept = default;
Tape& Tape::operator=(Tape&&) noexcept = default;
Tape::~Tape() = default;

void point_to_slots(Step& step, std::vector<Tensor>& slots) {
  for (size_t i = 0; i < step.values.size(); ++i)
    if (step.inputs[i] != kNone) step.values[i].tensor = &slots[static_cast<size_t>(step.inputs[i])];
  for (size_t i = 0; i < step.lists.size(); ++i) {
    if (step.lists[i].empty()) continue;
    if (!step.values[i].lists) step.values[i].own_lists();
    step.values[i].lists->tensors.resize(step.lists[i].size());
  }
}

void find_last_uses(std::vector<Step>& steps, std::vector<bool> kept) {
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    step->last.clear();
    const auto note = [&](const std::vector<Slot>& list) {
      for (const Slot slot : list) {
        if (slot == kNone || kept[static_cast<size_t>(slot)]) continue;
        kept[static_cast<size_t>(slot)] = true;
        step->last.push_back(slot);
      }
    };
    for (const auto* list : {&step->results, &step->inputs, &step->targets, &step->gradients, &step->wanted})
      note(*list);
    for (const auto& list : step->lists) note(list);
  }
}

void Tape::finish() {
  const std::vector<bool> none(slots.size());
  Program::Uses uses{none, none, none};
  for (const Outside& entry : outside) uses.stable[static_cast<size_t>(entry.slot)] = true;
  uses.given = uses.stable;
  for (const Slot slot : arguments) uses.given[static_cast<size_t>(slot)] = true;
  for (const Slot slot : constants) uses.stable[static_cast<size_t>(slot)] = true;
  for (const Slot slot : outputs) uses.outlive[static_cast<size_t>(slot)] = true;
  for (const Outside& entry : outside) outside_data_.push_back(slots[static_cast<size_t>(entry.slot)].get());
  std::sort(outside_data_.begin(), outside_data_.end());
  for (Step& step : steps) point_to_slots(step, slots);
  std::vector<bool> kept = uses.stable;
  for (const Slot slot : outputs) kept[static_cast<size_t>(slot)] = true;
  find_last_uses(steps, std::move(kept));
  if (program) program->finish(slots, uses);
  for (size_t i = 0; i < slots.size(); ++i)
    if (!uses.stable[i] && !(program && program->owns(static_cast<Slot>(i)))) inner_.push_back(static_cast<Slot>(i));
  clear();
}

bool Tape::fits() const {
  return std::all_of(outside.begin(), outside.end(), [&](const Outside& entry) {
    const Tensor& t = slots[static_cast<size_t>(entry.slot)];
    if (!entry.facts.hold_for(t)) return false;
    if (!entry.gradient_matters) return true;
    const autograd::History* history = autograd::history_of(t);
    const bool has = history && history->gradient.defined();
    return has == entry.has_gradient && (!has || entry.gradient.hold_for(history->gradient));
  });
}

bool Tape::holds(const Tensor& t) const {
  return std::binary_search(outside_data_.begin(), outside_data_.end(), t.get()) ||
         std::any_of(arguments.begin(), arguments.end(),
                     [&](Slot slot) { return slots[static_cast<size_t>(slot)].same(t); });
}

void Tape::clear() noexcept {
  for (const Slot slot : inner_) slots[static_cast<size_t>(slot)] = Tensor();
}

// --- a run -----------------------------------------------------------------------------------------------------------

size_t Tape::program_steps() const { return program ? program->size() : 0; }
size_t Tape::longest_chain() const { return program ? program->longest_chain() : 0; }

void Tape::run() {
  if (!program || !program->fits(slots)) return run_graph();
  Modes around;
  program->run(slots);
  around.leave(leaves_asked, leaves_inference);
}

void Tape::run_graph() {
  struct PutBack {
    Tape& tape;
    ~PutBack() {
      if (tape.program) tape.program->put_back(tape.slots);
    }
  };
  const PutBack afterwards{*this};
  Modes around;
  for (Step& step : steps) {
    Modes::set(step.asked, step.inference);
    run_step(step);
    for (const Slot slot : step.last) slots[static_cast<size_t>(slot)] = Tensor();
  }
  around.leave(leaves_asked, leaves_inference);
}

void put_results(Step& step, Result result, std::vector<Tensor>& slots) {
  const auto put_one = [&](size_t i, Tensor& t) {
    const Slot slot = step.results[i];
    if (t.defined() != (slot != kNone)) fail_different(*step.record);
    if (slot == kNone) return;
    const Facts& facts = step.result_facts[i];
    if (t.dtype() != facts.dtype || !same_dims(t.sizes(), facts.sizes) || !same_dims(t.strides(), facts.strides))
      fail_different(*step.record);
    slots[static_cast<size_t>(slot)] = std::move(t);
  };
  if (auto* one = std::get_if<Tensor>(&result)) {
    put_one(0, *one);
  } else if (auto* several = std::get_if<std::vector<Tensor>>(&result)) {
    if (several->size() != step.results.size()) fail_different(*step.record);
    for (size_t i = 0; i < several->size(); ++i) put_one(i, (*several)[i]);
  } else if (!same_answer(result, step.answer)) {
    fail_different(*step.record);
  }
}

void fill_lists(Step& step, const std::vector<Tensor>& slots) {
  for (size_t i = 0; i < step.lists.size(); ++i)
    for (size_t k = 0; k < step.lists[i].size(); ++k)
      if (step.lists[i][k] != kNone) step.values[i].lists->tensors[k] = slots[static_cast<size_t>(step.lists[i][k])];
}

void clear_lists(Step& step) noexcept {
  for (size_t i = 0; i < step.lists.size(); ++i)
    for (size_t k = 0; k < step.lists[i].size(); ++k) step.values[i].lists->tensors[k] = Tensor();
}

void Tape::call(Step& step) {
  fill_lists(step, slots);
  Tensor targets[Out::kMax];
  for (size_t i = 0; i < step.targets.size(); ++i) targets[i] = slots[static_cast<size_t>(step.targets[i])];
  const Out out(step.form, {targets, step.targets.size()});
  // invoke() turns the flag of `inplace=True` off when it has acted on it.
  const bool in_place = detail::asks_in_place(*step.record, out, step.values.data());
  put_results(step, invoke(*step.record, out, step.values.data()), slots);
  if (in_place) step.values[step.values.size() - 1].flag = true;
  clear_lists(step);
}

void Tape::backward(Step& step) {
  autograd::Request request;
  request.keep_graph = step.keep_graph;
  request.create_graph = step.create_graph;
  request.accumulate = step.accumulate;
  for (size_t i = 0; i < step.inputs.size(); ++i) {
    const Tensor& root = slots[static_cast<size_t>(step.inputs[i])];
    request.roots.push_back(autograd::gradient_edge(root));
    const Slot given = step.gradients[i];
    request.gradients.push_back(given == kNone ? Tensor::full(root.sizes(), Scalar(1.0), root.dtype())
                                               : slots[static_cast<size_t>(given)]);
  }
  for (const Slot slot : step.wanted)
    request.inputs.push_back(autograd::gradient_edge(slots[static_cast<size_t>(slot)]));
  std::vector<Tensor> results = run_engine(std::move(request));
  for (size_t i = 0; i < results.size(); ++i)
    if (step.results[i] != kNone) slots[static_cast<size_t>(step.results[i])] = std::move(results[i]);
}

void Tape::run_step(Step& step) {
  if (step.kind == Step::Kind::Call) return call(step);
  if (step.kind == Step::Kind::Backward) return backward(step);
  run_small_step(step, slots);
}

void run_small_step(Step& step, std::vector<Tensor>& slots) {
  const Tensor input = step.inputs.empty() ? Tensor() : slots[static_cast<size_t>(step.inputs[0])];
  const auto give = [&](Tensor t) {
    if (step.results[0] != kNone) slots[static_cast<size_t>(step.results[0])] = std::move(t);
  };
  switch (step.kind) {
    case Step::Kind::LoadGradient: {
      const autograd::History* history = autograd::history_of(input);
      return give(history ? history->gradient : Tensor());
    }
    case Step::Kind::StoreGradient: {
      const Slot given = step.inputs[1];
      if (given == kNone && !input->history) return;
      // The old one ends after it is out of reach: its end may run Python.
      const Tensor old = std::exchange(autograd::own_history(input).gradient,
                                       given == kNone ? Tensor() : slots[static_cast<size_t>(given)]);
      return;
    }
    case Step::Kind::Detach:
    case Step::Kind::Data: {
      const Tensor same = Tensor::over(input->storage, input.dtype(), input.sizes(), input.strides(), input->offset);
      same->inference = input->inference;
      same->untracked = step.kind == Step::Kind::Data;
      return give(same);
    }
    case Step::Kind::Constant: {
      const autograd::GradModeGuard off(false);
      const Tensor made = step.constant.clone(MemoryFormat::Contiguous);
      made->inference = autograd::modes.inference;
      return give(made);
    }
    case Step::Kind::Accumulate: {
      Tensor gradient = slots[static_cast<size_t>(step.inputs[1])];
      for (const Slot slot : step.last)
        if (slot == step.inputs[1]) slots[static_cast<size_t>(slot)] = Tensor();  // so that it is nobody else's
      return autograd::accumulate(input, std::move(gradient));
    }
    default:
      input->requires_grad = step.flag;
  }
}

}  // namespace lumbre::compile
