"""`fer-audit plan GRID`: shows what a run would do."""

from __future__ import annotations

import argparse
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from fer_audit.cli.opened_store import opened_store
from fer_audit.cli.options import add_cells, add_grid, add_store
from fer_audit.errors import FerAuditError

if TYPE_CHECKING:
    from rich.console import Console

    from fer_audit.plan import Plan
    from fer_audit.results import Guarantee, SourceFile
    from fer_audit.store import Store

#: Columns up to which paths of code are followed by what they are part of in one column.
_LONGEST_PATH = 44

#: Cells that are shown one by one; of more, the first and the last.
_MOST_CELLS, _FIRST, _LAST = 50, 20, 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `plan`."""
    add_grid(parser)
    add_cells(parser)
    add_store(parser)
    parser.add_argument("--workers", type=int, metavar="N", help="worker processes (default: resources.workers)")
    parser.add_argument(
        "--budget",
        metavar="TIME",
        help="a time, such as 2h, 90m or 1h30m: says how many references, seeds and cells fit, and what more would buy",
    )


def execute(options: argparse.Namespace) -> int:
    """Prints cells, trainings, what is done already, the time that the rest would take, and whose code would run."""
    from rich.console import Console

    from fer_audit.grid import read_grid
    from fer_audit.plan import make_plan
    from fer_audit.runner.worker_count import worker_count

    console = Console()
    budget = None if options.budget is None else _budget(options.budget)
    file = read_grid(options.grid)
    if budget is not None and file.grid.audit is not None:
        raise FerAuditError("--budget is for grids that train their models; leave it out for one with `audit`")
    with opened_store(options, console) as store:
        plan = make_plan(file, store, options.cells)
        workers = worker_count(plan.grid.resources, options.workers)
        show_cells(plan, console)
        show_plan(plan, store, workers, console)
        show_code(plan, console)
        if budget is not None:
            from fer_audit.cli.budget import show_budget

            show_budget(plan, store, budget, workers, console, options.cells)
    return 0


def _budget(text: str) -> float:
    from fer_audit.timespan import seconds_of

    try:
        return seconds_of(text)
    except ValueError as error:
        raise FerAuditError(f"--budget: {error}") from None


def show_cells(plan: Plan, console: Console) -> None:
    """One line a cell with its trainings done and wanted; of many cells some, and how many there are of what."""
    from rich.table import Table
    from rich.text import Text

    from fer_audit.grid import NONE, chain_label

    table = Table(box=None, header_style="bold")
    defended = any(cell.defence.name != NONE for cell in plan.cells)
    heads = ("model", "augmentation", *(["defence"] if defended else []), "label attack", "seed", "trainings done")
    for head in heads:
        table.add_column(head, overflow="fold")
    shown = [plan.cells] if len(plan.cells) <= _MOST_CELLS else [plan.cells[:_FIRST], plan.cells[-_LAST:]]
    for place, cells in enumerate(shown):
        if place:
            table.add_row(f"... {len(plan.cells) - _FIRST - _LAST:,} more")
        for cell in cells:
            wanted = cell.trainings
            done = sum(key in plan.done for key in wanted)
            defence = [cell.defence.label] if defended else []
            texts = (cell.model.label, chain_label(cell.chain), *defence, cell.label_attack.label, str(cell.seed))
            table.add_row(*(Text(text) for text in texts), f"{done} of {len(wanted)}")
    console.print(table)
    if len(shown) > 1:
        console.print(_dimensions(plan), markup=False, highlight=False, soft_wrap=True)


def _dimensions(plan: Plan) -> str:
    """How many cells there are, of how many of what."""
    grid = plan.grid
    sizes = {
        "model": len(grid.models),
        "augmentation": len(grid.augmentations),
        "defence": len(grid.defences),
        "label attack": len(grid.attacks.labels),
        "seed": len(grid.seeds),
    }
    told = " x ".join(_counted(size, noun) for noun, size in sizes.items() if size > 1 or noun != "defence")
    of = "" if math.prod(sizes.values()) == len(plan.cells) else f" of {math.prod(sizes.values()):,}"
    return f"{len(plan.cells):,}{of} cells: {told}"


def show_plan(plan: Plan, store: Store, workers: int, console: Console) -> None:
    """What is to be done, and how long it will take."""
    from fer_audit.runner.rates import Rates
    from fer_audit.time_left import seconds_left
    from fer_audit.timespan import duration

    data, missing = plan.data, plan.missing
    cells, programs = _counted(len(plan.cells), "cell"), _counted(len(plan.programs), "program")
    lines = [
        f"grid {plan.grid.name}: {cells} on {plan.dataset.name} ({len(data.pool)} rows to train on, "
        f"{len(data.test)} to test on, {len(data.classes)} classes, {plan.grid.training.image_size} px)",
        f"{len(plan.trainings):,} trainings with {programs}; {len(plan.done):,} are done, {len(missing):,} to do on "
        f"{_counted(workers, 'worker')}",
    ]
    asked = sum(training.fitted for training in missing)
    if asked:
        lines.append(f"{asked:,} of those to do are trained already, and only have to be asked")
    if missing:
        rates = Rates(store).known
        unmeasured = any(training.spec.program.key not in rates for training in missing)
        guess = " (rough: not every program was timed on this machine yet)" if unmeasured else ""
        lines.append(f"estimated time: {duration(seconds_left(missing, rates, workers))}{guess}")
    room = plan.room(store)
    if room:
        lines.append(
            f"corrupted test images will take {room / 1e9:.2g} GB of the store; `rows` of corruptions limits them"
        )
    lines += [*_promises(plan), *_private_memory(plan, store), *_canaries(plan)]
    lines += [f"left out: {cell.id}, as {cell.reason}" for cell in plan.left_out[:_FIRST]]
    if len(plan.left_out) > _FIRST:
        lines.append(f"left out: {len(plan.left_out) - _FIRST:,} more cells; results.json will name all")
    lines += [f"plug-in not loaded: {broken}" for broken in plan.registry.broken]
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    show_damaged(store.found_damaged, store, console)


def _promises(plan: Plan) -> Iterator[str]:
    """One line for each private defence of the grid: what it promises, and by how much noise."""
    for cell in {cell.defence.label: cell for cell in plan.cells}.values():
        whole, half = cell.guarantee, cell.halves_guarantee
        if whole is None:
            continue
        of_halves = f"; on halves epsilon {half.epsilon:.3g} by noise {half.noise_multiplier:.3g}" if half else ""
        yield (
            f"{cell.defence.label}: epsilon {whole.epsilon:.3g} at delta {whole.delta:g} for each image "
            f"({whole.accountant}), by noise of {whole.noise_multiplier:.3g} x the clip in each of {whole.steps} steps "
            f"of {whole.batch_size} rows{of_halves}{_of_person(whole)}"
        )


def _private_memory(plan: Plan, store: Store) -> Iterator[str]:
    """One line for each private program: what its physical batch lets it keep; known once the model was built."""
    from fer_audit.metrics.private_memory import private_step_bytes
    from fer_audit.specs import cost_key

    for program in plan.programs.values():
        if program.private is None:
            continue
        kept = f"{program.model.name}: a private step keeps the gradients of {program.private.physical_batch} images"
        cost = store.read_json("costs", cost_key(program))
        if cost is None:
            yield f"{kept} at once (physical_batch); how much memory that is will be known once the model was built"
            continue
        needed = private_step_bytes(
            "per-example" if program.private.clipping == "per-example" else "ghost",
            program.private.physical_batch,
            params_trainable=cost["params_trainable"],
            activation_output_bytes=cost["activation_output_bytes"],
        )
        yield f"{kept} at once (physical_batch), about {needed / 1e6:,.0f} MB in each worker"


def _canaries(plan: Plan) -> Iterator[str]:
    """How much the canaries could show of a promise."""
    from fer_audit.metrics.canary_audit import most_that_can_be_shown

    section, promised = plan.grid.canaries, [cell for cell in plan.cells if cell.guarantee]
    if section is None:
        return
    delta = promised[0].guarantee.delta if promised and promised[0].guarantee else 0.0
    most = most_that_can_be_shown(section.count, delta=delta, confidence=plan.confidence)
    yield (
        f"canaries: {section.count} {section.kind}, in one more training of each cell; so many can show a privacy loss "
        f"of {most:.3g} at most, and refute no larger epsilon"
    )


def _of_person(guarantee: Guarantee) -> str:
    group = guarantee.group
    if group is None or group.images == 1:
        return ""
    said = "no finite epsilon" if group.epsilon is None else f"epsilon {group.epsilon:.3g}"
    return f"; {said} for a person with {group.images} images"


def show_code(plan: Plan, console: Console) -> None:
    """One line for each file outside fer-audit that a run imports, below the grid's folder, and what it is part of."""
    if not plan.code:
        return
    console.print("code from outside fer-audit that a run imports:", highlight=False)
    for package, files in itertools.groupby(plan.code, lambda file: file.path.rpartition(": ")[0]):
        if package:
            console.print(f"  {package}:", markup=False, highlight=False, soft_wrap=True)
        lines = [(file.path.removeprefix(f"{package}: "), _part_of(file, package)) for file in files]
        width = max((len(path) for path, _ in lines if len(path) <= _LONGEST_PATH), default=0)
        indent = "    " if package else "  "
        for path, part in lines:
            console.print(f"{indent}{path:<{width}}  {part}", markup=False, highlight=False, soft_wrap=True)


def _part_of(file: SourceFile, package: str) -> str:
    """The plug-ins that a file is part of; that they are of its own package need not be said."""
    if not file.loaded:
        return "not loaded"
    own = f" {package.rpartition(' ')[0]}/"
    return ", ".join(plugin.replace(own, " ") for plugin in file.plugins) or "imported, not used by this grid"


def show_damaged(damaged: Sequence[str], store: Store, console: Console) -> None:
    """One line for each artefact that was found damaged: a disk may be failing, and the user should know."""
    from fer_audit.store import DAMAGED

    for line in damaged:
        console.print(f"damaged: {line}", style="red", markup=False, highlight=False, soft_wrap=True)
    if damaged:
        console.print(f"put aside in {store.root / DAMAGED}; made again where wanted", markup=False, highlight=False)


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
