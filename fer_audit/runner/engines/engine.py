"""What runs trainings: on this machine, or on a cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol, Self

from fer_audit.runner.engines.events import Event
from fer_audit.specs import ProgramSpec, Training


class Engine(Protocol):
    """Runs trainings as long as it is open; nothing that it does changes what is computed."""

    @property
    def name(self) -> str:
        """As the command line calls it."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def close(self) -> None:
        """Lets go of its workers; leaving it does that too."""

    def room(self) -> int:
        """How many workers run at once."""

    def describe(self) -> str:
        """What is worth saying of it before a run, in a line; empty where nothing is."""

    def run(self, trainings: Sequence[Training]) -> Iterator[Event]:
        """Trains all of `trainings` and tells what happens as it happens."""

    def refused_layer(self, wanted: Sequence[tuple[ProgramSpec, str]]) -> str | None:
        """Why heat maps can't explain a layer, of the first of `wanted` that they can't; None where they can."""

    def measure_latency(self, programs: Sequence[ProgramSpec]) -> Iterator[tuple[ProgramSpec, dict[str, Any]]]:
        """How fast each program answers on this machine, while nothing else runs."""
