// The gates of an LSTM, forward and backward in one pass each (Hochreiter and Schmidhuber 1997).
#include "kernels/recurrent.h"

#include "base/threads.h"
#include "ops/gradients.h"

namespace lumbre::ops {

namespace {

constexpr int64_t kRows = 8;

bool native(const Tensor& t) { return t.dtype() == DType::Float32 || t.dtype() == DType::Float64; }

// (hidden, cell, active gates) from gates (N, 4 H) and cell (N, H).
std::tuple<Tensor, Tensor, Tensor> lstm_gates(const Tensor& gates, const Tensor& cell) {
  LB_CHECK(gates.ndim() == 2 && cell.ndim() == 2 && gates.sizes()[0] == cell.sizes()[0] &&
               gates.sizes()[1] == checked_multiply(4, cell.sizes()[1]) && gates.dtype() == cell.dtype(),
           Runtime, "an LSTM's gates are (N, 4 H) for a cell of (N, H), got ", gates.sizes(), " and ", cell.sizes());
  LB_CHECK(is_floating(gates.dtype()), Runtime, "an LSTM computes with floating-point numbers");
  const DType compute = native(gates) ? gates.dtype() : DType::Float32;
  const Tensor g = gates.to(compute).contiguous(), c = cell.to(compute).contiguous();
  const Tensor active = Tensor::empty(g.sizes(), compute), hidden = Tensor::empty(c.sizes(), compute),
               next = Tensor::empty(c.sizes(), compute);
  const int64_t width = c.sizes()[1];
  const auto item = static_cast<int64_t>(g.item_bytes());
  const LstmForward loop = recurrent_table().forward[compute == DType::Float64];
  parallel_for(c.sizes()[0], std::max<int64_t>(kRows, 8192 / std::max<int64_t>(width, 1)),
               [&](int64_t from, int64_t to) {
                 const int64_t wide = from * 4 * width * item, narrow = from * width * item;
                 loop(to - from, width, g.bytes() + wide, c.bytes() + narrow, active.bytes() + wide,
                      hidden.bytes() + narrow, next.bytes() + narrow);
               });
  return {hidden.to(gates.dtype()), next.to(gates.dtype()), active.to(gates.dtype())};
}

std::tuple<Tensor, Tensor> lstm_slope(const Tensor& active, const Tensor& cell, const Tensor& next,
                                      const Tensor& grad_hidden, const Tensor& grad_next) {
  const DType compute = native(active) ? active.dtype() : DType::Float32;
  const auto prepared = [&](const Tensor& t) { return t.defined() ? t.to(compute).contiguous() : t; };
  const Tensor a = prepared(active), c = prepared(cell), n = prepared(next), gh = prepared(grad_hidden),
               gn = prepared(grad_next);
  const Tensor grad_gates = Tensor::empty(a.sizes(), compute), grad_cell = Tensor::empty(c.sizes(), compute);
  const int64_t width = c.sizes()[1];
  const auto item = static_cast<int64_t>(a.item_bytes());
  const LstmBackward loop = recurrent_table().backward[compute == DType::Float64];
  parallel_for(c.sizes()[0], std::max<int64_t>(kRows, 8192 / std::max<int64_t>(width, 1)),
               [&](int64_t from, int64_t to) {
                 const int64_t wide = from * 4 * width * item, narrow = from * width * item;
                 const auto at = [&](const Tensor& t) { return t.defined() ? t.bytes() + narrow : nullptr; };
                 loop(to - from, width, a.bytes() + wide, c.bytes() + narrow, n.bytes() + narrow, at(gh), at(gn),
                      grad_gates.bytes() + wide, grad_cell.bytes() + narrow);
               });
  return {grad_gates.to(active.dtype()), grad_cell.to(active.dtype())};
}

void lstm_gradient(Backward& b) {
  using namespace op;
  const Tensor gates = b.input(0), cell = b.input(1);
  if (!autograd::grad_enabled() && !b.has(2)) {
    const auto [to_gates, to_cell] = lstm_slope(b.result(2), cell, b.result(1), b.grad(0), b.grad(1));
    b.give(0, to_gates);
    b.give(1, to_cell);
    return;
  }
  LB_CHECK(!b.has(2), NotImplemented, "the active gates of an LSTM are not differentiated by themselves");
  // Gradients that are to be differentiated again: the same, step by step, from the inputs.
  const int64_t width = cell.sizes()[1];
  const auto part = [&](int64_t k) { return call<"narrow">(gates, int64_t{1}, k * width, width); };
  const Tensor i = call<"sigmoid">(part(0)), f = call<"sigmoid">(part(1)), g = call<"tanh">(part(2)),
               o = call<"sigmoid">(part(3));
  const Tensor t = call<"tanh">(f * cell + i * g);
  const auto slope = [](const Tensor& s) { return s * (Scalar(1) - s); };
  Tensor d = b.has(1) ? b.grad(1) : op::zeros(cell.sizes(), cell.dtype());
  Tensor to_output = op::zeros(cell.sizes(), cell.dtype());
  if (b.has(0)) {
    d = d + b.grad(0) * o * (Scalar(1) - t * t);
    to_output = b.grad(0) * t * slope(o);
  }
  b.give(0,
         call<"cat">(std::vector<Tensor>{d * g * slope(i), d * cell * slope(f), d * i * (Scalar(1) - g * g), to_output},
                     int64_t{1}));
  b.give(1, d * f);
}

}  // namespace

LB_OPERATOR(.signature = "_lstm_gates(gates, cell)",
            .doc = R"((hidden, cell, active gates) of one LSTM step, from gates (N, 4 H) and the cell (N, H).

>>> [t.shape for t in torch._lstm_gates(torch.zeros(1, 8), torch.zeros(1, 2))]
[torch.Size([1, 2]), torch.Size([1, 2]), torch.Size([1, 8])])",
            .forward = forward_of<lstm_gates>,
            .derivative = gradients("LstmGatesBackward0", lstm_gradient, "0:01st 1:01st"), .forms = kFunction);

}  // namespace lumbre::ops
