"""Label noise that depends on the image."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from fer_audit.attacks.flips import picked
from fer_audit.attacks.grey_images import grey_features
from fer_audit.attacks.label_attack import Floats, LabelAttack, LabelContext, Labels, Mask
from fer_audit.errors import PluginError
from fer_audit.plugins import Parameters

#: A chance that is no chance; a time at its rate is still finite.
_LEAST = 1e-290


class InstanceDependent(LabelAttack):
    """Each row has its own chance to be flipped, and its image says to which class.

    The chance q of a row is normal around `rate` with deviation `spread`, truncated to 0..1; the class that it becomes
    is drawn from the softmax, over the other classes, of x w[y]: x are the brightnesses of the image on 16 x 16 equal
    areas, standardised over the rows, and w (C, S, C) is standard normal. Truncation lifts the mean of q above a low
    rate (.129 for .1) and below a high one; the realised rate is recorded. With the same generator state, the rows that
    a lower rate corrupts are among those of a higher rate. `exact`: round(rate * N) rows, drawn in proportion to q.

    Sources: Xia et al., "Part-dependent Label Noise: Towards Instance-dependent Label Noise", NeurIPS 2020, algorithm
    2; rows in proportion to q by Efraimidis and Spirakis, "Weighted random sampling with a reservoir", 2006.
    """

    name = "instance-dependent"

    class Params(Parameters):
        """Parameters of instance-dependent label noise."""

        rate: float = Field(0.2, ge=0, le=1, description="centre of the rows' chances to be replaced; 0: none is")
        exact: bool = Field(False, description="corrupt exactly round(rate * rows) rows")
        spread: float = Field(0.1, ge=0, description="deviation of the rows' chances")
        side: int = Field(16, ge=1, description="areas along a side of the image")

    params: Params

    def corrupt(self, labels: Labels, context: LabelContext) -> Labels:
        """Corrupted labels int64 (N,)."""
        features, classes = grey_features(context.shown(), self.params.side), len(context.classes)
        if self.params.rate == 0:
            return labels
        if classes < 2:
            raise PluginError(f"label attack {self.name!r} needs at least 2 classes, received {classes}")
        levels, draws, directions = context.rng.random((3, len(labels)))
        weights = context.rng.standard_normal((classes, features.shape[1], classes))
        struck = self._struck(chances(levels, self.params.rate, self.params.spread), draws)
        return np.where(struck, picked(destinations(features, labels, weights), directions), labels)

    def _struck(self, chance: Floats, draws: Floats) -> Mask:
        if not self.params.exact:
            return draws < chance
        # Exponential times with these rates: the first to ring are drawn in proportion to the rates.
        times = -np.log1p(-draws) / np.maximum(chance, _LEAST)
        struck = np.zeros(len(draws), np.bool_)
        struck[np.argsort(times, kind="stable")[: round(self.params.rate * len(draws))]] = True
        return struck


def chances(levels: Floats, rate: float, spread: float) -> Floats:
    """Quantiles (N,) at `levels` (N,) of the normal around `rate` truncated to 0..1."""
    from scipy.special import ndtr, ndtri

    if spread == 0:
        return np.full(len(levels), rate)
    low, high = ndtr(-rate / spread), ndtr((1 - rate) / spread)
    found: Floats = np.clip(rate + spread * ndtri(low + levels * (high - low)), 0, 1)
    return found


def destinations(features: Floats, labels: Labels, weights: Floats) -> Floats:
    """Chance (N, C) of each class to be the wrong label: softmax of x w[y] over the classes other than y.

    `features` x (N, S), `labels` y (N,), `weights` w (C, S, C).
    """
    from scipy.special import softmax

    scores = np.empty((len(labels), len(weights)))
    for true, projection in enumerate(weights):
        rows = labels == true
        scores[rows] = features[rows] @ projection
    scores[np.arange(len(labels)), labels] = -np.inf
    found: Floats = softmax(scores, axis=1)
    return found
