"""Lists of labelled images, which the datasets on disk have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from fer_audit.data.copies import find_copies
from fer_audit.data.dataset import FaceData, Rows
from fer_audit.data.images import Box, ImageFiles, missing_images, read_images, refuse, scaled_pixels
from fer_audit.data.labels import class_order
from fer_audit.data.splits import Ints, ListedParameters, split_by_subject
from fer_audit.errors import DataError

SPLITS = ("train", "test", "population")
_NAMED = 3  #: left-out files that a remark names

Votes: TypeAlias = Mapping[str, npt.NDArray[np.float64]]  #: class -> (N,) votes for it


@dataclass(frozen=True)
class Item:
    """One labelled image file."""

    name: str
    path: Path
    label: str
    split: str = ""  #: of SPLITS; empty where it is to be split
    subject: str = ""  #: empty where unknown
    place: str = ""  #: where the image is named, for errors; empty: its name
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Listing:
    """Images and what is known of each; all columns are aligned, N rows."""

    source: str  #: the file or folder that names the images, for errors
    names: tuple[str, ...]
    places: tuple[str, ...]  #: where in `source` each image is named
    labels: tuple[str, ...]
    paths: tuple[Path, ...] = ()  #: empty where `pixels` are given
    pixels: npt.NDArray[np.uint8] | None = None  #: (N, h, w), grey, where the images are no files
    boxes: tuple[Box, ...] | None = None  #: of the faces in their files; None: the whole image
    splits: tuple[str, ...] | None = None  #: of SPLITS; None where rows are to be split
    subjects: tuple[str, ...] | None = None
    attributes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    votes: Votes | None = None  #: of the annotators
    documents: tuple[Path, ...] = ()  #: other files that were read: labels, annotations
    remarks: tuple[str, ...] = ()  #: what was left out, and why

    @classmethod
    def of(
        cls, source: str, items: Sequence[Item], *, documents: Sequence[Path] = (), remarks: Sequence[str] = ()
    ) -> Listing:
        """A listing of `items`, all of which are files that are there; raises DataError with those that aren't."""
        if not items:
            raise DataError(f"{source} has no labelled images")
        paths, places = tuple(item.path for item in items), tuple(item.place or item.name for item in items)
        refuse(source, missing_images(paths, places), "every image that the labels name")
        keys = dict.fromkeys(key for item in items for key in item.attributes)
        return cls(
            source=source,
            names=tuple(item.name for item in items),
            paths=paths,
            places=places,
            labels=tuple(item.label for item in items),
            splits=tuple(item.split for item in items) if items[0].split else None,
            subjects=tuple(item.subject for item in items) if all(item.subject for item in items) else None,
            attributes={key: tuple(item.attributes.get(key, "unknown") for item in items) for key in keys},
            documents=tuple(documents),
            remarks=tuple(remarks),
        )

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, index: npt.NDArray[np.int64]) -> Listing:
        """The rows at `index` (K,), in that order."""
        columns: dict[str, Any] = {}
        for each in fields(self):
            value = getattr(self, each.name)
            if each.name in ("names", "places", "labels", "paths", "boxes", "splits", "subjects") and value:
                columns[each.name] = tuple(value[row] for row in index)
        return replace(
            self,
            **columns,
            pixels=None if self.pixels is None else self.pixels[index],
            attributes={key: tuple(values[row] for row in index) for key, values in self.attributes.items()},
            votes=None if self.votes is None else {key: values[index] for key, values in self.votes.items()},
        )

    def load(self, size: int, params: ListedParameters) -> FaceData:
        """Reads all images at `size` x `size` pixels and splits the rows, by `params` where no split is given.

        Copies of one image stay on one side of a split that is made here.
        """
        kept, files, remarks = self._read(size, params)
        classes = class_order(kept.labels) if params.class_names is None else params.class_names
        number = {name: index for index, name in enumerate(classes)}
        copies = find_copies(files.images)
        rows = Rows(
            images=files.images,
            labels=np.array([number[label] for label in kept.labels], np.int64),
            names=kept.names,
            subjects=kept._subject_numbers(),
            attributes=kept.attributes,
            votes=None if kept.votes is None else _shares(kept.votes, classes),
            copies=copies.near,
            traits=None if self.pixels is not None else files.traits,
        )
        part = kept._parts(rows, params)
        if params.deduplicate:
            part, dropped = _without_copies(part, copies.near)
            remarks += [dropped] if dropped else []
        pool, test, population = (rows.take(np.flatnonzero(part == index)) for index in range(len(SPLITS)))
        return FaceData(classes, pool, test, population, drawn=False, remarks=(*self.remarks, *remarks))

    def _read(self, size: int, params: ListedParameters) -> tuple[Listing, ImageFiles, list[str]]:
        """The rows whose images can be read, their images, and a remark about the others."""
        if self.pixels is not None:
            return self, ImageFiles(scaled_pixels(self.pixels, size), np.empty((len(self), 0)), {}), []
        files = read_images(self.paths, size, self.boxes)
        if not files.problems:
            return self, files, []
        bad = sorted(files.problems)
        told = [f"{self.places[row]}: {files.problems[row]}" for row in bad]
        if params.on_bad_image == "error" or len(bad) == len(self):
            expected = "images that Pillow reads, with 8 or 16 bits a channel (`on_bad_image: skip` leaves others out)"
            refuse(self.source, told, expected, shown=len(told))
        good = np.array([row for row in range(len(self)) if row not in files.problems], np.int64)
        some = ", ".join(self.names[row] for row in bad[:_NAMED]) + (", ..." if len(bad) > _NAMED else "")
        remark = f"{len(bad)} of {len(self)} images can't be read and were left out: {some}"
        return self.take(good), ImageFiles(files.images[good], files.traits[good], {}), [remark]

    def _subject_numbers(self) -> Ints | None:
        if self.subjects is None:
            return None
        _, numbers = np.unique(np.array(self.subjects), return_inverse=True)
        return np.asarray(numbers, np.int64)

    def _parts(self, rows: Rows, params: ListedParameters) -> Ints:
        if self.splits is not None:
            return np.array([SPLITS.index(split) for split in self.splits], np.int64)
        rng = np.random.default_rng(params.split_seed)
        return split_by_subject(rows.labels, rows.units, params.fractions(), rng)


def _shares(votes: Votes, classes: tuple[str, ...]) -> npt.NDArray[np.float64]:
    """(N, C), the share of the votes for any of `classes` that each got; nan where there was none."""
    counts = np.stack([votes.get(name, np.zeros(len(next(iter(votes.values()))))) for name in classes], axis=1)
    total = counts.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(counts, total, out=np.full_like(counts, np.nan), where=total > 0), np.float64)


def _without_copies(part: Ints, group: Ints) -> tuple[Ints, str]:
    """`part` (N,) with -1 for the rows that have a copy in a split of more worth, and a remark about them."""
    part = part.copy()
    dropped: dict[str, int] = {}
    # What is tested on stays, so that accuracies can be compared; what is trained on comes next.
    for better, worse in (("test", "train"), ("test", "population"), ("train", "population")):
        there = group[part == SPLITS.index(better)]
        rows = (part == SPLITS.index(worse)) & np.isin(group, there)
        if rows.any():
            dropped[worse] = dropped.get(worse, 0) + int(rows.sum())
            part[rows] = -1
    told = ", ".join(f"{count} of the {name} split" for name, count in dropped.items())
    return part, f"rows dropped because another split has a copy of their image: {told}" if dropped else ""
