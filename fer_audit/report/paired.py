"""Differences of two cells: paired where the results have that, and from their two intervals otherwise."""

from __future__ import annotations

from dataclasses import dataclass

from fer_audit.metrics.unpaired import unpaired_difference
from fer_audit.report.table import Origin
from fer_audit.results import Cell, Estimate, PluginRecord, Results


@dataclass(frozen=True)
class Difference:
    """One cell less another, and where that stands; nowhere where it was computed of two."""

    estimate: Estimate
    of: tuple[Origin, ...] = ()


class PairedDifferences:
    """The paired differences of the results, by what was measured and on which cells."""

    def __init__(self, results: Results) -> None:
        """Looks all of them up once."""
        self._known: dict[tuple[str, str, str, str], Estimate] = {
            (pair.metric, named(pair.attack), pair.cell, pair.baseline): pair.difference for pair in results.comparisons
        }

    def of(
        self,
        metric: str,
        pair: tuple[Cell, Cell],
        values: tuple[Estimate, Estimate],
        attack: PluginRecord | None = None,
    ) -> Difference:
        """The first cell of `pair` less the second; `values` are what each has, for where they were not paired."""
        one, other = pair
        found = self._known.get((metric, named(attack), one.id, other.id))
        if found is not None:
            return Difference(found, ((found, "value"),))
        reverse = self._known.get((metric, named(attack), other.id, one.id))
        return Difference(turned(reverse) if reverse is not None else unpaired_difference(*values))


def named(attack: PluginRecord | None) -> str:
    """An attack by its name and parameters; empty where there is none."""
    return "" if attack is None else f"{attack.name} {sorted(attack.params.items())}"


def turned(estimate: Estimate) -> Estimate:
    """The same difference, the other way round."""
    ends = {"value": estimate.value, "low": estimate.high, "high": estimate.low}
    return estimate.model_copy(update={name: None if end is None else -end for name, end in ends.items()})
