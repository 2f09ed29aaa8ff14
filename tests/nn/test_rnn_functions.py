"""The recurrent functions and packed sequences, held against PyTorch."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import lumbre
from lumbre.nn.utils import rnn as ours

torch = pytest.importorskip("torch")
theirs = pytest.importorskip("torch.nn.utils.rnn")

LENGTHS = [6, 4, 3, 1]


def to_lumbre(value):
    if isinstance(value, (tuple, list)):
        return type(value)(to_lumbre(each) for each in value)
    return lumbre.tensor(value.detach().numpy().copy())


def assert_close(actual, expected):
    if isinstance(expected, (tuple, list)):
        for one, other in zip(actual, expected, strict=True):
            assert_close(one, other)
        return
    assert tuple(actual.shape) == tuple(expected.shape)
    np.testing.assert_allclose(actual.detach().numpy(), expected.detach().numpy(), atol=2e-6, rtol=1e-5)


CASES = [
    case
    for case in itertools.product(("LSTM", "GRU", "RNN"), (False, True), (False, True), (1, 2), (0, 2))
    if case[0] == "LSTM" or not case[4]
]


@pytest.mark.filterwarnings("ignore:LSTM with projections")
@pytest.mark.parametrize(("kind", "bidirectional", "bias", "layers", "projection"), CASES)
@pytest.mark.parametrize("form", ["padded", "batch_first", "packed"])
def test_networks(kind, bidirectional, bias, layers, projection, form):
    torch.manual_seed(1)
    extra = {"proj_size": projection} if projection else {}
    module = getattr(torch.nn, kind)(3, 5, layers, bias=bias, bidirectional=bidirectional, **extra)
    name = "rnn_tanh" if kind == "RNN" else kind.lower()
    states = layers * (1 + bidirectional)
    batch = 6 if form == "batch_first" else 4
    x, hidden = torch.randn(6, 4, 3), torch.randn(states, batch, projection or 5)
    hx = (hidden, torch.randn(states, batch, 5)) if kind == "LSTM" else hidden
    weights = list(module._flat_weights)
    rest = (bias, layers, 0.0, False, bidirectional)
    if form == "packed":
        data = theirs.pack_padded_sequence(x, LENGTHS)[:2]
        packed = ours.pack_padded_sequence(to_lumbre(x), LENGTHS)[:2]
        assert_close(packed, data)
        expected = getattr(torch, name)(*data, hx, weights, *rest)
        actual = getattr(lumbre, name)(*packed, to_lumbre(hx), to_lumbre(weights), *rest)
    else:
        rest = (*rest, form == "batch_first")
        expected = getattr(torch, name)(x, hx, weights, *rest)
        actual = getattr(lumbre, name)(to_lumbre(x), to_lumbre(hx), to_lumbre(weights), *rest)
    assert_close(actual, expected)


@pytest.mark.parametrize(
    ("name", "gates"), [("lstm_cell", 4), ("gru_cell", 3), ("rnn_tanh_cell", 1), ("rnn_relu_cell", 1)]
)
@pytest.mark.parametrize("bias", [False, True])
def test_cells(name, gates, bias):
    torch.manual_seed(2)
    x, weights = torch.randn(2, 3), [torch.randn(gates * 5, 3), torch.randn(gates * 5, 5)]
    if bias:
        weights += [torch.randn(gates * 5), torch.randn(gates * 5)]
    hx = (torch.randn(2, 5), torch.randn(2, 5)) if gates == 4 else torch.randn(2, 5)
    expected = getattr(torch, name)(x, hx, *weights)
    assert_close(getattr(lumbre, name)(to_lumbre(x), to_lumbre(hx), *to_lumbre(weights)), expected)


@pytest.mark.parametrize(
    ("x", "h", "w"),
    [((2, 3), (2, 5), (4, 5)), ((2, 3), (2, 4), (3, 5)), ((2, 3), (1, 5), (3, 5)), ((3,), (5,), (3, 5))],
)
def test_cell_errors(x, h, w):
    messages = []
    for library in (torch, lumbre):
        with pytest.raises((RuntimeError, IndexError)) as caught:
            library.gru_cell(*(library.zeros(size) for size in (x, h, (15, w[0]), (15, w[1]))))
        messages.append((type(caught.value), str(caught.value).splitlines()[0]))
    assert messages[0] == messages[1]


@pytest.mark.parametrize("batch_first", [False, True])
def test_pack_unsorted(batch_first):
    x, lengths = torch.arange(24.0).reshape(4, 3, 2), [2, 4, 1]
    if batch_first:
        x = x.transpose(0, 1)
    expected = theirs.pack_padded_sequence(x, lengths, batch_first, enforce_sorted=False)
    actual = ours.pack_padded_sequence(to_lumbre(x), lengths, batch_first, enforce_sorted=False)
    assert_close(actual, expected)
    for options in ({}, {"padding_value": -1.0, "total_length": 6}):
        assert_close(
            ours.pad_packed_sequence(actual, batch_first, **options),
            theirs.pad_packed_sequence(expected, batch_first, **options),
        )
    assert_close(ours.unpack_sequence(actual), theirs.unpack_sequence(expected))


@pytest.mark.parametrize(
    "call",
    [
        lambda library, r: r.pack_padded_sequence(library.zeros(4, 3), [2, 4, 1]),
        lambda library, r: r.pack_padded_sequence(library.zeros(4, 3), [4, 4, 0]),
        lambda library, r: r.pack_padded_sequence(library.zeros(4, 3), [4, 2]),
        lambda library, r: r.pack_padded_sequence(library.zeros(4, 3), []),
        lambda library, r: r.pack_padded_sequence(library.zeros(0, 3), [1, 1, 1]),
        lambda library, r: r.pack_padded_sequence(library.zeros(4, 3), library.tensor([[3, 2, 1]])),
        lambda library, r: r.pack_sequence([library.zeros(2), library.zeros(3)]),
        lambda library, r: r.pad_packed_sequence(r.pack_sequence([library.zeros(3)]), total_length=2),
        lambda library, r: r.pad_sequence([]),
        lambda library, r: r.pad_sequence(3),
        lambda library, r: r.pad_sequence([library.zeros(2)], padding_side="top"),
        lambda library, r: r.pad_sequence([library.zeros(2, 1), library.zeros(3, 2)]),
        lambda library, r: r.PackedSequence(library.zeros(2)),
        lambda library, r: r.pack_sequence([library.zeros(3)]).to(copy=True),
    ],
)
def test_packing_errors(call):
    raised = []
    for library, module in ((torch, theirs), (lumbre, ours)):
        with pytest.raises(Exception) as caught:
            call(library, module)
        raised.append((type(caught.value), str(caught.value).splitlines()[0]))
    assert raised[0] == raised[1]


def test_pad_sequence_sides():
    pieces = [torch.ones(2, 3), torch.ones(4, 3), torch.ones(1, 3)]
    for side, batch_first in itertools.product(("left", "right"), (False, True)):
        expected = theirs.pad_sequence(pieces, batch_first, 7.0, side)
        assert_close(ours.pad_sequence(to_lumbre(pieces), batch_first, 7.0, side), expected)


def test_packed_sequence_is_a_named_tuple_that_converts():
    packed = ours.pack_sequence([lumbre.ones(2), lumbre.ones(3)], enforce_sorted=False)
    assert packed._fields == ("data", "batch_sizes", "sorted_indices", "unsorted_indices")
    assert packed.to(lumbre.float32) is packed
    assert packed.cpu() is packed
    assert packed.double().data.dtype is lumbre.float64
    assert packed.double().sorted_indices is packed.sorted_indices
    assert not packed.is_cuda
