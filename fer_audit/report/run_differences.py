"""What the numbers of two runs differ by, cell by cell and model by model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from fer_audit.metrics.unpaired import unpaired_difference
from fer_audit.report.cell_changes import AttackKey, Pair, attack_key, attack_keys, attack_names
from fer_audit.report.comparison import side
from fer_audit.report.finding import Tone
from fer_audit.report.finished_run import FinishedRun
from fer_audit.results import AttackResult, Cell, Estimate

FPR = "0.01"  #: at which true-positive rates are compared


@dataclass(frozen=True)
class Measure:
    """Something that a cell has an estimate of."""

    title: str
    unit: Literal["points", "number"]  #: "points" for shares
    better: Literal["higher", "lower"]
    of: Callable[[Cell], Estimate | None]


@dataclass(frozen=True)
class Difference:
    """A measure of a cell that is in both runs; `sign` is 1 where B is shown to be higher, -1 where lower, else 0."""

    cell: Cell
    measure: Measure
    one: Estimate
    other: Estimate
    difference: Estimate  #: B less A, unpaired
    sign: int = 0

    @property
    def word(self) -> str:
        """What is shown."""
        unmarked = "equal" if self.difference.value == 0 else "not shown"
        return (unmarked, "higher in B", "lower in B")[self.sign]

    @property
    def tone(self) -> Tone:
        """Whether the change is for the better."""
        if not self.sign:
            return "plain"
        return "good" if (self.sign > 0) == (self.measure.better == "higher") else "bad"


@dataclass(frozen=True)
class CostChange:
    """What a model that is in both runs costs; counts are exact, times are not."""

    model: str
    measure: str
    one: float
    other: float
    exact: bool

    @property
    def changed(self) -> bool:
        """Whether the runs differ in it for certain."""
        return self.exact and self.one != self.other


def differences(pairs: Sequence[Pair]) -> list[Difference]:
    """Those that can be shown, the furthest from 0 by its interval first; then the others, cell by cell.

    A difference can be shown where 0 lies outside its interval, widened so that all of them hold together (Bonferroni).
    """
    compared = measures(pairs)
    found = [one for pair in pairs for measure in compared for one in _difference(measure, *pair)]
    count = sum(one.difference.low is not None for one in found)
    signed = [replace(one, sign=side(one.difference, 0.0, count)) for one in found]
    return sorted(signed, key=lambda one: (one.sign == 0, -_widths(one) if one.sign else 0.0))


def measures(pairs: Sequence[Pair]) -> list[Measure]:
    """What cells of both runs can be compared in."""
    first, second = [one for one, _ in pairs], [other for _, other in pairs]
    theirs = attack_keys(second)
    names = attack_names([key for key in attack_keys(first) if key in theirs])
    return [
        Measure("accuracy", "points", "higher", lambda c: c.utility.accuracy if c.utility else None),
        Measure("balanced accuracy", "points", "higher", lambda c: c.utility.balanced_accuracy if c.utility else None),
        *(Measure(f"AUC of {name}", "number", "lower", _attacked(key, _auc)) for key, name in names.items()),
        *(Measure(f"TPR at 1 % FPR of {name}", "points", "lower", _attacked(key, _tpr)) for key, name in names.items()),
        Measure("memorised", "points", "lower", lambda c: c.memorisation.memorised if c.memorisation else None),
        Measure("corrupted images", "points", "higher", lambda c: c.corruptions.accuracy if c.corruptions else None),
        *([Measure("mCE", "number", "lower", _mce)] if not other_baseline(pairs) else []),
        *_pgd(first, second),
    ]


def other_baseline(pairs: Sequence[Pair]) -> bool:
    """Whether the errors on corrupted images of the two runs are relative to other cells."""
    known = [(one.corruptions, other.corruptions) for one, other in pairs if one.corruptions and other.corruptions]
    return any(one.baseline != other.baseline for one, other in known)


def cost_changes(one: FinishedRun, other: FinishedRun) -> list[CostChange]:
    """Counts of each model in both runs, and the median time of a call with one image."""
    theirs = {cost.model: cost for cost in other.results.costs}
    found = [
        CostChange(cost.model, name, getattr(cost, name), getattr(theirs[cost.model], name), exact=True)
        for cost in one.results.costs
        if cost.model in theirs
        for name in ("macs", "params_total", "params_trainable")
    ]
    times, others = _times(one), _times(other)
    found += [CostChange(name, "p50 ms", times[name], others[name], exact=False) for name in times if name in others]
    return sorted(found, key=lambda change: not change.changed)


def _difference(measure: Measure, one: Cell, other: Cell) -> Iterator[Difference]:
    first, second = measure.of(one), measure.of(other)
    if first is not None and second is not None and first.value is not None and second.value is not None:
        yield Difference(other, measure, first, second, unpaired_difference(second, first))


def _widths(one: Difference) -> float:
    """How far the difference lies from 0, in half widths of its interval."""
    value, low, high = one.difference.value or 0.0, one.difference.low or 0.0, one.difference.high or 0.0
    return 2 * abs(value) / (high - low) if high > low else float("inf")


def _attacked(key: AttackKey, of: Callable[[AttackResult], Estimate | None]) -> Callable[[Cell], Estimate | None]:
    def estimate(cell: Cell) -> Estimate | None:
        found = cell.privacy.attacks if cell.privacy and not cell.privacy.invalid else []
        return next((of(attack) for attack in found if attack_key(attack) == key), None)

    return estimate


def _auc(attack: AttackResult) -> Estimate:
    return attack.auc


def _tpr(attack: AttackResult) -> Estimate | None:
    return attack.tpr_at_fpr.get(FPR)


def _mce(cell: Cell) -> Estimate | None:
    return cell.corruptions.mce if cell.corruptions else None


def _pgd(first: Sequence[Cell], second: Sequence[Cell]) -> list[Measure]:
    """Accuracy under PGD at the largest epsilon that both runs have."""
    common = _epsilons(first) & _epsilons(second)
    if not common:
        return []
    largest = max(common)

    def estimate(cell: Cell) -> Estimate | None:
        points = cell.adversarial.points if cell.adversarial else []
        return next((one.accuracy for one in points if (one.attack, one.epsilon) == ("pgd", largest)), None)

    return [Measure(f"PGD accuracy at {largest:g}/255", "points", "higher", estimate)]


def _epsilons(cells: Sequence[Cell]) -> set[float]:
    points = (point for cell in cells if cell.adversarial for point in cell.adversarial.points)
    return {point.epsilon for point in points if point.attack == "pgd"}


def _times(run: FinishedRun) -> dict[str, float]:
    speeds = run.record.latencies if run.record else []
    return {speed.model: speed.p50_ms for speed in speeds if speed.batch == 1}
