"""One fit: a program run on some rows from a seed, and the record that it leaves."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fer_audit.augmentations.augmentation import Augmentation
from fer_audit.data.dataset import FaceData
from fer_audit.results import Epoch
from fer_audit.specs import TrainingSpec
from fer_audit.training.answers import DivergedError, cross_entropy, finite_logits, save_arrays
from fer_audit.training.batches import Batches
from fer_audit.training.optimizer import learning_rate
from fer_audit.training.program import Program
from fer_audit.training.stopwatch import Stopwatch
from fer_audit.training.weights import Weights

#: Hears of steps done and steps in all.
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class TrainingData:
    """What a fit learns from, and what it is followed on."""

    faces: FaceData
    rows: npt.NDArray[np.int64]  #: (K,), indices into the pool
    labels: npt.NDArray[np.int64]  #: (K,), the given labels of those rows
    augmentations: Sequence[Augmentation]
    traced_labels: Sequence[npt.NDArray[np.int64]] = ()  #: each (N,): labels of the pool whose losses are kept
    follow_pool: bool = False  #: whether predictions on the pool are kept


@dataclass(frozen=True)
class RowImages:
    """Some images of many, one by one: all together may not fit into memory."""

    images: npt.NDArray[np.uint8]  #: (N, H, W, 3)
    rows: npt.NDArray[np.int64]  #: (K,)

    def __iter__(self) -> Iterator[npt.NDArray[np.uint8]]:
        images = np.asarray(self.images)  # a plain view: indexing a np.memmap costs more
        return (images[row] for row in self.rows)


@dataclass(frozen=True)
class Fitted:
    """What a fit leaves."""

    weights: Weights
    history: Sequence[Epoch]
    test: npt.NDArray[np.float32]  #: logits (T, C)
    traces: Sequence[npt.NDArray[np.float32]]  #: (N, E) losses, for each of the traced labels
    followed: npt.NDArray[np.int16]  #: (N, E) predictions on the pool, or (N, 0) where they were not followed

    def save(self, folder: Path, spec: TrainingSpec) -> None:
        """Writes weights, history, logits of the test rows, and the spec that led to them."""
        np.savez(folder / "weights.npz", **self.weights)
        save_arrays(folder, {"test": self.test})
        history = [epoch.model_dump() for epoch in self.history]
        (folder / "history.json").write_text(json.dumps(history, indent=1), encoding="utf-8")
        (folder / "spec.json").write_text(json.dumps(spec.content(), indent=1), encoding="utf-8")

    def save_trace(self, folder: Path, number: int) -> None:
        """Writes the losses (N, E) against the traced labels of that `number`."""
        save_arrays(folder, {"loss": self.traces[number]})

    def save_followed(self, folder: Path) -> None:
        """Writes the predictions (N, E) on the pool."""
        np.save(folder / "predictions.npy", self.followed, allow_pickle=False)


def fit(
    program: Program, spec: TrainingSpec, data: TrainingData, on_step: Progress, watch: Stopwatch | None = None
) -> Fitted:
    """Trains from the seed of `spec`; raises DivergedError as soon as a loss is not finite."""
    watch = watch or Stopwatch()
    program.reset(spec.seed, RowImages(data.faces.pool.images, data.rows))
    watch.lap("reset")
    batches = Batches(
        data.faces.pool.images,
        data.rows,
        data.labels,
        classes=spec.program.classes,
        batch_size=spec.program.batch_size,
        augmentations=data.augmentations,
        seed=spec.seed,
    )
    history, losses = [], [list[npt.NDArray[np.float64]]() for _ in data.traced_labels]
    followed = [np.empty((len(data.faces.pool), 0), np.int16)]
    for train_loss, train_accuracy in _run_epochs(program, spec, batches, len(data.rows), on_step):
        watch.lap("steps")
        test_loss, test_accuracy = _test(program, data.faces) if spec.test_labels else (None, None)
        epoch = Epoch(
            train_loss=train_loss, train_accuracy=train_accuracy, test_loss=test_loss, test_accuracy=test_accuracy
        )
        history.append(epoch)
        if data.traced_labels or data.follow_pool:
            logits = program.logits(data.faces.pool.images)
            if data.follow_pool:
                followed.append(logits.argmax(axis=1).astype(np.int16)[:, None])
            for trace, labels in zip(losses, data.traced_labels, strict=True):
                trace.append(cross_entropy(logits, labels))
        watch.lap("follow")
    fitted = Fitted(
        weights=program.weights(),
        history=history,
        test=finite_logits(program, data.faces.test.images),
        traces=[np.stack(trace, axis=1).astype(np.float32) for trace in losses],
        followed=np.concatenate(followed, axis=1),
    )
    watch.lap("answers")
    return fitted


def _run_epochs(
    program: Program, spec: TrainingSpec, batches: Batches, rows: int, on_step: Progress
) -> Iterator[tuple[float, float]]:
    """Makes all steps; after each epoch yields the mean loss and the accuracy on the batches as they were seen."""
    steps = len(batches) * spec.epochs
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
            yield loss_sum / rows, correct_sum / rows
            loss_sum, correct_sum = 0.0, 0


def _test(program: Program, faces: FaceData) -> tuple[float, float]:
    """Mean cross-entropy and accuracy on the test split."""
    logits, labels = finite_logits(program, faces.test.images), np.asarray(faces.test.labels)
    return float(cross_entropy(logits, labels).mean()), float((logits.argmax(axis=1) == labels).mean())
