"""One fit: a program run on some rows from a seed, and everything that the rest of the audit reads of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fer_audit.augmentations.augmentation import Augmentation
from fer_audit.data.dataset import FaceData
from fer_audit.errors import FerAuditError
from fer_audit.results import Epoch
from fer_audit.specs import TrainingSpec
from fer_audit.training.batches import Batches
from fer_audit.training.optimizer import learning_rate
from fer_audit.training.program import Program
from fer_audit.training.queries import QUERIES

Progress = Callable[[int, int], None]


class DivergedError(FerAuditError):
    """A training whose loss is no longer a number."""


@dataclass(frozen=True)
class Fitted:
    """What a training leaves."""

    weights: dict[str, npt.NDArray[Any]]
    history: list[Epoch]
    pool: npt.NDArray[np.float32]  #: logits (N, Q, C)
    test: npt.NDArray[np.float32]  #: logits (T, C)
    population: npt.NDArray[np.float32]  #: logits (Z, Q, C)

    def save(self, folder: Path) -> None:
        """Writes the files of the artefact."""
        np.savez(folder / "weights.npz", **self.weights)
        for name in ("pool", "test", "population"):
            np.save(folder / f"{name}.npy", getattr(self, name), allow_pickle=False)
        history = [epoch.model_dump() for epoch in self.history]
        (folder / "history.json").write_text(json.dumps(history, indent=1), encoding="utf-8")


def fit(
    program: Program,
    spec: TrainingSpec,
    data: FaceData,
    rows: npt.NDArray[np.int64],
    labels: npt.NDArray[np.int64],
    augmentations: Sequence[Augmentation],
    on_step: Progress,
) -> Fitted:
    """Trains on `rows` (K,) of the pool with `labels` (K,); `on_step` hears steps done and steps in all.

    Raises DivergedError as soon as a loss is not finite.
    """
    images = np.asarray(data.pool.images[rows])
    program.reset(spec.seed, images)
    batches = Batches(
        images,
        labels,
        classes=spec.program.classes,
        batch_size=spec.program.batch_size,
        augmentations=augmentations,
        seed=spec.seed,
    )
    history = _run_steps(program, spec, batches, len(rows), data, on_step)
    fitted = Fitted(
        weights=program.weights(),
        history=history,
        pool=_ask(program, data.pool.images, spec.queries),
        test=program.logits(data.test.images),
        population=_ask(program, data.population.images, spec.queries),
    )
    if not all(np.isfinite(logits).all() for logits in (fitted.pool, fitted.test, fitted.population)):
        raise DivergedError(
            f"the trained network answers with logits that are not finite; lower learning_rate (now "
            f"{spec.learning_rate})"
        )
    return fitted


def _run_steps(
    program: Program, spec: TrainingSpec, batches: Batches, rows: int, data: FaceData, on_step: Progress
) -> list[Epoch]:
    steps = len(batches) * spec.epochs
    history: list[Epoch] = []
    loss_sum, correct_sum = 0.0, 0
    for step, (epoch, (images, soft_labels)) in enumerate(batches.all_epochs(spec.epochs)):
        rate = learning_rate(spec.learning_rate, spec.schedule, step, steps)
        loss, correct = program.step(images, soft_labels, step + 1, rate)
        if not np.isfinite(loss):
            raise DivergedError(
                f"the loss became {loss} in epoch {epoch + 1}, step {step + 1}; lower learning_rate "
                f"(now {spec.learning_rate})"
            )
        loss_sum, correct_sum = loss_sum + loss, correct_sum + correct
        on_step(step + 1, steps)
        if (step + 1) % len(batches) == 0:
            follow = spec.test_labels is not None
            test_loss, test_accuracy = _test(program, data) if follow else (None, None)
            history.append(
                Epoch(
                    train_loss=loss_sum / rows,
                    train_accuracy=correct_sum / rows,
                    test_loss=test_loss,
                    test_accuracy=test_accuracy,
                )
            )
            loss_sum, correct_sum = 0.0, 0
    return history


def _test(program: Program, data: FaceData) -> tuple[float, float]:
    """Mean cross-entropy and accuracy on the test split."""
    logits = program.logits(data.test.images).astype(np.float64)
    labels = np.asarray(data.test.labels)
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_likelihood = shifted[np.arange(len(labels)), labels] - np.log(np.exp(shifted).sum(axis=1))
    return float(-log_likelihood.mean()), float((logits.argmax(axis=1) == labels).mean())


def _ask(program: Program, images: npt.NDArray[np.uint8], queries: Sequence[str]) -> npt.NDArray[np.float32]:
    """Logits (K, Q, C) of `images` under each query."""
    return np.stack([program.logits(QUERIES[query](images)) for query in queries], axis=1)
