"""The images of the run's dataset: train images for ranges, test images for comparison."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fer_audit.data.cached import KIND, open_cached
from fer_audit.data.dataset import FaceData
from fer_audit.export.chosen import ChosenModel, ExportError
from fer_audit.export.formats import Images
from fer_audit.store import Store

#: Train images that ranges are read from.
REPRESENTATIVE = 256


@dataclass(frozen=True)
class Compared:
    """Test images that files are asked about."""

    images: Images  #: (N, H, W, 3)
    labels: npt.NDArray[np.int64]  #: (N,)
    units: npt.NDArray[np.int64] | None  #: (N,), rows that count as one in intervals; None where each is its own

    def __len__(self) -> int:
        return len(self.labels)


def run_data(store: Store, chosen: ChosenModel) -> FaceData:
    """The dataset that the model was trained on; raises ExportError where the store no longer has it."""
    about = store.about("trainings", chosen.trained.training)
    key = next((key for kind, key in about.uses if kind == KIND), None) if about else None
    if key is None or not store.has(KIND, key):
        grid = (chosen.record.grid_file if chosen.record else "") or f"{chosen.results.grid}.yaml"
        raise ExportError(
            f"the store {store.address} no longer has the images of dataset {chosen.results.dataset.plugin.name!r}, "
            f"which an exported file is compared on; bring them back by fer-audit run {grid} --store {store.address}, "
            f"which trains nothing again"
        )
    return open_cached(store, key)


def compared_rows(data: FaceData, most: int | None, seed: int = 0) -> Compared:
    """All test rows, or `most` of them drawn by chance."""
    rows = _drawn(len(data.test), most, seed)
    units = data.test.units
    return Compared(data.test.images[rows], data.test.labels[rows], None if units is None else units[rows])


def representative(data: FaceData, most: int = REPRESENTATIVE, seed: int = 0) -> Images:
    """Train images (N, H, W, 3), drawn by chance: ranges that were read from test images would have chosen by them."""
    return np.asarray(data.pool.images[_drawn(len(data.pool), most, seed)])


def _drawn(rows: int, most: int | None, seed: int) -> npt.NDArray[np.int64]:
    if most is None or most >= rows:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))
