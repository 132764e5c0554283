"""Signals that are drawn, not measured, so that what is true of them is known."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fer_audit.attacks.signals import Signals

Floats = npt.NDArray[np.float64]

#: Epochs of the loss trace.
_EPOCHS = 6


def toy_signals(
    seed: int = 0,
    *,
    models: int = 6,
    rows: int = 300,
    leak: float = 0.0,
    confidence: float = 2.0,
    spread: float = 2.0,
    queries: int = 1,
    classes: int = 3,
    population: int = 100,
    together: int = 5,
    steady: float = 0.0,
    paired: bool = True,
) -> Signals:
    """Signals of models in complementary pairs, where rows differ in difficulty and subjects share noise in a model.

    The logit of the label is normal around `confidence` with deviation `spread`, and members gain `leak`; with a leak
    of 0 nothing that the models say tells members from non-members. The population is like the rows, without members.
    Losses fall over six epochs towards where they end.

    Args:
        seed: of everything.
        models: M, targets and references alike.
        rows: N, rounded down to whole subjects.
        leak: logits that membership adds to the label.
        confidence: mean logit of the label.
        spread: deviation of the label's logit over rows.
        queries: Q, whose answers differ by noise.
        classes: C.
        population: Z, likewise rounded down; 0 for none.
        together: rows of one subject, who is a member with all of them or with none.
        steady: share of the noise between queries that members lack.
        paired: whether models come in complementary pairs; else each subject is in half of them, drawn anew for each.
    """
    rng = np.random.default_rng(seed)
    people, extra = rows // together, population // together
    subjects = np.repeat(np.arange(people + extra), together)
    labels = rng.integers(0, classes, len(subjects))
    keep = np.zeros((models, len(labels)), np.bool_)
    pool, outside = slice(together * people), slice(together * people, None)
    halves = _paired_halves(models, people, rng) if paired else _balanced_halves(models, people, rng)
    keep[:, pool] = halves[:, subjects[pool]]
    shape = (models, len(labels), queries, classes)
    noise = rng.normal(0, 1, (1, len(labels), 1, classes))
    noise = noise + rng.normal(0, 0.7, shape) * (1 - steady * keep)[:, :, None, None]
    own = confidence + rng.normal(0, spread, len(labels)) + rng.normal(0, 0.5, (models, people + extra))[:, subjects]
    noise[:, np.arange(len(labels)), :, labels] += (own + leak * keep).T[:, :, None]
    logits = noise.astype(np.float32)
    return Signals(
        logits[:, pool],
        keep[:, pool],
        labels[pool],
        subjects[pool],
        logits[:, outside] if population else None,
        labels[outside] if population else None,
        _trace(logits[:, pool, 0], labels[pool], rng),
    )


def _paired_halves(models: int, people: int, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Which model trained on which person (M, S): random halves and their complements."""
    keep = np.zeros((models, people), np.bool_)
    for pair in range(0, models, 2):
        half = np.zeros(people, np.bool_)
        half[rng.permutation(people)[: people // 2]] = True
        keep[pair : pair + 2] = np.array([half, ~half])[: models - pair]
    return keep


def _balanced_halves(models: int, people: int, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """(M, S), every person in half of the models: how many of the others hold a row then tells of each model."""
    return np.asarray(np.argsort(rng.random((models, people)), axis=0) < models // 2)


def _trace(logits: npt.NDArray[np.float32], labels: npt.NDArray[np.int64], rng: np.random.Generator) -> Floats:
    """Losses (M, N, E) that end where those of `logits` (M, N, C) are; the lower they end, the higher they start."""
    from scipy.special import log_softmax

    loss = -log_softmax(logits.astype(np.float64), axis=2)[:, np.arange(len(labels)), labels]
    noise = rng.normal(0, 0.1, (*loss.shape, _EPOCHS))
    return np.asarray(loss[:, :, None] + noise + np.linspace(2, 0, _EPOCHS) * np.exp(-loss[:, :, None]), np.float64)
