// The gates of an LSTM, forward and backward in one pass each (Hochreiter and Schmidhuber 1997).
#include "kernels/recurrent.h"

#include <cstring>

#include "base/memory.h"
#include "base/threads.h"
#include "kernels/panels.h"
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
                 loop(to - from, width, g.bytes() + wide, nullptr, 0, c.bytes() + narrow, active.bytes() + wide,
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
                 loop(to - from, width, a.bytes() + wide, c.bytes() + narrow, n.bytes() + narrow, at(gh), nullptr, 0,
                      at(gn), grad_gates.bytes() + wide, grad_cell.bytes() + narrow);
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

// --- whole sequences
// ---------------------------------------------------------------------------------------------------

// Sequences are independent of each other: each thread takes some of them through all steps. Their numbers depend on
// the batch only.
int64_t rows_together(int64_t batch) { return std::clamp<int64_t>((batch / 2 + 7) / 8 * 8, 8, 32); }

struct Sequence {
  int64_t steps, batch, width, item;
  bool reverse;
  const PanelLoops& panels;

  int64_t step(int64_t k) const { return reverse ? steps - 1 - k : k; }
  int64_t wide(int64_t t, int64_t row) const { return (t * batch + row) * 4 * width * item; }
  int64_t narrow(int64_t t, int64_t row) const { return (t * batch + row) * width * item; }
  bool is_long() const { return checked_multiply(checked_multiply(steps, batch), width * width) > 2000000; }
};

Sequence sequence_of(const Tensor& gates, const Tensor& hidden, bool reverse) {
  const bool wide = gates.dtype() == DType::Float64;
  return {gates.sizes()[0], gates.sizes()[1], hidden.sizes()[1], wide ? 8 : 4, reverse, panel_table().loops[wide]};
}

void check_sequence(const Tensor& gates, const Tensor& hidden, const Tensor& cell, const Tensor& weight) {
  LB_CHECK(gates.ndim() == 3 && hidden.ndim() == 2 && gates.sizes()[0] > 0 && gates.sizes()[1] == hidden.sizes()[0] &&
               gates.sizes()[2] == checked_multiply(4, hidden.sizes()[1]) && hidden.sizes() == cell.sizes() &&
               weight.sizes() == Dims({gates.sizes()[2], hidden.sizes()[1]}),
           Runtime, "an LSTM's gates are (T, N, 4 H) for states (N, H) and weights (4 H, H), got ", gates.sizes(), ", ",
           hidden.sizes(), ", ", cell.sizes(), " and ", weight.sizes());
  LB_CHECK(native(gates) && gates.dtype() == hidden.dtype() && gates.dtype() == cell.dtype() &&
               gates.dtype() == weight.dtype(),
           Runtime, "an LSTM's sequence is computed in float32 or float64");
}

// (output, cells, active gates, last hidden state, last cell) from what the input brings to the gates (T, N, 4 H).
std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor> lstm_sequence(const Tensor& gates, const Tensor& hidden,
                                                                 const Tensor& cell, const Tensor& weight,
                                                                 bool reverse) {
  check_sequence(gates, hidden, cell, weight);
  const Tensor g = gates.contiguous(), h = hidden.contiguous(), c = cell.contiguous(), w = weight.contiguous();
  const Sequence s = sequence_of(g, h, reverse);
  const DType dtype = g.dtype();
  const Dims sizes{s.steps, s.batch, s.width};
  const Tensor output = Tensor::empty(sizes, dtype), cells = Tensor::empty(sizes, dtype);
  const Tensor active = Tensor::empty(g.sizes(), dtype), last = Tensor::empty(h.sizes(), dtype),
               last_cell = Tensor::empty(h.sizes(), dtype);
  if (output.count() == 0) return {output, cells, active, last, last_cell};
  const LstmForward loop = recurrent_table().forward[dtype == DType::Float64];
  const int64_t pitch = s.panels.filled(4 * s.width);
  {
    const LongWork released(s.is_long());
    const Scratch packed(checked_multiply(s.width * s.item, pitch));
    s.panels.pack(s.width, 4 * s.width, w.bytes(), 1, s.width, packed.as());
    parallel_for(s.batch, rows_together(s.batch), [&](int64_t from, int64_t to) {
      const Scratch recurrent((to - from) * pitch * s.item);
      const char *before = h.bytes() + s.narrow(0, from), *state = c.bytes() + s.narrow(0, from);
      for (int64_t k = 0; k < s.steps; ++k) {
        const int64_t t = s.step(k), wide = s.wide(t, from), narrow = s.narrow(t, from);
        s.panels.multiply(to - from, s.width, 4 * s.width, before, s.width, packed.as(), recurrent.as(), pitch);
        loop(to - from, s.width, g.bytes() + wide, recurrent.as(), pitch, state, active.bytes() + wide,
             output.bytes() + narrow, cells.bytes() + narrow);
        before = output.bytes() + narrow;
        state = cells.bytes() + narrow;
      }
      const auto bytes = static_cast<size_t>((to - from) * s.width * s.item);
      std::memcpy(last.bytes() + s.narrow(0, from), before, bytes);
      std::memcpy(last_cell.bytes() + s.narrow(0, from), state, bytes);
    });
  }
  return {output, cells, active, last, last_cell};
}

struct SequenceGradients {
  Tensor gates, hidden, cell;
};

// The way back through all steps; any of the incoming gradients may be undefined.
SequenceGradients lstm_sequence_slope(const Tensor& active, const Tensor& cells, const Tensor& cell,
                                      const Tensor& weight, const Tensor& to_output, const Tensor& to_last,
                                      const Tensor& to_cell, bool reverse) {
  const Tensor w = weight.contiguous(), first = cell.contiguous();
  const auto whole = [](const Tensor& t) { return t.defined() ? t.contiguous() : t; };
  const Tensor go = whole(to_output), gh = whole(to_last), gc = whole(to_cell);
  const Sequence s = sequence_of(active, cell, reverse);
  const DType dtype = active.dtype();
  const SequenceGradients given{Tensor::empty(active.sizes(), dtype), Tensor::empty(cell.sizes(), dtype),
                                Tensor::empty(cell.sizes(), dtype)};
  if (active.count() == 0) return given;
  const LstmBackward loop = recurrent_table().backward[dtype == DType::Float64];
  const int64_t pitch = s.panels.filled(s.width);
  const LongWork released(s.is_long());
  const Scratch packed(checked_multiply(4 * s.width * s.item, pitch));
  s.panels.pack(4 * s.width, s.width, w.bytes(), s.width, 1, packed.as());
  parallel_for(s.batch, rows_together(s.batch), [&](int64_t from, int64_t to) {
    const Scratch carried((to - from) * pitch * s.item);
    const int64_t start = s.narrow(0, from);
    char* cell_gradient = given.cell.bytes() + start;
    const char* later = gh.defined() ? gh.bytes() + start : nullptr;
    int64_t later_pitch = s.width;
    const char* next = gc.defined() ? gc.bytes() + start : nullptr;
    for (int64_t k = s.steps - 1; k >= 0; --k) {
      const int64_t t = s.step(k), wide = s.wide(t, from), narrow = s.narrow(t, from);
      const char* before = k == 0 ? first.bytes() + start : cells.bytes() + s.narrow(s.step(k - 1), from);
      loop(to - from, s.width, active.bytes() + wide, before, cells.bytes() + narrow,
           go.defined() ? go.bytes() + narrow : nullptr, later, later_pitch, next, given.gates.bytes() + wide,
           cell_gradient);
      s.panels.multiply(to - from, 4 * s.width, s.width, given.gates.bytes() + wide, 4 * s.width, packed.as(),
                        carried.as(), pitch);
      later = carried.as();
      later_pitch = pitch;
      next = cell_gradient;
    }
    for (int64_t row = from; row < to; ++row)
      std::memcpy(given.hidden.bytes() + s.narrow(0, row), carried.as() + (row - from) * pitch * s.item,
                  static_cast<size_t>(s.width * s.item));
  });
  return given;
}

// The steps as recorded operators: what is differentiated again.
void lstm_sequence_recorded(Backward& b) {
  using namespace op;
  const Tensor gates = b.input(0), weight = b.input(3);
  const int64_t steps = gates.sizes()[0];
  const bool reverse = b.flag(4);
  const auto at = [&](const Tensor& t, int64_t k) { return call<"select">(t, 0, reverse ? steps - 1 - k : k); };
  std::vector<Tensor> sums, hidden{b.input(1)}, cells{b.input(2)};
  for (int64_t k = 0; k < steps; ++k) {
    sums.push_back(at(gates, k) + mm(hidden.back(), op::transpose(weight, 0, 1)));
    const std::vector<Tensor> next = call<"_lstm_gates">.all(sums.back(), cells.back());
    hidden.push_back(next[0]);
    cells.push_back(next[1]);
  }
  const int64_t width = weight.sizes()[1];
  const auto slope = [](const Tensor& s) { return s * (Scalar(1) - s); };
  Tensor to_hidden = b.has(3) ? b.grad(3) : op::zeros(hidden[0].sizes(), hidden[0].dtype());
  Tensor to_cell = b.has(4) ? b.grad(4) : op::zeros(hidden[0].sizes(), hidden[0].dtype());
  Tensor to_weight;
  std::vector<Tensor> to_gates(static_cast<size_t>(steps));
  for (int64_t k = steps - 1; k >= 0; --k) {
    const auto place = static_cast<size_t>(k);
    const auto part = [&](int64_t i) { return call<"narrow">(sums[place], int64_t{1}, i * width, width); };
    const Tensor i = call<"sigmoid">(part(0)), f = call<"sigmoid">(part(1)), g = call<"tanh">(part(2)),
                 o = call<"sigmoid">(part(3)), t = call<"tanh">(cells[place + 1]);
    if (b.has(0)) to_hidden = to_hidden + at(b.grad(0), k);
    const Tensor d = to_cell + to_hidden * o * (Scalar(1) - t * t);
    const Tensor step = call<"cat">(std::vector<Tensor>{d * g * slope(i), d * cells[place] * slope(f),
                                                        d * i * (Scalar(1) - g * g), to_hidden * t * slope(o)},
                                    int64_t{1});
    to_gates[static_cast<size_t>(reverse ? steps - 1 - k : k)] = step;
    const Tensor share = mm(op::transpose(step, 0, 1), hidden[place]);
    to_weight = to_weight.defined() ? to_weight + share : share;
    to_hidden = mm(step, weight);
    to_cell = d * f;
  }
  b.give(0, call<"stack">(to_gates, int64_t{0}));
  b.give(1, to_hidden);
  b.give(2, to_cell);
  b.give(3, to_weight);
}

void lstm_sequence_gradient(Backward& b) {
  LB_CHECK(!b.has(1) && !b.has(2), NotImplemented,
           "the inner states of an LSTM's sequence are not differentiated by themselves");
  if (autograd::grad_enabled()) return lstm_sequence_recorded(b);
  using namespace op;
  const bool reverse = b.flag(4);
  const Tensor hidden = b.input(1), output = b.result(0);
  const auto grad = [&](int k) { return b.has(k) ? b.grad(k) : Tensor(); };
  const SequenceGradients given =
      lstm_sequence_slope(b.result(2), b.result(1), b.input(2), b.input(3), grad(0), grad(3), grad(4), reverse);
  b.give(0, given.gates);
  b.give(1, given.hidden);
  b.give(2, given.cell);
  if (!b.needs(3)) return;
  // All steps in one product, but the first, which saw the state that was given.
  const int64_t steps = output.sizes()[0], rest = steps - 1, wide = given.gates.sizes()[2];
  const Tensor first = call<"select">(given.gates, 0, reverse ? rest : 0);
  Tensor to_weight = mm(op::transpose(first, 0, 1), hidden);
  if (rest > 0) {
    const auto flat = [&](const Tensor& t, int64_t from, int64_t width) {
      return op::reshape(call<"narrow">(t, int64_t{0}, from, rest), Dims{-1, width});
    };
    const Tensor g = flat(given.gates, reverse ? 0 : 1, wide), h = flat(output, reverse ? 1 : 0, output.sizes()[2]);
    to_weight = to_weight + mm(op::transpose(g, 0, 1), h);
  }
  b.give(3, to_weight);
}

}  // namespace

LB_OPERATOR(.signature = "_lstm_gates(gates, cell)",
            .doc = R"((hidden, cell, active gates) of one LSTM step, from gates (N, 4 H) and the cell (N, H).

>>> [t.shape for t in torch._lstm_gates(torch.zeros(1, 8), torch.zeros(1, 2))]
[torch.Size([1, 2]), torch.Size([1, 2]), torch.Size([1, 8])])",
            .forward = forward_of<lstm_gates>,
            .derivative = gradients("LstmGatesBackward0", lstm_gradient, "0:01st 1:01st"), .forms = kFunction);
LB_OPERATOR(.signature = "_lstm_sequence(gates, hidden, cell, weight, reverse)",
            .doc =
                R"((output, cells, active gates, last hidden state, last cell) of a layer of an LSTM in one direction.

The gates (T, N, 4 H) are what the inputs of all steps bring, biases included.

>>> gates, state = torch.zeros(2, 1, 8), torch.zeros(1, 2)
>>> torch._lstm_sequence(gates, state, state, torch.zeros(8, 2), False)[0].shape
torch.Size([2, 1, 2]))",
            .forward = forward_of<lstm_sequence>,
            .derivative = gradients("LstmSequenceBackward0", lstm_sequence_gradient,
                                    "0:0123rst 1:0123rst 2:0123rst 3:0123rst"),
            .forms = kFunction);

}  // namespace lumbre::ops
