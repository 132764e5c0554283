from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.special import log_softmax

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
    seed: int = 0,
    *,
    models: int = 6,
    rows: int = 300,
    leak: float = 0.0,
    queries: int = 1,
    classes: int = 3,
    population: int = 100,
) -> Signals:
    """Signals where rows differ in difficulty, subjects share noise within a model, and members gain `leak` logits.

    The population is like the rows, without members; losses fall over six epochs towards where they end.
    """
    rng = np.random.default_rng(seed)
    people, extra = rows // 5, population // 5
    subjects, labels = np.repeat(np.arange(people + extra), 5), rng.integers(0, classes, 5 * (people + extra))
    keep = np.zeros((models, len(labels)), np.bool_)
    for pair in range(0, models, 2):
        half = np.zeros(people, np.bool_)
        half[rng.permutation(people)[: people // 2]] = True
        keep[pair : pair + 2, : 5 * people] = np.array([half, ~half])[: models - pair, subjects[: 5 * people]]
    shape = (models, len(labels), queries, classes)
    logits = rng.normal(0, 1, (1, len(labels), 1, classes)) + rng.normal(0, 0.7, shape)
    own = 2 + rng.normal(0, 2, len(labels)) + rng.normal(0, 0.5, (models, people + extra))[:, subjects] + leak * keep
    logits[:, np.arange(len(labels)), :, labels] += own.T[:, :, None]
    logits = logits.astype(np.float32)
    pool, outside = slice(5 * people), slice(5 * people, None)
    loss = -log_softmax(logits[:, :, 0].astype(np.float64), axis=2)[:, np.arange(len(labels)), labels]
    trace = (
        loss[:, pool, None]
        + rng.normal(0, 0.1, (models, 5 * people, 6))
        + np.linspace(2, 0, 6) * np.exp(-loss[:, pool, None])
    )
    return Signals(
        logits[:, pool],
        keep[:, pool],
        labels[pool],
        subjects[pool],
        logits[:, outside] if population else None,
        labels[outside] if population else None,
        trace,
    )
