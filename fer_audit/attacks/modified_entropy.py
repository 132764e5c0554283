"""The modified entropy attack."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from fer_audit.attacks.membership_attack import Floats, MembershipAttack, Needs, TargetView
from fer_audit.attacks.probabilities import negative_modified_entropy
from fer_audit.attacks.threshold_attack import ThresholdParameters


class ModifiedEntropy(MembershipAttack):
    """A peaked output on the label looks like a member: entropy that knows the label, with a threshold for each class.

    (1 - p_y) log p_y + sum_{j != y} p_j log(1 - p_j), the mean over queries.
    Source: Song and Mittal, "Systematic Evaluation of Privacy Risks of Machine Learning Models", USENIX Security 2021,
    equation 7.
    Threat model: the attacker sees the target's outputs and knows the label; references only set the threshold.
    """

    name = "modified-entropy"
    threat_model: ClassVar[str] = "black-box outputs and labels; reference models only for the threshold"
    needs: ClassVar[Needs] = Needs()
    scores_rows_apart = True

    class Params(ThresholdParameters):
        """Parameters of the attack."""

        per_class: bool = Field(True, description="one decision threshold a class, set on references, instead of one")

    params: Params

    def infer(self, view: TargetView) -> Floats:
        """Mean negative modified entropy (N,)."""
        return np.asarray(negative_modified_entropy(view.logits, view.labels, view.phi).mean(axis=1), np.float64)

    def thresholds_by_class(self) -> bool:
        """As the parameter says."""
        return self.params.per_class
