#include "ops/recording.h"

#include "ops/autocast.h"
#include "ops/backward.h"
#include "ops/profiling.h"

namespace lumbre {

using autograd::Edge;
using autograd::SavedTensor;

namespace {

// Calls f(tensor) for every tensor among the arguments; stops when it gives true.
template <class F>
bool any_tensor(const Operator& record, const Value* values, F f) {
  for (uint32_t rest = record.forward.tensors; rest; rest &= rest - 1) {
    const Value& value = values[std::countr_zero(rest)];
    if (value.given && value.kind == Param::Tensor && f(*value.tensor)) return true;
  }
  for (uint32_t rest = record.forward.lists; rest; rest &= rest - 1) {
    const Value& value = values[std::countr_zero(rest)];
    if (!value.given) continue;
    for (const Tensor& t : value.lists->tensors)
      if (t.defined() && f(t)) return true;
  }
  return false;
}

std::span<Tensor> tensors_of(Result& result) {
  if (auto* one = std::get_if<Tensor>(&result)) return {one, 1};
  if (auto* several = std::get_if<std::vector<Tensor>>(&result)) return *several;
  return {};
}

// A result may be a view of memory that only the forward knew: then it is nobody's view.
void drop_private_base(const Operator& record, const Value* values, const Tensor& t) {
  if (!any_tensor(record, values, [&](const Tensor& input) { return input.shares_storage(t); })) {
    t->base = Ref<TensorData>();
    t->view_kind = 0;
  }
}

[[noreturn]] void refuse_out(const Operator& record) {
  const std::string_view signature = record.signature;
  fail(
      ErrorKind::Runtime, signature.substr(0, signature.find('(')),
      "(): functions with out=... arguments don't support automatic differentiation, but one of the arguments requires "
      "grad.");
}

// An in-place form of an operator without a derivative: the old value no longer matters.
constexpr Derivative kOverwritten =
    gradients("ZeroBackward0", [](Backward& b) { b.give(0, op::zeros(b.sizes(0), b.dtype(0))); });

// In-place forms after which the target shows its memory in another way, if only in name.
bool changes_view_alone(const Operator& record) {
  constexpr std::string_view kNames[] = {"as_strided", "squeeze",   "swapaxes", "swapdims",
                                         "t",          "transpose", "unsqueeze"};
  const std::string_view signature = record.signature;
  return std::ranges::find(kNames, signature.substr(0, signature.find('('))) != std::end(kNames);
}

Result recorded_formula(const Operator& record, const Derivative& derivative, const Out& out, Value* values) {
  const Tensor* target = out.in_place() ? out.target() : nullptr;
  const autograd::NodeRef node = OperatorNode::make(record, derivative, values);
  auto* made = static_cast<OperatorNode*>(node.get());
  if (target) made->mark_in_place();
  made->save_inputs(values, target);
  const uint32_t version = target ? (*target)->storage->version : 0;
  Result result = record.forward.thunk(out, values);
  if (target) {
    if ((*target)->storage->version == version) target->bump_version();
    made->save_results({target, 1});
    if (changes_view_alone(record)) {  // the base is as it was
      autograd::set_node(*target, node, 0);
      (*target)->view_version = (*target)->storage->version;
    } else {
      autograd::rewrite_history(*target, node);
    }
    return result;
  }
  // A list of views, even of one, can be written to through its base alone.
  const bool many = std::holds_alternative<std::vector<Tensor>>(result);
  const std::span<Tensor> results = tensors_of(result);
  made->taken = static_cast<uint32_t>(std::max<size_t>(results.size(), 1));
  for (size_t i = 0; i < results.size(); ++i) {
    const Tensor& t = results[i];
    if (!t.defined() || !is_floating(t.dtype())) continue;
    if (any_tensor(record, values, [&](const Tensor& input) { return input.same(t); })) continue;
    if (t->base) {
      drop_private_base(record, values, t);
      if (many && t->base) t->view_kind = static_cast<uint8_t>(autograd::ViewKind::OneOfMany);
    }
    made->note_copy(!t->base);
    autograd::set_node(t, node, static_cast<uint32_t>(i));
  }
  made->save_results(results);
  return result;
}

}  // namespace

Result (*call_recorder)(const Operator& record, const Out& out, Value* values) = nullptr;

const Operator& find_record(std::string_view name, std::span<const Param> kinds) {
  const auto takes = [](Param wanted, Param given, bool optional) {
    if (given == wanted) return true;
    if (given == Param::Generator) return optional || wanted == Param::Generator;
    const bool number = given == Param::Bool || given == Param::Int || given == Param::Float || given == Param::Scalar;
    if (wanted == Param::Operand) return number || given == Param::Tensor;
    if (wanted == Param::Scalar) return number;
    if (wanted == Param::Float) return given == Param::Int || given == Param::Scalar;
    if (wanted == Param::OptionalTensors) return given == Param::Tensors;
    return false;
  };
  for (const Operator* record : operators()) {
    const std::string_view signature = record->signature;
    if (signature.substr(0, signature.find('(')) != name || record->forward.count != kinds.size()) continue;
    bool fits = true;
    for (size_t i = 0; i < kinds.size(); ++i)
      fits &= takes(record->forward.params[i], kinds[i], record->forward.optional[i]);
    if (fits) return *record;
  }
  fail(ErrorKind::NotImplemented, "no operator '", name, "' takes ", kinds.size(), " arguments of these kinds");
}

namespace detail {

void check_targets(const Out& out) {
  for (int i = 0; i < Out::kMax && out.target(i); ++i) autograd::check_inference_write(*out.target(i));
}

// Of lists of tensors and of given targets.
bool other_requires_grad(const Operator& record, const Out& out, const Value* values) {
  if (out.form() == Out::Form::Given) {
    for (int i = 0; i < Out::kMax; ++i)
      if (out.target(i) && autograd::requires_grad(*out.target(i))) return true;
  }
  return any_tensor(record, values, [](const Tensor& t) { return autograd::requires_grad(t); });
}

// nn.functional's inplace=True is the in-place form.
bool asks_in_place(const Operator& record, const Out& out, const Value* values) {
  const int count = record.forward.count;
  if (out.form() != Out::Form::Function || count == 0 || record.forward.params[count - 1] != Param::Bool) return false;
  return values[count - 1].flag && std::string_view(record.signature).find("inplace=False)") != std::string_view::npos;
}

Result recorded(const Operator& record, const Out& out, Value* values) {
  const Derivative& derivative = record.derivative;
  if (derivative.state != Derivative::State::Composed && asks_in_place(record, out, values)) {
    values[record.forward.count - 1].flag = false;
    const Tensor target = *values[0].tensor;
    return recorded(record, Out(Out::Form::InPlace, {&target, 1}), values);
  }
  if (out.form() == Out::Form::Given) {
    if (derivative.state == Derivative::State::None &&
        !any_tensor(record, values, [](const Tensor& t) { return autograd::requires_grad(t); }))
      return record.forward.thunk(out, values);
    refuse_out(record);
  }
  if (out.in_place()) {
    // What is written into integers has no gradient.
    autograd::check_in_place(*out.target(), is_floating(out.target()->dtype()));
    if (!is_floating(out.target()->dtype())) return record.forward.thunk(out, values);
  }
  switch (derivative.state) {
    case Derivative::State::None:
      if (out.in_place() && is_floating(out.target()->dtype()))
        return recorded_formula(record, kOverwritten, out, values);
      return run_unrecorded(record, out, values);
    case Derivative::State::Composed: {
      if (!out.in_place()) return run_unrecorded(record, out, values);
      const Tensor target = *out.target();
      op::call<"copy">.in_place(target, std::get<Tensor>(record.forward.thunk(Out(), values)), false);
      return Result(target);
    }
    default:
      return recorded_formula(record, derivative, out, values);
  }
}

void finish_views(const Operator& record, const Value* values, Result& result) {
  if (auto* one = std::get_if<Tensor>(&result)) {
    if (one->defined() && (*one)->base) drop_private_base(record, values, *one);
  } else if (auto* several = std::get_if<std::vector<Tensor>>(&result)) {
    for (Tensor& t : *several) {
      if (!t.defined() || !t->base) continue;
      drop_private_base(record, values, t);
      if (t->base && autograd::grad_enabled()) t->view_kind = static_cast<uint8_t>(autograd::ViewKind::OneOfMany);
    }
  }
  if (__builtin_expect(autograd::modes.inference, 0))
    for (Tensor& t : tensors_of(result))
      if (t.defined() && !any_tensor(record, values, [&](const Tensor& input) { return input.shares_storage(t); }))
        t->inference = true;
}

// Casts what a block of autocast says, then calls.
Result cast_and_called(const Operator& record, const Out& out, Value* values) {
  if (autocast::state().enabled && out.form() == Out::Form::Function) {
    const autocast::Policy policy = autocast::policy_of(record, values);
    if (policy != autocast::Policy::None) {
      std::vector<Tensor> made;
      const autocast::Disabled inside;
      autocast::cast_arguments(policy, record, values, made);
      return invoke(record, out, values);
    }
  }
  return invoke_unwatched(record, out, values);
}

Result watched(const Operator& record, const Out& out, Value* values) {
  if (autograd::modes.watched & autograd::kRecords) return call_recorder(record, out, values);
  if (!profiling::active()) return cast_and_called(record, out, values);
  const profiling::Scope scope(record, out.in_place(), values);
  return cast_and_called(record, out, values);
}

}  // namespace detail

// --- the node
// ---------------------------------------------------------------------------------------------------------

autograd::NodeRef OperatorNode::make(const Operator& record, const Derivative& derivative, const Value* values) {
  const size_t count = record.forward.count;
  size_t edge_count = static_cast<size_t>(std::popcount(record.forward.tensors));
  for (uint32_t rest = record.forward.lists; rest; rest &= rest - 1) {
    const Value& value = values[std::countr_zero(rest)];
    if (value.given) edge_count += value.lists->tensors.size();
  }
  uint32_t read = 0;
  for (const uint32_t uses : derivative.uses) read |= uses;
  const size_t inputs = std::min<size_t>(std::bit_width(read & 0xffff), count), results = std::bit_width(read >> 16);
  const auto aligned = [](size_t bytes) { return (bytes + 15) / 16 * 16; };
  const size_t own = aligned(sizeof(OperatorNode)), edge_bytes = aligned(edge_count * sizeof(Edge)),
               value_bytes = aligned(count * sizeof(Value)),
               saved_bytes = aligned((inputs + results) * sizeof(SavedTensor));
  const size_t bytes = own + edge_bytes + value_bytes + saved_bytes;
  auto* block = static_cast<char*>(autograd::take_block(bytes));
  auto* node = ::new (block) OperatorNode(record, derivative, bytes);
  node->edges_ = reinterpret_cast<Edge*>(block + own);
  node->values_ = reinterpret_cast<Value*>(block + own + edge_bytes);
  node->inputs_ = reinterpret_cast<SavedTensor*>(block + own + edge_bytes + value_bytes);
  node->results_ = node->inputs_ + inputs;
  node->edge_count_ = static_cast<uint32_t>(edge_count);
  node->saved_inputs_ = static_cast<uint8_t>(inputs);
  node->saved_results_ = static_cast<uint8_t>(results);
  for (size_t i = 0; i < edge_count; ++i) ::new (node->edges_ + i) Edge;
  for (size_t i = 0; i < count; ++i) ::new (node->values_ + i) Value;
  for (size_t i = 0; i < inputs + results; ++i) ::new (node->inputs_ + i) SavedTensor;
  autograd::NodeRef owned(node);
  node->gather_edges(values);
  for (size_t i = 0; i < count; ++i) node->note_argument(i, values[i]);
  return owned;
}

// One per tensor parameter and per member of a list, in order.
void OperatorNode::gather_edges(const Value* values) {
  Edge* edge = edges_;
  for (uint32_t rest = record_->forward.tensors | record_->forward.lists; rest; rest &= rest - 1) {
    const int i = std::countr_zero(rest);
    const Value& value = values[i];
    if (record_->forward.tensors >> i & 1) {
      if (value.given && value.kind == Param::Tensor) *edge = autograd::gradient_edge(*value.tensor);
      ++edge;
    } else if (value.given) {
      for (const Tensor& t : value.lists->tensors) {
        if (t.defined()) *edge = autograd::gradient_edge(t);
        ++edge;
      }
    }
  }
}

void OperatorNode::note_argument(size_t i, const Value& value) {
  Value& kept = values_[i];
  if (value.given && value.kind == Param::Tensor) {
    kept.given = true;
    kept.kind = Param::Tensor;
    kept.dtype = value.tensor->dtype();
    kept.dims = value.tensor->sizes();
  } else if (value.given && is_list_parameter(value.kind)) {
    kept.given = true;
    kept.kind = value.kind;
    list_ = std::make_unique<ListInfo>();
    list_->sizes.reserve(value.lists->tensors.size());
    list_->dtypes.reserve(value.lists->tensors.size());
    for (const Tensor& t : value.lists->tensors) {
      list_->sizes.push_back(t.defined() ? t.sizes() : Dims());
      list_->dtypes.push_back(t.defined() ? t.dtype() : DType::Bool);
    }
  } else {
    copy_value(value, kept);
  }
}

OperatorNode::~OperatorNode() {
  std::destroy_n(edges_, edge_count_);
  std::destroy_n(values_, record_->forward.count);
  std::destroy_n(inputs_, saved_inputs_ + saved_results_);
}

void OperatorNode::free() noexcept {
  const size_t bytes = bytes_;
  this->~OperatorNode();
  autograd::give_block(this, bytes);
}

std::string OperatorNode::name() const {
  if (derivative_->node_of) return derivative_->node_of(*this);
  if (derivative_->node) {
    // "A|B": B when the second operand is a tensor. "A;B": B when the second argument was given.
    // "A!B": B when the third argument was given. "A/B": B in the in-place form. "A~B": B when the result is no view.
    const std::string_view names = derivative_->node;
    if (const size_t forms = names.find('/'); forms != std::string_view::npos)
      return std::string(in_place_ ? names.substr(forms + 1) : names.substr(0, forms));
    if (const size_t forms = names.find('~'); forms != std::string_view::npos)
      return std::string(copied_ ? names.substr(forms + 1) : names.substr(0, forms));
    const size_t at = names.find_first_of("|;!");
    if (at == std::string_view::npos) return std::string(names);
    const auto& decides = values_[names[at] == '!' ? 2 : 1];
    const bool second = decides.given && (names[at] != '|' || decides.kind == Param::Tensor);
    return std::string(second ? names.substr(at + 1) : names.substr(0, at));
  }
  const std::string_view signature = record_->signature;
  std::string_view full = signature.substr(0, signature.find('('));
  full = full.substr(full.rfind('.') + 1);
  std::string title;
  bool upper = true;
  for (const char c : full) {
    if (c == '_') {
      upper = true;
    } else {
      title += upper ? static_cast<char>(std::toupper(c)) : c;
      upper = false;
    }
  }
  return title + "Backward0";
}

size_t OperatorNode::first_edge(int parameter) const {
  size_t at = 0;
  for (int i = 0; i < parameter; ++i) {
    const Param kind = record_->forward.params[i];
    if (is_tensor_parameter(kind)) ++at;
    if (is_list_parameter(kind) && values_[i].given) at += list_->sizes.size();
  }
  return at;
}

bool OperatorNode::wants(int parameter) const {
  const size_t first = first_edge(parameter);
  if (!is_list_parameter(record_->forward.params[parameter])) return static_cast<bool>(edges_[first]);
  const size_t members = values_[parameter].given ? list_->sizes.size() : 0;
  return std::any_of(edges_ + first, edges_ + first + members, [](const Edge& e) { return static_cast<bool>(e); });
}

uint32_t OperatorNode::used() const {
  uint32_t mask = 0;
  const int count = std::min<int>(record_->forward.count, Derivative::kMaxParameters);
  for (int i = 0; i < count; ++i) {
    if (derivative_->uses[static_cast<size_t>(i)] == 0) continue;
    const Param kind = record_->forward.params[i];
    if ((is_tensor_parameter(kind) || is_list_parameter(kind)) && wants(i))
      mask |= derivative_->uses[static_cast<size_t>(i)];
  }
  return mask;
}

void OperatorNode::save_inputs(const Value* values, const Tensor* written) {
  const uint32_t mask = used();
  needs_results_ = mask >> 16;
  const auto save = [&](const Tensor& t, int i) {
    // What is about to be overwritten is kept as it was; that another argument is the same tensor is left to the
    // version check.
    if (written && i == 0) {
      const autograd::GradModeGuard off(false);
      return SavedTensor::of_overwritten(t.clone(), t);
    }
    return SavedTensor::of_input(t);
  };
  for (int i = 0; i < saved_inputs_; ++i) {
    if (!(mask >> i & 1)) continue;
    const Value& value = values[i];
    if (derivative_->geometry_only) {
      inputs_[i] = SavedTensor::of_input(Tensor::over(Storage::make(0), value.tensor->dtype(), value.tensor->sizes(),
                                                      value.tensor->strides(), (*value.tensor)->offset));
      continue;
    }
    if (!value.given) continue;
    if (value.kind == Param::Tensor)
      inputs_[i] = save(*value.tensor, i);
    else if (is_list_parameter(value.kind))
      for (const Tensor& t : value.lists->tensors) list_->saved.push_back(t.defined() ? save(t, i) : SavedTensor());
  }
}

void OperatorNode::save_results(std::span<const Tensor> results) {
  if (results.size() > 1 && used() == 0)
    for (const Tensor& t : results) result_sizes_.push_back(t.sizes());
  if (!needs_results_) return;
  const uint32_t mask = used() >> 16;
  for (size_t k = 0; k < saved_results_ && k < results.size(); ++k)
    if (mask >> k & 1) results_[k] = SavedTensor::of_output(results[k], static_cast<uint32_t>(k));
}

void OperatorNode::release() noexcept {
  const uint32_t mask = used();
  if (!mask) return;
  released_ = true;
  for (size_t i = 0; i < saved_inputs_ + saved_results_; ++i) inputs_[i].reset();
  if (list_) list_->saved.clear();
}

int OperatorNode::visit(autograd::VisitObject visit, void* argument) const {
  for (size_t i = 0; i < saved_inputs_; ++i)
    if (const int stop = inputs_[i].visit(visit, argument)) return stop;
  return 0;
}

void OperatorNode::apply(autograd::Gradients& taken, autograd::Gradients& given) {
  // A view of what required no gradient when it was made: nothing was saved.
  if (std::none_of(edges_, edges_ + edge_count_, [](const Edge& e) { return static_cast<bool>(e); })) return;
  const std::string_view signature = record_->signature, operator_name = signature.substr(0, signature.find('('));
  LB_CHECK(derivative_ != &record_->derivative || record_->derivative.node != kDerivativeUnknown.node, Runtime,
           "derivative for aten::", operator_name, " is not implemented");
  LB_CHECK(derivative_->formula, NotImplemented, "the derivative for '", operator_name, "' is not implemented.");
  Backward backward(*this, taken, given);
  derivative_->formula(backward);
}

// --- what formulas see
// ------------------------------------------------------------------------------------------------

bool Backward::needs_member(size_t member) const {
  for (int i = 0; i < node_.record().forward.count; ++i)
    if (is_list_parameter(node_.record().forward.params[i]))
      return static_cast<bool>(node_.edges_[node_.first_edge(i) + member]);
  return false;
}

namespace {
const SavedTensor kNothing;
}
Tensor Backward::input(int parameter) const {
  if (!value(parameter).given) return Tensor();
  return (parameter < node_.saved_inputs_ ? node_.inputs_[parameter] : kNothing).unpack(&node_);
}
Tensor Backward::result(int k) const {
  return (k < node_.saved_results_ ? node_.results_[k] : kNothing).unpack(&node_);
}
bool Backward::is_tensor(int parameter) const {
  return value(parameter).given && value(parameter).kind == Param::Tensor;
}

std::vector<Tensor> Backward::members() const {
  LB_CHECK(!node_.released_, Runtime,
           "Trying to backward through the graph a second time (or directly access saved tensors after they have "
           "already been freed). Saved intermediate values of the graph are freed when you call .backward() or "
           "autograd.grad(). Specify retain_graph=True if you need to backward through the graph a second time or if "
           "you need to access saved tensors after calling backward.");
  std::vector<Tensor> tensors;
  for (const SavedTensor& saved : node_.list_->saved)
    tensors.push_back(saved.defined() ? saved.unpack(&node_) : Tensor());
  return tensors;
}

namespace {
Tensor fitted(Tensor gradient, const Dims& sizes, DType dtype) {
  if (!(gradient.sizes() == sizes)) gradient = sum_to(gradient, sizes);
  if (gradient.dtype() != dtype) gradient = op::cast(gradient, dtype);
  return gradient;
}
}  // namespace

void Backward::give(int parameter, Tensor gradient) {
  if (!gradient.defined() || !is_tensor(parameter)) return;
  const size_t at = node_.first_edge(parameter);
  if (node_.edges_[at]) given_[at] = fitted(std::move(gradient), sizes(parameter), dtype(parameter));
}

void Backward::give_member(size_t member, Tensor gradient) {
  if (!gradient.defined()) return;
  for (int i = 0; i < node_.record().forward.count; ++i) {
    if (!is_list_parameter(node_.record().forward.params[i])) continue;
    const size_t at = node_.first_edge(i) + member;
    if (node_.edges_[at])
      given_[at] = fitted(std::move(gradient), node_.list_->sizes[member], node_.list_->dtypes[member]);
    return;
  }
}

Tensor Backward::times(const Tensor& g, int parameter) const {
  return is_tensor(parameter) ? op::mul(g, input(parameter)) : op::mul(g, scalar(parameter));
}

Dims Backward::reduced(int parameter) const {
  const int n = ndim(0);
  Dims all;
  if (parameter < 0 || !given(parameter) || (value(parameter).kind == Param::Dims && value(parameter).dims.empty())) {
    for (int d = 0; d < n; ++d) all.push_back(d);
    return all;
  }
  if (value(parameter).kind != Param::Dims) return Dims{wrap_dim(integer(parameter), n)};
  for (const int64_t d : dims(parameter)) all.push_back(wrap_dim(d, n));
  return all;
}

Tensor Backward::unreduced(const Tensor& t, int parameter, bool keepdim) const {
  if (keepdim && t.ndim() == ndim(0)) return t;
  const Dims over = reduced(parameter);
  Dims kept = sizes(0);
  for (const int64_t d : over)
    if (d < kept.ndim()) kept[d] = 1;
  return op::reshape(t, kept);
}

Tensor Backward::spread(const Tensor& g, int parameter, bool keepdim) const {
  return op::expand(unreduced(g, parameter, keepdim), sizes(0));
}

double Backward::reduced_count(int parameter) const {
  double count = 1;
  for (const int64_t d : reduced(parameter))
    if (d < ndim(0)) count *= static_cast<double>(sizes(0)[d]);
  return count;
}

Tensor Backward::share(const Tensor& g, int parameter, bool keepdim) const {
  const Tensor mask = op::call<"eq">(input(0), unreduced(result(), parameter, keepdim));
  const Tensor found = op::cast(mask, g.dtype());
  const Tensor counts = op::sum(found, reduced(parameter), true);
  return op::mul(op::div(found, counts), unreduced(g, parameter, keepdim));
}

Tensor Backward::scattered(const Tensor& g, const Tensor& index, int64_t dim, bool keepdim) const {
  if (ndim(0) == 0) return g;
  const bool gone = !keepdim && g.ndim() < ndim(0);
  const Tensor where = gone ? op::unsqueeze(index, dim) : index, what = gone ? op::unsqueeze(g, dim) : g;
  return op::call<"scatter_add">(op::zeros(sizes(0), g.dtype()), dim, where, what);
}

Tensor sum_to(const Tensor& t, const Dims& sizes) {
  if (t.sizes() == sizes) return t;
  const int lead = t.ndim() - sizes.ndim();
  LB_CHECK(lead >= 0, Runtime, "a gradient of size ", t.sizes(), " does not fit an input of size ", sizes);
  Dims dims;
  for (int d = 0; d < lead; ++d) dims.push_back(d);
  for (int d = lead; d < t.ndim(); ++d)
    if (sizes[d - lead] == 1 && t.sizes()[d] != 1) dims.push_back(d);
  const Tensor sum = dims.empty() ? t : op::sum(t, dims, true);
  return op::reshape(sum, sizes);
}

// --- calls
// ------------------------------------------------------------------------------------------------------------

namespace op {

void put(Value& value, Param, const Tensor& tensor) {
  value.given = tensor.defined();
  value.kind = Param::Tensor;
  value.tensor = &tensor;
}
void put(Value& value, Param wanted, Scalar scalar) {
  value.given = true;
  value.kind = wanted;
  switch (wanted) {
    case Param::Int:
      value.integer = scalar.as_int();
      break;
    case Param::Float:
      value.real = scalar.as_double();
      break;
    case Param::Bool:
      value.flag = scalar.as_bool();
      break;
    case Param::Dims:
      value.dims = Dims{scalar.as_int()};
      break;
    default:
      value.kind = Param::Scalar;
      value.scalar = scalar;
  }
}
void put(Value& value, Param, const Dims& dims) {
  value.given = true;
  value.kind = Param::Dims;
  value.dims = dims;
}
void put(Value& value, Param, DType dtype) {
  value.given = true;
  value.kind = Param::DType;
  value.dtype = dtype;
}
void put(Value& value, Param, MemoryFormat format) {
  value.given = true;
  value.kind = Param::MemoryFormat;
  value.format = format;
}
void put(Value& value, Param wanted, const std::vector<Tensor>& tensors) {
  value.given = true;
  value.kind = wanted;
  value.own_lists().tensors = tensors;
}
void put(Value& value, Param, const char* text) {
  value.given = true;
  value.kind = Param::String;
  value.own_lists().string = text;
}

Tensor zeros(const Dims& sizes, DType dtype) { return Tensor::zeros(sizes, dtype); }
Tensor cast(const Tensor& a, DType dtype) {
  if (a.dtype() == dtype) return a;
  return call<"to">(a, dtype, false, false, none);
}

}  // namespace op
}  // namespace lumbre
