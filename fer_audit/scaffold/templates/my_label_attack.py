"""Label noise that frequent classes attract."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from fer_audit.attacks.flips import flips, picked
from fer_audit.attacks.label_attack import LabelAttack, LabelContext, Labels
from fer_audit.errors import PluginError
from fer_audit.plugins import Parameters


class MyLabelAttack(LabelAttack):
    """Each label is replaced, with probability `rate`, by another class, drawn by how frequent the others are.

    P(given = j | true = i) = rate n_j / (n - n_i) for j != i, with n_j of n labels in class j: annotators who are
    unsure choose what they see most.
    Source: class-conditional noise as in Patrini et al., "Making Deep Neural Networks Robust to Label Noise", CVPR
    2017, and Northcutt, Jiang, Chuang, "Confident Learning", JAIR 2021. With the same generator state, the rows that a
    lower rate corrupts are among those of a higher rate.
    """

    name = "my-label-attack"

    class Params(Parameters):
        """Parameters of the noise; the grid may set them."""

        rate: float = Field(0.2, ge=0, le=1, description="probability that a label is replaced by another one")
        exact: bool = Field(False, description="corrupt exactly round(rate * rows) rows")

    params: Params

    def corrupt(self, labels: Labels, context: LabelContext) -> Labels:
        """Corrupted labels int64 (N,)."""
        classes = len(context.classes)
        if classes < 2:
            raise PluginError(f"label attack {self.name!r} needs at least 2 classes, received {classes}")
        counts = np.bincount(labels, minlength=classes)
        if np.count_nonzero(counts) == 1:
            context.remark("only one class has labels; all others are as likely to replace them")
            counts = np.ones_like(counts)
        others = np.where(np.eye(classes, dtype=np.bool_), 0.0, counts)
        # Both draws are made for every row, so that they are the same at every rate.
        struck = flips(context.rng.random(len(labels)), self.params.rate, exact=self.params.exact)
        return np.where(struck, picked(others[labels], context.rng.random(len(labels))), labels)
