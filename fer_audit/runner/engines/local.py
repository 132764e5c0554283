"""The local engine: worker processes on this machine, each running trainings that share a program in a row."""

from __future__ import annotations

import os
import queue
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from fer_audit.owner import log_name
from fer_audit.runner.engines.attempts import MOST, Attempts
from fer_audit.runner.engines.events import Event, Failed, Finished, Lost, Started, heard
from fer_audit.runner.engines.schedule import Schedule
from fer_audit.runner.engines.worker_process import WORKER, WorkerCommand, WorkerProcess, hung, worker_environment
from fer_audit.specs import ProgramSpec, Training
from fer_audit.store import LOGS, Store

_Message = dict[str, Any]

#: Seconds between two looks for workers that hang.
_LOOK_EVERY = 1.0


@dataclass(eq=False)
class _Held:
    """A worker, and what it holds."""

    worker: WorkerProcess
    current: Training | None = None
    program: str | None = None
    waits: bool = False  #: for another run that is busy with its training

    @property
    def number(self) -> int:
        return self.worker.number


@dataclass
class LocalEngine:
    """Runs trainings in `workers` processes that live as long as the engine is open."""

    store: Store
    plugin_folders: Sequence[Path]
    workers: int
    silence: float | None = None  #: seconds without a sign of a worker, after which its training counts as hung
    worker_module: str = WORKER
    _open: dict[int, _Held] = field(default_factory=dict)
    _messages: queue.Queue[tuple[int, _Message | None]] = field(default_factory=queue.Queue)
    _started: int = 0
    _unstarted: int = 0  #: workers in a row that ended before they took up anything

    @property
    def name(self) -> str:
        """As the command line calls it."""
        return "local"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the workers."""
        for held in self._open.values():
            held.worker.end()
        self._open.clear()

    def room(self) -> int:
        """How many workers run at once."""
        return self.workers

    def describe(self) -> str:
        """Nothing: what `plan` says is enough."""
        return ""

    def run(self, trainings: Sequence[Training]) -> Iterator[Event]:
        """Trains all of `trainings` and tells what happens as it happens."""
        schedule, attempts = Schedule(trainings), Attempts()
        for _ in range(min(self.workers, len(trainings)) - len(self._open)):
            self._start_worker()
        for held in list(self._open.values()):
            if held.worker.ready:
                yield from self._give_next(held, schedule)
        while len(schedule) or any(held.current for held in self._open.values()):
            number, message = self._next_message()
            sender = self._open.get(number)
            if sender is None:
                yield from self._end_hung(schedule)
            elif message is None:
                yield from self._lost(sender, schedule, attempts)
            else:
                yield from self._heard(sender, message, schedule)

    def _next_message(self) -> tuple[int, _Message | None]:
        """The next message with the number of who sent it, or of nobody where it is time to look for who hangs."""
        try:
            return self._messages.get(timeout=_LOOK_EVERY if self.silence is not None else None)
        except queue.Empty:
            return -1, None

    def refused_layer(self, wanted: Sequence[tuple[ProgramSpec, str]]) -> str | None:
        """Why heat maps can't explain a layer, of the first of `wanted` that they can't; None where they can."""
        for program, layer in wanted:
            if not self._open:
                self._start_worker()
            held = next(iter(self._open.values()))
            held.worker.give({"layer": {"program": program.model_dump(mode="json"), "layer": layer}})
            answer = self._answer(held)
            # What can't be built, or kills its worker, fails with its trainings.
            if answer is not None and answer["event"] == "failed" and not answer["program"]:
                return str(answer["error"])
        return None

    def measure_latency(self, programs: Sequence[ProgramSpec]) -> Iterator[tuple[ProgramSpec, dict[str, Any]]]:
        """How fast each program answers, on one worker while nothing else runs."""
        if not self._open:
            self._start_worker()
        for held in list(self._open.values())[1:]:
            self._stop(held)
        held = next(iter(self._open.values()))
        for program in programs:
            held.worker.give({"latency": program.model_dump(mode="json")})
            answer = self._answer(held)
            if answer is None:
                return
            if answer["event"] == "latency":
                yield program, answer

    def _answer(self, held: _Held) -> _Message | None:
        """What a worker says of a job that is not a training, or None if it died of it or hangs."""
        while True:
            number, message = self._next_message()
            if number == -1 and self.silence is not None and held.worker.silent_seconds > self.silence:
                self._stop(held)
                return None
            if number != held.number:
                continue
            if message is None:
                self._stop(held)
            if message is None or message["event"] in ("latency", "layer", "failed"):
                return message

    def _start_worker(self) -> None:
        number = self._started
        self._started += 1
        environment = worker_environment(os.environ, self.store.root / "keras")
        command = WorkerCommand(self.store.address, self.plugin_folders, environment, self.worker_module)
        log = self.store.root / LOGS / log_name(f"worker-{number}.log")
        self._open[number] = _Held(WorkerProcess(number, command, log, self._listen))

    def _listen(self, worker: WorkerProcess, message: _Message | None) -> None:
        self._messages.put((worker.number, message))

    def _stop(self, held: _Held) -> None:
        del self._open[held.number]
        held.worker.end()

    def _give_next(self, held: _Held, schedule: Schedule) -> Iterator[Event]:
        busy = [other.program for other in self._open.values() if other.program and other is not held]
        found = schedule.next(held.program, busy)
        if found is None:
            return
        held.current, held.waits = found
        held.program = held.current.spec.program.key
        held.worker.give({"training": held.current.job.model_dump(mode="json"), "wait": held.waits})
        yield Started(held.current, held.number)

    def _heard(self, held: _Held, message: _Message, schedule: Schedule) -> Iterator[Event]:
        training = held.current
        if message["event"] == "ready":
            self._unstarted = 0
        if training is not None:
            if message["event"] == "claimed":
                held.waits = False
            if message["event"] == "busy":
                held.current = None
                schedule.waiting.later(training)
            event = heard(message, training, held.number)
            if event is not None:
                yield event
            if isinstance(event, Finished | Failed):
                held.current = None
            if isinstance(event, Failed) and message["program"]:
                # What can't be built once can't be built for the other trainings either.
                for other in schedule.waiting.drop(training.spec.program.key):
                    yield Failed(other, held.number, event.error)
        if held.current is None:
            yield from self._give_next(held, schedule)

    def _lost(self, held: _Held, schedule: Schedule, attempts: Attempts) -> Iterator[Event]:
        """A worker died: its training is tried again elsewhere, a few times."""
        del self._open[held.number]
        words = held.worker.last_words()
        held.worker.end()
        if held.current is None:
            yield from self._unstartable(held, words, schedule)
            return
        event = attempts.lost(held.current, held.number, words)
        if isinstance(event, Lost):
            schedule.waiting.again([held.current])
        yield event
        yield from self._replace(schedule)

    def _end_hung(self, schedule: Schedule) -> Iterator[Event]:
        """Ends workers that give no sign; their trainings have failed, as they would hang again."""
        for held in [held for held in self._open.values() if self._hangs(held)]:
            self._stop(held)
            if held.current is not None:
                yield Failed(held.current, held.number, hung(held.worker))
                yield from self._replace(schedule)
            else:
                yield from self._unstartable(held, hung(held.worker), schedule)

    def _hangs(self, held: _Held) -> bool:
        idle = held.worker.ready and (held.current is None or held.waits)
        return self.silence is not None and not idle and held.worker.silent_seconds > self.silence

    def _replace(self, schedule: Schedule) -> Iterator[Event]:
        """Has the work of a worker that is gone done by an idle one, or by a new one."""
        idle = next((other for other in self._open.values() if other.worker.ready and other.current is None), None)
        if idle is not None:
            yield from self._give_next(idle, schedule)
        elif len(schedule):
            self._start_worker()

    def _unstartable(self, held: _Held, words: str, schedule: Schedule) -> Iterator[Event]:
        """After a few workers that ended before they took up anything, the next one would not start either."""
        self._unstarted += not held.worker.ready
        if self._unstarted < MOST:
            yield from self._replace(schedule)
        elif not self._open:
            while (found := schedule.next(None, ())) is not None:
                yield Failed(found[0], held.number, f"{words}: no worker could start")
