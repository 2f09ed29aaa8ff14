// What goes on inside of the steps of a recording, so that they can be taken apart: the calls that a composed operator
// makes, and those of each derivative while the engine runs. Where all of them are understood, and no graph outlives
// the run, they are a program.
#pragma once

#include <memory>
#include <unordered_map>
#include <unordered_set>

#include "compile/program.h"
#include "ops/pointwise.h"

namespace lumbre::compile {

class Recorder;

class Details {
 public:
  explicit Details(Recorder& recorder) : recorder_(recorder) {}
  bool possible() const { return possible_; }
  void give_up() { possible_ = false; }

  // Around a call; `leave` keeps either what was called inside of it or the call itself.
  void enter();
  void leave(const Step& step, const Result& result);
  // Around the work of a node of the graph.
  void node_applies(autograd::Node& node, const autograd::Gradients& taken);
  void node_applied(autograd::Node& node, const autograd::Gradients& given, bool released);
  void root_gradient(const Tensor& made);
  // Other steps of the program's own.
  void add(const Step& step);
  void note_unknown() {
    if (!regions_.empty()) regions_.back().unknown = true;
  }
  void note_pointwise(const PointwiseCall& call);

  // The program, if there is one, for these results.
  std::unique_ptr<Program> finish(const Tape& tape);

 private:
  struct Region {
    size_t begin;
    uint64_t reads;
    bool unknown = false;
    int pointwise_calls = 0;
    std::unique_ptr<Pointwise> pointwise;
  };
  bool explained(const Region& region) const;
  Region take_region();
  void note_nodes(const Step& step, const Result& result);
  bool derive(const autograd::Node& node, std::span<autograd::Edge> edges, const autograd::Gradients& given);
  bool is_spent(const autograd::NodeRef& node) const;
  bool outputs_fit(const Tape& tape, std::vector<Program::Spent>& spent) const;

  Recorder& recorder_;
  bool possible_ = true;
  std::vector<Step> steps_;
  std::vector<Region> regions_;
  std::vector<Slot> taken_;  // of the node that is at work: the slots of its gradients
  std::unordered_set<const autograd::Node*> made_, released_;
  std::unordered_map<const autograd::Node*, Step> calls_;  // that a node is the derivative of
  std::vector<autograd::NodeRef> held_;                    // so that no other node takes the place of one that is noted
};

Step copy_of(const Step& step);

}  // namespace lumbre::compile
