"""The gap attack."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from fer_audit.attacks.membership_attack import Floats, MembershipAttack, Needs, TargetView
from fer_audit.attacks.probabilities import is_correct


class Gap(MembershipAttack):
    """A row that is classified as its label says looks like a member; the mean over queries.

    Its advantage is the gap between the accuracies on members and on non-members: what any attack should beat.
    Source: Yeom, Giacomelli, Fredrikson, Jha, "Privacy Risk in Machine Learning: Analyzing the Connection to
    Overfitting", CSF 2018 (bounded loss adversary); named so by Choquette-Choo et al., ICML 2021.
    Threat model: the attacker sees the target's predicted label only, and knows the true one.
    """

    name = "gap"
    threat_model: ClassVar[str] = "predicted labels only, and true labels"
    needs: ClassVar[Needs] = Needs()
    scores_rows_apart = True

    def infer(self, view: TargetView) -> Floats:
        """Share of correct answers (N,)."""
        return np.asarray(is_correct(view.logits, view.labels).mean(axis=1), np.float64)
