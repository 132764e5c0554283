"""The audit: every model in turn is the target, and thresholds come from the other models.

Four rules keep an audit honest where nothing leaks.

1. References never tell the target's membership; see `references_of`.
2. The threshold of a target comes from references that are attacked as if they were targets ("pseudo-targets"), never
   from the target's own membership.
3. Targets share rows, so nothing is resampled or counted as independent but whole subjects (rows, where subjects are
   not known), with what all targets say about them.
4. Targets also serve as references of one another, which relates their errors where something is learned from other
   rows: an attack model, or the threshold. Write u_a for what pair a of models would teach by chance; then pair a is
   attacked with the sum of all other u_b, and the mean over targets is a sum of products u_a u_b in which each pair of
   pairs occurs twice. Resampling subjects with scores and thresholds as they are sees each occurrence as if it were
   independent, hence half the variance where nothing leaks, so such intervals are stretched by sqrt(2). Where
   much leaks they are wider than needed.

Rates over all targets are averages at one threshold a target: the TPR at an FPR, and each point of the ROC curve, is
the mean over targets at realisable thresholds, every target keeping to the FPR itself. Scores of different targets are
never put on one scale, which would need a calibration that an attacker does not have.
FPR, FNR and TPR at the transferred thresholds are of the thresholds as they were set: their intervals speak of other
people, not of other reference models.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from fer_audit.attacks.membership_attack import MembershipAttack
from fer_audit.attacks.signals import Mask, Signals
from fer_audit.errors import SignalsError
from fer_audit.metrics import intervals, membership
from fer_audit.metrics.intervals import Counts, Interval
from fer_audit.metrics.membership import Scores
from fer_audit.results import AttackResult, Confusion, Estimate, PluginRecord, Roc, TargetResult

#: False positive rates at which the TPR is given, where the data resolve them.
FPRS = (0.01, 0.001)

#: See rule 4 above.
BOTH_ROLES = math.sqrt(2)

#: Pseudo-targets that set one target's threshold; more would not move one number fitted on so many rows.
PSEUDO_TARGETS = 4


def audit(
    signals: Signals,
    attacks: Iterable[MembershipAttack],
    *,
    targets: Sequence[int] | None = None,
    seed: int = 0,
    confidence: float = 0.95,
    resamples: int = 1000,
) -> list[AttackResult]:
    """Attacks each target with the other models as references and counts what the attacks got right.

    Args:
        signals: of all models.
        attacks: made by `fer_audit.attacks.create`.
        targets: the models to audit; None means each in turn.
        seed: of the bootstrap; the same resamples serve all attacks.
        confidence: of all intervals.
        resamples: of the bootstrap.

    Returns:
        One result an attack, in the order of `attacks`.

    Raises:
        SignalsError: the signals lack what an attack needs, or hold no reference for a target.
        PluginError: an attack returned something else than scores.
    """
    chosen = list(range(signals.models)) if targets is None else list(targets)
    if not chosen or not all(0 <= target < signals.models for target in chosen):
        raise SignalsError(f"expected one or more targets within 0..{signals.models - 1}, received {chosen}")
    statistics = _Statistics(signals, chosen, seed, confidence, resamples)
    return [statistics.result(attack, _Attacked(signals, attack)) for attack in attacks]


def references_of(keep: Mask, target: int) -> tuple[int, ...]:
    """The models that may serve as references of `target`: all but itself, its copies and its exact complements.

    Reference models are trained in complementary pairs, so `keep[partner] = ~keep[target]`. The partner must go:
    it holds the answers that the attack is tested on. Kept, it would also shift the counts: of the M - 1 references,
    M/2 - 1 trained on each member of the target and M/2 on each non-member, so the mere number of references that
    trained on a row would tell whether the target did, and every per-example statistic (LiRA, RMIA), as well as a
    classifier that recognises rows, would measure that instead of a leak; a classifier even does worse than chance.
    Without the partner (M - 2)/2 references trained on each row and (M - 2)/2 did not, and since pairs are drawn
    independently, nothing that is left depends on the target's membership. Where a target has no exact complement,
    all other models are used.
    """
    same = (keep == keep[target]).all(axis=1) | (keep != keep[target]).all(axis=1)
    return tuple(int(model) for model in np.flatnonzero(~same))


def counts_tell_membership(keep: Mask, target: int) -> bool:
    """Whether the number of references that trained on a row still tells if `target` did."""
    others = keep[list(references_of(keep, target))].sum(axis=0)
    return len(set(others + keep[target])) == 1


@dataclass
class _Attacked:
    """One attack on the models of some signals; each score is computed once."""

    signals: Signals
    attack: MembershipAttack
    notes: dict[str, set[int]] = field(default_factory=dict)  #: note -> targets
    _scores: dict[tuple[int, tuple[int, ...]], tuple[Scores, tuple[str, ...]]] = field(default_factory=dict)

    def target(self, target: int) -> Scores:
        """Scores (N,) of `target`."""
        references = references_of(self.signals.keep, target)
        if self.attack.needed().references and counts_tell_membership(self.signals.keep, target):
            self._note(
                "every row is in as many models as any other and the target has no complement to leave out, so the "
                "number of references that trained on a row tells its membership; train models in complementary pairs",
                target,
            )
        return self._score(target, references, target)

    def threshold(self, target: int) -> float | None:
        """The threshold with the best balanced accuracy on the pooled pseudo-targets of `target`."""
        keep, references = self.signals.keep, references_of(self.signals.keep, target)
        if not references:
            raise SignalsError(
                f"the threshold for target {target} needs at least one reference model that is neither its copy nor "
                f"its complement; received {self.signals.models} models without one"
            )
        # Pseudo-targets follow the target in a circle, so that each model serves equally often.
        pseudo_targets = sorted(references, key=lambda model: (model - target) % self.signals.models)[:PSEUDO_TARGETS]
        scores = [
            self._score(model, self._pseudo_references(model, references, target), target) for model in pseudo_targets
        ]
        pooled, members = np.concatenate(scores), keep[pseudo_targets].ravel()
        return membership.best_threshold(pooled[members], pooled[~members])

    def _pseudo_references(self, pseudo: int, references: tuple[int, ...], target: int) -> tuple[int, ...]:
        """The references of a pseudo-target: those of `target` that are fair to it, or else the least unfair."""
        needed, fair = self.attack.needed().references, references_of(self.signals.keep, pseudo)
        left = tuple(model for model in references if model in fair)
        if len(left) >= needed:
            return left
        others = tuple(model for model in references if model != pseudo)
        if len(others) >= needed:
            self._note("thresholds: too few references, so pseudo-targets were attacked with their complements", target)
            return others
        self._note("thresholds: too few references, so pseudo-targets were among their own references", target)
        return references

    def _score(self, model: int, references: tuple[int, ...], target: int) -> Scores:
        key = (model, references if self.attack.needed().references else ())
        if key not in self._scores:
            scored = self.attack.scored(self.signals, model, references=references)
            # Results are JSON, which has no infinity; the order is the same.
            self._scores[key] = (np.nan_to_num(scored.scores), scored.notes)
        scores, notes = self._scores[key]
        for note in notes:
            self._note(note if model == target else f"thresholds: {note}", target)
        return scores

    def _note(self, text: str, target: int) -> None:
        self.notes.setdefault(text, set()).add(target)


@dataclass(frozen=True)
class _Outcome:
    """What an attack did to one target."""

    target: int
    scores: Scores  #: (N,)
    keep: Mask  #: (N,)
    threshold: float | None

    @property
    def members(self) -> Scores:
        return self.scores[self.keep]

    @property
    def nonmembers(self) -> Scores:
        return self.scores[~self.keep]

    @property
    def flagged(self) -> Mask:
        """(N,)."""
        return np.zeros_like(self.keep) if self.threshold is None else self.scores >= self.threshold


@dataclass(frozen=True)
class _Statistics:
    """What is counted on the outcomes of an attack, and with which intervals."""

    signals: Signals
    targets: list[int]
    seed: int
    confidence: float
    resamples: int

    def result(self, attack: MembershipAttack, attacked: _Attacked) -> AttackResult:
        """Attacks all targets and sums up."""
        keep = self.signals.keep
        outcomes = [_Outcome(t, attacked.target(t), keep[t], attacked.threshold(t)) for t in self.targets]
        aucs, tprs = self._resampled(outcomes)
        per_target = [self._target(outcome, aucs[:, column]) for column, outcome in enumerate(outcomes)]
        values = [result.auc.value for result in per_target if result.auc.value is not None]
        mean, learned = float(np.mean(values)), attack.needed().references > 0 and not attack.scores_rows_apart
        identity = attack.identity()
        return AttackResult(
            attack=PluginRecord(name=attack.name, params=identity["params"], source=identity["source"]),
            threat_model=attack.threat_model,
            auc=self._over_targets(self._bootstrapped(mean, aucs.mean(axis=1), keep[self.targets].size), learned),
            auc_spread=float(np.std(values, ddof=1)) if len(values) > 1 else None,
            tpr_at_fpr={
                str(fpr): self._over_targets(self._tpr_at_fpr(outcomes, fpr, tprs[:, column]), learned)
                for column, fpr in enumerate(FPRS)
            },
            confusion=_summed([result.confusion for result in per_target]),
            **self._rates(outcomes),
            roc=mean_roc([membership.roc(outcome.members, outcome.nonmembers) for outcome in outcomes]),
            targets=per_target,
            notes=[_of_targets(text, found, len(self.targets)) for text, found in attacked.notes.items()],
        )

    def _resampled(self, outcomes: list[_Outcome]) -> tuple[Scores, Scores]:
        """Bootstrapped AUC (B, T) of each target and mean TPR (B, F) at each of `FPRS`; all targets share resamples."""
        aucs, tprs = [], []
        for weights in intervals.resampled_weights(self._clusters, self.resamples, self.seed):
            aucs.append([membership.weighted_auc(o.scores, o.keep, weights) for o in outcomes])
            tprs.append(
                np.mean([membership.weighted_tpr_at_fpr(o.scores, o.keep, weights, FPRS) for o in outcomes], axis=0)
            )
        return np.concatenate(aucs, axis=1).T, np.concatenate(tprs)

    def _target(self, outcome: _Outcome, aucs: Scores) -> TargetResult:
        if self.signals.subjects is None:
            auc = intervals.auc_interval(outcome.members, outcome.nonmembers, confidence=self.confidence)
        else:
            value = membership.auc(outcome.members, outcome.nonmembers)
            auc = self._bootstrapped(value, aucs, outcome.keep.size, self._fewest_clusters(outcome))
        counts = membership.confusion(outcome.members, outcome.nonmembers, outcome.threshold)
        return TargetResult(target=outcome.target, auc=auc, threshold=outcome.threshold, confusion=counts)

    def _tpr_at_fpr(self, outcomes: list[_Outcome], fpr: float, resampled: Scores) -> Estimate:
        """Mean TPR over targets, each at an FPR of at most `fpr`, where each has the non-members to resolve it."""
        fewest = min(int(np.count_nonzero(~outcome.keep)) for outcome in outcomes)
        if 1 / fewest > fpr:
            needed = f"needs at least {round(1 / fpr):,} non-members a target, has {fewest:,}"
            return Estimate(value=None, confidence=self.confidence, n=fewest, note=f"not resolvable ({needed})")
        value = np.mean([membership.tpr_at_fpr(outcome.members, outcome.nonmembers, fpr) for outcome in outcomes])
        members = sum(int(np.count_nonzero(outcome.keep)) for outcome in outcomes)
        return self._bootstrapped(float(value), resampled, members)

    def _bootstrapped(self, value: float, resampled: Scores, n: int, independent: int | None = None) -> Estimate:
        clusters = len(np.unique(self._clusters))
        low, high = intervals.percentile_interval(resampled, clusters, self.confidence)
        interval = Interval(min(value, max(0.0, low)), max(value, min(1.0, high)))
        low, high = intervals.exact_at_edges(interval, value, independent or clusters // 2, self.confidence)
        method = intervals.bootstrap_name(self.signals.subjects is not None, self.resamples)
        return Estimate(value=value, low=low, high=high, confidence=self.confidence, n=n, method=method)

    def _rates(self, outcomes: list[_Outcome]) -> dict[str, Estimate]:
        """FPR, FNR, TPR and advantage at the transferred thresholds, over all decisions of all targets."""
        keep = np.array([outcome.keep for outcome in outcomes])
        flagged = np.array([outcome.flagged for outcome in outcomes])
        tp, fn = self._by_cluster(keep & flagged), self._by_cluster(keep & ~flagged)
        fp, tn = self._by_cluster(~keep & flagged), self._by_cluster(~keep & ~flagged)
        return {
            "fpr": intervals.clustered_rate(fp, fp + tn, self.confidence),
            "fnr": intervals.clustered_rate(fn, tp + fn, self.confidence),
            "tpr": intervals.clustered_rate(tp, tp + fn, self.confidence),
            "advantage": self._over_targets(
                intervals.clustered_difference((tp, tp + fn), (fp, fp + tn), self.confidence), learned=True, floor=-1.0
            ),
        }

    def _over_targets(self, estimate: Estimate, learned: bool, floor: float = 0.0) -> Estimate:
        """`estimate`, stretched by rule 4 where it was taken over several targets and something was learned."""
        value, low, high = estimate.value, estimate.low, estimate.high
        if not learned or len(self.targets) == 1 or value is None or low is None or high is None:
            return estimate
        low, high = value - BOTH_ROLES * (value - low), value + BOTH_ROLES * (high - value)
        method = f"{estimate.method}, stretched by sqrt(2)"
        return estimate.model_copy(update={"low": max(floor, low), "high": min(1.0, high), "method": method})

    def _by_cluster(self, hits: npt.NDArray[np.bool_]) -> Counts:
        """Counts (S,) of `hits` (T, N) by cluster."""
        return np.bincount(self._clusters, hits.sum(axis=0)).astype(np.int64)

    def _fewest_clusters(self, outcome: _Outcome) -> int:
        clusters = self._clusters
        return min(len(np.unique(clusters[outcome.keep])), len(np.unique(clusters[~outcome.keep])))

    @property
    def _clusters(self) -> npt.NDArray[Any]:
        """What is independent of one another, 0..S-1 (N,): subjects, or rows where subjects are not known."""
        subjects = self.signals.subjects
        return np.arange(self.signals.rows) if subjects is None else np.unique(subjects, return_inverse=True)[1]


def mean_roc(curves: Sequence[membership.RocCurve]) -> Roc:
    """At most 200 points, each the mean FPR and mean TPR of one realisable threshold a target, dense at low FPR.

    A point belongs to a nominal FPR that every target keeps: each flags as many as it can without exceeding it.
    """
    finest = max(int(curve.fp[-1]) for curve in curves)
    nominal = np.unique(np.concatenate(([0.0], np.geomspace(1 / finest, 1, 120), np.linspace(0, 1, 76))))
    points = [(0.0, 0.0)]
    for fpr in nominal:
        at = [curve.at_fpr(fpr) for curve in curves]
        point = (
            float(np.mean([curve.fpr[k] for curve, k in zip(curves, at, strict=True)])),
            float(np.mean([curve.tpr[k] for curve, k in zip(curves, at, strict=True)])),
        )
        if point != points[-1]:
            points.append(point)
    return Roc(fpr=[fpr for fpr, _ in points], tpr=[tpr for _, tpr in points])


def _summed(counts: Sequence[Confusion]) -> Confusion:
    return Confusion(
        tp=sum(one.tp for one in counts),
        fp=sum(one.fp for one in counts),
        fn=sum(one.fn for one in counts),
        tn=sum(one.tn for one in counts),
    )


def _of_targets(text: str, found: set[int], targets: int) -> str:
    return text if len(found) == targets else f"{text} (targets {', '.join(map(str, sorted(found)))})"
