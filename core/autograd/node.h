// The graph: nodes, the edges between them, and what a tensor knows of its history.
#pragma once

#include <memory>
#include <string>

#include "autograd/modes.h"
#include "base/short_list.h"
#include "tensor/tensor.h"

namespace lumbre::autograd {

class Node;
using NodeRef = Ref<Node>;

// Blocks of memory from pools of a few sizes: nodes and histories come and go with every recorded operation.
void* take_block(size_t bytes);
void give_block(void* block, size_t bytes) noexcept;
struct FromPool {
  static void* operator new(size_t bytes) { return take_block(bytes); }
  static void operator delete(void* block, size_t bytes) noexcept { give_block(block, bytes); }
};
using Gradients = ShortList<Tensor, 4>;

// Where a gradient goes: the `input`-th gradient that `node` takes.
struct Edge {
  NodeRef node;
  uint32_t input = 0;
  explicit operator bool() const noexcept { return static_cast<bool>(node); }
};

// How a cycle collector sees what hooks and nodes own: called with each object; a number other than 0 ends the visit.
using VisitObject = int (*)(void* object, void* argument);

// Hooks see gradients on their way. An undefined result leaves the gradient as it is.
class TensorHook {
 public:
  virtual ~TensorHook() = default;
  virtual Tensor call(const Tensor& gradient) = 0;
  virtual int visit(VisitObject, void*) const { return 0; }
};
class NodeHook {
 public:
  virtual ~NodeHook() = default;
  // Before the node runs: may replace the gradients that it takes.
  virtual void before(Gradients& taken) = 0;
  // After it ran: may replace the gradients that it gives.
  virtual void after(Gradients& given, const Gradients& taken) = 0;
  virtual int visit(VisitObject, void*) const { return 0; }
};

struct Hooks {
  struct OfTensor {
    uint32_t input;
    bool retains;  // keeps the gradient: runs after all others
    std::shared_ptr<TensorHook> hook;
  };
  std::vector<OfTensor> tensor;
  std::vector<std::shared_ptr<NodeHook>> node;
};

class Node : public FromPool {
 public:
  uint32_t references = 0;
  uint32_t taken = 1;     // how many gradients it takes: one per output of the operation
  uint64_t sequence = 0;  // nodes run in the reverse order of their making
  std::unique_ptr<Hooks> hooks;
  void* python_object = nullptr;        // borrowed: the one Python object that stands for this node, if any
  std::shared_ptr<std::string> origin;  // where it was made, in anomaly mode

  Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  virtual std::string name() const = 0;
  virtual std::span<Edge> edges() noexcept = 0;
  // Gradients of the inputs from those of the outputs; either side may hold undefined ones.
  virtual void apply(Gradients& taken, Gradients& given) = 0;
  // Drops saved tensors: the graph is not kept.
  virtual void release() noexcept {}
  // The objects that it owns itself.
  virtual int visit(VisitObject, void*) const { return 0; }
  // Whether it runs although every gradient it takes is undefined.
  virtual bool runs_without_gradients() const noexcept { return false; }
  Hooks& own_hooks() {
    if (!hooks) hooks = std::make_unique<Hooks>();
    return *hooks;
  }
  // Chains of nodes are taken down in a loop, however long they are.
  static void destroy(Node* node) noexcept;

  // The engine's notes on this node for the run whose number they carry.
  struct Notes {
    uint64_t run = 0;
    uint32_t waiting = 0;  // edges that have yet to deliver
    bool needed = true;    // leads to something that was asked for
    Gradients gradients;
  } notes;

  virtual ~Node() = default;

 protected:
  // Ends the node and gives back its memory.
  virtual void free() noexcept { std::default_delete<Node>()(this); }
};

// The node that adds into a leaf's gradient.
class AccumulateGrad final : public Node {
 public:
  explicit AccumulateGrad(const Tensor& variable);
  std::string name() const override { return "AccumulateGrad"; }
  std::span<Edge> edges() noexcept override { return {}; }
  void apply(Gradients& taken, Gradients& given) override;
  int visit(VisitObject visit, void* argument) const override;
  const Tensor& variable() const { return variable_; }
  ~AccumulateGrad() override;
  // Run after the gradient was added.
  std::vector<std::shared_ptr<TensorHook>> after;

 private:
  Tensor variable_;
};

// What a tensor knows of its history. Only tensors that take part have one.
struct History final : TensorHistory, FromPool {
  NodeRef node;  // null for a leaf
  uint32_t output = 0;
  Tensor gradient;
  AccumulateGrad* accumulator = nullptr;  // not owned: the node owns the leaf
  bool retains = false;
  std::unique_ptr<Hooks> leaf_hooks;  // a leaf's hooks before its accumulator exists
  std::vector<std::shared_ptr<TensorHook>> after_accumulation;
  std::shared_ptr<TensorData*> self;  // for hooks that must know when the tensor is gone
  ~History() override {
    if (self) *self = nullptr;
  }
};

// The objects that a tensor (a node) alone keeps alive, through nodes that only it leads to; none where it is shared.
int visit_owned(const TensorData& data, VisitObject visit, void* argument);
int visit_owned(Node& node, VisitObject visit, void* argument);

inline History* history_of(const Tensor& t) noexcept { return static_cast<History*>(t->history.get()); }
History& own_history(const Tensor& t);

// Whether operations on the tensor are recorded. A view follows its base through in-place operations.
void refresh_view(const Tensor& view);
inline bool requires_grad(const Tensor& t) {
  if (__builtin_expect(!t->base, 1)) return t->requires_grad;
  if (t->view_version != t->storage->version) refresh_view(t);
  return t->requires_grad || t->base->requires_grad;  // what was viewed unrecorded has no edge, but is not constant
}
NodeRef node_of(const Tensor& t);  // null for a leaf
inline bool is_leaf(const Tensor& t) { return !node_of(t); }
// Where the tensor's gradient goes; no edge when it needs none.
Edge gradient_edge(const Tensor& t);
void set_node(const Tensor& t, NodeRef node, uint32_t output);
// Forgets the history; the tensor becomes a leaf that requires no gradient.
void detach_in_place(const Tensor& t);

// A tensor that a node keeps for its gradient; reading it back checks that nobody wrote to it since.
class SavedTensor {
 public:
  SavedTensor() = default;
  static SavedTensor of_input(const Tensor& t);
  // An output must not own the node that it came from: the memory alone is kept.
  static SavedTensor of_output(const Tensor& t, uint32_t output);
  // An input that the operation writes to: its copy, with the history that it had.
  static SavedTensor of_overwritten(const Tensor& copy, const Tensor& original);
  bool defined() const noexcept { return tensor_.defined() || hooks_; }
  Tensor unpack(Node* owner) const;
  int visit(VisitObject visit, void* argument) const;
  void reset() noexcept {
    tensor_ = Tensor();
    hooks_.reset();
  }

  // Packs and unpacks through functions of the user's (saved_tensors_hooks).
  struct Packed {
    virtual ~Packed() = default;
    virtual Tensor unpack() = 0;
  };

 private:
  Tensor tensor_;
  std::unique_ptr<Packed> hooks_;
  uint32_t version_ = 0;
  uint32_t output_ = 0;
  bool is_output_ = false;
};
// Set by the Python side: packs a tensor when such hooks are in force, else gives null.
extern std::unique_ptr<SavedTensor::Packed> (*pack_hook)(const Tensor&);

// Marks `view` as a view of `of`'s memory that autograd follows.
enum class ViewKind : uint8_t { None, Normal, NoGrad, Inference, OneOfMany, Custom };
void note_view(const Tensor& view, const Tensor& of);

// Tensors made in inference mode are written to there alone: they count no versions.
void refuse_inference_write();
inline void check_inference_write(const Tensor& target) {
  if (__builtin_expect(target->inference, 0) && !modes.inference && !target->untracked) refuse_inference_write();
}
// Throws PyTorch's errors when `target` may not be written to while recording.
void check_in_place(const Tensor& target, bool recorded);
// `target` was written to by the operation of `node` (whose first edge, for a view, belongs to the view's gradient).
void rewrite_history(const Tensor& target, NodeRef node);

// The operations that the graph itself needs; core/ops gives them (they are recorded where gradients are recorded).
struct Arithmetic {
  Tensor (*add)(const Tensor&, const Tensor&) = nullptr;
  void (*add_in_place)(const Tensor&, const Tensor&) = nullptr;
  Tensor (*clone)(const Tensor&) = nullptr;
  Tensor (*zeros_like)(const Tensor&) = nullptr;
  NodeRef (*as_strided_node)(const Tensor& view) = nullptr;
  NodeRef (*copy_slices)(const Tensor& view, const Tensor& base, NodeRef node) = nullptr;
  bool (*has_nan)(const Tensor&) = nullptr;
};
extern Arithmetic arithmetic;

}  // namespace lumbre::autograd
