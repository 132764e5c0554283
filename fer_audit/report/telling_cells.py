"""The few cells of a very large grid that a page shows one by one: those that a reader must see first."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

from fer_audit.report.audited import Audited, audited, refuted
from fer_audit.report.gates import Judged
from fer_audit.report.judged_cell import JudgedCell
from fer_audit.report.strongest import strongest_attack
from fer_audit.results import Cell, Results


def telling_cells(results: Results, judged: Sequence[Judged], most: int) -> dict[str, str]:
    """Ids of at most that many cells, and why each is shown; every reason has its turn until there are enough.

    The reasons: a promise that is refuted or nearly so, a gate that is broken, the highest AUC, the least and the
    highest balanced accuracy, and cells that failed.
    """
    reasons: list[tuple[str, Iterator[Cell]]] = [
        ("a promise is refuted", (one.cell for one in refuted(results))),
        ("nearest to its promise", (one.cell for one in _nearest(results, most))),
        *(("breaks a gate", iter(_furthest(one, most))) for one in judged),
        ("leaks most", iter(_extreme(results, _auc, most))),
        ("least accurate", iter(_extreme(results, _inaccuracy, most))),
        ("most accurate", iter(_extreme(results, _accuracy, most))),
        ("failed", (cell for cell in results.cells if cell.status == "failed")),
    ]
    return dict(islice(_in_turn(reasons), most))


def _in_turn(reasons: Iterable[tuple[str, Iterator[Cell]]]) -> Iterator[tuple[str, str]]:
    """Each cell once, with the first reason that it came up for."""
    seen: set[str] = set()
    left = list(reasons)
    while left:
        for reason in tuple(left):
            word, cells = reason
            cell = next((cell for cell in cells if cell.id not in seen), None)
            if cell is None:
                left.remove(reason)
                continue
            seen.add(cell.id)
            yield cell.id, word


def _nearest(results: Results, most: int) -> list[Audited]:
    """Of the bounds that are held against a promise and do not refute it, those nearest to it."""
    held = (one for one in audited(results) if one.audit.promised is not None and not one.refuted)
    return heapq.nsmallest(most, held, key=lambda one: (one.audit.promised or 0.0) - one.audit.lower_bound)


def _furthest(one: Judged, most: int) -> list[Cell]:
    """Of the cells that break a gate, those furthest beyond its limit."""
    broken = (cell for cell in one.cells if cell.outcome == "fail")
    return [cell.cell for cell in heapq.nlargest(most, broken, key=_beyond)]


def _beyond(one: JudgedCell) -> float:
    return one.difference or 0.0


def _extreme(results: Results, of: Callable[[Cell], float | None], most: int) -> list[Cell]:
    """The finished cells with the largest values."""
    known = ((value, -place) for place, cell in enumerate(results.cells) if (value := _finished(cell, of)) is not None)
    return [results.cells[-place] for _, place in heapq.nlargest(most, known)]


def _finished(cell: Cell, of: Callable[[Cell], float | None]) -> float | None:
    return of(cell) if cell.status == "done" else None


def _auc(cell: Cell) -> float | None:
    attack = strongest_attack(cell) if cell.privacy and not cell.privacy.invalid else None
    return attack.auc.value if attack else None


def _accuracy(cell: Cell) -> float | None:
    return cell.utility.balanced_accuracy.value if cell.utility else None


def _inaccuracy(cell: Cell) -> float | None:
    accuracy = _accuracy(cell)
    return None if accuracy is None else -accuracy
