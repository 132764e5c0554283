"""Which training a worker takes next."""

from __future__ import annotations

from collections.abc import Sequence

from fer_audit.runner.engines.waiting import Waiting
from fer_audit.specs import Training


class Schedule:
    """Gives a worker one training after another of its own program while there is one, else of the fullest program."""

    def __init__(self, trainings: Sequence[Training]) -> None:
        """All `trainings`, the longest of each program first, so that none of them is left for the end."""
        self.waiting = Waiting(trainings, lambda training: training.images)

    def __len__(self) -> int:
        return len(self.waiting)

    def next(self, program: str | None, busy: Sequence[str]) -> tuple[Training, bool] | None:
        """The training for a worker that holds `program`, while others hold the programs in `busy`.

        With it comes whether to wait for another run that is busy with it; None where nothing is left.
        """
        chosen = program if program in self.waiting else self.waiting.fullest(busy)
        if chosen is not None:
            return self.waiting.take(chosen), False
        elsewhere = self.waiting.take_elsewhere()
        return None if elsewhere is None else (elsewhere, True)
