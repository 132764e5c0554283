"""Whether a network's answer to an image depends on what else is in its batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Images = npt.NDArray[np.uint8]
Logits = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

#: float32 sums are taken in another order where a batch has another length: on GhostFace at 48 px that moves logits by
#: up to 1e-6 of the largest one, and a batch of one image takes other kernels. What depends on the batch by design,
#: such as batch normalisation in training mode, moves them by a tenth and more.
_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Invariance:
    """How logits differ between one call on all images and the same images asked in other batches."""

    rows: int
    max_difference: float  #: of any logit, in any mode
    tolerance: float  #: above which a difference is no rounding
    differences: Mapping[str, float]  #: the largest of any logit, by mode
    changed_by_mode: Mapping[str, int]  #: predictions that change in a row that differs by more than the tolerance
    changed: int  #: rows with such a change in any mode
    explanation: str  #: what failed, in one sentence; empty where nothing did

    @property
    def passed(self) -> bool:
        """Whether no logit differs by more than the tolerance."""
        return self.max_difference <= self.tolerance


def probe(
    logits: Callable[[Images], Logits], images: Images, labels: Labels, *, batch_size: int, seed: int
) -> Invariance:
    """Asks about each image alone, in shuffled batches and in batches sorted by class, against one call on all.

    Sorted batches are the telling case: a network that normalises by its batch recognises the class by its company.
    Accuracies reported for RAF-DB have rested on test batches that were in the order of the classes.

    Args:
        logits: the network, from images uint8 (B, H, W, 3) to float32 (B, C).
        images: uint8 (N, H, W, 3).
        labels: (N,), true.
        batch_size: of the shuffled and the sorted batches.
        seed: of the shuffling.
    """
    reference = logits(images)
    tolerance = _TOLERANCE * max(1.0, float(np.abs(reference).max()))
    differences, changes = {}, {}
    for mode, batches in _modes(labels, batch_size, seed).items():
        answers = np.empty_like(reference)
        for rows in batches:
            answers[rows] = logits(images[rows])
        differs = _difference(answers, reference)
        differences[mode] = float(differs.max())
        changes[mode] = (differs > tolerance) & (answers.argmax(axis=1) != reference.argmax(axis=1))
    return Invariance(
        rows=len(images),
        max_difference=max(differences.values()),
        tolerance=tolerance,
        differences=differences,
        changed_by_mode={mode: int(rows.sum()) for mode, rows in changes.items()},
        changed=int(np.any(list(changes.values()), axis=0).sum()),
        explanation=_explanation(differences, changes, tolerance),
    )


def _modes(labels: Labels, batch_size: int, seed: int) -> dict[str, Iterator[Labels]]:
    """Batches of rows by the name of the way to make them."""
    orders = {
        "shuffled": np.random.default_rng(seed).permutation(len(labels)),
        "sorted by class": np.argsort(labels, kind="stable"),
    }
    alone = {"alone": _batches(np.arange(len(labels)), 1)}
    return alone | {mode: _batches(order, batch_size) for mode, order in orders.items()}


def _batches(order: Labels, size: int) -> Iterator[Labels]:
    return (order[start : start + size] for start in range(0, len(order), size))


def _difference(answers: Logits, reference: Logits) -> npt.NDArray[np.float64]:
    """The largest absolute difference of each row's logits (N,); infinite where one is not finite."""
    with np.errstate(invalid="ignore"):
        found = np.abs(answers.astype(np.float64) - reference).max(axis=1)
    return np.where(np.isnan(found), np.inf, found)


def _explanation(differences: Mapping[str, float], changes: Mapping[str, Flags], tolerance: float) -> str:
    mode = max(differences, key=lambda name: differences[name])
    if differences[mode] <= tolerance:
        return ""
    batches = "alone" if mode == "alone" else f"in batches {mode}"
    changed = np.any(list(changes.values()), axis=0)
    return (
        f"an image's logits depend on what else is in its batch: asked {batches} they differ by up to "
        f"{differences[mode]:.3g} from one call on all images (tolerance {tolerance:.2g}), and {changed.sum()} of "
        f"{len(changed)} predictions change in some batch; the usual cause is statistics of the batch in inference, "
        "such as batch normalisation in training mode, and accuracies that rest on it can't be had for single images"
    )
