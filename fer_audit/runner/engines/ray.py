"""The Ray engine: batches of trainings as tasks of a Ray cluster. The only file that imports Ray."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from fer_audit.errors import GridError, StoreError
from fer_audit.grid import Resources
from fer_audit.owner import draft_name, log_name
from fer_audit.runner.engines.dealing import LOOK_EVERY, ClusterError, Dealing, Message, Told
from fer_audit.runner.engines.events import Event
from fer_audit.runner.engines.local import LocalEngine
from fer_audit.runner.engines.node import Batch, OtherVersionError, StoreAccess, read_by, work
from fer_audit.runner.engines.pace import Pace
from fer_audit.runner.engines.parcel import Files, packed, packed_folder
from fer_audit.runner.engines.ray_address import OWN, cluster_address
from fer_audit.runner.engines.worker_process import WORKER
from fer_audit.runner.rates import Rates
from fer_audit.specs import ProgramSpec, Training
from fer_audit.store import LOGS, TEMPORARY, ArtefactName, Store
from fer_audit.store_faults import explained

#: No request to anyone, and none of Ray's own chatter between our lines.
_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


@dataclass
class RayEngine:
    """Runs trainings as tasks of a Ray cluster: at `RAY_ADDRESS`, of this machine, or made for the run."""

    store: Store
    plugin_folders: Sequence[Path]
    resources: Resources
    workers: int | None = None  #: most batches at once; None: as many as the cluster has room for
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
            self._looked, self._places = -math.inf, 0
            if not self.slots():
                raise GridError(self.refusal())
            self._held = held.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the cluster."""
        self._held.close()

    def room(self) -> int:
        """How many workers run at once, as the cluster is now."""
        return max(1, self.slots())

    def _connect(self) -> None:
        for name, value in _SETTINGS.items():
            os.environ.setdefault(name, value)
        address = cluster_address()
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR", "include_dashboard": False}
        if address == OWN and self.workers is not None:
            options["num_cpus"] = math.ceil(self.workers * self.resources.cpus)
        ending = signal.getsignal(signal.SIGTERM)
        try:
            with self._standard_error_in_log():
                self._ray.init(address, **options)
        except (ConnectionError, RuntimeError, ValueError) as error:
            said = next(iter(str(error).splitlines()), type(error).__name__)
            place = "on this machine" if address == OWN else f"at {address}"
            raise ClusterError(
                f"can't use a Ray cluster {place}: {said}; `ray status` says more, and without --engine ray this "
                f"machine trains alone"
            ) from error
        finally:
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, ending)  # Ray's own would print where it is in its code

    @contextlib.contextmanager
    def _standard_error_in_log(self) -> Iterator[None]:
        """Within it what Ray's own code writes to standard error, whatever its settings, goes to a log of the store."""
        log = self.store.root / LOGS / log_name("ray.log")
        kept = os.dup(2)
        try:
            with explained(self.store.root):
                log.parent.mkdir(parents=True, exist_ok=True)
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
        room = self.slots()
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
        dealing = Dealing(self, trainings, Pace(Rates(self.store)))
        try:
            yield from dealing.events()
        finally:
            dealing.cancel()

    def slots(self) -> int:
        """How many batches the cluster has room for, now or a moment ago."""
        if time.monotonic() - self._looked >= LOOK_EVERY:
            nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
            self._places = sum(places(node, self.resources.cpus, self.resources.gpus) for node in nodes)
            self._looked = time.monotonic()
            if self._access.mark:
                with contextlib.suppress(OSError):  # an old one would be taken for abandoned
                    Path(self._access.mark).touch()
        return self._places if self.workers is None else min(self._places, self.workers)

    def look_again(self) -> None:
        """Has `slots` look anew, as a node may be gone."""
        self._looked = -math.inf

    def refusal(self) -> str:
        """Why there is no room, in a sentence."""
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

    def submit(self, trainings: Sequence[Training], *, waits: bool, provided: bool) -> Any:
        """Has a batch done by a node; returns the generator of its messages."""
        batch = Batch(
            jobs=[training.job.model_dump(mode="json") for training in trainings],
            store=self._access,
            plugins=self._plugins,
            needs=self._needed(trainings) if provided else {},
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

    def listen(self, tasks: Sequence[Any], seconds: float) -> Iterator[Told]:
        """What is heard of tasks within some seconds; raises OtherVersionError, ClusterError, StoreError."""
        ready, _ = self._ray.wait(list(tasks), num_returns=1, timeout=seconds)
        for generator in ready:
            try:
                yield Told(generator, messages=self._ray.get(next(generator)))
            except StopIteration:
                yield Told(generator, over=True)
            except self._ray.exceptions.RayTaskError as error:
                yield Told(generator, raised=self._raised(error))
            except self._ray.exceptions.RayError as error:
                # The node or the process of the task is gone, or what it said.
                yield Told(generator, lost=f"its node was lost: {str(error).splitlines()[0]}")

    @staticmethod
    def _raised(error: Any) -> str:
        """What a task raised outside of any training; raises what is about its node and no training."""
        cause = getattr(error, "cause", None)
        if isinstance(cause, OtherVersionError | StoreError):
            raise cause
        if "No module named 'fer_audit'" in str(error):
            raise ClusterError("a node of the Ray cluster has no fer-audit; install the same on every machine")
        return str(error)

    def end(self, tasks: Sequence[Any]) -> None:
        """Ends tasks by force: asked politely, one that is streaming can take the whole driver with it (Ray 2.52)."""
        for generator in tasks:
            with contextlib.suppress(self._ray.exceptions.RayError):
                self._ray.cancel(generator, force=True)


def places(node: Mapping[str, float], cpus: float, gpus: float) -> int:
    """How many workers that want `cpus` and `gpus` a node with these resources has room for."""
    fit = int(node.get("CPU", 0.0) / cpus + 1e-9)
    if not gpus:
        return fit
    cards = node.get("GPU", 0.0)
    # A worker gets a part of one card, or whole ones.
    return min(fit, int(cards) * int(1 / gpus + 1e-9) if gpus < 1 else int(cards / gpus + 1e-9))


def _on_node(batch: Batch) -> Iterator[list[Message]]:
    yield from work(batch, _imported().get)


def _imported() -> Any:
    try:
        import ray
    except ImportError as error:
        raise ClusterError(
            f"the engine ray needs the package ray; pip install 'fer-audit[ray]' ({' '.join(str(error).split())})"
        ) from error
    return ray
