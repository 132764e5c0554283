"""What engines tell of a run: the same events, whichever of them runs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fer_audit.specs import Training


@dataclass(frozen=True)
class Started:
    """A worker took up a training."""

    training: Training
    worker: int


@dataclass(frozen=True)
class Stepped:
    """A training has made `done` of `steps` steps."""

    training: Training
    worker: int
    done: int
    steps: int


@dataclass(frozen=True)
class Finished:
    """A training is in the store."""

    training: Training
    worker: int
    laps: Mapping[str, float]  #: seconds by name: start, reset, steps, follow, write, answers

    @property
    def trained(self) -> bool:
        """Whether steps were made, and not only questions asked or everything found done."""
        return "steps" in self.laps

    @property
    def start_seconds(self) -> float:
        """Seconds that went into building and tracing its program, 0 where that was done before."""
        return self.laps.get("start", 0.0)

    @property
    def seconds(self) -> float:
        """Seconds of everything else."""
        return sum(self.laps.values()) - self.start_seconds


@dataclass(frozen=True)
class Lost:
    """The worker or the node of a training is gone, through no fault that is known; the training is tried again."""

    training: Training
    worker: int
    reason: str
    attempt: int  #: that was lost, from 1


@dataclass(frozen=True)
class Failed:
    """A training ended without all that was wanted of it."""

    training: Training
    worker: int
    error: str


Event = Started | Stepped | Finished | Lost | Failed


def heard(message: Mapping[str, Any], training: Training, worker: int) -> Event | None:
    """What a message of a worker process says of the `training` that it has, or None where that is for no one."""
    if message["event"] == "step":
        return Stepped(training, worker, message["done"], message["steps"])
    if message["event"] == "done":
        return Finished(training, worker, message["laps"])
    if message["event"] in ("failed", "unfit"):
        return Failed(training, worker, message["error"])
    return None
