"""One fit: a program run on some rows from a seed, as a defence asks, and the record that it leaves."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fer_audit.augmentations.augmentation import Augmentation
from fer_audit.data.dataset import FaceData
from fer_audit.results import Epoch
from fer_audit.specs import PrivateTraining, SmoothedLabels, StoppedEarly, TrainingSpec
from fer_audit.training.answers import DivergedError, cross_entropy, finite_logits, save_arrays
from fer_audit.training.batches import Batches
from fer_audit.training.held_out import HeldOut
from fer_audit.training.optimizer import learning_rate
from fer_audit.training.program import Program
from fer_audit.training.sampling import PoissonSampled, Sampling, Shuffled
from fer_audit.training.stopwatch import Stopwatch
from fer_audit.training.trail import Trail
from fer_audit.training.weights import Weights

#: Hears of steps done and steps in all.
Progress = Callable[[int, int], None]

#: A step on images and labels, with its number and learning rate; returns the summed loss and the correct rows.
_Step = Callable[[npt.NDArray[np.uint8], npt.NDArray[np.float32], int, float], tuple[float, int]]


@dataclass(frozen=True)
class TrainingData:
    """What a fit learns from, and what it is followed on."""

    faces: FaceData
    rows: npt.NDArray[np.int64]  #: (K,), indices into the pool
    labels: npt.NDArray[np.int64]  #: (K,), the given labels of those rows
    augmentations: Sequence[Augmentation]
    traced_labels: Sequence[npt.NDArray[np.int64]] = ()  #: each (N,): labels of the pool whose losses are kept
    follow_pool: bool = False  #: whether predictions on the pool are kept
    #: (H,), places in `rows` that are not trained on, as early stopping judges by them
    held_out: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))

    @property
    def learnt(self) -> npt.NDArray[np.int64]:
        """Places in `rows` that are trained on."""
        return np.setdiff1d(np.arange(len(self.rows)), self.held_out)


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
    """What a fit leaves.

    With early stopping all but the history ends at the epoch whose weights are kept; that epoch's losses and
    predictions then stand for all later ones, so that every training of a recipe has as many.
    """

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
    """Trains from the seed of `spec` under its defence; raises DivergedError as soon as a loss is not finite.

    A guarantee of differential privacy covers the weights after every step, and so all that is read of them, but not
    the losses and accuracies on training batches in the history: no noise is added to these.
    """
    watch = watch or Stopwatch()
    # A private program shows its layers public values in place of these rows.
    program.reset(spec.seed, RowImages(data.faces.pool.images, data.rows[data.learnt]))
    watch.lap("reset")
    batches, held_out, history = _batches(spec, data), _held_out(spec, data), list[Epoch]()
    trail = Trail(data.faces.pool.images, data.traced_labels, follow=data.follow_pool)
    with contextlib.closing(_run_epochs(program, spec, batches, on_step)) as epochs:
        for train_loss, train_accuracy in epochs:
            watch.lap("steps")
            test_loss, test_accuracy = _test(program, data.faces) if spec.test_labels else (None, None)
            epoch = Epoch(
                train_loss=train_loss,
                train_accuracy=train_accuracy,
                test_loss=test_loss,
                test_accuracy=test_accuracy,
                held_out_loss=held_out.judge(program) if held_out else None,
            )
            history.append(epoch)
            trail.follow(program)
            watch.lap("follow")
            if held_out and held_out.out_of_patience:
                on_step(len(batches) * spec.epochs, len(batches) * spec.epochs)
                break
    kept = len(history)
    if held_out:
        program.load(held_out.weights)
        kept -= held_out.since
    fitted = Fitted(
        weights=program.weights(),
        history=history,
        test=finite_logits(program, data.faces.test.images),
        traces=trail.losses(kept, spec.epochs),
        followed=trail.predictions(kept, spec.epochs),
    )
    watch.lap("answers")
    return fitted


def _batches(spec: TrainingSpec, data: TrainingData) -> Batches:
    rows = data.rows[data.learnt]
    return Batches(
        data.faces.pool.images,
        rows,
        data.labels[data.learnt],
        classes=spec.program.classes,
        sampling=_sampling(spec, len(rows)),
        augmentations=data.augmentations,
        seed=spec.seed,
        smoothing=spec.defence.smoothing if isinstance(spec.defence, SmoothedLabels) else 0.0,
    )


def _sampling(spec: TrainingSpec, rows: int) -> Sampling:
    if not isinstance(spec.defence, PrivateTraining):
        return Shuffled(rows, spec.program.batch_size)
    kind = PoissonSampled if spec.defence.sampling == "poisson" else Shuffled
    return kind(rows, spec.program.batch_size, spec.defence.nominal_rows)


def _step(program: Program, spec: TrainingSpec) -> _Step:
    if isinstance(spec.defence, PrivateTraining):
        return partial(program.private_step, mechanism=spec.defence)
    return program.step


def _held_out(spec: TrainingSpec, data: TrainingData) -> HeldOut | None:
    if not isinstance(spec.defence, StoppedEarly):
        return None
    images = np.asarray(data.faces.pool.images)[data.rows[data.held_out]]
    return HeldOut(images, data.labels[data.held_out], spec.defence.patience)


def _run_epochs(
    program: Program, spec: TrainingSpec, batches: Batches, on_step: Progress
) -> Generator[tuple[float, float], None, None]:
    """Makes all steps; after each epoch yields the mean loss and the accuracy on the batches as they were seen."""
    steps, make_step = len(batches) * spec.epochs, _step(program, spec)
    loss_sum, correct_sum, seen = 0.0, 0, 0
    with contextlib.closing(batches.all_epochs(spec.epochs)) as stream:
        for step, (epoch, (images, soft_labels)) in enumerate(stream):
            rate = learning_rate(spec.learning_rate, spec.schedule, step, steps)
            loss, correct = make_step(images, soft_labels, step + 1, rate)
            if not np.isfinite(loss):
                raise DivergedError(
                    f"the loss became {loss} in epoch {epoch + 1}, step {step + 1}; lower learning_rate "
                    f"(now {spec.learning_rate})"
                )
            loss_sum, correct_sum, seen = loss_sum + loss, correct_sum + correct, seen + len(images)
            on_step(step + 1, steps)
            if (step + 1) % len(batches) == 0:
                # Coins may leave out every row of a small set for an epoch.
                yield loss_sum / max(seen, 1), correct_sum / max(seen, 1)
                loss_sum, correct_sum, seen = 0.0, 0, 0


def _test(program: Program, faces: FaceData) -> tuple[float, float]:
    """Mean cross-entropy and accuracy on the test split."""
    logits, labels = finite_logits(program, faces.test.images), np.asarray(faces.test.labels)
    return float(cross_entropy(logits, labels).mean()), float((logits.argmax(axis=1) == labels).mean())
