"""Which rows a rate strikes, by chance or as a fixed number of them."""

from __future__ import annotations

import numpy as np

from fer_audit.attacks.label_attack import Floats, Labels, Mask


def flips(draws: Floats, rate: float, *, exact: bool) -> Mask:
    """The rows (N,) that a rate strikes, of uniform `draws` (N,) within [0, 1).

    By chance those whose draw lies below the rate; `exact`: the round(rate * N) rows with the lowest draws. Either way
    the rows of a lower rate are among those of a higher one.
    """
    if not exact:
        return draws < rate
    struck = np.zeros(len(draws), np.bool_)
    struck[np.argsort(draws, kind="stable")[: round(rate * len(draws))]] = True
    return struck


def class_flips(labels: Labels, draws: Floats, rates: Floats, *, exact: bool) -> Mask:
    """As `flips`, with the rate of each true class in `rates` (C,).

    `exact`: whole numbers of rows in each class, nearest to its rate, that sum to the nearest whole number of them all.
    """
    if not exact:
        return draws < rates[labels]
    quotas = rates * np.bincount(labels, minlength=len(rates))
    struck = np.zeros(len(labels), np.bool_)
    for true, count in enumerate(whole_numbers(quotas, round(float(quotas.sum())))):
        rows = np.flatnonzero(labels == true)
        struck[rows[np.argsort(draws[rows], kind="stable")[:count]]] = True
    return struck


def picked(shares: Floats, draws: Floats) -> Labels:
    """The class (N,) that uniform `draws` (N,) pick, by the shares (N, C) or (C,) of the classes, in any unit.

    A class without a share is never picked.
    """
    ends = np.cumsum(shares, axis=-1)
    ends = ends / ends[..., -1:]
    found: Labels = np.argmax(ends > draws[:, None], axis=-1)
    return found


def whole_numbers(quotas: Floats, total: int) -> Labels:
    """Whole numbers (C,) nearest to `quotas` (C,) that sum to `total`, by the largest remainder."""
    # A quota such as 0.29 * 100 lies a rounding error below its whole number.
    numbers: Labels = np.floor(quotas + 1e-9).astype(np.int64)
    remainders = np.round(quotas - numbers, 9)
    numbers[np.argsort(-remainders, kind="stable")[: total - int(numbers.sum())]] += 1
    return numbers
