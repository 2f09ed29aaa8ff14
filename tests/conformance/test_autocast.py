"""Every operator of PyTorch's database, called inside autocast: the dtypes of its results are PyTorch's."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is the reference")
sys.path.insert(0, str(Path(__file__).parent))
import samples

import lumbre

SAMPLES = 8
# What differs, and why.
KNOWN = {
    "linalg.pinv": "PyTorch's ends in a product of half precision; here it is one computation",
    "nn.functional.linear_cross_entropy": "PyTorch's chunked form is one operator, which casts do not enter",
}


def dtypes(value: Any) -> Any:
    if isinstance(value, (torch.Tensor, lumbre.Tensor)):
        return str(value.dtype).rpartition(".")[2]
    if isinstance(value, (list, tuple)):
        return [dtypes(member) for member in value]
    return type(value).__name__


def missing(function: Any, value: Any, args: tuple, kwargs: dict) -> bool:
    """Whether the operator refuses this sample without casts too: then it says nothing of them."""
    try:
        with samples.quiet():
            function(value, *args, **kwargs)
    except Exception:
        return True
    return False


def differences(opinfo: Any, fast: torch.dtype) -> list[str]:
    function = samples.find(opinfo)
    found: list[str] = []
    if function is None:
        return found
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        if dtype not in opinfo.supported_dtypes("cpu"):
            continue
        torch.manual_seed(0)
        for sample in itertools.islice(opinfo.sample_inputs("cpu", dtype, requires_grad=False), SAMPLES):
            try:
                value, args, kwargs = samples.to_lumbre((sample.input, sample.args, sample.kwargs), {})
            except samples.Unsupported:
                continue
            with samples.quiet(), torch.autocast("cpu", dtype=fast):
                try:
                    theirs = dtypes(opinfo.op(sample.input, *sample.args, **sample.kwargs))
                except Exception as error:
                    theirs = error
            with samples.quiet(), lumbre.autocast("cpu", dtype=samples.DTYPES[fast]):
                try:
                    ours = dtypes(function(value, *args, **kwargs))
                except Exception as error:
                    ours = error
            if isinstance(theirs, Exception):
                # Where PyTorch's refusal is its kernel's alone (a dtype that it lacks), more is no harm.
                continue
            if isinstance(ours, Exception) and missing(function, value, args, kwargs):
                continue
            if ours != theirs:
                found.append(f"{samples.describe(sample, dtype)}: {ours!r}, expected {theirs}"[:300])
    return found


@pytest.mark.parametrize("opinfo", samples.database(), ids=lambda o: f"{o.name}-{o.variant_test_name}".rstrip("-"))
def test_dtypes_inside_autocast(opinfo):
    found = differences(opinfo, torch.bfloat16)
    assert not found or opinfo.name in KNOWN, found[:3]
