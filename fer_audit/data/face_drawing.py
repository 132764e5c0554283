"""Faces as layers of polygons: where each part lies and which colour it has, for many images at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fer_audit.data.drawn_people import Looks
from fer_audit.data.facial_actions import ACTIONS, Floats

#: Depth of the front of the face, of the tip of the nose, and of what lies behind the head (units of half the image).
_FRONT, _NOSE_TIP, _BEHIND = 0.42, 0.16, -0.15

_SIDES = (-1.0, 1.0)
_S: Floats = np.linspace(-1, 1, 9)  # along the mouth and the eyes, from one corner to the other
_ARCH: Floats = 1 - _S**2
_WHITE: Floats = np.array([[240.0, 236, 232]])
_DARK: Floats = np.array([[58.0, 18, 22]])
_TONGUE: Floats = np.array([[176.0, 78, 82]])


@dataclass(frozen=True)
class Layer:
    """One polygon an image, all with the same number of corners."""

    points: Floats  #: (N, K, 2), x to the right and y downwards, the image is -1..1
    colour: Floats  #: (N, 3) or (1, 3), RGB 0..255
    shown: npt.NDArray[np.bool_] | None = None  #: (N,); None: in every image
    depth: float | None = None  #: of all corners; None: on the surface of the face, by place


@dataclass(frozen=True)
class Pose:
    """How the head is held; one row an image."""

    yaw: Floats  #: radians, to the right of the image
    roll: Floats  #: radians, clockwise
    scale: Floats
    shift: Floats  #: (N, 2), units of half the image


@dataclass(frozen=True)
class Face:
    """A drawn person doing something: looks, and actions by name; one row an image."""

    looks: Looks
    actions: Floats  #: (N, A)

    def __getattr__(self, action: str) -> Floats:
        """The (N, 1) column of `action`."""
        if action not in ACTIONS:
            raise AttributeError(action)
        column = list(ACTIONS).index(action)
        return self.actions[:, column : column + 1]

    @property
    def shade(self) -> Floats:
        """(N, 3), the skin in a fold."""
        return self.looks.skin * [0.66, 0.58, 0.56]

    def fold(self, depth: Floats) -> Floats:
        """(N, 3), the skin in a fold as deep as `depth` (N, 1), 0..1."""
        return self.looks.skin + (self.shade - self.looks.skin) * np.clip(depth, 0, 1)


def layers(face: Face, clothes: Floats) -> list[Layer]:
    """All parts of the face, those behind first; `clothes` (N, 3) in RGB."""
    return [
        *_behind(face),
        *_body(face, clothes),
        *_head(face),
        *_beard(face),
        *_folds(face),
        *_nose(face),
        *_eyes(face),
        *_mouth(face),
        *_brows(face),
        *_hair(face),
        *_glasses(face),
    ]


def regions(face: Face) -> list[Layer]:
    """The expressive regions: brows, eyes, nose and mouth, drawn in white."""
    looks = face.looks
    outlines = []
    for side in _SIDES:
        x = side * _col(looks.eye_distance)
        eye, brow = _EYE_HEIGHT, _EYE_HEIGHT - _col(looks.brow_height) - 0.05 * (face.brow_inner + face.brow_outer)
        outlines.append(_ellipse(x, eye, _col(looks.eye_width) * 1.25, 0.10))
        outlines.append(_ellipse(x, brow, _col(looks.eye_width) * 1.5, 0.09))
    outlines.append(_ellipse(0.0, _col(looks.nose_length) * 0.6, _col(looks.nose_width) * 1.5, 0.20))
    width, drop = _col(looks.mouth_width) * (1.15 + 0.3 * face.stretch), 0.13 * np.clip(face.jaw, 0, None)
    outlines.append(_ellipse(0.0, _col(looks.mouth_height) + drop, width, 0.11 + drop))
    return [Layer(outline, _WHITE) for outline in outlines]


def occluder(kind: str, shown: npt.NDArray[np.bool_], looks: Looks, u: Floats, clothes: Floats) -> list[Layer]:
    """What hides a part of the face where `shown` (N,): `hand`, `scarf` or `bar`; `u` (N, 6) random in 0..1."""
    side = np.where(u[:, :1] < 0.5, -1.0, 1.0)
    if kind == "scarf":
        x = np.linspace(-1.05, 1.05, 9)[None]
        top = 0.30 + 0.2 * u[:, 1:2] + 0.05 * x**2 + 0 * x
        return [Layer(_band(x, top, np.full_like(top, 1.4)), 255 - clothes, shown, 0.3)]
    if kind == "bar":
        y = -0.5 + 0.9 * u[:, 1:2]
        half = 0.08 + 0.05 * u[:, 2:3]
        corners = _points(
            np.array([[-2.5, 2.5, 2.5, -2.5]]), np.concatenate([y - half, y - half, y + half, y + half], axis=1)
        )
        return [Layer(corners, 30 + 190 * u[:, 3:6], shown, 0.0)]
    return _hand(side, 0.1 + 0.4 * u[:, 1:2], shown, looks)


def _hand(side: Floats, y: Floats, shown: npt.NDArray[np.bool_], looks: Looks) -> list[Layer]:
    """A hand on the cheek, from the side of the image: palm, then four fingers with a gap between them."""
    skin = looks.skin * 0.94
    made = [
        Layer(
            _points(side * np.array([[0.32, 0.5, 1.3, 1.3, 0.42]]), y + np.array([[-0.14, -0.2, 0.2, 0.7, 0.28]])),
            skin,
            shown,
            0.3,
        )
    ]
    for k in range(4):
        start, reach = y - 0.14 + 0.11 * k, 0.09 + 0.03 * (k % 3)
        x = side * np.linspace(0.50, reach, 6)[None]
        made.append(Layer(_stroke(x, start + 0 * x, 0.125), looks.skin * 0.72, shown, 0.3))
        made.append(Layer(_stroke(x, start + 0 * x, 0.095), skin, shown, 0.3))
    return made


def place(points: Floats, depth: float | None, looks: Looks, pose: Pose) -> Floats:
    """Corners (N, K, 2) of a face that looks straight ahead -> where they are in the image, at `pose`."""
    x, y = points[..., 0], points[..., 1]
    if depth is None:
        rise = 1 - (x / _col(looks.head_width * 1.05)) ** 2 - 0.5 * (y / _col(looks.head_height * 1.2)) ** 2
        z = _FRONT * np.sqrt(np.clip(rise, 0, None))
    else:
        z = np.full_like(x, depth)
    yaw, roll = _col(pose.yaw), _col(pose.roll)
    x = x * np.cos(yaw) + z * np.sin(yaw)
    turned = np.stack([x * np.cos(roll) - y * np.sin(roll), x * np.sin(roll) + y * np.cos(roll)], axis=-1)
    placed: Floats = turned * pose.scale[:, None, None] + pose.shift[:, None, :]
    return placed


_EYE_HEIGHT = -0.08


def _col(values: Floats) -> Floats:
    return values[:, None]


def _points(x: Floats | float, y: Floats | float) -> Floats:
    """(N, K, 2) of abscissas and ordinates that broadcast to (N, K)."""
    points: Floats = np.stack(np.broadcast_arrays(x, y), axis=-1).astype(np.float64)
    return points


def _ellipse(
    x: Floats | float, y: Floats | float, width: Floats | float, height: Floats | float, n: int = 14
) -> Floats:
    angle = np.linspace(0, 2 * np.pi, n, endpoint=False)[None]
    return _points(x + width * np.cos(angle), y + height * np.sin(angle))


def _band(x: Floats, top: Floats, bottom: Floats) -> Floats:
    """(N, 2K, 2): the area between two curves over the same abscissas."""
    return np.concatenate([_points(x, top), _points(x, bottom)[:, ::-1]], axis=1)


def _stroke(x: Floats, y: Floats, width: Floats | float) -> Floats:
    """(N, 2K, 2): a line along a mostly horizontal curve, thinner at its ends."""
    taper = width * np.sqrt(1 - 0.85 * np.linspace(-1, 1, x.shape[-1]) ** 2)
    return _band(x, y - taper / 2, y + taper / 2)


def _upright(x: Floats, y: Floats, width: Floats | float) -> Floats:
    """(N, 2K, 2): a line along a mostly vertical curve, thinner at its ends."""
    return _stroke(y, x, width)[..., ::-1]


def _contour(face: Face, start: float, stop: float, n: int, grow: Floats | float = 0.0) -> Floats:
    """(N, n, 2) of the head's outline from angle `start` to `stop` (radians, 0 at the chin, clockwise)."""
    looks = face.looks
    angle = np.linspace(start, stop, n)[None]
    down = np.cos(angle)
    narrowing = 1 - (1 - _col(looks.jaw_width)) * np.clip(down, 0, None) ** 1.6
    x = -np.sin(angle) * (_col(looks.head_width) * narrowing + grow)
    y = down * (_col(looks.head_height) + grow)
    # A dropped jaw takes the chin with it.
    return _points(x, y + 0.09 * np.clip(face.jaw, 0, None) * np.clip(down, 0, None))


def _behind(face: Face) -> list[Layer]:
    looks = face.looks
    wide, low, _, _, high = (_col(column) for column in looks.style.T)
    angle = np.linspace(0, np.pi, 15)[None]
    height = _col(looks.head_height)
    x = -np.cos(angle) * (_col(looks.head_width) + wide * height)
    y = -np.sin(angle) * height * (1 + high * 0.9)
    bottom = low * height
    ends_x = np.concatenate([x[:, -1:] * 0.95, x[:, :1] * 0.95], axis=1)
    back = np.concatenate([_points(x, y), _points(ends_x, bottom)], axis=1)
    knot = _ellipse(0.0, -height * 1.22, 0.2, 0.17)
    tied = (looks.style[:, 4] > 0.2) & (looks.style[:, 0] < 0.1)
    dark = looks.hair * 0.8
    return [Layer(back, dark, looks.style[:, 0] > 0, _BEHIND), Layer(knot, dark, tied, _BEHIND)]


def _body(face: Face, clothes: Floats) -> list[Layer]:
    looks = face.looks
    width, height = _col(looks.head_width), _col(looks.head_height)
    neck = _points(np.array([[-1.0, 1, 1.15, -1.15]]) * width * 0.55, height * np.array([[0.5, 0.5, 1.7, 1.7]]))
    shoulders = _points(
        np.array([[-0.75, -0.6, 0.6, 0.75, 1.6, 2.6, -2.6, -1.6]]) * width,
        height * np.array([[1.22, 1.3, 1.3, 1.22, 1.4, 2.4, 2.4, 1.4]]),
    )
    return [Layer(neck, face.fold(np.full((1, 1), 0.6)), None, 0.0), Layer(shoulders, clothes, None, 0.0)]


def _head(face: Face) -> list[Layer]:
    looks = face.looks
    ears = [
        Layer(
            _ellipse(side * (_col(looks.head_width) + 0.01), 0.02, _col(looks.ear), 0.13), looks.skin * 0.88, None, 0.0
        )
        for side in _SIDES
    ]
    rim = Layer(_contour(face, 0, 2 * np.pi, 33), looks.skin * 0.90, None, 0.0)
    front = Layer(_contour(face, 0, 2 * np.pi, 33, -0.045), looks.skin, None, 0.05)
    return [*ears, rim, front]


def _beard(face: Face) -> list[Layer]:
    looks = face.looks
    outer = _contour(face, -1.25, 1.25, 17, -0.01)
    angle = np.linspace(1.25, -1.25, 13)[None]
    # From the side-burns down along the cheeks and up again to the moustache.
    level = 0.20 + (_col(looks.mouth_height) - 0.30) * np.cos(angle) ** 4 + 0.16 * np.sin(2 * angle) ** 2
    inner = _points(-np.sin(angle) * _col(looks.head_width) * 0.80, level)
    colour = looks.skin + (looks.hair - looks.skin) * (0.25 + 0.55 * _col(looks.beard))
    return [Layer(np.concatenate([outer, inner], axis=1), colour, looks.beard > 0, 0.08)]


def _folds(face: Face) -> list[Layer]:
    looks, age = face.looks, _col(face.looks.age)
    made = []
    raised = np.clip(face.brow_inner, 0, None) * 0.8 + 0.3 * (age > 0.75)
    for height in (0.47, 0.57):
        y = -_col(looks.head_height) * height * 1.1 - 0.02 * _ARCH
        made.append(Layer(_stroke(0.2 * _S[None] + 0 * y, y, 0.02), face.fold(raised), raised[:, 0] > 0.25))
    cheek = np.clip(face.cheek, 0, None)
    lines = np.clip(0.45 * (age - 0.45) + 0.8 * np.clip(face.corner, 0, None) + 0.8 * face.lip_raise, 0, 1)
    t = np.linspace(0, 1, 6)[None]
    for side in _SIDES:
        x = side * (_col(looks.nose_width) + 0.035 + (0.10 + 0.05 * face.stretch) * t**0.7)
        y = _col(looks.nose_length) - 0.04 + (_col(looks.mouth_height) - _col(looks.nose_length) + 0.04) * t
        made.append(Layer(_upright(x, y - 0.02 * face.lip_raise, 0.026), face.fold(lines), lines[:, 0] > 0.2))
        blush = looks.skin * [1.0, 0.86, 0.86]
        x, y = side * _col(looks.head_width) * 0.56, 0.17 - 0.03 * cheek
        made.append(Layer(_ellipse(x, y, 0.10, 0.065), looks.skin + (blush - looks.skin) * cheek, cheek[:, 0] > 0.3))
    return made


def _nose(face: Face) -> list[Layer]:
    looks, wrinkle = face.looks, np.clip(face.nose, 0, None)
    width, tip = _col(looks.nose_width) * (1 + 0.25 * wrinkle), _col(looks.nose_length) - 0.045 * wrinkle
    made = []
    bridge = np.linspace(-0.06, 1, 6)[None]
    x = -width * (0.25 + 0.65 * bridge**2)
    made.append(Layer(_upright(x, bridge * tip * 0.9, 0.028), face.fold(np.full((1, 1), 0.45)), None, _FRONT + 0.05))
    base = _stroke(_S[None] * width, tip + 0.025 * _ARCH - 0.02 * wrinkle, 0.05)
    made.append(Layer(base, face.fold(np.full((1, 1), 0.75)), None, _FRONT + _NOSE_TIP * 0.7))
    for side in _SIDES:
        hole = _ellipse(side * width * 0.5, tip + 0.02, width * 0.25, 0.017, 8)
        made.append(Layer(hole, looks.skin * 0.4, None, _FRONT + _NOSE_TIP * 0.6))
    for k in (0.0, 1.0):
        y = -0.03 + 0.06 * k + 0.03 * _ARCH
        line = _stroke(_S[None] * (0.075 + 0.01 * k) + 0 * width, y + 0 * width, 0.024)
        made.append(Layer(line, face.fold(wrinkle), wrinkle[:, 0] > 0.3))
    return made


def _eyes(face: Face) -> list[Layer]:
    looks, made = face.looks, []
    width = _col(looks.eye_width)
    opening = np.clip(1 + 0.75 * face.lid_upper, 0.15, None)
    for side in _SIDES:
        centre = side * _col(looks.eye_distance)
        x = centre + _S[None] * width
        middle = _EYE_HEIGHT - _col(looks.eye_slant) * side * _S
        upper = middle - _col(looks.eye_height) * opening * _ARCH**0.8
        lower = middle + _col(looks.eye_height) * np.clip(0.75 - 0.75 * face.lid_lower, -0.1, 1) * _ARCH
        lower = np.maximum(lower, upper + 0.012)
        made.append(Layer(_band(x, upper, lower), _WHITE))
        for radius, colour in ((0.072, looks.iris), (0.034, looks.iris * 0.25)):
            made.append(Layer(_between_lids(centre, radius, x, upper, lower, middle), colour))
        lashes = looks.hair * 0.35
        made.append(Layer(_stroke(x, upper - 0.008, 0.034), lashes))
        crease = upper - 0.035 - 0.01 * np.clip(face.lid_upper, 0, None)
        made.append(Layer(_stroke(x, crease, 0.014), face.fold(np.full((1, 1), 0.6))))
        bag = np.clip(0.35 * _col(looks.age) + 0.7 * face.lid_lower + 0.4 * face.cheek, 0, 1)
        made.append(Layer(_stroke(x, lower + 0.012, 0.022), face.fold(bag), bag[:, 0] > 0.15))
    return made


def _between_lids(centre: Floats, radius: float, x: Floats, upper: Floats, lower: Floats, middle: Floats) -> Floats:
    """A disc on the eyeball, cut off where the lids cover it."""
    angle = np.linspace(0, 2 * np.pi, 16, endpoint=False)[None]
    at = np.cos(angle) * radius
    # Lids are sampled at nine abscissas; the disc needs them at its own.
    place = (at / (x[:, -1:] - x[:, :1]) + 0.5) * (len(_S) - 1)
    low = np.clip(np.floor(place).astype(int), 0, len(_S) - 2)
    weight = place - low
    top = _lerp(upper, low, weight)
    bottom = _lerp(lower, low, weight)
    y = middle.mean(axis=1, keepdims=True) - 0.008 + np.sin(angle) * radius
    return _points(centre + at, np.clip(y, top, bottom))


def _lerp(curve: Floats, low: npt.NDArray[np.int64], weight: Floats) -> Floats:
    left, right = np.take_along_axis(curve, low, 1), np.take_along_axis(curve, low + 1, 1)
    between: Floats = left * (1 - weight) + right * weight
    return between


def _mouth(face: Face) -> list[Layer]:
    looks = face.looks
    jaw, raise_, press = np.clip(face.jaw, 0, None), np.clip(face.lip_raise, 0, None), np.clip(face.press, 0, 1)
    x = _S[None] * _col(looks.mouth_width) * (1 + 0.33 * face.stretch - 0.12 * press)
    middle = _col(looks.mouth_height) + face.corner * (0.05 - 0.14 * _S**2) - 0.03 * raise_
    top = middle - (0.025 * jaw + 0.055 * raise_) * _ARCH
    bottom = middle + (0.27 * jaw + 0.015 * raise_) * _ARCH**0.7
    lip = _col(looks.lip) * (1 - 0.75 * press) * _ARCH**0.6
    made = [Layer(_band(x, top - lip, bottom + 1.15 * lip), looks.lips)]
    opening = bottom - top
    is_open = opening.max(axis=1) > 0.035
    # Teeth and tongue span the whole opening and thin out with it, so that they never leave it.
    inside = x * 0.93
    bared = np.clip(0.55 + 0.6 * face.stretch + 0.6 * face.corner + 0.8 * raise_, 0, 1)
    made.append(Layer(_band(inside, top, bottom), _DARK, is_open))
    made.append(Layer(_band(inside, bottom - 0.42 * opening * _ARCH, bottom), _TONGUE, opening.max(axis=1) > 0.12))
    made.append(Layer(_band(inside, top, top + bared * np.minimum(0.075, 0.75 * opening)), _WHITE, is_open))
    made.append(Layer(_stroke(x, middle, 0.026 + 0.012 * press), looks.lips * 0.42, ~is_open))
    below = np.clip(press + 0.8 * np.clip(-face.corner, 0, None), 0, 1)
    chin = _stroke(x * 0.5, bottom + 1.15 * lip + 0.055 - 0.02 * _ARCH, 0.024)
    made.append(Layer(chin, face.fold(below * 0.8), below[:, 0] > 0.2))
    return made


def _brows(face: Face) -> list[Layer]:
    looks, made = face.looks, []
    t = np.linspace(0, 1, 7)[None]
    furrow = np.clip(face.furrow, -0.3, None)
    for side in _SIDES:
        inner = _col(looks.eye_distance) - _col(looks.eye_width) * 0.95 - 0.045 * furrow
        outer = _col(looks.eye_distance) + _col(looks.eye_width) * 1.3
        lift = 0.115 * (face.brow_inner * (1 - t) ** 1.3 + face.brow_outer * t) + 0.11 * t * (1 - t)
        y = _EYE_HEIGHT - _col(looks.brow_height) - lift - _col(looks.brow_slant) * (t - 0.5)
        # The thick end of a brow is at the nose.
        thick = _col(looks.brow_width) * (1.15 - 0.7 * t**2)
        x = side * (inner + (outer - inner) * t)
        made.append(Layer(_band(x, y - thick / 2 - 0.006, y + thick / 2 + 0.006), looks.hair * 0.62))
    depth = np.clip(furrow, 0, None)
    for side in _SIDES:
        y = np.linspace(-0.30, -0.16, 5)[None] + 0.02 * depth
        made.append(Layer(_upright(side * 0.035 + 0 * y, y, 0.024), face.fold(depth), depth[:, 0] > 0.25))
    return made


def _hair(face: Face) -> list[Layer]:
    looks = face.looks
    wide, _, line, slant, high = (_col(column) for column in looks.style.T)
    height = _col(looks.head_height)
    outer = _contour(face, np.pi * 0.56, np.pi * 1.44, 17, 0.02) * np.stack(
        np.broadcast_arrays(1 + 0.12 * wide, 1 + 0.62 * high), axis=-1
    )
    across = np.linspace(1, -1, 11)[None]
    x = outer[:, -1:, 0] * across * 0.97
    y = -height * (line - 0.34 * across**4 + slant * across * (1 - across**2) * 1.6)
    front = np.concatenate([outer, _points(x, y)], axis=1)
    return [Layer(front, looks.hair, looks.style[:, 2] < 1, 0.04)]


def _glasses(face: Face) -> list[Layer]:
    looks, made = face.looks, []
    angle = np.linspace(0, 2 * np.pi, 17)[None]
    power = 0.45 + 0.55 * _col(looks.round_glasses)
    shape_x = np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** power
    shape_y = np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** power
    for side in _SIDES:
        centre = side * (_col(looks.eye_distance) + 0.01)
        rings = [
            _points(centre + shape_x * (0.185 + grow), _EYE_HEIGHT + 0.015 + shape_y * (0.145 + grow))
            for grow in (0.018, -0.018)
        ]
        # Outer ring, then back along the inner one: the even-odd rule leaves the lens open.
        made.append(Layer(np.concatenate([rings[0], rings[1][:, ::-1]], axis=1), looks.frame, looks.glasses))
    bridge = np.linspace(-0.04, 0.04, 5)[None] + 0 * _col(looks.eye_distance)
    made.append(Layer(_stroke(bridge, _EYE_HEIGHT - 0.01 + 0 * bridge, 0.04), looks.frame, looks.glasses))
    return made
