"""What an audit's decisions prove about the privacy loss epsilon."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fer_audit.attacks.attacked import Outcome
from fer_audit.attacks.frame import Frame
from fer_audit.attacks.signals import Mask
from fer_audit.metrics.epsilon import cap, lower_bound
from fer_audit.results import EpsilonBound

Index = npt.NDArray[np.intp]


def prove(
    frame: Frame, outcomes: Sequence[Outcome], *, fpr: float, delta: float, confidence: float, seed: int
) -> EpsilonBound:
    """A lower bound on epsilon from one decision a cluster, at thresholds that references set.

    Every (epsilon, delta)-private training keeps TPR <= exp(epsilon) FPR + delta (Kairouz et al. 2015, theorem 2.1) for
    each row, hence for rates that are means over rows and models. Clopper-Pearson limits need independent decisions:
    each subject contributes one of its rows in one of the targets, both drawn at random. The thresholds come from other
    models, so nothing is chosen on these decisions; for two thresholds (best balanced accuracy, and `fpr`) each bound
    spends half of what the confidence leaves.
    """
    target, unit = _drawn(frame, len(outcomes), seed)
    keep = np.array([outcome.keep for outcome in outcomes])[target, unit]
    rules = [np.array([outcome.flagged for outcome in outcomes])[target, unit]]
    if all(fpr in outcome.flagged_at for outcome in outcomes):
        rules.append(np.array([outcome.flagged_at[fpr] for outcome in outcomes])[target, unit])
    each = 1 - (1 - confidence) / len(rules)
    members, nonmembers = int(np.count_nonzero(keep)), int(np.count_nonzero(~keep))
    known = members > 0 and nonmembers > 0
    bounds = [_bound(flagged, keep, delta, each) for flagged in rules] if known else [0.0]
    return EpsilonBound(
        lower_bound=max(bounds),
        cap=cap(members, nonmembers, delta, each) if known else 0.0,
        delta=delta,
        confidence=confidence,
        unit="subject" if frame.clustered else "row",
        members=members,
        nonmembers=nonmembers,
        method=f"Clopper-Pearson, one decision a cluster, {len(rules)} thresholds set on references",
    )


def _bound(flagged: Mask, keep: Mask, delta: float, confidence: float) -> float:
    decisions = flagged.astype(np.float64)
    return lower_bound(decisions[keep], decisions[~keep], delta, confidence, threshold=0.5)


def _drawn(frame: Frame, targets: int, seed: int) -> tuple[Index, Index]:
    """A target (S,) and a unit (S,) for each cluster."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(frame.clusters))
    unit = order[np.unique(frame.clusters[order], return_index=True)[1]]
    return rng.integers(targets, size=len(unit)), unit
