"""Whether a split can be trusted: copies, people on both sides, and sides that differ in more than membership."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from fer_audit.data.blind import Blind, blind_baseline, statistics_of
from fer_audit.data.copies import find_copies
from fer_audit.data.dataset import FaceData, Rows
from fer_audit.data.splits import Ints
from fer_audit.results import BlindCheck, CopyCount, Hygiene

_ALPHA = 0.05  #: over all blind checks together
_EXAMINED = 40_000  #: rows of a split; more would only make an interval narrower


#: What the splits of `FaceData` are called in a run.
_SPLITS = ("train", "test", "population")


def check_hygiene(
    data: FaceData, halves: Mapping[int, npt.NDArray[np.bool_]], called: tuple[str, str, str] = _SPLITS
) -> Hygiene:
    """What is wrong with `data` and with the membership matrices (M, N) of each seed in `halves`.

    `called` are the names of pool, test and population. Of the blind checks an interval holds for all of them together
    (Bonferroni), so that a clean audit has at most 2.5 % risk of being called invalid.
    """
    everything = zip(called, (data.pool, data.test, data.population), strict=True)
    splits = {name: rows for name, rows in everything if len(rows)}
    part = np.repeat(np.arange(len(splits)), [len(rows) for rows in splits.values()])
    labels = np.concatenate([rows.labels for rows in splits.values()])
    digests = np.concatenate([rows.image_digests() for rows in splits.values()])
    names = tuple(splits)
    return Hygiene(
        exact=_copies(_equal(digests), part, labels, names),
        near=_copies(_near(splits), part, labels, names),
        shared_subjects=_shared_subjects(splits),
        blind=_blind_checks(splits, halves),
        remarks=list(data.remarks),
    )


def _equal(digests: npt.NDArray[np.uint8]) -> Ints:
    """(N,), the group of rows of `digests` (N, 32) that are the same."""
    _, group = np.unique(digests, axis=0, return_inverse=True)
    return group.reshape(-1).astype(np.int64)


def _near(splits: Mapping[str, Rows]) -> Ints:
    """(N,), groups of copies over all splits, as they were found on reading or, in drawn datasets, are found now."""
    known = [rows.copies for rows in splits.values() if rows.copies is not None]
    if len(known) == len(splits):
        return np.concatenate(known)
    return find_copies(np.concatenate([np.asarray(rows.images) for rows in splits.values()])).near


def _copies(group: Ints, part: Ints, labels: Ints, names: tuple[str, ...]) -> CopyCount:
    """Counts of groups (N,) of two images or more, in splits `part` (N,) with `labels` (N,)."""
    _, index, size = np.unique(group, return_inverse=True, return_counts=True)
    copied = size[index] > 1
    split_of = np.zeros((len(size), len(names)), np.bool_)
    split_of[index, part] = True
    first = np.full(len(size), -1, np.int64)
    first[index] = labels
    conflicting = np.unique(index[copied & (labels != first[index])])
    across = {}
    for one, other in itertools.combinations(range(len(names)), 2):
        both = split_of[:, one] & split_of[:, other]
        rows = int((both[index] & (part == other)).sum())
        if rows:
            across[f"{names[other]} rows with a copy in {names[one]}"] = rows
    return CopyCount(
        groups=int((size > 1).sum()), rows=int(copied.sum()), conflicting_groups=len(conflicting), across=across
    )


def _shared_subjects(splits: Mapping[str, Rows]) -> dict[str, int]:
    """Number of people that two splits have in common; only of splits whose subjects are known."""
    known = {name: set(rows.subjects.tolist()) for name, rows in splits.items() if rows.subjects is not None}
    pairs = itertools.combinations(known, 2)
    return {f"{one} and {other}": len(known[one] & known[other]) for one, other in pairs}


def _blind_checks(splits: Mapping[str, Rows], halves: Mapping[int, npt.NDArray[np.bool_]]) -> list[BlindCheck]:
    index = {name: _examined(rows) for name, rows in splits.items()}
    splits = {name: rows.take(index[name]) for name, rows in splits.items()}
    statistics = {name: statistics_of(rows) for name, rows in splits.items()}
    pairs = list(itertools.combinations(splits, 2))
    number = len(pairs) + sum(len(keep) // 2 for keep in halves.values())
    confidence = 1 - _ALPHA / max(1, number)
    checks = []
    for one, other in pairs:
        both = [statistics[one], statistics[other]]
        shared = [name for name in both[0].names if name in both[1].names]
        joined = type(both[0])(
            tuple(shared), np.concatenate([found.values[:, _places(found.names, shared)] for found in both])
        )
        side = np.repeat([True, False], [len(splits[one]), len(splits[other])])
        units = _joined_units(splits[one], splits[other])
        checks.append(_check(one, other, None, blind_baseline(joined, side, units, confidence=confidence)))
    pool = next(iter(splits))
    for seed, keep in halves.items():
        for pair in range(0, len(keep), 2):
            found = blind_baseline(
                statistics[pool], np.asarray(keep[pair][index[pool]]), splits[pool].units, confidence=confidence
            )
            title = f"members of models {pair} and {pair + 1}" + (f", seed {seed}" if len(halves) > 1 else "")
            checks.append(_check(title, "non-members", seed, found))
    return checks


def _examined(rows: Rows) -> Ints:
    """The rows that are looked at: all, or those of so many people drawn at random that there are enough."""
    if len(rows) <= _EXAMINED:
        return np.arange(len(rows))
    units = np.arange(len(rows)) if rows.units is None else rows.units
    known, unit = np.unique(units, return_inverse=True)
    place = np.random.default_rng(0).permutation(len(known))[unit]
    return np.sort(np.argsort(place, kind="stable")[:_EXAMINED])


def _places(names: tuple[str, ...], wanted: list[str]) -> list[int]:
    return [names.index(name) for name in wanted]


def _joined_units(one: Rows, other: Rows) -> Ints | None:
    """Units over the rows of two splits, where a person or a copy may be in both."""
    parts = [rows.units for rows in (one, other)]
    if parts[0] is None or parts[1] is None:
        return None
    return np.concatenate([np.asarray(part) for part in parts if part is not None])


def _check(one: str, other: str, seed: int | None, found: Blind) -> BlindCheck:
    low = found.auc.low
    return BlindCheck(
        one=one,
        other=other,
        seed=seed,
        auc=found.auc,
        telling=found.telling,
        telling_auc=found.telling_auc,
        # Below one half a classifier has only been unlucky: folds of one sample lean against each other.
        found=low is not None and low > 0.5,
    )


def invalid_reason(hygiene: Hygiene, seed: int) -> str:
    """Why membership results of `seed` can't be trusted; empty where nothing speaks against them."""
    return _told_apart([check for check in hygiene.blind if check.seed == seed and check.found])


def invalid_sides(hygiene: Hygiene, one: str, other: str) -> str:
    """The same of splits `one` and `other`, where they are the members and the non-members."""
    return _told_apart([check for check in hygiene.blind if (check.one, check.other) == (one, other) and check.found])


def _told_apart(found: list[BlindCheck]) -> str:
    if not found:
        return ""
    worst = max(found, key=lambda check: check.auc.value or 0)
    return (
        f"{worst.one} can be told from {worst.other} without any model, by image statistics such as {worst.telling} "
        f"(AUC {worst.auc.value:.3f}, interval {worst.auc.low:.3f} to {worst.auc.high:.3f}): what an attack finds may "
        f"be the difference between two sources of images"
    )
