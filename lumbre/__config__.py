"""``torch.__config__``: how the engine was built and what it runs on."""

from __future__ import annotations

from lumbre import _C

__all__ = ["parallel_info", "show"]


def show() -> str:
    """What the engine is and what it found."""
    import lumbre
    from lumbre.backends import cpu

    return (
        f"Lumbre {lumbre.__version__}:\n  - CPU capability usage: {cpu.get_cpu_capability()}\n  - Products: OpenBLAS\n"
    )


def parallel_info() -> str:
    """How many threads there are."""
    return f"at::get_num_threads() : {_C.get_num_threads()}\n"
