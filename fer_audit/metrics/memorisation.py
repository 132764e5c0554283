"""What became of corrupted train labels: learnt by heart, seen through, or neither."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fer_audit.metrics.accuracy import mean_accuracy
from fer_audit.metrics.intervals import Clusters
from fer_audit.results import Estimate, Memorisation, MemorisationEpoch

Labels = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


class Fates(NamedTuple):
    """What a model says of each row (N,); of a corrupted row exactly one of the first three holds."""

    memorised: Mask  #: the wrong label that was given
    recovered: Mask  #: the true label, which was not given
    neither: Mask
    clean: Mask  #: of a row with a clean label: that label


def fates(predicted: Labels, given: Labels, true: Labels) -> Fates:
    """The fate of each row by `predicted` (N,), `given` (N,) and `true` labels (N,).

    Arpit et al., "A Closer Look at Memorization in Deep Networks", ICML 2017; Liu et al., "Early-Learning
    Regularization Prevents Memorization of Noisy Labels", NeurIPS 2020, figure 1.
    """
    corrupted = given != true
    memorised, recovered = corrupted & (predicted == given), corrupted & (predicted == true)
    return Fates(memorised, recovered, corrupted & ~memorised & ~recovered, ~corrupted & (predicted == given))


def memorisation(
    predicted: Labels, followed: npt.NDArray[np.int16], given: Labels, true: Labels, clusters: Clusters | None
) -> Memorisation:
    """Shares with intervals at the end, by `predicted` (N,), and at each epoch, by `followed` (N, E)."""
    corrupted = given != true
    last = fates(predicted, given, true)

    def share(hit: Mask, of: Mask) -> Estimate:
        return mean_accuracy(hit[None], of[None], clusters)

    return Memorisation(
        corrupted_rows=int(corrupted.sum()),
        memorised=share(last.memorised, corrupted),
        recovered=share(last.recovered, corrupted),
        neither=share(last.neither, corrupted),
        clean_accuracy=share(last.clean, ~corrupted),
        epochs=[_epoch(fates(said.astype(np.int64), given, true), corrupted) for said in followed.T],
    )


def _epoch(found: Fates, corrupted: Mask) -> MemorisationEpoch:
    rows, clean = max(int(corrupted.sum()), 1), max(int((~corrupted).sum()), 1)
    return MemorisationEpoch(
        memorised=float(found.memorised.sum() / rows),
        recovered=float(found.recovered.sum() / rows),
        neither=float(found.neither.sum() / rows),
        clean_accuracy=float(found.clean.sum() / clean),
    )
