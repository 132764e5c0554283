"""Pair-flip label noise."""

from __future__ import annotations

import numpy as np
from pydantic import Field, field_validator

from fer_audit.attacks.flips import flips
from fer_audit.attacks.label_attack import LabelAttack, LabelContext, Labels
from fer_audit.errors import PluginError
from fer_audit.plugins import Parameters


class PairFlip(LabelAttack):
    """Each label is replaced, with probability `rate`, by the one class that its class is mistaken for.

    By default that is the next class of the dataset, and the first one after the last. Classes that `pairs` does not
    name keep their labels. With the same generator state, the rows that a lower rate corrupts are among those of a
    higher rate.

    Source: pair flipping as in Han et al., "Co-teaching: Robust Training of Deep Neural Networks with Extremely Noisy
    Labels", NeurIPS 2018, figure 2.
    """

    name = "pair-flip"

    class Params(Parameters):
        """Parameters of pair-flip label noise."""

        rate: float = Field(0.2, ge=0, le=1, description="probability that a label of a paired class is replaced")
        exact: bool = Field(False, description="corrupt exactly round(rate * rows) of the rows of paired classes")
        pairs: dict[str, str] | None = Field(
            None, description="class: the class it becomes, such as {fear: surprise}; null: each class the next one"
        )

        @field_validator("pairs")
        @classmethod
        def _two_classes(cls, pairs: dict[str, str] | None) -> dict[str, str] | None:
            if pairs is not None and not pairs:
                raise ValueError("expected at least one pair, and received none")
            same = [name for name, other in (pairs or {}).items() if name == other]
            if same:
                raise ValueError(f"expected pairs of two classes, but {same[0]!r} becomes itself")
            return pairs

    params: Params

    def corrupt(self, labels: Labels, context: LabelContext) -> Labels:
        """Corrupted labels int64 (N,)."""
        becomes = self._becomes(context)
        paired, draws = becomes[labels] != labels, context.rng.random(len(labels))
        given = labels.copy()
        struck = flips(draws[paired], self.params.rate, exact=self.params.exact)
        given[paired] = np.where(struck, becomes[labels[paired]], labels[paired])
        return given

    def _becomes(self, context: LabelContext) -> Labels:
        """The class (C,) that each class is mistaken for; itself where it is not."""
        classes = len(context.classes)
        if classes < 2 and self.params.rate > 0:
            raise PluginError(f"label attack {self.name!r} needs at least 2 classes, received {classes}")
        becomes = np.arange(classes)
        if self.params.pairs is None:
            return np.roll(becomes, -1)
        for name, other in self.params.pairs.items():
            becomes[context.index(name)] = context.index(other)
        return becomes
