"""Modules held against PyTorch's, on the samples of its module database.

``check(info)`` builds every sample's module under both libraries from one seed and compares initial state (to the bit),
text, outputs in training and evaluation, then the gradients of inputs and parameters. From the command line:
``python tests/conformance/modules.py nn.Linear`` shows what differs; ``--write`` renews ``module_coverage.tsv``.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

import numpy as np
import torch
from gradients import compare, detached, grads_of, leaves, mark, results, weights_for
from samples import Unsupported, brief, quiet, same, to_lumbre, to_numpy
from torch.testing._internal.common_modules import module_db

import lumbre

TABLE = HERE / "module_coverage.tsv"
DTYPES = (torch.float32, torch.float64)
GRADIENT_TOLERANCE = {torch.float32: 1e-4, torch.float64: 1e-7}
HEADER = "module\tstate\tsamples\tgradients\n"


@dataclass
class ModuleReport:
    """What one module did. ``right``: every sample's state, text, outputs and gradients were those of PyTorch."""

    name: str
    present: bool = False
    samples: int = 0
    gradients: int = 0
    failures: list[str] = field(default_factory=list)

    @property
    def right(self) -> bool:
        return self.present and self.samples > 0 and not self.failures

    @property
    def row(self) -> str:
        state = "right" if self.right else "wrong" if self.present else "missing"
        return f"{self.name}\t{state}\t{self.samples}\t{self.gradients}"


def translate(value: Any) -> Any:
    """Constructor arguments for Lumbre: tensors, functions and modules of torch become its own."""
    if isinstance(value, torch.nn.Module):
        ours = translate_module(value)
        return ours
    if callable(value) and getattr(value, "__module__", "").startswith("torch."):
        name = value.__name__
        for place in (lumbre.nn.functional, lumbre, lumbre.nn):
            if hasattr(place, name):
                return getattr(place, name)
        raise Unsupported(name)
    if isinstance(value, list | tuple) and not hasattr(value, "_fields") and not isinstance(value, torch.Size):
        return type(value)(translate(item) for item in value)
    if isinstance(value, dict):
        return {key: translate(item) for key, item in value.items()}
    return to_lumbre(value, {})


def translate_module(value: torch.nn.Module) -> Any:
    if isinstance(value, torch.nn.TransformerEncoderLayer):
        made = lumbre.nn.TransformerEncoderLayer(
            value.linear1.in_features, value.self_attn.num_heads, value.linear1.out_features, value.dropout.p,
            translate(value.activation), value.norm1.eps, value.self_attn.batch_first, value.norm_first,
            value.linear1.bias is not None, dtype=to_lumbre(value.linear1.weight.dtype, {}),
        )  # fmt: skip
        made.load_state_dict({key: to_lumbre(tensor, {}) for key, tensor in value.state_dict().items()})
        return made
    cls = getattr(lumbre.nn, type(value).__name__, None)
    if cls is None or any(True for _ in value.parameters()):
        raise Unsupported(type(value).__name__)
    return cls()


def compare_state(ours: Any, theirs: Any) -> str | None:
    mine, wanted = ours.state_dict(), theirs.state_dict()
    if list(mine) != list(wanted):
        return f"state_dict keys {list(mine)}, expected {list(wanted)}"
    for key, value in wanted.items():
        if isinstance(value, torch.nn.parameter.UninitializedTensorMixin):
            continue
        if not isinstance(value, torch.Tensor) or value.dtype is torch.uint8:
            continue
        a, b = to_numpy(mine[key]), to_numpy(value)
        if a.shape != b.shape or a.dtype != b.dtype:
            return f"state {key}: {a.dtype}{a.shape}, expected {b.dtype}{b.shape}"
        if not np.array_equal(a, b, equal_nan=True):
            return f"state {key}: initial values differ, {a.flat[0]!r} expected {b.flat[0]!r}"
    if repr(ours) != repr(theirs):
        return f"repr {ours!r}, expected {theirs!r}"
    return None


def run(module: Any, arguments: Any, seed: int, library: Any) -> Any:
    library.manual_seed(seed)
    return module(*arguments[0], **arguments[1])


def gradients(module: Any, arguments: Any, output: Any, library: Any) -> tuple[Any, list[str]]:
    kind = library.Tensor
    names = [name for name, p in module.named_parameters() if p.requires_grad]
    inputs = leaves(list(arguments), kind) + [p for p in module.parameters() if p.requires_grad]
    outputs = results(output if isinstance(output, list | tuple) else [output], kind)
    if not inputs or not any(out.requires_grad for out in outputs):
        return None, names
    return grads_of(library, outputs, inputs, weights_for(outputs), False), names


def one_mode(ours: Any, theirs: Any, sample: Any, where: str, dtype: torch.dtype, report: ModuleReport) -> str | None:
    arguments = detached((list(sample.forward_input.args), dict(sample.forward_input.kwargs)))
    mine = to_lumbre(arguments, {})
    mark(mine, arguments)
    try:
        expected = run(theirs, arguments, 5, torch)
    except Exception:
        return None
    report.samples += 1
    got = run(ours, mine, 5, lumbre)
    if problem := same(got, expected, where):
        return problem
    wanted, _ = gradients(theirs, arguments, expected, torch)
    if wanted is None:
        return None
    report.gradients += 1
    found, _ = gradients(ours, mine, got, lumbre)
    if found is None:
        return "no gradients"
    return compare(found, wanted, GRADIENT_TOLERANCE[dtype])


def check_sample(info: Any, cls: Any, sample: Any, dtype: torch.dtype, report: ModuleReport) -> str | None:
    given = sample.constructor_input
    args, kwargs = translate(tuple(given.args)), translate(dict(given.kwargs))
    # The samples of losses and activations name the dtype only where there are parameters.
    for training in (True, False):
        torch.manual_seed(3)
        theirs = info.module_cls(*given.args, **given.kwargs)
        lumbre.manual_seed(3)
        ours = cls(*args, **kwargs)
        theirs, ours = theirs.to(dtype), ours.to(to_lumbre(dtype, {}))
        theirs.train(training)
        ours.train(training)
        if problem := compare_state(ours, theirs):
            return problem
        where = "train" if training else "eval"
        if problem := one_mode(ours, theirs, sample, where, dtype, report):
            return f"{where}: {problem}"
    return None


def check(info: Any) -> ModuleReport:
    """One module of the database on all of its samples in float32 and float64."""
    name = info.formatted_name if hasattr(info, "formatted_name") else info.name
    report = ModuleReport(info.name)
    cls = getattr(lumbre.nn, info.name.rpartition(".")[2], None)
    if cls is None:
        return report
    report.present = True
    for dtype in (each for each in DTYPES if each in info.dtypes):
        torch.manual_seed(0)
        for sample in info.module_inputs_func(info, device="cpu", dtype=dtype, requires_grad=True, training=True):
            where = (
                f"{dtype} {sample.desc} {brief(sample.constructor_input.args)} {brief(sample.constructor_input.kwargs)}"
            )
            try:
                with quiet():
                    problem = check_sample(info, cls, sample, dtype, report)
            except Unsupported:
                continue
            except Exception as error:
                problem = f"{type(error).__name__}: {error}"
            if problem:
                report.failures.append(f"{name} {where}: {problem}"[:400])
    return report


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="modules (nn.Linear ...); all when none is given")
    parser.add_argument("--write", action="store_true", help="renew the committed table")
    parser.add_argument("--limit", type=int, default=3, help="failures shown for each module")
    options = parser.parse_args()
    reports = [check(info) for info in module_db if not options.names or info.name in options.names]
    for report in reports:
        if options.names or (report.present and not report.right):
            print(report.row)
            for line in report.failures[: options.limit]:
                print("    " + line)
    right = sum(report.right for report in reports)
    print(f"{right} of {len(reports)} modules right, {sum(report.present for report in reports)} present")
    if options.write:
        TABLE.write_text(HEADER + "".join(report.row + "\n" for report in reports))
    return 0


if __name__ == "__main__":
    sys.exit(main())
