"""Names that pass a program through on one CPU: jit, distributed, mixed precision."""

from __future__ import annotations

import subprocess
import sys
import warnings

import pytest

import lumbre as torch


def test_scripting_returns_what_it_is_given():
    def double(x):
        return x * 2

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


def test_what_is_absent_says_why():
    for name in ("nested", "package", "sparse", "view_as_complex", "export", "sparse_coo_tensor"):
        with pytest.raises(AttributeError, match=f"has no attribute '{name}'") as caught:
            getattr(torch, name)
        assert caught.value.__notes__
    with pytest.raises(AttributeError) as caught:
        _ = torch.distributed.fsdp
    assert "processes that share memory" in caught.value.__notes__[0]
    for line in (
        "import torch.export",
        "import torch.nested",
        "import torch.distributed.checkpoint as checkpoint",
    ):
        done = subprocess.run([sys.executable, "-m", "lumbre", "-c", line], capture_output=True, text=True, check=False)
        assert "ModuleNotFoundError: No module named 'torch." in done.stderr
        assert "Lumbre" in done.stderr


def run_older_names(library):
    def attempt(function):
        try:
            return repr(function()).replace("lumbre.", "torch.")
        except Exception as error:
            return type(error).__name__, str(error).partition("\n")[0].replace("lumbre.", "torch.")

    x = library.arange(6.0).view(2, 3)
    calls = [
        lambda: x.resize(3, 2), lambda: x.resize((3, 2)), lambda: x.resize(2, 2), lambda: x.resize(4),
        lambda: x.resize_as(library.ones(6)), lambda: x.indices(), lambda: x.values(), lambda: x.coalesce(),
        lambda: x.to_dense() is x, lambda: x.sparse_dim(), lambda: x.dense_dim(),
        lambda: library.accelerator.is_available(), lambda: library.accelerator.current_accelerator(),
        lambda: library.accelerator.device_count(), lambda: library.accelerator.synchronize(),
        lambda: library.accelerator.set_device_index(0), lambda: library.cuda.FloatTensor(2),
        lambda: isinstance(x, library.cuda.FloatTensor), lambda: library.cuda.memory_cached(),
        lambda: library.nn.attention.SDPBackend.MATH, lambda: library.jit.freeze(3) if library is torch else 3,
        lambda: type(x.max(0)) is library.return_types.max, lambda: library.return_types.linalg_qr.__name__,
        lambda: type(library.linalg.qr(x)) is library.return_types.linalg_qr,
        lambda: library.return_types.no_such is None,
        lambda: library.types.Number == (int | float | bool), lambda: isinstance("cpu", library.types.Device),
        lambda: (library.cpu.is_available(), library.cpu.device_count(), library.cpu.current_device()),
        lambda: library.cpu.synchronize(), lambda: library.functional.atleast_2d(x).shape,
    ]  # fmt: skip
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        results = [attempt(call) for call in calls]
    return results, [(each.category.__name__, str(each.message)) for each in seen]


def test_older_names_are_pytorchs():
    reference = pytest.importorskip("torch", reason="PyTorch is the reference")
    ours, theirs = run_older_names(torch), run_older_names(reference)
    for number, (mine, other) in enumerate(zip(ours[0], theirs[0], strict=True)):
        assert mine == other, number
    assert ours[1] == theirs[1]


def test_attention_blocks():
    from lumbre.nn.attention import SDPBackend, sdpa_kernel

    q = torch.ones(1, 2, 3)
    with sdpa_kernel([SDPBackend.MATH, SDPBackend.FLASH_ATTENTION]):
        torch.nn.functional.scaled_dot_product_attention(q, q, q)
    with pytest.raises(AssertionError, match="SDPBackend"), sdpa_kernel("math"):
        pass
    with pytest.raises(ValueError, match="Default process group"):
        torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(1, 1))
