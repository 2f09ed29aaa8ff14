"""``torch.utils.flop_counter``: operations are not counted, and who enters a block that would is told so."""

from __future__ import annotations

from lumbre import _absent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

_WHY = "Lumbre counts no operations; torch.profiler tells how often and how long each runs"
register_flop_formula = _absent.refused_function("utils.flop_counter.register_flop_formula", _WHY)
__all__ = ["FlopCounterMode", "register_flop_formula"]


class FlopCounterMode:
    """A counter that has counted nothing: libraries make one before they know whether they will use it.

    >>> torch.utils.flop_counter.FlopCounterMode(display=False).get_total_flops()
    0
    """

    def __init__(
        self, mods: Any = None, depth: int = 2, display: bool = True, custom_mapping: dict[Any, Any] | None = None
    ) -> None:
        self.mods = mods
        self.depth = depth
        self.display = display
        self.flop_counts: dict[str, dict[Any, int]] = {"Global": {}}

    def get_total_flops(self) -> int:
        """0: no block was entered."""
        return 0

    def get_flop_counts(self) -> dict[str, dict[Any, int]]:
        """For each module what was counted: nothing."""
        return self.flop_counts

    def __enter__(self) -> NoReturn:
        raise NotImplementedError(f"torch.utils.flop_counter.FlopCounterMode: {_WHY}")

    def __exit__(self, *error: object) -> None:
        """Nothing was entered."""
