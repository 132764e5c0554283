"""The population attack."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from fer_audit.attacks.membership_attack import Floats, MembershipAttack, Needs, TargetView
from fer_audit.attacks.probabilities import log_probability


class AttackP(MembershipAttack):
    """The share of the population on which the target's loss is larger than on the row.

    One less a p-value: under "the target did not train on the row", the row's loss is one more of the population's.
    Losses are means over the queries that the population was asked.
    Source: Ye, Maddi, Murakonda, Bindschaedler, Shokri, "Enhanced Membership Inference Attacks against Machine Learning
    Models", CCS 2022, section 4.2 (Attack P).
    Threat model: the attacker sees the target's outputs on the row and on a population that it did not train on.
    """

    name = "attack-p"
    threat_model: ClassVar[str] = "black-box outputs and labels, also of rows known as non-members; no reference models"
    needs: ClassVar[Needs] = Needs(population=True)
    scores_rows_apart = True

    def infer(self, view: TargetView) -> Floats:
        """Share (N,) of larger losses; equal ones do not count."""
        rows, population = (-log_probability(phi).mean(axis=1) for phi in view.shared_phi())
        larger = len(population) - np.searchsorted(np.sort(population), rows, side="right")
        return np.asarray(larger / len(population), np.float64)
