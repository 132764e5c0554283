"""The ML-Leaks attacks."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from fer_audit.attacks import attack_model
from fer_audit.attacks.membership_attack import AttackParameters, Floats, MembershipAttack, Needs, TargetView
from fer_audit.attacks.probabilities import softmax

_TOP = 3


class MlLeaks(MembershipAttack):
    """Attacks that need less than Shokri's: one attack model for all classes, or no model at all.

    Adversary 1: logistic regression on the three largest probabilities of each query, whatever the class, learned from
    the references (the paper has one shadow model; all references are used here, so that none has to be preferred).
    Adversary 3: the largest probability, the mean over queries; nothing is trained.
    Adversary 2 trains its shadow model on data of another kind, which signals of one pool can't express.
    Source: Salem, Zhang, Humbert, Berrang, Fritz, Backes, "ML-Leaks: Model and Data Independent Membership Inference
    Attacks and Defenses on Machine Learning Models", NDSS 2019, sections III and V.
    Threat model: the attacker sees the target's outputs and no labels; adversary 1 trains a model on like data.
    """

    name = "ml-leaks"
    threat_model: ClassVar[str] = "black-box outputs without labels; adversary 1 has reference models"
    needs: ClassVar[Needs] = Needs(references=1)

    class Params(AttackParameters):
        """Parameters of ML-Leaks."""

        adversary: Literal[1, 3] = Field(1, description="1 learns from references, 3 does without")
        max_rows: int = Field(
            100_000, ge=100, description="reference outputs that the attack model learns from at most"
        )

    params: Params

    def needed(self) -> Needs:
        """Adversary 3 needs no references."""
        return self.needs if self.params.adversary == 1 else Needs()

    def infer(self, view: TargetView) -> Floats:
        """Probability of membership, or largest probability (N,)."""
        if self.params.adversary == 3:
            return np.asarray(softmax(view.logits).max(axis=-1).mean(axis=1), np.float64)
        limit = self.params.max_rows
        outputs, members = attack_model.outputs(view, np.arange(view.rows), _top_probabilities, max_rows=limit)
        model = attack_model.fit(outputs, members, "logistic-regression", max_rows=limit)
        return np.asarray(model.predict_proba(_top_probabilities(view.logits))[:, 1], np.float64)


def _top_probabilities(logits: Floats) -> Floats:
    """The largest probabilities (K, Q * 3) of `logits` (K, Q, C), falling."""
    found = np.sort(softmax(logits), axis=-1)[..., ::-1][..., :_TOP]
    return found.reshape(len(found), -1)
