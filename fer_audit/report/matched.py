"""Cells against differentially private training that is as accurate: the table, and what can't be compared so."""

from __future__ import annotations

from collections.abc import Container
from typing import NamedTuple

from fer_audit.report.attack_rows import attack_entry
from fer_audit.report.comparison import side
from fer_audit.report.naming import cell_name, several_seeds
from fer_audit.report.numbers import decimal, percent, signed_decimal, with_interval
from fer_audit.report.private_training import line_of, on_the_line
from fer_audit.report.table import Column, Entry, Table, field, identified, measured, words
from fer_audit.results import AttackResult, Cell, MatchedDifference, Results

_COLUMNS = (
    Column("Cell", numeric=False),
    Column("Attack", numeric=False),
    Column("Balanced acc.", "of the cell"),
    Column("Between", "the private cells with the nearest accuracies below and above it", numeric=False),
    Column("AUC", "of the attack on the cell"),
    Column("Private AUC", "of the same attack on private training of that accuracy: on the line between the two cells"),
    Column("Difference", "AUC less private AUC; its interval holds the uncertainty of the accuracies too"),
    Column(
        "It leaks", "more or less where the interval, widened for all of these comparisons, stays clear of 0", False
    ),
)


class Matched(NamedTuple):
    """A comparison at equal accuracy; `sign` is 1 where the cell is shown to leak more, -1 where less, 0 else."""

    cell: Cell
    attack: AttackResult
    compared: MatchedDifference
    sign: int


def matched(results: Results) -> list[Matched]:
    """Every comparison whose cell and attack are there, told with intervals widened for all of them (Bonferroni)."""
    family = sum(one.difference.low is not None for one in results.matched)
    cells = {cell.id: cell for cell in results.cells}
    return [
        Matched(cell, attack, one, side(one.difference, 0.0, family))
        for one in results.matched
        if (cell := cells.get(one.cell)) and (attack := _attack(cell, one))
    ]


def _attack(cell: Cell, compared: MatchedDifference) -> AttackResult | None:
    found = cell.privacy.attacks if cell.privacy else []
    wanted = compared.attack.name, compared.attack.params
    return next((one for one in found if (one.attack.name, one.attack.params) == wanted), None)


def matched_table(results: Results, only: Container[str] | None = None) -> Table:
    """One line for each cell and attack; of cells with the ids `only`, where these are given."""
    seeds = several_seeds(results)
    names = {cell.id: cell_name(cell, seeds) for cell in results.cells} if results.matched else {}
    shown = (one for one in matched(results) if only is None or one.cell.id in only)
    rows = [(identified(one.cell, seeds), *_row(one, names)) for one in shown]
    return Table("matched", "At equal accuracy, against private training", _COLUMNS, tuple(rows), tools=True)


def _row(one: Matched, names: dict[str, str]) -> tuple[Entry, ...]:
    compared = one.compared
    below, above = (names.get(place, place) for place in (compared.below, compared.above))
    return (
        attack_entry(one.cell, one.attack, compared.note),
        field(compared, "accuracy", percent),
        words(below, f"and {above}"),
        measured(one.attack.auc, decimal),
        field(compared, "reference", decimal),
        measured(compared.difference, signed_decimal),
        _word(one.sign),
    )


def _word(sign: int) -> Entry:
    if not sign:
        return words("not told apart")
    return Entry("more", sort="more", tone="bad") if sign > 0 else Entry("less", sort="less", tone="good")


def unmatched(results: Results) -> list[str]:
    """Cells without such a comparison, as all private training is more accurate than they are, or less."""
    seeds = several_seeds(results)
    there = {one.cell for one in results.matched}
    lines: dict[tuple[str, str, int], list[float]] = {}
    for cell in results.cells:
        accuracy = _accuracy(cell)
        if on_the_line(cell) and accuracy is not None:
            lines.setdefault(line_of(cell), []).append(accuracy)
    ends = {line: (min(found), max(found)) for line, found in lines.items()}
    return [
        f"{cell_name(cell, seeds)}: {why}"
        for cell in results.cells
        if cell.id not in there and not on_the_line(cell) and _attacked(cell)
        if (why := _outside(cell, ends.get(line_of(cell))))
    ]


def _outside(cell: Cell, ends: tuple[float, float] | None) -> str:
    """Why no private training lies below or above the cell; empty where some does, or there is none at all."""
    mine = _accuracy(cell)
    if ends is None or mine is None or cell.utility is None or ends[0] <= mine <= ends[1]:
        return ""
    word, nearest = ("less", ends[0]) if mine < ends[0] else ("more", ends[1])
    balanced = with_interval(cell.utility.balanced_accuracy)
    return f"its balanced accuracy, {balanced}, is {word} than all private training has, the nearest {percent(nearest)}"


def _accuracy(cell: Cell) -> float | None:
    return cell.utility.balanced_accuracy.value if cell.utility and cell.status == "done" else None


def _attacked(cell: Cell) -> bool:
    return bool(cell.status == "done" and cell.privacy and cell.privacy.attacks)
