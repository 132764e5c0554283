"""What a dataset is, without any model: counts, sizes, hygiene and contact sheets."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fer_audit.data.dataset import Dataset, FaceData, Rows
from fer_audit.data.images import TRAITS
from fer_audit.results import DatasetSummary, Hygiene, ImageSheet, ImageSizes, PluginRecord, SplitSummary

_TINT = 12  #: largest difference between the channels of nearly all pixels of a grey photograph
_VALUES = 40  #: of an attribute; one with more is an identifier, not a group
_COLUMNS, _LINES = 12, 3
_JPEG_QUALITY = 88
_SPLITS = (("train", "pool"), ("test", "test"), ("population", "population"))


def summarised(dataset: Dataset, data: FaceData, size: int, hygiene: Hygiene) -> DatasetSummary:
    """Counts of every split and class, and the hygiene of the splits."""
    identity = dataset.identity()
    return DatasetSummary(
        plugin=PluginRecord(name=identity["name"], params=identity["params"], source=identity["source"]),
        classes=list(data.classes),
        image_size=size,
        digest=data.digest(),
        drawn=data.drawn,
        pool=_split(data.pool, len(data.classes)),
        test=_split(data.test, len(data.classes)),
        population=_split(data.population, len(data.classes)),
        hygiene=hygiene,
    )


def image_sizes(data: FaceData) -> list[ImageSizes]:
    """Sizes of the files of each split; none where images are no files."""
    found = []
    for name, field in _SPLITS:
        rows: Rows = getattr(data, field)
        if rows.traits is not None and len(rows):
            width, height = rows.traits[:, TRAITS.index("width")], rows.traits[:, TRAITS.index("height")]
            order = np.argsort(width * height, kind="stable")
            smallest, median, largest = (
                (int(width[row]), int(height[row])) for row in (order[0], order[len(order) // 2], order[-1])
            )
            grey = float(np.mean([_is_grey(image) for image in rows.images]))
            found.append(ImageSizes(split=name, smallest=smallest, median=median, largest=largest, grey=grey))
    return found


def attribute_counts(data: FaceData) -> dict[str, dict[str, int]]:
    """Rows of the train split with each value of each attribute, the most frequent first."""
    counts = {name: Counter(values) for name, values in data.pool.attributes.items()}
    return {name: dict(count.most_common()) for name, count in counts.items() if len(count) <= _VALUES}


def write_class_sheets(data: FaceData, folder: Path) -> list[ImageSheet]:
    """One contact sheet for each expression: faces of the train split, drawn at random but always the same ones."""
    sheets = []
    for code, name in enumerate(data.classes):
        index = np.flatnonzero(data.pool.labels == code)
        shown = np.sort(np.random.default_rng(code).permutation(index)[: _COLUMNS * _LINES])
        file = f"data-{code}.jpg"
        _save(np.asarray(data.pool.images[shown]), folder / file)
        caption = f"{len(shown)} of {len(index)} images of the train split, chosen at random."
        sheets.append(ImageSheet(kind="expressions", title=name, caption=caption, file=file, labels=[]))
    return sheets


def _is_grey(image: NDArray[np.uint8]) -> bool:
    # A JPEG tints its grey a little, and many grey photographs are saved in colour.
    spread = image.max(axis=2) - image.min(axis=2)
    return bool(np.percentile(spread, 99) <= _TINT)


def _split(rows: Rows, classes: int) -> SplitSummary:
    return SplitSummary(
        rows=len(rows),
        per_class=np.bincount(rows.labels, minlength=classes).tolist(),
        subjects=None if rows.subjects is None else len(np.unique(rows.subjects)),
    )


def _save(images: NDArray[np.uint8], path: Path) -> None:
    size, lines = images.shape[1], -(-len(images) // _COLUMNS)
    sheet = np.full((lines * size, _COLUMNS * size, 3), 255, np.uint8)
    for place, image in enumerate(images):
        line, column = divmod(place, _COLUMNS)
        sheet[line * size : (line + 1) * size, column * size : (column + 1) * size] = image
    Image.fromarray(sheet).save(path, quality=_JPEG_QUALITY)
