// A tape without its graph: the calls of derivatives stand where the engine ran them, so that nothing is recorded for
// them, and chains of pointwise operations run in one pass.
#pragma once

#include "compile/tape.h"

namespace lumbre::compile {

class Program {
 public:
  // A result whose graph was run backwards and freed: it shows the node that it came from, as the recorded one did.
  struct Spent {
    Slot slot;
    autograd::NodeRef node;
    uint32_t output;
  };

  Program(std::vector<Step> steps, std::vector<Spent> spent) : steps_(std::move(steps)), spent_(std::move(spent)) {}
  void finish(std::vector<Tensor>& slots, std::vector<bool> kept);
  size_t size() const { return steps_.size(); }
  // Whether nobody listens to what the graph would tell.
  bool fits(const std::vector<Tensor>& slots) const;
  void run(std::vector<Tensor>& slots);

 private:
  void call(Step& step, std::vector<Tensor>& slots);

  std::vector<Step> steps_;
  std::vector<Spent> spent_;
};

}  // namespace lumbre::compile
