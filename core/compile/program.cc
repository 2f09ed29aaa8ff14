#include "compile/program.h"

#include "ops/recording.h"

namespace lumbre::compile {

void Program::finish(std::vector<Tensor>& slots, std::vector<bool> kept) {
  for (Step& step : steps_) point_to_slots(step, slots);
  find_last_uses(steps_, std::move(kept));
}

bool Program::fits(const std::vector<Tensor>& slots) const {
  for (const Spent& one : spent_)
    if (one.node->hooks || one.node->python_object) return false;
  for (const Step& step : steps_) {
    if (step.kind != Step::Kind::Accumulate) continue;
    const autograd::History* history = autograd::history_of(slots[static_cast<size_t>(step.inputs[0])]);
    if (!history) continue;
    const autograd::AccumulateGrad* node = history->accumulator;
    if (history->leaf_hooks || !history->after_accumulation.empty() || (node && (node->hooks || !node->after.empty())))
      return false;
  }
  return true;
}

void Program::run(std::vector<Tensor>& slots) {
  const autograd::GradModeGuard off(false);
  for (Step& step : steps_) {
    if (step.kind == Step::Kind::Call)
      call(step, slots);
    else
      run_small_step(step, slots);
    for (const Slot slot : step.last) slots[static_cast<size_t>(slot)] = Tensor();
  }
  for (const Spent& one : spent_) autograd::set_node(slots[static_cast<size_t>(one.slot)], one.node, one.output);
}

void Program::call(Step& step, std::vector<Tensor>& slots) {
  fill_lists(step, slots);
  Tensor targets[Out::kMax];
  for (size_t i = 0; i < step.targets.size(); ++i) targets[i] = slots[static_cast<size_t>(step.targets[i])];
  const Out out(step.form, {targets, step.targets.size()});
  put_results(step, step.record->forward.thunk(out, step.values.data()), slots);
  clear_lists(step);
}

}  // namespace lumbre::compile
