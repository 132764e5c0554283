"""How often a training whose worker is lost is tried again."""

from __future__ import annotations

from collections import Counter

from fer_audit.runner.engines.events import Failed, Lost
from fer_audit.specs import Training

#: Times that a training whose worker or node is lost is tried in all. One that raises, or hangs, is not tried again.
MOST = 3


class Attempts:
    """Counts the attempts that were lost."""

    def __init__(self) -> None:
        self._lost = Counter[str]()

    def lost(self, training: Training, worker: int, reason: str) -> Lost | Failed:
        """What a lost worker means for its training: to be tried again, or, after `MOST` attempts, failed."""
        self._lost[training.key] += 1
        attempt = self._lost[training.key]
        if attempt < MOST:
            return Lost(training, worker, reason, attempt)
        return Failed(training, worker, f"{reason}; that was attempt {attempt} of {MOST}")
