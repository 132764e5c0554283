"""Canaries: images that fair coins put among the rows of a training, so that the training can be audited."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from fer_audit.canary_section import Canaries, CanaryKind
from fer_audit.data.dataset import FaceData, Rows
from fer_audit.errors import DataError

Ints: TypeAlias = npt.NDArray[np.int64]

#: Tags of the random streams: no other draw from the seed of a cell is related to the coins, nor are the pictures.
_PICTURES, _COINS = zlib.crc32(b"canary pictures"), zlib.crc32(b"canary coins")

_COLOURS = 256**3


@dataclass(frozen=True, eq=False)
class Planted:
    """A dataset with canaries, and the rows of the one training that is audited by them."""

    data: FaceData  #: its pool has the canaries behind its N rows
    labels: Ints  #: (N + count,), given labels, then those of the canaries
    rows: Ints  #: (K,), rows that are always trained on, ascending, then each included canary as often as it is there
    included: npt.NDArray[np.bool_]  #: (count,), the coins
    source: Ints  #: (count,), row of the pool that a canary is made from, or -1
    most_rows: int  #: rows where all coins fall for the canaries: it says nothing of how they fell


@dataclass(frozen=True, eq=False)
class _Made:
    """Canaries before the coins fall."""

    rows: Rows
    labels: Ints  #: (count,), that are trained on
    source: Ints  #: (count,)


def plant(data: FaceData, given: Ints, canaries: Canaries, seed: int) -> Planted:
    """Makes `canaries` and throws a coin for each; raises DataError where the pool has too few rows or classes.

    A canary that is made from a row of the pool takes its place: the row itself is then in no training. `given` (N,)
    are the labels of the pool that are trained on.
    """
    pool = len(data.pool)
    if given.shape != (pool,):
        raise DataError(f"expected one given label a row of the pool, {pool}, received an array of shape {given.shape}")
    made = _MAKERS[canaries.kind](data, given, canaries, np.random.default_rng([seed, _PICTURES]))
    included = np.random.default_rng([seed, _COINS]).random(canaries.count) < 0.5
    always = np.setdiff1d(np.arange(pool), made.source)
    names = tuple(f"canary-{number}" for number in range(canaries.count))
    return Planted(
        data=replace(data, pool=_joined(data.pool, replace(made.rows, names=names))),
        labels=np.concatenate((given, made.labels)),
        rows=np.concatenate((always, np.repeat(pool + np.flatnonzero(included), canaries.repeats))),
        included=included,
        source=made.source,
        most_rows=len(always) + canaries.count * canaries.repeats,
    )


def _mislabelled(data: FaceData, given: Ints, canaries: Canaries, rng: np.random.Generator) -> _Made:
    """Rows of the pool with a label that is neither the true nor the given one."""
    source = _sources(data, canaries, rng)
    wrong = np.ones((len(source), len(data.classes)), np.bool_)
    for labels in (np.asarray(data.pool.labels), given):
        wrong[np.arange(len(source)), labels[source]] = False
    if not wrong.any(axis=1).all():
        raise DataError(
            "mislabelled canaries need a label that is neither the true nor the given one: expected three or more "
            f"classes where labels are corrupted, received {len(data.classes)}; choose another kind of canaries"
        )
    labels = np.where(wrong, rng.random(wrong.shape), -1.0).argmax(axis=1)
    return _Made(data.pool.take(source), labels, source)


def _duplicates(data: FaceData, given: Ints, canaries: Canaries, rng: np.random.Generator) -> _Made:
    """Rows of the pool with the label that they have anyway."""
    source = _sources(data, canaries, rng)
    return _Made(data.pool.take(source), given[source], source)


def _blank(data: FaceData, _given: Ints, canaries: Canaries, rng: np.random.Generator) -> _Made:
    """Images of one colour each, no two alike, with labels by chance."""
    codes = rng.choice(_COLOURS, canaries.count, replace=False)
    colours = np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=1).astype(np.uint8)
    shape = (canaries.count, *data.pool.images.shape[1:])
    return _drawn(data, np.broadcast_to(colours[:, None, None], shape), rng)


def _out_of_distribution(data: FaceData, _given: Ints, canaries: Canaries, rng: np.random.Generator) -> _Made:
    """Images of noise, every value of every pixel by chance, with labels by chance."""
    return _drawn(data, rng.integers(0, 256, (canaries.count, *data.pool.images.shape[1:]), np.uint8), rng)


_MAKERS: Mapping[CanaryKind, Callable[[FaceData, Ints, Canaries, np.random.Generator], _Made]] = {
    "mislabelled": _mislabelled,
    "blank": _blank,
    "out-of-distribution": _out_of_distribution,
    "duplicates": _duplicates,
}


def _sources(data: FaceData, canaries: Canaries, rng: np.random.Generator) -> Ints:
    """Rows (count,) of the pool by chance, of those without a copy there: it would be trained on whatever the coin."""
    alone = np.arange(len(data.pool))
    if data.pool.copies is not None:
        _, group, size = np.unique(data.pool.copies, return_inverse=True, return_counts=True)
        alone = np.flatnonzero(size[group] == 1)
    if canaries.count > len(alone) or canaries.count >= len(data.pool):
        raise DataError(
            f"can't make {canaries.count} {canaries.kind} canaries of a pool with {len(data.pool)} rows, {len(alone)} "
            "of them without a copy: each takes the place of such a row, and rows must be left; set a lower "
            "canaries.count or another canaries.kind"
        )
    return rng.choice(alone, canaries.count, replace=False)


def _drawn(data: FaceData, images: npt.NDArray[np.uint8], rng: np.random.Generator) -> _Made:
    """Canaries that are no rows of the pool: each shows nobody else, and has a label by chance."""
    count, pool = len(images), data.pool
    labels = rng.integers(len(data.classes), size=count)
    rows = Rows(
        images=images,
        labels=labels,
        names=("",) * count,
        subjects=_new_groups(data, "subjects", count),
        attributes=dict.fromkeys(pool.attributes, ("canary",) * count),
        masks=None if pool.masks is None else np.zeros((count, *pool.masks.shape[1:]), np.bool_),
        votes=None if pool.votes is None else np.eye(len(data.classes))[labels],
        copies=_new_groups(data, "copies", count),
        traits=None if pool.traits is None else np.zeros((count, pool.traits.shape[1])),
    )
    return _Made(rows, labels, np.full(count, -1))


def _new_groups(data: FaceData, column: str, count: int) -> Ints | None:
    """Numbers (count,) that no row of any split has in `column`; None where the pool has no such column."""
    if getattr(data.pool, column) is None:
        return None
    known = [getattr(rows, column) for rows in (data.pool, data.test, data.population)]
    return np.arange(count) + 1 + max(int(groups.max()) for groups in known if groups is not None and len(groups))


def _joined(rows: Rows, more: Rows) -> Rows:
    """`rows`, and `more` with the same columns behind them."""
    columns: dict[str, Any] = {}
    for each in fields(Rows):
        one, other = getattr(rows, each.name), getattr(more, each.name)
        if each.name == "names":
            columns[each.name] = one + other
        elif each.name == "attributes":
            columns[each.name] = {name: values + other[name] for name, values in one.items()}
        else:
            columns[each.name] = None if one is None else np.concatenate((one, other))
    return Rows(**columns)
