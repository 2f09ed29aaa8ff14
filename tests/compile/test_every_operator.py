"""Every operator of PyTorch's database, recorded on its first samples and repeated on other elements: the bits of eager
calls, gradients included. What decides by elements must refuse; nothing may answer for the elements it was recorded with.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import pytest

torch_reference = pytest.importorskip("torch")

import lumbre

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "conformance"))
samples = pytest.importorskip("samples")

SAMPLES = 4
# A few of each kind run with every change; the rest are a sweep.
ALWAYS = (
    "add", "mul", "nn.functional.mse_loss", "nn.functional.cross_entropy", "nn.functional.linear", "matmul", "cumprod", "prod",
    "nn.functional.layer_norm", "nn.functional.conv2d", "nn.functional.max_pool2d", "index_put", "masked_select", "sort",
    "linalg.det", "where", "nn.functional.binary_cross_entropy", "repeat_interleave", "std", "nn.functional.gelu",
)  # fmt: skip


def infos():
    for info in samples.database():
        if "empty" in info.name:  # whose elements are anything
            continue
        name = info.name + (f".{info.variant_test_name}" if info.variant_test_name else "")
        yield pytest.param(info, id=name, marks=() if info.name in ALWAYS else pytest.mark.sweep)


def other(value, k):
    """The same structure with other elements: in another order, scaled, and with zeros among them."""
    if isinstance(value, lumbre.Tensor):
        if k == 0 or value.numel() == 0:
            twin = value.detach().clone()
        else:
            flat = value.detach().reshape(-1)
            flat = flat.flip(0) if k == 1 else flat.roll(1)
            twin = flat.reshape(value.shape)
            if value.is_floating_point():
                twin = twin * (0.75 if k == 1 else 1.25)
                if k == 2 and twin.numel() > 3:
                    twin.view(-1)[1] = 0
        kept = lumbre.empty_strided(value.shape, value.stride(), dtype=value.dtype) if dense(value) else None
        twin = kept.copy_(twin) if kept is not None else twin
        return twin.requires_grad_(value.requires_grad)
    if isinstance(value, list | tuple) and not isinstance(value, lumbre.Size):
        return type(value)(other(item, k) for item in value)
    if isinstance(value, dict):
        return {key: other(item, k) for key, item in value.items()}
    return value


def dense(value):
    return value.numel() > 0 and all(stride > 0 for stride in value.stride())


def tensors(value):
    if isinstance(value, lumbre.Tensor):
        return [value]
    if isinstance(value, list | tuple):
        return [leaf for item in value for leaf in tensors(item)]
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in tensors(item)]
    return []


def program(function, gradients):
    def run(given, args, kwargs):
        result = function(given, *args, **kwargs)
        if not gradients:
            return result
        outputs = [t for t in tensors(result) if t.is_floating_point() and t.requires_grad]
        inputs = [t for t in tensors((given, args, kwargs)) if t.requires_grad]
        if not outputs or not inputs:
            return result
        weights = [
            lumbre.linspace(0.5, 1.5, max(t.numel(), 1), dtype=t.dtype)[: t.numel()].view(t.shape) for t in outputs
        ]
        found = lumbre.autograd.grad(outputs, inputs, weights, allow_unused=True)
        return found, [t.detach() for t in tensors(result)]

    return run


def outcome(run, arguments):
    lumbre.manual_seed(3)
    try:
        return run(*arguments)
    except Exception as error:
        return type(error)


def same(a, b):
    if isinstance(a, lumbre.Tensor):
        if not isinstance(b, lumbre.Tensor) or a.dtype != b.dtype or a.shape != b.shape or a.stride() != b.stride():
            return False
        if a.requires_grad != b.requires_grad:
            return False
        if a.is_floating_point():
            a, b = a.detach().double(), b.detach().double()
            return lumbre.equal(a.isnan(), b.isnan()) and lumbre.equal(a.nan_to_num(0.0), b.nan_to_num(0.0))
        return lumbre.equal(a, b)
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    return a == b


@pytest.mark.parametrize("info", list(infos()))
def test_repeated_on_other_elements(info):
    function = samples.find(info)
    if function is None:
        pytest.skip("not an operator of Lumbre's")
    dtype = torch_reference.float32
    if dtype not in info.supported_dtypes("cpu"):
        pytest.skip("no float32 samples")
    checked = 0
    for gradients in (False, True):
        if gradients and not info.supports_autograd:
            continue
        torch_reference.manual_seed(0)
        for index, sample in enumerate(info.sample_inputs("cpu", dtype, requires_grad=gradients)):
            if index >= SAMPLES:
                break
            try:
                given = samples.to_lumbre((sample.input, sample.args, sample.kwargs), {})
            except samples.Unsupported:
                continue
            if gradients:
                for ours, theirs in zip(
                    tensors(given), theirs_of((sample.input, sample.args, sample.kwargs)), strict=True
                ):
                    ours.requires_grad_(theirs.requires_grad)
            run = program(function, gradients)
            compiled = lumbre.compile(run)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                for k in (0, 0, 1, 2, 0):
                    expected = outcome(run, other(given, k))
                    got = outcome(compiled, other(given, k))
                    assert same(expected, got), (
                        index,
                        k,
                        gradients,
                        compiled._slow.__self__.reason,
                        compiled._programs,
                    )
            checked += 1
    if not checked:
        pytest.skip("no samples that Lumbre can take")


def theirs_of(value):
    if isinstance(value, torch_reference.Tensor):
        return [value]
    if isinstance(value, list | tuple):
        return [leaf for item in value for leaf in theirs_of(item)]
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in theirs_of(item)]
    return []
