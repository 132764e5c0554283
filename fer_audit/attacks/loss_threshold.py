"""The loss threshold attack."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from fer_audit.attacks.membership_attack import Floats, MembershipAttack, Needs, TargetView
from fer_audit.attacks.threshold_attack import ThresholdParameters


class LossThreshold(MembershipAttack):
    """A row with a low loss looks like a member: log p_y, the mean over queries.

    Source: Yeom, Giacomelli, Fredrikson, Jha, "Privacy Risk in Machine Learning: Analyzing the Connection to
    Overfitting", CSF 2018. Their threshold is the mean training loss; here the references choose it.
    Threat model: the attacker sees the target's outputs and knows the label; references only set the threshold.
    """

    name = "loss-threshold"
    threat_model: ClassVar[str] = "black-box outputs and labels; reference models only for the threshold"
    needs: ClassVar[Needs] = Needs()
    scores_rows_apart = True

    class Params(ThresholdParameters):
        """Parameters of the attack."""

    params: Params

    def infer(self, view: TargetView) -> Floats:
        """Mean log-probability of the label (N,)."""
        return np.asarray(view.log_probability.mean(axis=1), np.float64)

    def thresholds_by_class(self) -> bool:
        """As the parameter says."""
        return self.params.per_class
