"""Dealing trainings out to a cluster and hearing what becomes of them, whatever makes the cluster one."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from fer_audit.errors import FerAuditError, StoreError
from fer_audit.runner.engines.attempts import MOST, Attempts
from fer_audit.runner.engines.batches import Batches
from fer_audit.runner.engines.events import Event, Failed, Finished, Lost, Started, heard
from fer_audit.runner.engines.pace import Pace
from fer_audit.runner.engines.parcel import unpack
from fer_audit.specs import Training
from fer_audit.store import Store

Message = dict[str, Any]

#: Seconds between two looks at the cluster, whose nodes come and go.
LOOK_EVERY = 2.0

#: Seconds for which a cluster without any fitting node is given time to get one.
_PATIENCE = 300.0


class ClusterError(FerAuditError):
    """A cluster that can't be reached, or that lacks what a run needs."""


class Told(NamedTuple):
    """What was heard of a task: messages of its worker, or how it ended."""

    task: Any
    messages: Sequence[Message] = ()
    over: bool = False
    lost: str | None = None  #: why its node is gone
    raised: str | None = None  #: a Python error outside of any training


class Cluster(Protocol):
    """What batches are dealt out to."""

    @property
    def store(self) -> Store:
        """The store of the run."""

    def slots(self) -> int:
        """How many batches there is room for, now or a moment ago."""

    def look_again(self) -> None:
        """Has `slots` look anew, as a node may be gone."""

    def refusal(self) -> str:
        """Why there is no room, in a sentence."""

    def submit(self, trainings: Sequence[Training], *, waits: bool, provided: bool) -> Any:
        """Has a batch done, `provided` with what it reads or not; returns a task."""

    def listen(self, tasks: Sequence[Any], seconds: float) -> Iterator[Told]:
        """What is heard of tasks within some seconds."""

    def end(self, tasks: Sequence[Any]) -> None:
        """Ends tasks."""


@dataclass(eq=False)
class _Running:
    """A batch that a node has, or that waits for one."""

    number: int
    task: Any
    left: dict[str, Training]  #: by key, what this batch has to do, in order
    all: Mapping[str, Training]  #: by key, also those that another batch took over
    provided: bool  #: whether it came with what it reads

    def take_first(self) -> Training | None:
        """Takes out what it has to do now."""
        return self.left.pop(next(iter(self.left))) if self.left else None


class Dealing:
    """Trainings on their way through a cluster."""

    def __init__(self, cluster: Cluster, trainings: Sequence[Training], pace: Pace) -> None:
        """All of `trainings`, in batches as `pace` estimates them."""
        self._cluster = cluster
        self._pace = pace
        self._batches = Batches(trainings, pace)
        self._attempts = Attempts()
        self._running = list[_Running]()
        self._ended = set[str]()
        self._apart = False  #: whether some node can't reach the store
        self._unstarted = 0  #: workers in a row that died before they took up anything
        self._had_room = time.monotonic()  #: when the cluster last had a node for us

    def cancel(self) -> None:
        """Ends what is under way."""
        self._cluster.end([running.task for running in self._running])
        self._running.clear()

    def events(self) -> Iterator[Event]:
        """What happens until all is done; raises ClusterError."""
        while len(self._batches) or any(running.left for running in self._running):
            self._deal()
            yield from self._listen()
            for running in [running for running in self._running if not running.left]:
                # Others took over what it has not done: it is only in the way.
                self._running.remove(running)
                self._cluster.end([running.task])

    def _deal(self) -> None:
        """Gives all places of the cluster something to do; never more, so that few tasks are in flight."""
        slots = self._room()
        while len(self._running) < slots:
            busy = [next(iter(running.left.values())).spec.program.key for running in self._running if running.left]
            taken, waits = self._batches.next(slots, slots - len(self._running), busy) or (self._relief(), False)
            if not taken:
                return
            number = next(n for n in range(slots) if all(running.number != n for running in self._running))
            task = self._cluster.submit(taken, waits=waits, provided=self._apart)
            by_key = {training.key: training for training in taken}
            self._running.append(_Running(number, task, by_key, dict(by_key), self._apart))

    def _room(self) -> int:
        """How many batches there is room for; raises ClusterError where there has been none for too long."""
        while True:
            slots = self._cluster.slots()
            if slots:
                self._had_room = time.monotonic()
            elif time.monotonic() - self._had_room > _PATIENCE:
                raise ClusterError(f"for {_PATIENCE:.0f} s {self._cluster.refusal()}; what was finished is kept")
            if slots or self._running:
                return slots
            time.sleep(LOOK_EVERY)

    def _relief(self) -> list[Training]:
        """Trainings that were taken from the batch which would end last."""
        moved = self._batches.relief([list(running.left.values()) for running in self._running])
        for training in moved:
            for running in self._running:
                running.left.pop(training.key, None)
        return moved

    def _listen(self) -> Iterator[Event]:
        by_task = {running.task: running for running in self._running}
        for told in self._cluster.listen(list(by_task), LOOK_EVERY):
            running = by_task[told.task]
            for message in told.messages:
                yield from self._heard(running, message)
            if told.raised is not None:
                yield from self._raised(running, told.raised)
            elif told.lost is not None:
                yield from self._lost(running, told.lost)
                self._cluster.end([running.task])  # where only what it said was lost, it would go on
            if told.over or told.raised is not None or told.lost is not None:
                self._put_back(running)

    def _put_back(self, running: _Running) -> None:
        """Has what a batch that ended has not done be done by others."""
        self._running.remove(running)
        self._batches.waiting.again(list(running.left.values()))
        self._cluster.look_again()

    def _raised(self, running: _Running, error: str) -> Iterator[Event]:
        """A Python error of a task is never tried again."""
        if (training := running.take_first()) is not None:
            self._ended.add(training.key)
            yield Failed(training, running.number, error)

    def _heard(self, running: _Running, message: Message) -> Iterator[Event]:
        kind = message["event"]
        if kind == "unreachable":
            self._provide(running)
            return
        if kind == "unfit":
            raise ClusterError(message["error"])
        self._count_starts(message)
        training = running.all[message["key"]]
        if training.key in self._ended:
            return
        if kind == "done":
            for parcel in message.get("parcels", ()):
                unpack(self._cluster.store, parcel)
        elif training.key not in running.left:
            return  # another batch has it now
        if kind == "started":
            yield Started(training, running.number)
        elif kind == "busy":
            del running.left[training.key]
            self._batches.waiting.later(training)
        elif kind == "lost":
            # Before it was ready, the training had no part in its worker's death, and is the next worker's.
            yield from self._lost(running, message["error"]) if message["started"] else ()
        else:
            yield from self._told_by_worker(running, training, message)

    def _provide(self, running: _Running) -> None:
        """From now on batches come with what they read; raises StoreError where that was no help."""
        if running.provided:
            raise StoreError(f"the store {self._cluster.store.address} lacks the images of the grid; run it again")
        self._apart = True

    def _told_by_worker(self, running: _Running, training: Training, message: Message) -> Iterator[Event]:
        kind = "failed" if message["event"] == "hung" else message["event"]
        event = heard({**message, "event": kind}, training, running.number)
        if event is None:
            return
        if isinstance(event, Finished | Failed):
            self._ended.add(training.key)
            for other in self._running:
                other.left.pop(training.key, None)
        yield event
        if isinstance(event, Finished) and self._pace.learn(event):
            self._batches.waiting.estimate_anew(training.spec.program.key)
        if isinstance(event, Failed) and message.get("program"):
            yield from self._drop(running, event)

    def _count_starts(self, message: Message) -> None:
        """Raises ClusterError where one worker after another dies before it takes up anything."""
        if message["event"] == "started":  # said by the node, before its worker is ready
            return
        died_at_once = message["event"] == "lost" and not message["started"]
        self._unstarted = self._unstarted + 1 if died_at_once else 0
        if self._unstarted >= MOST:
            words = "; ".join(message["error"].strip().splitlines()[-2:])
            raise ClusterError(f"no worker can start on the cluster: {words}")

    def _drop(self, running: _Running, failed: Failed) -> Iterator[Event]:
        """What can't be built once can't be built for the other trainings either."""
        others, running.left = running.left, {}
        for other in [*others.values(), *self._batches.waiting.drop(failed.training.spec.program.key)]:
            self._ended.add(other.key)
            yield Failed(other, running.number, failed.error)

    def _lost(self, running: _Running, reason: str) -> Iterator[Event]:
        """The training under way is tried again, a few times."""
        training = running.take_first()
        if training is None:
            return
        event = self._attempts.lost(training, running.number, reason)
        if isinstance(event, Lost):
            self._batches.waiting.again([training])
        else:
            self._ended.add(training.key)
        yield event
