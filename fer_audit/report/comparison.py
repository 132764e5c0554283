"""What can be said of two numbers with intervals, and of many such pairs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from statistics import NormalDist

from fer_audit.report.finding import Finding, Tone, counted, joined
from fer_audit.report.naming import defended
from fer_audit.report.numbers import Form
from fer_audit.report.paired import Difference
from fer_audit.results import Cell, Estimate, ExplanationMeasure

_NAMED = 3  #: augmentations or defences that a sentence names

Pair = tuple[Cell, Cell]  #: of a cell and the one that it is compared with


def widened(estimate: Estimate, comparisons: int) -> tuple[float, float] | None:
    """The interval, stretched about its value so that `comparisons` of them hold together (Bonferroni)."""
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return None
    stretch = stretched(estimate.confidence, comparisons, estimate.freedom)
    low = estimate.value - stretch * (estimate.value - estimate.low)
    return low, estimate.value + stretch * (estimate.high - estimate.value)


@cache
def stretched(confidence: float, comparisons: int, freedom: int | None = None) -> float:
    """How many times as wide an interval becomes where `comparisons` of them are to hold together.

    The ratio of the two quantiles: of Student's t where the interval has that `freedom`, of the normal otherwise.
    """
    tails = (1 - confidence) / 2 / max(comparisons, 1), (1 - confidence) / 2
    if freedom is None:
        wide, narrow = (NormalDist().inv_cdf(1 - tail) for tail in tails)
    else:
        from scipy.special import stdtrit

        wide, narrow = (float(stdtrit(max(freedom, 1), 1 - tail)) for tail in tails)
    return wide / narrow


def direction(one: Estimate, other: Estimate, comparisons: int) -> int:
    """1 where `one` is shown to be higher than `other`, -1 where lower, 0 where neither can be shown."""
    first, second = widened(one, comparisons), widened(other, comparisons)
    if first is None or second is None:
        return 0
    return int(first[0] > second[1]) - int(first[1] < second[0])


def side(estimate: Estimate, limit: float, comparisons: int) -> int:
    """1 where the estimate is shown to lie above `limit`, -1 where below, 0 where neither can be shown."""
    span = widened(estimate, comparisons)
    return int(span[0] > limit) - int(span[1] < limit) if span is not None else 0


def better(measure: ExplanationMeasure, comparisons: int) -> int:
    """1 where heat maps are shown to be better than random ones, -1 where worse, 0 where neither can be shown."""
    sign = side(measure.difference, 0.0, comparisons)
    return sign if measure.better == "higher" else -sign


def against_none(cells: Sequence[Cell]) -> Iterator[Pair]:
    """Each augmented cell with its twin without augmentation."""
    plain = {(c.model, c.defence, c.label_attack, c.seed): c for c in cells if not c.augmentation_plugins}
    for cell in cells:
        other = plain.get((cell.model, cell.defence, cell.label_attack, cell.seed))
        if other is not None and cell.augmentation_plugins:
            yield cell, other


def against_undefended(cells: Sequence[Cell]) -> Iterator[Pair]:
    """Each defended cell with its twin without a defence."""
    plain = {(c.model, c.augmentation, c.label_attack, c.seed): c for c in cells if not defended(c)}
    for cell in cells:
        other = plain.get((cell.model, cell.augmentation, cell.label_attack, cell.seed))
        if other is not None and defended(cell):
            yield cell, other


def effects(
    title: str,
    what: str,
    pairs: Sequence[tuple[str, Difference]],
    falling: Tone,
    form: Form,
    unit: str = "",
    against: str = "augmentation",
) -> Finding:
    """What augmentations or defences do to a number; `pairs` are their name, and their number less that of none."""
    shown: dict[str, list[int]] = {}
    moved: dict[str, list[Difference]] = {}
    for name, difference in pairs:
        sign = side(difference.estimate, 0.0, len(pairs))
        shown.setdefault(name, []).append(sign)
        moved.setdefault(name, []).extend([difference] if sign else [])
    told = {name: signs for name, signs in shown.items() if any(signs)}
    ends = {name: _ends(moved[name]) for name in told}
    parts = _effects(told, {name: f" ({_range(found, form)}{unit})" for name, found in ends.items()})
    silent = [name for name in shown if name not in told]
    lead = f"Against no {against}, all else the same, {what} is "
    if not parts:
        text = f"{lead}neither higher nor lower beyond the intervals in any of {counted(len(pairs), 'comparison')}."
        return Finding(f"{title}: no difference can be shown", text, "open")
    tail = f" For {_few(silent)} no difference can be shown at this size." if silent else ""
    signs = {sign for signs in shown.values() for sign in signs if sign}
    rising: Tone = "bad" if falling == "good" else "good"
    tone: Tone = "plain" if len(signs) > 1 else (falling if signs == {-1} else rising)
    named = _named(told)
    of = tuple(origin for name in told if name in named for end in ends[name] for origin in end.of)
    return Finding(title, f"{lead}{'; '.join(parts)}.{tail}", tone, of)


def _ends(found: list[Difference]) -> list[Difference]:
    """The least and the largest; one where there is but one."""
    by_value = sorted(found, key=lambda one: one.estimate.value or 0.0)
    return [by_value[0], by_value[-1]] if len(by_value) > 1 else by_value


def _range(ends: list[Difference], form: Form) -> str:
    return " to ".join(dict.fromkeys(form(end.estimate.value or 0.0) for end in ends))


def _named(told: dict[str, list[int]]) -> list[str]:
    """Those with the most differences, which are told by name."""
    return sorted(told, key=lambda name: told[name].count(0) / len(told[name]))[:_NAMED]


def _effects(told: dict[str, list[int]], sizes: dict[str, str]) -> list[str]:
    """Those with the most differences by name, and what all others have together."""
    named = _named(told)
    rest = [name for name in told if name not in named]
    parts = [_effect(name, told[name]) + sizes[name] for name in told if name in named]
    together = [sign for name in rest for sign in told[name]]
    return [*parts, _effect(counted(len(rest), "other"), together)] if rest else parts


def _effect(name: str, signs: list[int]) -> str:
    lower, higher = signs.count(-1), signs.count(1)
    said = [f"{word} in {count:,}" for word, count in (("lower", lower), ("higher", higher)) if count]
    return f"{' and '.join(said)} of {counted(len(signs), 'comparison')} with {name}"


def _few(names: list[str]) -> str:
    return joined(names) if len(names) <= _NAMED else f"{len(names)} others"


def clean_cells(cells: list[Cell]) -> list[Cell]:
    """Those of `cells` whose labels are clean, or all where none is."""
    return [cell for cell in cells if cell.label_attack_plugin is None] or cells
