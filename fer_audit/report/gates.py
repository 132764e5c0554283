"""Gates: which limits the results keep, which they break, and which can't be judged."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from fer_audit.gate_section import METRICS, is_meant
from fer_audit.report.audited import audited, refuted
from fer_audit.report.finding import Tone, counted, named
from fer_audit.report.gated import Gated, Source, gated, reader_of, sources
from fer_audit.report.judged_cell import (
    CellOutcome,
    JudgedCell,
    crosses,
    difference_text,
    judge_cell,
    limit_of,
    limit_text,
    value_text,
)
from fer_audit.report.numbers import UNKNOWN, interval
from fer_audit.report.table import Column, Entry, Origin, Table, words
from fer_audit.results import Cell, Estimate, Gate, Results, RunRecord

Outcome = Literal["pass", "fail", "inconclusive"]

_FAILED, _INCONCLUSIVE = 1, 3


@dataclass(frozen=True)
class Judged:
    """A gate and what became of it; the worst cell is the one that settles the outcome and lies furthest beyond."""

    gate: Gate
    outcome: Outcome
    cells: tuple[JudgedCell, ...]  #: all that the gate is about, in the grid's order
    worst: JudgedCell | None  #: None where no cell has a number
    name: str = ""  #: of the worst cell
    comparisons: int = 0  #: numbers looked at, which intervals were widened for where the gate is certain
    reasons: tuple[str, ...] = ()  #: why cells are unknown, each with its cells

    @property
    def text(self) -> str:
        """What became of the gate in plain words, two sentences at most."""
        return _text(self)

    @property
    def cell(self) -> Cell | None:
        """The worst cell."""
        return self.worst.cell if self.worst else None

    @property
    def attack(self) -> str:
        """The attack that the worst cell's number is of; empty where there is one number a cell."""
        return self.worst.by if self.worst else ""

    @property
    def estimate(self) -> Estimate | None:
        """The number of the worst cell."""
        return self.worst.estimate if self.worst else None

    @property
    def difference(self) -> float | None:
        """How far the worst cell lies beyond the limit; negative where it keeps it."""
        return self.worst.difference if self.worst else None

    @property
    def passed(self) -> int:
        """Cells that keep the limit."""
        return self._count("pass")

    @property
    def failed(self) -> int:
        """Cells that break it."""
        return self._count("fail")

    @property
    def unknown(self) -> int:
        """Cells of which it can't be said."""
        return self._count("unknown")

    @property
    def word(self) -> str:
        """The outcome in a word: kept, broken, warning or inconclusive."""
        broken = "warning" if self.gate.level == "warn" else "broken"
        return {"pass": "kept", "fail": broken, "inconclusive": "inconclusive"}[self.outcome]

    def _count(self, outcome: CellOutcome) -> int:
        return sum(one.outcome == outcome for one in self.cells)


@dataclass(frozen=True)
class Verdict:
    """The one headline of the page."""

    title: str
    text: str
    tone: Tone


def judge(results: Results, run: RunRecord | None, gates: Sequence[Gate]) -> list[Judged]:
    """Every gate, judged over the cells that it is about; latencies are in `run`.

    Raises ResultsError where a gate names no metric, or has no limit.
    """
    every = sources(results, run)
    return [_judged(results, gate, [one for one in every if selects(gate, one.cell)]) for gate in gates]


def exit_code(judged: Sequence[Judged], results: Results) -> int:
    """1 where a gate is broken or a promise of privacy refuted, 3 where a gate is inconclusive or a cell not done.

    Else 0; warnings change nothing.
    """
    outcomes = {one.outcome for one in judged if one.gate.level == "error"}
    if "fail" in outcomes or refuted(results):
        return _FAILED
    undone = any(cell.status != "done" for cell in results.cells)
    return _INCONCLUSIVE if undone or "inconclusive" in outcomes else 0


def selects(gate: Gate, cell: Cell) -> bool:
    """Whether a gate is about that cell."""
    values = parts(cell)
    return all(is_meant(name, values.get(name, ""), wanted) for name, wanted in gate.where.items())


def parts(cell: Cell) -> dict[str, str]:
    """What `where` can name of a cell."""
    return {
        "model": cell.model,
        "augmentation": cell.augmentation,
        "defence": cell.defence,
        "labels": cell.label_attack,
        "seed": str(cell.seed),
    }


def where_text(gate: Gate) -> str:
    """Which cells a gate is about, such as `model ghostface, labels none`; empty where it is about all."""
    return ", ".join(f"{name} {' or '.join(values)}" for name, values in gate.where.items())


def _judged(results: Results, gate: Gate, selected: Sequence[Source]) -> Judged:
    limit_of(gate)
    found = [gated(gate.metric, source) for source in selected]
    known = [one for numbers in found if not isinstance(numbers, str) for one in numbers if one.value is not None]
    cells = tuple(
        _judged_cell(gate, source.cell, numbers, len(known)) for source, numbers in zip(selected, found, strict=True)
    )
    outcome = _outcome({one.outcome for one in cells})
    worst = _worst(cells, outcome)
    name = named(results, worst.cell) if worst else ""
    return Judged(gate, outcome, cells, worst, name, len(known), _reasons(results, cells))


def _judged_cell(gate: Gate, cell: Cell, numbers: list[Gated] | str, comparisons: int) -> JudgedCell:
    if isinstance(numbers, str):
        return JudgedCell(cell, "unknown", numbers)
    return judge_cell(gate, cell, numbers, comparisons)


def _outcome(outcomes: set[CellOutcome]) -> Outcome:
    if "fail" in outcomes:
        return "fail"
    return "pass" if outcomes == {"pass"} else "inconclusive"


def _worst(cells: Sequence[JudgedCell], outcome: Outcome) -> JudgedCell | None:
    """Of the cells that settle the outcome, or else of all, the one furthest beyond the limit."""
    known = [one for one in cells if one.difference is not None]
    settling = [one for one in known if one.outcome == ("unknown" if outcome == "inconclusive" else outcome)]
    return max(settling or known, key=lambda one: -math.inf if one.difference is None else one.difference, default=None)


def _reasons(results: Results, cells: Sequence[JudgedCell]) -> tuple[str, ...]:
    """Why cells are unknown; those with the same reason are counted."""
    of: dict[str, list[Cell]] = {}
    for one in cells:
        if one.outcome == "unknown":
            of.setdefault(one.reason, []).append(one.cell)
    return tuple(
        f"{named(results, found[0]) if len(found) == 1 else counted(len(found), 'cell')}: {reason}"
        for reason, found in sorted(of.items(), key=lambda item: -len(item[1]))
    )


def _text(judged: Judged) -> str:
    """What became of a gate, in two sentences at most."""
    gate, cells, worst = judged.gate, len(judged.cells), judged.worst
    limit, about = f"{gate.metric} {limit_text(gate)}", f" with {where_text(gate)}" if gate.where else ""
    of = f"{counted(cells, 'cell')}{about}"
    if not cells:
        return f"No cell is there{about}."
    if judged.outcome == "inconclusive" or worst is None:
        rest = "; the others keep it" if judged.unknown < cells else ""
        return f"{limit} can't be judged in {judged.unknown:,} of {of}{rest}. For {judged.reasons[0]}."
    shown = f"{judged.name}, {value_text(gate, worst)}{f', by {worst.by}' if worst.by else ''}"
    doubt = " Its interval reaches across the limit." if crosses(gate, worst.estimate) else ""
    if judged.outcome == "pass":
        every = f"the one cell{about}" if cells == 1 else f"each of {of}"
        whole = " with its whole interval" if _by_interval(gate) else ""
        return f"{limit} is kept by {every}{whole}; nearest to it: {shown}.{doubt}"
    unknown = f" ({judged.unknown:,} can't be judged)" if judged.unknown else ""
    wide = f", by intervals widened for {counted(judged.comparisons, 'comparison')}" if _by_interval(gate) else ""
    further = difference_text(gate, worst.difference or 0.0).removeprefix("+")
    head = f"{limit} is broken by {judged.failed:,} of {of}{unknown}{wide}"
    return f"{head}; furthest: {shown}, {further} beyond the limit.{doubt}"


def _by_interval(gate: Gate) -> bool:
    return gate.certain and METRICS[gate.metric].error == "interval"


def gates_table(judged: Sequence[Judged]) -> Table:
    """One line a gate: the limit, what was measured on its worst cell, and the outcome."""
    columns = (
        Column("Gate", numeric=False),
        Column("Outcome", numeric=False),
        Column("Value", "of the worst cell"),
        Column("Limit", numeric=False),
        Column("Difference", "from the limit: beyond it, or to spare"),
        Column("Cells", numeric=False),
        Column("Worst cell", "of those that settle the outcome the one furthest beyond the limit", numeric=False),
    )
    return Table("gates", "Limits that were set", columns, tuple(map(_row, judged)))


_TONES: dict[Outcome, Tone] = {"pass": "good", "fail": "bad", "inconclusive": "open"}


def _row(one: Judged) -> tuple[Entry, ...]:
    gate, worst = one.gate, one.worst
    about = ["certain"] if gate.certain else []
    limit = Entry(limit_text(gate), limit_of(gate), of=((gate, "max" if gate.max is not None else "min"),))
    return (
        words(gate.metric, "; ".join(filter(None, [_meaning(one), *about, where_text(gate)]))),
        Entry(one.word, sort=one.word, tone="open" if one.word == "warning" else _TONES[one.outcome]),
        _value(gate, worst),
        limit,
        _difference(gate, worst),
        words(cells_text(one), one.reasons[0] if one.reasons else ""),
        words(one.name or UNKNOWN),
    )


#: What metrics are where models were audited as they were given, as far as the usual words would be wrong.
_OF_GIVEN = {
    "accuracy": "accuracy on rows that the model was not trained on",
    "balanced_accuracy": "mean of the recall of each class on rows that the model was not trained on",
    "macs": "multiply-accumulates for one image at the model's size",
    "mce": "mean corruption error; 1 is the baseline model",
}


def _meaning(one: Judged) -> str:
    """What the metric of a gate is."""
    usual, given = METRICS[one.gate.metric].words, any(judged.cell.audited for judged in one.cells)
    return _OF_GIVEN.get(one.gate.metric, usual) if given else usual


def cells_text(one: Judged) -> str:
    """How many cells keep the gate, such as `15 of 16 keep it`."""
    unknown = f", {one.unknown:,} unknown" if one.unknown else ""
    return f"{one.passed:,} of {len(one.cells):,} keep it{unknown}"


def _value(gate: Gate, worst: JudgedCell | None) -> Entry:
    if worst is None or worst.estimate is None or worst.estimate.value is None:
        return Entry(UNKNOWN)
    form, estimate = reader_of(gate.metric).form, worst.estimate
    note = "\n".join(filter(None, (interval(estimate, form), worst.by)))
    return Entry(form(worst.estimate.value), worst.estimate.value, note, of=worst.of)


def _difference(gate: Gate, worst: JudgedCell | None) -> Entry:
    if worst is None or worst.difference is None:
        return Entry(UNKNOWN)
    of: tuple[Origin, ...] = (*worst.of, (gate, "max")) if gate.max is not None else ((gate, "min"), *worst.of)
    # The limit less a difference can't be written as one number less another.
    told = of if gate.max is not None or len(worst.of) == 1 else ()
    size = difference_text(gate, abs(worst.difference)).removeprefix("+")
    text = f"{size} {'beyond' if worst.difference > 0 else 'to spare'}" if worst.difference else "none"
    return Entry(text, worst.difference, of=told)


def verdict(judged: Sequence[Judged], results: Results) -> Verdict:
    """What became of all gates together; above them stands a promise of privacy that is refuted."""
    of_gates = _of_gates(judged, results)
    found = refuted(results)
    if not found:
        return replace(of_gates, text=of_gates.text + _unrefuted(results))
    title = f"Refutes {'a promise' if len(found) == 1 else f'{len(found)} promises'} of privacy"
    beside = f" Gates: {of_gates.title}." if judged else ""
    return Verdict(title, found[0].text + beside, "bad")


def _unrefuted(results: Results) -> str:
    """That no promise is refuted, and how many audits could have refuted one; empty where nothing is promised."""
    held = [one for one in audited(results) if one.audit.promised is not None]
    if not held:
        return ""
    able = sum(one.could_refute for one in held)
    return f" No audit of a promise of privacy refutes it; {able} of {counted(len(held), 'audit')} could have."


def _of_gates(judged: Sequence[Judged], results: Results) -> Verdict:
    if not judged:
        text = (
            "Nothing was held against a limit, so that these results neither pass nor fail. Set limits under `gates:` "
            "in the grid, such as {metric: mia_auc, max: 0.6}, or judge finished results with `fer-audit gate`."
        )
        return Verdict("No limit was set", text, "open")
    of, undone = counted(len(judged), "gate"), sum(cell.status != "done" for cell in results.cells)
    broken, warned = _of_level(judged, "fail", "error"), _of_level(judged, "fail", "warn")
    unclear, doubtful = _of_level(judged, "inconclusive", "error"), _of_level(judged, "inconclusive", "warn")
    # In the order of `exit_code`, so that the headline never says less than the run's end.
    if broken:
        more = f"; {counted(len(warned), 'warning')}" if warned else ""
        return Verdict(f"Breaks {len(broken)} of {of}{more}", broken[0].text, "bad")
    beside = f" {len(warned)} of {of} broken as a warning." if warned else ""
    if unclear:
        title = f"Inconclusive: {len(unclear) + len(doubtful)} of {of} can't be judged"
        return Verdict(title, unclear[0].text + beside, "open")
    if undone:
        title = f"Inconclusive: {undone:,} of {counted(len(results.cells), 'cell')} not done"
        kept = "The gate is" if len(judged) == 1 else f"All {of} are"
        return Verdict(title, beside.strip() or f"{kept} kept by the cells that could be judged.", "open")
    if warned:
        return Verdict(f"Warning: {len(warned)} of {of} broken", warned[0].text, "open")
    if doubtful:
        return Verdict(f"Inconclusive: {len(doubtful)} of {of} can't be judged", doubtful[0].text, "open")
    if len(judged) == 1:
        return Verdict("Keeps the gate", judged[0].text, "good")
    return Verdict(f"Keeps all {of}", _kept(judged), "good")


def _of_level(judged: Sequence[Judged], outcome: Outcome, level: str) -> list[Judged]:
    return [one for one in judged if one.outcome == outcome and one.gate.level == level]


def _kept(judged: Sequence[Judged]) -> str:
    """How far gates that are all kept are kept for certain."""
    doubtful = sum(crosses(one.gate, one.estimate) for one in judged)
    if all(one.gate.certain for one in judged):
        return "Every cell that they are about keeps them with its whole interval."
    doubt = f" The interval of the nearest cell reaches across the limit of {doubtful}." if doubtful else ""
    return f"Every cell that they are about keeps them by its value.{doubt}"
