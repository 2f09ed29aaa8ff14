// Runs the graph backwards.
#pragma once

#include "autograd/node.h"

namespace lumbre::autograd {

struct Request {
  std::vector<Edge> roots;
  std::vector<Tensor> gradients;  // one per root
  bool keep_graph = false;
  bool create_graph = false;
  // When not empty: gradients of these edges alone.
  std::vector<Edge> inputs;
  bool accumulate = false;  // into .grad of `inputs`, instead of returning them
};

// Told of every node that runs while calls are timed; set by whoever writes the times down.
struct NodeWatch {
  int64_t (*begins)(const Node& node) = nullptr;
  void (*ended)(int64_t event) = nullptr;
};
extern NodeWatch node_watch;

// Told of every node that runs while modes.watched has kRecords: torch.compile makes a program of what they do.
struct RunWatch {
  void (*applies)(Node& node, const Gradients& taken) = nullptr;
  void (*applied)(Node& node, const Gradients& given, bool released) = nullptr;
};
extern RunWatch run_watch;

// Adds into a leaf's gradient, or makes it that: what AccumulateGrad does, without its hooks.
void accumulate(const Tensor& variable, Tensor gradient);

// The gradients of `inputs` (undefined where the roots do not reach them), or nothing.
std::vector<Tensor> run(Request request);

// backward() of one scalar: the common case, without lists.
void run_from(const Tensor& root, const Tensor& gradient, bool keep_graph, bool create_graph);

}  // namespace lumbre::autograd
