"""How trainings are dealt out to a cluster: in batches that share a program, so that all nodes are busy to the end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fer_audit.runner.engines.pace import Pace
from fer_audit.runner.engines.waiting import Waiting
from fer_audit.specs import Training

#: Part of a slot's fair share that a batch takes: what is left over evens out that nodes are not equally fast.
_SHARE = 0.75

#: A batch lasts this many times as long as its program takes to start, so that starts cost little; what then lies
#: unevenly at the end is taken over by who is idle.
_STARTS = 6.0

#: Trainings of a batch, which a message has to hold.
_MOST = 1000


class Batches:
    """Trainings that wait for a node."""

    def __init__(self, trainings: Sequence[Training], pace: Pace) -> None:
        """All `trainings`, the longest first; `pace` says how long each will take."""
        self._pace = pace
        self.waiting = Waiting(trainings, pace.seconds)

    def __len__(self) -> int:
        return len(self.waiting)

    def next(self, slots: int, free: int, busy: Sequence[str]) -> tuple[list[Training], bool] | None:
        """A batch for one of `free` of all `slots`, while others hold the programs in `busy`; None if nothing waits.

        It lasts a good part of its fair share, and some times as long as its program takes to start. With it comes
        whether to wait for another run that is busy with it.
        """
        program = self.waiting.fullest(busy)
        if program is None:
            elsewhere = self.waiting.take_elsewhere()
            return None if elsewhere is None else ([elsewhere], True)
        longest = self._longest(program, slots, free)
        batch, total = list[Training](), 0.0
        while (training := self.waiting.first(program)) is not None and len(batch) < _MOST:
            total += self._pace.seconds(training)
            if batch and total > longest + 1e-9:
                break
            batch.append(self.waiting.take(program))
        return batch, False

    def _longest(self, program: str, slots: int, free: int) -> float:
        """Seconds that a batch of a program may last."""
        # As much of the cluster as the program has of the work.
        part, work, first = self.waiting.share(program), self.waiting.work(program), self.waiting.first(program)
        start = self._pace.start_seconds(first.spec.program) if first else 0.0
        longest = max(_SHARE * work / max(1.0, slots * part), _STARTS * start)
        # But no slot that is idle now goes without.
        return min(longest, work / max(1.0, free * part))

    def relief(self, left: Sequence[Sequence[Training]]) -> list[Training]:
        """What an idle slot takes over of batches of which `left` is not done, each with the one under way in front.

        The last half of what the longest of them has not begun, where that lasts longer than a start.
        """
        slowest = max((list(batch[1:]) for batch in left if len(batch) > 1), key=self._total, default=[])
        moved = slowest[len(slowest) // 2 :]
        worth_it = moved and self._total(slowest) > self._pace.start_seconds(moved[0].spec.program)
        return moved if worth_it else []

    def _total(self, trainings: Iterable[Training]) -> float:
        return sum(map(self._pace.seconds, trainings))
