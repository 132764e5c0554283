"""The mean probability that references give to a row's label."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fer_audit.attacks.answers import Floats
from fer_audit.attacks.in_out import completed, in_out
from fer_audit.attacks.probabilities import log_probability
from fer_audit.attacks.signals import Mask
from fer_audit.attacks.target_view import TargetView


def log_mean_probabilities(
    view: TargetView, references: Callable[[slice], Floats] | None = None
) -> tuple[Floats, Floats]:
    """Log of the mean of p_y over the IN and over the OUT references of each row, (N, Q) each.

    A row that lacks one side gets that of its completed centre, see `in_out.completed`. `references` gives the log of
    p_y (R, K, Q) of some rows where it is not that of the softmax.
    """
    references = references or view.reference_log_probability_of
    inside, outside = (np.empty(view.phi.shape) for _ in range(2))
    for rows in view.row_blocks():
        found, keep = references(rows), view.reference_keep[:, rows]
        inside[rows], outside[rows] = log_means(found, keep)
    lacking_in, lacking_out = ~view.reference_keep.any(axis=0), view.reference_keep.all(axis=0)
    if lacking_in.any() or lacking_out.any():
        sides = completed(in_out(view), view)
        inside[lacking_in] = log_probability(sides.inside.centre[lacking_in])
        outside[lacking_out] = log_probability(sides.outside.centre[lacking_out])
    return inside, outside


def log_mean(logs: Floats, used: Mask) -> Floats:
    """Log of the mean (K, Q) of the exponentials of the `logs` (R, K, Q) that are used (R, K); -inf for none."""
    masked = np.where(used[:, :, None], logs, -np.inf)
    top = masked.max(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        total = np.log(np.exp(masked - np.where(np.isfinite(top), top, 0.0)).sum(axis=0))
        return np.where(np.isneginf(top), top, top + total - np.log(used.sum(axis=0))[:, None])


def log_means(logs: Floats, keep: Mask) -> tuple[Floats, Floats]:
    """`log_mean` over the references that are kept (R, K), and over the others, with one exponential for both."""
    top = logs.max(axis=0)
    share = np.exp(logs - top)
    used = keep[:, :, None]
    inside, outside = np.where(used, share, 0.0).sum(axis=0), np.where(used, 0.0, share).sum(axis=0)
    count = keep.sum(axis=0)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        found = [top + np.log(inside) - np.log(count), top + np.log(outside) - np.log(len(keep) - count)]
    # A side whose probabilities are nothing beside the other's has lost them to rounding.
    if min(inside.min(), outside.min()) < 1e-280:
        return log_mean(logs, keep), log_mean(logs, ~keep)
    return found[0], found[1]
