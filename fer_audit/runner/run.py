"""Running a plan: train what is missing, time one image, and write the results."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from fer_audit.errors import GridError, StoreError
from fer_audit.grid import GridFile
from fer_audit.plan import Plan
from fer_audit.plugins import content_key
from fer_audit.results import Latency, Results, RunRecord, write_results, write_run
from fer_audit.runner.attempt_log import AttemptLog
from fer_audit.runner.canaries import CANARIES, canary_file, log_canaries
from fer_audit.runner.collect import collect
from fer_audit.runner.engines.engine import Engine
from fer_audit.runner.engines.events import Failed, Finished, Lost
from fer_audit.runner.progress import progress_for
from fer_audit.runner.rates import Rates
from fer_audit.runner.watcher import Watcher
from fer_audit.specs import COUNTING_SCHEMA, SIGNALS_SCHEMA, ProgramSpec, cost_key
from fer_audit.store import Store
from fer_audit.time_left import WorkLeft


@dataclass(frozen=True)
class Outcome:
    """What a run came to."""

    results: Results
    record: RunRecord
    failed: Mapping[str, str]  #: ids of the cells that are not done, and why in one line


def run_plan(
    plan: Plan,
    store: Store,
    folder: Path,
    *,
    engine: Engine,
    console: Console,
    command: str,
    watcher: Watcher | None = None,
) -> Outcome:
    """Trains on an open `engine` what is missing and writes results.json, run.json and the contact sheets to `folder`.

    A `watcher` shows how far it is as long as there are trainings.
    """
    began, opening = time.perf_counter(), opening_record(plan.file, engine.room(), command, engine.name)
    make_folder(folder)
    store.clean_temporary()
    reused = len(plan.done)
    _log_canaries(plan, folder)
    failures: dict[str, str] = {}
    finished: list[Finished] = []
    refused = engine.refused_layer(_named_layers(plan))
    if refused is not None:
        raise GridError(f"measures.explanations.layer: {refused}")
    if watcher is not None:
        watcher.start(opening)
    lost = train_missing(plan, store, engine, console, failures, finished, watcher)
    if watcher is not None:
        watcher.stop()  # speeds are measured while nothing else runs, and the last page is not its own
    latencies = _latencies(plan, store, engine)
    engine.close()  # workers are of no use any more, and hold memory
    results = collect(plan, store, failures, folder, console)
    write_results(results, folder / "results.json")
    failed = {cell.id: _last_line(cell.error) for cell in results.cells if cell.status != "done"}
    seconds = {event.training.key: round(event.seconds, 3) for event in finished}
    trained = sum(event.trained for event in finished)
    closing = {
        "finished": now(),
        "seconds": round(time.perf_counter() - began, 1),
        "trained": trained,
        "reused": reused,
        "failed": len(failures),
        "lost": lost,
        "training_seconds": seconds,
        "latencies": latencies,
    }
    record = opening.model_copy(update=closing)
    write_run(record, folder / "run.json")
    found = sum(not event.laps for event in finished)
    asked = len(finished) - trained - found
    besides = f"{asked} asked anew, " if asked else ""
    besides += f"{found} done by another run, " if found else ""
    console.print(
        f"{trained} trained, {besides}{reused} taken from the store, {len(failures)} failed, in {record.seconds:.0f} s",
        markup=False,
        highlight=False,
    )
    return Outcome(results, record, failed)


def _log_canaries(plan: Plan, folder: Path) -> None:
    """Writes which canaries are trained on, before anything is trained."""
    shutil.rmtree(folder / CANARIES, ignore_errors=True)
    for place, cell in enumerate(plan.cells):
        if cell.canaries is not None:
            log_canaries(folder / canary_file(place), cell.canaries.planted, plan.data.classes)


def opening_record(file: GridFile, workers: int, command: str, engine: str = "local") -> RunRecord:
    """What is known of a run when it starts; also of the checkout, which may move on while the models train."""
    commit, dirty = _git_state(file.base)
    return RunRecord(
        started=now(),
        command=command,
        grid_file=file.path.as_posix(),
        machine=_machine(),
        workers=workers,
        engine=engine,
        git_commit=commit,
        git_dirty=dirty,
    )


def now() -> str:
    """The time, ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _last_line(text: str) -> str:
    """The last line of an error, which is where a traceback says what happened."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "unknown reason")


def _named_layers(plan: Plan) -> list[tuple[ProgramSpec, str]]:
    """The layers that the grid names, of what is to be measured, with the programs that must have them."""
    named = {
        (training.spec.program.key, layer): training.spec.program
        for training in plan.missing
        for measure in training.job.measures
        if (layer := measure.params.get("layer")) is not None
    }
    return [(program, layer) for (_, layer), program in named.items()]


def make_folder(folder: Path) -> None:
    """Makes the folder of a report; raises StoreError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = f"can't write the report to {folder}: {error.strerror}; choose another folder with --reports"
        raise StoreError(reason) from None


def train_missing(
    plan: Plan,
    store: Store,
    engine: Engine,
    console: Console,
    failures: dict[str, str],
    finished: list[Finished],
    watcher: Watcher | None = None,
) -> int:
    """Trains what the store lacks, and adds what was finished, and why others failed, to `finished` and `failures`.

    Returns how many attempts were lost and made again.
    """
    missing = plan.missing
    if not missing:
        return 0
    left, rates, lost = WorkLeft(missing), Rates(store), 0
    with progress_for(console, len(missing)) as progress, AttemptLog(store) as log, rates.kept():
        for event in engine.run(missing):
            log.hear(event)
            if isinstance(event, Finished):
                left.remove(event.training)
                rates.learn(event)
                finished.append(event)
            elif isinstance(event, Failed):
                left.remove(event.training)
                failures[event.training.key] = event.error
                store.record_failure(event.training.key, f"{event.training.title}\n{event.error}\n")
            lost += isinstance(event, Lost)
            progress.hear(event, lambda: left.seconds(rates.known, engine.room()))
            if watcher is not None:
                watcher.check()
    return lost


def _latencies(plan: Plan, store: Store, engine: Engine) -> list[Latency]:
    """The latency of each model, measured once for a store, a machine and the versions of what computes."""
    # A network without batch statistics, for private training, is another one: that of the grid comes last and stays.
    trainings = sorted(plan.trainings.values(), key=lambda training: training.spec.program.private is None)
    specs = {training.spec.program.model.model_dump_json(): training.spec for training in trainings}
    keys = {model: _latency_key(spec.program, spec.versions) for model, spec in specs.items()}
    # A worker counts the costs of what it builds, so a program whose costs were lost is built again too.
    unknown = [
        spec.program
        for model, spec in specs.items()
        if not (store.has("latencies", keys[model]) and store.has("costs", cost_key(spec.program)))
    ]
    for program, message in engine.measure_latency(unknown) if unknown else ():
        store.write_json("latencies", keys[program.model.model_dump_json()], message["speeds"])
    models = {cell.model.label: keys[cell.model_identity.model_dump_json()] for cell in plan.cells}
    known = {label: store.read_json("latencies", key) for label, key in models.items()}
    size = plan.grid.training.image_size
    return [Latency(model=label, image_size=size, **speed) for label, speeds in known.items() for speed in speeds or ()]


def _latency_key(program: ProgramSpec, versions: dict[str, str]) -> str:
    content = [program.model.model_dump(), program.input_shape, program.classes, versions, SIGNALS_SCHEMA, _machine()]
    content += ["without batch statistics"] if program.private else []
    return content_key(["latency", COUNTING_SCHEMA, content])


def _machine() -> str:
    """The machine in a few words: processor, cores, system."""
    processor = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        processor = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), processor)
    except OSError:
        return f"{processor}, {os.cpu_count()} cores, {platform.system()}"
    return f"{processor}, {os.cpu_count()} cores, {platform.system()}"


def _git_state(folder: Path) -> tuple[str | None, bool | None]:
    """Commit of the checkout around `folder`, and whether it has changes; None where there is none."""
    git = shutil.which("git")
    if git is None:
        return None, None

    def ask(*words: str) -> str | None:
        answer = subprocess.run([git, *words], cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603
        return answer.stdout.strip() if answer.returncode == 0 else None

    commit = ask("rev-parse", "HEAD")
    status = ask("status", "--porcelain") if commit else None
    return commit, None if status is None else bool(status)
