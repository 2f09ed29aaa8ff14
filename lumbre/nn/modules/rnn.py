"""Recurrent networks and their cells."""

from __future__ import annotations

import math
import numbers

from lumbre import _C, empty, zeros
from lumbre.nn import functional_rnn as functions
from lumbre.nn import init
from lumbre.nn.modules.module import Module
from lumbre.nn.parameter import Parameter
from lumbre.nn.utils.rnn import PackedSequence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

Tensor = _C.Tensor

__all__ = ["GRU", "LSTM", "RNN", "GRUCell", "LSTMCell", "RNNBase", "RNNCell", "RNNCellBase"]

_GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}
_FUNCTIONS = {
    "LSTM": functions.lstm,
    "GRU": functions.gru,
    "RNN_TANH": functions.rnn_tanh,
    "RNN_RELU": functions.rnn_relu,
}


def _permute(tensor: Tensor, order: Tensor | None) -> Tensor:
    return tensor if order is None else tensor.index_select(1, order)


class RNNBase(Module):
    """What LSTM, GRU and RNN share: the weights by layer and direction, and the checks of inputs and states.

    Layer k has ``weight_ih_l{k}`` (gates * hidden, input), ``weight_hh_l{k}``, ``bias_ih_l{k}``, ``bias_hh_l{k}`` and,
    with projections, ``weight_hr_l{k}``; the other direction has the same with ``_reverse``.

    >>> torch.nn.LSTM(2, 3).weight_ih_l0.shape
    torch.Size([12, 2])
    """

    __constants__ = (
        "mode",
        "input_size",
        "hidden_size",
        "num_layers",
        "bias",
        "batch_first",
        "dropout",
        "bidirectional",
        "proj_size",
    )
    __jit_unused_properties__ = ("all_weights",)

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.mode = mode
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        self._check_options(dropout)
        self._all_weights: list[list[str]] = []
        for layer in range(num_layers):
            for suffix in ("", "_reverse") if bidirectional else ("",):
                self._add_weights(layer, suffix, {"device": device, "dtype": dtype})
        self.reset_parameters()

    def _check_options(self, dropout: Any) -> None:
        is_number = isinstance(dropout, numbers.Number) and not isinstance(dropout, bool)
        if not is_number or not 0 <= dropout <= 1:
            raise ValueError(
                "dropout should be a number in range [0, 1] representing the probability of an element being zeroed"
            )
        if dropout > 0 and self.num_layers == 1:
            import warnings

            warnings.warn(
                "dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects "
                f"num_layers greater than 1, but got dropout={dropout} and num_layers={self.num_layers}",
                stacklevel=3,
            )
        for name in ("input_size", "hidden_size"):
            value = getattr(self, name)
            if not isinstance(value, int):
                raise TypeError(f"{name} should be of type int, got: {type(value).__name__}")
        for name in ("input_size", "hidden_size", "num_layers"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be greater than zero")
        if self.proj_size < 0:
            raise ValueError("proj_size should be a positive integer or zero to disable projections")
        if self.proj_size >= self.hidden_size:
            raise ValueError("proj_size has to be smaller than hidden_size")
        if self.mode not in _GATES:
            raise ValueError("Unrecognized RNN mode: " + self.mode)

    def _add_weights(self, layer: int, suffix: str, place: dict[str, Any]) -> None:
        rows = _GATES[self.mode] * self.hidden_size
        output = self.proj_size or self.hidden_size
        columns = self.input_size if layer == 0 else output * (2 if self.bidirectional else 1)
        shapes: dict[str, tuple[int, ...]] = {"weight_ih": (rows, columns), "weight_hh": (rows, output)}
        if self.bias:
            shapes.update(bias_ih=(rows,), bias_hh=(rows,))
        if self.proj_size > 0:
            shapes["weight_hr"] = (self.proj_size, self.hidden_size)
        names = []
        for kind, shape in shapes.items():
            names.append(f"{kind}_l{layer}{suffix}")
            setattr(self, names[-1], Parameter(empty(shape, **place)))
        self._all_weights.append(names)

    @property
    def _flat_weights_names(self) -> list[str]:
        return [name for names in self._all_weights for name in names]

    @property
    def _flat_weights(self) -> list[Tensor]:
        # Read anew each time: parameters may be replaced behind the module's back.
        return [getattr(self, name) for name in self._flat_weights_names]

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The parameters, a list per layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    def flatten_parameters(self) -> None:
        """Does nothing: there is no device whose library wants one block of memory."""

    def reset_parameters(self) -> None:
        """Draws all weights uniformly within 1 / sqrt(hidden_size)."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def check_input(self, input: Tensor, batch_sizes: Tensor | None) -> None:
        """Raises where the input's dtype, rank or features are not the weights'."""
        weight = getattr(self, self._all_weights[0][0])
        if input.dtype is not weight.dtype:
            raise ValueError(
                f"RNN input dtype ({input.dtype}) does not match weight dtype ({weight.dtype}). "
                f"Convert input: input.to({weight.dtype}), or convert model: model.to({input.dtype})"
            )
        rank = 3 if batch_sizes is None else 2
        if input.dim() != rank:
            raise RuntimeError(f"input must have {rank} dimensions, got {input.dim()}")
        if input.size(-1) != self.input_size:
            raise RuntimeError(
                f"input.size(-1) must be equal to input_size. Expected {self.input_size}, got {input.size(-1)}"
            )

    def get_expected_hidden_size(self, input: Tensor, batch_sizes: Tensor | None) -> tuple[int, int, int]:
        """The size that the hidden state must have: (layers * directions, batch, features)."""
        return self._state_size(input, batch_sizes, self.proj_size or self.hidden_size)

    def _state_size(self, input: Tensor, batch_sizes: Tensor | None, features: int) -> tuple[int, int, int]:
        batch = input.size(0 if self.batch_first else 1) if batch_sizes is None else int(batch_sizes[0])
        return self.num_layers * (2 if self.bidirectional else 1), batch, features

    def check_hidden_size(
        self,
        hx: Tensor,
        expected_hidden_size: tuple[int, int, int],
        msg: str = "Expected hidden size {}, got {}",
    ) -> None:
        """RuntimeError where a state has another size."""
        if hx.size() != expected_hidden_size:
            raise RuntimeError(msg.format(expected_hidden_size, list(hx.size())))

    def check_forward_args(self, input: Tensor, hidden: Any, batch_sizes: Tensor | None) -> None:
        """Raises where input or state do not fit."""
        self.check_input(input, batch_sizes)
        self.check_hidden_size(hidden, self.get_expected_hidden_size(input, batch_sizes))

    def permute_hidden(self, hx: Any, permutation: Tensor | None) -> Any:
        """The state with its batch in another order."""
        return _permute(hx, permutation)

    def _first_state(self, input: Tensor, batch_sizes: Tensor | None) -> Any:
        return zeros(self.get_expected_hidden_size(input, batch_sizes), dtype=input.dtype)

    def _check_state_rank(self, hx: Any, batched: bool) -> None:
        rank, word = (3, "batched") if batched else (2, "unbatched")
        if hx.dim() != rank:
            raise RuntimeError(f"For {word} {rank}-D input, hx should also be {rank}-D but got {hx.dim()}-D tensor")

    def _each_state(self, change: Any, hx: Any) -> Any:
        return change(hx)

    def _split_result(self, result: tuple) -> tuple[Tensor, Any]:
        return result

    def forward(self, input: Any, hx: Any = None) -> tuple[Any, Any]:
        if isinstance(input, PackedSequence):
            return self._forward_packed(input, hx)
        if input.dim() not in (2, 3):
            noun = " tensor" if self.mode.startswith("RNN") else ""
            raise ValueError(
                f"{self.mode.partition('_')[0]}: Expected input to be 2D or 3D, got {input.dim()}D{noun} instead"
            )
        batched = input.dim() == 3
        batch_dim = 0 if self.batch_first else 1
        if not batched:
            input = input.unsqueeze(batch_dim)
        if hx is None:
            hx = self._first_state(input, None)
        else:
            self._check_state_rank(hx, batched)
            if not batched:
                hx = self._each_state(lambda state: state.unsqueeze(1), hx)
        self.check_forward_args(input, hx, None)
        result = _FUNCTIONS[self.mode](
            input,
            hx,
            self._flat_weights,
            self.bias,
            self.num_layers,
            self.dropout,
            self.training,
            self.bidirectional,
            self.batch_first,
        )
        output, hidden = self._split_result(result)
        if batched:
            return output, hidden
        return output.squeeze(batch_dim), self._each_state(lambda state: state.squeeze(1), hidden)

    def _forward_packed(self, packed: PackedSequence, hx: Any) -> tuple[PackedSequence, Any]:
        data, batch_sizes, order, back = packed
        hx = self._first_state(data, batch_sizes) if hx is None else self.permute_hidden(hx, order)
        self.check_forward_args(data, hx, batch_sizes)
        result = _FUNCTIONS[self.mode](
            data,
            batch_sizes,
            hx,
            self._flat_weights,
            self.bias,
            self.num_layers,
            self.dropout,
            self.training,
            self.bidirectional,
        )
        output, hidden = self._split_result(result)
        return PackedSequence(output, batch_sizes, order, back), self.permute_hidden(hidden, back)

    def extra_repr(self) -> str:
        parts = [str(self.input_size), str(self.hidden_size)]
        plain = {
            "proj_size": 0,
            "num_layers": 1,
            "bias": True,
            "batch_first": False,
            "dropout": 0,
            "bidirectional": False,
        }
        for name, value in plain.items():
            if getattr(self, name) != value:
                parts.append(f"{name}={getattr(self, name)}")
        return ", ".join(parts)

    def __setstate__(self, state: dict) -> None:
        super().__setstate__(state)
        own = self.__dict__
        own.setdefault("proj_size", 0)
        # PyTorch's modules carry these; here they are read from the parameters.
        for name in ("_flat_weights", "_flat_weights_names", "_flat_weight_refs"):
            own.pop(name, None)


class RNN(RNNBase):
    """A recurrent network of the form h' = tanh(W x + b + V h + c), or with relu.

    Arguments: input_size, hidden_size, num_layers, nonlinearity ("tanh" or "relu"), bias, batch_first, dropout
    (between layers), bidirectional. Takes (T, B, input_size), (B, T, input_size) with ``batch_first``, an unbatched
    (T, input_size) or a PackedSequence, and a first state (layers * directions, B, hidden_size), zeros by default;
    gives the output of the last layer at every step, and the last state. ValueError for unusable options,
    RuntimeError where sizes do not fit.

    >>> output, state = torch.nn.RNN(2, 3)(torch.zeros(5, 1, 2))
    >>> output.shape, state.shape
    (torch.Size([5, 1, 3]), torch.Size([1, 1, 3]))
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _refuse_projection(kwargs)
        if len(args) > 3:
            nonlinearity, args = args[3], args[:3] + args[4:]
        else:
            nonlinearity = kwargs.pop("nonlinearity", "tanh")
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'.")
        super().__init__(f"RNN_{nonlinearity.upper()}", *args, **kwargs)
        self.nonlinearity = nonlinearity


class LSTM(RNNBase):
    """A long short-term memory network.

    Arguments and inputs as for ``RNN``, with ``proj_size`` (less than hidden_size) to project the output. The state is
    a pair: hidden (layers * directions, B, proj_size or hidden_size) and cell (layers * directions, B, hidden_size).

    >>> output, (hidden, cell) = torch.nn.LSTM(2, 3, batch_first=True)(torch.zeros(1, 5, 2))
    >>> output.shape, cell.shape
    (torch.Size([1, 5, 3]), torch.Size([1, 1, 3]))
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__("LSTM", *args, **kwargs)

    def get_expected_cell_size(self, input: Tensor, batch_sizes: Tensor | None) -> tuple[int, int, int]:
        """The size that the cell state must have."""
        return self._state_size(input, batch_sizes, self.hidden_size)

    def check_forward_args(self, input: Tensor, hidden: Any, batch_sizes: Tensor | None) -> None:
        if batch_sizes is None:
            self.check_input(input, batch_sizes)
        sizes = (self.get_expected_hidden_size(input, batch_sizes), self.get_expected_cell_size(input, batch_sizes))
        for place, size in enumerate(sizes):
            self.check_hidden_size(hidden[place], size, f"Expected hidden[{place}] size {{}}, got {{}}")

    def permute_hidden(self, hx: Any, permutation: Tensor | None) -> Any:
        return hx if permutation is None else (_permute(hx[0], permutation), _permute(hx[1], permutation))

    def _first_state(self, input: Tensor, batch_sizes: Tensor | None) -> Any:
        sizes = (self.get_expected_hidden_size(input, batch_sizes), self.get_expected_cell_size(input, batch_sizes))
        return tuple(zeros(size, dtype=input.dtype) for size in sizes)

    def _check_state_rank(self, hx: Any, batched: bool) -> None:
        rank, word = (3, "batched") if batched else (2, "unbatched")
        if hx[0].dim() != rank or hx[1].dim() != rank:
            raise RuntimeError(
                f"For {word} {rank}-D input, hx and cx should also be {rank}-D "
                f"but got ({hx[0].dim()}-D, {hx[1].dim()}-D) tensors"
            )

    def _each_state(self, change: Any, hx: Any) -> Any:
        return change(hx[0]), change(hx[1])

    def _split_result(self, result: tuple) -> tuple[Tensor, Any]:
        return result[0], result[1:]


class GRU(RNNBase):
    """A network of gated recurrent units. Arguments, inputs and state as for ``RNN``, without nonlinearity.

    >>> output, state = torch.nn.GRU(2, 3, bidirectional=True)(torch.zeros(5, 1, 2))
    >>> output.shape, state.shape
    (torch.Size([5, 1, 6]), torch.Size([2, 1, 3]))
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _refuse_projection(kwargs)
        super().__init__("GRU", *args, **kwargs)


def _refuse_projection(options: dict[str, Any]) -> None:
    if "proj_size" in options:
        raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")


class RNNCellBase(Module):
    """What the cells share: ``weight_ih``, ``weight_hh``, ``bias_ih`` and ``bias_hh``.

    >>> torch.nn.GRUCell(2, 3).weight_ih.shape
    torch.Size([9, 2])
    """

    __constants__: tuple[str, ...] = ("input_size", "hidden_size", "bias")

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool,
        num_chunks: int,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        rows = num_chunks * hidden_size
        place = {"device": device, "dtype": dtype}
        self.weight_ih = Parameter(empty((rows, input_size), **place))
        self.weight_hh = Parameter(empty((rows, hidden_size), **place))
        for name in ("bias_ih", "bias_hh"):
            self.register_parameter(name, Parameter(empty(rows, **place)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws all weights uniformly within 1 / sqrt(hidden_size)."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def extra_repr(self) -> str:
        parts = [str(self.input_size), str(self.hidden_size)]
        if self.bias is not True:
            parts.append(f"bias={self.bias}")
        if getattr(self, "nonlinearity", "tanh") != "tanh":
            parts.append(f"nonlinearity={self.nonlinearity}")
        return ", ".join(parts)

    def _check_rank(self, tensor: Tensor, what: str) -> None:
        if tensor.dim() not in (1, 2):
            raise ValueError(f"{type(self).__name__}: Expected {what} to be 1D or 2D, got {tensor.dim()}D instead")

    def _weights(self) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None]:
        return self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh

    def _step(self, function: Any, input: Tensor, hx: Tensor | None) -> Tensor:
        """One step of a cell with one state, of a batch or of a single input."""
        self._check_rank(input, "input")
        if hx is not None:
            self._check_rank(hx, "hidden")
        batched = input.dim() == 2
        if not batched:
            input = input.unsqueeze(0)
        if hx is None:
            hx = zeros(input.size(0), self.hidden_size, dtype=input.dtype)
        elif not batched:
            hx = hx.unsqueeze(0)
        result = function(input, hx, *self._weights())
        return result if batched else result.squeeze(0)


class RNNCell(RNNCellBase):
    """One step of an ``RNN``: (B, input_size) and a state (B, hidden_size), or both without B, give the next state.

    ValueError for inputs of another rank, RuntimeError where sizes do not fit.

    >>> torch.nn.RNNCell(2, 3)(torch.zeros(1, 2)).shape
    torch.Size([1, 3])
    """

    __constants__ = ("input_size", "hidden_size", "bias", "nonlinearity")

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, num_chunks=1, device=device, dtype=dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        if self.nonlinearity not in ("tanh", "relu"):
            raise RuntimeError(f"Unknown nonlinearity: {self.nonlinearity}")
        tanh = self.nonlinearity == "tanh"
        return self._step(functions.rnn_tanh_cell if tanh else functions.rnn_relu_cell, input, hx)


class LSTMCell(RNNCellBase):
    """One step of an ``LSTM``: (B, input_size) and a pair of states (B, hidden_size) give the next pair.

    >>> hidden, cell = torch.nn.LSTMCell(2, 3)(torch.zeros(1, 2))
    >>> hidden.shape
    torch.Size([1, 3])
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, num_chunks=4, device=device, dtype=dtype)

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        self._check_rank(input, "input")
        if hx is not None:
            for place, state in enumerate(hx):
                self._check_rank(state, f"hx[{place}]")
        batched = input.dim() == 2
        if not batched:
            input = input.unsqueeze(0)
        if hx is None:
            start = zeros(input.size(0), self.hidden_size, dtype=input.dtype)
            hx = (start, start)
        elif not batched:
            hx = (hx[0].unsqueeze(0), hx[1].unsqueeze(0))
        hidden, cell = functions.lstm_cell(input, hx, *self._weights())
        return (hidden, cell) if batched else (hidden.squeeze(0), cell.squeeze(0))


class GRUCell(RNNCellBase):
    """One step of a ``GRU``: (B, input_size) and a state (B, hidden_size), or both without B, give the next state.

    >>> torch.nn.GRUCell(2, 3)(torch.zeros(2)).shape
    torch.Size([3])
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, num_chunks=3, device=device, dtype=dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        return self._step(functions.gru_cell, input, hx)
