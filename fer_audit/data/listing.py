"""Lists of labelled image files, which the datasets on disk have in common."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fer_audit.data.dataset import FaceData, Rows
from fer_audit.data.images import read_images
from fer_audit.data.splits import Ints, SplitParameters, split_by_subject

SPLITS = ("train", "test", "population")


@dataclass(frozen=True)
class Listing:
    """Image files and what is known of each; all columns are aligned, N rows."""

    source: str  #: the file or folder that names the images, for errors
    names: tuple[str, ...]
    paths: tuple[Path, ...]
    places: tuple[str, ...]  #: where in `source` each image is named
    labels: tuple[str, ...]
    splits: tuple[str, ...] | None = None  #: of SPLITS; None where rows are to be split
    subjects: tuple[str, ...] | None = None
    attributes: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def load(self, size: int, classes: tuple[str, ...], params: SplitParameters) -> FaceData:
        """Reads all images at `size` x `size` pixels and splits the rows, by `params` where no split is given."""
        number = {name: index for index, name in enumerate(classes)}
        labels = np.array([number[label] for label in self.labels], np.int64)
        rows = Rows(
            images=read_images(self.source, self.paths, self.places, size),
            labels=labels,
            names=self.names,
            subjects=self._subject_numbers(),
            attributes=self.attributes,
        )
        part = self._parts(rows, params)
        pool, test, population = (rows.take(np.flatnonzero(part == index)) for index in range(len(SPLITS)))
        return FaceData(classes, pool, test, population, drawn=False)

    def _subject_numbers(self) -> Ints | None:
        if self.subjects is None:
            return None
        _, numbers = np.unique(np.array(self.subjects), return_inverse=True)
        return np.asarray(numbers, np.int64)

    def _parts(self, rows: Rows, params: SplitParameters) -> Ints:
        if self.splits is not None:
            return np.array([SPLITS.index(split) for split in self.splits], np.int64)
        rng = np.random.default_rng(params.split_seed)
        return split_by_subject(rows.labels, rows.subjects, params.fractions(), rng)
