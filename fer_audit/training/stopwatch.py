"""Where the time of a training goes."""

from __future__ import annotations

import time


class Stopwatch:
    """Seconds by name: each lap takes the time since the last one."""

    def __init__(self) -> None:
        """Starts now."""
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        """Adds the time since the last lap to `name`."""
        now = time.perf_counter()
        self.seconds[name] = self.seconds.get(name, 0.0) + now - self._last
        self._last = now
