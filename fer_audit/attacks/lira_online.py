"""The likelihood ratio attack with references on both sides of each row."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from fer_audit.attacks.gaussian import Variance, deviations, log_density
from fer_audit.attacks.in_out import Centre, completed, in_out
from fer_audit.attacks.membership_attack import AttackParameters, Floats, MembershipAttack, Needs, TargetView
from fer_audit.attacks.released_lira import script_score


class LiraOnline(MembershipAttack):
    """How much likelier a row's confidence is among models that trained on it than among models that did not.

    sum_q log N(phi; m_in, s_in) - log N(phi; m_out, s_out), with phi = z_y - log sum_{j != y} exp z_j.
    Source: Carlini, Chien, Nasr, Song, Terzis, Tramer, "Membership Inference Attacks From First Principles", S&P 2022,
    algorithm 1; variances are pooled over rows where references are few, IN and OUT apart (section VI-C).
    Variants: "packaged" is what TensorFlow Privacy computes (mean over queries, whose pooled variance is shared),
    "released-script" what the paper's plot.py computes (medians; every row cut to the fewest references; the fixed
    variance is that of the raw IN scores, difficulty included, for both sides).
    Threat model: the attacker sees the target's outputs, knows labels, and trains models with and without each row.
    """

    name = "lira-online"
    threat_model: ClassVar[str] = "black-box outputs and labels; reference models with and without each row"
    needs: ClassVar[Needs] = Needs(references=1)
    # Pooled deviations of both sides are learned from all rows: where nothing leaks, their difference decides which of
    # two unusual answers looks like a member's.

    class Params(AttackParameters):
        """Parameters of online LiRA."""

        variance: Variance = Field("auto", description="each row's own, or pooled over rows; auto: as references allow")
        centre: Centre = Field("mean", description="of the references' confidences")
        variant: Literal["paper", "packaged", "released-script"] = Field("paper", description="whose definition")

    params: Params

    def infer(self, view: TargetView) -> Floats:
        """Log-likelihood ratio (N,)."""
        params = self.params
        if params.variant == "released-script":
            return script_score(view, pooled=params.variance.startswith("pooled"), online=True)
        packaged = params.variant == "packaged"
        known = in_out(view, params.centre)
        sides = completed(known, view)
        s_in, s_out = (
            deviations(view, known, side, params.variance, of_all_queries=packaged)
            for side in (sides.inside, sides.outside)
        )
        ratio = log_density(view.phi, sides.inside.centre, s_in) - log_density(view.phi, sides.outside.centre, s_out)
        return np.asarray(ratio.mean(axis=1) if packaged else ratio.sum(axis=1), np.float64)
