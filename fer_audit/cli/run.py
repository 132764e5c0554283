"""`fer-audit run GRID`: trains what is missing, attacks it, and writes the report."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fer_audit.cli.opened_store import opened_store
from fer_audit.cli.options import add_cells, add_grid, add_reports, add_store, check_watched, report_folder
from fer_audit.errors import FerAuditError

if TYPE_CHECKING:
    from rich.console import Console

    from fer_audit.grid import GridFile
    from fer_audit.report.gates import Judged
    from fer_audit.runner.run import Outcome
    from fer_audit.runner.watcher import Watcher
    from fer_audit.store import Store

#: Failed cells that the terminal names; the report has all.
_MOST_TOLD = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `run`."""
    add_grid(parser)
    add_cells(parser, "; their report goes to DIR/<name of the grid>-cells")
    add_store(parser)
    add_reports(parser)
    parser.add_argument("--workers", type=int, metavar="N", help="worker processes (default: resources.workers)")
    parser.add_argument(
        "--engine",
        choices=("local", "ray"),
        default="local",
        help="what trains: processes of this machine (default), or the Ray cluster at RAY_ADDRESS, of this machine, or "
        "made for the run; results are the same",
    )
    parser.add_argument("--watch", action="store_true", help="have a page that shows how far the run is while it lasts")


def execute(options: argparse.Namespace) -> int:
    """Runs the grid; 0 when every cell is done, 3 when some failed, and what the grid's gates make of it.

    A promise of privacy that an audit refutes ends as a gate that is broken.
    """
    from rich.console import Console

    from fer_audit.cli.plan import show_cells, show_damaged, show_plan
    from fer_audit.grid import read_grid
    from fer_audit.plan import make_plan
    from fer_audit.report.audited import refuted
    from fer_audit.report.gates import exit_code, judge
    from fer_audit.report.page import render
    from fer_audit.runner.engines.choice import open_engine
    from fer_audit.runner.run import run_plan

    console = Console()
    file = read_grid(options.grid)
    if options.watch:
        check_watched(options.store)
    with contextlib.ExitStack() as held:
        store = held.enter_context(opened_store(options, console))
        if file.grid.audit is not None:
            return _audit(options, file, store, console)
        plan = make_plan(file, store, options.cells)
        # A cluster is reached for work alone, and before much is said.
        chosen = options.engine if plan.missing else "local"
        if chosen == "ray":
            place = os.environ.get("RAY_ADDRESS", "of this machine, or a new one")
            console.print(f"reaching for the Ray cluster {place}", markup=False, highlight=False, soft_wrap=True)
        engine = open_engine(chosen, store, file.plugin_folders, plan.grid.resources, options.workers)
        held.enter_context(engine)
        show_cells(plan, console)
        show_plan(plan, store, engine.room(), console)
        if engine.describe():
            console.print(engine.describe(), markup=False, highlight=False)
        folder = report_folder(options.reports, plan.grid.name, options.cells)
        watcher = None
        if options.watch and plan.missing:
            watcher = held.enter_context(_watcher(options, store, folder, console))
        told = len(store.found_damaged)
        command = " ".join(sys.argv)
        outcome = run_plan(plan, store, folder, engine=engine, console=console, command=command, watcher=watcher)
        page = render(folder)
    show_damaged(store.found_damaged[told:], store, console)
    console.print(f"report: {page}", markup=False, highlight=False, soft_wrap=True)
    _show_failed(outcome, console)
    judged = judge(outcome.results, outcome.record, outcome.results.gates)
    _show_gates(judged, console)
    for one in refuted(outcome.results):
        console.print(f"promise refuted: {one.text}", style="red", markup=False, highlight=False, soft_wrap=True)
    return exit_code(judged, outcome.results)


def _audit(options: argparse.Namespace, file: GridFile, store: Store, console: Console) -> int:
    """Audits models that were trained elsewhere; raises FerAuditError for options that are of trainings."""
    from fer_audit.cli.audit import audit_file

    options_of_trainings = {"--cell": options.cells, "--watch": options.watch, "--engine ray": options.engine == "ray"}
    for option, given in options_of_trainings.items():
        if given:
            raise FerAuditError(f"{option} is for grids that train their models; leave it out for one with `audit`")
    return audit_file(file, store, report_folder(options.reports, file.grid.name, ()), options.workers, console)


def _watcher(options: argparse.Namespace, store: Store, folder: Path, console: Console) -> Watcher:
    """What keeps the page up to date, and where that page is."""
    from fer_audit.report.page import render
    from fer_audit.runner.watcher import Watcher

    console.print(f"live page: {folder / 'report.html'}", markup=False, highlight=False, soft_wrap=True)
    arguments = [str(options.grid), f"--store={options.store}", f"--reports={options.reports}"]
    arguments += [f"--cell={pattern}" for pattern in options.cells]
    return Watcher(["watch", *arguments], store, folder, console=console, last=render)


def _show_failed(outcome: Outcome, console: Console) -> None:
    """The failed cells with their reasons, as far as a terminal can hold them."""
    for cell, reason in list(outcome.failed.items())[:_MOST_TOLD]:
        console.print(f"failed: {cell}: {reason}", style="red", markup=False, highlight=False, soft_wrap=True)
    if outcome.failed:
        console.print(
            f"{len(outcome.failed)} of {len(outcome.results.cells)} cells failed; the report says more, and running "
            f"again tries again what was not finished",
            markup=False,
            highlight=False,
        )


def _show_gates(judged: Sequence[Judged], console: Console) -> None:
    """One line for each gate of the grid."""
    for one in judged:
        style = "red" if one.outcome == "fail" and one.gate.level == "error" else None
        console.print(f"gate {one.word}: {one.text}", style=style, markup=False, highlight=False, soft_wrap=True)
