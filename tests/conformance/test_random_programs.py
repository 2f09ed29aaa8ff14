"""Random programs under both libraries (random_programs.py): the same at every step."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="PyTorch is the reference")

_spec = importlib.util.spec_from_file_location("random_programs", Path(__file__).with_name("random_programs.py"))
random_programs = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(random_programs)


def differences(seeds: range) -> list[str]:
    found = [text for seed in seeds if (text := random_programs.difference(seed))]
    return [text for text in found if not any(known in text for known in random_programs.KNOWN)]


def test_random_programs() -> None:
    assert not differences(range(300))


@pytest.mark.sweep
def test_many_random_programs() -> None:
    assert not differences(range(300, 6000))
