"""The process that keeps the page of a run; whatever becomes of it, the run goes on."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from rich.console import Console

from fer_audit.errors import FerAuditError
from fer_audit.owner import log_name
from fer_audit.results import RunRecord, write_run
from fer_audit.runner.live_page import PRIVATE, Render, private_folder, show_page
from fer_audit.store import LOGS, Store

#: Seconds in which a process that was told to end has to.
_PATIENCE = 10.0


class Watcher:
    """`fer-audit watch` beside a run, from `start` to `stop`.

    It is a process of its own, so that trainings never wait for a page. On leaving the context early, the page is
    made once more, as one that reloads itself no longer.
    """

    def __init__(self, arguments: Sequence[str], store: Store, folder: Path, *, console: Console, last: Render) -> None:
        """Runs `fer-audit` with `arguments` for the page in `folder`; `last` makes that of a run that was cut short."""
        self._command = [sys.executable, "-m", "fer_audit", *arguments, "--for-run", str(os.getpid())]
        self._log = store.root / LOGS / log_name("watch.log")
        self._folder = folder
        self._console = console
        self._last = last
        self._held = contextlib.ExitStack()
        self._process: subprocess.Popen[bytes] | None = None
        self._started = ""

    def __enter__(self) -> Watcher:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._held:
            self.stop()
            if kind is not None and self._started:
                with contextlib.suppress(Exception):  # why the run ended is what counts
                    show_page(self._folder, self._started, self._last)

    def start(self, record: RunRecord) -> None:
        """Starts the process, which shows `record` on the page; says so where that can't be done."""
        try:
            lock = self._held.enter_context(private_folder(self._folder))
            write_run(record, self._folder / PRIVATE / "run.json")
            self._log.parent.mkdir(parents=True, exist_ok=True)
            with self._log.open("wb") as log:
                self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                    self._command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=[lock],  # where the run is killed, the page is held as long as this process writes it
                    start_new_session=True,  # Ctrl-C reaches the run alone, which then ends this process
                )
            self._started = record.started
        except (OSError, FerAuditError) as problem:
            self._tell(str(problem))

    def check(self) -> None:
        """Says so, once, where the process has died."""
        if self._process is not None and self._process.poll():
            status = self._process.returncode
            self._process = None
            self._tell(self._last_words() or f"its process ended with status {status}")

    def stop(self) -> None:
        """Ends the process, and leaves the page as it is: the run writes the next one."""
        self.check()
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _last_words(self) -> str:
        try:
            lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return ""
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def _tell(self, reason: str) -> None:
        self._console.print(
            f"this run keeps up no live page ({reason}); the run goes on, and writes the report at its end",
            style="yellow",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
