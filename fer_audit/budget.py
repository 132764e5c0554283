"""What of a plan fits into a time: references, seeds and cells, from how long its trainings take.

Times are those of `fer_audit.time_left`. Of what a smaller grid needs, everything that the store has is counted as
done; what a larger grid needs besides is counted as new, and as long as what it resembles. Going from 8 to 16
references keeps the first 8: pair k of halves depends on the seed and on k alone. Only where persons stay whole, so
that halves differ in size, may more references change the noise of private training, and with it all such trainings.
"""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from fer_audit.measure_specs import images_of
from fer_audit.plan import Plan
from fer_audit.specs import ProgramSpec, Training
from fer_audit.time_left import Rate, training_seconds

#: References without which there is no grid.
_FEWEST_REFERENCES = 4


@dataclass(frozen=True)
class Ladder:
    """How long a grid takes by a number of something: of each number up to the grid's, and of more."""

    numbers: tuple[int, ...]  #: rising; the last is the grid's
    seconds: tuple[float, ...]  #: of each, never falling
    step: int = 1  #: between numbers above the grid's
    first: float = 0.0  #: seconds to start programs that the grid has nothing left to train with
    each: float = math.inf  #: seconds of each further step

    @property
    def grid(self) -> int:
        """The grid's own number."""
        return self.numbers[-1]

    def at(self, number: int) -> float:
        """Seconds that all with `number` of it would take."""
        if number in self.numbers:
            return self.seconds[self.numbers.index(number)]
        return self.seconds[-1] + self.first + self.each * math.ceil((number - self.grid) / self.step)

    def largest_within(self, seconds: float) -> int | None:
        """The largest number that takes no longer than `seconds`; None where not even the smallest fits."""
        fitting = bisect.bisect_right(self.seconds, seconds)
        if fitting == 0:
            return None
        room = seconds - self.seconds[-1] - self.first
        if fitting < len(self.numbers) or room < self.each:
            return self.numbers[fitting - 1]
        # Where further steps cost nothing there is nothing to count.
        return self.grid + self.step * int(room / self.each) if self.each > 0 else self.grid


@dataclass(frozen=True)
class Clock:
    """How fast trainings are, and on how many workers."""

    rates: Mapping[str, Rate]  #: measured, by program key
    workers: int


def references_ladder(plan: Plan, clock: Clock) -> Ladder | None:
    """By the number of references of every cell; None where the plan trains none."""
    references = len(plan.cells[0].privacy)
    if not references:
        return None
    meter = _Meter(plan, clock)
    for cell in plan.cells:
        meter.add(cell.utility, *([cell.canaries.training] if cell.canaries else []))
    numbers, seconds = [], []
    for number in range(2, references + 1, 2):
        meter.add(*itertools.chain.from_iterable(cell.privacy[number - 2 : number] for cell in plan.cells))
        if number >= fewest_references(plan):
            numbers.append(number)
            seconds.append(meter.seconds)
    last = (key for cell in plan.cells for key in cell.privacy[-2:])
    return _with_more(Ladder(tuple(numbers), tuple(seconds), 2), meter, last)


def seeds_ladder(plan: Plan, clock: Clock) -> Ladder:
    """By the number of the grid's seeds, in its order."""
    meter, seconds, keys = _Meter(plan, clock), list[float](), list[str]()
    for _, cells in itertools.groupby(plan.cells, lambda cell: cell.seed):
        keys = [key for cell in cells for key in cell.trainings]
        meter.add(*keys)
        seconds.append(meter.seconds)
    return _with_more(Ladder(tuple(range(1, len(seconds) + 1)), tuple(seconds)), meter, keys)


def cells_ladder(plan: Plan, clock: Clock) -> Ladder:
    """By the number of cells, in the grid's order."""
    meter, seconds = _Meter(plan, clock), list[float]()
    for cell in plan.cells:
        meter.add(*cell.trainings)
        seconds.append(meter.seconds)
    return Ladder(tuple(range(1, len(seconds) + 1)), tuple(seconds))


def fewest_references(plan: Plan) -> int:
    """The smallest even number with which every attack of the plan has the references that it needs."""
    needed = max((attack.needed().references for attack in plan.attacks), default=0)
    # A target is attacked with all other models but its complement.
    return max(_FEWEST_REFERENCES, 2 + needed + needed % 2)


def guessed_programs(plan: Plan, clock: Clock) -> list[ProgramSpec]:
    """Programs of the plan that were never timed in this store."""
    return [program for key, program in plan.programs.items() if key not in clock.rates]


def _with_more(ladder: Ladder, meter: _Meter, keys: Iterable[str]) -> Ladder:
    """`ladder` with what one step more costs, when it trains anew what `keys` train."""
    more = _Meter(meter.plan, meter.clock, again=True)
    more.add(*keys)
    first = sum(rate.start_seconds for key, rate in more.started.items() if key not in meter.started)
    return replace(ladder, first=first, each=more.busy / meter.clock.workers)


@dataclass
class _Meter:
    """Adds up the time of trainings, each counted once, as `seconds_left` has it for all of them together."""

    plan: Plan
    clock: Clock
    again: bool = False  #: whether everything is counted as if the store had nothing
    busy: float = 0.0  #: seconds of all workers together
    started: dict[str, Rate] = field(default_factory=dict)  #: by program key
    _seen: set[str] = field(default_factory=set)

    def add(self, *keys: str) -> None:
        """Takes the trainings with `keys` in, as far as they are not done."""
        for key in keys:
            if key not in self._seen and (self.again or key not in self.plan.done):
                self._seen.add(key)
                training = self.plan.trainings[key]
                self._count(self._anew(training) if self.again else training)

    def _count(self, training: Training) -> None:
        program = training.spec.program
        key = program.key
        rate = self.clock.rates.get(key) or Rate.guess(program)
        self.started[key] = rate
        self.busy += training_seconds(training, rate)

    def _anew(self, training: Training) -> Training:
        measured = sum(images_of(measure, len(self.plan.data.test)) for measure in training.job.measures)
        return replace(training, fitted=False, measured=measured)

    @property
    def seconds(self) -> float:
        """Of everything so far, every program started once on each worker."""
        return self.busy / self.clock.workers + sum(rate.start_seconds for rate in self.started.values())
