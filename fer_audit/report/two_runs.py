"""Two finished runs: what changed in their provenance, in their cells and in their numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from fer_audit.report.cell_changes import CellChanges, attack_keys, attack_names, cell_changes
from fer_audit.report.finding import Finding, counted, joined
from fer_audit.report.finished_run import FinishedRun, read_finished
from fer_audit.report.provenance_changes import Fact, facts, other_rows
from fer_audit.report.run_differences import CostChange, Difference, cost_changes, differences, other_baseline

_NAMED = 4  #: things that a sentence lists; a table has them all


@dataclass(frozen=True)
class TwoRuns:
    """A run A and a run B; differences are B less A."""

    one: FinishedRun
    other: FinishedRun

    @property
    def same_folder(self) -> bool:
        """Whether A and B are one run."""
        return self.one.folder.resolve() == self.other.folder.resolve()

    @cached_property
    def facts(self) -> list[Fact]:
        """What either run depends on, what changed first."""
        return facts(self.one, self.other)

    @cached_property
    def cells(self) -> CellChanges:
        """Cells in both runs and in one of them."""
        return cell_changes(self.one.results, self.other.results)

    @cached_property
    def differences(self) -> list[Difference]:
        """Of cells in both runs, those that can be shown first."""
        return differences(self.cells.both)

    @cached_property
    def costs(self) -> list[CostChange]:
        """Of models in both runs, those that changed first."""
        return cost_changes(self.one, self.other)

    @property
    def changed(self) -> list[Fact]:
        """The facts that the runs differ in."""
        return [fact for fact in self.facts if fact.changed]

    @property
    def shown(self) -> list[Difference]:
        """The differences that can be shown."""
        return [one for one in self.differences if one.sign]

    @property
    def comparisons(self) -> int:
        """How many intervals hold together."""
        return sum(one.difference.low is not None for one in self.differences)

    @property
    def identical(self) -> bool:
        """Whether every number is the same in both runs, but for times."""
        first, second = self.one.results, self.other.results
        return first.cells == second.cells and first.costs == second.costs

    def findings(self) -> list[Finding]:
        """What there is to say, in sentences."""
        return [
            *self._folder(),
            self._provenance(),
            *self._rows(),
            self._cells(),
            *self._statuses(),
            *self._code(),
            *self._attacks(),
            *self._trainings(),
            self._numbers(),
            *self._baselines(),
            *self._costs(),
        ]

    def _folder(self) -> Iterator[Finding]:
        if self.same_folder:
            yield Finding("A and B are the same folder", "A run is compared with itself.", "open")

    def _provenance(self) -> Finding:
        names = [f"{fact.group} {fact.name}" for fact in self.changed]
        if not names:
            text = f"All of {counted(len(self.facts), 'fact')} that are known of the runs are equal."
            return Finding("Nothing changed in the provenance", text, "good")
        text = f"{counted(len(names), 'fact')} of {len(self.facts)} changed: {_some(names)}."
        return Finding("What the numbers depend on changed", text, "plain")

    def _rows(self) -> Iterator[Finding]:
        if other_rows(self.one, self.other):
            text = (
                "The digests of the datasets differ, so that accuracies and AUCs need not be of the same rows: a "
                "difference may come from the rows alone."
            )
            yield Finding("The data are not the same", text, "bad")

    def _cells(self) -> Finding:
        found = self.cells
        text = (
            f"{counted(len(found.both), 'cell')} in both runs, {len(found.only_one):,} only in A, "
            f"{len(found.only_other):,} only in B."
        )
        if not found.both:
            return Finding("No cell is in both runs", f"{text} There is nothing to compare.", "bad")
        apart = found.only_one or found.only_other
        return Finding("Not all cells are in both runs" if apart else "The same cells", text, "plain")

    def _statuses(self) -> Iterator[Finding]:
        said = [f"{other.id}: {one.status} in A, {other.status} in B" for one, other in self.cells.statuses]
        if said:
            worse = any(one.status == "done" for one, _ in self.cells.statuses)
            text = f"{_some(said, '; ')}."
            yield Finding(f"{counted(len(said), 'cell')} with another status", text, "bad" if worse else "good")

    def _code(self) -> Iterator[Finding]:
        found = self.cells.plugins
        if found:
            text = f"{_some(found, '; ')}. Their cells have the same name and are not the same thing."
            yield Finding("Plug-ins of the same name differ", text, "bad")

    def _attacks(self) -> Iterator[Finding]:
        first, second = (attack_keys(run.results.cells) for run in (self.one, self.other))
        names = attack_names(list(dict.fromkeys([*first, *second])))
        for run, mine, theirs in (("A", first, second), ("B", second, first)):
            only = [names[key] for key in mine if key not in theirs]
            if only:
                yield Finding(
                    f"Attacks only in {run}", f"{_some(only)}; there is nothing to compare them with.", "open"
                )

    def _trainings(self) -> Iterator[Finding]:
        pairs = [(a.utility, b.utility) for a, b in self.cells.both if a.utility and b.utility]
        pairs = [(one, other) for one, other in pairs if one.training and other.training]
        same = sum(one.training == other.training for one, other in pairs)
        if same and not self.identical:
            text = (
                f"In {same:,} of {counted(len(pairs), 'cell')} both runs have the very same utility model, by its "
                "content key: that its accuracy is equal says nothing of training anew."
            )
            yield Finding("The same trainings", text, "open")

    def _numbers(self) -> Finding:
        found, shown = self.differences, self.shown
        if self.identical:
            return Finding("No difference", "Every number is the same in both runs, but for times.", "good")
        if not found:
            return Finding("No numbers to compare", "No cell in both runs has a number in both.", "open")
        if not shown:
            text = f"None of {counted(len(found), 'number')} differs beyond its interval, widened for their number."
            return Finding("No difference can be shown", text, "open")
        said = Counter(f"{one.measure.title} is {one.word}" for one in shown)
        names = [f"{text} in {counted(count, 'cell')}" for text, count in said.items()]
        text = f"{len(shown):,} of {counted(len(found), 'number')}: {_some(names, '; ')}."
        worse = any(one.tone == "bad" for one in shown)
        return Finding("Numbers differ beyond their intervals", text, "bad" if worse else "good")

    def _baselines(self) -> Iterator[Finding]:
        if other_baseline(self.cells.both):
            text = "It is relative to another baseline cell in each run, and is left out."
            yield Finding("mCE can't be compared", text, "open")

    def _costs(self) -> Iterator[Finding]:
        said = [f"{one.measure} of {one.model}" for one in self.costs if one.changed]
        if said:
            yield Finding("Models cost another amount", f"{_some(said)} changed; counts are exact.", "plain")


def two_runs(one: Path, other: Path) -> TwoRuns:
    """The runs in two folders; raises ResultsError."""
    return TwoRuns(read_finished(one), read_finished(other))


def _some(names: list[str], comma: str = "") -> str:
    """The first of these names, and how many more there are."""
    rest = len(names) - _NAMED
    shown = [*names[:_NAMED], *([f"{rest:,} more"] if rest > 0 else [])]
    return comma.join(shown) if comma else joined(shown)
