"""The seven expressions as facial actions: what brows, lids, nose, lips and jaw do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from fer_audit.data.dataset import EXPRESSIONS

Floats: TypeAlias = npt.NDArray[np.float64]

#: Action -> what 1 means; each may be negative too, where the muscle has an opposite.
ACTIONS: Mapping[str, str] = {
    "brow_inner": "inner brow raised (AU 1); negative: lowered (AU 4)",
    "brow_outer": "outer brow raised (AU 2)",
    "furrow": "brows drawn together (AU 4)",
    "lid_upper": "upper lid raised (AU 5); negative: drooping",
    "lid_lower": "lower lid tightened (AU 7)",
    "cheek": "cheek raised (AU 6)",
    "nose": "nose wrinkled (AU 9)",
    "lip_raise": "upper lip raised (AU 10)",
    "corner": "lip corners pulled up (AU 12); negative: depressed (AU 15)",
    "stretch": "lips stretched (AU 20); negative: rounded",
    "press": "lips pressed (AU 24)",
    "jaw": "jaw dropped (AU 26)",
}

# After EMFACS (Friesen, Ekman, 1983): the action units that an observer needs to name the expression.
_PROTOTYPES: Mapping[str, Mapping[str, float]] = {
    "neutral": {},
    "happiness": {"corner": 1.0, "cheek": 0.9, "lid_lower": 0.6, "stretch": 0.6, "jaw": 0.3, "lip_raise": 0.25},
    "sadness": {
        "brow_inner": 0.8, "brow_outer": -0.5, "furrow": 0.3, "lid_upper": -0.5, "corner": -1.0, "stretch": -0.1,
    },
    "surprise": {"brow_inner": 1.0, "brow_outer": 1.0, "lid_upper": 0.9, "jaw": 0.9, "stretch": -0.9},
    "fear": {
        "brow_inner": 1.0, "brow_outer": 0.2, "furrow": 0.7, "lid_upper": 1.0, "stretch": 0.7, "corner": -0.5,
        "jaw": 0.4,
    },
    "disgust": {
        "brow_inner": -0.5, "brow_outer": -0.3, "furrow": 0.4, "lid_upper": -0.5, "lid_lower": 0.8, "nose": 1.0,
        "lip_raise": 1.0, "corner": -0.5, "cheek": 0.4,
    },
    "anger": {
        "brow_inner": -1.0, "brow_outer": 0.2, "furrow": 1.0, "lid_upper": 0.2, "lid_lower": 0.6, "press": 0.9,
        "corner": -0.45, "nose": 0.2,
    },
}  # fmt: skip

PROTOTYPES: Floats = np.array(
    [[_PROTOTYPES[expression].get(action, 0.0) for action in ACTIONS] for expression in EXPRESSIONS]
)  #: (7, A), the actions of each expression at full intensity

_JAW, _PRESS = list(ACTIONS).index("jaw"), list(ACTIONS).index("press")


def perform(labels: npt.NDArray[np.int64], intensity: Floats, habit: Floats, openness: Floats) -> Floats:
    """Actions (N, A) of faces that show `labels` (N,) at `intensity` (N,), on top of each face's `habit` (N, A).

    `openness` (N,), about 0, is how much wider or tighter than usual the mouth is open, so that not every smile shows
    teeth and not every angry mouth is closed.
    """
    actions: Floats = PROTOTYPES[labels] * intensity[:, None] + habit
    actions[:, _JAW] += openness * intensity
    actions[:, _PRESS] -= np.clip(openness * intensity, 0, None) * 2
    return actions
