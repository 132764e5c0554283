"""Whether a model's outputs stand for the classes that they are said to stand for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fer_audit.metrics.accuracy import confusion_matrix
from fer_audit.metrics.intervals import wilson

Labels = npt.NDArray[np.int64]

#: Risk of calling outputs permuted that are not.
_LEVEL = 1e-3

#: Fewer rows a class say nothing about an order.
_FEWEST = 10

#: Steps above chance that outputs in another order must reach on rows that did not choose it.
_CLEAR = 1.0

#: Balanced accuracy that is surely fewer steps above chance is near it.
_NEAR = 0.5

#: Of the limits of balanced accuracy, and of accuracies that are compared.
_CONFIDENCE = 0.99

#: Points by which another preprocessing must beat the declared one to be named.
_BETTER = 0.1


@dataclass(frozen=True)
class Order:
    """How well outputs fit classes as declared, and in the order that fits best."""

    classes: tuple[str, ...]
    rows: int
    accuracy: float  #: as declared
    balanced: float  #: mean recall of the classes that have rows
    highest: float  #: upper 99 % limit of that
    chance: float  #: balanced accuracy of guessing
    #: (C,), what each output stands for in the order that fits best; None where the declared order stands
    best: tuple[int, ...] | None
    best_accuracy: float  #: in the order that fits best, on rows that did not choose it

    @property
    def permuted(self) -> bool:
        """Whether another order fits beyond doubt."""
        return self.best is not None

    @property
    def near_chance(self) -> bool:
        """Whether balanced accuracy is surely below 1.5 times chance; of two classes, below .625."""
        return self.highest < _above(self.chance, _NEAR)


def order_of(labels: Labels, predicted: Labels, classes: tuple[str, ...]) -> Order:
    """What `predicted` (N,) against `labels` (N,) say of the order of `classes`.

    The best order is the assignment of outputs to classes with the most rows right (Kuhn, "The Hungarian method for the
    assignment problem", 1955) among every other row of each class. The remaining rows judge it: rows that chose an
    order never do.
    """
    confusion = confusion_matrix(labels, predicted, len(classes))
    counts = confusion.sum(axis=1)
    recall = np.diag(_shares(confusion))[counts > 0]
    chance = 1 / max(1, len(recall))
    by_class = np.argsort(labels, kind="stable")  # so that both halves have rows of each class
    one, other = by_class[0::2], by_class[1::2]
    stands_for = _assigned(confusion_matrix(labels[one], predicted[one], len(classes)))
    enough = len(labels) >= _FEWEST * len(classes)
    fits = enough and _fits_better(stands_for, labels[other], predicted[other], chance)
    return Order(
        classes=classes,
        rows=len(labels),
        accuracy=_mean(labels == predicted),
        balanced=_mean(recall),
        highest=_highest(recall, counts[counts > 0]),
        chance=chance,
        best=tuple(stands_for.tolist()) if fits else None,
        best_accuracy=_mean(stands_for[predicted[other]] == labels[other]),
    )


def _assigned(confusion: npt.NDArray[np.int64]) -> Labels:
    """(C,), the class of each output that makes the most rows right; ties are settled for the declared order."""
    from scipy.optimize import linear_sum_assignment

    count = len(confusion)
    classes, outputs = linear_sum_assignment(confusion * (count + 1) + np.eye(count, dtype=np.int64), maximize=True)
    stands_for = np.empty(count, np.int64)
    stands_for[outputs] = classes
    return stands_for


def _fits_better(stands_for: Labels, labels: Labels, predicted: Labels, chance: float) -> bool:
    """Whether outputs that stand for the classes `stands_for` (C,) fit beyond doubt rows that did not choose them.

    They must do so more often than the declared ones, by the exact test of paired answers (McNemar 1947, with the
    binomial distribution), and well above chance. And the rows of classes that move must ask for it: those of two
    classes or more are mostly answered with the new output, those of none with the declared one. So a model that
    mistakes a class for another, or answers one class whatever it sees, is not called permuted.
    """
    from scipy.stats import binomtest

    confusion = confusion_matrix(labels, predicted, len(stands_for))
    declared, in_order = predicted == labels, stands_for[predicted] == labels
    gained, lost = int((in_order & ~declared).sum()), int((~in_order & declared).sum())
    if gained <= lost or binomtest(lost, gained + lost, 0.5, alternative="less").pvalue >= _LEVEL:
        return False
    output = np.argsort(stands_for)  # (C,), of each class
    balanced = _mean(_shares(confusion)[np.arange(len(output)), output][confusion.any(axis=1)])
    moved = output != np.arange(len(output))
    asked = int((moved & _mostly(confusion, output)).sum())
    kept = bool((moved & _mostly(confusion, np.arange(len(output)))).any())
    return balanced >= _above(chance, _CLEAR) and asked > 1 and not kept


def _mostly(confusion: npt.NDArray[np.int64], output: Labels) -> npt.NDArray[np.bool_]:
    """(C,), whether more rows of each class are answered with its `output` (C,) than with any other."""
    rows = np.arange(len(output))
    others = confusion.copy()
    others[rows, output] = 0
    return np.asarray(confusion[rows, output] > others.max(axis=1))


def _shares(confusion: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """(C, C), shares of each class's rows; 0 where it has none."""
    return np.asarray(confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1), np.float64)


def _above(chance: float, steps: float) -> float:
    """`steps` above chance: one step is as much as chance itself, but at most half of the way from it to 1."""
    return chance + steps * min(chance, (1 - chance) / 2)


def _highest(recall: npt.NDArray[np.float64], counts: npt.NDArray[np.int64]) -> float:
    """Upper limit of the mean of the classes' recalls (C,); 1 where it can't be told from chance."""
    if len(counts) < 2:
        return 1.0
    # The mean of C shares: their score limits' distances add up as squares.
    above = np.array([wilson(r * n, n, _CONFIDENCE).high - r for r, n in zip(recall, counts, strict=True)])
    return min(1.0, _mean(recall) + float(np.sqrt((above**2).sum())) / len(counts))


def _mean(values: npt.NDArray[Any]) -> float:
    return float(values.mean()) if len(values) else 0.0


def better_names(order: Order, declared: Sequence[str] | None = None) -> tuple[str, ...]:
    """What each output of the model stands for in the order that fits best, where it was said to stand for `declared`.

    Without that it was said to stand for the classes in their order. An output of another class is left as it is.
    """
    names, best = tuple(declared or order.classes), order.best or tuple(range(len(order.classes)))
    return tuple(order.classes[best[order.classes.index(name)]] if name in order.classes else name for name in names)


def order_warnings(
    order: Order, declared: Sequence[str] | None = None, mend: str = "say --classes {names} if that is right"
) -> list[str]:
    """What a user has to know, and what mends it; nothing where the declared order stands.

    `declared` is what the outputs were said to stand for; None for the classes in their order.
    """
    if order.best is not None:
        said, names = tuple(declared or order.classes), better_names(order, declared)
        moved = next(place for place, name in enumerate(names) if name != said[place])
        return [
            f"labels look permuted: your class {moved} is our {names[moved]!r}; accuracy is {order.accuracy:.1%} as "
            f"declared and {order.best_accuracy:.1%} in another order; {mend.format(names=','.join(names))}"
        ]
    if order.near_chance:
        return [
            f"balanced accuracy {order.balanced:.1%} is near chance ({order.chance:.1%}): check size, colour and "
            f"scaling of the images, and the order of the classes"
        ]
    return []


def scaling_hint(accuracies: Mapping[str, float], rows: int) -> str | None:
    """A sentence where another preprocessing than the first of `accuracies` fits much better on `rows` rows.

    Much better is 10 points, and more than the 99 % limits of both accuracies allow for.
    """
    tried: Sequence[tuple[str, float]] = list(accuracies.items())
    declared, found = tried[0], max(tried, key=lambda one: one[1])
    low, high = (wilson(share * rows, rows, _CONFIDENCE) for share in (found[1], declared[1]))
    if found[1] < declared[1] + _BETTER or low.low <= high.high:
        return None
    return (
        f"with {found[0]} accuracy would be {found[1]:.0%} on {rows} of the rows; it is {declared[1]:.0%} with the "
        f"declared {declared[0]}"
    )
