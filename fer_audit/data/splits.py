"""Who is trained on and who is not: splits by subject, and the membership matrix of the privacy models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from pydantic import Field

from fer_audit.errors import DataError
from fer_audit.plugins import Parameters

Ints: TypeAlias = npt.NDArray[np.int64]


class SplitParameters(Parameters):
    """How rows without a given split are split."""

    test_fraction: float = Field(0.25, gt=0, lt=1, description="share of the rows to test on, where no split is given")
    population_fraction: float = Field(
        0.0, ge=0, lt=1, description="share of the rows for the population, where no split is given"
    )
    split_seed: int = Field(0, ge=0, description="of the random split, where no split is given")

    def fractions(self) -> tuple[float, float, float]:
        """Shares of the pool, the test rows and the population; raises DataError where nothing is left to train on."""
        pool = 1 - self.test_fraction - self.population_fraction
        if pool <= 0:
            raise DataError(
                "the split leaves nothing to train on: expected test_fraction + population_fraction below 1, received "
                f"{self.test_fraction} + {self.population_fraction}"
            )
        return pool, self.test_fraction, self.population_fraction


class ListedParameters(SplitParameters):
    """How the images of a dataset on disk are read and split."""

    on_bad_image: Literal["error", "skip"] = Field(
        "error", description="what to do with images that can't be read: tell them all and stop, or leave them out"
    )
    deduplicate: bool = Field(False, description="drop train and population rows whose image has a copy elsewhere")

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """All classes in order where the user set them; None for those of the rows, in canonical order."""
        return None


def split_by_subject(labels: Ints, subjects: Ints | None, fractions: Sequence[float], rng: np.random.Generator) -> Ints:
    """Part (N,) of each row, 0..len(fractions)-1: all rows of a subject in one part, the shares alike in every class.

    `labels` (N,); `subjects` (N,) or None, where each row is its own subject; `fractions` sum to 1. Where each row is
    its own subject, no share of a class is off by one row or more. Subjects with many rows and with few are shared out
    alike.
    """
    if min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-6:
        raise DataError(f"can't split rows: expected fractions of 0 or more that sum to 1, received {list(fractions)}")
    people = _Subjects.of(labels, subjects)
    weight = 1 / np.maximum(people.counts.sum(axis=0), 1)  # a row of a rare class matters more
    missing = np.zeros((len(fractions), people.counts.shape[1]))
    part = np.empty(len(people.sizes), np.int64)
    # The largest first: small subjects then even out what the large ones left unequal.
    for person in np.lexsort((rng.random(len(part)), -people.sizes)):
        # Only rows that were dealt out so far are missed: else the largest part would get all large subjects.
        missing += np.outer(fractions, people.counts[person])
        part[person] = np.argmax(missing @ (people.counts[person] * weight))
        missing[part[person]] -= people.counts[person]
    return part[people.row]


def membership_matrix(models: int, labels: Ints, subjects: Ints | None, seed: int) -> npt.NDArray[np.bool_]:
    """Which model trains on which row, bool (models, N); `labels` (N,), `subjects` (N,) or None (a row, a subject).

    Models 2k and 2k + 1 train on complementary halves, so that each row is in exactly half of them; all rows of a
    subject are on one side. Pair k depends on `seed`, k, `labels` and `subjects` alone: more models leave the earlier
    ones as they are. Each subject is a member with probability exactly 1/2, whatever its label.
    """
    if models < 2 or models % 2:
        raise DataError(f"models must come in pairs: expected an even number of at least 2, received {models}")
    people = _Subjects.of(labels, subjects)
    if len(people.counts) < 2:
        raise DataError(f"can't halve the pool: expected at least 2 subjects, received {len(people.counts)}")
    keep = np.empty((models, len(labels)), np.bool_)
    for pair in range(models // 2):
        half = _half(people, np.random.default_rng([seed, pair]))[people.row]
        keep[2 * pair], keep[2 * pair + 1] = half, ~half
    return keep


@dataclass(frozen=True)
class _Subjects:
    """The subjects of N rows."""

    row: Ints  #: (N,), index of the subject of each row
    counts: Ints  #: (S, C), rows of each subject and class

    @classmethod
    def of(cls, labels: Ints, subjects: Ints | None) -> _Subjects:
        if subjects is None:
            subjects = np.arange(len(labels))
        if len(subjects) != len(labels):
            raise DataError(f"expected one subject a row, received {len(subjects)} subjects of {len(labels)} rows")
        known, row = np.unique(subjects, return_inverse=True)
        classes = int(labels.max(initial=0)) + 1
        counts = np.bincount(row * classes + labels, minlength=len(known) * classes)
        return cls(row.astype(np.int64), counts.reshape(len(known), classes))

    @property
    def sizes(self) -> Ints:
        """(S,), rows of each subject."""
        return np.asarray(self.counts.sum(axis=1), np.int64)

    @property
    def labels(self) -> Ints:
        """(S,), most frequent class of each subject."""
        return np.asarray(self.counts.argmax(axis=1), np.int64)


def _half(people: _Subjects, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """(S,), the members of one model: one of every two subjects that are alike in class and size, by a fair coin."""
    count = len(people.counts)
    order = np.lexsort((rng.random(count), people.sizes, people.labels))
    first = rng.random((count + 1) // 2) < 0.5
    side = np.empty(count, np.bool_)
    side[order[0::2]] = first
    # Of an odd number the last is alone, and its coin is its own.
    side[order[1::2]] = ~first[: count // 2]
    return side
