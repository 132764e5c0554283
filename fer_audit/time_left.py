"""How long trainings will take, from how fast their programs are."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fer_audit.specs import ASKED_PER_TRAINED, ProgramSpec, Training

#: How many times as long a step of private training takes, with ghost clipping.
_PRIVATE_COST = 1.5


def seconds_left(trainings: Iterable[Training], rates: Mapping[str, Rate], workers: int) -> float:
    """Estimated wall time (s) of `trainings` on `workers` processes, at the rates measured for their programs."""
    return WorkLeft(trainings).seconds(rates, workers)


class WorkLeft:
    """What is still to be trained, so that the time for it is known at once also of very many trainings."""

    def __init__(self, trainings: Iterable[Training]) -> None:
        """All of `trainings`."""
        self._programs: dict[str, ProgramSpec] = {}
        self._images: dict[str, float] = defaultdict(
            float
        )  #: that trainings of a program see, or answer for at the same price
        self._count = Counter[str]()
        for training in trainings:
            program = training.spec.program
            self._programs[program.key] = program
            self._images[program.key] += _images(training)
            self._count[program.key] += 1

    def remove(self, training: Training) -> None:
        """Notes that a training has ended."""
        key = training.spec.program.key
        self._images[key] -= _images(training)
        self._count[key] -= 1

    def seconds(self, rates: Mapping[str, Rate], workers: int) -> float:
        """Estimated wall time (s) of what is left on `workers` processes, as `seconds_left` estimates it."""
        busy = 0.0
        for key, count in self._count.items():
            if count:
                rate = rates.get(key) or Rate.guess(self._programs[key])
                busy += self._images[key] / rate.images_per_second + count * rate.overhead_seconds
                busy += rate.start_seconds * workers
        return busy / workers


def training_seconds(training: Training, rate: Rate) -> float:
    """Estimated time (s) of one training by a worker that has its program compiled."""
    return _images(training) / rate.images_per_second + rate.overhead_seconds


def _images(training: Training) -> float:
    """Images that a training learns from, and those that it answers for beyond what all do, at their price."""
    images = training.images + training.measured / ASKED_PER_TRAINED
    # The time of a whole training, from which rates are measured, holds that of its answers already.
    return images + (training.asked / ASKED_PER_TRAINED if training.fitted else 0.0)


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
