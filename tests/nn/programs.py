"""Small programs run under PyTorch and under Lumbre; what they say must be the same."""

from __future__ import annotations

import contextlib
import difflib
import io
import re
import warnings
from collections.abc import Callable
from typing import Any

import lumbre


def transcript(torch: Any, program: Callable[..., None]) -> str:
    """What a program says through ``say(value)`` and ``tries(function)`` (result, or class and first line of the error)."""
    text = io.StringIO()

    def say(*values: Any) -> None:
        print(*values, file=text)

    def tries(function: Callable[[], Any]) -> None:
        try:
            result = function()
        except Exception as error:
            line = next(iter(str(error).splitlines()), "")
            say(f"{type(error).__name__}: {line}")
        else:
            say(result)

    with warnings.catch_warnings(), contextlib.redirect_stdout(text):
        warnings.simplefilter("ignore")
        torch.manual_seed(0)
        program(torch, say, tries)
    return re.sub(r"at 0x[0-9a-f]+", "at ...", text.getvalue().replace("lumbre.", "torch."))


def compare(program: Callable[..., None]) -> None:
    """Fails unless the program says the same under both."""
    import torch

    expected = transcript(torch, program).splitlines()
    said = transcript(lumbre, program).splitlines()
    assert expected, "the program says nothing"
    assert said == expected, "\n" + "\n".join(difflib.unified_diff(expected, said, "torch", "lumbre", n=1, lineterm=""))
