"""People who never lived: the looks that a drawn person keeps from image to image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from fer_audit.data.facial_actions import ACTIONS, Floats

SKINS = ("light", "medium", "dark")
AGES = ("young", "middle", "old")

_SKIN_TONES: Floats = np.array(
    [[246, 213, 190], [232, 186, 150], [198, 146, 108], [150, 100, 70], [101, 66, 46]], float
)
_HAIR_TONES: Floats = np.array(
    [[28, 24, 24], [62, 42, 32], [112, 74, 46], [172, 126, 72], [214, 184, 128], [150, 66, 36]], float
)
_IRIS_TONES: Floats = np.array([[66, 42, 26], [96, 66, 36], [84, 110, 78], [88, 124, 152]], float)
_GREY: Floats = np.array([196, 196, 198], float)

# One row a hair style: how far hair reaches beside and below the head, the height of the hairline, its slant, and how
# high it stands; lengths in units of the head's half-height.
_STYLES: Floats = np.array(
    [
        [0.00, -0.60, 1.02, 0.00, 0.00],  # bald
        [0.04, -0.05, 0.66, 0.05, 0.10],  # cropped
        [0.06, 0.05, 0.60, 0.28, 0.16],  # side parting
        [0.24, 1.25, 0.58, 0.10, 0.13],  # long
        [0.28, 0.60, 0.40, 0.00, 0.15],  # bob with a fringe
        [0.36, 0.25, 0.56, 0.03, 0.34],  # curls
        [0.08, 0.00, 0.72, 0.00, 0.24],  # tied up
    ]
)
_STYLE_CHANCES = np.cumsum([0.08, 0.22, 0.18, 0.18, 0.12, 0.12, 0.10])
_BEARDLESS_FROM = 3


@dataclass(frozen=True)
class Looks:
    """One row a person; shapes are (N,), colours (N, 3) in RGB 0..255, lengths in units of half the image."""

    head_width: Floats
    head_height: Floats
    jaw_width: Floats  #: of the chin, as a share of the head's width
    eye_distance: Floats
    eye_width: Floats
    eye_height: Floats
    eye_slant: Floats
    brow_height: Floats
    brow_width: Floats  #: thickness
    brow_slant: Floats
    nose_length: Floats
    nose_width: Floats
    mouth_height: Floats
    mouth_width: Floats
    lip: Floats  #: thickness
    ear: Floats
    skin: Floats
    hair: Floats
    iris: Floats
    lips: Floats
    frame: Floats  #: colour of the glasses
    style: Floats  #: (N, 5), see _STYLES
    tone: Floats  #: 0 light .. 1 dark
    age: Floats  #: 0 young .. 1 old
    beard: Floats  #: 0 none .. 1 full
    glasses: npt.NDArray[np.bool_]
    round_glasses: Floats  #: 0 square .. 1 round
    habit: Floats  #: (N, A), the actions of the resting face

    def take(self, index: npt.NDArray[np.int64]) -> Looks:
        """The people at `index` (K,), in that order."""
        return Looks(**{field.name: getattr(self, field.name)[index] for field in fields(self)})


def draw_looks(seed: int, people: Sequence[int]) -> Looks:
    """Looks of `people`; each depends on `seed` and on the person's own number alone."""
    rngs = [np.random.default_rng([seed, 1, person]) for person in people]
    u: Floats = np.array([rng.random(32) for rng in rngs]).reshape(-1, 32)
    habit: Floats = np.array([rng.standard_normal(len(ACTIONS)) for rng in rngs]).reshape(-1, len(ACTIONS))
    style = np.searchsorted(_STYLE_CHANCES, u[:, 0] * _STYLE_CHANCES[-1])
    style = np.minimum(style, len(_STYLES) - 1)
    tone, age = u[:, 1], u[:, 2]
    skin = _along(_SKIN_TONES, tone) + 8 * (u[:, 3:6] - 0.5)
    bearded = (u[:, 6] < 0.4) & (style < _BEARDLESS_FROM) & (age > 0.2)

    def between(low: float, high: float, column: int) -> Floats:
        return low + (high - low) * u[:, column]

    return Looks(
        head_width=between(0.49, 0.61, 7),
        head_height=between(0.64, 0.74, 8),
        jaw_width=between(0.42, 0.82, 9),
        eye_distance=between(0.205, 0.265, 10),
        eye_width=between(0.105, 0.145, 11),
        eye_height=between(0.055, 0.08, 12),
        eye_slant=between(-0.02, 0.03, 13),
        brow_height=between(0.165, 0.215, 14),
        brow_width=between(0.02, 0.048, 15),
        brow_slant=between(-0.03, 0.03, 16),
        nose_length=between(0.20, 0.30, 17),
        nose_width=between(0.065, 0.115, 18),
        mouth_height=between(0.34, 0.40, 19),
        mouth_width=between(0.17, 0.235, 20),
        lip=between(0.028, 0.062, 21),
        ear=between(0.07, 0.12, 22),
        skin=skin,
        hair=_hair(tone, age, u[:, 23], u[:, 24]),
        iris=_along(_IRIS_TONES, u[:, 25] * (1 - 0.8 * tone)),
        lips=skin * [0.80, 0.58, 0.60] + u[:, 26:27] * np.array([22.0, 0, 6]),
        frame=22 + u[:, 27:28] ** 2 * np.array([150.0, 60, 50]),
        style=_STYLES[style],
        tone=tone,
        age=age,
        beard=np.where(bearded, 0.35 + 0.65 * u[:, 28], 0.0),
        glasses=u[:, 29] < 0.15 + 0.2 * age,
        round_glasses=u[:, 30],
        habit=habit,
    )


def skin_of(looks: Looks) -> tuple[str, ...]:
    """`light`, `medium` or `dark` of each person."""
    return tuple(SKINS[i] for i in np.digitize(looks.tone, [0.4, 0.7]))


def age_of(looks: Looks) -> tuple[str, ...]:
    """`young`, `middle` or `old` of each person."""
    return tuple(AGES[i] for i in np.digitize(looks.age, [0.4, 0.75]))


def _along(tones: Floats, position: Floats) -> Floats:
    """Colours (N, 3) at `position` 0..1 along the row of `tones`."""
    place = np.clip(position, 0, 1) * (len(tones) - 1)
    return np.stack([np.interp(place, np.arange(len(tones)), tones[:, channel]) for channel in range(3)], axis=1)


def _hair(tone: Floats, age: Floats, colour: Floats, greying: Floats) -> Floats:
    """Dark skin mostly goes with dark hair, and hair greys with age."""
    natural = _HAIR_TONES[np.minimum((colour * (1 - 0.75 * tone) * len(_HAIR_TONES)).astype(int), len(_HAIR_TONES) - 1)]
    grey = np.clip((age - 0.6) * 3, 0, 1) * greying
    hair: Floats = natural + (_GREY - natural) * grey[:, None]
    return hair
