"""First and second derivatives against PyTorch's, for the operators of a committed table that may only grow."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is the reference")
sys.path.insert(0, str(Path(__file__).parent))
import gradients
import samples

import lumbre
from lumbre.autograd import gradcheck, gradgradcheck

TABLE = Path(__file__).with_name("gradient_coverage.tsv")
with TABLE.open() as file:
    ROWS = {row["operator"]: row for row in csv.DictReader(file, delimiter="\t")}
INFOS = {
    info.name + (f":{info.variant_test_name}" if info.variant_test_name else ""): info for info in samples.database()
}


@pytest.mark.parametrize("name", sorted(name for name, row in ROWS.items() if row["first"] == "right"))
def test_gradient(name):
    report = gradients.check(INFOS[name], 12)
    assert report.right, "\n".join(report.failures)
    if ROWS[name]["second"] == "right":
        assert not report.second_failures, "\n".join(report.second_failures)


def test_table_keeps_its_promise():
    first = [row["first"] == "right" for row in ROWS.values()]
    second = [row["second"] == "right" for row in ROWS.values() if row["second"] != "none"]
    assert sum(first) >= 0.9 * len(first)
    assert not any(row["first"] == "wrong" for row in ROWS.values())
    assert sum(second) >= 0.9 * len(second)


# The input of a scatter, as a function of a memory of 24 numbers; sizes, strides and offset of what is written.
LAYOUTS = {
    "whole": lambda memory: memory[:9].clone().reshape(3, 3),
    "offset": lambda memory: memory[2:14].reshape(3, 4),
    "transposed": lambda memory: memory[:12].clone().reshape(3, 4).t(),
    "stepped": lambda memory: memory.reshape(4, 6)[:, ::2],
    "expanded": lambda memory: memory[1:5].expand(3, 4),
}
WRITTEN = [((2, 2), (2, 1), 0), ((2, 2), (1, 2), 1), ((2,), (3,), None), ((), (), 4)]


def scattered(library: Any, layout: str, written: tuple) -> Any:
    size, stride, offset = written
    memory = library.arange(24.0, dtype=library.float64)
    source = -library.ones(size, dtype=library.float64)
    return (lambda m, s: LAYOUTS[layout](m).as_strided_scatter(s, size, stride, offset)), memory, source


@pytest.mark.parametrize("written", WRITTEN, ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_as_strided_scatter_against_finite_differences(layout: str, written: tuple) -> None:
    """PyTorch's own gradient keeps what was written over and drops the rest, or something else again: it is no reference."""
    run, memory, source = scattered(lumbre, layout, written)
    inputs = (memory.requires_grad_(), source.requires_grad_())
    assert gradcheck(run, inputs)
    assert gradgradcheck(run, inputs)
    found = run(*inputs)
    run, *theirs = scattered(torch, layout, written)
    expected = run(*theirs)
    assert found.tolist() == expected.tolist()
    assert (found.stride(), found.storage_offset()) == (expected.stride(), expected.storage_offset())


def normalized(library: Any) -> tuple:
    values = library.tensor([0.5, -1.0, 2.0, 0.25, 3.0, -0.5], dtype=library.float64).reshape(1, 6, 1)
    return (lambda x: library.native_group_norm(x, None, None, 1, 6, 1, 2, 0.5)), values


def test_group_norm_with_its_statistics_against_finite_differences() -> None:
    """PyTorch's gradient through the means and deviations is no reference either."""
    run, values = normalized(lumbre)
    assert gradcheck(run, (values.requires_grad_(),))
    assert gradgradcheck(run, (values,))


def test_unlike_rows_are_wrong_in_pytorch() -> None:
    """When this fails, PyTorch has mended one: then its row of the table can be right."""
    run, memory, source = scattered(torch, "whole", WRITTEN[0])
    assert not torch.autograd.gradcheck(run, (memory.requires_grad_(), source), raise_exception=False)
    run, values = normalized(torch)
    assert not torch.autograd.gradcheck(run, (values.requires_grad_(),), raise_exception=False)


@pytest.mark.parametrize("name", ["eig", "eigvals"])
def test_general_eigenvalues_are_refused(name: str) -> None:
    """Also where all eigenvalues are real: PyTorch's results are complex then too."""
    with pytest.raises(NotImplementedError, match=f"linalg.{name}: .* complex numbers, which Lumbre does not have"):
        getattr(lumbre.linalg, name)(lumbre.eye(2))
