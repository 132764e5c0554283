"""The shadow model attack."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from fer_audit.attacks.membership_attack import AttackParameters, Floats, MembershipAttack, Needs, TargetView
from fer_audit.attacks.probabilities import softmax
from fer_audit.attacks.signals import Mask


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

        classifier: Literal["logistic-regression", "random-forest"] = Field(
            "logistic-regression", description="the attack model, by scikit-learn"
        )
        features: Literal["sorted-probabilities", "probabilities", "sorted-log-probabilities"] = Field(
            "sorted-probabilities", description="what the attack model sees of an output"
        )
        min_rows: int = Field(20, ge=1, description="outputs of members, and of non-members, for a class's own model")
        seed: int = Field(0, ge=0, le=2**32 - 1, description="of the random forest")

    params: Params

    def infer(self, view: TargetView) -> Floats:
        """Probability of membership (N,) by the attack model of each row's class."""
        features, shadow = self._features(view.logits), self._features(view.references)
        scores, shared = np.empty(len(view.labels)), None
        for label in np.unique(view.labels):
            rows = view.labels == label
            members = view.reference_keep[:, rows]
            fewest = min(np.count_nonzero(members), np.count_nonzero(~members))
            if fewest >= self.params.min_rows:
                model = self._fit(shadow[:, rows], members)
            else:
                view.note(
                    f"class {label}: only {fewest} reference outputs of members or of non-members (needs "
                    f"{self.params.min_rows}), so the attack model over all classes scores it"
                )
                shared = model = shared or self._fit(shadow, view.reference_keep)
            scores[rows] = model.predict_proba(features[rows])[:, 1]
        return scores

    def _features(self, logits: Floats) -> Floats:
        """Features (..., Q * C) of `logits` (..., Q, C)."""
        found = softmax(logits)
        if self.params.features != "probabilities":
            found = np.sort(found, axis=-1)[..., ::-1]
        if self.params.features == "sorted-log-probabilities":
            found = np.log(np.maximum(found, np.finfo(np.float64).tiny))
        return found.reshape(*found.shape[:-2], -1)

    def _fit(self, features: Floats, keep: Mask) -> Any:
        """An attack model for reference outputs (R, K, F) and their membership (R, K)."""
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        x, y = features.reshape(-1, features.shape[-1]), keep.reshape(-1)
        # In one order, whatever the order of rows and references was: the same data then give the same model.
        order = np.lexsort((y, *x.T))
        return make_pipeline(StandardScaler(), self._classifier()).fit(x[order], y[order])

    def _classifier(self) -> Any:
        if self.params.classifier == "random-forest":
            from sklearn.ensemble import RandomForestClassifier

            return RandomForestClassifier(n_estimators=100, min_samples_leaf=20, random_state=self.params.seed)
        from sklearn.linear_model import LogisticRegression

        # Many rows, few features: Newton's steps need a tenth of the time of the default solver and converge further.
        return LogisticRegression(solver="newton-cholesky", max_iter=200)
