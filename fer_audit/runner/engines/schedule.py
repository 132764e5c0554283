"""Which training a worker takes next."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from fer_audit.specs import Training


class Schedule:
    """Gives a worker one training after another of its own program while there is one, else of the fullest program."""

    def __init__(self, trainings: Sequence[Training]) -> None:
        """All `trainings`, the longest of each program first, so that none of them is left for the end."""
        self._waiting: dict[str, deque[Training]] = {}
        self._work: dict[str, int] = {}  #: images of what is waiting, by program
        self._elsewhere: deque[Training] = deque()  #: that another run on this store is busy with
        for training in sorted(trainings, key=lambda training: -training.images):
            self._append(training)

    def __len__(self) -> int:
        return sum(len(waiting) for waiting in self._waiting.values()) + len(self._elsewhere)

    def next(self, program: str | None, busy: Sequence[str]) -> tuple[Training, bool] | None:
        """The training for a worker that holds `program`, while others hold the programs in `busy`.

        With it comes whether to wait for another run that is busy with it; None where nothing is left.
        """
        if program is None or not self._waiting.get(program):
            program = self._fullest(busy)
        if program is not None:
            training = self._waiting[program].popleft()
            self._work[program] -= training.images
            if not self._waiting[program]:
                del self._waiting[program]
            return training, False
        return (self._elsewhere.popleft(), True) if self._elsewhere else None

    def _append(self, training: Training) -> None:
        program = training.spec.program.key
        self._waiting.setdefault(program, deque()).append(training)
        self._work[program] = self._work.get(program, 0) + training.images

    def _fullest(self, busy: Sequence[str]) -> str | None:
        return max(self._waiting, key=lambda program: self._work[program] / (1 + busy.count(program)), default=None)

    def drop(self, program: str) -> list[Training]:
        """Takes out all trainings of `program`, and returns them."""
        elsewhere = [training for training in self._elsewhere if training.spec.program.key == program]
        self._elsewhere = deque(training for training in self._elsewhere if training not in elsewhere)
        self._work.pop(program, None)
        return [*self._waiting.pop(program, ()), *elsewhere]

    def again(self, training: Training) -> None:
        """Puts a training back at the front."""
        program = training.spec.program.key
        self._waiting.setdefault(program, deque()).appendleft(training)
        self._work[program] = self._work.get(program, 0) + training.images

    def later(self, training: Training) -> None:
        """Puts a training that another run is busy with behind all others."""
        self._elsewhere.append(training)
