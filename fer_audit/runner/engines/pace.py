"""How long trainings will take, for who deals them out: by measured rates as soon as there are any."""

from __future__ import annotations

from fer_audit.runner.engines.events import Finished
from fer_audit.runner.rates import Rates
from fer_audit.specs import ProgramSpec, Training
from fer_audit.time_left import Rate, training_seconds


class Pace:
    """Seconds of trainings and of the starts of their programs; an estimate is taken back once, when one is measured.

    So what was added up by it stays right until then, and can be added up anew.
    """

    def __init__(self, rates: Rates) -> None:
        """By what `rates` knows now, and what it is taught."""
        self._rates = rates
        self._settled = dict(rates.known)

    def seconds(self, training: Training) -> float:
        """Of a training, by a worker that has its program compiled."""
        return training_seconds(training, self._rate(training.spec.program))

    def start_seconds(self, program: ProgramSpec) -> float:
        """Until a worker has a program compiled."""
        return self._rate(program).start_seconds

    def learn(self, event: Finished) -> bool:
        """Takes a finished training into account; returns whether estimates for its program are others now."""
        self._rates.learn(event)
        key = event.training.spec.program.key
        if key in self._settled or key not in self._rates.known:
            return False
        self._settled[key] = self._rates.known[key]
        return True

    def _rate(self, program: ProgramSpec) -> Rate:
        return self._settled.get(program.key) or Rate.guess(program)
