"""The Ray engine: batches of trainings as tasks of a Ray cluster. The only file that imports Ray."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from fer_audit.errors import FerAuditError, GridError, StoreError
from fer_audit.grid import Resources
from fer_audit.owner import draft_name
from fer_audit.runner.engines.attempts import MOST, Attempts
from fer_audit.runner.engines.batches import Batches
from fer_audit.runner.engines.events import Event, Failed, Finished, Lost, Started, heard
from fer_audit.runner.engines.local import LocalEngine
from fer_audit.runner.engines.node import Batch, OtherVersionError, StoreAccess, read_by, work
from fer_audit.runner.engines.parcel import Files, packed, packed_folder, unpack
from fer_audit.runner.engines.worker_process import WORKER
from fer_audit.specs import ProgramSpec, Training
from fer_audit.store import LOGS, TEMPORARY, ArtefactName, Store
from fer_audit.store_faults import explained
from fer_audit.time_left import Rate, training_seconds

_Message = dict[str, Any]

#: Seconds between two looks at the cluster, whose nodes come and go.
_LOOK_EVERY = 2.0

#: Seconds for which a cluster without any fitting node is given time to get one.
_PATIENCE = 300.0

#: No request to anyone, and none of Ray's own chatter between our lines.
_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


class ClusterError(FerAuditError):
    """A cluster that can't be reached, or that has lost the nodes that a run needs."""


@dataclass(eq=False)
class _Running:
    """A batch that a node has, or that waits for one."""

    number: int
    generator: Any
    left: dict[str, Training]  #: by key, what this batch has to do, in order
    all: Mapping[str, Training]  #: by key, also those that another batch took over
    provided: bool  #: whether it came with what it needs

    def under_way(self) -> Training | None:
        """What it takes out to be done now."""
        return self.left.pop(next(iter(self.left))) if self.left else None


@dataclass
class RayEngine:
    """Runs trainings as tasks of a Ray cluster: at `RAY_ADDRESS`, of this machine, or made for the run."""

    store: Store
    plugin_folders: Sequence[Path]
    resources: Resources
    workers: int | None = None  #: most batches at once; None: as many as the cluster has room for
    rates: Mapping[str, Rate] = field(default_factory=dict)  #: by program, as far as they were measured
    worker_module: str = WORKER
    _held: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    @property
    def name(self) -> str:
        """As the command line calls it."""
        return "ray"

    def __enter__(self) -> Self:
        self._ray = _imported()
        with contextlib.ExitStack() as held:
            if not self._ray.is_initialized():
                self._connect()
                held.callback(self._ray.shutdown)
            self._local = held.enter_context(LocalEngine(self.store, self.plugin_folders, 1, self._silence))
            self._plugins: list[Files] = [packed_folder(folder) for folder in self.plugin_folders]
            self._access = held.enter_context(self._marked())
            self._parcels: dict[ArtefactName, Any] = {}
            self._apart = False  #: whether some node can't reach the store
            self._looked, self._places = -_LOOK_EVERY, 0
            if not self._slots():
                raise GridError(self._refusal())
            self._held = held.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the cluster."""
        self._held.close()

    def room(self) -> int:
        """How many workers run at once, as the cluster is now."""
        return max(1, self._slots())

    def _connect(self) -> None:
        for name, value in _SETTINGS.items():
            os.environ.setdefault(name, value)
        options = {"log_to_driver": False, "logging_level": "ERROR", "include_dashboard": False}
        wanted = {} if os.environ.get("RAY_ADDRESS") or self.workers is None else {"num_cpus": self.workers}
        try:
            with self._standard_error_in_log():
                try:
                    self._ray.init(**options, **wanted)
                except ValueError:  # a cluster is running on this machine, whose size is not ours to say
                    self._ray.init(**options)
        except (ConnectionError, RuntimeError, ValueError) as error:
            address = os.environ.get("RAY_ADDRESS", "this machine")
            raise ClusterError(
                f"can't reach a Ray cluster at {address}: {str(error).splitlines()[0]}; start one with `ray start "
                f"--head`, or unset RAY_ADDRESS for one on this machine alone"
            ) from error

    @contextlib.contextmanager
    def _standard_error_in_log(self) -> Iterator[None]:
        """Within it what Ray's own code writes to standard error, whatever its settings, goes to a log of the store."""
        log = self.store.root / LOGS / f"{os.getpid()}-ray.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        kept = os.dup(2)
        try:
            with log.open("a") as file:
                os.dup2(file.fileno(), 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)

    @property
    def _silence(self) -> float | None:
        minutes = self.resources.timeout_minutes
        return None if minutes is None else minutes * 60

    @contextlib.contextmanager
    def _marked(self) -> Iterator[StoreAccess]:
        """How nodes get at the store; a file in it shows them whether they see the same folder."""
        if "://" in self.store.address:
            yield StoreAccess(self.store.address, remote=True)
            return
        token = draft_name()
        mark = self.store.root.resolve() / TEMPORARY / token
        with explained(self.store.root):
            mark.write_text(token, encoding="utf-8")
        try:
            yield StoreAccess(str(self.store.root.resolve()), remote=False, mark=str(mark), token=token)
        finally:
            with contextlib.suppress(OSError):
                mark.unlink()

    def describe(self) -> str:
        """The cluster in a few words."""
        nodes = [node for node in self._ray.nodes() if node["Alive"]]
        room = self._slots()
        plural = ["" if number == 1 else "s" for number in (len(nodes), room)]
        return f"ray: {len(nodes)} node{plural[0]} with room for {room} worker{plural[1]}"

    def refused_layer(self, wanted: Sequence[tuple[ProgramSpec, str]]) -> str | None:
        """Why heat maps can't explain a layer, of the first of `wanted` that they can't; None where they can."""
        return self._local.refused_layer(wanted)

    def measure_latency(self, programs: Sequence[ProgramSpec]) -> Iterator[tuple[ProgramSpec, dict[str, Any]]]:
        """How fast each program answers on the machine of the driver."""
        return self._local.measure_latency(programs)

    def run(self, trainings: Sequence[Training]) -> Iterator[Event]:
        """Trains all of `trainings` and tells what happens as it happens; raises ClusterError."""
        run = _Run(self, trainings)
        try:
            yield from run.events()
        finally:
            run.cancel()

    # What a run asks of the engine.

    def _slots(self) -> int:
        """How many batches the cluster has room for, now or a moment ago."""
        if time.monotonic() - self._looked >= _LOOK_EVERY:
            nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
            self._places = sum(places(node, self.resources.cpus, self.resources.gpus) for node in nodes)
            self._looked = time.monotonic()
        return self._places if self.workers is None else min(self._places, self.workers)

    def _refusal(self) -> str:
        wanted = f"{self.resources.cpus:g} cpus" + (f" and {self.resources.gpus:g} gpus" if self.resources.gpus else "")
        nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        largest: Mapping[str, float] = max(
            nodes, key=lambda node: (node.get("GPU", 0.0), node.get("CPU", 0.0)), default={}
        )
        return (
            f"resources: a worker wants {wanted}, but no node of the Ray cluster has that; the largest has "
            f"{largest.get('CPU', 0.0):g} cpus and {largest.get('GPU', 0.0):g} gpus; ask for less, or start a "
            f"larger node"
        )

    def _submit(self, trainings: Sequence[Training], *, waits: bool) -> Any:
        """Has a batch done by a node; returns the generator of its messages."""
        batch = Batch(
            jobs=[training.job.model_dump(mode="json") for training in trainings],
            store=self._access,
            plugins=self._plugins,
            needs=self._needed(trainings) if self._apart else {},
            module=self.worker_module,
            silence=self._silence,
            cards=self.resources.gpus > 0,
            gpu_memory_mb=self.resources.gpu_memory_mb,
            waits=waits,
        )
        # Retries are ours: Ray would repeat the whole batch. A process of its own for each leaves no memory taken.
        task = self._ray.remote(
            num_cpus=self.resources.cpus,
            num_gpus=self.resources.gpus,
            max_calls=1,
            max_retries=0,
            num_returns="streaming",
        )(_on_node)
        return task.remote(batch)

    def _needed(self, trainings: Sequence[Training]) -> dict[ArtefactName, Any]:
        """What the store has of that which trainings read, in the cluster's own memory."""
        wanted = {name: None for training in trainings for name in read_by(training.job)}
        for name in wanted:
            if name not in self._parcels and self.store.has(*name):
                self._parcels[name] = self._ray.put(packed(self.store, name))
        return {name: self._parcels[name] for name in wanted if name in self._parcels}

    def _seconds(self, training: Training) -> float:
        return training_seconds(training, self._rate(training.spec.program))

    def _start_seconds(self, program: ProgramSpec) -> float:
        return self._rate(program).start_seconds

    def _rate(self, program: ProgramSpec) -> Rate:
        return self.rates.get(program.key) or Rate.guess(program)


class _Run:
    """One call of `RayEngine.run`."""

    def __init__(self, engine: RayEngine, trainings: Sequence[Training]) -> None:
        self._engine = engine
        self._ray = engine._ray
        self._batches = Batches(trainings, engine._seconds, engine._start_seconds)
        self._attempts = Attempts()
        self._running = list[_Running]()
        self._ended = set[str]()
        self._unstarted = 0  #: workers in a row that died before they took up anything
        self._had_room = time.monotonic()  #: when the cluster last had a node for us

    def cancel(self) -> None:
        """Ends what is under way."""
        for running in self._running:
            self._end(running)
        self._running.clear()

    def events(self) -> Iterator[Event]:
        """What happens until all is done."""
        while len(self._batches) or any(running.left for running in self._running):
            self._deal()
            yield from self._listen()
            for running in [running for running in self._running if not running.left]:
                # Others took over what it has not done: it is only in the way.
                self._running.remove(running)
                self._end(running)

    def _deal(self) -> None:
        """Gives all places of the cluster something to do; never more, so that few tasks are in flight."""
        slots = self._room()
        while len(self._running) < slots:
            busy = [next(iter(running.left.values())).spec.program.key for running in self._running if running.left]
            taken, waits = self._batches.next(slots, slots - len(self._running), busy) or (self._relief(), False)
            if not taken:
                return
            number = next(n for n in range(slots) if all(running.number != n for running in self._running))
            provided = self._engine._apart
            generator = self._engine._submit(taken, waits=waits)
            by_key = {one.key: one for one in taken}
            self._running.append(_Running(number, generator, by_key, dict(by_key), provided))

    def _room(self) -> int:
        """How many batches there is room for; raises ClusterError where there has been none for too long."""
        while True:
            slots = self._engine._slots()
            if slots:
                self._had_room = time.monotonic()
            elif time.monotonic() - self._had_room > _PATIENCE:
                raise ClusterError(f"for {_PATIENCE:.0f} s {self._engine._refusal()}; what was finished is kept")
            if slots or self._running:
                return slots
            time.sleep(_LOOK_EVERY)

    def _relief(self) -> list[Training]:
        """Trainings that were taken from the batch which would end last."""
        moved = self._batches.relief([list(running.left.values()) for running in self._running])
        for training in moved:
            for running in self._running:
                running.left.pop(training.key, None)
        return moved

    def _listen(self) -> Iterator[Event]:
        by_generator = {running.generator: running for running in self._running}
        ready, _ = self._ray.wait(list(by_generator), num_returns=1, timeout=_LOOK_EVERY)
        for generator in ready:
            running = by_generator[generator]
            try:
                messages = self._ray.get(next(generator))
            except StopIteration:
                self._put_back(running)
            except self._ray.exceptions.RayTaskError as error:
                yield from self._raised(running, error)
            except self._ray.exceptions.RayError as error:
                # The node or the process of the task is gone, or what it said.
                yield from self._lost(running, f"its node was lost: {str(error).splitlines()[0]}")
                self._put_back(running)
            else:
                for message in messages:
                    yield from self._heard(running, message)

    def _put_back(self, running: _Running) -> None:
        """Has what a batch that ended has not done be done by others."""
        self._running.remove(running)
        self._batches.again(list(running.left.values()))
        self._engine._looked = -_LOOK_EVERY

    def _raised(self, running: _Running, error: Any) -> Iterator[Event]:
        """A Python error of a task, outside of any training; it is never tried again."""
        cause = getattr(error, "cause", None)
        if isinstance(cause, OtherVersionError | StoreError):
            raise cause
        if (training := running.under_way()) is not None:
            self._ended.add(training.key)
            yield Failed(training, running.number, str(error))
        self._put_back(running)

    def _heard(self, running: _Running, message: _Message) -> Iterator[Event]:
        kind = message["event"]
        if kind == "unreachable":
            if running.provided:
                raise StoreError(f"the store {self._engine.store.address} lacks the images of the grid; run it again")
            self._engine._apart = True
            return
        training = running.all[message["key"]]
        if training.key in self._ended:
            return
        if kind == "done":
            for parcel in message.get("parcels", ()):
                unpack(self._engine.store, parcel)
        elif training.key not in running.left:
            return  # another batch has it now
        if kind == "started":
            yield Started(training, running.number)
        elif kind == "busy":
            del running.left[training.key]
            self._batches.later(training)
        elif kind == "lost":
            self._count_starts(message)
            yield from self._lost(running, message["error"])
        else:
            event = heard({**message, "event": "failed" if kind == "hung" else kind}, training, running.number)
            if isinstance(event, Finished | Failed):
                self._settle(training)
            if event is not None:
                yield event
            if isinstance(event, Failed) and message.get("program"):
                yield from self._drop(running, event)

    def _count_starts(self, lost: _Message) -> None:
        """Raises ClusterError where one worker after another dies before it takes up anything."""
        self._unstarted = 0 if lost["started"] else self._unstarted + 1
        if self._unstarted >= MOST:
            words = "; ".join(lost["error"].strip().splitlines()[-2:])
            raise ClusterError(f"no worker can start on the cluster: {words}")

    def _settle(self, training: Training) -> None:
        """Notes that a training has ended, whoever has it."""
        self._ended.add(training.key)
        for running in self._running:
            running.left.pop(training.key, None)

    def _drop(self, running: _Running, failed: Failed) -> Iterator[Event]:
        """What can't be built once can't be built for the other trainings either."""
        others, running.left = running.left, {}
        for other in [*others.values(), *self._batches.drop(failed.training.spec.program.key)]:
            self._ended.add(other.key)
            yield Failed(other, running.number, failed.error)

    def _lost(self, running: _Running, reason: str) -> Iterator[Event]:
        """The training under way is tried again, a few times."""
        training = running.under_way()
        if training is None:
            return
        event = self._attempts.lost(training, running.number, reason)
        if isinstance(event, Lost):
            self._batches.again([training])
        else:
            self._ended.add(training.key)
        yield event

    def _end(self, running: _Running) -> None:
        with contextlib.suppress(self._ray.exceptions.RayError):
            self._ray.cancel(running.generator, force=True)


def places(node: Mapping[str, float], cpus: float, gpus: float) -> int:
    """How many workers that want `cpus` and `gpus` a node with these resources has room for."""
    fit = int(node.get("CPU", 0.0) / cpus + 1e-9)
    if not gpus:
        return fit
    cards = node.get("GPU", 0.0)
    # A worker gets a part of one card, or whole ones.
    return min(fit, int(cards) * int(1 / gpus + 1e-9) if gpus < 1 else int(cards / gpus + 1e-9))


def _on_node(batch: Batch) -> Iterator[list[_Message]]:
    yield from work(batch, _imported().get)


def _imported() -> Any:
    try:
        import ray
    except ImportError as error:
        raise ClusterError("the engine ray needs the package ray; pip install 'fer-audit[ray]'") from error
    return ray
