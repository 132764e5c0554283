"""Every cell against a baseline that the reader picks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from fer_audit.report.comparison import side, stretched
from fer_audit.report.naming import attack_name
from fer_audit.report.paired import named
from fer_audit.report.pointers import Pointers
from fer_audit.results import AttackResult, Cell, Estimate, PluginRecord, Results


@dataclass(frozen=True)
class Measure:
    """Something that cells differ in: its name, its unit, and where a cell has it."""

    key: str
    title: str
    unit: str  #: "points" for shares, "number" for others
    of: Callable[[Cell], Estimate | None]


@dataclass(frozen=True)
class Differences:
    """What the script needs to compare any two cells: paired differences, and estimates where a pair has none."""

    results: Results
    measures: list[Measure]
    pointers: Pointers
    cells: int  #: of the grid, of which the results may hold a few

    @property
    def comparisons(self) -> int:
        """With one baseline."""
        return (self.cells - 1) * len(self.measures)

    def encoded(self) -> dict[str, Any]:
        """As JSON has it.

        A paired difference is `[cell, baseline, value, low, high, place, whether it differs from 0]`, with its interval
        widened for all comparisons with one baseline; `stretch` widens those that the script makes of two intervals.
        """
        places = {cell.id: place for place, cell in enumerate(self.results.cells)}
        pairs: dict[str, list[list[Any]]] = {measure.key: [] for measure in self.measures}
        for pair in self.results.comparisons:
            found = pairs.get(_key(pair.metric, pair.attack))
            if found is None or pair.cell not in places or pair.baseline not in places:
                continue
            estimate = _numbers(pair.difference, self.pointers)
            if estimate:
                differs = side(pair.difference, 0.0, self.comparisons) != 0
                found.append([places[pair.cell], places[pair.baseline], *estimate, int(differs)])
        return {
            "measures": [{"key": m.key, "title": m.title, "unit": m.unit} for m in self.measures],
            "values": {m.key: [self._value(m, cell) for cell in self.results.cells] for m in self.measures},
            "pairs": pairs,
            "stretch": round(stretched(self.confidence, self.comparisons), 4),
        }

    def _value(self, measure: Measure, cell: Cell) -> list[Any] | None:
        estimate = measure.of(cell) if cell.status == "done" else None
        return (_numbers(estimate, self.pointers) or None) if estimate else None

    @property
    def confidence(self) -> float:
        """Of the intervals that the script puts together."""
        every = (measure.of(cell) for measure in self.measures for cell in self.results.cells)
        return next((one.confidence for one in every if one is not None), 0.95)


def differences(results: Results, pointers: Pointers, cells: int | None = None) -> Differences | None:
    """None where there are no two cells to compare; `cells` is how many the grid has, where these are a few of them."""
    measures = [measure for measure in _measures(results) if sum(_has(measure, cell) for cell in results.cells) > 1]
    return Differences(results, measures, pointers, cells or len(results.cells)) if measures else None


def _has(measure: Measure, cell: Cell) -> bool:
    estimate = measure.of(cell)
    return cell.status == "done" and estimate is not None and estimate.value is not None


def _measures(results: Results) -> Iterator[Measure]:
    yield Measure("accuracy", "Accuracy", "points", _of(lambda c: c.utility, "accuracy"))
    yield Measure("balanced_accuracy", "Balanced acc.", "points", _of(lambda c: c.utility, "balanced_accuracy"))
    attacks: dict[str, str] = {}
    for cell in results.cells:
        for attack in cell.privacy.attacks if cell.privacy else ():
            attacks.setdefault(_key("auc", attack.attack), attack_name(cell, attack))
    for key, name in attacks.items():
        yield Measure(key, f"AUC of {name}", "number", _auc(key))
    yield Measure("memorised", "Memorised", "points", _of(lambda c: c.memorisation, "memorised"))
    yield Measure("corrupted_accuracy", "Corrupted images", "points", _of(lambda c: c.corruptions, "accuracy"))
    yield Measure("mce", "mCE", "number", _of(lambda c: c.corruptions, "mce"))


def _of(part: Callable[[Cell], BaseModel | None], name: str) -> Callable[[Cell], Estimate | None]:
    def estimate(cell: Cell) -> Estimate | None:
        record = part(cell)
        found: Estimate | None = getattr(record, name) if record else None
        return found

    return estimate


def _auc(key: str) -> Callable[[Cell], Estimate | None]:
    def estimate(cell: Cell) -> Estimate | None:
        found: list[AttackResult] = cell.privacy.attacks if cell.privacy and not cell.privacy.invalid else []
        return next((attack.auc for attack in found if _key("auc", attack.attack) == key), None)

    return estimate


def _key(metric: str, attack: PluginRecord | None) -> str:
    return f"{metric} {named(attack)}".strip()


def _numbers(estimate: Estimate, pointers: Pointers) -> list[Any]:
    """Value, low, high and place; empty where there is no value."""
    if estimate.value is None:
        return []
    ends = [None if end is None else round(end, 6) for end in (estimate.low, estimate.high)]
    return [round(estimate.value, 6), *ends, pointers.of((estimate, "value"))]
