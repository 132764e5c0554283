"""`fer-audit run GRID`: trains what is missing, attacks it, and writes the report."""

from __future__ import annotations

import argparse
import sys

from fer_audit.cli.options import add_grid, add_reports, add_store

_SOME_FAILED = 3

#: Failed cells that the terminal names; the report has all.
_MOST_TOLD = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `run`."""
    add_grid(parser)
    add_store(parser)
    add_reports(parser)
    parser.add_argument("--workers", type=int, metavar="N", help="worker processes (default: resources.workers)")


def execute(options: argparse.Namespace) -> int:
    """Runs the grid; 0 when every cell is done, 3 when some failed."""
    from rich.console import Console

    from fer_audit.cli.plan import show_cells, show_damaged, show_plan
    from fer_audit.grid import read_grid
    from fer_audit.plan import make_plan
    from fer_audit.report.page import render
    from fer_audit.runner.run import run_plan, worker_count
    from fer_audit.store import Store

    console = Console()
    store = Store(options.store)
    with store.in_use(lambda: console.print("waiting for a prune of the store to end")):
        plan = make_plan(read_grid(options.grid), store)
        workers = worker_count(plan, options.workers)
        show_cells(plan, console)
        show_plan(plan, store, workers, console)
        folder = options.reports / plan.grid.name
        told = len(store.found_damaged)
        outcome = run_plan(plan, store, folder, workers=workers, console=console, command=" ".join(sys.argv))
    show_damaged(store.found_damaged[told:], store, console)
    page = render(folder)
    console.print(f"report: {page}", markup=False, highlight=False, soft_wrap=True)
    if outcome.failed:
        for cell, reason in list(outcome.failed.items())[:_MOST_TOLD]:
            console.print(f"failed: {cell}: {reason}", style="red", markup=False, highlight=False, soft_wrap=True)
        console.print(
            f"{len(outcome.failed)} of {len(plan.cells)} cells failed; the report says more, and running again tries "
            f"again what was not finished",
            markup=False,
            highlight=False,
        )
        return _SOME_FAILED
    return 0
