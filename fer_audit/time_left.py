"""How long trainings will take, from how fast their programs are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fer_audit.specs import ASKED_PER_TRAINED, ProgramSpec, Training

#: How many times as long a step of private training takes, with ghost clipping.
_PRIVATE_COST = 1.5


def seconds_left(trainings: Iterable[Training], rates: dict[str, Rate], workers: int) -> float:
    """Estimated wall time (s) of `trainings` on `workers` processes, at the rates measured for their programs."""
    busy = 0.0
    started: set[str] = set()
    for training in trainings:
        rate = rates.get(training.spec.program.key, Rate.guess(training.spec.program))
        busy += training.images / rate.images_per_second + rate.overhead_seconds
        if training.fitted:
            # The time of a whole training, from which rates are measured, holds that of its answers already.
            busy += training.asked / (ASKED_PER_TRAINED * rate.images_per_second)
        busy += training.measured / (ASKED_PER_TRAINED * rate.images_per_second)
        if training.spec.program.key not in started:
            started.add(training.spec.program.key)
            busy += rate.start_seconds * workers
    return busy / workers


@dataclass(frozen=True)
class Rate:
    """How fast a worker trains a program: measured in this store, or guessed where nothing was measured yet."""

    images_per_second: float
    start_seconds: float = 10.0
    overhead_seconds: float = 0.5

    @classmethod
    def guess(cls, program: ProgramSpec) -> Rate:
        """A small network at 48 px steps through about 300 images/s on one core; the area scales it."""
        area = program.input_shape[0] * program.input_shape[1]
        return cls(images_per_second=300 * 48 * 48 / area / (_PRIVATE_COST if program.private else 1))
