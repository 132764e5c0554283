"""What a run shows while it lasts: bars on a terminal, a line a training elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from fer_audit.runner.engines.attempts import MOST
from fer_audit.runner.engines.events import Event, Failed, Finished, Lost, Started, Stepped
from fer_audit.timespan import duration

SecondsLeft = Callable[[], float]


class RunProgress(Protocol):
    """A listener to the events of a run."""

    def __enter__(self) -> RunProgress: ...

    def __exit__(self, *_: object) -> None: ...

    def hear(self, event: Event, seconds_left: SecondsLeft) -> None:
        """Shows `event`; `seconds_left` estimates the time to the end."""


def progress_for(console: Console, total: int) -> RunProgress:
    """Bars where `console` is a terminal, plain lines where it is a file or a pipe."""
    return TerminalProgress(console, total) if console.is_terminal else PlainProgress(console, total)


class TerminalProgress:
    """One bar for the whole run and one for each worker's training."""

    def __init__(self, console: Console, total: int) -> None:
        """Bars for `total` trainings."""
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=console,
            transient=False,
        )
        self._all = self._bars.add_task("trainings", total=total, left="")
        self._workers: dict[int, TaskID] = {}
        self._began: dict[int, float] = {}

    def __enter__(self) -> TerminalProgress:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        for task in self._workers.values():
            self._bars.remove_task(task)
        self._bars.stop()

    def hear(self, event: Event, seconds_left: SecondsLeft) -> None:
        """Moves the bars."""
        if isinstance(event, Started):
            self._began[event.worker] = time.monotonic()
            task = self._workers.get(event.worker)
            if task is None:
                self._workers[event.worker] = self._bars.add_task(event.training.title, total=None, left="")
            else:
                self._bars.reset(task, description=event.training.title, total=None, left="")
        elif isinstance(event, Stepped):
            task = self._workers[event.worker]
            remaining = (time.monotonic() - self._began[event.worker]) * (event.steps - event.done) / event.done
            self._bars.update(task, completed=event.done, total=event.steps, left=f"steps, {duration(remaining)} left")
        elif isinstance(event, Lost):
            self._bars.console.print(_loss(event), style="yellow", markup=False, highlight=False)
        else:
            self._bars.advance(self._all)
            left = "" if self._bars.tasks[0].finished else f"about {duration(seconds_left())} left"
            self._bars.update(self._all, left=left)
            if isinstance(event, Failed):
                self._bars.console.print(_failure(event), style="red", markup=False, highlight=False)


class PlainProgress:
    """One line for each training that ends."""

    def __init__(self, console: Console, total: int) -> None:
        """Lines for `total` trainings."""
        self._console = console
        self._total = total
        self._ended = 0

    def __enter__(self) -> PlainProgress:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def hear(self, event: Event, seconds_left: SecondsLeft) -> None:
        """Prints a line where a training ended, or is to be done again."""
        if isinstance(event, Lost):
            self._print(_loss(event))
        if not isinstance(event, Finished | Failed):
            return
        self._ended += 1
        place = f"[{self._ended:>{len(str(self._total))}}/{self._total}]"
        if isinstance(event, Failed):
            self._print(f"{place} {_failure(event)}")
        else:
            left = f"about {duration(seconds_left())} left" if self._ended < self._total else "all trained"
            self._print(f"{place} {event.seconds:5.1f} s  {event.training.title}  ({left})")

    def _print(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def _loss(event: Lost) -> str:
    return f"lost: {event.training.title}: {_last_line(event.reason)}; attempt {event.attempt + 1} of {MOST} follows"


def _failure(event: Failed) -> str:
    return f"failed: {event.training.title}: {_last_line(event.error)}"


def _last_line(reason: str) -> str:
    return next((line for line in reversed(reason.strip().splitlines()) if line.strip()), "unknown reason")
