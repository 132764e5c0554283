"""The label-only attack."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from fer_audit.attacks import attack_model
from fer_audit.attacks.membership_attack import AttackParameters, Floats, MembershipAttack, Needs, TargetView
from fer_audit.attacks.probabilities import is_correct


class LabelOnly(MembershipAttack):
    """A row whose label the target keeps for many transformed copies looks like a member.

    The features are one bit a query: whether the predicted label is the true one. A logistic regression learns from the
    references what the bits mean; "count" counts them.
    Source: Choquette-Choo, Tramer, Carlini, Papernot, "Label-Only Membership Inference Attacks", ICML 2021, section 4.2
    (data augmentation attack; the paper's classifier is a small neural network).
    Threat model: the attacker sees predicted labels only, asks about transformed copies, and trains models like it.
    """

    name = "label-only"
    threat_model: ClassVar[str] = "predicted labels only, of transformed copies, and true labels; reference models"
    needs: ClassVar[Needs] = Needs(references=1, queries=2)

    class Params(AttackParameters):
        """Parameters of the label-only attack."""

        classifier: Literal["logistic-regression", "count"] = Field(
            "logistic-regression", description="what the bits are summed up by; count needs no references"
        )
        max_rows: int = Field(100_000, ge=100, description="reference outputs that the classifier learns from at most")

    params: Params

    def needed(self) -> Needs:
        """Counting needs no references."""
        return self.needs if self.params.classifier != "count" else Needs(queries=2)

    def infer(self, view: TargetView) -> Floats:
        """Probability of membership, or share of agreeing queries (N,)."""
        own = is_correct(view.logits, view.labels).astype(np.float64)
        if self.params.classifier == "count":
            return np.asarray(own.mean(axis=1), np.float64)
        bits = [
            is_correct(view.reference_logits(reference), view.labels).astype(np.float64)
            for reference in range(len(view.reference_keep))
        ]
        members, limit = view.reference_keep.ravel(), self.params.max_rows
        model = attack_model.fit(np.concatenate(bits), members, "logistic-regression", max_rows=limit)
        return np.asarray(model.predict_proba(own)[:, 1], np.float64)
