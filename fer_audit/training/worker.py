"""The worker process: takes jobs from standard input, one JSON a line, and tells of them on standard output.

A job is `{"training": <TrainingJob>, "wait": <bool>}`, `{"latency": <ProgramSpec>}`, or `{"layer": {"program":
<ProgramSpec>, "layer": <name>}}`. A worker keeps the program of its last job, so that jobs that share one follow each
other without tracing. Where another run on the same store is at the same training, a job that is not to wait ends with
`busy`. When standard input closes, whoever gave the jobs is gone or content, and the worker ends at once; a training
under way leaves nothing behind.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import platform
import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable, Collection
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any, TextIO, cast

import numpy as np

from fer_audit.augmentations.augmentation import Augmentation
from fer_audit.data.cached import open_cached
from fer_audit.data.dataset import FaceData
from fer_audit.errors import FerAuditError, StoreError
from fer_audit.models.model import Model
from fer_audit.plugins import Plugin
from fer_audit.registry import Registry
from fer_audit.remote_store import open_at
from fer_audit.sources import source_digest
from fer_audit.specs import PluginIdentity, ProgramSpec, TrainingJob, TrainingSpec
from fer_audit.store import ArtefactName, Store
from fer_audit.store_address import store_address
from fer_audit.training.stopwatch import Stopwatch
from fer_audit.training.weights import Weights, read_weights

#: Seconds between two reports on the steps of a training.
_REPORT_EVERY = 0.25

_NO_ROWS = np.empty(0, np.int64)

Send = Callable[[dict[str, Any]], None]


class UnfitError(FerAuditError):
    """A machine that would compute another result than the one that a training is known by."""


class Worker:
    """One process's share of the work: the program that is compiled now, and the dataset that is mapped."""

    def __init__(self, store: Store, registry: Registry, send: Send) -> None:
        """A worker on `store`, reporting through `send`."""
        self._store = store
        self._registry = registry
        self._send = send
        self.building = False  #: whether a failure now is the program's, and so that of all its trainings
        self._data: tuple[str, FaceData] | None = None
        self._program: tuple[str, Any] | None = None
        self._instruments: Any = None  #: of the program, once something was measured

    def train(self, job: dict[str, Any], *, wait: bool = False) -> None:
        """Does what a job asks for and the store lacks, unless another run is at it, for which it may `wait`."""
        wanted = TrainingJob.model_validate(job)
        with self._store.claim(*wanted.fit, wait=wait) as mine:
            if not mine:
                self._send({"event": "busy", "key": wanted.training.key})
                return
            self._send({"event": "claimed", "key": wanted.training.key})
            laps = self._train(wanted)
        self._send({"event": "done", "key": wanted.training.key, "laps": laps})

    def _train(self, wanted: TrainingJob) -> dict[str, float]:
        """The fit, what is kept along its way, answers and measures; returns the seconds of each."""
        watch = Stopwatch()
        missing = {artefact for artefact in wanted.artefacts() if not self._store.has(*artefact)}
        if missing:  # else another run on this store was faster
            self._check_versions(wanted.training)
            program = self._compiled(wanted.training.program)
            watch.lap("start")
            # Losses and predictions along the way can only be had by training again.
            if missing.intersection(wanted.along_the_way()):
                self._fit(program, wanted, missing, watch)
            else:
                program.load(read_weights(self._store, wanted.training.key))
            self._answer(program, wanted, missing)
            watch.lap("answers")
            self._measure(program, wanted, missing)
            watch.lap("measures")
        return watch.seconds

    def _alive(self) -> None:
        """A sign of life, for who waits: what takes long has come a step further."""
        self._send({"event": "alive"})

    @staticmethod
    def _check_versions(spec: TrainingSpec) -> None:
        """Raises UnfitError where this machine has other packages than those that the training is known by."""
        here = {name: _installed(name) for name in spec.versions}
        other = [name for name, version in spec.versions.items() if here[name] != version]
        if other:
            name = other[0]
            raise UnfitError(
                f"{name} is {here[name]} on {platform.node()}, but {spec.versions[name]} where the run was started; "
                f"install the same packages on every machine"
            )

    def _fit(self, program: Any, wanted: TrainingJob, missing: set[ArtefactName], watch: Stopwatch) -> None:
        from fer_audit.training.fit import TrainingData, fit

        spec = wanted.training
        data = TrainingData(
            faces=self._dataset(spec.data),
            rows=self._store.read_array(spec.rows),
            labels=self._store.read_array(spec.labels),
            augmentations=self._augmentations(spec),
            traced_labels=[self._store.read_array(digest) for digest in wanted.traces],
            follow_pool=wanted.follow_pool,
            held_out=np.concatenate([_NO_ROWS, *(self._store.read_array(digest) for digest in spec.held_out)]),
        )
        fitted = fit(program, spec, data, self._report(spec.key), watch)
        if wanted.fit not in missing:
            _check_same(fitted.weights, read_weights(self._store, spec.key), spec)
        else:
            arrays = [("arrays", digest) for digest in (spec.rows, spec.labels, *spec.held_out)]
            uses = [("datasets", spec.data), *arrays]
            self._store.write(*wanted.fit, partial(fitted.save, spec=spec), title=spec.title, uses=uses)
        for number, artefact in enumerate(wanted.losses()):
            if artefact in missing:
                uses = [wanted.fit, ("arrays", wanted.traces[number])]
                save = partial(fitted.save_trace, number=number)
                self._store.write(*artefact, save, title=f"losses of {spec.title}", uses=uses)
        for artefact in missing.intersection(wanted.followed()):
            title = f"predictions of {spec.title}"
            self._store.write(*artefact, fitted.save_followed, title=title, uses=[wanted.fit])
        watch.lap("write")

    def _answer(self, program: Any, wanted: TrainingJob, missing: Collection[ArtefactName]) -> None:
        from fer_audit.training.answers import answer, save_arrays

        for artefact, query in zip(wanted.answers(), wanted.queries, strict=True):
            if artefact in missing:
                arrays = answer(program, self._dataset(wanted.training.data), query)
                title = f"answers to {query} of {wanted.training.title}"
                self._store.write(*artefact, partial(save_arrays, arrays=arrays), title=title, uses=[wanted.fit])
                self._alive()

    def _measure(self, program: Any, wanted: TrainingJob, missing: set[ArtefactName]) -> None:
        if not missing.intersection(wanted.measured()):
            return
        from fer_audit.training.measures import Trained, measured

        trained = Trained(
            program=program,
            instruments=self._tools(program),
            faces=self._dataset(wanted.training.data),
            augmentations=self._augmentations(wanted.training),
            batch_size=wanted.training.program.batch_size,
            test_pixels=wanted.training.test_pixels,
            versions=wanted.training.versions,
            data=wanted.training.data,
            store=self._store,
        )
        failed: list[Exception] = []
        for artefact, measure in zip(wanted.measured(), wanted.measures, strict=True):
            if artefact in missing:
                title = f"{measure.kind} of {wanted.training.title}"
                try:
                    found = measured(trained, measure)
                    self._store.write(*artefact, found.save, title=title, uses=[wanted.fit, *found.uses])
                except Exception as error:  # noqa: BLE001 - the other measures are taken all the same
                    failed.append(error)
                self._alive()
        if failed:
            raise failed[0]

    def check_layer(self, job: dict[str, Any]) -> None:
        """Builds the program of the job; raises ExplanationError where its layer can't be explained."""
        spec = ProgramSpec.model_validate(job["program"])
        self._tools(self._compiled(spec)).cam(job["layer"])
        self._send({"event": "layer", "program": spec.key})

    def _tools(self, program: Any) -> Any:
        from fer_audit.training.measures import Instruments

        if self._instruments is None:
            self._instruments = Instruments(program)
        return self._instruments

    def _augmentations(self, spec: TrainingSpec) -> list[Augmentation]:
        return [cast("Augmentation", self._rebuild(identity)) for identity in spec.augmentations]

    def measure_latency(self, job: dict[str, Any]) -> None:
        """Times the inference of one image, and of several at once, with the program of the job."""
        from fer_audit.training.costs import timed

        spec = ProgramSpec.model_validate(job)
        program = self._compiled(spec)
        speeds = [speed._asdict() for speed in timed(program.logits, spec.input_shape)]
        self._send({"event": "latency", "program": spec.key, "speeds": speeds})

    def _compiled(self, spec: ProgramSpec) -> Any:
        from fer_audit.training.costs import keep_cost
        from fer_audit.training.program import Program

        if self._program is None or self._program[0] != spec.key:
            self._program = self._instruments = None  # frees the last program before the next one is built
            self.building = True
            model = cast("Model", self._rebuild(spec.model))
            program = Program(spec, model)
            keep_cost(self._store, spec, model)
            program.warm_up()
            self.building = False
            self._program = (spec.key, program)
        return self._program[1]

    def _dataset(self, fingerprint: str) -> FaceData:
        if self._data is None or self._data[0] != fingerprint:
            self._data = (fingerprint, open_cached(self._store, fingerprint))
        return self._data[1]

    def _rebuild(self, identity: PluginIdentity) -> Plugin:
        plugin = self._registry.create(identity.kind, identity.name, identity.params)
        if source_digest(type(plugin)) != identity.source:
            raise FerAuditError(f"the source of {identity.kind} {identity.name!r} changed during the run; run again")
        return plugin

    def _report(self, key: str) -> Callable[[int, int], None]:
        last = 0.0

        def on_step(done: int, steps: int) -> None:
            nonlocal last
            now = time.monotonic()
            if now - last >= _REPORT_EVERY or done == steps:
                last = now
                self._send({"event": "step", "key": key, "done": done, "steps": steps})

        return on_step


@functools.cache
def _installed(package: str) -> str:
    """The version of a package here."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _check_same(weights: Weights, stored: Weights, spec: TrainingSpec) -> None:
    """Losses along the way must be those of the weights that are kept; raises StoreError where they are not."""
    if weights.keys() != stored.keys() or any(not np.array_equal(weights[name], stored[name]) for name in weights):
        raise StoreError(
            f"training again gave other weights than the store has of {spec.title}, which another machine must have "
            f"made; use a store of this machine's own (--store)"
        )


def main() -> None:
    """Runs jobs until standard input closes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", required=True)
    parser.add_argument("--plugins", type=Path, action="append", default=[])
    parser.add_argument("--gpu-memory-mb", type=int)
    arguments = parser.parse_args()
    send = _take_standard_output()
    jobs = _read_jobs()
    # A plug-in may change the working directory, by which a store may be named.
    place = store_address(arguments.store)
    store = open_at(place.absolute() if isinstance(place, Path) else place)
    worker = Worker(store, Registry.load(arguments.plugins), send)
    _prepare_tensorflow(arguments.gpu_memory_mb)
    send({"event": "ready"})
    while True:
        _perform(worker, jobs.get(), send)


def _perform(worker: Worker, job: dict[str, Any], send: Send) -> None:
    worker.building = False
    try:
        if "training" in job:
            worker.train(job["training"], wait=job.get("wait", False))
        elif "layer" in job:
            worker.check_layer(job["layer"])
        else:
            worker.measure_latency(job["latency"])
    except UnfitError as error:
        send({"event": "unfit", "error": str(error), "program": True})
    except FerAuditError as error:
        send({"event": "failed", "error": str(error), "program": worker.building})
    except BaseException:  # noqa: BLE001 - a plug-in may raise anything, sys.exit included; only its cell fails
        send({"event": "failed", "error": traceback.format_exc(limit=-8), "program": worker.building})


def _take_standard_output() -> Send:
    """Keeps standard output for events; what plug-ins print goes to standard error, which is the log."""
    events: TextIO = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def send(event: dict[str, Any]) -> None:
        events.write(json.dumps(event) + "\n")
        events.flush()

    return send


def _read_jobs() -> queue.Queue[dict[str, Any]]:
    """Keeps standard input for jobs; a plug-in that asks for input finds its end, and does not wait for ever."""
    jobs: queue.Queue[dict[str, Any]] = queue.Queue()
    lines: TextIO = os.fdopen(os.dup(sys.stdin.fileno()), encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, sys.stdin.fileno())
    os.close(nothing)

    def read() -> None:
        try:
            for line in lines:
                jobs.put(json.loads(line))
        finally:
            os._exit(0)

    threading.Thread(target=read, name="jobs", daemon=True).start()
    return jobs


def _prepare_tensorflow(gpu_memory_mb: int | None = None) -> None:
    """One thread a worker, and a share of the graphics cards that this process sees, if it sees any.

    Many small ops gain little from more threads, and their sums then always add up in one order. It is also safer: with
    several threads oneDNN's convolutions write out of bounds, in plain Keras too, where a last batch is shorter than
    the others (TensorFlow 2.21).
    """
    import cv2
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    for card in tf.config.list_physical_devices("GPU"):
        if gpu_memory_mb is None:
            tf.config.experimental.set_memory_growth(card, True)
        else:
            limit = tf.config.LogicalDeviceConfiguration(memory_limit=gpu_memory_mb)
            tf.config.set_logical_device_configuration(card, [limit])
    cv2.setNumThreads(1)
    np.seterr(all="ignore")


if __name__ == "__main__":
    main()
