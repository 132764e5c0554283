"""What the script that was released with the LiRA paper computes, for comparison with published figures."""

from __future__ import annotations

import numpy as np

from fer_audit.attacks.answers import Floats
from fer_audit.attacks.gaussian import log_density
from fer_audit.attacks.signals import Mask
from fer_audit.attacks.target_view import TargetView
from fer_audit.errors import SignalsError

_TINY = 1e-30  # which the script adds to every deviation


def script_score(view: TargetView, *, pooled: bool, online: bool) -> Floats:
    """Scores (N,) of plot.py: medians as centres; each row is cut to the first models of the smallest count.

    Its fixed variance is one deviation of all raw scores, hence holds how rows differ in difficulty; online it is that
    of the IN scores for both sides. Offline it scores both directions alike. Raises SignalsError where a row lacks
    references on a side.
    """
    keep = view.reference_keep
    outside = _first_of(view, ~keep)
    out_centre = np.median(outside, axis=0)
    out_deviation = np.std(outside) if pooled else np.std(outside, axis=0)
    if not online:
        ratio = np.log(2 * np.pi) / 2 - log_density(view.phi, out_centre, out_deviation + _TINY)
        return np.asarray(ratio.mean(axis=1), np.float64)
    inside = _first_of(view, keep)
    in_deviation = np.std(inside) if pooled else np.std(inside, axis=0)
    ratio = log_density(view.phi, np.median(inside, axis=0), in_deviation + _TINY)
    ratio -= log_density(view.phi, out_centre, (in_deviation if pooled else out_deviation) + _TINY)
    return np.asarray(ratio.mean(axis=1), np.float64)


def _first_of(view: TargetView, on_side: Mask) -> Floats:
    """The first references (K, N, Q) of each row on a side, K being the fewest that any row has."""
    fewest = int(on_side.sum(axis=0).min())
    if fewest == 0:
        raise SignalsError("the released script needs references with and without every row; some row lacks one side")
    order = np.argsort(~on_side, axis=0, kind="stable")[:fewest]
    return np.take_along_axis(view.reference_phi, order[:, :, None], axis=0)
