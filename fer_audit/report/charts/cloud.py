"""The marks of the trade-off chart, and the line along its front."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fer_audit.report.charts.chart import Trace, error_bar
from fer_audit.report.charts.leakage import Leakage
from fer_audit.report.charts.legend import group
from fer_audit.report.charts.marks import Marks, filled, shade
from fer_audit.report.charts.plane import Point
from fer_audit.report.charts.style import GREY, faded, plain
from fer_audit.report.naming import attack_name
from fer_audit.report.numbers import loss, percent, with_interval

FRONT = "Pareto front"
_CLEAR, _CROWDED, _PALE = 1.0, 0.65, 0.3  #: opacity of most marks, of those in a crowd, and of the unsound


@dataclass(frozen=True)
class Cloud:
    """All marks of one figure."""

    marks: Marks
    leakage: Leakage
    front: frozenset[int]  #: places of its cells
    crowded: bool  #: whether marks are small, without intervals, and say little

    def traces(self, drawn: Sequence[Point]) -> list[Trace]:
        """One for each treatment that has points."""
        groups: dict[str, list[Point]] = {name: [] for name in self.marks.treatments}
        for point in drawn:
            groups[shade(point.cell)].append(point)
        return [self._trace(name, found) for name, found in groups.items() if found]

    def line(self, front: Sequence[Point]) -> list[Trace]:
        """A ring around each cell of the front, and the steps that no other mark lies above; none where it is empty."""
        sizes = [self._size(point) + 9 for point in front]
        trace: Trace = {
            "type": "scatter",
            "mode": "lines+markers",
            "name": FRONT,
            "x": [point.leak.value for point in front],
            "y": [point.accuracy.value for point in front],
            "line": {"color": GREY, "width": 1.5, "shape": "hv"},
            "marker": {
                "color": GREY,
                "opacity": 1.0,
                "symbol": "circle-open",
                "size": sizes,
                "line": {"color": GREY, "width": 1.8},
            },
            "cliponaxis": False,
            "hoverinfo": "skip",
            "meta": {"key": FRONT},
        }
        return [trace] if front else []

    def _trace(self, treated: str, found: list[Point]) -> Trace:
        trace: Trace = {
            "type": "scatter",
            "mode": "markers",
            "name": plain(treated),
            "legendgroup": group(treated),
            "showlegend": False,
            "x": [point.leak.value for point in found],
            "y": [point.accuracy.value for point in found],
            "customdata": [self.marks.name(point.cell) for point in found],
            "text": [self._hover(point) for point in found],
            "hovertemplate": "<b>%{customdata}</b><br>%{text}<extra></extra>",
            "cliponaxis": False,
            "marker": self._look(self.marks.tint(treated), found),
        }
        return trace if self.crowded else trace | _bars(self.marks.tint(treated), found)

    def _look(self, tint: str, found: list[Point]) -> Trace:
        symbols = [self.marks.symbol(point.cell) for point in found]
        return {
            "color": [filled(tint, symbol) for symbol in symbols],
            "opacity": [self._opacity(point) for point in found],
            "symbol": symbols,
            "size": [self._size(point) for point in found],
            "line": {"color": tint, "width": 1.5},
        }

    def _size(self, point: Point) -> float:
        return self.marks.size(point.cell.model, self.crowded)

    def _opacity(self, point: Point) -> float:
        if not point.sound:
            return _PALE
        return _CROWDED if self.crowded and point.place not in self.front else _CLEAR

    def _hover(self, point: Point) -> str:
        name, front = plain(attack_name(point.cell, point.attack)), FRONT if point.place in self.front else ""
        if self.crowded:
            values = percent(point.accuracy.value or 0.0), self.leakage.form(point.leak.value or 0.0)
        else:
            values = plain(with_interval(point.accuracy)), plain(with_interval(point.leak, self.leakage.form))
        lines = [f"accuracy {values[0]}", f"{name}: {self.leakage.name} {values[1]}"]
        promised = point.cell.guarantee
        told = f"epsilon {loss(promised.epsilon)} promised" if promised else ""
        return "<br>".join(filter(None, [*lines, told, self.marks.cost(point.cell.model), front]))


def _bars(tint: str, found: list[Point]) -> Trace:
    shade = faded(tint, 0.5)
    return {
        "error_x": error_bar([point.leak for point in found], shade),
        "error_y": error_bar([point.accuracy for point in found], shade),
    }
