"""Pictures of a few images and what models make of them: heat maps, and corrupted rows."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from fer_audit.explain.heat_map import overlay
from fer_audit.grid import chain_label
from fer_audit.metrics.memorisation import fates
from fer_audit.plan import Plan, PlannedCell
from fer_audit.results import Gallery, GalleryRow, Tile
from fer_audit.runner.measured import read_measure
from fer_audit.runner.privacy import read_answers
from fer_audit.store import Store

#: Folder of the pictures.
GALLERIES = "galleries"

_MOST = 6  #: galleries of a kind; more would make the page too heavy to open
_TILES = 8  #: corrupted rows of a cell that are shown
_JPEG_QUALITY = 88

Images = npt.NDArray[np.uint8]

_SEEN = (
    "The first test image of each expression; the brighter, the more the predicted expression rests on it (Grad-CAM)."
)


def write_galleries(plan: Plan, store: Store, cells: Sequence[PlannedCell], folder: Path) -> list[Gallery]:
    """Writes pictures of `cells`, all measured: of drawn faces always, of real ones only if the grid says so."""
    shutil.rmtree(folder / GALLERIES, ignore_errors=True)
    if not plan.data.drawn and not plan.grid.include_images:
        return []
    tiles, found = _Tiles(folder), []
    measures = plan.grid.measures
    groups = [list(group) for _, group in itertools.groupby(sorted(cells, key=_place(plan)), _place(plan))]
    if measures.explanations is not None:
        found += _first(groups, lambda group: _heat_maps(plan, store, group, tiles))
    if measures.memorisation is not None:
        corrupted = [group for group in groups if group[0].labels.corruption is not None]
        found += _first(corrupted, lambda group: _corrupted_rows(plan, store, group, tiles))
    return found


def _first(
    groups: Sequence[Sequence[PlannedCell]], make: Callable[[Sequence[PlannedCell]], Gallery | None]
) -> list[Gallery]:
    """The galleries of the first groups, with a word where there are more."""
    found = [gallery for gallery in map(make, groups[:_MOST]) if gallery]
    if len(groups) > _MOST and found:
        note = f" Shown for the first {_MOST} of {len(groups)} models, label attacks and seeds."
        found[0] = found[0].model_copy(update={"caption": found[0].caption + note})
    return found


def _place(plan: Plan) -> Any:
    """Cells that differ in their augmentation alone have the same place, in the order of the grid."""
    models = [ref.label for ref in plan.grid.models]
    attacks = [ref.label for ref in plan.grid.attacks.labels]
    seeds = list(plan.grid.seeds)
    return lambda cell: (
        models.index(cell.model.label),
        attacks.index(cell.label_attack.label),
        seeds.index(cell.seed),
    )


class _Tiles:
    """Writes small pictures under numbers."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count()

    def write(self, image: Images, text: str = "") -> Tile:
        file = f"{GALLERIES}/{next(self._numbers)}.jpg"
        (self._folder / GALLERIES).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(self._folder / file, quality=_JPEG_QUALITY)
        return Tile(file=file, text=text)


def _heat_maps(plan: Plan, store: Store, cells: Sequence[PlannedCell], tiles: _Tiles) -> Gallery | None:
    """One test image of each class, and what models with different augmentations looked at in it."""
    found = [(cell, arrays) for cell in cells for _, arrays, _ in read_measure(plan, store, cell, "explanation")]
    explained = [(cell, arrays) for cell, arrays in found if "shown_maps" in arrays]
    if not explained:
        return None
    views = [view for cell, arrays in explained for view in _views(plan, cell, arrays)]
    images, shown = explained[0][1]["shown_images"], explained[0][1]["shown"]
    rows = []
    for place, row in enumerate(shown):
        shot = tiles.write(images[place])
        maps = [tiles.write(*_tile(plan.data.classes, arrays, view, place)) for _, arrays, view in views]
        rows.append(GalleryRow(label=plan.data.classes[plan.data.test.labels[row]], tiles=[shot, *maps]))
    title = f"{cells[0].model.label}, {_labels(cells[0])}, seed {cells[0].seed}"
    caption = (
        f"{_SEEN} Augmented: the same image as a training batch would have seen it, and what the model saw in that."
    )
    columns = ["image", *(title for title, _, _ in views)]
    return Gallery(kind="heat-maps", title=title, caption=caption, columns=columns, rows=rows)


def audited_heat_maps(
    classes: Sequence[str],
    labels: npt.NDArray[np.int64],
    explained: Sequence[tuple[str, Mapping[str, npt.NDArray[Any]]]],
    folder: Path,
) -> list[Gallery]:
    """The same of models that were trained elsewhere, by label; `labels` (T,) are those of the test images."""
    shutil.rmtree(folder / GALLERIES, ignore_errors=True)
    found = [(name, arrays) for name, arrays in explained if "shown_maps" in arrays]
    if not found:
        return []
    tiles, rows = _Tiles(folder), []
    images, shown = found[0][1]["shown_images"], found[0][1]["shown"]
    for place, row in enumerate(shown):
        maps = [tiles.write(*_tile(classes, arrays, "shown", place)) for _, arrays in found]
        rows.append(GalleryRow(label=classes[labels[row]], tiles=[tiles.write(images[place]), *maps]))
    columns = ["image", *(name for name, _ in found)]
    title = "Models as they were given"
    return [Gallery(kind="heat-maps", title=title, caption=_SEEN, columns=columns, rows=rows)]


def _views(
    plan: Plan, cell: PlannedCell, arrays: Mapping[str, npt.NDArray[Any]]
) -> Iterator[tuple[str, Mapping[str, npt.NDArray[Any]], str]]:
    yield chain_label(cell.chain), arrays, "shown"
    if "augmented_maps" in arrays:
        yield f"{chain_label(cell.chain)}, augmented", arrays, "augmented"


def _tile(classes: Sequence[str], arrays: Mapping[str, npt.NDArray[Any]], view: str, place: int) -> tuple[Images, str]:
    heat = arrays[f"{view}_maps"][place].astype(np.float32) / 255
    picture = overlay(arrays[f"{view}_images"][place], heat)
    empty = "" if heat.any() else "; no heat"
    return picture, f"predicted {classes[arrays[f'{view}_predicted'][place]]}{empty}"


def _corrupted_rows(plan: Plan, store: Store, cells: Sequence[PlannedCell], tiles: _Tiles) -> Gallery | None:
    """Corrupted train rows that the utility models recovered, and such that they memorised."""
    pool, rows = plan.data.pool, []
    true = np.asarray(pool.labels)
    for cell in cells:
        job, given = plan.trainings[cell.utility].job, cell.labels.given
        predicted = read_answers(store, [job], "pool")[0, :, 0].argmax(axis=1)
        found = fates(predicted, given, true)
        for fate, index in (("recovered", found.recovered), ("memorised", found.memorised)):
            chosen = np.flatnonzero(index)[:_TILES]
            texts = [_said(plan, given[row], true[row], predicted[row]) for row in chosen]
            shots = [tiles.write(np.asarray(pool.images[row]), text) for row, text in zip(chosen, texts, strict=True)]
            if shots:
                rows.append(GalleryRow(label=f"{chain_label(cell.chain)}: {fate}", tiles=shots))
    title = f"{cells[0].model.label}, {_labels(cells[0])}, seed {cells[0].seed}"
    caption = (
        f"The first {_TILES} train images whose wrong label the model saw through (recovered) or learnt by heart "
        f"(memorised)."
    )
    return Gallery(kind="corrupted-rows", title=title, caption=caption, columns=[], rows=rows) if rows else None


def _said(plan: Plan, given: int, true: int, predicted: int) -> str:
    names = plan.data.classes
    return f"given {names[given]}, true {names[true]}, predicted {names[predicted]}"


def _labels(cell: PlannedCell) -> str:
    return cell.label_attack.label if cell.labels.corruption else "clean labels"
