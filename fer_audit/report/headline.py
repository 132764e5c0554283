"""The four numbers on top of the page."""

from __future__ import annotations

from dataclasses import dataclass

from fer_audit.report.comparison import clean_cells
from fer_audit.report.naming import answers_only, cell_name, given_models, several_seeds, tested_on
from fer_audit.report.numbers import Form, decimal, integer, interval, percent, short
from fer_audit.report.strongest import strongest_attack
from fer_audit.report.table import Origin
from fer_audit.results import Cell, Estimate, Results


@dataclass(frozen=True)
class Tile:
    """A number, what it is, and whose."""

    title: str
    value: str
    interval: str = ""
    note: str = ""
    of: tuple[Origin, ...] = ()  #: where the number comes from


def headline(results: Results) -> list[Tile]:
    """The tiles for which there is a number; but for the first they are of finished cells alone."""
    first = _audited(results) if answers_only(results) else _cells(results)
    results = results.model_copy(update={"cells": [cell for cell in results.cells if cell.status == "done"]})
    tiles = (first, _accuracy(results), _leakage(results), _cost(results))
    return [tile for tile in tiles if tile is not None]


def _cells(results: Results) -> Tile:
    done = sum(cell.status == "done" for cell in results.cells)
    data = results.dataset
    if given_models(results):
        note = f"{integer(data.pool.rows)} members and non-members of {len(data.classes)} classes"
        return Tile("Models audited", f"{done:,} of {len(results.cells):,}", note=note, of=((results, "cells"),))
    note = f"{integer(data.pool.rows)} train and {integer(data.test.rows)} test images of {len(data.classes)} classes"
    return Tile("Cells done", f"{done:,} of {len(results.cells):,}", note=note, of=((results, "cells"),))


def _audited(results: Results) -> Tile:
    pool, classes = results.dataset.pool, len(results.dataset.classes)
    people = f", {integer(pool.subjects)} people" if pool.subjects else ""
    return Tile("Rows audited", integer(pool.rows), note=f"{classes} classes{people}", of=((pool, "rows"),))


def _accuracy(results: Results) -> Tile | None:
    cells = clean_cells([cell for cell in results.cells if cell.utility])
    scored = [(cell, cell.utility.balanced_accuracy) for cell in cells if cell.utility]
    where = f" on {tested_on(results)}" if given_models(results) else ""
    return _highest(results, f"Best balanced accuracy{where}", scored, percent)


def _leakage(results: Results) -> Tile | None:
    found = [(cell, attack.auc) for cell in results.cells if (attack := strongest_attack(cell))]
    return _highest(results, "Highest attack AUC", found, decimal)


def _highest(results: Results, title: str, scored: list[tuple[Cell, Estimate]], form: Form) -> Tile | None:
    known = [(cell, estimate) for cell, estimate in scored if estimate.value is not None]
    if not known:
        return None
    cell, best = max(known, key=lambda pair: pair[1].value or 0.0)
    name = cell_name(cell, several_seeds(results))
    return Tile(title, form(best.value or 0.0), interval(best, form), name, ((best, "value"),))


def _cost(results: Results) -> Tile | None:
    least = min(results.costs, key=lambda cost: cost.macs, default=None)
    if least is None:
        return None
    note = f"{least.model}, {short(least.params_total)} parameters, {least.image_size} px"
    return Tile("Fewest MACs", short(least.macs), note=note, of=((least, "macs"),))
