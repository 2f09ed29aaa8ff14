#include "compile/recorder.h"

#include "ops/recording.h"

namespace lumbre::compile {

namespace {

thread_local Recorder* under_way = nullptr;

bool is_list(Param kind) { return kind == Param::Tensors || kind == Param::OptionalTensors; }
bool is_tensor(const Value& value) { return value.given && value.kind == Param::Tensor; }

std::string name_of(const Operator& record) {
  const std::string_view signature = record.signature;
  return std::string(signature.substr(0, signature.find('(')));
}

Result record_call(const Operator& record, const Out& out, Value* values) {
  return under_way->call(record, out, values);
}

// While a recording is under way, exceptions that a program catches would change what it does next.
class Failure {
 public:
  explicit Failure(Recorder& recorder) : recorder_(recorder), before_(std::uncaught_exceptions()) {}
  ~Failure() {
    if (std::uncaught_exceptions() > before_) recorder_.refuse("an operation failed");
  }
  Failure(const Failure&) = delete;
  Failure& operator=(const Failure&) = delete;

 private:
  Recorder& recorder_;
  int before_;
};

}  // namespace

void refuse(std::string why) {
  if (under_way) under_way->refuse(std::move(why));
}
void refuse_read(const char* how) { refuse(text("the program reads elements of a tensor (", how, ")")); }

bool program_acts() { return under_way && under_way->outermost(); }

Recorder* Recorder::current() { return recording() ? under_way : nullptr; }

void Recorder::start() {
  call_recorder = record_call;
  pointwise_watch = [](const PointwiseCall& call) {
    if (under_way) under_way->details().note_pointwise(call);
  };
  autograd::run_watch = {
      .applies =
          [](autograd::Node& node, const autograd::Gradients& taken) {
            if (under_way) under_way->details().node_applies(node, taken);
          },
      .applied =
          [](autograd::Node& node, const autograd::Gradients& given, bool released) {
            if (under_way) under_way->details().node_applied(node, given, released);
          },
  };
  under_way = this;
  autograd::modes.watch(autograd::kRecords, true);
}

void Recorder::stop() {
  if (under_way != this) return;
  autograd::modes.watch(autograd::kRecords, false);
  under_way = nullptr;
}

void Recorder::refuse(std::string why) {
  if (refusal_.empty()) refusal_ = std::move(why);
}

// --- slots -----------------------------------------------------------------------------------------------------------

Slot Recorder::find(const Tensor& t) const {
  const auto found = known_.find(t.get());
  return found == known_.end() ? kNone : found->second;
}

Slot Recorder::know(const Tensor& t) {
  const auto [at, is_new] = known_.emplace(t.get(), static_cast<Slot>(tape_.slots.size()));
  if (is_new) {
    tape_.slots.push_back(t);
    by_storage_.emplace(t->storage.get(), at->second);
  }
  return at->second;
}

Slot Recorder::add_argument(const Tensor& t) {
  const Slot slot = know(t);
  tape_.arguments.push_back(slot);
  return slot;
}

bool Recorder::is_outside(const Tensor& t) const {
  const Slot slot = find(t);
  return std::any_of(tape_.outside.begin(), tape_.outside.end(), [&](const auto& entry) { return entry.slot == slot; });
}

Slot Recorder::add_outside(const Tensor& t) {
  const size_t before = tape_.slots.size();
  const Slot slot = know(t);
  if (tape_.slots.size() == before) return slot;
  Tape::Outside entry{.slot = slot, .facts = Facts::of(t)};
  const autograd::History* history = autograd::history_of(t);
  if (history && history->gradient.defined()) {
    entry.has_gradient = true;
    entry.gradient = Facts::of(history->gradient);
  }
  tape_.outside.push_back(std::move(entry));
  return slot;
}

Slot Recorder::find_memory(const Tensor& t) const {
  if (const Slot slot = find(t); slot != kNone) return slot;
  const auto [begin, end] = by_storage_.equal_range(t->storage.get());
  for (auto at = begin; at != end; ++at) {
    const Tensor& other = tape_.slots[static_cast<size_t>(at->second)];
    if (other->offset == t->offset && other.dtype() == t.dtype() && other.sizes() == t.sizes() &&
        other.strides() == t.strides())
      return at->second;
  }
  return kNone;
}

void Recorder::keep_constant(const Tensor& t) {
  if (find(t) == kNone) tape_.constants.push_back(know(t));
}

Slot Recorder::read(const Tensor& t) {
  const Slot slot = find(t);
  if (slot == kNone && !learning_) refuse("it computes with a tensor whose origin is not known");
  return slot;
}

// --- steps -----------------------------------------------------------------------------------------------------------

// What goes on while it lives is part of a step.
class Recorder::Inside {
 public:
  explicit Inside(Recorder& recorder) : recorder_(recorder) { ++recorder_.inside_; }
  ~Inside() { --recorder_.inside_; }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;

 private:
  Recorder& recorder_;
};

Step Recorder::step_of(Step::Kind kind) const {
  Step step;
  step.kind = kind;
  step.asked = autograd::modes.asked;
  step.inference = autograd::modes.inference;
  return step;
}

void Recorder::add(Step step) {
  details_.add(step);
  tape_.steps.push_back(std::move(step));
}

bool Recorder::decides_by_elements(const Operator& record, const Value* values) const {
  if (record.decides != Decides::Masks) return record.decides == Decides::Elements;
  for (int i = 0; i < record.forward.count; ++i)
    if (is_list(record.forward.params[i]) && values[i].given)
      for (const Tensor& t : values[i].lists->tensors)
        if (t.defined() && (t.dtype() == DType::Bool || t.dtype() == DType::UInt8)) return true;
  return false;
}

// An argument of a call: the program's own, or one that is made inside of a step.
Slot Recorder::read_inside(const Tensor& t) {
  if (outermost()) return read(t);
  const Slot slot = find_memory(t);
  if (slot == kNone) details_.note_unknown();
  return slot;
}

void Recorder::note_arguments(Step& step, const Operator& record, const Out& out, const Value* values) {
  const auto count = static_cast<size_t>(record.forward.count);
  step.record = &record;
  step.form = out.form();
  step.values.resize(count);
  step.inputs.assign(count, kNone);
  step.lists.resize(count);
  for (size_t i = 0; i < count; ++i) {
    const Value& value = values[i];
    copy_value(value, step.values[i]);
    if (is_tensor(value)) {
      step.inputs[i] = read_inside(*value.tensor);
    } else if (value.given && is_list(record.forward.params[i])) {
      for (const Tensor& t : value.lists->tensors) step.lists[i].push_back(t.defined() ? read_inside(t) : kNone);
    } else if (value.given && value.kind == Param::Generator && value.generator != &default_generator()) {
      refuse("it draws from a generator of its own");
    }
  }
  for (int i = 0; i < Out::kMax && out.target(i); ++i) step.targets.push_back(read_inside(*out.target(i)));
}

void Recorder::note_result(Step& step, const Result& result) {
  results_were_known_ = true;
  const auto note = [&](const Tensor& t) {
    if (t.defined() && find(t) == kNone) results_were_known_ = false;
    step.results.push_back(t.defined() ? know(t) : kNone);
    step.result_facts.push_back(t.defined() ? Facts::of(t) : Facts());
  };
  if (const auto* one = std::get_if<Tensor>(&result)) {
    note(*one);
  } else if (const auto* several = std::get_if<std::vector<Tensor>>(&result)) {
    for (const Tensor& t : *several) note(t);
  } else {
    step.answer = result;
  }
}

Result Recorder::call(const Operator& record, const Out& out, Value* values) {
  const bool outer = outermost();
  if (!outer && !details_.possible()) return detail::invoke_unwatched(record, out, values);
  if (outer && autograd::modes.watched != autograd::kRecords)
    refuse("automatic casts or the profiler watch its operators");
  if (decides_by_elements(record, values)) {
    if (outer) refuse("what " + name_of(record) + "() gives depends on the elements of a tensor");
    details_.note_unknown();
  }
  // Noted before the call, which may change its arguments.
  Step step = step_of(Step::Kind::Call);
  note_arguments(step, record, out, values);
  details_.enter();
  const Failure failure(*this);
  Result result = [&] {
    const Inside inside(*this);
    return detail::invoke_unwatched(record, out, values);
  }();
  note_result(step, result);
  details_.leave(step, result);
  if (outer) tape_.steps.push_back(std::move(step));
  return result;
}

std::vector<Tensor> Recorder::backward(autograd::Request request, const std::vector<Tensor>& roots,
                                       const std::vector<Tensor>& gradients, const std::vector<Tensor>& inputs) {
  Step step = step_of(Step::Kind::Backward);
  for (const Tensor& t : roots) step.inputs.push_back(read(t));
  for (size_t i = 0; i < gradients.size(); ++i) {
    step.gradients.push_back(gradients[i].defined() ? read(gradients[i]) : kNone);
    if (!gradients[i].defined()) details_.root_gradient(request.gradients[i]);
  }
  for (const Tensor& t : inputs) step.wanted.push_back(read(t));
  step.keep_graph = request.keep_graph;
  step.create_graph = request.create_graph;
  step.accumulate = request.accumulate;
  details_.add(step);
  const Failure failure(*this);
  std::vector<Tensor> results = [&] {
    const Inside inside(*this);
    return run_engine(std::move(request));
  }();
  for (const Tensor& t : results)
    if (t.defined() && find_memory(t) == kNone) details_.give_up();
  note_result(step, Result(results));
  tape_.steps.push_back(std::move(step));
  return results;
}

void Recorder::load_gradient(const Tensor& of, const Tensor& gradient) {
  Step step = step_of(Step::Kind::LoadGradient);
  step.inputs = {read(of)};
  note_result(step, Result(gradient));
  add(std::move(step));
}

void Recorder::store_gradient(const Tensor& of, const Tensor& gradient) {
  Step step = step_of(Step::Kind::StoreGradient);
  step.inputs = {read(of), gradient.defined() ? read(gradient) : kNone};
  add(std::move(step));
}

void Recorder::made_from(Step::Kind kind, const Tensor& source, const Tensor& result) {
  Step step = step_of(kind);
  step.inputs = {read(source)};
  note_result(step, Result(result));
  add(std::move(step));
}

void Recorder::constant(const Tensor& made) {
  if (find(made) != kNone) return;
  Step step = step_of(Step::Kind::Constant);
  {
    const autograd::GradModeGuard off(false);
    step.constant = made.clone(MemoryFormat::Contiguous);
  }
  note_result(step, Result(made));
  add(std::move(step));
}

void Recorder::require_gradient(const Tensor& t, bool wanted) {
  Step step = step_of(Step::Kind::RequireGradient);
  step.inputs = {read(t)};
  step.flag = wanted;
  add(std::move(step));
}

// --- the end ---------------------------------------------------------------------------------------------------------

// A gradient that the steps drop before they could look at it may be anything, or be missing, when they run again.
void Recorder::note_outside_gradients() {
  for (Tape::Outside& entry : tape_.outside) {
    entry.gradient_matters = entry.facts.requires_grad || entry.has_gradient;
    for (const Step& step : tape_.steps) {
      if (step.kind == Step::Kind::StoreGradient && step.inputs[0] == entry.slot) {
        entry.gradient_matters = false;
        break;
      }
      const bool looks = step.kind == Step::Kind::Backward || step.kind == Step::Kind::LoadGradient ||
                         std::any_of(step.lists.begin(), step.lists.end(), [&](const std::vector<Slot>& list) {
                           return std::find(list.begin(), list.end(), entry.slot) != list.end();
                         });
      if (looks) break;
    }
  }
}

Tape Recorder::finish(std::vector<Slot> outputs) {
  note_outside_gradients();
  tape_.outputs = std::move(outputs);
  tape_.leaves_asked = autograd::modes.asked;
  tape_.leaves_inference = autograd::modes.inference;
  tape_.program = details_.finish(tape_);
  tape_.finish();
  known_.clear();
  by_storage_.clear();
  return std::move(tape_);
}

}  // namespace lumbre::compile
