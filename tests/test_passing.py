"""Names that pass a program through on one CPU: compile, jit, distributed, mixed precision."""

from __future__ import annotations

import warnings

import pytest

import lumbre as torch


def test_compile_returns_what_it_is_given():
    def double(x):
        return x * 2

    assert torch.compile(double) is double
    assert torch.compile(fullgraph=True, mode="max-autotune")(double) is double
    assert torch.jit.script(double) is double
    assert torch.jit.trace(double, torch.ones(1)) is double
    assert torch.jit.ignore(double) is double
    assert torch.jit.ignore(drop=True)(double) is double
    assert not torch.jit.is_scripting()
    with pytest.raises(RuntimeError, match="TorchScript"):
        torch.jit.load("model.pt")


def test_absent_parts_say_so():
    assert not torch.distributed.is_available()
    assert not torch.distributed.is_initialized()
    with pytest.raises(ValueError, match="Default process group has not been initialized"):
        torch.distributed.get_rank()
    with pytest.raises(NotImplementedError, match="ONNX"):
        torch.onnx.export()
    with pytest.raises(NotImplementedError, match="download"):
        torch.hub.load("a/b", "c")
    with pytest.raises(AttributeError, match="nothing_like_it"):
        _ = torch.jit.nothing_like_it


def test_scaler_is_disabled_without_its_device():
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        scaler = torch.cuda.amp.GradScaler()
    assert [each.category for each in seen] == [FutureWarning, UserWarning]
    assert not scaler.is_enabled()
    assert scaler.get_scale() == 1.0
    assert scaler.state_dict() == {}


def run_scaler(library):
    scaler = library.amp.GradScaler("cpu", growth_interval=2)
    parameter = library.nn.Parameter(library.ones(2))
    optimizer = library.optim.SGD([parameter], lr=0.1)
    seen = []
    for factor in (1.0, 2.0, float("inf"), 3.0):
        optimizer.zero_grad()
        scaler.scale((parameter * factor).sum()).backward()
        scaler.step(optimizer)
        scaler.update()
        seen.append((parameter.tolist(), scaler.state_dict()))
    return seen


def test_grad_scaler_is_pytorchs():
    reference = pytest.importorskip("torch")
    assert run_scaler(torch) == run_scaler(reference)
    scaler = torch.amp.GradScaler("cpu")
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.1)
    scaler.unscale_(optimizer)
    with pytest.raises(RuntimeError, match="unscale_\\(\\) has already been called"):
        scaler.unscale_(optimizer)
