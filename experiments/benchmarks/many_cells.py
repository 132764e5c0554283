"""What a grid of very many cells costs before and after training: seconds and peak memory of each step.

    python experiments/benchmarks/many_cells.py [--cells 100000] [--folder FOLDER]

Ten models, ten augmentations, ten label attacks and as many seeds as it takes, without membership attacks: as many
trainings as cells. Nothing is trained: what a worker would leave in the store is written with random answers. Targets
for 100,000 cells: the plan of an empty store in under 30 s and 1,000 MB; a finished grid, which is its plan with the
look-up of every training, then its results, in under 30 s. Every step runs in a process of its own.

The look-up reads every file and compares it with its checksum; how much of that is reading and how much is hashing is
measured beside it, with the files in the cache of the system, as they are in the look-up.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import tempfile
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from rich.console import Console
from side import run
from table import below, heading, note, show

from fer_audit.grid import read_grid
from fer_audit.plan import Plan, make_plan
from fer_audit.report.page import render
from fer_audit.results import Cost, Epoch, RunRecord, write_results, write_run
from fer_audit.runner.collect import collect
from fer_audit.specs import Training, cost_key
from fer_audit.store import Store

TARGET_SECONDS, TARGET_MEGABYTES, TARGET_CELLS = 30, 1000, 100_000
WEIGHTS = 16  #: numbers of a simulated network


def main() -> None:
    """Prints a table with a line for each step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=TARGET_CELLS, help="a multiple of 1,000")
    parser.add_argument("--folder", type=Path, help="where the store is made; some 50 KB of disk a cell")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        show_all(options.cells, Path(folder))


def show_all(cells: int, folder: Path) -> None:
    """Measures every step on `cells` cells, in a `folder` that is empty."""
    (folder / "grid.yaml").write_text(yaml.safe_dump(grid_of(cells)), encoding="utf-8")
    heading(f"A grid of {cells:,} cells")
    steps = ("planned", "filled", "planned", "read_again", "collected", "rendered")
    empty, fill, known, parts, made, page = (run(f"many_cells:{step}", folder=str(folder)) for step in steps)
    resumed = {name: known[name] + made[name] + made["writing"][name] for name in ("seconds", "processor")}
    row = partial(_row, cells)
    show(
        [
            ("step", "seconds", "processor", "a cell", "peak memory", ""),
            row("plan of an empty store", empty, _target(cells, empty["seconds"], empty["megabytes"])),
            row("  of it reading the grid, plug-ins and data", empty["before"]),
            row("filling the store, as workers do", fill),
            row("plan of the finished grid, all looked up", known),
            row("  opening and reading its files takes", parts["reading"]),
            row("  hashing them takes", parts["hashing"]),
            row("results", made),
            row("results.json", made["writing"]),
            row("resume: plan, results, results.json", resumed, _target(cells, resumed["seconds"])),
            row("page", page),
        ]
    )
    note(f"{empty['trainings']:,} trainings; {known['done']:,} found whole in {parts['files']:,} files")
    note(f"results.json {_size(folder / 'results.json')}, the page {_size(folder / 'report.html')}")


def grid_of(cells: int) -> dict[str, Any]:
    """A grid of that many cells, each of which is a training of its own."""
    if cells < 1000 or cells % 1000:
        raise ValueError(f"expected a multiple of 1,000 cells, received {cells}")
    return {
        "name": "many",
        "dataset": {"name": "synthface", "params": {"rows": 140, "test_rows": 70, "population_rows": 0}},
        "models": [_ref("mini-xception", norm_momentum=round(0.9 + place / 200, 3)) for place in range(10)],
        "augmentations": ["none", *(_ref("mixup", alpha=place / 10) for place in range(1, 10))],
        "attacks": {"labels": ["none", *(_ref("symmetric", rate=place / 10) for place in range(1, 10))]},
        "seeds": list(range(cells // 1000)),
        "training": {"image_size": 16, "epochs": 1},
    }


def _ref(name: str, **params: float) -> dict[str, Any]:
    return {"name": name, "params": params}


def _target(cells: int, seconds: float, megabytes: float | None = None) -> str:
    if cells != TARGET_CELLS:
        return f"targets are for {TARGET_CELLS:,} cells"
    kept = [below(seconds, TARGET_SECONDS, "s")]
    return "; ".join(kept if megabytes is None else [*kept, below(megabytes, TARGET_MEGABYTES, "MB")])


def _row(cells: int, title: str, found: Mapping[str, float], verdict: str = "") -> tuple[str, ...]:
    worked = f"{found['processor']:,.1f}" if "processor" in found else ""
    memory = f"{found['megabytes']:,.0f} MB" if "megabytes" in found else ""
    return title, f"{found['seconds']:,.1f}", worked, f"{1e6 * found['seconds'] / cells:,.0f} us", memory, verdict


def _size(path: Path) -> str:
    return f"{path.stat().st_size / 1e6:,.1f} MB"


def planned(folder: str) -> dict[str, Any]:
    """The plan, and the seconds of what comes before its first cell; how much was found done."""
    began = _Clock()
    plan = _plan(Path(folder))
    found = began.told()
    # A plan of one cell reads the same grid, plug-ins and data.
    again = _Clock()
    _plan(Path(folder), [plan.cells[0].id])
    return {**found, "before": again.told(), "trainings": len(plan.trainings), "done": len(plan.done)}


def filled(folder: str) -> dict[str, Any]:
    """Writes what workers would have left in the store."""
    plan, store, rng = _plan(Path(folder)), _store(Path(folder)), np.random.default_rng(0)
    began = _Clock()
    for program in plan.programs.values():
        store.write_json("costs", cost_key(program), _COST)
    for training in plan.trainings.values():
        _write(store, training, plan, rng)
    return began.told()


#: What is counted of a network, without its layers.
_COST = dict.fromkeys((name for name in Cost.model_fields if name not in ("model", "layers")), 1000)


def _write(store: Store, training: Training, plan: Plan, rng: np.random.Generator) -> None:
    """The artefacts of a training of cost zero."""
    job, spec, classes = training.job, training.spec, len(plan.data.classes)

    def logits(rows: int) -> np.ndarray[Any, np.dtype[np.float32]]:
        return rng.normal(size=(rows, classes)).astype(np.float32)

    def fit(draft: Path) -> None:
        np.savez(draft / "weights.npz", kernel=logits(WEIGHTS))
        _save(draft, {"test": logits(len(plan.data.test))})
        history = [Epoch(train_loss=1.0, train_accuracy=0.5, test_loss=1.0, test_accuracy=0.5).model_dump()]
        (draft / "history.json").write_text(json.dumps(history, indent=1), encoding="utf-8")
        (draft / "spec.json").write_text(json.dumps(spec.content(), indent=1), encoding="utf-8")

    uses = [("datasets", spec.data), ("arrays", spec.rows), ("arrays", spec.labels)]
    store.write(*job.fit, fit, title=spec.title, uses=uses)
    answers = {"pool": logits(len(plan.data.pool)), "population": logits(len(plan.data.population))}
    for artefact in job.answers():
        title = f"answers of {spec.title}"
        store.write(*artefact, partial(_save, arrays=answers), title=title, uses=[job.fit])


def _save(draft: Path, arrays: Mapping[str, np.ndarray[Any, Any]]) -> None:
    """As `fer_audit.training.answers` saves them, without TensorFlow, which that module needs."""
    for name, array in arrays.items():
        np.save(draft / f"{name}.npy", array, allow_pickle=False)


def read_again(folder: str) -> dict[str, Any]:
    """Seconds to open and read every file of every training, and seconds to hash what was read."""
    plan, store = _plan(Path(folder)), _store(Path(folder))
    reading, hashing, files = 0.0, 0.0, 0
    for training in plan.trainings.values():
        for artefact in training.job.artefacts():
            began = time.perf_counter()
            contents = _contents(store.path(*artefact))
            read = time.perf_counter()
            for content in contents:
                hashlib.sha256(content).hexdigest()
            reading, hashing = reading + read - began, hashing + time.perf_counter() - read
            files += len(contents)
    return {"reading": {"seconds": reading}, "hashing": {"seconds": hashing}, "files": files}


def _contents(folder: Path) -> list[bytes]:
    with os.scandir(folder) as entries:
        return [Path(entry.path).read_bytes() for entry in entries]


def collected(folder: str) -> dict[str, Any]:
    """The results of the finished grid, and their file."""
    plan, place = _plan(Path(folder)), Path(folder)
    began = _Clock()
    results = collect(plan, _store(place), {}, place, Console(quiet=True))
    found = began.told()
    began = _Clock()
    write_results(results, place / "results.json")
    moment = "2000-01-01T00:00:00+00:00"
    write_run(RunRecord(started=moment, finished=moment, grid_file="grid.yaml"), place / "run.json")
    return {**found, "writing": began.told()}


def rendered(folder: str) -> dict[str, Any]:
    """The page of the results."""
    began = _Clock()
    render(Path(folder))
    return began.told()


class _Clock:
    """What passed since it was made: on a busy machine the processor tells more than the wall."""

    def __init__(self) -> None:
        self._began, self._worked = time.perf_counter(), time.process_time()

    def told(self) -> dict[str, float]:
        """Seconds, seconds of the processor, and the most memory that this process ever had, in MB."""
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
        worked = time.process_time() - self._worked
        return {"seconds": time.perf_counter() - self._began, "processor": worked, "megabytes": most}


def _plan(folder: Path, cells: list[str] | None = None) -> Plan:
    return make_plan(read_grid(folder / "grid.yaml"), _store(folder), cells or [])


def _store(folder: Path) -> Store:
    return Store(folder / "store")


if __name__ == "__main__":
    main()
