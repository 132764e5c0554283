"""One batch of trainings on a node of a cluster: a worker process there, and what it needs and leaves.

The same worker runs as on one machine. Where the node sees the folder of the store, or the store has an address that
all machines can open, the worker works on it. Else the batch comes with what it needs, and what it leaves goes back
with the messages.
"""

from __future__ import annotations

import contextlib
import math
import os
import platform
import queue
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fer_audit
from fer_audit.errors import FerAuditError
from fer_audit.owner import draft_name, log_name, owner_lives
from fer_audit.remote_store import open_at
from fer_audit.runner.engines.parcel import Files, Parcel, packed, unpack, unpack_folder
from fer_audit.runner.engines.worker_process import WorkerCommand, WorkerProcess, hung, worker_environment
from fer_audit.specs import TrainingJob, cost_key
from fer_audit.store import LOGS, ArtefactName, Store

_Message = dict[str, Any]

#: Seconds for which messages are gathered, as each handing over costs about a millisecond.
_GATHERED = 0.1

#: Seconds between two looks for a worker that hangs.
_LOOK_EVERY = 1.0

#: How folders of batches begin, wherever the system keeps what is temporary.
_FOLDER = "fer-audit-batch-"


@dataclass(frozen=True)
class StoreAccess:
    """How a node gets at the store of a run."""

    address: str
    remote: bool  #: whether every machine can open the address
    mark: str = ""  #: a file that the driver wrote in the store's folder
    token: str = ""  #: what it holds

    def reachable(self) -> bool:
        """Whether this node sees the store itself, and not a folder of the same name."""
        if self.remote:
            return True
        try:
            return Path(self.mark).read_text(encoding="utf-8") == self.token
        except (OSError, UnicodeDecodeError):
            return False


@dataclass(frozen=True)
class Batch:
    """What a node is given."""

    jobs: Sequence[Mapping[str, Any]]  #: trainings that share a program, as workers take them
    store: StoreAccess
    plugins: Sequence[Files]
    needs: Mapping[ArtefactName, Any]  #: how to get the artefacts that the jobs read, where the store is out of reach
    module: str  #: of the worker
    silence: float | None = None  #: seconds without a sign, after which the worker hangs
    cards: bool = False  #: whether it may use the graphics cards that the cluster gave it
    gpu_memory_mb: int | None = None
    waits: bool = False  #: whether to wait for another run that is busy with one of the jobs
    version: str = fer_audit.__version__


def work(batch: Batch, fetch: Callable[[Any], Parcel]) -> Iterator[list[_Message]]:
    """Runs the jobs of `batch` one after another, and tells of them as workers do, a few messages at a time.

    `fetch` gets an artefact of `batch.needs`. A message `done` holds parcels of what was made, where the store is out
    of reach. The last message may be `lost`, with the reason, or `hung`; jobs after that one were not taken up.
    """
    if batch.version != fer_audit.__version__:
        raise OtherVersionError(
            f"fer-audit is {fer_audit.__version__} on {platform.node()}, but {batch.version} where the run was "
            f"started; install the same on every machine of the cluster"
        )
    with _here(batch) as place, _Hand(batch, place, fetch) as hand:
        if place.own and not batch.needs:
            yield [{"event": "unreachable"}]
            return
        gathered, handed_over = list[_Message](), -math.inf
        for message in hand.messages():
            gathered.append(message)
            # Parcels at once: with the node they would be gone.
            if "parcels" in message or time.monotonic() - handed_over > _GATHERED:
                yield gathered
                gathered, handed_over = [], time.monotonic()
        if gathered:
            yield gathered


class OtherVersionError(FerAuditError):
    """A node has another version of fer-audit than the driver."""


@dataclass(frozen=True)
class _Place:
    """What a batch works with on this node."""

    store: Store
    own: bool  #: whether the store is the batch's own, and goes with it
    plugin_folders: Sequence[Path]


@contextlib.contextmanager
def _here(batch: Batch) -> Iterator[_Place]:
    """The store and the folders of plug-ins of a batch on this node, for as long as it lasts."""
    _sweep()
    with _folder() as root:
        folders = [root / "plugins" / str(number) for number in range(len(batch.plugins))]
        for files, folder in zip(batch.plugins, folders, strict=True):
            unpack_folder(files, folder)
        if batch.store.reachable():
            yield _Place(open_at(batch.store.address), False, folders)
        else:
            yield _Place(Store(root / "store"), True, folders)


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """A folder that goes with this process, however that ends: it may hold images of people.

    Ray kills tasks and their children, so that a grandchild waits for the end of the pipe.
    """
    root = Path(tempfile.gettempdir()) / f"{_FOLDER}{draft_name()}"
    root.mkdir(mode=0o700)
    remove = 'exec 3<&0; (cat <&3 >/dev/null; rm -rf -- "$0") &'
    nowhere = subprocess.DEVNULL
    with subprocess.Popen(  # noqa: S603 - a folder of our own
        ["/bin/sh", "-c", remove, str(root)],
        stdin=subprocess.PIPE,
        stdout=nowhere,
        stderr=nowhere,
        start_new_session=True,
    ):
        try:
            yield root
        finally:
            shutil.rmtree(root, ignore_errors=True)


def _sweep() -> None:
    """Removes the folders of batches whose processes were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_FOLDER}*-*"):
        if not owner_lives(folder, folder.name.removeprefix(_FOLDER)):
            shutil.rmtree(folder, ignore_errors=True)


@dataclass
class _Hand:
    """The worker of a batch."""

    batch: Batch
    place: _Place
    fetch: Callable[[Any], Parcel]
    _heard: queue.Queue[_Message | None] = field(default_factory=queue.Queue)

    def __enter__(self) -> _Hand:
        root = self.place.store.root
        cards = os.environ.get("CUDA_VISIBLE_DEVICES", "") if self.batch.cards else None
        environment = worker_environment(os.environ, root / "keras", cards)
        address, memory = self.place.store.address, self.batch.gpu_memory_mb
        command = WorkerCommand(address, self.place.plugin_folders, environment, self.batch.module, memory)
        log = root / LOGS / log_name("worker-0.log")
        self._worker = WorkerProcess(0, command, log, lambda _, message: self._heard.put(message))
        return self

    def __exit__(self, *_: object) -> None:
        self._worker.end()

    def messages(self) -> Iterator[_Message]:
        """What happens to one job after another."""
        for job in self.batch.jobs:
            wanted = TrainingJob.model_validate(job)
            yield {"event": "started", "key": wanted.training.key}
            if self.place.own:
                self._bring(wanted)
            self._waits = self.batch.waits  # for another run that is at it, perhaps for long
            self._worker.give({"training": job, "wait": self.batch.waits})
            while True:
                message = self._next()
                if self.place.own and message["event"] == "done":
                    message = {**message, "parcels": self._made(wanted)}
                yield {**message, "key": wanted.training.key}
                if message["event"] in ("lost", "hung") or (message["event"] == "failed" and message["program"]):
                    return
                if message["event"] in ("done", "failed", "busy"):
                    break

    def _next(self) -> _Message:
        """The next message of the worker that is about its job; `lost` where it died, `hung` where it gives no sign."""
        while True:
            try:
                message = self._heard.get(timeout=_LOOK_EVERY)
            except queue.Empty:
                if self._hangs():
                    return {"event": "hung", "error": hung(self._worker)}
                continue
            if message is None:
                return {"event": "lost", "error": self._worker.last_words(), "started": self._worker.ready}
            if message["event"] == "claimed":
                self._waits = False
            if message["event"] not in ("ready", "alive", "claimed"):
                return message

    def _hangs(self) -> bool:
        idle = self._worker.ready and self._waits
        return self.batch.silence is not None and not idle and self._worker.silent_seconds > self.batch.silence

    def _bring(self, wanted: TrainingJob) -> None:
        """Puts what a job reads into the store of the batch."""
        for name in read_by(wanted):
            if name in self.batch.needs and not self.place.store.has(*name):
                unpack(self.place.store, self.fetch(self.batch.needs[name]))

    def _made(self, wanted: TrainingJob) -> list[Parcel]:
        """What the driver's store lacks of what a job leaves."""
        names = [*wanted.artefacts(), *wanted.corrupted(), ("costs", cost_key(wanted.training.program))]
        there = [name for name in names if name not in self.batch.needs and self.place.store.has(*name)]
        return [packed(self.place.store, name) for name in there]


def read_by(wanted: TrainingJob) -> list[ArtefactName]:
    """Kind and key of all that a job may read of the store: data, rows, labels, and what is there of it already."""
    spec = wanted.training
    arrays = [("arrays", digest) for digest in (spec.rows, spec.labels, *spec.held_out, *wanted.traces)]
    return [("datasets", spec.data), *arrays, *wanted.artefacts(), *wanted.corrupted()]
