"""What differentially private training promises: one line for each kind of training of a cell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from fer_audit.report.finding import counted
from fer_audit.report.naming import several_seeds
from fer_audit.report.numbers import UNKNOWN, loss
from fer_audit.report.table import Column, Entry, Table, field, identified, without, words
from fer_audit.results import Cell, Guarantee, Results

_PERSON = "Epsilon of a person"
_COLUMNS = (
    Column("Cell", numeric=False),
    Column("Of", "which trainings of the cell", numeric=False),
    Column("Epsilon", "the privacy loss of one image that the training rules out, and how it is accounted for"),
    Column("Delta", "the chance by which epsilon may be exceeded"),
    Column(_PERSON, "of all images of one person together, by group privacy, at the same delta"),
    Column("Noise", "noise multiplier: standard deviation of the noise over the clip"),
    Column("Clip", "greatest length of the gradient of one image"),
    Column("Sampling", "rows of a step: each by a coin of its own, or shuffled", numeric=False),
    Column("Rate", "chance of an image to be in a step, or its share of an epoch"),
    Column("Steps"),
    Column("Batch", "rows of a step, of Poisson sampling on average"),
    Column("Rows", "that all of this is counted for"),
    Column("Epsilon, PLD", "by privacy loss distributions, under Poisson sampling"),
    Column("Epsilon, RDP", "by R\u00e9nyi differential privacy, under Poisson sampling: a looser account of the same"),
    Column(
        "Epsilon, shuffled",
        "conservative for shuffled rows: every image in one known step of each epoch; coins may take it more often",
    ),
)


def guarantees_table(results: Results) -> Table:
    """The guarantees of the utility model, of the training with canaries, and of the trainings on halves."""
    seeds = several_seeds(results)
    found = [(cell, of, one) for cell in results.cells for of, one in guarantees(cell)]
    rows = [(identified(cell, seeds), *_row(of, one)) for cell, of, one in found]
    table = Table("guarantees", "What training promises", _COLUMNS, tuple(rows), tools=True)
    return table if any(one.group for *_, one in found) else without(table, _PERSON)


def guarantees(cell: Cell) -> Iterator[tuple[str, Guarantee]]:
    """Which trainings of a cell promise something, and what."""
    if cell.guarantee:
        yield "utility model", cell.guarantee
    if cell.canaries and cell.canaries.guarantee:
        yield "training with canaries", cell.canaries.guarantee
    if cell.many_runs:
        yield "trainings on halves", cell.many_runs.guarantee


def _row(of: str, one: Guarantee) -> tuple[Entry, ...]:
    return (
        words(of),
        replace(field(one, "epsilon", loss), note=f"for one {one.unit}\n{one.accountant}"),
        field(one, "delta", _short),
        _person(one),
        field(one, "noise_multiplier", _short),
        field(one, "clip_norm", _short),
        words(one.sampling),
        field(one, "sampling_rate", _short),
        field(one, "steps"),
        field(one, "batch_size"),
        field(one, "rows"),
        field(one, "epsilon_pld", loss),
        field(one, "epsilon_rdp", loss),
        field(one, "epsilon_shuffled", loss),
    )


def _person(one: Guarantee) -> Entry:
    if one.group is None:
        return Entry(UNKNOWN)
    said = f"with up to {counted(one.group.images, 'image')}"
    if one.group.epsilon is None:
        return Entry("no bound", note=f"{said}: nothing finite")
    return replace(field(one.group, "epsilon", loss), note=said)


def _short(value: float) -> str:
    return f"{value:.4g}"
