#include "autograd/engine.h"

#include <algorithm>
#include <optional>
#include <unordered_map>

namespace lumbre::autograd {

namespace {

uint64_t last_run = 0;
int depth = 0;  // runs inside of runs: hooks and user-defined functions may call backward

class Run {
 public:
  Run(const Request& request) : request_(request), number_(++last_run) { ++depth; }
  ~Run() {
    --depth;
    for (NodeRef& node : visited_)
      if (node->notes.run == number_) node->notes.gradients.clear();
    for (auto& [node, notes] : set_aside_) node->notes = std::move(notes);
  }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  void deliver_roots() {
    for (size_t i = 0; i < request_.roots.size(); ++i) {
      visit(request_.roots[i].node);
      Tensor gradient = request_.gradients[i];
      add(request_.roots[i], std::move(gradient));
    }
    count_edges();
    for (const Edge& input : request_.inputs) wanted_.emplace_back(input.node.get(), input.input);
    if (!wanted_.empty()) mark_needed();
    for (const Edge& root : request_.roots)
      if (root.node->notes.waiting == 0 && !queued(root.node.get())) push(root.node.get());
  }

  void drain() {
    while (!ready_.empty()) {
      std::pop_heap(ready_.begin(), ready_.end(), later);
      const NodeRef node(ready_.back());
      ready_.pop_back();
      step(*node);
    }
  }

  std::vector<Tensor> captured_;

 private:
  static bool later(const Node* a, const Node* b) { return a->sequence < b->sequence; }
  bool queued(Node* node) const { return std::find(ready_.begin(), ready_.end(), node) != ready_.end(); }
  void push(Node* node) {
    ready_.push_back(node);
    std::push_heap(ready_.begin(), ready_.end(), later);
  }

  // True at the first sight of a node in this run.
  bool visit(const NodeRef& node) {
    Node::Notes& notes = node->notes;
    if (notes.run == number_) return false;
    // An outer run that is under way may have its own notes there.
    if (depth > 1 && notes.run != 0) {
      set_aside_.emplace_back(node, std::move(notes));
      node->notes = Node::Notes();
    }
    notes.run = number_;
    notes.waiting = 0;
    notes.needed = true;
    notes.gradients.clear();
    notes.gradients.resize(node->taken);
    visited_.push_back(node);
    return true;
  }

  void count_edges() {
    for (size_t i = 0; i < visited_.size(); ++i) {
      Node* node = visited_[i].get();
      for (const Edge& edge : node->edges()) {
        if (!edge) continue;
        visit(edge.node);
        ++edge.node->notes.waiting;
      }
    }
  }

  // A node is needed when it leads to a wanted one. Sources before targets: an edge goes to an older node, but for
  // leaves, whose numbers are the highest; they have no edges.
  void mark_needed() {
    std::vector<Node*> order;
    for (const NodeRef& node : visited_) order.push_back(node.get());
    std::stable_sort(order.begin(), order.end(), [](const Node* a, const Node* b) {
      const bool a_leaf = a->sequence == UINT64_MAX, b_leaf = b->sequence == UINT64_MAX;
      return a_leaf != b_leaf ? a_leaf : a->sequence < b->sequence;
    });
    for (Node* node : order) {
      node->notes.needed = false;
      for (const Edge& edge : node->edges())
        if (edge && (edge.node->notes.needed || is_wanted(edge.node.get()))) node->notes.needed = true;
    }
    captured_.resize(request_.inputs.size());
  }
  bool is_wanted(const Node* node) const {
    return std::any_of(wanted_.begin(), wanted_.end(), [&](const auto& w) { return w.first == node; });
  }

  void add(const Edge& edge, Tensor gradient) {
    if (!gradient.defined()) return;
    Tensor& sum = edge.node->notes.gradients[edge.input];
    if (!sum.defined()) {
      sum = std::move(gradient);
      return;
    }
    // A sum that nobody else can see grows where it is.
    const bool alone = !grad_enabled() && sum->references == 1 && sum->storage->references == 1 &&
                       !sum->python_object && !sum->base && sum.is_dense() && sum.dtype() == gradient.dtype() &&
                       sum.sizes() == gradient.sizes();
    if (alone)
      arithmetic.add_in_place(sum, gradient);
    else
      sum = arithmetic.add(sum, gradient);
  }

  void run_hooks(Node& node, Gradients& taken) {
    if (!node.hooks) return;
    const auto tensor_hooks = node.hooks->tensor;
    for (const bool retains : {false, true})
      for (const Hooks::OfTensor& h : tensor_hooks) {
        if (h.retains != retains || h.input >= taken.size() || !taken[h.input].defined()) continue;
        Tensor replaced = h.hook->call(taken[h.input]);
        if (replaced.defined()) taken[h.input] = std::move(replaced);
      }
    const auto node_hooks = node.hooks->node;
    for (const auto& hook : node_hooks) hook->before(taken);
  }

  void capture(Node& node, Gradients& taken) {
    for (size_t i = 0; i < wanted_.size(); ++i)
      if (wanted_[i].first == &node) captured_[i] = taken[wanted_[i].second];
  }

  void step(Node& node) {
    Gradients taken = std::move(node.notes.gradients);
    node.notes.gradients = Gradients();
    taken.resize(node.taken);
    const bool some = std::any_of(taken.begin(), taken.end(), [](const Tensor& g) { return g.defined(); });
    Gradients given(node.edges().size());
    const bool leaf_of_inputs = !wanted_.empty() && node.sequence == UINT64_MAX;
    if (some) run_hooks(node, taken);
    if (!wanted_.empty()) capture(node, taken);
    const bool runs = node.notes.needed && !leaf_of_inputs && (some || node.runs_without_gradients());
    if (runs) {
      const bool told = __builtin_expect(modes.watched & kRecords, 0) && run_watch.applies;
      if (told) run_watch.applies(node, taken);
      apply(node, taken, given);
      if (!request_.keep_graph) node.release();
      if (told) run_watch.applied(node, given, !request_.keep_graph);
    }
    const std::span<Edge> edges = node.edges();
    for (size_t i = 0; i < edges.size(); ++i) {
      if (!edges[i]) continue;
      Node* next = edges[i].node.get();
      add(edges[i], std::move(given[i]));
      if (--next->notes.waiting == 0) push(next);
    }
  }

  void apply(Node& node, Gradients& taken, Gradients& given) {
    struct Timed {
      int64_t event;
      explicit Timed(const Node& node) : event(node_watch.begins(node)) {}
      ~Timed() { node_watch.ended(event); }
    };
    std::optional<Timed> timed;
    if (__builtin_expect(modes.watched & kTimes, 0) && node_watch.begins) timed.emplace(node);
    if (!node.hooks || node.hooks->node.empty()) {
      node.apply(taken, given);
    } else {
      Gradients kept = taken;
      node.apply(taken, given);
      const auto node_hooks = node.hooks->node;
      for (const auto& hook : node_hooks) hook->after(given, kept);
    }
    if (modes.anomaly && modes.anomaly_nan)
      for (size_t i = 0; i < given.size(); ++i)
        LB_CHECK(!given[i].defined() || !arithmetic.has_nan(given[i]), Runtime, "Function '", node.name(),
                 "' returned nan values in its ", i, "th output.");
  }

  const Request& request_;
  uint64_t number_;
  std::vector<NodeRef> visited_;
  std::vector<Node*> ready_;
  std::vector<std::pair<Node*, uint32_t>> wanted_;
  std::vector<std::pair<NodeRef, Node::Notes>> set_aside_;
};

}  // namespace

NodeWatch node_watch;
RunWatch run_watch;

std::vector<Tensor> run(Request request) {
  const GradModeGuard recording(request.create_graph);
  Run run(request);
  run.deliver_roots();
  run.drain();
  if (!request.accumulate) return std::move(run.captured_);
  for (size_t i = 0; i < request.inputs.size(); ++i) {
    auto* leaf = dynamic_cast<AccumulateGrad*>(request.inputs[i].node.get());
    LB_CHECK(leaf, Runtime, "gradients accumulate into leaves only");
    Gradients taken(1), given;
    taken[0] = std::move(run.captured_[i]);
    leaf->apply(taken, given);
  }
  return {};
}

void run_from(const Tensor& root, const Tensor& gradient, bool keep_graph, bool create_graph) {
  Request request;
  request.roots.push_back(gradient_edge(root));
  request.gradients.push_back(gradient);
  request.keep_graph = keep_graph;
  request.create_graph = create_graph;
  run(std::move(request));
}

}  // namespace lumbre::autograd
