"""Random programs of views, in-place writes and arithmetic, run under both libraries and compared at every step.

``difference(seed)`` makes one program, runs it, and says where the libraries differ first: in values, sizes, strides,
dtypes, versions, places in the graph, gradients, or the class of an exception. ``python tests/conformance/random_programs.py
FIRST LAST`` prints the differences of a range of seeds.
"""

from __future__ import annotations

import random
import sys
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch

import lumbre

Step = tuple[str, Callable[[Any, list], Any]]
DTYPES = ["float32"] * 6 + ["float64"] * 4 + ["int64", "bool", "int32", "float16", "bfloat16", "uint8"]
TOLERANCE = {"float16": 2e-2, "bfloat16": 1e-1, "float32": 1e-4}
# Differences that are meant.
KNOWN = [
    "backward: RuntimeError, None here",  # PyTorch keeps more than the gradient reads, and misses what was overwritten
    "None, IndexError here",  # it looks at no dimension of cummax, cummin and roll where there are no elements
    "requires_grad: True, False here",  # it lets integers that were filled with a tracked number require a gradient
]
MANY = 200  # elements: results that are larger do not go on

UNARY = [
    "exp",
    "sin",
    "tanh",
    "sigmoid",
    "abs",
    "neg",
    "sqrt",
    "relu",
    "square",
    "sum",
    "mean",
    "prod",
    "t",
    "flatten",
    "contiguous",
    "clone",
    "detach",
    "sign",
    "floor",
    "round",
    "reciprocal",
    "log1p",
    "expm1",
    "erf",
    "isnan",
    "logical_not",
    "bitwise_not",
    "float",
    "double",
    "long",
    "bool",
    "half",
    "squeeze",
    "ravel",
    "trace",
    "std",
    "var",
    "norm",
    "argmax",
    "any",
    "all",
    "tolist",
    "nonzero",
    "diag",
    "triu",
    "tril",
    "max",
    "min",
    "median",
    "unique",
    "numel",
    "nan_to_num",
    "ceil",
    "frac",
    "rsqrt",
    "cos",
    "atan",
    "digamma",
    "logit",
]
ALONG = [
    "cumsum",
    "amax",
    "unbind",
    "softmax",
    "logsumexp",
    "sort",
    "cummax",
    "sum",
    "mean",
    "std",
    "prod",
    "argsort",
    "flip",
    "chunk",
]
BINARY = [
    "add",
    "sub",
    "mul",
    "div",
    "maximum",
    "minimum",
    "pow",
    "atan2",
    "remainder",
    "fmod",
    "floor_divide",
    "eq",
    "lt",
    "ge",
    "ne",
    "logical_and",
    "matmul",
    "mm",
    "dot",
    "outer",
    "hypot",
    "xlogy",
    "heaviside",
    "fmax",
    "logaddexp",
    "bitwise_and",
]
IN_PLACE = [
    "exp_",
    "neg_",
    "relu_",
    "zero_",
    "sigmoid_",
    "tanh_",
    "abs_",
    "sqrt_",
    "detach_",
    "t_",
    "squeeze_",
    "requires_grad_",
    "sin_",
    "floor_",
]
IN_PLACE_BINARY = ["add_", "mul_", "sub_", "div_", "copy_", "pow_", "fill_"]


def making(rng: random.Random) -> Step:
    """A step that makes a tensor of small integers (and a quarter)."""
    shape = [
        rng.choice([1, 2, 3, 3, 4, 0 if rng.random() < 0.1 else 2]) for _ in range(rng.choice([0, 1, 1, 2, 2, 2, 3]))
    ]
    dtype = rng.choice(DTYPES)
    floating = "float" in dtype
    low = 0 if dtype == "uint8" else -3
    values = (np.random.RandomState(rng.randrange(10**6)).randint(low, 4, shape) + (0.25 if floating else 0)).tolist()
    tracked = floating and rng.random() < 0.6

    def make(lib: Any, held: list) -> Any:
        return lib.tensor(values, dtype=getattr(lib, dtype)).requires_grad_(tracked)

    return f"tensor(shape={shape}, {dtype}, requires_grad={tracked})", make


def view_of(x: Any, kind: int, a: int, b: int, c: int) -> Any:
    """One of the views, with arguments that fit or do not."""
    shapes = [(-1,), (x.numel(),), (2, -1), (1, -1, 1), tuple(x.shape)[::-1], (a, b)]
    views: list[Callable[[], Any]] = [
        lambda: x.view(shapes[abs(a * b * c) % 6]), lambda: x.reshape(shapes[abs(a + b + c) % 6]), lambda: x.transpose(a, b),
        lambda: x.movedim(a, b), lambda: x.unsqueeze(a), lambda: x.squeeze(a), lambda: x.narrow(a, b, c), lambda: x.select(a, b),
        lambda: x.unfold(a, b, c), lambda: x.diagonal(a), lambda: x.split(a, 0), lambda: x[a], lambda: x[a:b],
        lambda: x[..., a :: max(1, abs(c))], lambda: x.unflatten(a, (b, c)), lambda: x.expand(3, *x.shape), lambda: x.T,
        lambda: x.repeat(2, *[1] * max(1, x.ndim)), lambda: x.roll(a, b), lambda: x.as_strided((abs(a), abs(b)), (abs(c), 1)),
    ]  # fmt: skip
    return views[kind % len(views)]()


def write(lib: Any, x: Any, kind: int, a: int, b: int, value: Any) -> Any:
    if kind % 4 == 0:
        x[a:b] = 2
    elif kind % 4 == 1:
        x[x > 0] = b
    elif kind % 4 == 2:
        x[a] = value
    else:
        x.masked_fill_(x > 0, 1.5)
    return x


def gathered(lib: Any, x: Any, kind: int, a: int, b: int) -> Any:
    zeros = lib.zeros(x.shape, dtype=lib.int64)
    forms: list[Callable[[], Any]] = [
        lambda: x.gather(a, zeros), lambda: x.index_select(a, lib.tensor([abs(b)])), lambda: x[lib.tensor([a, b])],
        lambda: x[x > 0], lambda: lib.take_along_dim(x, zeros, a), lambda: x.scatter(a, zeros, x), lambda: x.topk(1, a),
        lambda: x.index_add(a, lib.tensor([0]), x.narrow(a, 0, 1)), lambda: lib.where(x > 0, x, b),
    ]  # fmt: skip
    return forms[kind % len(forms)]()


def operating(rng: random.Random) -> Step:
    """A step that works on tensors that the program holds."""
    i, j, kind = rng.randrange(99), rng.randrange(99), rng.randrange(99)
    a, b, c = (rng.choice([0, 1, -1, 2, -2, 3, 1, 2]) for _ in range(3))
    number = rng.choice([2, -1, 0.5, 3, 0, True, 1.5])
    forms: dict[str, list[str]] = {
        "unary": UNARY, "along": ALONG, "binary": BINARY, "number": ["add", "sub", "mul", "div", "pow", "remainder"],
        "in place": IN_PLACE, "in place of two": IN_PLACE_BINARY, "joined": ["cat", "stack"], "view": [""], "view ": [""],
        "written": [""], "gathered": [""],
    }  # fmt: skip
    form = rng.choice(list(forms))
    name = rng.choice(forms[form])

    def apply(lib: Any, held: list) -> Any:
        x, y = held[i % len(held)], held[j % len(held)]
        if form == "joined":
            return getattr(lib, name)((x, y))
        if form.startswith("view"):
            return view_of(x, kind, a, b, c)
        if form == "written":
            return write(lib, x, kind, a, b, y)
        if form == "gathered":
            return gathered(lib, x, kind, a, b)
        if form == "along":
            return getattr(x, name)(*((2, a) if name == "chunk" else ((a,),) if name == "flip" else (a,)))
        arguments = {"number": (number,), "binary": (y,), "in place of two": (y,)}.get(form, ())
        return getattr(x, name)(*arguments)

    return f"{form} {name} of {i}, {j}; {kind}, {a}, {b}, {c}, {number}", apply


def attempt(compute: Callable[[], Any]) -> tuple[Any, str | None]:
    try:
        return compute(), None
    except Exception as error:
        return None, type(error).__name__


def state(t: Any) -> dict[str, Any]:
    """What can be seen of a tensor besides its values."""
    node, refused = attempt(lambda: t.grad_fn.name() if t.grad_fn is not None else None)
    moves = [stride for stride, size in zip(t.stride(), t.shape, strict=True) if size > 1]
    return {
        "dtype": str(t.dtype).rpartition(".")[2], "shape": tuple(t.shape), "strides": moves if t.numel() > 1 else [],
        "offset": t.storage_offset(), "requires_grad": t.requires_grad, "version": t._version, "node": node, "refused": refused,
        "view": t._is_view(), "leaf": attempt(lambda: t.is_leaf)[0],
    }  # fmt: skip


def values_differ(theirs: Any, ours: Any, factor: float = 1.0) -> bool:
    tolerance = factor * TOLERANCE.get(str(theirs.dtype).rpartition(".")[2], 1e-7)
    first, second = (np.array(t.detach().double().tolist()) for t in (theirs, ours))
    return not np.allclose(first, second, rtol=tolerance, atol=tolerance, equal_nan=True)


def unlike(theirs: Any, ours: Any) -> str | None:
    if isinstance(theirs, tuple | list):
        if len(theirs) != len(ours):
            return f"{len(theirs)} results, {len(ours)} here"
        return next((found for pair in zip(theirs, ours, strict=True) if (found := unlike(*pair))), None)
    if not isinstance(theirs, torch.Tensor):
        same = theirs == ours or (theirs != theirs and ours != ours) or np.isclose(theirs, ours, rtol=1e-3)
        return None if same else f"{theirs!r}, {ours!r} here"
    before, here = state(theirs), state(ours)
    for key, value in before.items():
        if value != here[key]:
            return f"{key}: {value!r}, {here[key]!r} here"
    return f"values: {theirs}, {ours} here" if values_differ(theirs, ours) else None


def results(value: Any) -> list:
    members = list(value) if isinstance(value, tuple | list) else [value]
    return [m for m in members if isinstance(m, torch.Tensor | lumbre.Tensor)]


def backward(held: list) -> list | None:
    parts = [(t.double() * (i + 1)).sum() for i, t in enumerate(held) if t.requires_grad]
    if not parts:
        return None
    sum(parts[1:], parts[0]).backward()
    return [t.grad if t.is_leaf else None for t in held]


def run(steps: list[Step]) -> str | None:
    theirs: list = []
    ours: list = []
    for name, apply in steps:
        expected, refused = attempt(partial(apply, torch, theirs))
        found, refused_here = attempt(partial(apply, lumbre, ours))
        if refused != refused_here:
            return f"{name}: {refused}, {refused_here} here"
        difference = unlike(expected, found) if refused is None else None
        difference = difference or unlike(theirs, ours)
        if difference:
            return f"{name}: {difference}"
        for one, other in zip(results(expected), results(found), strict=True):
            if one.numel() < MANY and not any(one is t for t in theirs):
                theirs.append(one)
                ours.append(other)
        if not theirs:
            return None
    (expected, refused), (found, refused_here) = (attempt(lambda held=held: backward(held)) for held in (theirs, ours))
    if refused != refused_here:
        return f"backward: {refused}, {refused_here} here"
    for i, (one, other) in enumerate(zip(expected or [], found or [], strict=True)):
        if (one is None) != (other is None):
            return f"gradient of {i}: {one}, {other} here"
        if one is not None and bool(torch.isfinite(one).all()) and values_differ(one, other, 10):
            return f"gradient of {i}: {one}, {other} here"
    return None


def difference(seed: int) -> str | None:
    """Where the libraries differ on the program of this seed, with its steps; None where they agree."""
    rng = random.Random(seed)
    steps = [making(rng) for _ in range(rng.choice([1, 2, 3]))]
    steps += [(f"copy of {i}", lambda lib, held, i=i: held[i].clone()) for i in range(len(steps)) if rng.random() < 0.6]
    steps += [operating(rng) for _ in range(rng.randrange(3, 12))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = run(steps)
    return found and "\n".join([f"seed {seed}", *(name for name, _ in steps), f"-> {found}"])


if __name__ == "__main__":
    torch.set_num_threads(1)
    for number in range(int(sys.argv[1]), int(sys.argv[2])):
        if text := difference(number):
            print(text, end="\n\n", flush=True)
