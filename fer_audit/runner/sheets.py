"""Contact sheets: the dataset by expression, and what each augmentation makes of the same faces."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt
from PIL import Image

from fer_audit.augmentations.augmentation import Augmentation
from fer_audit.grid import chain_label
from fer_audit.plan import Plan
from fer_audit.results import ImageSheet

_COLUMNS = 10
_JPEG_QUALITY = 88
_DRAWS = 3

Images = npt.NDArray[np.uint8]


def write_sheets(plan: Plan, folder: Path) -> list[ImageSheet]:
    """Writes the sheets that the grid allows: drawn faces always, real ones only with `include_images: true`."""
    for old in folder.glob("sheet-*.jpg"):
        old.unlink()
    if not plan.data.drawn and not plan.grid.include_images:
        return []
    sheets = [_expressions(plan, folder)]
    for number, chain in enumerate(plan.grid.augmentations):
        if chain:
            # An augmentation that raises has failed its cells already, with its reason; it only has no sheet.
            with contextlib.suppress(Exception):
                sheets.append(_augmentation(plan, number, folder))
    return sheets


def _expressions(plan: Plan, folder: Path) -> ImageSheet:
    pool, rows = plan.data.pool, []
    for code in range(len(plan.data.classes)):
        index = np.flatnonzero(pool.labels == code)
        rows.append(np.asarray(pool.images[index[:_COLUMNS]]))
    _save(rows, folder / "sheet-expressions.jpg")
    return ImageSheet(
        kind="expressions",
        title="Expressions",
        caption=f"The first {_COLUMNS} rows of the train split in each class, with their true labels.",
        file="sheet-expressions.jpg",
        labels=list(plan.data.classes),
    )


def _augmentation(plan: Plan, number: int, folder: Path) -> ImageSheet:
    """One face of each class and a few draws of what training sees of them."""
    chain = plan.grid.augmentations[number]
    pool = plan.data.pool
    per_class = [np.flatnonzero(pool.labels == code) for code in range(len(plan.data.classes))]
    index = np.array([group[place] for place in range(2) for group in per_class if len(group) > place])[:_COLUMNS]
    faces = np.asarray(pool.images[index])
    labels = np.eye(len(plan.data.classes), dtype=np.float32)[pool.labels[index]]
    augmentations = [cast("Augmentation", plan.registry.create("augmentation", ref.name, ref.params)) for ref in chain]
    rows = [faces, *(_draw(augmentations, faces, labels, draw) for draw in range(_DRAWS))]
    name = f"sheet-augmentation-{number}.jpg"
    _save(rows, folder / name)
    return ImageSheet(
        kind="augmentation",
        title=chain_label(chain),
        caption="The first line as it is in the train split, then as three epochs of training might see it.",
        file=name,
        labels=["original", *(f"draw {draw + 1}" for draw in range(_DRAWS))],
    )


def _draw(augmentations: Sequence[Augmentation], images: Images, labels: npt.NDArray[np.float32], draw: int) -> Images:
    rng = np.random.default_rng([draw, len(images)])
    for augmentation in augmentations:
        images, labels = augmentation(images, labels, rng)
    return images


def _save(rows: Sequence[Images], path: Path) -> None:
    """One JPEG of rows of equal images, on a plain ground where a row is short."""
    size = rows[0].shape[1]
    sheet = np.full((len(rows) * size, _COLUMNS * size, 3), 255, np.uint8)
    for line, images in enumerate(rows):
        for column, image in enumerate(images):
            sheet[line * size : (line + 1) * size, column * size : (column + 1) * size] = image
    Image.fromarray(sheet).save(path, quality=_JPEG_QUALITY)
