"""The entropy attack."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from fer_audit.attacks.membership_attack import Floats, MembershipAttack, Needs, TargetView
from fer_audit.attacks.probabilities import negative_entropy
from fer_audit.attacks.threshold_attack import ThresholdParameters


class Entropy(MembershipAttack):
    """A peaked output looks like a member: sum_j p_j log p_j, the mean over queries. It ignores the label.

    Source: Song and Mittal, "Systematic Evaluation of Privacy Risks of Machine Learning Models", USENIX Security 2021,
    section 3.2.2, after Salem et al. (NDSS 2019).
    Threat model: the attacker sees the target's outputs; references only set the threshold.
    """

    name = "entropy"
    threat_model: ClassVar[str] = "black-box outputs and labels; reference models only for the threshold"
    needs: ClassVar[Needs] = Needs()
    scores_rows_apart = True

    class Params(ThresholdParameters):
        """Parameters of the attack."""

    params: Params

    def infer(self, view: TargetView) -> Floats:
        """Mean negative entropy in nats (N,)."""
        return np.asarray(negative_entropy(view.logits).mean(axis=1), np.float64)

    def thresholds_by_class(self) -> bool:
        """As the parameter says."""
        return self.params.per_class
