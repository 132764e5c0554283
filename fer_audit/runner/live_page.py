"""The page of a run that goes on: made apart from what the run writes, and put in its place as a whole."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console

from fer_audit.errors import ResultsError, StoreError
from fer_audit.plan import Plan
from fer_audit.results import Hygiene, RunRecord, read_run, write_results, write_run
from fer_audit.runner.collect import collect
from fer_audit.runner.standing import Standing
from fer_audit.store import Store

#: Where the page is made, in the folder of the report.
PRIVATE = ".live"

#: What readers of the folder get. The page holds its pictures, and a run writes everything else at its end.
_PUBLISHED = ("results.json", "results.csv", "report.html")

#: How many times as long as the last page took nothing is done for the next: trainings come first.
_REST = 4

#: Makes the page of the results in a folder, there.
Render = Callable[[Path], Path]


class LivePage:
    """Collects what there is of a plan, and shows it; the dataset is checked once."""

    def __init__(self, plan: Plan, store: Store, folder: Path, started: str) -> None:
        """The page in `folder`, until a run writes its own there, after `started` (ISO 8601, UTC)."""
        self._plan = plan
        self._store = store
        self._folder = folder
        self._started = started
        self._hygiene: Hygiene | None = None
        self._collected: object = None  # the cells and failures that were collected last

    def write(self, standing: Standing, record: RunRecord, render: Render) -> None:
        """Collects what is new, has the page made with the provenance of `record`, and shows it."""
        private, quiet = self._folder / PRIVATE, Console(quiet=True)
        if (standing.done, standing.failures) != self._collected:
            results = collect(self._plan, self._store, standing.failures, private, quiet, self._hygiene)
            self._hygiene = results.dataset.hygiene
            write_results(results, private / "results.json")
            self._collected = (standing.done, standing.failures)
        write_run(record, private / "run.json")
        self.show(render)

    def show(self, render: Render) -> None:
        """Has the page of what was collected last made again, and shows it."""
        show_page(self._folder, self._started, render)

    def remove(self) -> None:
        """Removes what the page was made from."""
        shutil.rmtree(self._folder / PRIVATE, ignore_errors=True)


def show_page(folder: Path, started: str, render: Render) -> None:
    """Has the page of what was collected last made, and shows it in `folder`, unless a run has ended there.

    Where nothing was collected, there is no page to show.
    """
    private = folder / PRIVATE
    if not (private / "results.json").exists():
        return
    render(private)
    if run_ended(folder, started):
        return
    for name in _PUBLISHED:
        draft = private / f"{name}.published"  # a copy: the page may have to be made again
        shutil.copyfile(private / name, draft)
        draft.replace(folder / name)


def run_ended(folder: Path, started: str) -> bool:
    """Whether a run whose report is or will be in `folder` has ended since `started` (ISO 8601, UTC)."""
    with contextlib.suppress(ResultsError):
        finished = read_run(folder / "run.json").finished
        return finished is not None and finished >= started
    return False


def watched(
    look: Callable[[], Standing],
    write: Callable[[Standing], None],
    *,
    every: float,
    ended: Callable[[], bool],
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Standing:
    """Writes a page at once, and again when a training is done or failed, until all are or the run has `ended`.

    It looks every few seconds (`every`). Returns what it saw last, of which no page was written.
    """
    shown, rested = None, clock()
    while not ((standing := look()).over or ended()):
        news = (standing.done, standing.failed, len(standing.waiting))
        if news != shown and clock() >= rested:
            began = clock()
            write(standing)
            shown, rested = news, clock() + _REST * (clock() - began)
        sleep(every)
    return standing


@contextlib.contextmanager
def private_folder(folder: Path) -> Iterator[int]:
    """The place where the page in `folder` is made, and its lock: one watch at a time holds it; raises StoreError."""
    private = folder / PRIVATE
    try:
        private.mkdir(parents=True, exist_ok=True)
        lock = os.open(private, os.O_RDONLY)
    except OSError as error:
        reason = f"can't write the page to {folder}: {error.strerror}; choose another folder with --reports"
        raise StoreError(reason) from None
    try:
        _hold(lock, folder)
        try:
            yield lock
        finally:
            shutil.rmtree(private, ignore_errors=True)
    finally:
        os.close(lock)


def _hold(lock: int, folder: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise StoreError(f"the page in {folder} is being watched already; end that watch first") from None
    except OSError:
        return  # a file system that knows no locks
