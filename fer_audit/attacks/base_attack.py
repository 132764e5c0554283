"""The BASE attack."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from fer_audit.attacks.membership_attack import AttackParameters, Floats, MembershipAttack, Needs, TargetView
from fer_audit.attacks.reference_means import log_mean_probabilities


class Base(MembershipAttack):
    """How much likelier the label is to the target than to the reference models on average.

    mean_q log p(x) - log mean_r p_r(x). The mean is over OUT references, or online over both sides with equal weight.
    It orders rows as RMIA does, without its ties.
    Source: Lassila, Ostman, Ngo, Graell i Amat, "Practical Bayes-Optimal Membership Inference Attacks", NeurIPS 2025.
    Threat model: the attacker sees the target's outputs, knows labels, and trains models like it.
    """

    name = "base"
    threat_model: ClassVar[str] = "black-box outputs and labels; reference models with or without each row"
    needs: ClassVar[Needs] = Needs(references=1)
    scores_rows_apart = True

    class Params(AttackParameters):
        """Parameters of BASE."""

        mode: Literal["online", "offline"] = Field("online", description="references of both sides, or OUT alone")

    params: Params

    def infer(self, view: TargetView) -> Floats:
        """Log ratio (N,)."""
        inside, outside = log_mean_probabilities(view)
        mean = outside if self.params.mode == "offline" else np.logaddexp(inside, outside) - np.log(2)
        return np.asarray((view.log_probability - mean).mean(axis=1), np.float64)
