"""Difficulty calibration."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from fer_audit.attacks.in_out import Centre, completed, in_out
from fer_audit.attacks.membership_attack import AttackParameters, Floats, MembershipAttack, Needs, TargetView


class Calibration(MembershipAttack):
    """How much more confident the target is than the references are on the same row.

    mean_q phi - (c_in + c_out) / 2, or phi - c_out, with the centres c of the references' phi.
    Source: Watson, Guo, Cormode, Sablayrolles, "On the Importance of Difficulty Calibration in Membership Inference
    Attacks", ICLR 2022 (OUT references); with both sides, the threshold between the two means of Sablayrolles, Douze,
    Ollivier, Schmid, Jegou, "White-box vs Black-box: Bayes Optimal Strategies for Membership Inference", ICML 2019
    (MALT). The logit-scaled confidence of Carlini et al. (2022) stands for the loss.
    Threat model: the attacker sees the target's outputs, knows labels, and trains models like it.
    """

    name = "calibration"
    threat_model: ClassVar[str] = "black-box outputs and labels; reference models with or without each row"
    needs: ClassVar[Needs] = Needs(references=1)
    scores_rows_apart = True

    class Params(AttackParameters):
        """Parameters of difficulty calibration."""

        centre: Centre = Field("mean", description="of the references' confidences")
        sides: Literal["both", "out"] = Field("both", description="the middle of IN and OUT references, or OUT alone")

    params: Params

    def infer(self, view: TargetView) -> Floats:
        """Calibrated confidence (N,)."""
        sides = completed(in_out(view, self.params.centre), view)
        centre = sides.outside.centre
        if self.params.sides == "both":
            centre = (centre + sides.inside.centre) / 2
        return np.asarray((view.phi - centre).mean(axis=1), np.float64)
