"""Trainings that wait to be done, by the program that they share."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from fer_audit.specs import Training


class Waiting:
    """A queue for each program, and one for what another run on this store is busy with."""

    def __init__(self, trainings: Sequence[Training], work: Callable[[Training], float]) -> None:
        """All `trainings`, the longest of each program first; `work` says how much each is, in any unit."""
        self._of = work
        self._queues: dict[str, deque[Training]] = {}
        self._work: dict[str, float] = {}  #: of what is waiting, by program
        self._elsewhere: deque[Training] = deque()
        for training in sorted(trainings, key=lambda training: -training.images):
            self._queue(training).append(training)

    def __len__(self) -> int:
        return sum(map(len, self._queues.values())) + len(self._elsewhere)

    def __contains__(self, program: str | None) -> bool:
        return program in self._queues

    def fullest(self, busy: Sequence[str]) -> str | None:
        """The program with most work for each worker, while others hold the programs in `busy`; None if none waits."""
        return max(self._queues, key=lambda program: self._work[program] / (1 + busy.count(program)), default=None)

    def first(self, program: str) -> Training | None:
        """The next training of a program, which stays; None if none waits."""
        return self._queues[program][0] if program in self._queues else None

    def work(self, program: str) -> float:
        """How much work waits of a program."""
        return self._work[program]

    def share(self, program: str) -> float:
        """The part that a program has of all work that waits."""
        return self._work[program] / max(sum(self._work.values()), 1e-9)

    def take(self, program: str) -> Training:
        """Takes out the next training of a program."""
        queue = self._queues[program]
        training = queue.popleft()
        self._work[program] -= self._of(training)
        if not queue:
            del self._queues[program], self._work[program]
        return training

    def take_elsewhere(self) -> Training | None:
        """Takes out a training that another run was busy with; None if there is none."""
        return self._elsewhere.popleft() if self._elsewhere else None

    def again(self, trainings: Sequence[Training]) -> None:
        """Puts trainings back at the front."""
        for training in reversed(trainings):
            self._queue(training).appendleft(training)

    def later(self, training: Training) -> None:
        """Puts a training that another run is busy with behind all others."""
        self._elsewhere.append(training)

    def drop(self, program: str) -> list[Training]:
        """Takes out all trainings of `program`, and returns them."""
        of_program = [training for training in self._elsewhere if training.spec.program.key == program]
        self._elsewhere = deque(training for training in self._elsewhere if training.spec.program.key != program)
        self._work.pop(program, None)
        return [*self._queues.pop(program, ()), *of_program]

    def estimate_anew(self, program: str) -> None:
        """Adds up the work of a program again, as that of its trainings is found to be another."""
        if program in self._queues:
            self._work[program] = sum(map(self._of, self._queues[program]))

    def _queue(self, training: Training) -> deque[Training]:
        """Where a training that is about to be added belongs; its work is counted."""
        program = training.spec.program.key
        self._work[program] = self._work.get(program, 0.0) + self._of(training)
        return self._queues.setdefault(program, deque())
