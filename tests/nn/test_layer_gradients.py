"""Gradients of the layers, in float64, held against PyTorch's."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import lumbre

torch = pytest.importorskip("torch")

CASES = [
    ("RNN", (3, 5), {"num_layers": 2}, [(4, 2, 3)]),
    ("RNN", (3, 5), {"nonlinearity": "relu", "bidirectional": True}, [(4, 2, 3)]),
    ("LSTM", (3, 5), {"bidirectional": True, "num_layers": 2}, [(4, 2, 3)]),
    ("LSTM", (3, 5), {"proj_size": 2, "batch_first": True}, [(4, 2, 3)]),
    ("GRU", (3, 5), {"bidirectional": True, "bias": False}, [(4, 2, 3)]),
    ("LSTM", (3, 5), {}, "packed"),
    ("GRU", (3, 5), {"bidirectional": True}, "packed"),
    ("LSTMCell", (3, 5), {}, [(2, 3)]),
    ("GRUCell", (3, 5), {}, [(2, 3), (2, 5)]),
    ("RNNCell", (3, 5), {}, [(3,)]),
    ("MultiheadAttention", (4, 2), {"add_bias_kv": True}, [(5, 2, 4), (6, 2, 4), (6, 2, 4)]),
    ("MultiheadAttention", (4, 2), {"kdim": 3, "vdim": 2, "add_zero_attn": True}, [(5, 2, 4), (6, 2, 3), (6, 2, 2)]),
    ("TransformerEncoderLayer", (4, 2, 8, 0.0), {"activation": "gelu"}, [(5, 3, 4)]),
    ("TransformerDecoderLayer", (4, 2, 8, 0.0), {"norm_first": True}, [(5, 3, 4), (2, 3, 4)]),
    ("Transformer", (4, 2, 1, 1, 8, 0.0), {"batch_first": True}, [(3, 5, 4), (3, 2, 4)]),
    ("BatchNorm1d", (3,), {}, [(4, 3)]),
    ("BatchNorm2d", (3,), {"affine": False}, [(4, 3, 2, 2)]),
    ("InstanceNorm2d", (3,), {"affine": True}, [(2, 3, 4, 4)]),
    ("LayerNorm", ((3, 4),), {}, [(2, 3, 4)]),
    ("GroupNorm", (2, 4), {}, [(2, 4, 3)]),
    ("RMSNorm", (4,), {}, [(2, 4)]),
    ("LocalResponseNorm", (3, 0.5), {}, [(2, 4, 3)]),
    ("Conv1d", (4, 6, 3), {"stride": 2, "padding": 1}, [(2, 4, 9)]),
    ("Conv2d", (4, 6, 3), {"groups": 2, "dilation": 2}, [(2, 4, 9, 8)]),
    ("Conv2d", (4, 6, (3, 4)), {"padding": "same", "bias": False}, [(4, 9, 8)]),
    ("Conv3d", (2, 3, 2), {"padding": 1, "padding_mode": "circular"}, [(2, 2, 4, 4, 4)]),
    ("ConvTranspose1d", (4, 6, 3), {"padding": 1}, [(2, 4, 9)]),
    ("ConvTranspose2d", (4, 6, 3), {"groups": 2, "stride": 2, "output_padding": 1}, [(2, 4, 5, 6)]),
    ("ConvTranspose3d", (2, 3, 2), {}, [(2, 3, 4, 4)]),
    ("MaxPool1d", (3,), {"stride": 2, "padding": 1}, [(2, 3, 7)]),
    ("MaxPool2d", (2,), {"ceil_mode": True}, [(2, 3, 5, 4)]),
    ("MaxPool3d", (2,), {"dilation": 2}, [(1, 2, 5, 5, 5)]),
    ("AvgPool1d", (3,), {"stride": 2, "padding": 1}, [(2, 3, 7)]),
    ("AvgPool2d", (2,), {}, [(2, 3, 4, 6)]),
    ("AvgPool3d", (2,), {"stride": 1, "count_include_pad": False, "padding": 1}, [(1, 2, 3, 4, 5)]),
    ("LPPool2d", (2, 2), {}, [(1, 2, 4, 4)]),
    ("AdaptiveAvgPool2d", ((3, 2),), {}, [(2, 3, 5, 4)]),
    ("AdaptiveAvgPool1d", (1,), {}, [(2, 3, 5)]),
    ("AdaptiveMaxPool2d", ((3, 2),), {}, [(2, 3, 5, 4)]),
    ("FractionalMaxPool2d", (2,), {"output_size": 3}, [(2, 3, 6, 7)]),
    ("Unfold", (2,), {"padding": 1, "stride": 2}, [(2, 3, 4, 5)]),
    ("Fold", ((4, 5), 2), {}, [(2, 8, 12)]),
    ("Upsample", (), {"scale_factor": 2.5, "mode": "bilinear"}, [(1, 2, 4, 3)]),
    ("Upsample", ((5, 7),), {"mode": "bicubic", "align_corners": True}, [(1, 2, 4, 3)]),
    ("Upsample", (5,), {"mode": "nearest"}, [(1, 2, 3)]),
    ("ReflectionPad2d", (1,), {}, [(2, 3, 4)]),
    ("ReplicationPad1d", (2,), {}, [(2, 3, 4)]),
    ("CircularPad2d", (1,), {}, [(2, 3, 4)]),
    ("ConstantPad1d", ((1, -1), 2.0), {}, [(2, 3, 4)]),
    ("AdaptiveLogSoftmaxWithLoss", (8, 10, [3, 6]), {"div_value": 2.0}, "classes"),
]


def flat(result):
    if isinstance(result, (tuple, list)):
        return [each for part in result for each in flat(part)]
    return [result] if result is not None and result.dtype.is_floating_point else []


def gradients(library, name, arguments, options, inputs, training):
    """The gradients of a weighted sum of the outputs, by input and parameter."""
    library.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = getattr(library.nn, name)(*arguments, **options).double().train(training)
    generator = np.random.default_rng(0)
    made = [generator.standard_normal(each) for each in (inputs if isinstance(inputs, list) else [(6, 8)])]
    if inputs == "packed":
        made = [generator.standard_normal((count, 3)) for count in (2, 5, 4)]
    leaves = [library.tensor(each, dtype=library.float64, requires_grad=True) for each in made]
    given = list(leaves)
    if inputs == "packed":
        given = [library.nn.utils.rnn.pack_sequence(leaves, enforce_sorted=False)]
    elif inputs == "classes":
        given.append(library.tensor([0, 2, 4, 7, 9, 3]))
    outputs = flat(module(*given))
    total = 0
    for place, output in enumerate(outputs):
        weights = np.random.default_rng(place).standard_normal(tuple(output.shape))
        total = total + (output * library.tensor(weights, dtype=library.float64)).sum()
    total.backward()
    found = {f"input {place}": leaf.grad for place, leaf in enumerate(leaves)}
    found.update((key, value.grad) for key, value in module.named_parameters())
    return found


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "arguments", "options", "inputs"), CASES, ids=lambda value: str(value)[:40])
@pytest.mark.parametrize("training", [True, False])
def test_gradients(name, arguments, options, inputs, training):
    expected = gradients(torch, name, arguments, options, inputs, training)
    actual = gradients(lumbre, name, arguments, options, inputs, training)
    assert list(actual) == list(expected)
    for key, value in expected.items():
        if value is None:
            assert actual[key] is None, key
            continue
        np.testing.assert_allclose(actual[key].numpy(), value.numpy(), atol=1e-8, rtol=1e-5, err_msg=key)
