"""What a row is: a statement, the operands that it works on, and what it must cost at least.

A row's statement is what a PyTorch program says, and is timed without anything around it. Tables of rows are text, a
statement a line, with the same for NumPy (and for JAX, under ``jit``) after ``np:`` where it means something there.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Names = dict[str, Any]
BYTES = {"float64": 8, "int64": 8, "float32": 4, "int32": 4, "bfloat16": 2, "float16": 2, "bool": 1, "uint8": 1}


@dataclass(frozen=True)
class Limit:
    """What the statement must cost at least: ``amount`` bytes copied, or operations of fused multiply-adds."""

    kind: str  # "copy", "float32", "float64"
    amount: int


@dataclass(frozen=True)
class Row:
    group: str
    name: str
    statement: str
    prepare: Callable[[Any], Names]  # what the statement's names stand for, made with one library
    numpy: str | None = None
    answer: str | None = None  # what is compared, where it is not the statement's own value
    compiled: bool = False  # torch.compile is a peer
    limit: Limit | None = None
    random: bool = False  # equal between Lumbre and PyTorch, from the same seed, only

    @property
    def id(self) -> str:
        return f"{self.group}: {self.name}"


# --- operands ---------------------------------------------------------------------------------------------------------

VALUES: dict[str, Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]] = {
    "uniform": lambda rng, shape: rng.random(shape, np.float32) + np.float32(0.5),
    "centred": lambda rng, shape: rng.random(shape, np.float32) * 2 - 1,
    "unit": lambda rng, shape: rng.random(shape, np.float32),
    "near one": lambda rng, shape: (rng.random(shape, np.float32) - np.float32(0.5)) * np.float32(1e-4) + 1,
    "ones": lambda rng, shape: np.ones(shape, np.float32),
    "zeros": lambda rng, shape: np.zeros(shape, np.float32),
    "half": lambda rng, shape: rng.integers(0, 2, shape, np.bool_),
    "integers": lambda rng, shape: rng.integers(1, 100, shape, np.int64),
    "labels": lambda rng, shape: rng.integers(1, 20, shape, np.int64),
    "tens": lambda rng, shape: np.full(shape, 10, np.int64),
    "fifty": lambda rng, shape: np.full(shape, 50, np.int64),
    "positions": lambda rng, shape: rng.integers(0, shape[0], shape, np.int64),
    "sorted": lambda rng, shape: np.sort(rng.random(shape, np.float32) + np.float32(0.5)),
    "definite": lambda rng, shape: (lambda a: a @ a.T + shape[0] * np.eye(*shape))(rng.random(shape)),
}


@functools.lru_cache(maxsize=6)
def drawn(values: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    array = VALUES[values](np.random.default_rng(seed), shape)
    array.setflags(write=False)
    return array


@dataclass(frozen=True)
class Operand:
    """An array of random values; each library makes it in its own memory, whose alignment and pages are compared too."""

    shape: tuple[int, ...]
    dtype: str = "float32"
    values: str = "uniform"
    layout: str = "contiguous"
    gradient: bool = False
    seed: int = 0

    def make(self, library: Any) -> Any:
        if self.layout == "array":  # of NumPy's, for every library
            return drawn(self.values, self.shape, self.seed).copy()
        made = library.tensor(drawn(self.values, self.stored_shape(), self.seed), self.dtype)
        if self.layout == "transposed":
            made = made.swapaxes(-1, -2)
        elif self.layout == "strided":
            made = made[tuple(slice(None, None, 2) for _ in self.shape)]
        elif self.layout == "broadcast":
            made = library.module.broadcast_to(made, self.shape)
        return made.requires_grad_() if self.gradient else made

    def stored_shape(self) -> tuple[int, ...]:
        match self.layout:
            case "transposed":
                return (*self.shape[:-2], *self.shape[:-3:-1])
            case "strided":
                return tuple(2 * n for n in self.shape)
            case "broadcast":
                return (1, *self.shape[1:])
        return self.shape


def names_in(*sources: str | None) -> set[str]:
    trees = [ast.parse(source) for source in sources if source]
    return {node.id for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Name)}


def table(group: str, text: str, operands: Mapping[str, Operand], **common: Any) -> Iterator[Row]:
    """A row a line: ``statement``, ``np: the same for NumPy``, ``gives: what is compared``; the last two may lack."""
    for line in filter(str.strip, text.splitlines()):
        rest, _, answer = line.partition(" gives: ")
        statement, _, numpy = rest.partition(" np: ")
        yield statement_row(group, statement.strip(), operands, numpy.strip() or None, answer.strip() or None, **common)


def statement_row(
    group: str,
    statement: str,
    operands: Mapping[str, Operand],
    numpy: str | None = None,
    answer: str | None = None,
    *,
    name: str | None = None,
    **common: Any,
) -> Row:
    used = names_in(statement, numpy, answer)

    def prepare(library: Any) -> Names:
        return {name: operand.make(library) for name, operand in operands.items() if name in used}

    return Row(group, name or statement, statement, prepare, numpy, answer, **common)


# --- timing -----------------------------------------------------------------------------------------------------------

TIMER = """
def timer(loop, clock, {names}):
    start = clock()
    for _ in loop:
        {statement}
    return clock() - start
"""


def timer(statement: str, names: Names) -> Callable[..., float]:
    """A function of an iterator and a clock that executes the statement for each item, and gives what passed on the clock."""
    made = dict(names)
    used = sorted(names_in(statement) & names.keys())  # local to the function: nothing is looked up by name
    exec(TIMER.format(statement=statement, names=", ".join(f"{name}={name}" for name in used)), made)
    return made["timer"]
