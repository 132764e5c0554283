"""The audit: every model in turn is the target, and thresholds come from the other models.

Four rules keep an audit honest where nothing leaks.

1. References never tell the target's membership; see `references_of`.
2. The threshold of a target comes from references that are attacked as if they were targets ("pseudo-targets"), or,
   where a model has none, from a calibration split of its rows; never from rows that are scored.
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
never put on one scale, which would need a calibration that an attacker does not have. The band of the ROC curve is of
the mean TPR, point by point: it holds for one FPR that is chosen beforehand, not for the whole curve at once.
FPR, FNR and TPR at the transferred thresholds are of the thresholds as they were set: their intervals speak of other
people, not of other reference models.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fer_audit.attacks.attacked import Attacked, Calibration, Outcome, references_of
from fer_audit.attacks.frame import Frame, make_frame
from fer_audit.attacks.mean_roc import MeanRoc, mean_roc
from fer_audit.attacks.membership_attack import MembershipAttack
from fer_audit.attacks.privacy_loss import prove
from fer_audit.attacks.records import Records, make_records, stability
from fer_audit.attacks.signals import Mask, Signals
from fer_audit.attacks.slices import Correction, Sliced
from fer_audit.errors import SignalsError
from fer_audit.metrics import intervals, membership
from fer_audit.metrics.intervals import Counts, Interval
from fer_audit.metrics.membership import Scores
from fer_audit.results import AttackResult, Confusion, Estimate, PluginRecord, Roc, TargetResult, Transferred

__all__ = ["Audited", "audit", "audited", "references_of", "stretch_of"]

#: False positive rates at which the TPR is given, where the data resolve them.
FPRS = (0.01, 0.001)

#: See rule 4 above.
BOTH_ROLES = math.sqrt(2)
#: What is said of an interval that was stretched.
STRETCHED = ", stretched by sqrt(2)"


@dataclass(frozen=True, eq=False)
class Audited:
    """What one attack found out."""

    result: AttackResult
    records: Records


def audit(
    signals: Signals,
    attacks: Iterable[MembershipAttack],
    *,
    targets: Sequence[int] | None = None,
    slices: Mapping[str, Sequence[Any]] | None = None,
    correction: Correction = "holm",
    delta: float = 1e-5,
    seed: int = 0,
    confidence: float = 0.95,
    resamples: int = 1000,
) -> list[AttackResult]:
    """Attacks each target with the other models as references and counts what the attacks got right.

    Args:
        signals: of all models.
        attacks: made by `fer_audit.attacks.create`.
        targets: the models to audit; None means each in turn.
        slices: what rows are grouped by beside class and subject size: name -> (N,) groups.
        correction: of the p-values of an attack's slices: Holm (1979), or Benjamini and Hochberg (1995).
        delta: at which epsilon is bounded.
        seed: of the bootstrap, whose resamples serve all attacks, and of the decisions that bound epsilon.
        confidence: of all intervals.
        resamples: of the bootstrap.

    Returns:
        One result an attack, in the order of `attacks`.

    Raises:
        SignalsError: the signals lack what an attack needs, or hold no reference for a target.
        PluginError: an attack returned something else than scores.
    """
    return [
        one.result
        for one in audited(
            signals,
            attacks,
            targets=targets,
            slices=slices,
            correction=correction,
            delta=delta,
            seed=seed,
            confidence=confidence,
            resamples=resamples,
        )
    ]


def audited(
    signals: Signals,
    attacks: Iterable[MembershipAttack],
    *,
    targets: Sequence[int] | None = None,
    slices: Mapping[str, Sequence[Any]] | None = None,
    correction: Correction = "holm",
    delta: float = 1e-5,
    seed: int = 0,
    confidence: float = 0.95,
    resamples: int = 1000,
    calibration: Mask | None = None,
) -> list[Audited]:
    """Like `audit`, with the exposure of every row.

    Rows in `calibration` (N,) set the thresholds in the place of references, and are left out of everything else: the
    rows of the records are numbered without them.
    """
    chosen = list(range(signals.models)) if targets is None else list(targets)
    if not chosen or len(set(chosen)) < len(chosen) or not all(0 <= target < signals.models for target in chosen):
        raise SignalsError(f"expected one or more targets within 0..{signals.models - 1}, received {chosen}")
    found, held = [], None
    if calibration is not None:
        held, signals = signals.take_rows(calibration), signals.take_rows(~calibration)
        slices = {name: np.asarray(values)[~calibration].tolist() for name, values in (slices or {}).items()}
    for attack in attacks:
        frame = make_frame(signals, attack.unit, slices or {})
        setting = None if held is None else Calibration(held, make_frame(held, attack.unit, {}))
        attacked = Attacked(signals, attack, frame, FPRS, setting)
        outcomes = [attacked.outcome(target) for target in chosen]
        statistics = _Statistics(frame, outcomes, attack, seed, confidence, resamples, calibration is not None)
        result = statistics.result(attacked.notes, correction, delta)
        found.append(Audited(result, make_records(frame, outcomes)))
    return found


def stretch_of(attack: MembershipAttack, targets: int) -> float:
    """How much wider intervals over several targets are where `attack` learns from other rows; see rule 4 above."""
    learns = attack.needed().references > 0 and not attack.scores_rows_apart
    return BOTH_ROLES if learns and targets > 1 else 1.0


@dataclass(frozen=True)
class _Statistics:
    """What is counted on the outcomes of an attack, and with which intervals."""

    frame: Frame
    outcomes: list[Outcome]
    attack: MembershipAttack
    seed: int
    confidence: float
    resamples: int
    calibrated: bool = False  #: whether a calibration split of the target set the thresholds

    def result(self, notes: Mapping[str, set[int]], correction: Correction, delta: float) -> AttackResult:
        """Sums up over targets."""
        frame, outcomes, attack = self.frame, self.outcomes, self.attack
        curve = mean_roc([membership.roc(outcome.members, outcome.nonmembers) for outcome in outcomes])
        aucs, tprs = self._resampled([*FPRS, *curve.stricter.tolist(), *curve.nominal.tolist()])
        per_target = [self._target(outcome, aucs[:, column]) for column, outcome in enumerate(outcomes)]
        values = [result.auc.value for result in per_target if result.auc.value is not None]
        identity = attack.identity()
        units = frame.keep.shape[1] * len(outcomes)
        return AttackResult(
            attack=PluginRecord(name=identity["name"], params=identity["params"], source=identity["source"]),
            threat_model=_without_references(attack.threat_model) if self.calibrated else attack.threat_model,
            unit=frame.unit,
            auc=self._stretched(self._bootstrapped(float(np.mean(values)), aucs.mean(axis=1), units), self.stretch),
            auc_spread=float(np.std(values, ddof=1)) if len(values) > 1 else None,
            tpr_at_fpr={
                str(fpr): self._stretched(self._tpr_at_fpr(fpr, tprs[:, column]), self.stretch)
                for column, fpr in enumerate(FPRS)
            },
            confusion=_summed([result.confusion for result in per_target]),
            **self._rates(),
            transferred={str(fpr): self._transferred(fpr) for fpr in FPRS},
            epsilon=prove(frame, outcomes, fpr=FPRS[0], delta=delta, confidence=self.confidence, seed=self.seed),
            roc=self._roc(curve, tprs[:, len(FPRS) :]),
            targets=per_target,
            slices=Sliced(frame, outcomes, self.confidence, self.stretch, correction).slices(),
            correction=correction,
            record_stability=stability(outcomes),
            notes=[_of_targets(text, found, len(outcomes)) for text, found in notes.items()],
        )

    @property
    def stretch(self) -> float:
        """Widens what was taken over several targets of an attack that learns."""
        return stretch_of(self.attack, len(self.outcomes))

    def _resampled(self, fprs: Sequence[float]) -> tuple[Scores, Scores]:
        """Bootstrapped AUC (B, T) of each target and mean TPR (B, F) at each of `fprs`; all targets share resamples."""
        aucs, tprs = [], []
        for weights in intervals.resampled_weights(self.frame.clusters, self.resamples, self.seed):
            aucs.append([membership.weighted_auc(o.scores, o.keep, weights) for o in self.outcomes])
            tprs.append(
                np.mean(
                    [membership.weighted_tpr_at_fpr(o.scores, o.keep, weights, fprs) for o in self.outcomes], axis=0
                )
            )
        return np.concatenate(aucs, axis=1).T, np.concatenate(tprs)

    def _roc(self, curve: MeanRoc, resampled: Scores) -> Roc:
        """`curve` with its band, from the mean TPR (B, 2 P) at its stricter and at its nominal FPRs."""
        clusters, name = (
            len(np.unique(self.frame.clusters)),
            intervals.bootstrap_name(self.frame.clustered, self.resamples),
        )
        strict, nominal = np.split(resampled, 2, axis=1)
        low, high = curve.band(strict, nominal, clusters, self.confidence)
        low = np.maximum(0.0, curve.tpr - self.stretch * (curve.tpr - low))
        high = np.minimum(1.0, curve.tpr + self.stretch * (high - curve.tpr))
        return Roc(
            fpr=curve.fpr.tolist(),
            tpr=curve.tpr.tolist(),
            # Digits that say nothing would fill a fifth of the results.
            low=np.minimum(curve.tpr, low.round(6)).tolist(),
            high=np.maximum(curve.tpr, high.round(6)).tolist(),
            confidence=self.confidence,
            method=f"pointwise {name}, lower end at one false positive less{STRETCHED if self.stretch > 1 else ''}",
        )

    def _target(self, outcome: Outcome, aucs: Scores) -> TargetResult:
        if not self.frame.clustered or self.frame.unit == "subject":
            auc = intervals.auc_interval(outcome.members, outcome.nonmembers, confidence=self.confidence)
        else:
            value = membership.auc(outcome.members, outcome.nonmembers)
            auc = self._bootstrapped(value, aucs, outcome.keep.size, self._fewest_clusters(outcome))
        return TargetResult(
            target=outcome.target,
            auc=auc,
            threshold=outcome.thresholds.best,
            class_thresholds=outcome.thresholds.by_class,
            confusion=_confusion(outcome.keep, outcome.flagged),
        )

    def _tpr_at_fpr(self, fpr: float, resampled: Scores) -> Estimate:
        """Mean TPR over targets, each at an FPR of at most `fpr`, where each has the non-members to resolve it."""
        fewest = min(int(np.count_nonzero(~outcome.keep)) for outcome in self.outcomes)
        if 1 / fewest > fpr:
            return self._unresolved(fpr, f"non-members a target, has {fewest:,}", fewest)
        value = np.mean([membership.tpr_at_fpr(one.members, one.nonmembers, fpr) for one in self.outcomes])
        members = sum(int(np.count_nonzero(outcome.keep)) for outcome in self.outcomes)
        return self._bootstrapped(float(value), resampled, members)

    def _transferred(self, fpr: float) -> Transferred:
        """What thresholds that were set for `fpr` on references did to the targets."""
        if not all(fpr in outcome.flagged_at for outcome in self.outcomes):
            of = "of the calibration split" if self.calibrated else "of the references"
            unknown = self._unresolved(fpr, f"non-members {of}", None)
            return Transferred(confusion=None, fpr=unknown, tpr=unknown)
        keep = np.array([outcome.keep for outcome in self.outcomes])
        flagged = np.array([outcome.flagged_at[fpr] for outcome in self.outcomes])
        return Transferred(
            confusion=_confusion(keep, flagged),
            fpr=self._rate(~keep & flagged, ~keep),
            tpr=self._rate(keep & flagged, keep),
        )

    def _unresolved(self, fpr: float, needed: str, n: int | None) -> Estimate:
        note = f"not resolvable (needs at least {round(1 / fpr):,} {needed})"
        return Estimate(value=None, confidence=self.confidence, n=n, note=note)

    def _bootstrapped(self, value: float, resampled: Scores, n: int, independent: int | None = None) -> Estimate:
        clusters = len(np.unique(self.frame.clusters))
        low, high = intervals.percentile_interval(resampled, clusters, self.confidence)
        interval = Interval(min(value, max(0.0, low)), max(value, min(1.0, high)))
        low, high = intervals.exact_at_edges(interval, value, independent or clusters // 2, self.confidence)
        method = intervals.bootstrap_name(self.frame.clustered, self.resamples)
        return Estimate(
            value=value, low=low, high=high, confidence=self.confidence, n=n, freedom=clusters - 1, method=method
        )

    def _rates(self) -> dict[str, Estimate]:
        """FPR, FNR, TPR and advantage at the transferred thresholds, over all decisions of all targets."""
        keep = np.array([outcome.keep for outcome in self.outcomes])
        flagged = np.array([outcome.flagged for outcome in self.outcomes])
        found = (self._by_cluster(keep & flagged), self._by_cluster(keep))
        accused = (self._by_cluster(~keep & flagged), self._by_cluster(~keep))
        advantage = intervals.clustered_difference(found, accused, self.confidence)
        return {
            "fpr": self._rate(~keep & flagged, ~keep),
            "fnr": self._rate(keep & ~flagged, keep),
            "tpr": self._rate(keep & flagged, keep),
            # The threshold is learned from other targets by every attack.
            "advantage": self._stretched(advantage, BOTH_ROLES if len(self.outcomes) > 1 else 1.0, floor=-1.0),
        }

    def _rate(self, hits: Mask, of: Mask) -> Estimate:
        """Share of `of` (T, U) that are `hits` (T, U)."""
        return intervals.clustered_rate(self._by_cluster(hits), self._by_cluster(of), self.confidence)

    def _stretched(self, estimate: Estimate, by: float, floor: float = 0.0) -> Estimate:
        """`estimate`, its interval wider by rule 4."""
        value, low, high = estimate.value, estimate.low, estimate.high
        if by == 1 or value is None or low is None or high is None:
            return estimate
        low, high = value - by * (value - low), value + by * (high - value)
        method = estimate.method + STRETCHED
        return estimate.model_copy(update={"low": max(floor, low), "high": min(1.0, high), "method": method})

    def _by_cluster(self, hits: npt.NDArray[np.bool_]) -> Counts:
        """Counts (S,) of `hits` (T, U) by cluster."""
        return np.bincount(self.frame.clusters, hits.sum(axis=0)).astype(np.int64)

    def _fewest_clusters(self, outcome: Outcome) -> int:
        clusters = self.frame.clusters
        return min(len(np.unique(clusters[outcome.keep])), len(np.unique(clusters[~outcome.keep])))


def _without_references(threat_model: str) -> str:
    """What the attacker knows who has no reference models; what is said of them stands behind a semicolon."""
    return f"{threat_model.partition(';')[0]}; no reference models, thresholds from rows of known membership"


def _summed(counts: Sequence[Confusion]) -> Confusion:
    return Confusion(
        tp=sum(one.tp for one in counts),
        fp=sum(one.fp for one in counts),
        fn=sum(one.fn for one in counts),
        tn=sum(one.tn for one in counts),
    )


def _of_targets(text: str, found: set[int], targets: int) -> str:
    return text if len(found) == targets else f"{text} (targets {', '.join(map(str, sorted(found)))})"


def _confusion(keep: Mask, flagged: Mask) -> Confusion:
    tp, fp = int(np.count_nonzero(keep & flagged)), int(np.count_nonzero(~keep & flagged))
    members = int(np.count_nonzero(keep))
    return Confusion(tp=tp, fp=fp, fn=members - tp, tn=keep.size - members - fp)
