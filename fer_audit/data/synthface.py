"""Synthface: drawn faces, the dataset that is always there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from fer_audit.data.dataset import EXPRESSIONS, Dataset, FaceData, Rows
from fer_audit.data.drawn_people import Looks, age_of, draw_looks, skin_of
from fer_audit.data.face_drawing import Face, Layer, Pose, layers, occluder, place, regions
from fer_audit.data.facial_actions import ACTIONS, Floats, perform
from fer_audit.lazy import LazyModule
from fer_audit.plugins import Parameters

# Listing the datasets should not pay for OpenCV.
cv2: Any = LazyModule("cv2")

#: How often each expression is seen in the train split of RAF-DB, in the order of EXPRESSIONS.
_RAF_DB_COUNTS: Floats = np.array([2524, 4772, 1982, 1290, 281, 717, 705], float)

#: Split -> number that its generators start from; people are numbered from it too, so that splits share nobody.
_SPLITS = {"pool": 0, "test": 1, "population": 2}
_PEOPLE_PER_SPLIT = 1_000_000

ATTRIBUTES = ("intensity", "glasses", "occlusion", "skin", "pose", "age")
OCCLUSIONS = ("none", "hand", "scarf", "bar")
_ROWS_AT_ONCE = 256
_OVERSAMPLING = 2
_SHIFT = 4  # fixed-point bits of the polygons' corners
_TURNED = 0.22  # radians, about 13 degrees: from here on a head counts as turned


class Synthface(Dataset):
    """Procedurally drawn faces of people who never lived, showing the seven basic expressions.

    Expressions are facial actions at a continuous intensity; weak ones are ambiguous, as they are on photographs.
    People keep their looks across images and appear in one split only. An image depends on the seed, its split, row
    and label and its person alone. Class weights follow the train split of RAF-DB.

    Sources: Friesen, Ekman, "EMFACS-7: Emotional Facial Action Coding System", 1983 (actions); Li, Deng, Du, "Reliable
    Crowdsourcing and Deep Locality-Preserving Learning for Expression Recognition in the Wild", 2017 (class weights).
    """

    name = "synthface"

    class Params(Parameters):
        """Parameters of Synthface."""

        rows: int = Field(600, ge=7, description="rows of the pool")
        test_rows: int = Field(400, ge=7, description="rows of the test split")
        population_rows: int = Field(0, ge=0, description="rows of the population, which no model trains on")
        identities: int | None = Field(
            None, ge=1, description="people in the pool; other splits have as many images a person; null: rows / 4"
        )
        seed: int = Field(0, ge=0, description="of the people and of everything drawn")
        intensity: float = Field(0.75, ge=0, le=1, description="mean intensity of the expressions; 1 is caricature")
        habit: float = Field(0.09, ge=0, le=1, description="how far resting faces differ (deviation of an action)")
        wobble: float = Field(0.08, ge=0, le=1, description="how far one showing differs (deviation of an action)")
        imbalance: float = Field(0.75, ge=0, le=2, description="0: equal classes, 1: as unequal as in RAF-DB")
        pose: float = Field(1.0, ge=0, le=2, description="how far heads turn, tilt and shift; 0: passport photographs")
        light: float = Field(1.0, ge=0, le=2, description="how far brightness, direction and colour of light differ")
        occlusion: float = Field(0.08, ge=0, le=1, description="share of faces behind a hand, a scarf or a bar")
        noise: float = Field(5.0, ge=0, le=64, description="deviation of the sensor noise, in grey levels of 0..255")

    params: Params

    def read(self, size: int, base: Path) -> FaceData:
        """Draws all rows."""
        return FaceData(
            classes=EXPRESSIONS,
            pool=self._draw("pool", self.params.rows, size),
            test=self._draw("test", self.params.test_rows, size),
            population=self._draw("population", self.params.population_rows, size),
            drawn=True,
        )

    def _draw(self, split: str, count: int, size: int) -> Rows:
        labels, people = _labels(count, self.params.imbalance), self._people(split, count)
        known, who = np.unique(people, return_inverse=True)
        looks = draw_looks(self.params.seed, known.tolist()).take(who)
        images = np.empty((count, size, size, 3), np.uint8)
        masks = np.empty((count, size, size), np.bool_)
        attributes: dict[str, tuple[str, ...]] = dict.fromkeys(ATTRIBUTES, ())
        for start in range(0, count, _ROWS_AT_ONCE):
            index = np.arange(start, min(start + _ROWS_AT_ONCE, count))
            seeds = [[self.params.seed, 10 + _SPLITS[split], row] for row in index.tolist()]
            scene = _Scene(self.params, labels[index], looks.take(index), seeds)
            for row, (image, mask) in zip(index, scene.paint(size), strict=True):
                images[row], masks[row] = image, mask
            for key, values in scene.attributes().items():
                attributes[key] += values
        names = tuple(f"{split}/{row:06d}" for row in range(count))
        return Rows(images, labels, names, people, attributes, masks)

    def _people(self, split: str, count: int) -> npt.NDArray[np.int64]:
        """(count,) person of each row: everybody once in random order, then everybody again in another order."""
        p = self.params
        people = p.identities or max(1, round(p.rows / 4))
        people = max(1, round(people * count / p.rows))
        rng = np.random.default_rng([p.seed, 2, _SPLITS[split]])
        rounds = [rng.permutation(people) for _ in range(-(-count // people))]
        order = np.concatenate(rounds)[:count] if rounds else np.empty(0, np.int64)
        return order.astype(np.int64) + _PEOPLE_PER_SPLIT * _SPLITS[split]


def _labels(count: int, imbalance: float) -> npt.NDArray[np.int64]:
    """(count,) labels in the wanted shares; the first seven rows show each expression once."""
    shares = _RAF_DB_COUNTS**imbalance / (_RAF_DB_COUNTS**imbalance).sum()
    turns = [np.arange(int(count * share) + 2) for share in shares]
    # The k-th row of a class is due when its share of the rows so far reaches k + 1/2.
    due = np.concatenate(
        [np.where(turn == 0, -1, (turn + 0.5) / share) for turn, share in zip(turns, shares, strict=True)]
    )
    label = np.repeat(np.arange(len(shares)), [len(turn) for turn in turns])
    return label[np.argsort(due, kind="stable")][:count].astype(np.int64)


@dataclass(frozen=True)
class _Light:
    """What falls on the faces and what the sensor makes of it; one row an image."""

    gain: Floats  #: (N, 3), brightness and colour
    slope: Floats  #: (N, 2), change of brightness across half the image, to the right and down
    blur: Floats  #: deviation in pixels of the oversampled image


class _Scene:
    """Some rows of a split: everything random about them, and their pixels."""

    def __init__(self, params: Synthface.Params, labels: npt.NDArray[np.int64], looks: Looks, seeds: list[list[int]]):
        self._params, self._labels, self._looks = params, labels, looks
        # One generator a row: first what happens, then the sensor's noise.
        self._rngs = [np.random.default_rng(seed) for seed in seeds]
        u: Floats = np.array([rng.random(24) for rng in self._rngs])
        z: Floats = np.array([rng.standard_normal(12 + len(ACTIONS)) for rng in self._rngs])
        self._intensity = np.clip(params.intensity + 0.5 * (u[:, 0] - 0.5) + 0.12 * z[:, 0], 0.05, 1.15)
        actions = perform(
            labels, self._intensity, params.habit * looks.habit + params.wobble * z[:, 12:], 0.3 * z[:, 1]
        )
        self._face = Face(looks, actions)
        self._pose = _pose(params.pose, u, z)
        self._light = _light(params.light, u, z)
        kind = 1 + (u[:, 1] * (len(OCCLUSIONS) - 1)).astype(int)
        self._occlusion = np.where(u[:, 2] < params.occlusion, kind, 0)
        self._clothes: Floats = 40.0 + 160.0 * (0.5 * (u[:, 3:4] + u[:, 4:7]))
        self._background: Floats = 70.0 + 120.0 * (0.65 * u[:, 7:8] + 0.35 * u[:, 8:11])
        self._u = u

    def attributes(self) -> dict[str, tuple[str, ...]]:
        """The attributes of the rows."""
        grade = np.digitize(self._intensity, [0.62, 0.88])
        turned = np.abs(self._pose.yaw) > _TURNED
        return {
            # A neutral face has no intensity.
            "intensity": tuple(
                "none" if not label else ("low", "medium", "high")[g]
                for label, g in zip(self._labels, grade, strict=True)
            ),
            "glasses": tuple("yes" if worn else "no" for worn in self._looks.glasses),
            "occlusion": tuple(OCCLUSIONS[kind] for kind in self._occlusion),
            "skin": skin_of(self._looks),
            "pose": tuple("turned" if far else "frontal" for far in turned),
            "age": age_of(self._looks),
        }

    def paint(self, size: int) -> Iterator[tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]]:
        """Image (size, size, 3) and mask of the expressive regions (size, size), hidden or not, of each row."""
        shapes = [*layers(self._face, self._clothes), *self._occluders()]
        big = size * _OVERSAMPLING
        drawings = _drawings(shapes, self._looks, self._pose, big)
        outlines = _drawings(regions(self._face), self._looks, self._pose, size)
        ramp = np.linspace(-1, 1, size, dtype=np.float32)
        for i, (drawing, outline) in enumerate(zip(drawings, outlines, strict=True)):
            canvas = np.empty((big, big, 3), np.uint8)
            canvas[:] = self._background[i]
            _fill(canvas, drawing)
            mask = np.zeros((size, size), np.uint8)
            _fill(mask, outline)
            yield self._photograph(i, canvas, ramp), mask > 0

    def _occluders(self) -> list[Layer]:
        return [
            layer
            for kind, name in enumerate(OCCLUSIONS[1:], start=1)
            for layer in occluder(name, self._occlusion == kind, self._looks, self._u[:, 11:17], self._clothes)
        ]

    def _photograph(
        self, i: int, canvas: npt.NDArray[np.uint8], ramp: npt.NDArray[np.float32]
    ) -> npt.NDArray[np.uint8]:
        size = len(ramp)
        small = cv2.resize(
            cv2.GaussianBlur(canvas, (3, 3), self._light.blur[i]), (size, size), interpolation=cv2.INTER_AREA
        )
        right, down = self._light.slope[i].astype(np.float32)
        field = 1 + right * ramp[None, :] + down * ramp[:, None]
        lit = small * (field[:, :, None] * self._light.gain[i].astype(np.float32))
        lit += np.float32(self._params.noise) * self._rngs[i].standard_normal(lit.shape, np.float32)
        pixels: npt.NDArray[np.uint8] = np.clip(np.rint(lit), 0, 255).astype(np.uint8)
        return pixels


def _pose(amount: float, u: Floats, z: Floats) -> Pose:
    return Pose(
        yaw=amount * 0.45 * (u[:, 17] - 0.5) * 2 * u[:, 18],
        roll=amount * 0.05 * z[:, 2],
        scale=1.14 + amount * 0.035 * z[:, 3].clip(-2, 2),
        shift=amount * 0.025 * z[:, 4:6] + [0.0, 0.02],
    )


def _light(amount: float, u: Floats, z: Floats) -> _Light:
    brightness = 0.94 * np.exp(amount * 0.13 * np.minimum(z[:, 6], 0.7))
    return _Light(
        gain=brightness[:, None] * np.exp(amount * 0.03 * z[:, 7:10]),
        slope=amount * 0.28 * (u[:, 19:21] - 0.5) * 2,
        blur=0.4 + 0.8 * u[:, 21],
    )


def _drawings(shapes: list[Layer], looks: Looks, pose: Pose, size: int) -> list[list[tuple[Any, list[int]]]]:
    """For each row the polygons (fixed-point corners, colour) that it shows, those behind first."""
    rows: list[list[tuple[Any, list[int]]]] = [[] for _ in looks.tone]
    for shape in shapes:
        points = place(shape.points, shape.depth, looks, pose)
        corners = np.rint(((points + 1) / 2 * size - 0.5) * (1 << _SHIFT)).astype(np.int32)
        colours = np.broadcast_to(np.clip(np.rint(shape.colour), 0, 255), (len(rows), 3)).tolist()
        shown = range(len(rows)) if shape.shown is None else np.flatnonzero(shape.shown)
        for i in shown:
            rows[i].append((corners[i], colours[i]))
    return rows


def _fill(canvas: npt.NDArray[np.uint8], drawing: list[tuple[Any, list[int]]]) -> None:
    fill, aliased = cv2.fillPoly, cv2.LINE_8  # looked up once: a lazy module is slow to ask
    for corners, colour in drawing:
        fill(canvas, [corners], colour, aliased, _SHIFT)
