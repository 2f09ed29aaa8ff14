"""The picture for the README: a dot for each row, a line for each group, on a scale of ratios to PyTorch."""

from __future__ import annotations

import math
from html import escape
from typing import Any

from benchmarks.report import figure, geometric_mean, groups, identity, ratio

WIDTH, LEFT, RIGHT, TOP, LINE = 860, 190, 70, 34, 17
STYLE = """text{font:11px system-ui,sans-serif;fill:#57606a}.dot{fill:#1f883d;fill-opacity:.55}.behind{fill:#cf222e;fill-opacity:.75}
line{stroke:#d0d7de}.one{stroke:#57606a}.mean{stroke:#1a7f37;stroke-width:2.5}
@media(prefers-color-scheme:dark){text{fill:#9198a1}line{stroke:#30363d}.one{stroke:#9198a1}.dot{fill:#3fb950}.mean{stroke:#56d364}}"""


def picture(rows: list[dict[str, Any]]) -> str:
    """An SVG file's text."""
    shown = {
        group: found
        for group, members in groups(rows).items()
        if (found := [(number, identity(row)) for row in members if (number := ratio(row))])
    }
    numbers = [number for found in shown.values() for number, _ in found]
    low, high = min([0.5, *numbers]), max([2.0, *numbers])
    height = TOP + LINE * len(shown) + 24

    def x(number: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * math.log(number / low) / math.log(high / low)

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"><style>{STYLE}</style>']
    parts.append(
        f'<text x="{LEFT}" y="12">times as fast as PyTorch: a dot for each row, a bar for the geometric mean</text>'
    )
    for tick in ticks(low, high):
        kind = ' class="one"' if tick == 1 else ""
        parts.append(f'<line{kind} x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{TOP - 8}" y2="{height - 20}"/>')
        parts.append(f'<text x="{x(tick):.1f}" y="{height - 6}" text-anchor="middle">{tick:g}</text>')
    for place, (group, found) in enumerate(shown.items()):
        y = TOP + LINE * place + LINE / 2
        mean = geometric_mean([number for number, _ in found])
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{escape(group)}</text>')
        for number, _ in sorted(found):
            kind = "behind" if number < 0.95 else "dot"
            parts.append(f'<circle class="{kind}" cx="{x(number):.1f}" cy="{y:.1f}" r="3"/>')
        parts.append(f'<line class="mean" x1="{x(mean):.1f}" x2="{x(mean):.1f}" y1="{y - 7:.1f}" y2="{y + 7:.1f}"/>')
        parts.append(f'<text x="{WIDTH - RIGHT + 8}" y="{y + 4:.1f}">{figure(mean)}</text>')
    return "\n".join([*parts, "</svg>\n"])


def ticks(low: float, high: float) -> list[float]:
    wanted = [base * 10.0**power for power in range(-3, 4) for base in (1, 2, 5)]
    return [tick for tick in wanted if low <= tick <= high]
