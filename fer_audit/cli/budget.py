"""What `fer-audit plan --budget 2h` prints: whether the grid fits, and how much of what it is made of does."""

from __future__ import annotations

import math
import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from fer_audit.budget import Clock, Ladder, cells_ladder, guessed_programs, references_ladder, seeds_ladder
from fer_audit.cell_choice import cell_id, chosen
from fer_audit.cli.expected_intervals import accuracy_line, in_all, show_intervals
from fer_audit.grid import Resources
from fer_audit.runner.rates import Rates
from fer_audit.runner.worker_count import worker_count
from fer_audit.timespan import duration

if TYPE_CHECKING:
    from rich.console import Console

    from fer_audit.plan import Plan, PlannedCell
    from fer_audit.specs import ProgramSpec
    from fer_audit.store import Store

#: Programs that a line names, and patterns and seeds that are written out.
_MOST_NAMED, _MOST_PATTERNS, _MOST_SEEDS = 3, 6, 20


def show_budget(
    plan: Plan, store: Store, seconds: float, workers: int, console: Console, patterns: Sequence[str] = ()
) -> None:
    """Whether the plan fits into `seconds`, what of it fits or how much more does, and how wide intervals would be.

    `patterns` are those that its cells were chosen by.
    """
    clock = Clock(Rates(store).known, workers)
    references, seeds = references_ladder(plan, clock), seeds_ladder(plan, clock)
    needed = seeds.at(seeds.grid)
    for line in (*_verdict(seconds, needed, workers), *_timed(plan, clock)):
        console.print(line, markup=False, highlight=False)
    ladders = {"reference": references}
    # A pattern may name seeds, so that more of them would not be run.
    ladders["seed"] = replace(seeds, each=math.inf) if patterns else seeds
    ladders["cell"] = cells_ladder(plan, clock) if needed > seconds else None
    _show_choices(plan, seconds, ladders, console)
    if references is not None and plan.attacks:
        show_intervals(plan, store, references, references.largest_within(seconds), console)
    console.print(accuracy_line(plan.data.test), markup=False, highlight=False)


def _verdict(seconds: float, needed: float, workers: int) -> Iterator[str]:
    """Whether it fits, and what the number of workers has to do with it."""
    cores = worker_count(Resources(workers="auto"))
    told = f"the grid as it is takes {duration(needed)}" if needed else "all of the grid is done"
    if needed > seconds:
        told += f", {duration(needed - seconds)} too long"
    elif needed:
        told += f" and fits, {duration(seconds - needed)} to spare" if seconds > needed else " and just fits"
    of = f"{_counted(workers, 'worker')} on {_counted(cores, 'core')}"
    yield f"budget of {duration(seconds)}, {of}: {told}"
    if needed and workers < cores:
        yield f"with --workers {cores} it would take about {duration(needed * workers / cores)}"
    if needed and workers > cores:
        yield f"{workers} workers have to share {_counted(cores, 'core')}, so that it may well take longer"


def _timed(plan: Plan, clock: Clock) -> Iterator[str]:
    """Whose times are measured, and whose guessed."""
    guessed = guessed_programs(plan, clock)
    measured = [program for key, program in plan.programs.items() if key in clock.rates]
    if measured:
        yield f"times as measured in this store: {_named(measured)}"
    if guessed:
        yield f"times guessed, and rough, as nothing of it was timed here yet: {_named(guessed)}"


def _named(programs: Iterable[ProgramSpec]) -> str:
    names = [_name(program) for program in programs]
    shown = [name if count == 1 else f"{count} x {name}" for name, count in Counter(names).items()]
    rest = len(shown) - _MOST_NAMED
    return ", ".join(shown[:_MOST_NAMED]) + (f" and {rest} more" if rest > 0 else "")


def _name(program: ProgramSpec) -> str:
    private = ", private" if program.private else ""
    return f"{program.model.name} ({program.input_shape[0]} px, batches of {program.batch_size}{private})"


def _show_choices(plan: Plan, seconds: float, ladders: dict[str, Ladder | None], console: Console) -> None:
    """How many references, seeds and cells fit, each where nothing else is changed."""
    from rich.table import Table

    written: dict[str, Callable[[int], str]] = {
        "reference": lambda number: f"privacy: {{references: {number}}}",
        "seed": lambda number: f"seeds: {_seeds(plan, number)}",
        "cell": lambda _: "the command below",
    }
    table = Table(box=None, header_style="bold")
    for head in ("fits, if nothing else changes", "time in all", "how to have it"):
        table.add_column(head, overflow="fold")
    for noun, ladder in ladders.items():
        if ladder is not None:
            table.add_row(*_choice(ladder, seconds, noun, written[noun]))
    console.print(table, markup=False, highlight=False)
    cells = ladders["cell"] and ladders["cell"].largest_within(seconds)
    if cells:
        # Whole, as a line that was folded can't be pasted.
        console.print(f"  {_command(plan, cells)}", markup=False, highlight=False, soft_wrap=True)


def _choice(ladder: Ladder, seconds: float, noun: str, written: Callable[[int], str]) -> tuple[str, str, str]:
    """What fits of something, how long all then takes, and how it is written."""
    number, least, grid = ladder.largest_within(seconds), ladder.numbers[0], ladder.grid
    if number is None:
        return f"no number of {noun}s", "", f"{_counted(least, noun)} would take {duration(ladder.at(least))}"
    if number == grid:
        following, more = grid + ladder.step, ladder.at(grid + ladder.step)
        told = "" if more == math.inf else f"{following} would take {duration(more)}"
        return f"the grid's {_counted(grid, noun)}", in_all(ladder.at(grid)), told
    more_or_less = f" of {_counted(grid, noun)}" if number < grid else f" {noun}s, {number - grid:,} more"
    return f"{number:,}{more_or_less}", in_all(ladder.at(number)), written(number)


def _seeds(plan: Plan, number: int) -> str:
    """The first `number` of the seeds, and as many more as it takes."""
    known, unused = list(dict.fromkeys(cell.seed for cell in plan.cells)), max(plan.grid.seeds) + 1
    if number > _MOST_SEEDS:
        last = known[number - 1] if number <= len(known) else unused + number - len(known) - 1
        first = [*known, unused, unused + 1][:2]
        return f"[{first[0]}, {first[1]}, ..., {last}]"
    return str(known[:number] + list(range(unused, unused + number - len(known))))


def _command(plan: Plan, number: int) -> str:
    """The command that runs the first `number` of the plan's cells."""
    patterns = _patterns(plan, number)
    if patterns is None:
        return f"(more patterns than can be read: the grid's first {number:,} cells, to {plan.cells[number - 1].id})"
    return shlex.join(["fer-audit", "run", str(plan.file.path), *(f"--cell={pattern}" for pattern in patterns)])


def _patterns(plan: Plan, number: int) -> list[str] | None:
    """Patterns that mean the first `number` cells and no others; None where there are more than one can read."""
    if len({cell.seed for cell in plan.cells[:number]}) > _MOST_PATTERNS:  # no pattern is of two seeds
        return None
    ids, patterns = {cell_id(*cell) for cell in chosen(plan.grid)}, list[str]()
    left = {cell.id: cell for cell in plan.cells[:number]}
    wanted = {*left, *(cell.id for cell in plan.left_out)}
    while left and len(patterns) < _MOST_PATTERNS:
        for pattern in _wider(next(iter(left.values()))):
            # A label may hold a slash, or a bracket, which a glob reads otherwise; an id means itself.
            meant = {pattern} if pattern in ids else {name for name in ids if fnmatchcase(name, pattern)}
            if meant and meant <= wanted:
                break
        patterns.append(pattern)
        left = {name: cell for name, cell in left.items() if name not in meant}
    return None if left else patterns


def _wider(cell: PlannedCell) -> Iterator[str]:
    """Patterns that mean `cell`, the widest first."""
    ending = f"{cell.label_attack.label}/seed{cell.seed}"
    yield f"*/seed{cell.seed}"
    yield f"*/{ending}"
    yield f"{cell.model.label}/*/{ending}"
    yield cell.id


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
