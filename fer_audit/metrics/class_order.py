"""Whether a model's outputs stand for the classes that they are said to stand for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fer_audit.metrics.accuracy import confusion_matrix
from fer_audit.metrics.intervals import wilson

Labels = npt.NDArray[np.int64]

#: Risk of calling outputs permuted that are not.
_LEVEL = 1e-3

#: Fewer rows a class say nothing about an order.
_FEWEST = 10

#: Times chance that outputs in another order must reach on rows that did not choose it.
_CLEAR = 2.0

#: Balanced accuracy below so many times chance is near it.
_NEAR = 1.5

#: Points by which another preprocessing must beat the declared one to be named.
_BETTER = 0.2


@dataclass(frozen=True)
class Order:
    """How well outputs fit classes as declared, and in the order that fits best."""

    classes: tuple[str, ...]
    rows: int
    accuracy: float  #: as declared
    balanced: float  #: mean recall of the classes that have rows
    chance: float  #: balanced accuracy of guessing
    near_chance: bool
    #: (C,), what each output stands for in the order that fits best; None where the declared order stands
    best: tuple[int, ...] | None
    best_accuracy: float  #: in that order, on rows that did not choose it

    @property
    def permuted(self) -> bool:
        """Whether another order fits beyond doubt."""
        return self.best is not None


def order_of(labels: Labels, predicted: Labels, classes: tuple[str, ...]) -> Order:
    """What `predicted` (N,) against `labels` (N,) say of the order of `classes`.

    The best order is the assignment of outputs to classes with the most rows right (Kuhn, "The Hungarian method for the
    assignment problem", 1955) on every other row. On the remaining rows it has to beat the declared one in an exact
    paired test (McNemar 1947, by the binomial distribution) at a level of .001, and reach twice the accuracy of chance:
    rows that chose the order never judge it.
    """
    from scipy.stats import binomtest

    confusion = confusion_matrix(labels, predicted, len(classes))
    counts = confusion.sum(axis=1)
    known = counts > 0
    recall = np.diag(confusion)[known] / counts[known]
    chance = 1 / max(1, int(known.sum()))
    right = labels == predicted
    one, other = slice(0, None, 2), slice(1, None, 2)
    stands_for = _assigned(confusion_matrix(labels[one], predicted[one], len(classes)))
    in_order = stands_for[predicted[other]] == labels[other]
    gained, lost = int((in_order & ~right[other]).sum()), int((~in_order & right[other]).sum())
    certain = gained > lost and binomtest(lost, gained + lost, 0.5, alternative="less").pvalue < _LEVEL
    best_accuracy = float(in_order.mean()) if len(in_order) else 0.0
    enough = len(labels) >= _FEWEST * len(classes) and best_accuracy > _CLEAR * chance
    return Order(
        classes=classes,
        rows=len(labels),
        accuracy=float(right.mean()) if len(labels) else 0.0,
        balanced=float(recall.mean()) if known.any() else 0.0,
        chance=chance,
        near_chance=_near_chance(recall, counts[known], chance),
        best=tuple(stands_for.tolist()) if certain and enough else None,
        best_accuracy=best_accuracy,
    )


def _assigned(confusion: npt.NDArray[np.int64]) -> Labels:
    """(C,), the class of each output that makes the most rows right; ties are settled for the declared order."""
    from scipy.optimize import linear_sum_assignment

    count = len(confusion)
    classes, outputs = linear_sum_assignment(confusion * (count + 1) + np.eye(count, dtype=np.int64), maximize=True)
    stands_for = np.empty(count, np.int64)
    stands_for[outputs] = classes
    return stands_for


def _near_chance(recall: npt.NDArray[np.float64], counts: npt.NDArray[np.int64], chance: float) -> bool:
    """Whether the upper 99 % limit of balanced accuracy lies below `_NEAR` times chance."""
    if not counts.sum() or len(counts) < 2:
        return False
    # The mean of C shares: their score limits' distances add up as squares.
    above = np.array([wilson(r * n, n, 0.99).high - r for r, n in zip(recall, counts, strict=True)])
    return bool(recall.mean() + np.sqrt((above**2).sum()) / len(counts) < _NEAR * chance)


def order_warnings(order: Order) -> list[str]:
    """What a user has to know, and what mends it; nothing where the declared order stands."""
    if order.best is not None:
        names = [order.classes[place] for place in order.best]
        moved = next(place for place, stands_for in enumerate(order.best) if stands_for != place)
        return [
            f"labels look permuted: your class {moved} is our {names[moved]!r}; accuracy is {order.accuracy:.1%} as "
            f"declared and {order.best_accuracy:.1%} in another order; say --classes {','.join(names)} if that is right"
        ]
    if order.near_chance:
        return [
            f"balanced accuracy {order.balanced:.1%} is near chance ({order.chance:.1%}): check size, colour and "
            f"scaling of the images, and the order of the classes"
        ]
    return []


def scaling_hint(accuracies: Mapping[str, float], rows: int) -> str | None:
    """A sentence where another preprocessing than the first of `accuracies` fits much better on `rows` rows."""
    tried: Sequence[tuple[str, float]] = list(accuracies.items())
    declared, found = tried[0], max(tried, key=lambda one: one[1])
    if found[1] < declared[1] + _BETTER:
        return None
    return (
        f"with {found[0]} accuracy would be {found[1]:.0%} on {rows} of the rows; it is {declared[1]:.0%} with the "
        f"declared {declared[0]}"
    )
