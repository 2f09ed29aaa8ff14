"""Tables of measurements: a row per input, a column per way of doing it."""

from __future__ import annotations

import math

from lumbre.utils.benchmark.measurement import (
    Measurement,
    ordered_unique,
    select_unit,
    trim_sigfig,
    unit_to_english,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import NoReturn

__all__ = ["Compare"]


class _Column:
    """The times of one description: as many decimals for all."""

    def __init__(self, title: str, cells: list[Measurement | None], scale: float, trim: bool, warn: bool) -> None:
        self.title = title
        self.texts = self._texts(cells, scale, trim, warn)
        self.width = max(len(title), *(len(text) for text in self.texts))

    @staticmethod
    def _texts(cells: list[Measurement | None], scale: float, trim: bool, warn: bool) -> list[str]:
        there = [cell for cell in cells if cell is not None]
        digits = [math.ceil(math.log10(cell.median / scale)) for cell in there]
        decimals = 1
        if trim:
            decimals = min(max(cell.significant_figures - digit, 0) for cell, digit in zip(there, digits, strict=True))
        texts = []
        for cell in cells:
            if cell is None:
                texts.append("")
                continue
            value = cell.median / scale
            text = f"{trim_sigfig(value, cell.significant_figures) if trim else value:.{decimals}f}"
            if warn and any(each.has_warnings for each in there):
                text += f" (! {cell.iqr / cell.median * 100:.0f}%)" if cell.has_warnings else " " * 7
            texts.append(text)
        return texts


class Compare:
    """A table of measurements, by label.

    >>> timer = torch.utils.benchmark.Timer("x + 1", globals={"x": torch.ones(2)}, label="add", description="Lumbre")
    >>> torch.utils.benchmark.Compare([timer.timeit(10)]).print()  # doctest: +SKIP
    """

    def __init__(self, results: list[Measurement]) -> None:
        self._results: list[Measurement] = []
        self.extend_results(results)
        self._trim_significant_figures = False
        self._highlight_warnings = False

    def extend_results(self, results: Iterable[Measurement]) -> None:
        """Adds measurements."""
        for result in results:
            if not isinstance(result, Measurement):
                raise ValueError(f"Expected an instance of `Measurement`, got {type(result)} instead.")
            self._results.append(result)

    def trim_significant_figures(self) -> None:
        """Shows no more figures than the measurements support."""
        self._trim_significant_figures = True

    def highlight_warnings(self) -> None:
        """Marks measurements whose times differ much."""
        self._highlight_warnings = True

    def colorize(self, rowwise: bool = False) -> NoReturn:
        """NotImplementedError: tables have no colours."""
        raise NotImplementedError("Lumbre's tables of measurements have no colours: leave colorize() out")

    def print(self) -> None:
        """Prints the tables."""
        print(str(self))

    def __str__(self) -> str:
        merged = Measurement.merge(self._results)
        return "\n".join(
            self._table([each for each in merged if each.label == label])
            for label in ordered_unique(each.label for each in merged)
        )

    def _table(self, results: list[Measurement]) -> str:
        unit, scale = select_unit(min(each.median for each in results))
        rows = ordered_unique((each.num_threads, each.env, each.as_row_name) for each in results)
        rows.sort(key=lambda row: row[0])
        cells = {(each.num_threads, each.env, each.as_row_name, each.description): each for each in results}
        columns = [
            _Column(
                title or "", [cells.get((*row, title)) for row in rows], scale, self._trim_significant_figures,
                self._highlight_warnings,
            )
            for title in ordered_unique(each.description for each in results)
        ]  # fmt: skip
        names = [f"      {f'({env}) ' if env else ''}{name}" for _, env, name in rows]
        width = max(len(name) for name in names)
        total = width + sum(column.width + 5 for column in columns)
        label = f" {results[0].label or ''} "
        lines = [f"[{label.center(total - 2, '-')}]"]
        lines.append("  |  ".join([" " * width, *(column.title.center(column.width) for column in columns)]))
        threads = None
        for number, (row, name) in enumerate(zip(rows, names, strict=True)):
            if row[0] != threads:
                threads = row[0]
                lines.append(f"{threads} threads: ".ljust(total, "-"))
            lines.append(
                "  |  ".join([name.ljust(width), *(column.texts[number].rjust(column.width) for column in columns)])
            )
        return "\n".join([*lines, "", f"Times are in {unit_to_english(unit)}s ({unit}).", ""])
