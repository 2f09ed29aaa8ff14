"""Nodes' names, versions and refusals around views and in-place forms, against PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is the reference")
import lumbre


def outcome(library: Any, compute: Callable) -> Any:
    try:
        return str(compute(library)).replace("lumbre.", "torch.")
    except Exception as error:
        return type(error).__name__, str(error).split("\n")[0].replace("lumbre.", "torch.")


def recorded(library: Any, *shape: int) -> Any:
    """A tensor that is the result of an operation."""
    return library.ones(*shape, requires_grad=True) * 1


def name(tensor: Any) -> str | None:
    return tensor.grad_fn.name() if tensor.grad_fn is not None else None


IN_PLACE_VIEWS = [
    ("t_", ()), ("squeeze_", ()), ("squeeze_", (0,)), ("squeeze_", ((0, 1),)), ("unsqueeze_", (0,)), ("transpose_", (0, 1)),
    ("swapaxes_", (0, 1)), ("swapdims_", (0, 1)), ("as_strided_", ((1,), (1,))), ("resize_", (1,)), ("detach_", ()),
]  # fmt: skip


@pytest.mark.parametrize("method, arguments", IN_PLACE_VIEWS)
def test_in_place_view(method: str, arguments: tuple) -> None:
    def version(library: Any) -> Any:
        tensor = library.ones(1, 2)
        getattr(tensor, method)(*arguments)
        return tensor._version, tuple(tensor.shape)

    def node(library: Any) -> Any:
        tensor = recorded(library, 1, 2)
        getattr(tensor, method)(*arguments)
        return name(tensor)

    for compute in (version, node):
        assert outcome(lumbre, compute) == outcome(torch, compute)


SHAPES = [(), (2,), (2, 2), (3, 2, 2), (4, 3, 2, 2)]
NAMES: list[Callable] = [
    *(lambda t, a=a, b=b: name(t.matmul(recorded(t, *a), recorded(t, *b))) for a in SHAPES for b in SHAPES),
    lambda t: name(t.ones(2, 2) @ recorded(t, 3, 2, 2)),
    lambda t: name(recorded(t, 2).fill_(1.0)),
    lambda t: name(recorded(t, 2).fill_(t.tensor(1.0))),
    lambda t: name(t.fill(recorded(t, 2), 1.0)),
    lambda t: name(recorded(t, 2).clamp(-1, 1)),
    lambda t: name(recorded(t, 2).clamp_(min=-1)),
    lambda t: name(recorded(t, 2).clamp(t.tensor(-1.0), t.tensor(1.0))),
    lambda t: name(recorded(t, 2).diag()),
    lambda t: name(recorded(t, 2, 2).diag()),
    lambda t: name(t.unique(recorded(t, 2))),
    lambda t: name(t.unique(recorded(t, 2), dim=0)),
    lambda t: name(t.unique_consecutive(recorded(t, 2))),
    lambda t: name(t.ldexp(recorded(t, 2), recorded(t, 2))),
    lambda t: name(recorded(t, 2) // 2),
    lambda t: name(t.heaviside(recorded(t, 2), recorded(t, 2))),
    lambda t: name(t.poisson(recorded(t, 2))),
    lambda t: name(recorded(t, 2).copy_(recorded(t, 2))),
    *(lambda t, p=p, s=s: name(getattr(recorded(t, *s), p)) for p in ("T", "mT", "H", "mH") for s in SHAPES),
]


@pytest.mark.parametrize("compute", NAMES, ids=range(len(NAMES)))
@pytest.mark.filterwarnings("ignore")
def test_name(compute: Callable) -> None:
    assert outcome(lumbre, compute) == outcome(torch, compute)


def gradients(t: Any, compute: Callable, *leaves: Any) -> list:
    compute().sum().backward()
    return [None if leaf.grad is None else leaf.grad.tolist() for leaf in leaves]


def of_itself(t: Any) -> Any:
    leaf = t.ones(2, requires_grad=True)
    value = leaf * 1
    return gradients(t, lambda: value.mul_(value), leaf)


def of_detached_leaf(t: Any) -> Any:
    leaf = t.ones(2, requires_grad=True)
    value = leaf * 2
    leaf.detach_()
    return gradients(t, lambda: value, leaf)


def of_restrided(t: Any) -> Any:
    leaf = t.ones(4, requires_grad=True)
    value = leaf * 1
    value.as_strided((2,), (2,)).mul_(3)
    return gradients(t, lambda: value, leaf)


def of_filled(t: Any) -> Any:
    weight = t.ones((), requires_grad=True)
    return gradients(t, lambda: t.ones(2).fill_(weight), weight)


def of_copied_sign(t: Any) -> Any:
    sign = t.ones(2, requires_grad=True)
    return gradients(t, lambda: t.copysign(t.ones(2), sign), sign)


def of_integers(t: Any) -> Any:
    target = t.ones(2, dtype=t.int64)
    target[0] = recorded(t, 1)[0]
    return target.copy_(recorded(t, 2)).requires_grad


GRADIENTS = [
    of_itself, of_detached_leaf, of_restrided, of_filled, of_copied_sign, of_integers,
    lambda t: recorded(t, 2).floor_divide(2).sum().backward(),
    lambda t: t.heaviside(recorded(t, 2), recorded(t, 2)).sum().backward(),
]  # fmt: skip


@pytest.mark.parametrize("compute", GRADIENTS, ids=range(len(GRADIENTS)))
def test_gradient(compute: Callable) -> None:
    assert outcome(lumbre, compute) == outcome(torch, compute)


VIEWS = {
    "split": lambda t, x: x.split(2)[0],
    "unbind": lambda t, x: x.unbind()[1],
    "slice": lambda t, x: x[1:],
    "slice of split": lambda t, x: x.split(2)[0][:1],
}
USES = {
    "grad_fn": lambda view: view.grad_fn is None,
    "is_leaf": lambda view: view.is_leaf,
    "requires_grad": lambda view: view.requires_grad,
    "repr": lambda view: repr(view),
    "operation": lambda view: view + 1,
    "in-place": lambda view: view.add_(1),
    "backward": lambda view: view.sum().backward(),
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("recording", [True, False])
@pytest.mark.parametrize("view", VIEWS)
def test_view_whose_base_was_changed(view: str, recording: bool, use: str) -> None:
    def compute(t: Any) -> Any:
        base = recorded(t, 4)
        with t.set_grad_enabled(recording):
            seen = VIEWS[view](t, base)
        base.mul_(2)
        return USES[use](seen)

    assert outcome(lumbre, compute) == outcome(torch, compute)


FRESH = {
    "index_add": lambda t, x, i: x.index_add(0, t.tensor([0]), x[:1]),
    "scatter": lambda t, x, i: x.scatter(0, i, x),
    "index_copy": lambda t, x, i: x.index_copy(0, t.tensor([0]), x[:1]),
    "index_fill": lambda t, x, i: x.index_fill(0, t.tensor([0]), 1.0),
    "masked_fill": lambda t, x, i: x.masked_fill(x > 0, 1.0),
    "masked_scatter": lambda t, x, i: x.masked_scatter(x > 0, x),
    "index_put": lambda t, x, i: x.index_put((t.tensor([0]),), x[0]),
    "put": lambda t, x, i: x.put(t.tensor([0]), t.tensor([1.0])),
    "bernoulli": lambda t, x, i: x.bernoulli(),
}


@pytest.mark.parametrize("operator", FRESH)
def test_new_results_begin_at_version_0(operator: str) -> None:
    for library in (lumbre, torch):
        result = FRESH[operator](library, library.ones(2, 3), library.zeros(2, 3, dtype=library.int64))
        assert result._version == 0
