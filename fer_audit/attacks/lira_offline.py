"""The likelihood ratio attack with references that did not train on the row."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from fer_audit.attacks.gaussian import Variance, deviations, log_density
from fer_audit.attacks.in_out import Centre, completed, in_out
from fer_audit.attacks.membership_attack import AttackParameters, Floats, MembershipAttack, Needs, TargetView
from fer_audit.attacks.released_lira import script_score


class LiraOffline(MembershipAttack):
    """How unusually confident the target is for a model that did not train on the row.

    sum_q log Phi((phi - m_out) / s_out): the log of 1 - Pr[Z > phi] with Z ~ N(m_out, s_out^2), one-sided.
    Source: Carlini, Chien, Nasr, Song, Terzis, Tramer, "Membership Inference Attacks From First Principles", S&P 2022,
    section V-A (equation 4).
    Variants: "two-sided" is what TensorFlow Privacy computes (-log density, so that an unusually low confidence looks
    like a member too; mean over queries, whose pooled variance is shared), "released-script" what the paper's plot.py
    computes (the same with medians, and the variance of raw OUT scores).
    Threat model: the attacker sees the target's outputs, knows labels, and has models that never saw the row.
    """

    name = "lira-offline"
    threat_model: ClassVar[str] = "black-box outputs and labels; reference models without the row"
    needs: ClassVar[Needs] = Needs(references=1)
    scores_rows_apart = True

    class Params(AttackParameters):
        """Parameters of offline LiRA."""

        variance: Variance = Field("auto", description="each row's own, or pooled over rows; auto: as references allow")
        centre: Centre = Field("mean", description="of the references' confidences")
        variant: Literal["one-sided", "two-sided", "released-script"] = Field(
            "one-sided", description="the paper's test, or what released implementations compute"
        )

    params: Params

    def infer(self, view: TargetView) -> Floats:
        """Log-probability (N,) that a model without the row is less confident."""
        from scipy.special import log_ndtr

        params = self.params
        if params.variant == "released-script":
            return script_score(view, pooled=params.variance.startswith("pooled"), online=False)
        two_sided = params.variant == "two-sided"
        known = in_out(view, params.centre)
        outside = completed(known, view).outside
        deviation = deviations(view, known, outside, params.variance, of_all_queries=two_sided)
        if two_sided:
            constant = np.log(2 * np.pi) / 2
            return np.asarray((constant - log_density(view.phi, outside.centre, deviation)).mean(axis=1), np.float64)
        return np.asarray(log_ndtr((view.phi - outside.centre) / deviation).sum(axis=1), np.float64)
