// Calls of operators: run the forward and, where a gradient will be wanted, leave a node in the graph.
#pragma once

#include <bit>

#include "autograd/node.h"
#include "ops/registry.h"

namespace lumbre {

namespace detail {
bool other_requires_grad(const Operator& record, const Out& out, const Value* values);
// Whether the call is recorded, where calls are.
inline bool takes_part(const Operator& record, const Out& out, const Value* values) {
  for (uint32_t rest = record.forward.tensors; rest; rest &= rest - 1) {
    const Value& value = values[std::countr_zero(rest)];
    if (value.given && value.kind == Param::Tensor && autograd::requires_grad(*value.tensor)) return true;
  }
  return (record.forward.lists || out.form() == Out::Form::Given) && other_requires_grad(record, out, values);
}
Result recorded(const Operator& record, const Out& out, Value* values);
void finish_views(const Operator& record, const Value* values, Result& result);
void check_targets(const Out& out);
Result watched(const Operator& record, const Out& out, Value* values);
bool asks_in_place(const Operator& record, const Out& out, const Value* values);

inline Result run_unrecorded(const Operator& record, const Out& out, Value* values) {
  Result result = record.forward.thunk(out, values);
  if (out.form() != Out::Form::Function) return result;
  // Most often: one tensor that is nobody's view.
  const Tensor* one = std::get_if<Tensor>(&result);
  const bool done = !one || (one->defined() && !(*one)->base && !autograd::modes.inference);
  if (!done || std::holds_alternative<std::vector<Tensor>>(result)) finish_views(record, values, result);
  return result;
}

inline Result invoke_unwatched(const Operator& record, const Out& out, Value* values) {
  if (out.form() != Out::Form::Function) check_targets(out);
  if (autograd::grad_enabled() && takes_part(record, out, values)) return recorded(record, out, values);
  return run_unrecorded(record, out, values);
}
}  // namespace detail

// Makes a call and writes it down (core/compile), where modes.watched asks for it.
extern Result (*call_recorder)(const Operator& record, const Out& out, Value* values);

// The one way to call an operator: Python's functions, methods and slots come here, and so do formulas.
inline Result invoke(const Operator& record, const Out& out, Value* values) {
  if (__builtin_expect(autograd::modes.watched, 0)) return detail::watched(record, out, values);
  return detail::invoke_unwatched(record, out, values);
}

// The record of a name that takes arguments of these kinds; throws when there is none.
const Operator& find_record(std::string_view name, std::span<const Param> kinds);

// A node of the graph that a record's formula serves.
class OperatorNode final : public autograd::Node {
 public:
  // With an edge to the history of each tensor among the arguments.
  static autograd::NodeRef make(const Operator& record, const Derivative& derivative, const Value* values);
  std::string name() const override;
  std::span<autograd::Edge> edges() noexcept override { return {edges_, edge_count_}; }
  void apply(autograd::Gradients& taken, autograd::Gradients& given) override;
  void release() noexcept override;
  int visit(autograd::VisitObject visit, void* argument) const override;
  void mark_in_place() { in_place_ = true; }
  void note_copy(bool copied) { copied_ = copied; }
  void save_inputs(const Value* values, const Tensor* written);
  void save_results(std::span<const Tensor> results);
  const Operator& record() const { return *record_; }
  const Value& argument(int parameter) const { return values_[parameter]; }  // of a tensor: its sizes and dtype
  bool wants(int parameter) const;

 private:
  friend class Backward;
  // Members of a list of tensors: their geometry, and themselves where the formula reads them.
  struct ListInfo {
    std::vector<Dims> sizes;
    std::vector<DType> dtypes;
    std::vector<autograd::SavedTensor> saved;
  };
  OperatorNode(const Operator& record, const Derivative& derivative, size_t bytes)
      : record_(&record), derivative_(&derivative), bytes_(static_cast<uint32_t>(bytes)) {}
  ~OperatorNode() override;
  void free() noexcept override;
  void gather_edges(const Value* values);
  void note_argument(size_t i, const Value& value);
  size_t first_edge(int parameter) const;
  uint32_t used() const;  // the union of what the wanted gradients read

  const Operator* record_;
  const Derivative* derivative_;
  uint32_t bytes_;
  uint32_t edge_count_ = 0;
  uint8_t saved_inputs_ = 0;  // how many inputs and results the formula may read, counted from the first
  uint8_t saved_results_ = 0;
  bool needs_results_ = false;
  bool released_ = false;
  bool in_place_ = false;
  bool copied_ = false;              // the result has memory of its own
  autograd::Edge* edges_ = nullptr;  // one per tensor parameter, several per list
  Value* values_ = nullptr;          // arguments; a tensor's entry holds its sizes and dtype
  autograd::SavedTensor* inputs_ = nullptr;
  autograd::SavedTensor* results_ = nullptr;
  std::unique_ptr<ListInfo> list_;
  std::vector<Dims> result_sizes_;  // of several results that are pieces of the input
};

}  // namespace lumbre
