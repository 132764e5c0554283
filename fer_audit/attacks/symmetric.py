"""Symmetric label noise."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from fer_audit.attacks.flips import flips
from fer_audit.attacks.label_attack import LabelAttack, LabelContext, Labels
from fer_audit.errors import PluginError
from fer_audit.plugins import Parameters


class Symmetric(LabelAttack):
    """Each label is replaced, with probability `rate`, by one of the other classes, all equally likely.

    Source: symmetric noise as in Patrini et al., "Making Deep Neural Networks Robust to Label Noise", CVPR 2017. With
    the same generator state, the rows that a lower rate corrupts are among those of a higher rate.
    """

    name = "symmetric"

    class Params(Parameters):
        """Parameters of symmetric label noise."""

        rate: float = Field(0.2, ge=0, le=1, description="probability that a label is replaced by another one")
        exact: bool = Field(False, description="corrupt exactly round(rate * rows) rows")

    params: Params

    def corrupt(self, labels: Labels, context: LabelContext) -> Labels:
        """Corrupted labels int64 (N,)."""
        classes = len(context.classes)
        if classes < 2 and self.params.rate > 0:
            raise PluginError(f"label attack {self.name!r} needs at least 2 classes, received {classes}")
        struck = flips(context.rng.random(len(labels)), self.params.rate, exact=self.params.exact)
        steps = context.rng.integers(1, max(classes, 2), size=len(labels))
        return np.where(struck, (labels + steps) % classes, labels)
