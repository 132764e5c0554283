"""Whether one cell keeps a gate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from fer_audit.errors import ResultsError
from fer_audit.gate_section import METRICS
from fer_audit.report.comparison import widened
from fer_audit.report.gated import Gated, reader_of
from fer_audit.report.numbers import MINUS, THIN, UNKNOWN, with_interval
from fer_audit.report.table import Origin
from fer_audit.results import Cell, Estimate, Gate

CellOutcome = Literal["pass", "fail", "unknown"]

#: A share that percentage points with one digit show as 0.1.
_LEAST_POINTS = 0.001


@dataclass(frozen=True)
class JudgedCell:
    """A cell and what became of it; without an estimate where nothing of it could be measured."""

    cell: Cell
    outcome: CellOutcome
    reason: str = ""  #: why it is unknown
    by: str = ""  #: the attack that the estimate is of
    estimate: Estimate | None = None
    difference: float | None = None  #: from the limit, positive beyond it
    of: tuple[Origin, ...] = ()  #: where the estimate comes from


def limit_of(gate: Gate) -> float:
    """The one limit of a gate; raises ResultsError where it has none or two."""
    limits = [limit for limit in (gate.max, gate.min) if limit is not None]
    if len(limits) != 1:
        raise ResultsError(f"can't judge the gate on {gate.metric}: it has {len(limits)} limits, expected max or min")
    return limits[0]


def limit_text(gate: Gate) -> str:
    """The limit in words and all its digits, such as `at most 0.6`."""
    limit = limit_of(gate)
    number = f"{100 * limit:.12g}{THIN}%" if reader_of(gate.metric).of_shares else f"{limit:,.12g}"
    return f"at {'most' if gate.max is not None else 'least'} {number}".replace("-", MINUS)


def value_text(gate: Gate, one: JudgedCell) -> str:
    """The value of a cell with its interval, or that there is none."""
    return with_interval(one.estimate, reader_of(gate.metric).form) if one.estimate is not None else UNKNOWN


def difference_text(gate: Gate, difference: float) -> str:
    """A difference from the limit with its sign, shares in percentage points; one that is not 0 never reads as 0."""
    form, shares = reader_of(gate.metric).form, reader_of(gate.metric).of_shares
    if not difference:
        return "0"
    sign, size = "+" if difference > 0 else MINUS, abs(difference)
    if shares:
        shown = f"{100 * size:.1f}" if size >= _LEAST_POINTS else f"{100 * size:.1g}"
        return f"{sign}{shown} points"
    return sign + (form(size) if form(size) != form(0.0) else f"{size:.1g}")


def beyond(gate: Gate, value: float) -> float:
    """How far `value` lies beyond the limit; negative where it keeps it, 0 where it is the limit."""
    return value - gate.max if gate.max is not None else limit_of(gate) - value


def judge_cell(gate: Gate, cell: Cell, found: Sequence[Gated], comparisons: int) -> JudgedCell:
    """The cell, judged by the numbers `found` of it: that of one thing, or those of all its attacks.

    The metric is then the largest of them: every one must keep a `max`, but one alone a `min`. With `certain`, "all
    keep it" holds where each interval alone does (an intersection-union test: Berger 1982, Technometrics 24, theorem
    1); what is found by looking at many, a limit that is broken or a `min` that one of them keeps, holds where an
    interval does that is widened for as many (Bonferroni): `comparisons` are all of the gate.
    """
    alike = 1 if gate.max is not None else len(found)
    outcomes = [_outcome(gate, one, alike, comparisons) for one in found]
    settling: CellOutcome = "fail" if gate.max is not None or len(found) == 1 else "pass"
    ranks: tuple[CellOutcome, ...] = (settling, "unknown", "pass" if settling == "fail" else "fail")
    outcome = next(rank for rank in ranks if rank in outcomes)
    pairs = [one for one, said in zip(found, outcomes, strict=True) if said == outcome]
    shown = max(pairs, key=lambda one: -math.inf if one.value is None else one.value)
    if shown.value is None:
        return JudgedCell(cell, outcome, _reason(gate, shown), shown.by)
    reason = _reason(gate, shown) if outcome == "unknown" else ""
    return JudgedCell(cell, outcome, reason, shown.by, shown.estimate, beyond(gate, shown.value), shown.of)


def _outcome(gate: Gate, one: Gated, alike: int, comparisons: int) -> CellOutcome:
    if one.value is None:
        return "unknown"
    if not gate.certain or METRICS[gate.metric].error == "exact":
        return "fail" if beyond(gate, one.value) > 0 else "pass"
    kept, broken = _span(gate, one.estimate, alike), _span(gate, one.estimate, comparisons)
    if kept is not None and kept[1] <= 0:
        return "pass"
    return "fail" if broken is not None and broken[0] > 0 else "unknown"


def _span(gate: Gate, estimate: Estimate, comparisons: int) -> tuple[float, float] | None:
    """How far the interval lies beyond the limit, at least and at most; None where there is none."""
    # An interval that is not widened keeps its ends to the last digit, so that one may lie on the limit.
    ends = (estimate.low, estimate.high) if comparisons == 1 else widened(estimate, comparisons)
    if ends is None or ends[0] is None or ends[1] is None:
        return None
    least, most = sorted((beyond(gate, ends[0]), beyond(gate, ends[1])))
    return least, most


def crosses(gate: Gate, estimate: Estimate | None) -> bool:
    """Whether an interval has a part on each side of the limit, so that the value's side is not certain."""
    span = _span(gate, estimate, 1) if estimate is not None else None
    return span is not None and span[0] <= 0 < span[1]


def _reason(gate: Gate, one: Gated) -> str:
    """Why a number settles nothing."""
    if one.value is None:
        return f"{one.by}: {_note(one)}" if one.by else _note(one)
    span, subject = _span(gate, one.estimate, 1), f"the interval of {one.by}" if one.by else "the interval"
    if span is None:
        return f"{one.by} has no interval" if one.by else "there is no interval"
    if span[0] <= 0 < span[1]:
        return f"{subject} straddles the limit"
    side = "beyond" if span[0] > 0 else "within"
    return f"{subject} lies {side} the limit, but not once it is widened for the comparisons made"


def _note(one: Gated) -> str:
    return one.estimate.note or "not measured"
