"""Every attempt at a training, as lines of JSON in the store's logs."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from types import TracebackType
from typing import IO, Any

from fer_audit.owner import log_name
from fer_audit.runner.engines.events import Event, Failed, Finished, Lost, Started
from fer_audit.store import LOGS, Store

_WORDS: dict[type[Any], str] = {Started: "started", Finished: "finished", Lost: "lost", Failed: "failed"}


class AttemptLog:
    """`<store>/logs/<process>-<host>-attempts.jsonl`: when which worker took up a training, and how that ended."""

    def __init__(self, store: Store) -> None:
        """The log of this process."""
        self._path = store.root / LOGS / log_name("attempts.jsonl")
        self._file: IO[str] | None = None

    def __enter__(self) -> AttemptLog:
        # A log that can't be written is no reason not to train; what hinders the run itself will say so.
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("a", encoding="utf-8", buffering=1)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()

    def hear(self, event: Event) -> None:
        """Writes a line where an attempt began or ended."""
        word = _WORDS.get(type(event))
        if word is None or self._file is None:
            return
        line: dict[str, Any] = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": word}
        line |= {"training": event.training.key, "title": event.training.title, "worker": event.worker}
        if isinstance(event, Lost):
            line |= {"attempt": event.attempt, "reason": event.reason}
        elif isinstance(event, Failed):
            line["reason"] = event.error
        elif isinstance(event, Finished):
            line["trained"] = event.trained
            line["seconds_with_start"] = round(event.seconds + event.start_seconds, 3)
        with contextlib.suppress(OSError):
            self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
