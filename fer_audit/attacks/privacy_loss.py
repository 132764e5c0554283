"""What an audit's decisions prove about the privacy loss epsilon."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fer_audit.attacks.attacked import Outcome
from fer_audit.attacks.frame import Frame
from fer_audit.attacks.signals import Mask
from fer_audit.metrics.epsilon import cap, lower_bound
from fer_audit.metrics.intervals import clopper_pearson
from fer_audit.results import Confusion, EpsilonBound

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

    Why the subject is the sampling unit. Decisions about one target share a model, so that their scores do depend on
    each other. But what makes them right or wrong is who was drawn as a member, and given the models a private training
    leaves these draws almost as fair and independent as they were (Steinke et al. 2023, theorem 5.2). Each draw may
    count once: the rows of a subject share one, and so do the two models of a complementary pair. Over pairs the draws
    of a subject are independent, but its pictures are the same, exposed or not, so it counts once over all. Of two
    alike subjects a pair of models takes one each: they are opposites in one model and equals in two, both as likely,
    hence uncorrelated. Thresholds and attack models, though, were learned on draws of other subjects in other pairs.

    Between a member and a non-member of such halves lie two changes, as an alike subject takes the place: this epsilon
    is that of a guarantee which hides who of two was there. `replaced_bound` is for one that hides who was there.
    """
    target, unit = _drawn(frame, len(outcomes), seed)
    keep = np.array([outcome.keep for outcome in outcomes])[target, unit]
    flagged = [np.array([outcome.flagged for outcome in outcomes])[target, unit]]
    if all(fpr in outcome.flagged_at for outcome in outcomes):
        flagged.append(np.array([outcome.flagged_at[fpr] for outcome in outcomes])[target, unit])
    rules = [_counted(keep, one) for one in flagged]
    each = 1 - (1 - confidence) / len(rules)
    members, nonmembers = int(np.count_nonzero(keep)), int(np.count_nonzero(~keep))
    known = members > 0 and nonmembers > 0
    return EpsilonBound(
        lower_bound=max(_bound(rule, delta, each) for rule in rules) if known else 0.0,
        cap=cap(members, nonmembers, delta, each) if known else 0.0,
        delta=delta,
        confidence=confidence,
        unit="subject" if frame.clustered else "row",
        members=members,
        nonmembers=nonmembers,
        method=f"Clopper-Pearson, one decision a cluster, {len(rules)} thresholds set on references",
        rules=rules,
    )


def replaced_bound(rules: Sequence[Confusion], delta: float, confidence: float) -> float:
    """Lower bound on the epsilon that hides the presence of one unit, where members and others differ by two changes.

    One unit is taken out and another put in, so that a guarantee for one change holds twice: TPR <= exp(epsilon)
    (exp(epsilon) FPR + delta) + delta. The largest over `rules`, each of which spends its share of what the confidence
    leaves.
    """
    each = 1 - (1 - confidence) / len(rules)
    return max(_replaced(rule, delta, each) for rule in rules)


def _replaced(rule: Confusion, delta: float, confidence: float) -> float:
    """Solves TPR = u (u FPR + delta) + delta for u = exp(epsilon), with the lower limit of TPR and the upper of FPR."""
    tpr = clopper_pearson(rule.tp, rule.tp + rule.fn, confidence).low
    fpr = clopper_pearson(rule.fp, rule.fp + rule.tn, confidence).high
    if tpr <= fpr + 2 * delta:
        return 0.0
    return math.log((math.sqrt(delta**2 + 4 * fpr * (tpr - delta)) - delta) / (2 * fpr))


def _counted(keep: Mask, flagged: Mask) -> Confusion:
    tp, fp = int(np.count_nonzero(keep & flagged)), int(np.count_nonzero(~keep & flagged))
    members = int(np.count_nonzero(keep))
    return Confusion(tp=tp, fp=fp, fn=members - tp, tn=len(keep) - members - fp)


def _bound(rule: Confusion, delta: float, confidence: float) -> float:
    members, nonmembers = np.arange(rule.tp + rule.fn) < rule.tp, np.arange(rule.fp + rule.tn) < rule.fp
    decisions = members.astype(np.float64), nonmembers.astype(np.float64)
    return lower_bound(*decisions, delta, confidence, threshold=0.5)


def _drawn(frame: Frame, targets: int, seed: int) -> tuple[Index, Index]:
    """A target (S,) and a unit (S,) for each cluster."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(frame.clusters))
    unit = order[np.unique(frame.clusters[order], return_index=True)[1]]
    return rng.integers(targets, size=len(unit)), unit
