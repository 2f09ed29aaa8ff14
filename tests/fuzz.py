"""Calls operators with random arguments, right and wrong, and expects nothing but results and Python exceptions.

``python tests/fuzz.py --calls 100000 --seed 0`` exits with 0 when the interpreter lived through all of them. The last
call is kept in a file, so that a crash names what caused it.
"""

from __future__ import annotations

import argparse
import faulthandler
import random
import sys
import warnings
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import lumbre
from lumbre import _C

# Calls that wait, end the process or take a size that means real memory are not part of the game.
SKIPPED = frozenset(("_set_geometry",))
DTYPES = [
    getattr(lumbre, n)
    for n in ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64")
]
EXPECTED = (RuntimeError, TypeError, ValueError, IndexError, NotImplementedError, AttributeError, OverflowError,
            ZeroDivisionError, AssertionError, MemoryError, BufferError)  # fmt: skip


class Draw:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def sizes(self) -> list[int]:
        return [self.random.choice((0, 1, 1, 2, 3, 4, 5)) for _ in range(self.random.choice((0, 1, 1, 2, 2, 3, 4)))]

    def tensor(self) -> Any:
        r = self.random
        t = lumbre.zeros(*self.sizes(), dtype=r.choice(DTYPES))
        if r.random() < 0.7:
            t.copy_(lumbre.arange(t.numel()).reshape(t.shape) - r.choice((0, 3)))
        if t.is_floating_point() and t.numel() and r.random() < 0.2:
            t.view(-1)[r.randrange(t.numel())] = r.choice((float("nan"), float("inf"), -float("inf"), 1e30))
        for _ in range(r.choice((0, 0, 1, 2))):
            t = self.view(t)
        return t

    def view(self, t: Any) -> Any:
        r = self.random
        kind = r.randrange(5)
        if kind == 0 and t.dim() > 1:
            return t.transpose(0, r.randrange(t.dim()))
        if kind == 1 and t.dim() and t.shape[0] > 1:
            return t[1:]
        if kind == 2:
            return t.expand(2, *t.shape)
        if kind == 3 and t.dim() and t.shape[-1]:
            return t[..., ::2]
        if kind == 4 and t.dim() and t.shape[0]:
            return t[r.randrange(t.shape[0])]
        return t

    def number(self) -> Any:
        return self.random.choice((0, 1, -1, 2, 3, 5, 7, 100, -100, 2**63 - 1, -(2**63), 2**64, 0.0, 0.5, -1.5, 1e300,
                                   float("nan"), float("inf"), True, False))  # fmt: skip

    def whole(self) -> int:
        return self.random.choice((-3, -2, -1, 0, 1, 2, 3, 4, 8, 64, -(2**63), 2**63 - 1, 2**40))

    def value(self, kind: str) -> Any:
        r = self.random
        if r.random() < 0.06:
            kind = r.choice(
                ("Tensor", "Number", "int", "bool", "str", "none", "object", "tuple of ints", "tuple of Tensors")
            )
        match kind:
            case "Tensor":
                return self.tensor()
            case "Tensor | Number":
                return self.tensor() if r.random() < 0.6 else self.number()
            case "Number" | "float":
                return self.number()
            case "int":
                return self.whole() if r.random() < 0.3 else r.randrange(-3, 4)
            case "bool":
                return r.random() < 0.5
            case "tuple of ints":
                values = [self.whole() if r.random() < 0.1 else r.randrange(-2, 4) for _ in range(r.randrange(0, 4))]
                return r.choice((tuple(values), values, values[0] if values else ()))
            case "tuple of Tensors":
                return [self.tensor() for _ in range(r.randrange(0, 4))]
            case "torch.dtype":
                return r.choice((*DTYPES, None))
            case "str":
                return r.choice(
                    (
                        "",
                        "mean",
                        "sum",
                        "prod",
                        "amax",
                        "floor",
                        "trunc",
                        "linear",
                        "none",
                        "tanh",
                        "ij",
                        "ij,jk->ik",
                        "ä",
                    )
                )
            case "torch.memory_format":
                return r.choice((lumbre.contiguous_format, lumbre.preserve_format, lumbre.channels_last))
            case "torch.Generator":
                return r.choice((None, lumbre.Generator()))
            case "none":
                return None
            case _:
                return object()

    def index(self) -> Any:
        r = self.random

        def one() -> Any:
            return r.choice((
                lambda: r.randrange(-4, 4), lambda: slice(r.choice((None, -2, 0, 1)), r.choice((None, 2, 9)), r.choice((None, 1, 2, 0))),
                lambda: None, lambda: Ellipsis, lambda: r.random() < 0.5, lambda: [0, r.randrange(-3, 3)],
                lambda: self.tensor(), lambda: self.tensor() > 0, lambda: self.whole(), lambda: self.number(), lambda: "x",
            ))()  # fmt: skip

        return one() if r.random() < 0.5 else tuple(one() for _ in range(r.randrange(0, 4)))


def callables() -> list[tuple[str, Any, list[list[tuple]]]]:
    """(name, callable, parameters of each overload) for functions, methods and in-place forms."""
    found = []
    for name, function in sorted(_C._functions.items()):
        base = name
        try:
            overloads = _C._parameters(base)
        except ValueError:
            overloads = _C._parameters(base.removesuffix("_"))
        found.append((name, function, overloads))
        method = getattr(lumbre.Tensor, name + "_", None)
        if "." not in name and method is not None and not name.startswith("__"):
            found.append((name + "_", method, overloads))
    return [entry for entry in found if entry[0] not in SKIPPED]


def one_call(draw: Draw, table: list[tuple[str, Any, list[list[tuple]]]], log: Any) -> None:
    r = draw.random
    if r.random() < 0.08:
        t, index = draw.tensor(), draw.index()
        log(f"index {t.shape} {t.dtype} {t.stride()} [{index!r}]")
        if r.random() < 0.5:
            t[index]
        else:
            t[index] = draw.value(r.choice(("Tensor", "Number")))
        return
    name, function, overloads = r.choice(table)
    args, keywords = [], {}
    for parameter, kind, _optional, keyword_only, has_default, _variadic in r.choice(overloads):
        if has_default and r.random() < 0.6:
            keyword_only = True
            continue
        if kind == "side":
            if parameter == "out" and r.random() < 0.3:
                keywords["out"] = draw.tensor()
            continue
        value = draw.value(kind)
        if keyword_only or keywords:
            keywords[parameter] = value
        else:
            args.append(value)
    shown = [f"{tuple(a.shape)}{a.stride()}{a.dtype}" if isinstance(a, lumbre.Tensor) else repr(a) for a in args]
    log(
        f"{name}({', '.join(shown)}, { ({k: type(v).__name__ if isinstance(v, lumbre.Tensor) else v for k, v in keywords.items()}) })"
    )
    function(*args, **keywords)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--log", type=Path, default=None, help="keeps the last call here, for when there is a crash")
    options = parser.parse_args()
    faulthandler.enable()
    warnings.simplefilter("ignore")
    draw, table = Draw(options.seed), callables()
    file = options.log.open("w") if options.log else None

    def log(text: str) -> None:
        if file:
            file.seek(0)
            file.write(text[:2000] + "\n")
            file.truncate()
            file.flush()

    accepted = 0
    for _ in range(options.calls):
        try:
            one_call(draw, table, log)
            accepted += 1
        except EXPECTED:
            pass
    print(f"{options.calls} calls of {len(table)} callables, {accepted} accepted")
    return 0


if __name__ == "__main__":
    sys.exit(main())
