"""The contract of a dataset, and the arrays that it returns."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, final

import numpy as np
import numpy.typing as npt

from fer_audit.data.copies import find_copies, linked
from fer_audit.errors import DataError
from fer_audit.plugins import Plugin, content_key, guest

#: Canonical order of the expressions; every loader maps its own codes to these names.
EXPRESSIONS = ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger")


@dataclass(frozen=True)
class Rows:
    """Aligned rows of one split."""

    images: npt.NDArray[np.uint8]  #: (N, H, W, 3), RGB
    labels: npt.NDArray[np.int64]  #: (N,), index into the dataset's classes
    names: tuple[str, ...]  #: (N,), what a person finds the row by: a relative path, or an identifier
    subjects: npt.NDArray[np.int64] | None = None  #: (N,), one number a person; None where unknown
    attributes: dict[str, tuple[str, ...]] = field(default_factory=dict)  #: name -> (N,) values
    masks: npt.NDArray[np.bool_] | None = None  #: (N, H, W), the expressive regions; None where unknown
    votes: npt.NDArray[np.float64] | None = None  #: (N, C), share of the annotators' votes for each class
    copies: npt.NDArray[np.int64] | None = None  #: (N,), group of images that are copies; None where not looked for
    traits: npt.NDArray[np.float64] | None = None  #: (N, 5), of the files, see `images.TRAITS`

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def units(self) -> npt.NDArray[np.int64] | None:
        """(N,), rows that must not be parted: those of a person, and copies of an image; None where all may be."""
        if self.copies is None or len(np.unique(self.copies)) == len(self):
            return self.subjects
        if self.subjects is None:
            return self.copies
        links = []
        for groups in (self.subjects, self.copies):
            _, first, index = np.unique(groups, return_index=True, return_inverse=True)
            links.append(np.stack([np.arange(len(self)), first[index]], axis=1))
        return linked(len(self), np.concatenate(links))

    def image_digests(self) -> npt.NDArray[np.uint8]:
        """SHA-256 of each image, (N, 32)."""
        digests = b"".join(hashlib.sha256(np.ascontiguousarray(image).data).digest() for image in self.images)
        return np.frombuffer(digests, np.uint8).reshape(len(self), 32)

    def take(self, index: npt.NDArray[np.int64]) -> Rows:
        """The rows at `index` (K,), in that order."""
        columns: dict[str, Any] = {}
        for each in fields(self):
            value = getattr(self, each.name)
            if each.name == "names":
                columns[each.name] = tuple(value[i] for i in index)
            elif each.name == "attributes":
                columns[each.name] = {key: tuple(values[i] for i in index) for key, values in value.items()}
            else:
                columns[each.name] = None if value is None else value[index]
        return Rows(**columns)


@dataclass(frozen=True)
class FaceData:
    """A dataset as an audit uses it: the pool, the test rows and the population."""

    classes: tuple[str, ...]
    pool: Rows  #: the train split, from which membership is drawn
    test: Rows
    population: Rows  #: rows that no model trains on and that are not scored; may be empty
    drawn: bool  #: True where no real person is shown, so that images may appear in any report
    remarks: tuple[str, ...] = ()  #: what was left out of the dataset, and why

    def digest(self) -> str:
        """SHA-256 (hex) of the whole content, in order: classes, pixels, labels and subjects."""
        arrays = [array for rows in self._splits() for array in (rows.images, rows.labels, rows.subjects)]
        return _digest(arrays, "\0".join(self.classes))

    def _splits(self) -> tuple[Rows, Rows, Rows]:
        return self.pool, self.test, self.population


def _with_copies(data: FaceData) -> FaceData:
    """`data` with the copies among all of its rows, where its reader has not looked for them."""
    splits: dict[str, Any] = {"pool": data.pool, "test": data.test, "population": data.population}
    if all(rows.copies is not None for rows in splits.values()):
        return data
    groups = find_copies(np.concatenate([rows.images for rows in splits.values()])).near
    ends = np.cumsum([len(rows) for rows in splits.values()])
    parts = zip(splits.items(), np.split(groups, ends[:-1]), strict=True)
    return replace(data, **{name: replace(rows, copies=part) for (name, rows), part in parts})


def _file_digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise DataError(f"can't read {path}: {error.strerror}") from None


def _digest(arrays: Sequence[npt.NDArray[Any] | None], text: str = "") -> str:
    digest = hashlib.sha256(text.encode())
    for array in arrays:
        if array is None:
            digest.update(b"none")
        else:
            digest.update(str((array.shape, array.dtype.str)).encode())
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


class Dataset(Plugin):
    """A source of face images. Authors write `read`, and `sources` where files are read."""

    kind: ClassVar[str] = "dataset"

    @final
    def load(self, size: int, base: Path) -> FaceData:
        """The dataset at `size` x `size` pixels, relative paths taken from `base`; raises DataError."""
        with guest(self, DataError):
            data = self.read(size, base)
        self._check(data, size)
        return data if data.drawn else _with_copies(data)

    @final
    def fingerprint(self, size: int, base: Path) -> str:
        """A key (hex) that changes when `load` would return something else: parameters, source, content of files."""
        with ThreadPoolExecutor() as pool:  # reading and hashing release the interpreter lock
            return content_key([self.identity(), size, list(pool.map(_file_digest, self.sources(base)))])

    @abstractmethod
    def read(self, size: int, base: Path) -> FaceData:
        """Reads or draws all rows at `size` x `size` pixels."""

    def sources(self, base: Path) -> list[Path]:
        """Every file that `read` reads; none where the rows are drawn."""
        return []

    @classmethod
    def example(cls, folder: Path) -> dict[str, Any] | None:
        """Writes a tiny dataset of this layout into `folder` and returns the parameters that read it; None: no need to.

        For the conformance kit, which loads it with `folder` as base: a few people or images of every class, whatever
        they show. Paths in the parameters are best relative to `folder`. None is for datasets that their defaults make.
        """
        return None

    def _check(self, data: FaceData, size: int) -> None:
        for split in ("pool", "test", "population"):
            rows: Rows = getattr(data, split)
            count = len(rows.labels)
            if rows.images.shape != (count, size, size, 3) or rows.images.dtype != np.uint8:
                raise DataError(
                    f"dataset {self.name!r}, {split}: expected uint8 images of shape {(count, size, size, 3)}, "
                    f"received {rows.images.dtype} {rows.images.shape}"
                )
            for field_ in ("votes", "copies", "traits", "masks"):
                column = getattr(rows, field_)
                if column is not None and len(column) != count:
                    raise DataError(f"dataset {self.name!r}, {split}: {field_} must have one entry a row")
            if len(rows.names) != count or (rows.subjects is not None and len(rows.subjects) != count):
                raise DataError(f"dataset {self.name!r}, {split}: names and subjects must have one entry a row")
            if count and not 0 <= rows.labels.min() <= rows.labels.max() < len(data.classes):
                raise DataError(f"dataset {self.name!r}, {split}: a label is outside 0..{len(data.classes) - 1}")
        if not len(data.pool) or not len(data.test):
            raise DataError(f"dataset {self.name!r} has no rows to train on or no rows to test on")
        missing = sorted(set(range(len(data.classes))) - set(data.pool.labels.tolist()))
        if missing:
            raise DataError(
                f"dataset {self.name!r} has no training image of class {data.classes[missing[0]]!r}: add images, or "
                f"leave the class out"
            )
