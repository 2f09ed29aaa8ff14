// What the graph needs of the operators: sums of gradients, and views under in-place operations.
#include "ops/backward.h"
#include "ops/views.h"

namespace lumbre {

namespace {

using autograd::Edge;
using autograd::Gradients;
using autograd::NodeRef;

struct Geometry {
  Dims sizes, strides;
  int64_t offset = 0;
  explicit Geometry(const Tensor& t) : sizes(t.sizes()), strides(t.strides()), offset(t->offset) {}
};

// After an in-place operation on a view, the base is its old value with the view's place replaced: the node applies the
// operation's own node to that place of the gradient.
class CopySlices final : public autograd::Node {
 public:
  CopySlices(const Tensor& view, const Tensor& base, NodeRef function)
      : view_(view), base_(base), dtype_(base.dtype()), function_(std::move(function)) {
    edges_.push_back(autograd::gradient_edge(base));
    const std::span<Edge> inner = function_->edges();
    for (size_t i = 1; i < inner.size(); ++i) edges_.push_back(inner[i]);
  }
  std::string name() const override { return "CopySlices"; }
  std::span<Edge> edges() noexcept override { return edges_; }
  void release() noexcept override { function_->release(); }
  void apply(Gradients& taken, Gradients& given) override {
    const Tensor whole = Tensor::empty_strided(base_.sizes, base_.strides, dtype_);
    {
      const autograd::GradModeGuard off(false);
      if (!whole.is_dense()) Tensor::over(whole->storage, dtype_, {reach(base_.sizes, base_.strides)}, {1}, 0).fill(0);
    }
    op::call<"copy">.in_place(whole, taken[0], false);
    const Tensor part = op::call<"as_strided">(whole, view_.sizes, view_.strides, view_.offset - base_.offset);
    Gradients inner_taken(1), inner_given(function_->edges().size());
    inner_taken[0] = op::call<"clone">(part, MemoryFormat::Contiguous);
    function_->apply(inner_taken, inner_given);
    if (inner_given.size() && inner_given[0].defined())
      op::call<"copy">.in_place(part, inner_given[0], false);
    else
      op::call<"zero">.in_place(part);
    given[0] = whole;
    for (size_t i = 1; i < inner_given.size(); ++i) given[i] = inner_given[i];
  }

 private:
  Geometry view_, base_;
  DType dtype_;
  NodeRef function_;
  std::vector<Edge> edges_;
};

NodeRef copy_slices(const Tensor& view, const Tensor& base, NodeRef node) {
  return NodeRef(std::make_unique<CopySlices>(view, base, std::move(node)).release());
}

NodeRef as_strided_node(const Tensor& view) {
  static const Operator& record = []() -> const Operator& {
    constexpr Param kinds[] = {Param::Tensor, Param::Dims, Param::Dims, Param::Int};
    return find_record("as_strided", kinds);
  }();
  const Tensor base(view->base);
  Value values[4];
  op::put(values[0], Param::Tensor, base);
  op::put(values[1], Param::Dims, view.sizes());
  op::put(values[2], Param::Dims, view.strides());
  op::put(values[3], Param::Int, view->offset);
  NodeRef node = OperatorNode::make(record, record.derivative, values);
  static_cast<OperatorNode*>(node.get())->save_inputs(values, nullptr);
  return node;
}

bool has_nan(const Tensor& t) {
  const autograd::GradModeGuard off(false);
  return op::call<"any">(op::call<"isnan">(t), op::none, false).item().as_bool();
}

struct Wiring {
  Wiring() {
    autograd::arithmetic = {
        .add = [](const Tensor& a, const Tensor& b) { return op::add(a, b); },
        .add_in_place = [](const Tensor& a, const Tensor& b) { op::call<"add">.in_place(a, b, Scalar(1)); },
        .clone =
            [](const Tensor& t) { return t.clone(t.is_dense() ? MemoryFormat::Preserve : MemoryFormat::Contiguous); },
        .zeros_like = [](const Tensor& t) { return Tensor::zeros(t.sizes(), t.dtype()); },
        .as_strided_node = as_strided_node,
        .copy_slices = copy_slices,
        .has_nan = has_nan,
    };
  }
};
const Wiring wiring;

}  // namespace
}  // namespace lumbre
