"""Accuracy, balanced accuracy and recalls, each with its counts and interval."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from fer_audit.metrics.intervals import Clusters, clustered_rate, rate, wilson
from fer_audit.results import Estimate

Labels = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


def confusion_matrix(labels: Labels, predictions: Labels, classes: int) -> npt.NDArray[np.int64]:
    """Counts (C, C), rows true and columns predicted, of `labels` (N,) and `predictions` (N,) within 0..C-1."""
    return np.bincount(labels * classes + predictions, minlength=classes**2).reshape(classes, classes)


def accuracy(
    labels: Labels, predictions: Labels, subjects: Clusters | None = None, confidence: float = 0.95
) -> Estimate:
    """Share of `predictions` (N,) that equal `labels` (N,); by `subjects` (N,) where a person has several rows."""
    correct = labels == predictions
    return mean_accuracy(correct[None], np.ones_like(correct)[None], subjects, confidence)


def mean_accuracy(correct: Mask, counted: Mask, subjects: Clusters | None = None, confidence: float = 0.95) -> Estimate:
    """Accuracy of M models on the rows that count for each, all counted rows weighing the same.

    Args:
        correct: (M, N), whether model m is right about row i.
        counted: (M, N), which rows count for model m, such as the rows that it trained on.
        subjects: (N,); models share rows, so intervals go by subject, or by row where subjects are None.
        confidence: of the interval.
    """
    hit = correct & counted
    if subjects is None and len(correct) == 1:
        return rate(int(hit.sum()), int(counted.sum()), confidence)
    clusters = np.arange(correct.shape[1]) if subjects is None else np.unique(subjects, return_inverse=True)[1]
    k = np.bincount(clusters, hit.sum(axis=0)).astype(np.int64)
    n = np.bincount(clusters, counted.sum(axis=0)).astype(np.int64)
    return clustered_rate(k, n, confidence)


def per_class_recall(labels: Labels, predictions: Labels, classes: int, confidence: float = 0.95) -> list[Estimate]:
    """Recall of each class with its Wilson interval; a class without rows has no value and says so."""
    matrix = confusion_matrix(labels, predictions, classes)
    recalls = [rate(int(row[c]), int(row.sum()), confidence) for c, row in enumerate(matrix)]
    return [recall if recall.n else recall.model_copy(update={"note": "no rows of this class"}) for recall in recalls]


def balanced_accuracy(labels: Labels, predictions: Labels, classes: int, confidence: float = 0.95) -> Estimate:
    """Mean recall over the classes that have rows, with limits recovered from those of the recalls.

    Zou and Donner (2008) for a mean of independent shares: the distances from each recall to its Wilson
    limit add up in squares. Unlike the delta method it keeps its width where every row of a class is right.
    """
    matrix = confusion_matrix(labels, predictions, classes)
    hits, rows = np.diag(matrix), matrix.sum(axis=1)
    present = np.flatnonzero(rows)
    if not present.size:
        return Estimate(value=None, confidence=confidence, n=0, note="no rows")
    recalls = hits[present] / rows[present]
    limits = np.array([wilson(int(hits[c]), int(rows[c]), confidence) for c in present])
    value = float(recalls.mean())
    down = math.sqrt(np.sum((recalls - limits[:, 0]) ** 2)) / len(present)
    up = math.sqrt(np.sum((limits[:, 1] - recalls) ** 2)) / len(present)
    empty = classes - len(present)
    return Estimate(
        value=value,
        low=max(0.0, value - down),
        high=min(1.0, value + up),
        confidence=confidence,
        n=len(labels),
        method="MOVER from Wilson limits of the recalls",
        note=f"{empty} of {classes} classes have no rows and are left out" if empty else "",
    )


class RowClasses:
    """Rows by class: what every balanced accuracy on them needs, worked out once."""

    def __init__(self, labels: Labels) -> None:
        """Of rows with `labels` (N,)."""
        _, self._classes, self._rows = np.unique(labels, return_inverse=True, return_counts=True)
        self.weights: Floats = np.asarray(1 / (len(self._rows) * self._rows[self._classes]), np.float64)

    def influence(self, correct: Mask | Floats) -> Floats:
        """See `balanced_influence`."""
        recalls = np.bincount(self._classes, correct) / self._rows
        return np.asarray((correct - recalls[self._classes]) * self.weights, np.float64)


def balanced_weights(labels: Labels) -> Floats:
    """What each row (N,) counts in the balanced accuracy: 1 / (K n_k) for one of the n_k rows of one of K classes.

    Classes without rows are left out, as in `balanced_accuracy`; the weights add up to 1.
    """
    return RowClasses(labels).weights


def balanced_influence(correct: Mask | Floats, labels: Labels) -> Floats:
    """How much each row (N,) moves the balanced accuracy of a model that is `correct` (N,) or not; they add up to 0.

    The balanced accuracy is the mean of K recalls r_k, ratios of hits to rows, so that by the linearisation of a ratio
    (Woodruff 1971) a row of class k has the influence (c - r_k) / (K n_k), c being 1 where the model is right. With one
    class this is the accuracy.
    """
    return RowClasses(labels).influence(correct)
