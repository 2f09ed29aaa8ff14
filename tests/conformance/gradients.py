"""Gradients of operators held against PyTorch's, on the differentiable samples of its database, in float64."""

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from samples import Unsupported, find, random_op, to_lumbre

import lumbre

# Ours agree with finite differences, PyTorch's do not: test_gradients.py shows both.
UNLIKE = {"as_strided_scatter", "native_group_norm"}
SEED = 42  # which PyTorch's database gives to the operators that draw


@dataclass
class GradientReport:
    """What the gradients of one operator did."""

    name: str
    samples: int = 0
    failures: list[str] = field(default_factory=list)
    second_samples: int = 0
    second_failures: list[str] = field(default_factory=list)

    @property
    def right(self) -> bool:
        return self.samples > 0 and not self.failures

    @property
    def verdict(self) -> str:
        """Of the first derivatives: right, refused (the operator itself is), unlike (see UNLIKE) or wrong."""
        if self.right:
            return "right"
        if all("NotImplementedError" in failure for failure in self.failures):
            return "refused"
        return "unlike" if self.name in UNLIKE else "wrong"


def leaves(value: Any, kind: type) -> list[Any]:
    """The tensors in a structure that require gradients, in order."""
    if isinstance(value, kind):
        return [value] if value.requires_grad else []
    if isinstance(value, list | tuple):
        return [leaf for item in value for leaf in leaves(item, kind)]
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in leaves(item, kind)]
    return []


def results(value: Any, kind: type) -> list[Any]:
    """The floating-point tensors of a result, in order."""
    if isinstance(value, kind):
        return [value] if value.dtype.is_floating_point else []
    if isinstance(value, list | tuple):
        return [item for part in value for item in results(part, kind)]
    return []


def mark(ours: Any, theirs: Any) -> None:
    """Ours require gradients where theirs do."""
    if isinstance(theirs, torch.Tensor):
        if theirs.requires_grad:
            ours.requires_grad_()
    elif isinstance(theirs, list | tuple):
        for x, y in zip(ours, theirs, strict=True):
            mark(x, y)
    elif isinstance(theirs, dict):
        for key in theirs:
            mark(ours[key], theirs[key])


def detached(value: Any) -> Any:
    """The same structure with leaves of its own that require gradients where the given ones do."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone().requires_grad_(value.requires_grad)
    if isinstance(value, list | tuple) and not isinstance(value, torch.Size):
        return type(value)(detached(item) for item in value)
    if isinstance(value, dict):
        return {key: detached(item) for key, item in value.items()}
    return value


def weights_for(outputs: list[Any]) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(len(outputs))
    return [torch.rand(tuple(out.shape), dtype=torch.float64, generator=generator) for out in outputs]


def grads_of(module: Any, outputs: list[Any], inputs: list[Any], weights: list[torch.Tensor], create: bool) -> Any:
    if module is lumbre:
        weights = [lumbre.from_numpy(w.numpy().copy()).to(out.dtype) for w, out in zip(weights, outputs, strict=True)]
    else:
        weights = [w.to(out.dtype) for w, out in zip(weights, outputs, strict=True)]
    wanted = [(out, w) for out, w in zip(outputs, weights, strict=True) if out.requires_grad]
    if not wanted:
        return None
    return module.autograd.grad(
        [out for out, _ in wanted], inputs, [w for _, w in wanted], allow_unused=True, create_graph=create
    )


def compare(ours: Any, theirs: Any, tolerance: float = 1e-7) -> str | None:
    for i, (x, y) in enumerate(zip(ours, theirs, strict=True)):
        if y is None or x is None:
            y = y if y is None else y.detach().numpy(force=True)
            x = x if x is None else x.detach().numpy()
            known = x if y is None else y
            if known is not None and np.any(known != 0):
                return f"gradient {i}: {'missing' if x is None else 'unexpected'}"
            continue
        if tuple(x.shape) != tuple(y.shape):
            return f"gradient {i}: shape {tuple(x.shape)}, expected {tuple(y.shape)}"
        a, b = x.detach().numpy(), y.detach().numpy(force=True)
        if b.dtype == np.float32:  # a few samples have arguments of it
            tolerance = 1e-4
        if not np.allclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True):
            bad = ~np.isclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True)
            return f"gradient {i}: {a[bad].flat[0]!r} expected {b[bad].flat[0]!r} ({int(bad.sum())} of {bad.size})"
    return None


def check(info: Any, limit: int = 60) -> GradientReport:
    """First and second derivatives on the samples of one operator."""
    report = GradientReport(info.name + (f":{info.variant_test_name}" if info.variant_test_name else ""))
    function = find(info)
    # Draws, and the in-place forms that are listed as operators of their own, have nothing to compare.
    if (
        random_op(info)
        or info.name.endswith("_")
        or function is None
        or not info.supports_autograd
        or torch.float64 not in info.supported_dtypes("cpu")
    ):
        return report
    torch.manual_seed(0)
    for index, sample in enumerate(info.sample_inputs("cpu", torch.float64, requires_grad=True)):
        if index >= limit:
            break
        arguments = detached((sample.input, sample.args, sample.kwargs))
        try:
            ours = to_lumbre(arguments, {})
        except Unsupported:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            one_sample(info, function, sample, arguments, ours, report)
        if len(report.failures) > 5:
            break
    return report


def one_sample(info: Any, function: Any, sample: Any, arguments: Any, ours: Any, report: GradientReport) -> None:
    where = repr((tuple(getattr(sample.input, "shape", ())), sample.args, sample.kwargs))[:150]
    mark(ours, arguments)
    # What is left of a result when arbitrary signs (of singular vectors, say) are taken away; draws are the same.
    finished = sample.output_process_fn_grad
    torch.manual_seed(SEED)
    lumbre.manual_seed(SEED)
    inputs = leaves(arguments, torch.Tensor)
    if not inputs:
        return
    try:
        outputs = results(finished(info.op(arguments[0], *arguments[1], **arguments[2])), torch.Tensor)
        weights = weights_for(outputs)
        second = info.supports_gradgrad
        expected = grads_of(torch, outputs, inputs, weights, second)
    except Exception:
        return
    if expected is None:
        return
    report.samples += 1
    our_inputs = leaves(ours, lumbre.Tensor)
    try:
        our_outputs = results(finished(function(ours[0], *ours[1], **ours[2])), lumbre.Tensor)
        got = grads_of(lumbre, our_outputs, our_inputs, weights, second)
        problem = "no gradient" if got is None else compare(got, expected)
    except Exception as error:
        problem = f"{type(error).__name__}: {error}"
    if problem:
        report.failures.append(f"{where}: {problem}"[:400])
        return
    if second:
        second_derivative(expected, got, inputs, our_inputs, where, report)


def second_derivative(expected: Any, got: Any, inputs: Any, ours: Any, where: str, report: GradientReport) -> None:
    theirs_out = [g for g in expected if g is not None and g.requires_grad]
    keep = [i for i, g in enumerate(expected) if g is not None and g.requires_grad]
    if not theirs_out:
        return
    weights = weights_for(theirs_out)
    try:
        wanted = torch.autograd.grad(theirs_out, inputs, weights, allow_unused=True)
    except Exception:
        return
    report.second_samples += 1
    try:
        ours_out = [got[i] for i in keep]
        some = [
            (g, lumbre.from_numpy(w.numpy().copy()))
            for g, w in zip(ours_out, weights, strict=True)
            if g is not None and g.requires_grad
        ]
        found = (
            lumbre.autograd.grad([g for g, _ in some], ours, [w for _, w in some], allow_unused=True)
            if some
            else [None] * len(ours)
        )
        problem = compare(found, wanted, 1e-6)
    except Exception as error:
        problem = f"{type(error).__name__}: {error}"
    if problem:
        report.second_failures.append(f"{where}: second: {problem}"[:400])


def main() -> int:
    """``python tests/conformance/gradients.py [NAME ...]``: what differs; ``--write`` renews the committed table."""
    import argparse

    from samples import database

    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    table = Path(__file__).with_name("gradient_coverage.tsv")
    lines = table.read_text().splitlines()
    rows = {line.partition("\t")[0]: line for line in lines[1:]} if options.names else {}
    for info in database():
        if options.names and info.name not in options.names:
            continue
        report = check(info, 200)
        if not report.samples:
            continue
        second = "none" if not report.second_samples else "wrong" if report.second_failures else "right"
        rows[report.name] = f"{report.name}\t{report.verdict}\t{second}"
        for failure in report.failures[:3] + report.second_failures[:3]:
            print(f"{report.name}: {failure}", flush=True)
    first, second = (sum(row.split("\t")[k] == "right" for row in rows.values()) for k in (1, 2))
    print(f"{len(rows)} operators: first derivatives right in {first}, second in {second}")
    if options.write:
        table.write_text("\n".join([lines[0], *sorted(rows.values())]) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
