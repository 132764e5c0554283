"""The blind baseline: telling images apart without any model of faces, by size, colour, light and compression.

Where they can, whoever tells members from non-members may only be telling two sources of images apart (Das, Zhang,
Tramèr, "Blind Baselines Beat Membership Inference Attacks for Foundation Models", 2024).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from fer_audit.data.dataset import Rows
from fer_audit.data.images import TRAITS
from fer_audit.data.splits import Ints, split_by_subject
from fer_audit.lazy import LazyModule
from fer_audit.metrics.intervals import auc_influence, linearised_test
from fer_audit.metrics.membership import auc
from fer_audit.results import Estimate

cv2: Any = LazyModule("cv2")

Floats: TypeAlias = npt.NDArray[np.float64]
Sides: TypeAlias = npt.NDArray[np.bool_]

LEAST_UNITS = 50  #: people or images a side; fewer resolve nothing
_FOLDS = 5
_STRETCH = (1 + _FOLDS / (_FOLDS - 1)) ** 0.5  #: variance x (1 / folds + judged / trained on) x folds
_TILES = 6  #: a side; their brightness is told
_GREY_SPREAD = 6  #: between the channels of a pixel that counts as grey, which JPEG may tint a little


@dataclass(frozen=True)
class Statistics:
    """What can be told of N images without looking for faces."""

    names: tuple[str, ...]
    values: Floats  #: (N, F)


@dataclass(frozen=True)
class Blind:
    """How well image statistics tell two sides apart."""

    auc: Estimate
    telling: str  #: the statistic that alone tells most; empty where nothing could be resolved
    telling_auc: float | None  #: of that statistic, in whichever direction


def statistics_of(rows: Rows) -> Statistics:
    """Simple statistics of the images and the files of `rows`."""
    names = [f"{channel} {what}" for what in ("mean", "spread") for channel in ("red", "green", "blue")]
    names += ["brightness, 5th percentile", "brightness, 95th percentile", "saturation", "share of grey pixels"]
    names += ["sharpness", *(f"brightness of tile {place}" for place in range(_TILES * _TILES))]
    values = np.empty((len(rows), len(names)))
    for row, image in enumerate(rows.images):
        values[row] = _statistics(np.ascontiguousarray(image))
    if rows.traits is not None:
        values = np.concatenate([values, rows.traits, (rows.traits[:, :1] / rows.traits[:, 1:2])], axis=1)
        names += [*TRAITS, "aspect ratio"]
    return Statistics(tuple(names), values)


def blind_baseline(
    statistics: Statistics, side: Sides, units: Ints | None, *, confidence: float = 0.95, seed: int = 0
) -> Blind:
    """How well a classifier on `statistics` tells the rows of one `side` (N,) from the others.

    The AUC is the mean over five folds, each judged by gradient-boosted trees that were trained on the other four; rows
    of a unit (N,), such as a person, are in one fold. Its interval is DeLong's, by unit, for the mean of the folds, 1.5
    times as wide: the folds share what they learn from (Nadeau and Bengio, "Inference for the Generalization Error",
    2003).
    """
    units = np.arange(len(side)) if units is None else units
    fewest = min(len(np.unique(units[side])), len(np.unique(units[~side])))
    if fewest < LEAST_UNITS:
        note = f"not resolvable (needs at least {LEAST_UNITS} people or images a side, there are {fewest})"
        return Blind(Estimate(value=None, confidence=confidence, n=len(side), note=note), "", None)
    rng = np.random.default_rng(seed)
    values = statistics.values
    fold = split_by_subject(side.astype(np.int64), units, [1 / _FOLDS] * _FOLDS, rng)
    areas, influence = np.zeros(_FOLDS), np.zeros(len(side))
    for number in range(_FOLDS):
        judged = fold == number
        scores = _scores(values[~judged], side[~judged], values[judged], seed)
        areas[number] = auc(scores[side[judged]], scores[~side[judged]])
        influence[judged] = auc_influence(scores, side[judged]) / _FOLDS
    _, unit = np.unique(units, return_inverse=True)
    value = float(areas.mean())
    interval, _ = linearised_test(np.bincount(unit, influence).astype(np.float64), value - 0.5, confidence, _STRETCH)
    estimate = Estimate(
        value=value,
        low=max(0.0, interval.low + 0.5),
        high=min(1.0, interval.high + 0.5),
        confidence=confidence,
        n=len(side),
        method=f"mean of {_FOLDS} folds, DeLong by unit, corrected for shared training rows",
    )
    return Blind(estimate, *_most_telling(statistics.names, values, side))


def _scores(known: Floats, side: Sides, asked: Floats, seed: int) -> Floats:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    trees = HistGradientBoostingClassifier(
        max_iter=50, learning_rate=0.15, max_leaf_nodes=8, early_stopping=False, random_state=seed
    )
    # So few rows are learnt faster by one thread than by several that wait for each other.
    with threadpool_limits(1):
        scores: Floats = trees.fit(known, side).decision_function(asked)
    return scores


def _most_telling(names: tuple[str, ...], values: Floats, side: Sides) -> tuple[str, float]:
    areas = np.array([auc(column[side], column[~side]) for column in values.T])
    best = int(np.abs(areas - 0.5).argmax())
    return names[best], float(max(areas[best], 1 - areas[best]))


def _statistics(image: npt.NDArray[np.uint8]) -> list[float]:
    pixels = image.reshape(-1, 3).astype(np.float32)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    spread = pixels.max(axis=1) - pixels.min(axis=1)
    tiles = cv2.resize(grey, (_TILES, _TILES), interpolation=cv2.INTER_AREA)
    return [
        *pixels.mean(axis=0),
        *pixels.std(axis=0),
        *np.percentile(grey, (5, 95)),
        spread.mean(),
        (spread <= _GREY_SPREAD).mean(),
        np.log1p(cv2.Laplacian(grey, cv2.CV_32F).var()),
        *tiles.ravel(),
    ]
