"""torch.compile's options, compiled modules, torch.compiler and torch._dynamo, as PyTorch has them."""

from __future__ import annotations

import copy
import inspect
import pickle
import subprocess
import sys
import warnings

import pytest

import lumbre as torch

nn = torch.nn


def double(x):
    "twice"
    return x * 2


@torch.compile
def tripled(x):
    return x * 3


def test_decorators():
    for made in (torch.compile(double), torch.compile(fullgraph=True, mode="max-autotune")(double)):
        assert made.__name__ == "double" and made.__doc__ == "twice" and made.__wrapped__ is double
        assert made.__module__ == double.__module__ and str(inspect.signature(made)) == "(x)"
        assert [made(torch.tensor(2.0)).item() for _ in range(4)] == [4.0] * 4
        assert torch.compile(made) is made
    assert torch.compile(double, disable=True) is double
    assert torch.compile(nn.Linear) is nn.Linear


def test_options_are_checked():
    with pytest.raises(RuntimeError, match="Either mode or options can be specified"):
        torch.compile(double, mode="default", options={})
    with pytest.raises(RuntimeError, match="Unrecognized mode=fast, should be one of: default, lite"):
        torch.compile(double, mode="fast")
    with pytest.raises(torch._dynamo.exc.InvalidBackend, match="Invalid backend: 'gcc'"):
        torch.compile(double, backend="gcc")
    with pytest.raises(AssertionError, match=r"A callable function is expected, but <class 'int'> is provided\."):
        torch.compile(3)
    with pytest.raises(NotImplementedError):
        torch.compile(double, backend=lambda graph, inputs: graph)


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_backends_that_run_as_written(backend):
    calls = []

    def function(x):
        calls.append(1)
        return x * x.sum().item()

    compiled = torch.compile(function, backend=backend)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(5):
            compiled(torch.ones(2))
    assert len(calls) == 5


def test_compiled_modules():
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    compiled = torch.compile(model)
    assert type(compiled).__name__ == "OptimizedModule" and isinstance(compiled, nn.Module)
    assert isinstance(compiled, torch._dynamo.OptimizedModule) and compiled._orig_mod is model
    assert list(compiled.state_dict()) == ["_orig_mod.0.weight", "_orig_mod.0.bias"]
    assert [name for name, _ in compiled.named_parameters()] == ["_orig_mod.0.weight", "_orig_mod.0.bias"]
    assert next(iter(compiled.parameters())) is model[0].weight
    assert repr(compiled).splitlines()[:2] == ["OptimizedModule(", "  (_orig_mod): Sequential("]
    with pytest.raises(TypeError, match="not subscriptable"):
        compiled[0]
    compiled.extra = 5
    assert model.extra == 5 and compiled.extra == 5
    del compiled.extra
    assert not hasattr(model, "extra")
    with pytest.raises(AttributeError):
        compiled.missing
    assert compiled.eval() is compiled and not model.training and not compiled.training
    compiled.load_state_dict(torch.compile(nn.Sequential(nn.Linear(2, 3), nn.ReLU())).state_dict())
    assert compiled.double() is compiled and model[0].weight.dtype is torch.float64


def test_copies_and_pickles():
    model = torch.compile(nn.Linear(2, 3))
    x = torch.randn(4, 2)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert type(twin) is type(model) and twin.weight is not model.weight
        for _ in range(3):
            assert torch.equal(twin(x), model(x))
    assert pickle.loads(pickle.dumps(tripled)) is tripled
    assert copy.copy(tripled) is tripled


def test_modules_that_are_compiled_in_place():
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    keys = list(model.state_dict())
    assert model.compile() is None and list(model.state_dict()) == keys
    x = torch.randn(4, 2)
    expected = model[1](model[0](x))
    for _ in range(4):
        assert torch.equal(model(x), expected)
    assert model._compiled_call_impl._recordings == 1
    handle = model.register_forward_hook(lambda module, args, result: result + 1)
    assert torch.equal(model(x), expected + 1)
    handle.remove()
    assert torch.equal(model(x), expected)
    assert torch.equal(copy.deepcopy(model)(x), expected)


def test_disable():
    @torch.compiler.disable
    def plain(x):
        return x * 2 if x.sum() > 0 else x

    assert plain(torch.ones(1)).item() == 2
    compiled = torch.compile(lambda x: plain(x) + 1)
    with pytest.warns(UserWarning, match="not to be compiled"):
        assert [compiled(torch.ones(1) * s).item() for s in (1, 1, 1, -1)] == [3, 3, 3, 0]
    assert torch.compiler.disable(recursive=False)(double)(torch.ones(1)).item() == 2


def test_graph_breaks():
    compiled = torch.compile(lambda x: (x * 2, torch._dynamo.graph_break())[0])
    with pytest.warns(UserWarning, match="break in the graph"):
        assert compiled(torch.ones(1)).item() == 2


def test_is_compiling():
    seen = []

    def function(x):
        return x * 2 if torch.compiler.is_compiling() else x * 3

    assert function(torch.ones(1)).item() == 3 and not torch.compiler.is_compiling()
    compiled = torch.compile(function)
    assert [compiled(torch.ones(1)).item() for _ in range(4)] == [2] * 4
    assert not seen and torch._dynamo.is_compiling() is False


def test_reset_and_stances():
    compiled = torch.compile(double)
    for _ in range(3):
        compiled(torch.ones(1))
    assert compiled._recordings == 1
    torch.compiler.reset()
    assert compiled._recordings == 0
    with torch.compiler.set_stance("force_eager"):
        for _ in range(3):
            compiled(torch.ones(1))
        assert compiled._recordings == 0
    for _ in range(3):
        compiled(torch.ones(1))
    assert compiled._recordings == 1
    torch._dynamo.reset()
    assert compiled._recordings == 0

    @torch.compiler.set_stance("force_eager")
    def inside():
        return [compiled(torch.ones(1)) for _ in range(3)]

    inside()
    assert compiled._recordings == 0
    with pytest.raises(RuntimeError):
        torch.compiler.set_stance("nothing")


def test_settings(monkeypatch):
    monkeypatch.setattr(torch._dynamo.config, "recompile_limit", 1)
    compiled = torch.compile(double)
    with pytest.warns(UserWarning, match="recompile_limit"):
        for n in (1, 1, 1, 2, 2, 2):
            assert compiled(torch.ones(n)).tolist() == [2.0] * n
    monkeypatch.setattr(torch._dynamo.config, "disable", True)
    other = torch.compile(double)
    for _ in range(3):
        other(torch.ones(1))
    assert other._recordings == 0


def test_backends_are_listed():
    assert "inductor" in torch.compiler.list_backends() and "eager" not in torch._dynamo.list_backends()
    assert "eager" in torch._dynamo.list_backends(None)


def test_a_program_that_imports_torch():
    program = (
        "import torch, torch._dynamo\n"
        "from torch.compiler import disable\n"
        "net = torch.compile(torch.nn.Linear(2, 1))\n"
        "torch._dynamo.config.suppress_errors = True\n"
        "for _ in range(3): print(net(torch.zeros(1, 2)).shape)\n"
        "print(net.forward._recordings, type(net).__module__)"
    )
    done = subprocess.run([sys.executable, "-m", "lumbre", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["torch.Size([1, 1])"] * 3 + ["1 torch._dynamo.eval_frame"]
