"""The reference attack."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from fer_audit.attacks.membership_attack import AttackParameters, Floats, MembershipAttack, Needs, TargetView
from fer_audit.attacks.probabilities import log_probability


class AttackR(MembershipAttack):
    """The share of the references without the row whose loss on it is larger than the target's.

    One less a p-value: under "the target did not train on the row", the target is one more of these models. With R OUT
    references there are R + 1 values; `interpolate` puts a loss between its neighbours linearly instead, as the
    quantile function does. Losses are means over queries. A row without OUT references scores one half, which is noted.
    Source: Ye, Maddi, Murakonda, Bindschaedler, Shokri, "Enhanced Membership Inference Attacks against Machine Learning
    Models", CCS 2022, section 4.3 (Attack R).
    Threat model: the attacker sees the target's outputs, knows labels, and has models that never saw the row.
    """

    name = "attack-r"
    threat_model: ClassVar[str] = "black-box outputs and labels; reference models without the row"
    needs: ClassVar[Needs] = Needs(references=1)
    scores_rows_apart = True

    class Params(AttackParameters):
        """Parameters of the reference attack."""

        interpolate: bool = Field(True, description="between the losses of the references")

    params: Params

    def infer(self, view: TargetView) -> Floats:
        """Share (N,) of larger losses; equal ones do not count."""
        own, scores = -log_probability(view.phi).mean(axis=1), np.empty(view.rows)
        for rows in view.row_blocks():
            losses = -log_probability(view.reference_phi_of(rows)).mean(axis=2)
            outside = np.sort(np.where(view.reference_keep[:, rows], np.inf, losses), axis=0)
            count = np.count_nonzero(~view.reference_keep[:, rows], axis=0)
            rank = _interpolated if self.params.interpolate else _share_larger
            scores[rows] = rank(own[rows], outside, count)
        if np.isnan(scores).any():
            view.note("rows without references that did not train on them score one half")
        return np.nan_to_num(scores, nan=0.5)


def _share_larger(own: Floats, outside: Floats, count: Floats) -> Floats:
    """Share (K,) of the first `count` (K,) of the sorted losses (R, K) that are larger; NaN for none."""
    larger = np.count_nonzero((outside > own) & np.isfinite(outside), axis=0)
    return np.asarray(larger / np.where(count > 0, count, np.nan), np.float64)


def _interpolated(own: Floats, outside: Floats, count: Floats) -> Floats:
    """1 - F(own) where F inverts the linear interpolation of `count` sorted losses at 0, 1/(count-1), ..., 1."""
    below = np.count_nonzero(
        outside < own, axis=0
    )  # losses strictly below, of which the last one is the left neighbour
    columns = np.arange(len(own))
    left = outside[np.maximum(below - 1, 0), columns]
    right = outside[np.minimum(below, len(outside) - 1), columns]
    with np.errstate(invalid="ignore", divide="ignore"):
        inner = (below - 1 + (own - left) / (right - left)) / (count - 1)
    found = np.where(below == 0, 0.0, np.where(below >= count, 1.0, inner))
    # With one loss the function is a step; a loss that equals it lies in its middle.
    found = np.where((count == 1) & (own == outside[0]), 0.5, found)
    return np.where(count > 0, 1 - found, np.nan)
