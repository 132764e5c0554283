"""How wide the intervals of a grid will be with more references, seeds or rows, in a table and sentences."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from fer_audit.attacks.audit import stretch_of
from fer_audit.budget import Ladder
from fer_audit.cli.auc_so_far import Reading, of_other_seeds, widest_reading
from fer_audit.data.dataset import Rows
from fer_audit.metrics.expected_interval import AucVariance, assumed_auc_variance
from fer_audit.metrics.intervals import wilson
from fer_audit.timespan import duration

if TYPE_CHECKING:
    from rich.console import Console

    from fer_audit.plan import Plan
    from fer_audit.store import Store


def show_intervals(plan: Plan, store: Store, ladder: Ladder, most: int | None, console: Console) -> None:
    """The expected interval of the AUC by the number of references, of which `most` fit, and what each costs."""
    from rich.table import Table

    reading = widest_reading(plan, store)
    variance = _assumed(plan, len(plan.data.pool)) if reading is None else reading.variance
    half = variance.targets_for(variance.half_width(ladder.grid) / 2)
    marks: dict[int, str] = {half: "half as wide"} if half else {}
    marks |= {most: "the most that fit"} if most else {}
    marks |= {ladder.grid: "the grid" if most != ladder.grid else "the grid, and the most that fit"}
    table = Table(box=None, header_style="bold")
    for head in ("references", "AUC, expected 95 % interval", "time in all"):
        table.add_column(head, justify="right")
    table.add_column("")
    for number in sorted(marks):
        width = f"± {variance.half_width(number):.3f}"
        table.add_row(str(number), width, in_all(ladder.at(number)), marks[number])
    console.print(table, markup=False, highlight=False)
    for line in (
        *_in_words(variance, ladder, most, half),
        _basis(plan, reading),
        _of_seeds(plan, store, reading),
    ):
        console.print(line, markup=False, highlight=False)


def in_all(seconds: float) -> str:
    """How long something takes, where it may be done already."""
    return duration(seconds) if seconds else "done"


def accuracy_line(test: Rows) -> str:
    """What the interval of an accuracy on `test` rests on."""
    units = _units(test)
    wider = "" if units == len(test) else f" (± {_widest_share(units):.3f} if each person is right or wrong as a whole)"
    return (
        f"accuracy: at most ± {_widest_share(len(test)):.3f} by {len(test):,} test images{wider}; neither references "
        "nor seeds narrow that"
    )


def _widest_share(count: int) -> float:
    """Half width of the interval of one half."""
    low, high = wilson(count / 2, count)
    return (high - low) / 2


def _units(rows: Rows) -> int:
    return len(rows) if rows.units is None else len(np.unique(rows.units))


def _assumed(plan: Plan, clusters: int) -> AucVariance:
    """What is expected of the attack with the widest interval where nothing was trained yet."""
    targets = len(plan.cells[0].privacy)
    found = [
        assumed_auc_variance(clusters, learns=bool(attack.needed().references), stretch=stretch_of(attack, targets))
        for attack in plan.attacks
    ]
    return max(found, key=lambda variance: variance.half_width(targets))


def _in_words(variance: AucVariance, ladder: Ladder, most: int | None, half: int | None) -> Iterator[str]:
    grid, widths = ladder.grid, f"from ± {variance.half_width(ladder.grid):.3f} to ±"
    if most is not None and most > grid:
        yield (
            f"{most - grid} more references narrow the interval of the AUC {widths} {variance.half_width(most):.3f} "
            f"and take {duration(ladder.at(most) - ladder.at(grid))}"
        )
    elif most is not None and most < grid:
        yield (
            f"{grid - most} references less widen the interval of the AUC {widths} {variance.half_width(most):.3f} "
            f"and save {duration(ladder.at(grid) - ladder.at(most))}"
        )
    if half is None:
        yield (
            f"no number of references halves it: ± {variance.floor():.3f} stay, as some persons leak more than others; "
            "only more rows or persons narrow that"
        )
    else:
        yield f"halving it takes {half - grid} more references and {duration(ladder.at(half) - ladder.at(grid))}"


def _basis(plan: Plan, reading: Reading | None) -> str:
    """What the expectation rests on."""
    if reading is not None:
        attacks = f"the widest of {len(plan.attacks)} attacks" if len(plan.attacks) > 1 else "the only attack"
        return (
            f"expected from the {reading.targets} finished references of {reading.cell.id} (AUC {reading.auc:.3f}) by "
            f"{reading.attack.name}, {attacks}; it is about other persons, with these models"
        )
    rows, units, references = len(plan.data.pool), _units(plan.data.pool), len(plan.cells[0].privacy)
    alike = _assumed(plan, units).half_width(references)
    wider = "" if units == rows else f"; ± {alike:.3f} if all pictures of each of {units:,} persons are answered alike"
    return (
        f"expected where nothing leaks, for {rows:,} independent rows (Hanley and McNeil 1982), as no references are "
        f"finished yet{wider}; what leaks unevenly is wider, and falls less"
    )


def _of_seeds(plan: Plan, store: Store, reading: Reading | None) -> str:
    """What more seeds would tell."""
    areas = [] if reading is None else of_other_seeds(plan, store, reading)
    if len(areas) < 2:
        return "seeds narrow none of these; how much an AUC differs from seed to seed is known once two are done"
    spread, seeds = statistics.stdev(areas), len(areas)
    return (
        f"seeds narrow none of these; that AUC differs by {spread:.3f} from seed to seed (standard deviation of "
        f"{seeds}), so that a mean over {seeds} seeds has a standard error of {spread / seeds**0.5:.3f}, one over "
        f"{2 * seeds} of {spread / (2 * seeds) ** 0.5:.3f}"
    )
