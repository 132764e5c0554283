"""The confidence attack."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from fer_audit.attacks.membership_attack import Floats, MembershipAttack, Needs, TargetView
from fer_audit.attacks.probabilities import expit
from fer_audit.attacks.threshold_attack import ThresholdParameters


class Confidence(MembershipAttack):
    """A row whose label gets a high probability looks like a member: p_y, the mean over queries.

    It rounds to ties where outputs are saturated, which the loss does not.
    Source: Song and Mittal, "Systematic Evaluation of Privacy Risks of Machine Learning Models", USENIX Security 2021,
    section 3.2.2.
    Threat model: the attacker sees the target's outputs and knows the label; references only set the threshold.
    """

    name = "confidence"
    threat_model: ClassVar[str] = "black-box outputs and labels; reference models only for the threshold"
    needs: ClassVar[Needs] = Needs()
    scores_rows_apart = True

    class Params(ThresholdParameters):
        """Parameters of the attack."""

    params: Params

    def infer(self, view: TargetView) -> Floats:
        """Mean probability of the label (N,)."""
        return np.asarray(expit(view.phi).mean(axis=1), np.float64)

    def thresholds_by_class(self) -> bool:
        """As the parameter says."""
        return self.params.per_class
