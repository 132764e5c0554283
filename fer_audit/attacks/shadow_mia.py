"""The shadow model attack."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from fer_audit.attacks import attack_model
from fer_audit.attacks.membership_attack import AttackParameters, Floats, MembershipAttack, Needs, TargetView
from fer_audit.attacks.probabilities import softmax

Index = npt.NDArray[np.intp]


class ShadowMia(MembershipAttack):
    """Attack models, one a class, learn from the reference models' outputs how a member's output looks.

    Source: Shokri, Stronati, Song, Shmatikov, "Membership Inference Attacks Against Machine Learning Models", S&P 2017.
    The features are the probabilities of every chosen query, sorted as in Salem et al. (NDSS 2019).
    A class with fewer than `min_rows` reference outputs of members or of non-members is scored by one attack model
    over all classes, which is noted.
    Threat model: the attacker sees the target's outputs, knows the label, and trains models like it on like data.
    """

    name = "shadow-mia"
    threat_model: ClassVar[str] = "black-box outputs and labels; reference models trained on data of the same kind"
    needs: ClassVar[Needs] = Needs(references=1)

    class Params(AttackParameters):
        """Parameters of the shadow model attack."""

        classifier: attack_model.Classifier = Field(
            "logistic-regression", description="the attack model, by scikit-learn"
        )
        features: Literal["sorted-probabilities", "probabilities", "sorted-log-probabilities"] = Field(
            "sorted-probabilities", description="what the attack model sees of an output"
        )
        min_rows: int = Field(20, ge=1, description="outputs of members, and of non-members, for a class's own model")
        max_rows: int = Field(100_000, ge=100, description="reference outputs that an attack model learns from at most")
        seed: int = Field(0, ge=0, le=2**32 - 1, description="of the random forest")

    params: Params

    def infer(self, view: TargetView) -> Floats:
        """Probability of membership (N,) by the attack model of each row's class."""
        features, scores, shared = self._features(view.logits), np.empty(view.rows), None
        for label in np.unique(view.labels):
            rows = np.flatnonzero(view.labels == label)
            members = view.reference_keep[:, rows]
            fewest = min(np.count_nonzero(members), np.count_nonzero(~members))
            if fewest >= self.params.min_rows:
                model = self._fit(view, rows)
            else:
                view.note(
                    f"class {label}: only {fewest} reference outputs of members or of non-members (needs "
                    f"{self.params.min_rows}), so the attack model over all classes scores it"
                )
                shared = model = shared or self._fit(view, np.arange(view.rows))
            scores[rows] = model.predict_proba(features[rows])[:, 1]
        return scores

    def _fit(self, view: TargetView, rows: Index) -> Any:
        """An attack model for the references' outputs on some rows."""
        params = self.params
        outputs, members = attack_model.outputs(view, rows, self._features, max_rows=params.max_rows)
        return attack_model.fit(outputs, members, params.classifier, max_rows=params.max_rows, seed=params.seed)

    def _features(self, logits: Floats) -> Floats:
        """Features (K, Q * C) of `logits` (K, Q, C)."""
        found = softmax(logits)
        if self.params.features != "probabilities":
            found = np.sort(found, axis=-1)[..., ::-1]
        if self.params.features == "sorted-log-probabilities":
            found = np.log(np.maximum(found, np.finfo(np.float64).tiny))
        return found.reshape(len(found), -1)
