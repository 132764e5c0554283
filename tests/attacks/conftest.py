from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fer_audit.attacks import Signals


@pytest.fixture(scope="session")
def golden_signals(golden: Path) -> Signals:
    with np.load(golden / "world.npz") as world:
        return Signals(
            world["logits"],
            world["keep"],
            world["labels"],
            world["subjects"],
            world["population_logits"][:, :, None],
            world["population_labels"],
        )


@pytest.fixture(scope="session")
def world() -> Callable[..., Signals]:
    return make_world


def make_world(
    seed: int = 0, *, models: int = 6, rows: int = 300, leak: float = 0.0, queries: int = 1, classes: int = 3
) -> Signals:
    """Signals where rows differ in difficulty, subjects share noise within a model, and members gain `leak` logits."""
    rng = np.random.default_rng(seed)
    people = rows // 5
    subjects, labels = np.repeat(np.arange(people), 5), rng.integers(0, classes, rows)
    keep = np.empty((models, rows), np.bool_)
    for pair in range(0, models, 2):
        half = np.zeros(people, np.bool_)
        half[rng.permutation(people)[: people // 2]] = True
        keep[pair], keep[pair + 1] = half[subjects], ~half[subjects]
    logits = rng.normal(0, 1, (1, rows, 1, classes)) + rng.normal(0, 0.7, (models, rows, queries, classes))
    own = 2 + rng.normal(0, 2, rows) + rng.normal(0, 0.5, (models, people))[:, subjects] + leak * keep
    logits[:, np.arange(rows), :, labels] += own.T[:, :, None]
    return Signals(logits.astype(np.float32), keep, labels, subjects)
