"""Layers whose loops are the engine's own, against PyTorch: pooling, whole LSTM sequences, normalisation, bytes resized."""

from __future__ import annotations

import numpy as np
import pytest

import lumbre

torch = pytest.importorskip("torch")


def both(function, *arrays):
    """Results and gradients of the same function of the same arrays under both libraries."""
    found = []
    for lib in (torch, lumbre):
        leaves = [lib.tensor(each, requires_grad=True) for each in arrays]
        result = function(lib, *leaves)
        (result * result.detach().sin()).sum().backward()
        found.append([result.detach().numpy(), *(leaf.grad.numpy() for leaf in leaves)])
    for theirs, ours in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("width", [3, 7, 16, 33, 40])
@pytest.mark.parametrize("window", [(2, 2, 0, 1), (3, 2, 1, 1), (3, 1, 1, 2), (2, 3, 1, 1)])
def test_pooling_of_ties(width, window):
    kernel, stride, padding, dilation = window
    image = np.round(np.random.default_rng(0).standard_normal((2, 3, 9, width)))
    reach = dilation * (kernel - 1) + 1
    if width + 2 * padding < reach:
        pytest.skip("smaller than the window")
    both(lambda lib, x: lib.nn.functional.max_pool2d(x, kernel, stride, padding, dilation), image)
    both(lambda lib, x: lib.nn.functional.avg_pool2d(x, kernel, stride, padding, True, False), image)
    both(lambda lib, x: lib.nn.functional.adaptive_avg_pool2d(x, (4, 3)), image)


def test_the_last_nan_of_a_window_wins():
    row = [[1.0, float("nan"), 3.0, float("nan"), 5.0, 2.0]]
    values, places = lumbre.nn.functional.max_pool1d(lumbre.tensor(row), 6, return_indices=True)
    assert values.isnan().item() and places.item() == 3


@pytest.mark.parametrize("batch", [1, 5, 70])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_lstm(batch, bidirectional):
    rng = np.random.default_rng(1)
    net = torch.nn.LSTM(3, 5, 2, bidirectional=bidirectional, dtype=torch.float64)
    weights = [each.detach().numpy() for each in net.parameters()]

    def run(lib, x, h, c, *params):
        output, last, cell = lib.lstm(x, (h, c), list(params), True, 2, 0.0, True, bidirectional, False)
        return lib.cat([output.flatten(), last.flatten(), cell.flatten()])

    states = rng.standard_normal((2, 2 * (1 + bidirectional), batch, 5))
    both(run, rng.standard_normal((4, batch, 3)), *states, *weights)


def test_second_derivatives():
    net = lumbre.nn.LSTM(2, 3, bidirectional=True, dtype=lumbre.float64)
    x = lumbre.randn(3, 2, 2, dtype=lumbre.float64, requires_grad=True)
    assert lumbre.autograd.gradgradcheck(lambda v: net(v)[0], (x,))
    image = lumbre.randn(2, 4, 5, 4, dtype=lumbre.float64, requires_grad=True)
    weight = lumbre.randn(4, dtype=lumbre.float64, requires_grad=True)
    functional = lumbre.nn.functional
    for layer in (
        lambda v, w: functional.batch_norm(v, None, None, w, w, True),
        lambda v, w: functional.group_norm(v, 2, w, w),
        lambda v, w: functional.layer_norm(v, (4,), w, w),
        lambda v, w: functional.avg_pool2d(v, 3, 2, 1) * w.sum(),
        lambda v, w: functional.max_pool2d(v, 3, 2, 1) * w.sum(),
    ):
        assert lumbre.autograd.gradgradcheck(layer, (image, weight))


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("align", [False, True])
def test_bytes_resized(mode, antialias, align):
    image = np.random.default_rng(2).integers(0, 256, (1, 8, 5, 7), dtype=np.uint8)
    theirs, ours = (
        lib.nn.functional.interpolate(
            lib.tensor(image), (10, 4), mode=mode, antialias=antialias, align_corners=align
        ).numpy()
        for lib in (torch, lumbre)
    )
    np.testing.assert_array_equal(ours, theirs)
