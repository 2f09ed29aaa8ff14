"""Whole training steps and inference under PyTorch and Lumbre: each library in a process of its own, in turn.

``python benchmarks/steps.py`` prints a table; ``--busy`` keeps another process busy on every core meanwhile. A figure is
the median over rounds of PyTorch's time over Lumbre's in the same round, and each library's peak of resident memory.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
ROUNDS = 3


def rows(lib: Any) -> Iterator[tuple[str, Callable[[], Any]]]:
    """(name, step) for each row; a step is one call."""
    nn, functional = lib.nn, lib.nn.functional

    def step(net: Any, optimizer: Any, x: Any, y: Any, loss: Any) -> Callable[[], Any]:
        def run() -> None:
            optimizer.zero_grad()
            loss(net(x), y).backward()
            optimizer.step()

        return run

    def small(optimizer: str) -> Callable[[], Any]:
        net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
        made = getattr(lib.optim, optimizer)(net.parameters(), lr=0.01)
        return step(net, made, lib.randn(4, 2), lib.randn(4, 1), functional.mse_loss)

    w, b, x = lib.randn(3, requires_grad=True), lib.zeros(1, requires_grad=True), lib.randn(3)

    def perceptron() -> None:
        lib.sigmoid((w * x).sum() + b).backward()
        w.grad = b.grad = None

    yield "perceptron, forward and backward", perceptron
    yield "2-8-1, SGD", small("SGD")
    yield "2-8-1, Adam", small("Adam")

    policy = nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 2))
    state = lib.randn(4)

    def infer() -> None:
        with lib.no_grad():
            policy(state)

    yield "4-64-64-2 policy, inference", infer
    net = nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10))
    labels = lib.randint(0, 10, (64,))
    adam = lib.optim.Adam
    yield (
        "784-256-10, batch 64, Adam",
        step(net, adam(net.parameters()), lib.randn(64, 784), labels, functional.cross_entropy),
    )
    cnn = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(784, 10),
    )  # fmt: skip
    images = lib.randn(64, 1, 28, 28)
    yield "CNN, 28 x 28, batch 64", step(cnn, adam(cnn.parameters()), images, labels, functional.cross_entropy)
    lstm = nn.LSTM(32, 64, batch_first=True)
    series = lib.randn(16, 32, 32)
    yield (
        "LSTM 32-64, 32 steps, batch 16",
        step(lambda x: lstm(x)[0], adam(lstm.parameters()), series, lib.randn(16, 32, 64), functional.mse_loss),
    )
    layer = nn.TransformerEncoderLayer(128, 4, 256, batch_first=True)
    words = lib.randn(8, 64, 128)
    yield (
        "transformer layer, 128 wide, 64 long, batch 8",
        step(layer, adam(layer.parameters()), words, lib.randn(8, 64, 128), functional.mse_loss),
    )


def measure(library: str, only: str | None) -> None:
    """Prints the seconds per call of each row, and the peak memory, as JSON."""
    lib = __import__(library)
    lib.manual_seed(0)
    found = {}
    for name, call in rows(lib):
        if only is not None and only not in name:
            continue
        for _ in range(3):
            call()
        start = time.perf_counter()
        call()
        count = max(3, int(0.15 / max(time.perf_counter() - start, 1e-7)))
        times = []
        for _ in range(3):
            start = time.perf_counter()
            for _ in range(count):
                call()
            times.append((time.perf_counter() - start) / count)
        found[name] = min(times)
    print(json.dumps({"times": found, "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


def spin() -> None:
    while True:
        pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--busy", action="store_true", help="with another process busy on every core")
    parser.add_argument("--rows", help="a word of the rows to run")
    parser.add_argument("--library", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.library:
        measure(options.library, options.rows)
        return
    neighbours = [multiprocessing.Process(target=spin, daemon=True) for _ in range(multiprocessing.cpu_count())]
    for process in neighbours if options.busy else ():
        process.start()
    results: dict[str, list[dict]] = {"torch": [], "lumbre": []}
    for _ in range(ROUNDS):
        for library, found in results.items():
            command = [sys.executable, __file__, "--library", library]
            if options.rows:
                command += ["--rows", options.rows]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, env=environment())
            found.append(json.loads(done.stdout.splitlines()[-1]))
    print("| step | PyTorch | Lumbre | times as fast |\n|---|---|---|---|")
    for name in results["torch"][0]["times"]:
        theirs = [found["times"][name] for found in results["torch"]]
        ours = [found["times"][name] for found in results["lumbre"]]
        ratio = statistics.median(a / b for a, b in zip(theirs, ours, strict=True))
        print(f"| {name} | {min(theirs) * 1e6:.1f} µs | {min(ours) * 1e6:.1f} µs | {ratio:.2f} |")
    peaks = {library: max(run["memory"] for run in found) for library, found in results.items()}
    print(
        f"| peak resident memory | {peaks['torch']:.0f} MB | {peaks['lumbre']:.0f} MB | {peaks['torch'] / peaks['lumbre']:.2f} |"
    )


def environment() -> dict[str, str]:
    import os

    return {**os.environ, "PYTHONPATH": str(ROOT)}


if __name__ == "__main__":
    main()
