"""How trainings are dealt out to a cluster: in batches that share a program, so that all nodes are busy to the end."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence

from fer_audit.specs import ProgramSpec, Training

#: Part of a slot's fair share that a batch takes: what is left over evens out that nodes are not equally fast.
_SHARE = 0.75

#: Trainings of a batch, which a message has to hold.
_MOST = 1000


class Batches:
    """Trainings that wait for a node."""

    def __init__(
        self,
        trainings: Sequence[Training],
        seconds: Callable[[Training], float],
        start_seconds: Callable[[ProgramSpec], float],
    ) -> None:
        """All `trainings`, the longest first, with how long each will take and how long its program takes to start."""
        self._seconds = seconds
        self._start = start_seconds
        self._waiting: dict[str, deque[Training]] = {}
        self._work: dict[str, float] = {}  #: seconds of what is waiting, by program
        self._elsewhere: list[Training] = []  #: that another run on this store is busy with
        for training in sorted(trainings, key=lambda training: -training.images):
            self._add(training)

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values())) + len(self._elsewhere)

    def next(self, slots: int, free: int, busy: Sequence[str]) -> tuple[list[Training], bool] | None:
        """A batch for one of `free` of all `slots`, while others hold the programs in `busy`; None if nothing waits.

        It lasts a good part of its fair share, and as long as its program takes to start. With it comes whether to wait
        for another run that is busy with it.
        """
        program = max(self._waiting, key=lambda key: self._work[key] / (1 + busy.count(key)), default=None)
        if program is None:
            taken, self._elsewhere = self._elsewhere[:1], self._elsewhere[1:]
            return (taken, True) if taken else None
        waiting = self._waiting[program]
        # As much of the cluster as the program has of the work.
        part = self._work[program] / max(sum(self._work.values()), 1e-9)
        fair = self._work[program] / max(1.0, slots * part)
        longest = max(_SHARE * fair, self._start(waiting[0].spec.program))
        # But no slot that is idle now goes without.
        longest = min(longest, self._work[program] / max(1.0, free * part))
        batch, total = list[Training](), 0.0
        while waiting and len(batch) < _MOST and (not batch or total + self._seconds(waiting[0]) <= longest + 1e-9):
            total += self._seconds(waiting[0])
            batch.append(self._take(program))
        return batch, False

    def _take(self, program: str) -> Training:
        training = self._waiting[program].popleft()
        self._work[program] -= self._seconds(training)
        if not self._waiting[program]:
            del self._waiting[program], self._work[program]
        return training

    def estimate_anew(self, program: str) -> None:
        """Adds up again what is waiting of a program, as trainings of it are found to take another time."""
        if program in self._waiting:
            self._work[program] = self._total(self._waiting[program])

    def _add(self, training: Training, *, first: bool = False) -> None:
        program = training.spec.program.key
        waiting = self._waiting.setdefault(program, deque())
        (waiting.appendleft if first else waiting.append)(training)
        self._work[program] = self._work.get(program, 0.0) + self._seconds(training)

    def again(self, trainings: Sequence[Training]) -> None:
        """Puts trainings back at the front."""
        for training in reversed(trainings):
            self._add(training, first=True)

    def later(self, training: Training) -> None:
        """Puts a training that another run is busy with behind all others."""
        self._elsewhere.append(training)

    def drop(self, program: str) -> list[Training]:
        """Takes out all trainings of `program`, and returns them."""
        self._work.pop(program, None)
        elsewhere = [training for training in self._elsewhere if training.spec.program.key == program]
        self._elsewhere = [training for training in self._elsewhere if training.spec.program.key != program]
        return [*self._waiting.pop(program, ()), *elsewhere]

    def relief(self, left: Sequence[Sequence[Training]]) -> list[Training]:
        """What an idle slot takes over of batches of which `left` is not done, each with the one under way in front.

        The last half of what the longest of them has not begun, where that lasts longer than a start.
        """
        slowest = max((list(batch[1:]) for batch in left if len(batch) > 1), key=self._total, default=[])
        moved = slowest[len(slowest) // 2 :]
        return moved if moved and self._total(slowest) > self._start(moved[0].spec.program) else []

    def _total(self, trainings: Iterable[Training]) -> float:
        return sum(map(self._seconds, trainings))
