#include "autograd/node.h"

#include "autograd/engine.h"

namespace lumbre::autograd {

constinit thread_local Modes modes __attribute__((tls_model("initial-exec")));
Arithmetic arithmetic;
std::unique_ptr<SavedTensor::Packed> (*pack_hook)(const Tensor&) = nullptr;

namespace {

uint64_t next_sequence = 0;

// Blocks of up to 16 steps of 64 bytes are kept for reuse.
constexpr size_t kStep = 64, kClasses = 32;
constexpr uint32_t kMaxIdle = 2048;
struct FreeBlock {
  FreeBlock* next;
};
FreeBlock* idle_blocks[kClasses];
uint32_t idle_counts[kClasses];

std::vector<Node*> doomed;
bool digging = false;

}  // namespace

void* take_block(size_t bytes) {
#if !defined(__SANITIZE_ADDRESS__)
  const size_t kind = (bytes - 1) / kStep;
  if (kind < kClasses) {
    if (FreeBlock* block = idle_blocks[kind]) {
      idle_blocks[kind] = block->next;
      --idle_counts[kind];
      return block;
    }
    bytes = (kind + 1) * kStep;
  }
#endif
  return ::operator new(bytes);
}

void give_block(void* block, size_t bytes) noexcept {
#if !defined(__SANITIZE_ADDRESS__)
  const size_t kind = (bytes - 1) / kStep;
  if (kind < kClasses && idle_counts[kind] < kMaxIdle) {
    idle_blocks[kind] = ::new (block) FreeBlock{idle_blocks[kind]};
    ++idle_counts[kind];
    return;
  }
#else
  static_cast<void>(bytes);
#endif
  ::operator delete(block);
}

Node::Node() : sequence(next_sequence++) {}

// Freeing a node drops its edges and saved tensors, which may be the last hold on other nodes: those wait in a list
// instead of on the call stack.
void Node::destroy(Node* node) noexcept {
  if (digging) {
    doomed.push_back(node);
    return;
  }
  digging = true;
  node->free();
  while (!doomed.empty()) {
    Node* next = doomed.back();
    doomed.pop_back();
    next->free();
  }
  digging = false;
}

// --- leaves
// -----------------------------------------------------------------------------------------------------------

AccumulateGrad::AccumulateGrad(const Tensor& variable) : variable_(variable) {
  sequence = UINT64_MAX;  // as soon as its gradient is complete
  History& history = own_history(variable);
  hooks = std::move(history.leaf_hooks);
  after = history.after_accumulation;
  history.accumulator = this;
}

AccumulateGrad::~AccumulateGrad() {
  History* history = history_of(variable_);
  if (!history || history->accumulator != this) return;
  history->accumulator = nullptr;
  history->leaf_hooks = std::move(hooks);
  history->after_accumulation = std::move(after);
}

namespace {
// A gradient lies in memory as its variable does, where that has no gaps: optimizers walk both at once.
Tensor in_layout_of(const Tensor& variable, const Tensor& gradient) {
  if (!variable.is_dense() || gradient.strides() == variable.strides()) return arithmetic.clone(gradient);
  const Tensor copy = Tensor::empty_strided(variable.sizes(), variable.strides(), gradient.dtype());
  copy.copy_from(gradient);
  return copy;
}
}  // namespace

void AccumulateGrad::apply(Gradients& taken, Gradients&) {
  Tensor& gradient = taken[0];
  if (!gradient.defined() || !variable_->requires_grad) return;  // a leaf may have been detached since
  LB_CHECK(gradient.sizes() == variable_.sizes(), Runtime, "AccumulateGrad got a gradient of size ", gradient.sizes(),
           " for a variable of size ", variable_.sizes());
  accumulate(variable_, std::move(gradient));
  const auto hooks_now = after;
  for (const auto& hook : hooks_now) hook->call(variable_);
}

void accumulate(const Tensor& variable, Tensor gradient) {
  History& history = own_history(variable);
  Tensor& sum = history.gradient;
  if (!sum.defined()) {
    // Nobody else holds it: it becomes the gradient as it is.
    const bool alone = gradient->references == 1 && !gradient->base && gradient->storage->references == 1 &&
                       gradient.is_dense() && (gradient.strides() == variable.strides() || gradient.is_contiguous());
    if (grad_enabled())
      sum = gradient;
    else if (alone)
      sum = std::move(gradient);
    else
      sum = in_layout_of(variable, gradient);
  } else if (grad_enabled()) {
    sum = arithmetic.add(sum, gradient);
  } else {
    arithmetic.add_in_place(sum, gradient);
  }
}

int AccumulateGrad::visit(VisitObject visit, void* argument) const {
  for (const auto& hook : after)
    if (const int stop = hook.use_count() == 1 ? hook->visit(visit, argument) : 0) return stop;
  return visit_owned(*variable_.get(), visit, argument);
}

// --- what only one tensor leads to
// ------------------------------------------------------------------------------------

namespace {
int visit_hooks(const Hooks* hooks, VisitObject visit, void* argument) {
  if (!hooks) return 0;
  for (const Hooks::OfTensor& h : hooks->tensor)
    if (const int stop = h.hook.use_count() == 1 ? h.hook->visit(visit, argument) : 0) return stop;
  for (const auto& hook : hooks->node)
    if (const int stop = hook.use_count() == 1 ? hook->visit(visit, argument) : 0) return stop;
  return 0;
}

int visit_kept(const TensorData* data, VisitObject visit, void* argument) {
  return data && data->references == 1 && data->keeps_object ? visit(data->python_object, argument) : 0;
}
}  // namespace

int visit_owned(Node& start, VisitObject visit, void* argument) {
  if (start.references != 1) return 0;
  std::vector<Node*> waiting{&start};
  while (!waiting.empty()) {
    Node* node = waiting.back();
    waiting.pop_back();
    if (const int stop = visit_hooks(node->hooks.get(), visit, argument)) return stop;
    if (const int stop = node->visit(visit, argument)) return stop;
    for (const Edge& edge : node->edges())
      if (edge && edge.node->references == 1) waiting.push_back(edge.node.get());
  }
  return 0;
}

int visit_owned(const TensorData& data, VisitObject visit, void* argument) {
  if (data.references != 1) return 0;
  // A kept object is seen instead of what lies behind it, which it shows itself.
  if (data.keeps_object) return visit(data.python_object, argument);
  if (const int stop = visit_kept(data.base.get(), visit, argument)) return stop;
  const auto* history = static_cast<const History*>(data.history.get());
  if (!history) return 0;
  if (const int stop = visit_kept(history->gradient.get(), visit, argument)) return stop;
  if (const int stop = visit_hooks(history->leaf_hooks.get(), visit, argument)) return stop;
  for (const auto& hook : history->after_accumulation)
    if (const int stop = hook.use_count() == 1 ? hook->visit(visit, argument) : 0) return stop;
  return history->node ? visit_owned(*history->node, visit, argument) : 0;
}

int SavedTensor::visit(VisitObject visit, void* argument) const { return visit_kept(tensor_.get(), visit, argument); }

// --- histories
// --------------------------------------------------------------------------------------------------------

History& own_history(const Tensor& t) {
  if (!t->history) t->history = std::make_unique<History>();
  return *static_cast<History*>(t->history.get());
}

void set_node(const Tensor& t, NodeRef node, uint32_t output) {
  History& history = own_history(t);
  history.node = std::move(node);
  history.output = output;
  history.retains = false;
  t->requires_grad = true;
}

namespace {
// "Unbind" for UnbindBackward0.
std::string operation_of(const Node& node) {
  const std::string name = node.name();
  return name.substr(0, name.find("Backward"));
}

// PyTorch's refusal of a view that cannot follow a change of the memory it shows: its own, or its base's.
[[noreturn]] void refuse_changed_view(const Tensor& view, bool through_base) {
  const auto kind = static_cast<ViewKind>(view->view_kind);
  const History* history = history_of(view);
  const char* how =
      through_base ? "its base or another view of its base has been modified inplace" : "is being modified inplace";
  const std::string moving =
      "Given that this use case is ambiguous and error-prone, it is forbidden. You can clarify your code by moving "
      "both "
      "the view and the inplace either both inside the ";
  if (kind == ViewKind::NoGrad || kind == ViewKind::Inference) {
    const bool inference = kind == ViewKind::Inference;
    fail(ErrorKind::Runtime, "A view was created in ", inference ? "inference mode" : "no_grad mode", " and ", how,
         inference ? " in normal mode. " : " with grad mode enabled. ", moving,
         inference ? "inference_mode" : "no_grad",
         " block (if you don't want the inplace to be tracked) or both outside (if you want the inplace to be "
         "tracked).");
  }
  const std::string what = history && history->node ? text("Output ", history->output, " of ",
                                                           operation_of(*history->node), " is a view and ")
                                                    : std::string("A view was created ");
  fail(ErrorKind::Runtime, what, how,
       kind == ViewKind::OneOfMany
           ? ". This view is the output of a function that returns multiple views. Such functions do not allow the "
             "output views to be modified inplace. You should replace the inplace operation by an out-of-place one."
           : ". This view was created inside a custom Function (or because an input was returned as-is) and the "
             "autograd logic to handle view+inplace would override the custom backward associated with the custom "
             "Function, leading to incorrect gradients. This behavior is forbidden. You can fix this by cloning the "
             "output of the custom Function.");
}

// A view whose history cannot be made anew stays behind its storage's version when that changes.
void check_up_to_date(const Tensor& t) {
  if (t->base && t->view_version != t->storage->version && static_cast<ViewKind>(t->view_kind) != ViewKind::Normal)
    refuse_changed_view(t, true);
}
}  // namespace

void refresh_view(const Tensor& view) {
  TensorData& data = *view.get();
  if (static_cast<ViewKind>(data.view_kind) != ViewKind::Normal) return;
  // The base may require a gradient later: until then a view without a history stays behind.
  const History* history = history_of(view);
  if (!requires_grad(Tensor(data.base)) && !(history && history->node)) return;
  data.view_version = data.storage->version;
  set_node(view, arithmetic.as_strided_node(view), 0);
}

NodeRef node_of(const Tensor& t) {
  if (requires_grad(t)) check_up_to_date(t);
  const History* history = history_of(t);
  return history ? history->node : NodeRef();
}

Edge gradient_edge(const Tensor& t) {
  if (!requires_grad(t)) return {};
  check_up_to_date(t);
  History& history = own_history(t);
  if (history.node) return {history.node, history.output};
  if (!t->requires_grad) return {};
  if (!history.accumulator) return {NodeRef(std::make_unique<AccumulateGrad>(t).release()), 0};
  return {NodeRef(history.accumulator), 0};
}

void detach_in_place(const Tensor& t) {
  LB_CHECK(
      static_cast<ViewKind>(t->view_kind) == ViewKind::None || !t->base, Runtime,
      "Can't detach views in-place. Use detach() instead. If you are using DistributedDataParallel (DDP) for "
      "training, and gradient_as_bucket_view is set as True, gradients are views of DDP buckets, and hence "
      "detach_() cannot be called on these gradients. To fix this error, please refer to the Optimizer.zero_grad() "
      "function in torch/optim/optimizer.py as the solution.");
  t->requires_grad = false;
  if (History* history = history_of(t)) {
    history->node = NodeRef();
    history->output = 0;
  }
}

void note_view(const Tensor& view, const Tensor& of) {
  if (__builtin_expect(of->inference, 0)) {
    view->inference = true;
    return;
  }
  view->base = of->base ? of->base : Ref<TensorData>(of.get());
  ViewKind kind = grad_enabled() ? ViewKind::Normal : modes.inference ? ViewKind::Inference : ViewKind::NoGrad;
  const auto parent = static_cast<ViewKind>(of->view_kind);
  if (of->base && kind == ViewKind::Normal && parent != ViewKind::None) kind = parent;
  view->view_kind = static_cast<uint8_t>(kind);
  view->view_version = view->storage->version;
  view->untracked = of->untracked;
}

void refuse_inference_write() {
  fail(ErrorKind::Runtime,
       "Inplace update to inference tensor outside InferenceMode is not allowed."
       "You can make a clone to get a normal tensor before doing inplace update."
       "See https://github.com/pytorch/rfcs/pull/17 for more details.");
}

void check_in_place(const Tensor& target, bool recorded) {
  if (!grad_enabled()) return;
  const bool tracked = requires_grad(target);
  if (target->base) {
    const auto kind = static_cast<ViewKind>(target->view_kind);
    const bool matters = tracked || recorded || requires_grad(Tensor(target->base));
    if (matters && kind != ViewKind::Normal) refuse_changed_view(target, false);
    const Tensor base(target->base);
    LB_CHECK(!(requires_grad(base) && is_leaf(base)), Runtime,
             "a view of a leaf Variable that requires grad is being used in an in-place operation.");
  }
  LB_CHECK(!(tracked && is_leaf(target)), Runtime,
           "a leaf Variable that requires grad is being used in an in-place operation.");
}

void rewrite_history(const Tensor& target, NodeRef node) {
  if (!target->base || static_cast<ViewKind>(target->view_kind) == ViewKind::None) {
    set_node(target, std::move(node), 0);
    return;
  }
  const Tensor base(target->base);
  NodeRef copy = arithmetic.copy_slices(target, base, std::move(node));
  set_node(base, std::move(copy), 0);
  // The view's own node is made anew from the base when it is asked for.
  target->requires_grad = true;
  target->view_version = target->storage->version - 1;
}

// --- saved tensors
// ----------------------------------------------------------------------------------------------------

SavedTensor SavedTensor::of_input(const Tensor& t) {
  SavedTensor saved;
  saved.version_ = t->storage->version;
  LB_CHECK(!t->inference, Runtime,
           "Inference tensors cannot be saved for backward. Please do not use Tensors created in inference mode in "
           "computation tracked by autograd. To work around this, you can make a clone to get a normal tensor and use "
           "it in autograd, or use `torch.no_grad()` instead of `torch.inference_mode()`.");
  if (pack_hook && (saved.hooks_ = pack_hook(t))) return saved;
  saved.tensor_ = t;
  return saved;
}

SavedTensor SavedTensor::of_overwritten(const Tensor& copy, const Tensor& original) {
  if (const NodeRef node = node_of(original)) set_node(copy, node, history_of(original)->output);
  return of_input(copy);
}

SavedTensor SavedTensor::of_output(const Tensor& t, uint32_t output) {
  SavedTensor saved;
  saved.version_ = t->storage->version;
  saved.is_output_ = true;
  saved.output_ = output;
  const Tensor alias = Tensor::over(t->storage, t.dtype(), t.sizes(), t.strides(), t->offset);
  if (pack_hook && (saved.hooks_ = pack_hook(alias))) return saved;
  saved.tensor_ = alias;
  return saved;
}

Tensor SavedTensor::unpack(Node* owner) const {
  if (hooks_) {
    Tensor unpacked = hooks_->unpack();
    if (is_output_ && grad_enabled()) set_node(unpacked, NodeRef(owner), output_);
    return unpacked;
  }
  LB_CHECK(tensor_.defined(), Runtime,
           "Trying to backward through the graph a second time (or directly access saved tensors after they have "
           "already been freed). Saved intermediate values of the graph are freed when you call .backward() or "
           "autograd.grad(). Specify retain_graph=True if you need to backward through the graph a second time or if "
           "you need to access saved tensors after calling backward.");
  if (tensor_->storage->version != version_) {
    const NodeRef node = is_output_ ? NodeRef(owner) : node_of(tensor_);
    const History* history = history_of(tensor_);
    const std::string source =
        node ? text(", which is output ", is_output_ ? output_ : history->output, " of ", operation_of(*node), ",")
             : "";
    fail(ErrorKind::Runtime,
         "one of the variables needed for gradient computation has been modified by an inplace operation: [torch.",
         dtype_title(tensor_.dtype()), "Tensor ", tensor_.sizes(), "]", source, " is at version ",
         tensor_->storage->version, "; expected version ", version_,
         " instead. Hint: enable anomaly detection to find the operation that failed to compute its gradient, with "
         "torch.autograd.set_detect_anomaly(True, check_nan=False).");
  }
  if (!is_output_ || !owner || !grad_enabled()) return tensor_;
  Tensor output = Tensor::over(tensor_->storage, tensor_.dtype(), tensor_.sizes(), tensor_.strides(), tensor_->offset);
  set_node(output, NodeRef(owner), output_);
  return output;
}

}  // namespace lumbre::autograd
