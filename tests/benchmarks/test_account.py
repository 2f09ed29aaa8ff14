"""The account of docs/performance.md: samples are read, and every technique's line still stands in the sources."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks import ablation, flame, report
from benchmarks.ablation import TECHNIQUES
from benchmarks.rows import chosen

ROOT = Path(__file__).resolve().parents[2]

SAMPLES = """
\t   7bb073 lumbre::python::(anonymous namespace)::bind_value<float, void (*)(int)>(int) const+0x12 (/x/_C.cpython-311.so)
\t   158ba2 PyObject_Vectorcall (/x/libpython3.11.so.1.0)
\t    fd9c2 _PyEval_EvalFrameDefault (/x/libpython3.11.so.1.0)
\t   2508e3 PyEval_EvalCode (/x/libpython3.11.so.1.0)
\t   298908 run_mod (/x/libpython3.11.so.1.0)

\t   fda65 lumbre::v4::run (/x/_C.cpython-311.so)
\t   fd9c2 _PyEval_EvalFrameDefault (/x/libpython3.11.so.1.0)
\t   2508e3 PyEval_EvalCode (/x/libpython3.11.so.1.0)

\t   27304 __libc_start_main@@GLIBC_2.34 (/x/libc.so.6)
"""


def test_samples() -> None:
    stacks = list(flame.stacks(SAMPLES))
    frame = "_PyEval_EvalFrameDefault [libpython3]"
    assert stacks == [(frame, "PyObject_Vectorcall [libpython3]", "python::bind_value [_C]"), (frame, "v4::run [_C]")]
    lines = flame.shares(stacks, 1000.0).splitlines()[2:]
    assert sorted(lines) == [
        "| arguments, objects and bindings (core/python) | 50% | 500 ns |",
        "| loops over memory (core/kernels, core/ops/pointwise) | 50% | 500 ns |",
    ]
    drawn = ElementTree.fromstring(flame.graph(stacks))
    titles = [title.text for title in drawn.iter("{http://www.w3.org/2000/svg}title")]
    assert len(titles) == 4 and f"{frame}: 100.0%" in titles and "v4::run [_C]: 50.0%" in titles


@pytest.mark.parametrize("technique", TECHNIQUES, ids=lambda technique: f"{technique.name}, {technique.rows}")
def test_techniques_are_in_the_sources(technique: ablation.Technique) -> None:
    assert bool(technique.file) != bool(technique.setting)
    if technique.file:
        assert (ROOT / technique.file).read_text().count(technique.line) == 1
    assert chosen(technique.rows)


@pytest.mark.parametrize("begin, end", [(flame.BEGIN, flame.END), (ablation.BEGIN, ablation.END)])
def test_the_document_has_places(begin: str, end: str) -> None:
    text = flame.DOCUMENT.read_text(encoding="utf-8")
    assert text.count(begin) == text.count(end) == 1 and text.index(begin) < text.index(end)


@pytest.mark.parametrize("name", report.WORDS)
def test_the_readmes_have_places(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert text.count(report.BEGIN) == text.count(report.END) == 1
