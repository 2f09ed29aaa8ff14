"""Compiled programs: Lumbre's eager step and its compiled one, PyTorch's ``torch.compile``, and JAX's where it is there.

``python benchmarks/compiled.py`` prints a table; ``--write`` puts it into ``docs/performance.md``. All run in one process, in turn, for many short rounds; a figure is
the ratio of the best of each, which a busy machine leaves nearly alone. PyTorch compiles with g++ before the rounds begin;
``--without-torch`` leaves it out.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
ROUNDS = 40
SECONDS = 0.004
DOCUMENT = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- compiled programs: written by benchmarks/compiled.py -->", "<!-- /compiled -->"
SETTLE = 0.2  # until PyTorch's threads have stopped spinning on the other core

import lumbre
from benchmarks.report import fill

try:
    import jax
except ImportError:
    jax = None


def training(lib: Any, make: Callable, optimizer: str, x: Any, y: Any, loss: Any) -> Callable[[], Any]:
    lib.manual_seed(0)
    net = make(lib.nn)
    steps = getattr(lib.optim, optimizer)(net.parameters(), lr=0.01)

    def step() -> None:
        steps.zero_grad()
        loss(net(x), y).backward()
        steps.step()

    return step


def small(nn: Any) -> Any:
    return nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))


def wide(nn: Any) -> Any:
    return nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10))


def policy(nn: Any) -> Any:
    return nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 2))


def inference(lib: Any, net: Any, x: Any) -> Callable[[], Any]:
    def infer() -> Any:
        with lib.no_grad():
            return net(x)

    return infer


def chain(lib: Any, n: int) -> Callable[[], Any]:
    lib.manual_seed(0)
    x, y = lib.rand(n), lib.rand(n)

    def pointwise() -> Any:
        a = x * y + 0.5
        b = lib.sigmoid(a) * a
        return (b - x).abs().sqrt() + y * 2

    return pointwise


def rows(lib: Any) -> Iterator[tuple[str, Callable[[], Any]]]:
    """(name, a call without arguments) for each row."""
    functional = lib.nn.functional
    for optimizer in ("SGD", "Adam"):
        yield (
            f"2-8-1, {optimizer}",
            training(lib, small, optimizer, lib.randn(4, 2), lib.randn(4, 1), functional.mse_loss),
        )
    labels = lib.randint(0, 10, (64,))
    yield (
        "784-256-10, batch 64, Adam",
        training(lib, wide, "Adam", lib.randn(64, 784), labels, functional.cross_entropy),
    )
    yield "4-64-64-2 policy, inference", inference(lib, policy(lib.nn), lib.randn(4))
    layer = lib.nn.TransformerEncoderLayer(64, 4, 128, batch_first=True).eval()
    yield "transformer layer, 64 wide, 32 long, inference", inference(lib, layer, lib.randn(4, 32, 64))
    for n in (1_000, 100_000, 10_000_000):
        yield f"9 pointwise operations on {n:,} floats", chain(lib, n)


def jax_step() -> Callable[[], Any]:
    """The 2-8-1 step with SGD, compiled by JAX."""
    import jax.numpy as jnp

    keys = jax.random.split(jax.random.PRNGKey(0), 4)
    weights = [jax.random.normal(keys[0], (2, 8)), jnp.zeros(8), jax.random.normal(keys[1], (8, 1)), jnp.zeros(1)]
    x, y = jax.random.normal(keys[2], (4, 2)), jax.random.normal(keys[3], (4, 1))

    def loss(w: Any) -> Any:
        return ((jnp.tanh(x @ w[0] + w[1]) @ w[2] + w[3] - y) ** 2).mean()

    @jax.jit
    def update(w: Any) -> Any:
        return [p - 0.01 * g for p, g in zip(w, jax.grad(loss)(w), strict=True)]

    held = [weights]

    def step() -> None:
        held[0] = jax.block_until_ready(update(held[0]))

    return step


def measure(call: Callable[[], Any]) -> float:
    """Seconds per call."""
    once = []
    for _ in range(3):
        start = time.perf_counter()
        call()
        once.append(time.perf_counter() - start)
    count = max(1, int(SECONDS / max(min(once), 1e-7)))
    start = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - start) / count


def gather(with_torch: bool, only: str | None) -> Iterator[tuple[str, dict[str, Callable[[], Any]]]]:
    """Each row's calls, by what runs them."""
    theirs: dict[str, Callable] = {}
    if with_torch:
        import torch

        theirs = {name: torch.compile(call) for name, call in rows(torch) if only is None or only in name}
    eager = dict(rows(lumbre))
    for name, call in rows(lumbre):
        if only is not None and only not in name:
            continue
        calls = {"compiled": lumbre.compile(call), "as written": eager[name]}
        if name in theirs:
            calls["torch.compile"] = theirs[name]
        if jax is not None and name == "2-8-1, SGD":
            calls["JAX"] = jax_step()
        yield name, calls


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", help="a word of the rows to run")
    parser.add_argument("--without-torch", action="store_true")
    parser.add_argument("--write", action="store_true", help="into docs/performance.md: with PyTorch, JAX and all rows")
    options = parser.parse_args()
    if options.write and (options.rows or options.without_torch or jax is None):
        parser.error("--write needs all rows, PyTorch, and an interpreter that finds JAX")
    names = ["as written", "torch.compile", "JAX"]
    head = "| program | Lumbre compiled | " + " | ".join(f"{name}, times as long" for name in names) + " |"
    lines = [head, "|---" * (len(names) + 2) + "|"]
    print("\n".join(lines))
    for name, calls in gather(not options.without_torch, options.rows):
        for call in calls.values():
            for _ in range(4):
                call()
        rounds = []
        for _ in range(ROUNDS):
            time.sleep(SETTLE if "torch.compile" in calls else 0)
            rounds.append({who: measure(call) for who, call in calls.items()})
        best = {who: min(one[who] for one in rounds) for who in calls}
        shown = [f"{best[who] / best['compiled']:.2f}" if who in calls else "" for who in names]
        lines.append(f"| {name} | {best['compiled'] * 1e6:.1f} µs | " + " | ".join(shown) + " |")
        print(lines[-1], flush=True)
    if options.write:
        fill(DOCUMENT, BEGIN, END, "\n".join(lines))


if __name__ == "__main__":
    main()
