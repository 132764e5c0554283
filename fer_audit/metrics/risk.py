"""The privacy risk score of single rows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fer_audit.errors import SignalsError
from fer_audit.metrics.membership import Scores


def risk_score(reference_members: Scores, reference_nonmembers: Scores, scores: Scores, bins: npt.ArrayLike) -> Scores:
    """Probability (N,) that a row with such a score is a member, where members and non-members are equally many.

    P(s | IN) / (P(s | IN) + P(s | OUT)), both distributions being histograms of what references answered (Song and
    Mittal 2021, equation 9). Where the target's own scores take the place of the references' the risk is optimistic.

    Args:
        reference_members: (n1,) scores of references on rows that they trained on.
        reference_nonmembers: (n0,) likewise on other rows. For a distribution of each class, give one class at a time.
        scores: (N,) of the target.
        bins: (B + 1,) rising edges; the outermost bins have no end. A bin without references has a risk of 1/2.

    Raises:
        SignalsError: the edges do not rise, a score is NaN, or one of the references' sides is empty.
    """
    edges = _checked_edges(bins)
    inside, outside = (_share(side, edges) for side in (reference_members, reference_nonmembers))
    total = inside + outside
    risk = np.divide(inside, total, out=np.full(len(total), 0.5), where=total > 0)
    return np.asarray(risk[_bin(scores, edges)], np.float64)


def _share(scores: Scores, edges: Scores) -> Scores:
    """Share (B,) of the scores in each bin."""
    if not len(scores):
        raise SignalsError("a risk needs reference scores of members and of non-members; received none of one kind")
    return np.bincount(_bin(scores, edges), minlength=len(edges) - 1) / len(scores)


def _bin(scores: Scores, edges: Scores) -> npt.NDArray[np.intp]:
    """Index (N,) of the bin that holds each score; a bin holds its lower edge."""
    if np.isnan(scores).any():
        raise SignalsError(f"scores must not be NaN; received {np.count_nonzero(np.isnan(scores))} of {len(scores)}")
    return np.searchsorted(edges[1:-1], scores, side="right")


def _checked_edges(bins: npt.ArrayLike) -> Scores:
    edges = np.asarray(bins, np.float64)
    if edges.ndim != 1 or len(edges) < 2 or not (np.diff(edges) > 0).all():
        raise SignalsError(f"bins must be two or more rising edges; received {edges.tolist()}")
    return edges
