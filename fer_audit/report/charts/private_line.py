"""The line along differentially private training over its epsilons, which other cells are read against."""

from __future__ import annotations

from collections.abc import Sequence

from fer_audit.report.charts.chart import Trace
from fer_audit.report.charts.marks import Marks, shade
from fer_audit.report.charts.plane import Point
from fer_audit.report.charts.style import plain
from fer_audit.report.private_training import line_of, on_the_line

LINE = "private training"
_TOLD = 6  #: lines whose epsilons have room beside each other


def private_lines(marks: Marks, found: Sequence[Point], crowded: bool) -> list[Trace]:
    """One for each model, labels and seed; epsilons stand beside it where there is room. One key is that of all."""
    lines = lines_of(found)
    told = not crowded and len(lines) <= _TOLD
    return [_trace(marks, line, crowded, told, first=not place) for place, line in enumerate(lines)]


def lines_of(found: Sequence[Point]) -> list[list[Point]]:
    """Sound private training without augmentation, the least accurate first; a line has two points or more.

    What is compared with it at equal accuracy is compared with its nearest two points, which are neighbours then.
    """
    lines: dict[tuple[str, str, int], list[Point]] = {}
    for point in found:
        if point.sound and on_the_line(point.cell):
            lines.setdefault(line_of(point.cell), []).append(point)
    return [sorted(line, key=lambda point: point.accuracy.value or 0.0) for line in lines.values() if len(line) > 1]


def _epsilon(point: Point) -> float:
    return point.cell.guarantee.epsilon if point.cell.guarantee else 0.0


def _trace(marks: Marks, line: Sequence[Point], crowded: bool, told: bool, first: bool) -> Trace:
    epsilons = [f"\u03b5\u2009{_epsilon(point):.3g}" for point in line]
    # Markers that can't be seen keep the text clear of those that can.
    unseen = {"color": "rgba(0,0,0,0)", "line": {"width": 0}}
    return {
        "type": "scatter",
        "mode": "lines+markers+text" if told else "lines",
        "name": f"{plain(shade(line[0].cell))}, over epsilon",
        "legendgroup": LINE,
        "showlegend": first,
        "x": [point.leak.value for point in line],
        "y": [point.accuracy.value for point in line],
        "text": epsilons,
        "textposition": "bottom right",
        "line": {"color": marks.tint(shade(line[0].cell)), "width": 2},
        "marker": unseen | {"size": [marks.size(point.cell.model, crowded) for point in line]},
        "cliponaxis": False,
        "hoverinfo": "skip",
        "meta": {"key": LINE},
    }
