"""Figures as aligned plain text."""

from __future__ import annotations

import statistics
from collections.abc import Sequence


class Measured:
    """Repeated measurements of one figure, shown as their median and range."""

    def __init__(self, values: Sequence[float], unit: str = "", digits: int = 1) -> None:
        self.values = list(values)
        self._unit, self._digits = unit, digits

    @property
    def median(self) -> float:
        """The median."""
        return statistics.median(self.values)

    def __str__(self) -> str:
        unit = f" {self._unit}" if self._unit else ""
        text = f"{self.median:,.{self._digits}f}{unit}"
        if len(self.values) == 1:
            return text
        low, high = (f"{value:,.{self._digits}f}" for value in (min(self.values), max(self.values)))
        return f"{text} ({low}-{high})"


def heading(text: str) -> None:
    """Prints the title of a figure."""
    print(f"\n{text}\n{'-' * len(text)}", flush=True)


def show(rows: Sequence[Sequence[object]]) -> None:
    """Prints `rows` with their columns aligned; the first column to the left, the others as they come."""
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[place]) for row in texts if place < len(row)) for place in range(max(map(len, texts)))]
    for row in texts:
        cells = [f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)]
        print("  ".join(cells).rstrip(), flush=True)


def note(text: str) -> None:
    """Prints a remark below a table."""
    print(f"  {text}", flush=True)


def at_least(value: float, target: float) -> str:
    """Whether `value` reaches `target`, in the words of the table."""
    return f"target >= {target:g}x: {'met' if value >= target else 'missed'}"


def below(value: float, target: float, unit: str) -> str:
    """Whether `value` stays below `target`, in the words of the table."""
    return f"target < {target:g} {unit}: {'met' if value < target else 'missed'}"


def at_most(value: float, target: float, unit: str = "") -> str:
    """Whether `value` does not exceed `target`, in the words of the table."""
    return f"target <= {target:g}{unit}: {'met' if value <= target else 'missed'}"


def ratio(above: Measured, below_it: Measured) -> float:
    """The ratio of two medians."""
    return above.median / below_it.median
