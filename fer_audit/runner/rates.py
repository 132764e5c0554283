"""How fast programs train on this machine, as measured by earlier trainings in the store."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path

from fer_audit.results import write_text
from fer_audit.runner.engines.events import Finished
from fer_audit.store import Store
from fer_audit.time_left import Rate

#: Weight of the newest training; older ones fade, so that a busy hour does not spoil the estimates for ever.
_NEWEST = 0.3

#: Seconds between two writings of the file.
_SAVED_EVERY = 1.0


class Rates:
    """Measured rates by program key. They serve estimates only: nothing that is computed depends on them."""

    def __init__(self, store: Store) -> None:
        """Reads what `store` knows; a file that can't be read means that nothing is known."""
        self._path: Path = store.root / "rates.json"
        self.known: dict[str, Rate] = {}
        self._saved = -_SAVED_EVERY
        try:
            for key, (images_per_second, start) in json.loads(self._path.read_text(encoding="utf-8")).items():
                self.known[key] = Rate(float(images_per_second), float(start), overhead_seconds=0.0)
        except (OSError, ValueError, TypeError, AttributeError):
            self.known = {}

    def learn(self, event: Finished) -> None:
        """Takes the time of a finished training into account, if it was fitted and not only asked."""
        if not event.trained:
            return
        key = event.training.spec.program.key
        speed = event.training.images / max(event.seconds - event.laps.get("measures", 0.0), 1e-6)
        old = self.known.get(key)
        start = event.start_seconds if event.start_seconds > 1 else (old.start_seconds if old else 1.0)
        if old is not None:
            speed = _NEWEST * speed + (1 - _NEWEST) * old.images_per_second
        self.known[key] = Rate(speed, start, overhead_seconds=0.0)
        if time.monotonic() - self._saved > _SAVED_EVERY:
            self._save()
            self._saved = time.monotonic()

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """Within it what is learnt is kept for the next run, and for a live page, soon and at the end."""
        try:
            yield
        finally:
            self._save()

    def _save(self) -> None:
        rows = {key: (rate.images_per_second, rate.start_seconds) for key, rate in self.known.items()}
        # A rate that can't be kept must not hide why the run ended.
        with contextlib.suppress(OSError):
            write_text(self._path, json.dumps(rows, indent=1))
