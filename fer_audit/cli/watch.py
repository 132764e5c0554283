"""`fer-audit watch GRID`: keeps the page of a run up to date while it lasts."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fer_audit.cli.options import add_cells, add_grid, add_reports, add_store, check_watched, report_folder

if TYPE_CHECKING:
    from fer_audit.plan import Plan
    from fer_audit.results import RunRecord
    from fer_audit.runner.live_page import LivePage
    from fer_audit.runner.standing import Lookout, Standing

_SOME_FAILED = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `watch`."""
    add_grid(parser)
    add_cells(parser, "; watches DIR/<name of the grid>-cells, where `run` reports on them")
    add_store(parser)
    add_reports(parser)
    parser.add_argument(
        "--every",
        type=int,
        default=5,
        metavar="SECONDS",
        help="how often the store is looked at, and the page reloads itself (default: 5)",
    )
    parser.add_argument("--for-run", type=int, help=argparse.SUPPRESS)  # the process that writes the last page


def execute(options: argparse.Namespace) -> int:
    """Writes a page whenever a further cell is done, until all are; 3 when some failed."""
    from fer_audit.errors import GridError
    from fer_audit.grid import read_grid
    from fer_audit.plan import make_plan
    from fer_audit.remote_store import open_at
    from fer_audit.runner.live_page import LivePage, private_folder
    from fer_audit.runner.standing import Lookout

    if options.every < 1:
        raise GridError(f"--every must be at least 1 second, received {options.every}")
    check_watched(options.store)
    file = read_grid(options.grid)
    store = open_at(options.store)
    with store.in_use():
        plan = make_plan(file, store, options.cells)
        folder = report_folder(options.reports, plan.grid.name, options.cells)
        record = _record(plan, folder, options.for_run)
        page = LivePage(plan, store, folder, record.started)
        watch = _Watch(Lookout(plan, store, record), page, record, folder, options.every)
        if options.for_run is not None:
            return _beside(watch, options.for_run)
        with private_folder(folder):
            return _alone(watch)


@dataclass(frozen=True)
class _Watch:
    """A live page, and what it is of."""

    lookout: Lookout
    page: LivePage
    record: RunRecord
    folder: Path
    every: int

    def until(self, ended: Callable[[], bool]) -> Standing:
        """Writes live pages until nothing more will come, or the run has `ended`."""
        from fer_audit.runner.live_page import watched

        return watched(self.lookout.look, self._write, every=self.every, ended=ended)

    def _write(self, standing: Standing) -> None:
        from fer_audit.report.live import Live
        from fer_audit.report.page import render

        live = Live(
            done=len(standing.done),
            total=standing.total,
            trained=self.lookout.trainings - len(standing.waiting),
            trainings=self.lookout.trainings,
            left=self.lookout.seconds_left(standing),
            every=self.every,
        )
        self.page.write(standing, self.record, lambda folder: render(folder, live))


def _alone(watch: _Watch) -> int:
    """Watches until the end, and leaves a page that reloads itself no longer, also where it is told to stop."""
    from fer_audit.report.page import render
    from fer_audit.results import read_results, read_run
    from fer_audit.runner.live_page import run_ended

    print(f"live page: {watch.folder / 'report.html'}", flush=True)
    with _stopped_by_signal():
        _wait_for_a_run(watch)
        try:
            standing = watch.until(lambda: run_ended(watch.folder, watch.record.started))
            before = watch.folder / "run.json"  # of the run that made what was there already
            watch.page.write(standing, read_run(before) if before.exists() else watch.record, render)
        except BaseException:
            watch.page.show(render)
            raise
    cells = read_results(watch.folder / "results.json").cells
    undone = sum(cell.status != "done" for cell in cells)
    print(f"{len(cells) - undone} of {len(cells)} cells are done" if undone else f"all {len(cells)} cells are done")
    return _SOME_FAILED if undone else 0


def _wait_for_a_run(watch: _Watch) -> None:
    """A finished report stays as it is, with its failed cells, until a run adds to it."""
    from fer_audit.results import read_run
    from fer_audit.runner.live_page import run_ended

    record, first = watch.folder / "run.json", watch.lookout.look()
    if first.over or not record.exists() or read_run(record).finished is None:
        return
    print("a finished report is there, and is kept until a run of this grid goes on; Ctrl-C ends the watch", flush=True)
    while watch.lookout.look().waiting == first.waiting and not run_ended(watch.folder, watch.record.started):
        time.sleep(watch.every)


def _beside(watch: _Watch, run: int) -> int:
    """Watches until the run, the process `run`, ends this one; where it was killed, leaves a last page."""
    from fer_audit.report.page import render

    watch.until(lambda: os.getppid() != run)
    if os.getppid() != run:
        watch.page.show(render)
        watch.page.remove()
    return 0


@contextlib.contextmanager
def _stopped_by_signal() -> Iterator[None]:
    """What `kill` sends ends a watch as Ctrl-C does: with a last page."""
    before = signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _record(plan: Plan, folder: Path, run: int | None) -> RunRecord:
    """What the page says of the run: as the process `run` has written it down, or else what can be known of it."""
    from fer_audit.results import read_run
    from fer_audit.runner.live_page import PRIVATE
    from fer_audit.runner.run import opening_record
    from fer_audit.runner.worker_count import worker_count

    if run is not None:
        return read_run(folder / PRIVATE / "run.json")
    return opening_record(plan.file, worker_count(plan.grid.resources), " ".join(sys.argv))
