"""Membership by the margin of the label."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fer_audit.attacks.membership_attack import MembershipAttack, TargetView

from ..margins import margins  # noqa: TID252 - what the tests are about


class Margin(MembershipAttack):
    """Members are the rows whose label the target is surest of: mean over queries of the logit margin.

    Source: Sablayrolles, Douze, Schmid, Ollivier, Jegou, "White-box vs Black-box: Bayes Optimal Strategies for
    Membership Inference", ICML 2019, which compares confidence with a threshold; the margin does not saturate.
    Threat model: the attacker sees logits and knows the labels.
    """

    name = "margin"
    threat_model = "logits of the target"
    scores_rows_apart = True

    def infer(self, view: TargetView) -> npt.NDArray[np.float64]:
        """Mean margin (N,)."""
        queries = range(view.logits.shape[1])
        return np.mean([margins(view.logits[:, query], view.labels) for query in queries], axis=0)
