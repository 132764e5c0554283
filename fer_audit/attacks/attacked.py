"""An attack on the models of some signals: its scores, and the thresholds that other models set."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from fer_audit.attacks.answers import Labels
from fer_audit.attacks.frame import Frame
from fer_audit.attacks.membership_attack import MembershipAttack
from fer_audit.attacks.signals import Mask, Signals
from fer_audit.errors import SignalsError
from fer_audit.metrics import membership
from fer_audit.metrics.membership import Scores

#: Pseudo-targets that set one target's threshold; more would not move one number fitted on so many rows.
PSEUDO_TARGETS = 4

#: A class with fewer reference scores of members, or of non-members, shares the threshold of all classes.
MIN_CLASS_SCORES = 20


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


@dataclass(frozen=True, eq=False)
class Thresholds:
    """Decision thresholds of one target, set on other models; None flags nobody."""

    best: float | None  #: with the best balanced accuracy
    by_class: list[float | None] | None  #: likewise for each class, where the attack has one a class
    at_fpr: dict[float, float | None]  #: with the highest TPR at that FPR; only those that the references can resolve


@dataclass(frozen=True, eq=False)
class Outcome:
    """What an attack did to one target."""

    target: int
    scores: Scores  #: (U,)
    keep: Mask  #: (U,)
    flagged: Mask  #: (U,), at the best threshold
    flagged_at: dict[float, Mask]  #: FPR -> (U,)
    thresholds: Thresholds

    @property
    def members(self) -> Scores:
        """(n1,)."""
        return self.scores[self.keep]

    @property
    def nonmembers(self) -> Scores:
        """(n0,)."""
        return self.scores[~self.keep]


@dataclass(frozen=True, eq=False)
class Calibration:
    """Rows of known membership that set the thresholds of a target, and that are not scored."""

    signals: Signals
    frame: Frame


@dataclass(frozen=True, eq=False)
class Attacked:
    """One attack on the models of some signals; each score is computed once."""

    signals: Signals
    attack: MembershipAttack
    frame: Frame
    fprs: tuple[float, ...]
    calibration: Calibration | None = None  #: sets the thresholds in the place of other models
    notes: dict[str, set[int]] = field(default_factory=dict)  #: note -> targets
    _scores: dict[tuple[int, tuple[int, ...]], tuple[Scores, tuple[str, ...]]] = field(default_factory=dict)

    def outcome(self, target: int) -> Outcome:
        """Scores and decisions on `target`; raises SignalsError, PluginError."""
        scores, found = self._target(target), self._thresholds(target)
        limit = self._limits(found)
        at_fpr = {fpr: _flag(scores, _limit(threshold)) for fpr, threshold in found.at_fpr.items()}
        return Outcome(target, scores, self.frame.keep[target], _flag(scores, limit), at_fpr, found)

    def _limits(self, found: Thresholds) -> Scores:
        """The threshold of each unit (U,) or of all."""
        if found.by_class is None:
            return _limit(found.best)
        return np.concatenate([_limit(threshold) for threshold in found.by_class])[self.frame.labels]

    def _target(self, target: int) -> Scores:
        """Scores (U,) of `target`."""
        references = references_of(self.signals.keep, target)
        if self._learns and counts_tell_membership(self.signals.keep, target):
            self._note(
                "every row is in as many models as any other and the target has no complement to leave out, so the "
                "number of references that trained on a row tells its membership; train models in complementary pairs",
                target,
            )
        return self._score(target, references, target)

    def _thresholds(self, target: int) -> Thresholds:
        """Thresholds from the target's calibration rows, or from the pooled pseudo-targets of `target`."""
        if self.calibration is not None:
            return self._calibrated(self.calibration, target)
        keep, references = self.frame.keep, references_of(self.signals.keep, target)
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
        labels = np.tile(self.frame.labels, len(pseudo_targets))
        return self._set(np.concatenate(scores), keep[pseudo_targets].ravel(), labels, target)

    def _calibrated(self, calibration: Calibration, target: int) -> Thresholds:
        """Thresholds from what the target answers on rows that are not scored."""
        references = references_of(self.signals.keep, target)
        scored = self.attack.scored(calibration.signals, target, references=references)
        scores = np.nan_to_num(scored.scores)[calibration.frame.first]
        return self._set(scores, calibration.frame.keep[target], calibration.frame.labels, target)

    def _set(self, pooled: Scores, members: Mask, labels: Labels, target: int) -> Thresholds:
        """The thresholds that are best for scores (K,) of members and non-members with `labels` (K,)."""
        best = membership.best_threshold(pooled[members], pooled[~members])
        return Thresholds(
            best,
            self._by_class(pooled, members, labels, best, target) if self.attack.thresholds_by_class() else None,
            {
                fpr: membership.threshold_at_fpr(pooled[members], pooled[~members], fpr)
                for fpr in self.fprs
                if 1 / np.count_nonzero(~members) <= fpr
            },
        )

    def _by_class(
        self, scores: Scores, members: Mask, labels: Labels, best: float | None, target: int
    ) -> list[float | None]:
        found = []
        for label in range(self.signals.classes):
            inside, outside = scores[members & (labels == label)], scores[~members & (labels == label)]
            enough = min(len(inside), len(outside)) >= MIN_CLASS_SCORES
            if not enough and len(inside) + len(outside):
                self._note(
                    f"class {label}: fewer than {MIN_CLASS_SCORES} {self._judges} scores of members or of non-members, "
                    "so the threshold of all classes serves it",
                    target,
                )
            found.append(membership.best_threshold(inside, outside) if enough else best)
        return found

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
        key = (model, references if self._learns else ())
        if key not in self._scores:
            scored = self.attack.scored(self.signals, model, references=references)
            # Results are JSON, which has no infinity; the order is the same.
            self._scores[key] = (np.nan_to_num(scored.scores)[self.frame.first], scored.notes)
        scores, notes = self._scores[key]
        for note in notes:
            if model == target:
                self._note(note, target)
            elif target not in self.notes.get(note, ()):
                self._note(f"thresholds: {note}", target)
        return scores

    @property
    def _judges(self) -> str:
        """Whose scores set thresholds."""
        return "reference" if self.calibration is None else "calibration"

    @cached_property
    def _learns(self) -> bool:
        return self.attack.needed().references > 0

    def _note(self, text: str, target: int) -> None:
        self.notes.setdefault(text, set()).add(target)


def _limit(threshold: float | None) -> Scores:
    """A threshold as a number (1,); NaN is reached by no score."""
    return np.array([np.nan if threshold is None else threshold])


def _flag(scores: Scores, limit: Scores) -> Mask:
    return np.asarray(scores >= limit, np.bool_)
