"""The local engine: worker processes on this machine, each running trainings that share a program in a row."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from fer_audit.specs import ProgramSpec, Training
from fer_audit.store import Store

#: A training whose worker dies is tried this often in all; one that raises is not tried again.
_ATTEMPTS = 2

#: Characters of a worker's log that go with a failure.
_LOG_TAIL = 2000


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
class Failed:
    """A training ended without all that was wanted of it."""

    training: Training
    worker: int
    error: str


Event = Started | Stepped | Finished | Failed


class Schedule:
    """Which training a worker takes next: one of its own program while there is one, else of the fullest program."""

    def __init__(self, trainings: Sequence[Training]) -> None:
        """All `trainings`, the longest of each program first, so that none of them is left for the end."""
        self._waiting: dict[str, deque[Training]] = {}
        for training in sorted(trainings, key=lambda training: -training.images):
            self._waiting.setdefault(training.spec.program.key, deque()).append(training)

    def __len__(self) -> int:
        return sum(len(waiting) for waiting in self._waiting.values())

    def next(self, program: str | None, busy: Sequence[str]) -> Training | None:
        """The training for a worker that holds `program`, while others hold the programs in `busy`."""
        if program is None or not self._waiting.get(program):
            program = self._fullest(busy)
        return self._waiting[program].popleft() if program else None

    def _fullest(self, busy: Sequence[str]) -> str | None:
        def work_for_one(program: str) -> float:
            images = sum(training.images for training in self._waiting[program])
            return images / (1 + busy.count(program))

        waiting = [program for program, trainings in self._waiting.items() if trainings]
        return max(waiting, key=work_for_one, default=None)

    def drop(self, program: str) -> list[Training]:
        """Takes out all trainings of `program`, and returns them."""
        return list(self._waiting.pop(program, ()))

    def again(self, training: Training) -> None:
        """Puts a training back at the front."""
        self._waiting.setdefault(training.spec.program.key, deque()).appendleft(training)


@dataclass
class _Worker:
    number: int
    process: subprocess.Popen[str]
    log: Path
    current: Training | None = None
    program: str | None = None
    ready: bool = False

    def give(self, job: dict[str, Any]) -> None:
        # A worker that just died is heard of through its other pipe, where its training is put back.
        with contextlib.suppress(OSError):
            _pipe(self.process.stdin).write(json.dumps(job) + "\n")
            _pipe(self.process.stdin).flush()

    def end(self) -> None:
        """Ends the process; its other pipe is closed by who listens to it."""
        self.process.kill()
        self.process.wait()
        with contextlib.suppress(OSError):  # what was written to it last can't be delivered any more
            _pipe(self.process.stdin).close()

    def log_tail(self) -> str:
        try:
            return self.log.read_text(encoding="utf-8", errors="replace")[-_LOG_TAIL:]
        except OSError:
            return ""


def _pipe(pipe: IO[str] | None) -> IO[str]:
    """The pipe of a process that was started with one."""
    if pipe is None:
        raise RuntimeError("the worker was started without a pipe")
    return pipe


@dataclass
class LocalEngine:
    """Runs trainings in `workers` processes that live as long as the engine is open."""

    store: Store
    plugin_folders: Sequence[Path]
    workers: int
    _open: dict[int, _Worker] = field(default_factory=dict)
    _messages: queue.Queue[tuple[int, dict[str, Any] | None]] = field(default_factory=queue.Queue)
    _started: int = 0

    def __enter__(self) -> LocalEngine:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._open.values():
            worker.end()
        self._open.clear()

    def run(self, trainings: Sequence[Training]) -> Iterator[Event]:
        """Trains all of `trainings` and tells what happens as it happens."""
        schedule = Schedule(trainings)
        attempts: dict[str, int] = {}
        for _ in range(min(self.workers, len(trainings)) - len(self._open)):
            self._start_worker()
        for worker in list(self._open.values()):
            if worker.ready:
                yield from self._give_next(worker, schedule)
        while len(schedule) or any(worker.current for worker in self._open.values()):
            number, message = self._messages.get()
            sender = self._open.get(number)
            if sender is None:
                continue
            if message is None:
                yield from self._lost(sender, schedule, attempts)
            else:
                yield from self._heard(sender, message, schedule)
                if sender.current is None:
                    yield from self._give_next(sender, schedule)

    def refused_layer(self, wanted: Sequence[tuple[ProgramSpec, str]]) -> str | None:
        """Why heat maps can't explain a layer, of the first of `wanted` that they can't; None where they can."""
        for program, layer in wanted:
            if not self._open:
                self._start_worker()
            worker = next(iter(self._open.values()))
            worker.give({"layer": {"program": program.model_dump(mode="json"), "layer": layer}})
            answer = self._answer(worker)
            # What can't be built, or kills its worker, fails with its trainings.
            if answer is not None and answer["event"] == "failed" and not answer["program"]:
                return str(answer["error"])
        return None

    def measure_latency(self, programs: Sequence[ProgramSpec]) -> Iterator[tuple[ProgramSpec, dict[str, Any]]]:
        """How fast each program answers, on one worker while nothing else runs."""
        if not self._open:
            self._start_worker()
        for worker in list(self._open.values())[1:]:
            self._stop(worker)
        worker = next(iter(self._open.values()))
        for program in programs:
            worker.give({"latency": program.model_dump(mode="json")})
            answer = self._answer(worker)
            if answer is None:
                return
            if answer["event"] == "latency":
                yield program, answer

    def _answer(self, worker: _Worker) -> dict[str, Any] | None:
        """What `worker` says of a job that is not a training, or None if it died of it."""
        while True:
            number, message = self._messages.get()
            if number != worker.number:
                continue
            if message is None or message["event"] in ("latency", "layer", "failed"):
                return message
            worker.ready = worker.ready or message["event"] == "ready"

    def _start_worker(self) -> None:
        number = self._started
        self._started += 1
        log = self.store.root / "logs" / f"{os.getpid()}-worker-{number}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "fer_audit.training.worker", "--store", str(self.store.root)]
        for folder in self.plugin_folders:
            command += ["--plugins", str(folder)]
        with log.open("w", encoding="utf-8") as errors:
            process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                encoding="utf-8",
                env=worker_environment(os.environ, self.store.root / "keras"),
                start_new_session=True,  # Ctrl-C reaches the driver alone, which then ends its workers
            )
        worker = _Worker(number, process, log)
        self._open[number] = worker
        threading.Thread(target=self._listen, args=(worker,), daemon=True).start()

    def _listen(self, worker: _Worker) -> None:
        try:
            for line in _pipe(worker.process.stdout):
                # A worker that is killed while it writes leaves half a line; its end is told next.
                with contextlib.suppress(ValueError):
                    self._messages.put((worker.number, json.loads(line)))
        finally:
            _pipe(worker.process.stdout).close()
            self._messages.put((worker.number, None))

    def _stop(self, worker: _Worker) -> None:
        del self._open[worker.number]
        worker.end()

    def _give_next(self, worker: _Worker, schedule: Schedule) -> Iterator[Event]:
        busy = [other.program for other in self._open.values() if other.program and other is not worker]
        training = schedule.next(worker.program, busy)
        if training is None:
            return
        worker.current, worker.program = training, training.spec.program.key
        worker.give({"training": training.job.model_dump(mode="json")})
        yield Started(training, worker.number)

    def _heard(self, worker: _Worker, message: dict[str, Any], schedule: Schedule) -> Iterator[Event]:
        event, training = message["event"], worker.current
        if event == "ready":
            worker.ready = True
        elif training is None:
            return
        elif event == "step":
            yield Stepped(training, worker.number, message["done"], message["steps"])
        elif event == "done":
            worker.current = None
            yield Finished(training, worker.number, message["laps"])
        elif event == "failed":
            worker.current = None
            yield Failed(training, worker.number, message["error"])
            if message["program"]:
                # What can't be built once can't be built for the other trainings either.
                for other in schedule.drop(training.spec.program.key):
                    yield Failed(other, worker.number, message["error"])

    def _lost(self, worker: _Worker, schedule: Schedule, attempts: dict[str, int]) -> Iterator[Event]:
        """A worker died: its training is tried once more elsewhere, then counts as failed."""
        worker.process.wait()
        del self._open[worker.number]
        training = worker.current
        if training is None:
            if not worker.ready:
                yield from self._refuse_all(worker, schedule)
            return
        attempts[training.key] = attempts.get(training.key, 0) + 1
        if attempts[training.key] < _ATTEMPTS:
            schedule.again(training)
        else:
            status = worker.process.returncode
            yield Failed(training, worker.number, f"its worker died with status {status}\n{worker.log_tail()}")
        idle = next((other for other in self._open.values() if other.ready and other.current is None), None)
        if idle is not None:
            yield from self._give_next(idle, schedule)
        elif len(schedule):
            self._start_worker()

    def _refuse_all(self, worker: _Worker, schedule: Schedule) -> Iterator[Event]:
        """A worker that can't even start will not start for the next training either."""
        if self._open:
            return
        while (training := schedule.next(None, ())) is not None:
            yield Failed(training, worker.number, f"no worker could start\n{worker.log_tail()}")


#: Settings of the libraries that compute, which may change what is computed, and so are never inherited.
_STEERING = ("TF_", "XLA_", "KERAS_", "DNNL_", "ONEDNN_", "OMP_", "MKL_", "OPENBLAS_", "CUDA_")

#: What every worker gets instead: TensorFlow's chatter stays out of the log, and libraries beside it use one thread.
#: Graphics cards are hidden: several workers would fight for one, and its sums are not the same every time.
SETTINGS = {
    "KERAS_BACKEND": "tensorflow",
    "TF_CPP_MIN_LOG_LEVEL": "2",
    "TF_ENABLE_ONEDNN_OPTS": "1",
    "OMP_NUM_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "-1",
}


def worker_environment(inherited: Mapping[str, str], home: Path) -> dict[str, str]:
    """The environment of a worker: `inherited` without what steers computing; `home` is for Keras' own settings.

    Two trainings with one key are then computed alike, whatever shell they are started from, and whatever
    `~/.keras/keras.json` says.
    """
    kept = {name: value for name, value in inherited.items() if not name.startswith(_STEERING)}
    return {**kept, **SETTINGS, "KERAS_HOME": str(home.resolve())}
