"""The loss trace attack."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from fer_audit.attacks.membership_attack import Floats, MembershipAttack, Needs, TargetView
from fer_audit.errors import SignalsError


class LossTrace(MembershipAttack):
    """A row whose loss moved much during training looks like a member: the interquartile range over epochs.

    Source: Pollock, Shilov, Dodd, de Montjoye, "Free Record-Level Privacy Risk Evaluation Through Artifact-Based
    Methods", USENIX Security 2025 (LT-IQR), which ranks training rows by how exposed they are; here it is read as a
    membership score. No reference model is needed.
    Threat model: an insider who kept the losses of every row after every epoch; nobody outside sees these.
    """

    name = "loss-trace"
    threat_model: ClassVar[str] = "losses after every epoch of training, which only an insider has"
    needs: ClassVar[Needs] = Needs(loss_trace=True)
    scores_rows_apart = True

    def infer(self, view: TargetView) -> Floats:
        """Interquartile range (N,) in nats."""
        if view.loss_trace is None:
            raise SignalsError("there is no loss_trace, the loss of every row after every epoch")
        losses = np.minimum(view.loss_trace, np.finfo(np.float32).max)  # an infinite loss is a very large one
        low, high = np.quantile(losses, (0.25, 0.75), axis=1)
        return np.asarray(high - low, np.float64)
