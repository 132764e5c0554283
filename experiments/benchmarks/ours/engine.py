"""fer-audit's trainings by its real path: a grid, a plan, the local engine and its workers."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from settings import BATCH, LEARNING_RATE, TEST_ROWS, WEIGHT_DECAY

from fer_audit.grid import read_grid
from fer_audit.plan import Plan, make_plan
from fer_audit.runner.engines.events import Event, Failed, Finished, Stepped
from fer_audit.runner.engines.local import LocalEngine
from fer_audit.specs import Training
from fer_audit.store import Store


@dataclass
class Trained:
    """A training as its events tell of it."""

    training: Training
    moments: list[tuple[float, int]] = field(default_factory=list)  #: when (s), steps done
    steps: int = 0
    seconds: float = 0.0
    start_seconds: float = 0.0
    laps: dict[str, float] = field(default_factory=dict)  #: seconds of each phase but the start

    def images_at(self, moments: Sequence[float]) -> Any:
        """Images seen at each of `moments`."""
        times, done = zip(*self.moments, strict=True)
        return np.interp(moments, times, done) * self.training.images / self.steps

    @property
    def steady(self) -> tuple[float, float]:
        """From the end of the first epoch to the last step."""
        times, done = zip(*self.moments, strict=True)
        first_epoch = self.steps / self.training.spec.epochs
        return float(np.interp(first_epoch, done, times)), times[-1]


def grid(rows: int, size: int, epochs: int, **changes: Any) -> dict[str, Any]:
    """A grid of GhostFace on drawn faces: AdamW at a constant rate, one utility model a seed, no attack."""
    optimizer = {"name": "adamw", "learning_rate": LEARNING_RATE, "weight_decay": WEIGHT_DECAY, "schedule": "constant"}
    training = {"image_size": size, "epochs": epochs, "batch_size": BATCH, "optimizer": optimizer}
    dataset = {"name": "synthface", "params": {"rows": rows, "test_rows": TEST_ROWS}}
    return {"dataset": dataset, "models": ["ghostface"], "training": training, **changes}


@contextmanager
def planned(content: Mapping[str, Any], plugin: str = "") -> Iterator[tuple[Plan, Store]]:
    """The plan of a grid with an empty store, in a folder that is removed; `plugin` is the source of a plug-in."""
    with tempfile.TemporaryDirectory(prefix="fer-audit-benchmark-") as folder:
        root = Path(folder)
        if plugin:
            (root / "plugins").mkdir()
            (root / "plugins" / "plugin.py").write_text(plugin, encoding="utf-8")
            content = {**content, "plugins": ["plugins/"]}
        (root / "grid.yaml").write_text(yaml.safe_dump(dict(content)), encoding="utf-8")
        store = Store(root / "store")
        yield make_plan(read_grid(root / "grid.yaml"), store), store


@contextmanager
def engine_for(plan: Plan, store: Store, workers: int) -> Iterator[LocalEngine]:
    """The engine of a run of `plan`."""
    with LocalEngine(store, plan.file.plugin_folders, workers) as engine:
        yield engine


def train(engine: LocalEngine, trainings: Sequence[Training]) -> list[Trained]:
    """Runs `trainings`; raises RuntimeError where one fails."""
    trained = {training.key: Trained(training) for training in trainings}
    for event in engine.run(trainings):
        _hear(event, trained[event.training.key])
    return list(trained.values())


def _hear(event: Event, trained: Trained) -> None:
    if isinstance(event, Failed):
        raise RuntimeError(f"{event.training.title} failed: {event.error}")
    if isinstance(event, Stepped):
        trained.moments.append((time.perf_counter(), event.done))
        trained.steps = event.steps
    elif isinstance(event, Finished):
        trained.seconds, trained.start_seconds = event.seconds, event.start_seconds
        trained.laps = {name: seconds for name, seconds in event.laps.items() if name != "start"}


def machine_rate(trained: Sequence[Trained]) -> float:
    """Images/s of trainings that ran at once, summed, over the time in which all were past their first epoch."""
    begins, ends = zip(*(one.steady for one in trained), strict=True)
    window = (max(begins), min(ends))
    if window[1] <= window[0]:
        raise RuntimeError("the trainings did not overlap; use more epochs")
    seen = [one.images_at(window) for one in trained]
    return float(sum(after - before for before, after in seen) / (window[1] - window[0]))
