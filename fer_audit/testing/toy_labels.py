"""Rows that label attacks are tried on: drawn, not photographed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from fer_audit.attacks.label_attack import LabelContext, Labels
from fer_audit.data.codes import NUMBERED
from fer_audit.data.dataset import EXPRESSIONS

#: Rows of the train split; neither .2 nor .3 of them is a whole number, so that rounding up or down shows.
ROWS = 2002
_TEST_ROWS, _POPULATION_ROWS = 140, 70
_SIDE = 16  #: px
_TOGETHER = 4  #: rows of one subject
#: Grey levels by which a class's own pattern shows, and the noise on it: a weak model errs on more than half.
_PATTERN, _NOISE = 4.0, 50.0


@dataclass(frozen=True)
class ToyLabels:
    """A train split and what a label attack may know of it."""

    classes: tuple[str, ...]
    labels: Labels  #: (N,)
    images: npt.NDArray[np.uint8]  #: (N, 16, 16, 3), in which a weak model finds the class of some rows
    names: tuple[str, ...]  #: (N,)
    subjects: npt.NDArray[np.int64] | None  #: (N,)
    test_names: tuple[str, ...]
    test_labels: Labels
    population_names: tuple[str, ...]

    def take(self, rows: npt.NDArray[np.int64], classes: tuple[str, ...] | None = None) -> ToyLabels:
        """The train rows at `rows` (K,), in that order, of the dataset that has these `classes` alone."""
        classes = self.classes if classes is None else classes
        known = self.test_labels < len(classes)
        return ToyLabels(
            classes=classes,
            labels=self.labels[rows],
            images=self.images[rows],
            names=tuple(self.names[row] for row in rows),
            subjects=None if self.subjects is None else self.subjects[rows],
            test_names=tuple(self.test_names[row] for row in np.flatnonzero(known)),
            test_labels=self.test_labels[known],
            population_names=self.population_names,
        )

    def context(self, seed: int, **changes: Any) -> LabelContext:
        """A fresh context whose generator starts at `seed`; `changes` replace what the rows have."""
        known: dict[str, Any] = {
            "images": self.images,
            "names": self.names,
            "subjects": self.subjects,
            "test_names": self.test_names,
            "test_labels": self.test_labels,
            "population_names": self.population_names,
            "codes": NUMBERED,
        }
        return LabelContext(self.classes, np.random.default_rng(seed), **{**known, **changes})


@cache
def toy_labels() -> ToyLabels:
    """2,002 rows of the seven expressions, four a subject, with 140 test rows and 70 names of a population."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, len(EXPRESSIONS), ROWS)
    patterns = rng.choice([-1.0, 1.0], (len(EXPRESSIONS), _SIDE // 4, _SIDE // 4)).repeat(4, 1).repeat(4, 2)
    grey = 128 + _PATTERN * patterns[labels] + rng.normal(0, _NOISE, (ROWS, _SIDE, _SIDE))
    images = np.clip(np.rint(grey), 0, 255).astype(np.uint8)[..., None].repeat(3, axis=3)
    return ToyLabels(
        classes=EXPRESSIONS,
        labels=labels,
        images=images,
        names=tuple(f"train_{row:05d}.jpg" for row in range(ROWS)),
        subjects=np.arange(ROWS) // _TOGETHER,
        test_names=tuple(f"test_{row:05d}.jpg" for row in range(_TEST_ROWS)),
        test_labels=rng.integers(0, len(EXPRESSIONS), _TEST_ROWS),
        population_names=tuple(f"population_{row:05d}.jpg" for row in range(_POPULATION_ROWS)),
    )
