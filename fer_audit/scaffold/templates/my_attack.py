"""Difficulty calibration of the margin."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from fer_audit.attacks.answers import Labels
from fer_audit.attacks.membership_attack import AttackParameters, Floats, MembershipAttack, Needs, TargetView


class MyAttack(MembershipAttack):
    """How far the target's margin lies above that of models that never saw the row.

    m - q(m_1, m_2, ...) with the margin m = z_y - max_{j != y} z_j of the logits z and the label y, by the target and
    by the references without the row; q is their `quantile`, rounded down to one of them.
    Source: Watson, Guo, Cormode, Sablayrolles, "On the Importance of Difficulty Calibration in Membership Inference
    Attacks", ICLR 2022. Differs: the margin stands for the loss, and a quantile for the mean.
    Threat model: the attacker sees the target's logits, knows labels, and trains models like it.
    """

    name = "my-attack"
    threat_model: ClassVar[str] = "black-box logits and labels; reference models without the row"
    needs: ClassVar[Needs] = Needs(references=1)
    scores_rows_apart = True  # a row's score depends on no other row

    class Params(AttackParameters):
        """Parameters of the attack; the grid may set them."""

        quantile: float = Field(0.5, ge=0, le=1, description="of the references' margins; 0.5 is their median")

    params: Params

    def infer(self, view: TargetView) -> Floats:
        """Calibrated margins (N,); the larger, the more likely a member."""
        references = range(len(view.reference_keep))
        margins = np.stack([_margin(view.reference_logits(reference), view.labels) for reference in references])
        seen_by_all = view.reference_keep.all(axis=0)
        if seen_by_all.any():
            view.note("rows that every reference trained on are compared with these references")
        ordered = np.sort(np.where(view.reference_keep & ~seen_by_all, np.inf, margins), axis=0)
        count = np.count_nonzero(~view.reference_keep | seen_by_all, axis=0)
        place, rows = self.params.quantile * (count - 1), np.arange(view.rows)
        low, high = np.floor(place).astype(np.int64), np.ceil(place).astype(np.int64)
        difficulty: Floats = ordered[low, rows] * (1 - place % 1) + ordered[high, rows] * (place % 1)
        return _margin(view.logits, view.labels) - difficulty


def _margin(logits: Floats, labels: Labels) -> Floats:
    """Logit of the label less the largest other one, mean over queries (N,), for `logits` (N, Q, C)."""
    own = np.arange(logits.shape[2]) == labels[:, None, None]
    label, other = np.where(own, logits, -np.inf).max(axis=2), np.where(own, -np.inf, logits).max(axis=2)
    return np.asarray((label - other).mean(axis=1), np.float64)
