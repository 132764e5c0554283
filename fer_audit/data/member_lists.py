"""Images of which it is known whether a model was trained on them."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from fer_audit.data.class_folders import classed_images, named_folders
from fer_audit.data.dataset import FaceData, Rows
from fer_audit.data.images import refuse
from fer_audit.data.labels import class_name
from fer_audit.data.listed import ListedDataset
from fer_audit.data.listing import Listing
from fer_audit.data.manifest import LabelledParameters, Manifest
from fer_audit.data.splits import split_by_subject
from fer_audit.errors import DataError, did_you_mean

T = TypeVar("T")

#: The attribute of the pool that says on which side a row is, and its values.
MEMBERSHIP = "membership"
MEMBER, NONMEMBER = "member", "non-member"

#: Parameter of each list, the split that it becomes, and what its rows are.
_LISTS = (
    ("members", "train", MEMBER),
    ("nonmembers", "train", NONMEMBER),
    ("population", "population", ""),
    ("test", "test", ""),
)

#: Lists that can't share an image: one was trained on or was not, the population is not scored, members are no test.
_APART = (
    ("members", "nonmembers"),
    ("members", "population"),
    ("nonmembers", "population"),
    ("members", "test"),
)


class MemberLists(ListedDataset):
    """Lists of the images that a model was trained on, and of others that it was not, to audit it as it is.

    A list is a csv with the header `image,label[,subject,<attributes...>]`, as the dataset `manifest` reads it, or a
    folder with one folder a class. The pool holds members and non-members, told apart by the attribute `membership`.
    Without a list for it the population is a share of the non-members, whole people; without one to test on, accuracy
    is that on the other non-members. A subject of one name in two lists is one person.

    Source: none, the format is this program's own.
    """

    name = "member-lists"

    class Params(LabelledParameters):
        """The lists."""

        members: str = Field(description="the csv or folder of images that were trained on, relative to the grid")
        nonmembers: str = Field(description="the csv or folder of images that were not trained on")
        population: str | None = Field(None, description="of more such images, which are not scored")
        test: str | None = Field(None, description="of images to measure accuracy on; null: the non-members")
        test_fraction: float = Field(0.25, gt=0, lt=1, description="not used: `test` or the non-members are tested on")
        population_fraction: float = Field(
            1 / 3, ge=0, lt=1, description="share of the non-members for the population, where there is no list for it"
        )

    params: Params

    def listing(self, base: Path) -> Listing:
        """All lists, one after the other."""
        found = {name: self._listed(name, _from_here(base / path)) for name, path in self._paths().items()}
        for one, other in _APART:
            if other in found:
                _check_apart(one, found[one], other, found[other])
        rows = [(name, split, side, found[name]) for name, split, side in _LISTS if name in found]
        lists = [listing for *_, listing in rows]
        attributes = dict.fromkeys(key for listing in lists for key in listing.attributes)
        columns = {
            key: _joined(listing.attributes.get(key, ("unknown",) * len(listing)) for listing in lists)
            for key in attributes
        }
        known = all(listing.subjects is not None for listing in lists)
        for listing in lists:
            self._check_classes(listing)
        return Listing(
            source=f"{self.params.members} and {self.params.nonmembers}",
            names=_distinct({name: listing.names for name, _, _, listing in rows}),
            paths=_joined(listing.paths for listing in lists),
            places=_joined(tuple(f"{name}, {place}" for place in one.places) for name, _, _, one in rows),
            labels=_joined(listing.labels for listing in lists),
            splits=_joined((split,) * len(listing) for _, split, _, listing in rows),
            subjects=_joined(listing.subjects or () for listing in lists) if known else None,
            attributes={MEMBERSHIP: _joined((side,) * len(listing) for _, _, side, listing in rows), **columns},
            documents=_joined(listing.documents for listing in lists),
        )

    def _paths(self) -> dict[str, str]:
        given = {name: getattr(self.params, name) for name, _, _ in _LISTS}
        return {name: path for name, path in given.items() if path is not None}

    def _listed(self, name: str, path: Path) -> Listing:
        if not path.exists():
            raise DataError(f"no {name} at {str(path)!r}: expected a csv, or a folder with one folder a class")
        if path.is_dir():
            ignored = {class_name(name) for name in self.params.ignore}
            labels = {name: None if to in ignored else to for name, to in named_folders(path).items()}
            return Listing.of(str(path), classed_images(path, path, "", labels))
        listing = Manifest(path=str(path), ignore=self.params.ignore).listing(Path())
        if listing.splits is not None:
            raise DataError(f"{path} has a column `split`: expected none, as each list is of one side")
        if MEMBERSHIP in listing.attributes:
            raise DataError(f"{path} has a column {MEMBERSHIP!r}: expected none, as each list is of one side")
        return listing

    def _check_classes(self, listing: Listing) -> None:
        classes = self.params.class_names
        if classes is None:
            return
        named = zip(listing.places, listing.labels, strict=True)
        odd = [
            f"{place}: label {label!r} ({did_you_mean(label, classes)})"
            for place, label in named
            if label not in classes
        ]
        refuse(listing.source, odd, "labels of `classes` and `ignore` only")

    def read(self, size: int, base: Path) -> FaceData:
        """Reads all images of the lists."""
        data = self.listing(base).load(size, self.params)
        pool, population = data.pool, data.population
        member = np.array(pool.attributes[MEMBERSHIP]) == MEMBER
        if not member.any() or member.all():
            side = NONMEMBER if member.any() else MEMBER
            raise DataError(f"no {side} is left: expected images in both lists that can be read")
        if self.params.population is None and self.params.population_fraction:
            pool, population = self._with_population(pool, member)
            if len(pool) == member.sum():
                raise DataError(
                    f"a share of {self.params.population_fraction:g} for the population leaves no non-member: expected "
                    "more people among the non-members, a smaller population_fraction, or a list `population`"
                )
        test = data.test
        if self.params.test is None:
            test = pool.take(np.flatnonzero(np.array(pool.attributes[MEMBERSHIP]) == NONMEMBER))
        return replace(data, pool=pool, test=test, population=population)

    def _with_population(self, pool: Rows, member: npt.NDArray[np.bool_]) -> tuple[Rows, Rows]:
        """The pool without, and the rows of, a share of the non-members."""
        others, share = np.flatnonzero(~member), self.params.population_fraction
        units = None if pool.units is None else pool.units[others]
        rng = np.random.default_rng(self.params.split_seed)
        taken = others[split_by_subject(pool.labels[others], units, (1 - share, share), rng) == 1]
        return pool.take(np.setdiff1d(np.arange(len(pool)), taken)), pool.take(taken)


def split_membership(data: FaceData) -> tuple[FaceData, npt.NDArray[np.bool_]]:
    """`data` without the attribute that tells sides apart, and which rows of the pool are members, bool (N,).

    Raises DataError where there is no such attribute.
    """
    sides = data.pool.attributes.get(MEMBERSHIP)
    if sides is None or not set(sides) <= {MEMBER, NONMEMBER}:
        raise DataError(
            "an audit needs to know which images a model was trained on: expected the dataset member-lists, or one "
            f"whose rows have the attribute {MEMBERSHIP!r}, {MEMBER} or {NONMEMBER}"
        )
    pool, test, population = (_without(rows) for rows in (data.pool, data.test, data.population))
    return replace(data, pool=pool, test=test, population=population), np.array(sides) == MEMBER


def _without(rows: Rows) -> Rows:
    return replace(rows, attributes={key: values for key, values in rows.attributes.items() if key != MEMBERSHIP})


def _from_here(path: Path) -> Path:
    """A path as people would write it here, not by way of the folder of a grid."""
    return Path(os.path.relpath(path.resolve()))


def _joined(parts: Iterable[tuple[T, ...]]) -> tuple[T, ...]:
    return tuple(itertools.chain.from_iterable(parts))


def _distinct(names: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The names of all lists; where two lists share one, all have the name of their list in front."""
    counts = Counter(itertools.chain.from_iterable(set(of_list) for of_list in names.values()))
    if all(count == 1 for count in counts.values()):
        return tuple(itertools.chain.from_iterable(names.values()))
    return tuple(f"{name}/{row}" for name, of_list in names.items() for row in of_list)


def _check_apart(one: str, ones: Listing, other: str, others: Listing) -> None:
    there = {path.resolve() for path in ones.paths}
    both = [name for path, name in zip(others.paths, others.names, strict=True) if path.resolve() in there]
    if both:
        raise DataError(
            f"{len(both)} images are in the lists {one} and {other}, the first {both[0]!r}: expected each in one only"
        )
