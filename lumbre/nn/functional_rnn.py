"""Recurrent networks as functions: ``torch.lstm``, ``torch.gru``, ``torch.rnn_tanh``, ``torch.rnn_relu`` and the cells.

A layer multiplies the inputs of all its steps by its weights in one product; the loop over the steps only adds what
the hidden state brings. Packed sequences run through the same loop with a batch that shrinks (or, from the far end,
grows) as sequences end.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from lumbre import _C, addmm, cat, stack
from lumbre._registry import operator, with_autocast

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

Tensor = _C.Tensor
_lstm_gates = _C._functions["_lstm_gates"]
_lstm_sequence = _C._functions["_lstm_sequence"]
State = tuple[Tensor, ...]


class _Weights(NamedTuple):
    """One direction of one layer; the biases and the projection may be absent."""

    ih: Tensor
    hh: Tensor
    bias_ih: Tensor | None
    bias_hh: Tensor | None
    projection: Tensor | None


class _Cell(NamedTuple):
    """How a kind of network steps: ``step(from_input, state, weights)`` gives the next state, output first.

    ``joined`` says whether the hidden bias may be added with the input's: not where a gate multiplies it.
    """

    step: Callable[[Tensor, State, _Weights], State]
    joined: bool
    gates: int


def _from_hidden(from_input: Tensor, hidden: Tensor, weight: Tensor) -> Tensor:
    return addmm(from_input, hidden, weight.t())


def _step_tanh(from_input: Tensor, state: State, weights: _Weights) -> State:
    return (_from_hidden(from_input, state[0], weights.hh).tanh(),)


def _step_relu(from_input: Tensor, state: State, weights: _Weights) -> State:
    return (_from_hidden(from_input, state[0], weights.hh).relu(),)


def _step_lstm(from_input: Tensor, state: State, weights: _Weights) -> State:
    gates = _from_hidden(from_input, state[0], weights.hh)
    if gates.dtype is state[1].dtype:
        hidden, cell, _ = _lstm_gates(gates, state[1])
    else:  # inside autocast
        entering, kept, new, shown = gates.chunk(4, 1)
        cell = kept.sigmoid() * state[1] + entering.sigmoid() * new.tanh()
        hidden = shown.sigmoid() * cell.tanh()
    if weights.projection is not None:
        hidden = hidden @ weights.projection.t()
    return hidden, cell


def _step_gru(from_input: Tensor, state: State, weights: _Weights) -> State:
    hidden = state[0]
    recurrent = hidden @ weights.hh.t()
    if weights.bias_hh is not None:
        recurrent = recurrent + weights.bias_hh
    reset, update, new = from_input.chunk(3, 1)
    hidden_reset, hidden_update, hidden_new = recurrent.chunk(3, 1)
    reset = (reset + hidden_reset).sigmoid()
    update = (update + hidden_update).sigmoid()
    new = (new + reset * hidden_new).tanh()
    return (new + update * (hidden - new),)


_TANH = _Cell(_step_tanh, True, 1)
_RELU = _Cell(_step_relu, True, 1)
_LSTM = _Cell(_step_lstm, True, 4)
_GRU = _Cell(_step_gru, False, 3)


def _project_input(rows: Tensor, cell: _Cell, weights: _Weights) -> Tensor:
    """What the input (N, features) brings to the gates, biases included."""
    bias = weights.bias_ih
    if bias is None:
        return rows @ weights.ih.t()
    if cell.joined and weights.bias_hh is not None:
        bias = bias + weights.bias_hh
    return addmm(bias, rows, weights.ih.t())


def _run_padded(steps: Tensor, state: State, cell: _Cell, weights: _Weights, reverse: bool) -> tuple[Tensor, State]:
    """One direction of a layer over (T, B, features)."""
    length, batch, features = steps.shape
    projected = _project_input(steps.reshape(length * batch, features), cell, weights)
    if cell is _LSTM and weights.projection is None and projected.dtype.itemsize > 2:
        gates = projected.view(length, batch, projected.size(1))
        output, _, _, *last = _lstm_sequence(gates, *state, weights.hh, reverse)
        return output, tuple(last)
    inputs = projected.view(length, batch, projected.size(1)).unbind(0)
    outputs = []
    for each in reversed(inputs) if reverse else inputs:
        state = cell.step(each, state, weights)
        outputs.append(state[0])
    if reverse:
        outputs.reverse()
    return stack(outputs), state


def _run_packed(
    data: Tensor, sizes: list[int], state: State, cell: _Cell, weights: _Weights, reverse: bool
) -> tuple[Tensor, State]:
    """One direction of a layer over packed rows; ``sizes`` counts the sequences that run at each step."""
    inputs = _project_input(data, cell, weights).split(sizes)
    if reverse:
        outputs, state = _run_growing(inputs, sizes, state, cell, weights)
    else:
        outputs, state = _run_shrinking(inputs, sizes, state, cell, weights)
    return cat(outputs), state


def _run_shrinking(
    inputs: Sequence[Tensor], sizes: list[int], state: State, cell: _Cell, weights: _Weights
) -> tuple[list[Tensor], State]:
    outputs, ended = [], []
    running = sizes[0]
    for each, size in zip(inputs, sizes, strict=True):
        if size < running:
            ended.append(tuple(part[size:] for part in state))
            state = tuple(part[:size] for part in state)
            running = size
        state = cell.step(each, state, weights)
        outputs.append(state[0])
    ended.append(state)
    ended.reverse()
    return outputs, ended[0] if len(ended) == 1 else tuple(cat(parts) for parts in zip(*ended, strict=True))


def _run_growing(
    inputs: Sequence[Tensor], sizes: list[int], start: State, cell: _Cell, weights: _Weights
) -> tuple[list[Tensor], State]:
    outputs: list[Tensor] = []
    running = sizes[-1]
    state = tuple(part[:running] for part in start)
    for each, size in zip(reversed(inputs), reversed(sizes), strict=True):
        if size > running:
            state = tuple(cat((part, first[running:size])) for part, first in zip(state, start, strict=True))
            running = size
        state = cell.step(each, state, weights)
        outputs.append(state[0])
    outputs.reverse()
    return outputs, state


def _grouped(params: Sequence[Tensor], has_biases: bool, projected: bool) -> list[_Weights]:
    """The flat list of parameters, one group per layer and direction."""
    count = 2 + 2 * has_biases + projected
    if len(params) % count:
        raise RuntimeError(f"MatrixRef: ArrayRef size {len(params)} not divisible by stride {count}")
    groups = []
    for start in range(0, len(params), count):
        group = params[start : start + count]
        bias_ih, bias_hh = group[2:4] if has_biases else (None, None)
        groups.append(_Weights(group[0], group[1], bias_ih, bias_hh, group[-1] if projected else None))
    return groups


def _run_layers(
    kind: str,
    cell: _Cell,
    input: Tensor,
    sizes: list[int] | None,
    states: list[State],
    groups: list[_Weights],
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
) -> tuple[Tensor, list[State]]:
    """All layers and directions; ``states`` holds one initial state per group and comes back as the final ones."""
    directions = 2 if bidirectional else 1
    if len(groups) < num_layers * directions:
        raise RuntimeError(f"Expected more parameters in {kind}: {num_layers * directions} groups, got {len(groups)}")
    if len(states) < num_layers * directions:
        raise RuntimeError("Expected more hidden states in stacked_rnn")
    finals: list[State] = []
    for layer in range(num_layers):
        outputs = []
        for direction in range(directions):
            place = layer * directions + direction
            if sizes is None:
                output, final = _run_padded(input, states[place], cell, groups[place], direction == 1)
            else:
                output, final = _run_packed(input, sizes, states[place], cell, groups[place], direction == 1)
            outputs.append(output)
            finals.append(final)
        input = outputs[0] if directions == 1 else cat(outputs, -1)
        if dropout != 0 and train and layer < num_layers - 1:
            from lumbre.nn import functional

            input = functional.dropout(input, dropout, True)
    return input, finals


def _run(kind: str, cell: _Cell, arguments: tuple, keywords: dict) -> Any:
    """Binds either calling form and runs: padded ``(input, hx, params, ...)`` or packed ``(data, batch_sizes, ...)``."""
    packed = _is_packed(kind, arguments, keywords)
    names = _PACKED_NAMES if packed else _PADDED_NAMES
    bound = dict(zip(names, arguments, strict=False))
    bound.update(keywords)
    if len(arguments) > len(names) or set(bound) != set(names):
        raise TypeError(
            f"{kind}() received an invalid combination of arguments - expected "
            f"({', '.join(_PADDED_NAMES)}) or ({', '.join(_PACKED_NAMES)})"
        )
    hx = bound["hx"]
    if kind == "lstm" and len(hx) != 2:
        raise RuntimeError("lstm expects two hidden states")
    stacked = tuple(hx) if kind == "lstm" else (hx,)
    params = list(bound["params"])
    projected = kind == "lstm" and hx[0].size(2) != hx[1].size(2)
    groups = _grouped(params, bool(bound["has_biases"]), projected)
    states = list(zip(*(part.unbind(0) for part in stacked), strict=True))
    batch_first = not packed and bound["batch_first"]
    input = bound["data"] if packed else bound["input"]
    if batch_first:
        input = input.transpose(0, 1)
    if not packed and input.size(0) == 0:
        raise RuntimeError("Expected sequence length to be larger than 0 in RNN")
    sizes = bound["batch_sizes"].tolist() if packed else None
    rest = (bound[name] for name in ("num_layers", "dropout", "train", "bidirectional"))
    output, finals = _run_layers(kind, cell, input, sizes, states, groups, *rest)
    if batch_first:
        output = output.transpose(0, 1)
    return output, *(stack(parts) for parts in zip(*finals, strict=True))


# Inside autocast a padded LSTM is one operator in half precision; what is packed, or has other cells, is its parts.
_run_cast = with_autocast(_run, "_padded_lstm")

_SHARED_NAMES = ("hx", "params", "has_biases", "num_layers", "dropout", "train", "bidirectional")
_PADDED_NAMES = ("input", *_SHARED_NAMES, "batch_first")
_PACKED_NAMES = ("data", "batch_sizes", *_SHARED_NAMES)


def _is_packed(kind: str, arguments: tuple, keywords: dict) -> bool:
    if "batch_sizes" in keywords:
        return True
    if len(arguments) < 3:
        return False
    # After the batch sizes, a tensor, comes the hidden state; in the padded form the parameters stand there.
    return isinstance(arguments[1], Tensor) if kind == "lstm" else isinstance(arguments[2], Tensor)


@operator("lstm(*args, **kwargs)", method=False)
def lstm(*args: Any, **kwargs: Any) -> tuple[Tensor, Tensor, Tensor]:
    """A long short-term memory network: the output of every step, the last hidden state and the last cell state.

    Either ``(input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first)`` with an input
    (T, B, features), or ``(data, batch_sizes, hx, params, ...)`` without ``batch_first`` for a packed sequence. ``hx``
    is two tensors (layers * directions, B, hidden); sizes that differ mean projections. ``params`` are the weights as
    in ``torch.nn.LSTM``. Floating-point dtypes. RuntimeError where sizes do not fit.

    >>> weights = [torch.ones(4, 1), torch.ones(4, 1)]
    >>> start = (torch.zeros(1, 1, 1), torch.zeros(1, 1, 1))
    >>> torch.lstm(torch.zeros(2, 1, 1), start, weights, False, 1, 0.0, False, False, False)[0].shape
    torch.Size([2, 1, 1])
    """
    run = _run if _is_packed("lstm", args, kwargs) else _run_cast
    return run("lstm", _LSTM, args, kwargs)


@operator("gru(*args, **kwargs)", method=False)
def gru(*args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
    """A network of gated recurrent units: the output of every step and the last hidden state.

    Arguments as for ``torch.lstm``, with one tensor (layers * directions, B, hidden) as ``hx``.

    >>> weights = [torch.ones(3, 1), torch.ones(3, 1)]
    >>> torch.gru(torch.zeros(2, 1, 1), torch.zeros(1, 1, 1), weights, False, 1, 0.0, False, False, False)[0].shape
    torch.Size([2, 1, 1])
    """
    return _run("gru", _GRU, args, kwargs)


@operator("rnn_tanh(*args, **kwargs)", method=False)
def rnn_tanh(*args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
    """A plain recurrent network with tanh: the output of every step and the last hidden state.

    Arguments as for ``torch.gru``.

    >>> weights = [torch.ones(1, 1), torch.ones(1, 1)]
    >>> torch.rnn_tanh(torch.zeros(2, 1, 1), torch.zeros(1, 1, 1), weights, False, 1, 0.0, False, False, False)[1]
    tensor([[[0.]]])
    """
    return _run("rnn_tanh", _TANH, args, kwargs)


@operator("rnn_relu(*args, **kwargs)", method=False)
def rnn_relu(*args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
    """A plain recurrent network with relu: the output of every step and the last hidden state.

    Arguments as for ``torch.gru``.

    >>> weights = [torch.ones(1, 1), torch.ones(1, 1)]
    >>> torch.rnn_relu(torch.ones(2, 1, 1), torch.zeros(1, 1, 1), weights, False, 1, 0.0, False, False, False)[1]
    tensor([[[2.]]])
    """
    return _run("rnn_relu", _RELU, args, kwargs)


def _check_cell(input: Tensor, hidden: Tensor, weights: _Weights, gates: int, number: int = 0) -> None:
    batch, features = input.size(0), input.size(1)
    if number == 0 and features != weights.ih.size(1):
        raise RuntimeError(f"input has inconsistent input_size: got {features} expected {weights.ih.size(1)}")
    size = weights.hh.size(1)
    if hidden.size(0) != batch:
        raise RuntimeError(f"Input batch size {batch} doesn't match hidden{number} batch size {hidden.size(0)}")
    if hidden.size(1) != size:
        raise RuntimeError(f"hidden{number} has inconsistent hidden_size: got {hidden.size(1)}, expected {size}")
    if weights.ih.size(0) != gates * size:
        raise RuntimeError(
            f"weight_ih first dim must be {gates} * hidden_size = {gates * size}, but got {weights.ih.size(0)}"
        )


def _step_once(cell: _Cell, input: Tensor, state: State, *parts: Any) -> Any:
    weights = _Weights._make((*parts, None))
    for number, hidden in enumerate(state):
        _check_cell(input, hidden, weights, cell.gates, number)
    for early, late in pairwise(state):
        if early.shape != late.shape:
            raise RuntimeError(f"hidden states of one cell must agree: {list(early.shape)} and {list(late.shape)}")
    if weights.bias_ih is None and weights.bias_hh is not None:
        weights = weights._replace(bias_ih=weights.bias_hh.new_zeros(weights.bias_hh.shape))
    return cell.step(_project_input(input, cell, weights), state, weights)


@operator("lstm_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None)", method=False)
def lstm_cell(
    input: Tensor, hx: Any, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """One step of an LSTM: the next hidden and cell state (B, hidden) from an input (B, features) and two states.

    RuntimeError where sizes do not fit.

    >>> state = (torch.zeros(1, 1), torch.zeros(1, 1))
    >>> torch.lstm_cell(torch.zeros(1, 1), state, torch.ones(4, 1), torch.ones(4, 1))
    (tensor([[0.]]), tensor([[0.]]))
    """
    if len(hx) != 2:
        raise RuntimeError("lstm_cell expects two hidden states")
    return _step_once(_LSTM, input, tuple(hx), w_ih, w_hh, b_ih, b_hh)


@operator("gru_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None)", method=False)
def gru_cell(
    input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None
) -> Tensor:
    """One step of gated recurrent units: the next hidden state (B, hidden) from an input (B, features).

    RuntimeError where sizes do not fit.

    >>> torch.gru_cell(torch.zeros(1, 1), torch.zeros(1, 1), torch.ones(3, 1), torch.ones(3, 1))
    tensor([[0.]])
    """
    return _step_once(_GRU, input, (hx,), w_ih, w_hh, b_ih, b_hh)[0]


@operator("rnn_tanh_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None)", method=False)
def rnn_tanh_cell(
    input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None
) -> Tensor:
    """One step of a plain recurrent network with tanh: the next hidden state (B, hidden).

    RuntimeError where sizes do not fit.

    >>> torch.rnn_tanh_cell(torch.zeros(1, 1), torch.zeros(1, 1), torch.ones(1, 1), torch.ones(1, 1))
    tensor([[0.]])
    """
    return _step_once(_TANH, input, (hx,), w_ih, w_hh, b_ih, b_hh)[0]


@operator("rnn_relu_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None)", method=False)
def rnn_relu_cell(
    input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None
) -> Tensor:
    """One step of a plain recurrent network with relu: the next hidden state (B, hidden).

    RuntimeError where sizes do not fit.

    >>> torch.rnn_relu_cell(torch.ones(1, 1), torch.ones(1, 1), torch.ones(1, 1), torch.ones(1, 1))
    tensor([[2.]])
    """
    return _step_once(_RELU, input, (hx,), w_ih, w_hh, b_ih, b_hh)[0]
