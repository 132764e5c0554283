"""The one cell of a finished run that is meant, and its utility model as a network."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from fer_audit.errors import FerAuditError
from fer_audit.registry import Registry
from fer_audit.report.bundle import is_bundle
from fer_audit.report.finished_run import FinishedRun, read_finished
from fer_audit.results import Cell, Results, RunRecord
from fer_audit.store import Store
from fer_audit.training.weights import require_training

if TYPE_CHECKING:
    from fer_audit.training.trained import TrainedNetwork

#: Ids that an error names.
_NEAREST = 3


class ExportError(FerAuditError):
    """A cell that can't be exported, or a place that an export can't be written to."""


@dataclass(frozen=True)
class ChosenModel:
    """A cell of a finished run with its network."""

    folder: Path  #: of the run
    results: Results
    record: RunRecord | None  #: None where there is no run.json beside the results
    cell: Cell
    trained: TrainedNetwork
    classes: tuple[str, ...]
    image_size: int


def chosen_model(run: Path, pattern: str | None, store: Store, plugins: Sequence[Path]) -> ChosenModel:
    """The utility model of the cell that `pattern` means, or of the only one; raises FerAuditError.

    Args:
        run: folder of a finished run.
        pattern: a cell's id, or a shell glob that exactly one finished cell has.
        store: the store of the run.
        plugins: folders of plug-ins; those that the run's grid names are added where they are still there.
    """
    finished = read_finished(run)
    cell, training, size = exportable(finished, pattern)
    # Before any code is looked for: what a run of somebody else names is imported by none who did not train it.
    require_training(store, training)
    from fer_audit.training.trained import open_trained  # wakes Keras, which a mistyped id need not wait for

    registry = Registry.load([*plugins, *grid_plugins(finished)])
    return ChosenModel(
        folder=finished.folder,
        results=finished.results,
        record=finished.record,
        cell=cell,
        trained=open_trained(store, registry, training),
        classes=tuple(finished.results.dataset.classes),
        image_size=size,
    )


def exportable(finished: FinishedRun, pattern: str | None) -> tuple[Cell, str, int]:
    """The cell that is meant, the key of its utility model, and pixels a side of its images; raises ExportError."""
    cell, size = chosen_cell(finished, pattern), finished.results.dataset.image_size
    if cell.audited is not None:
        raise ExportError(
            f"cell {cell.id!r} is the model {cell.audited.file!r}, which was given to fer-audit and not trained by it; "
            f"expected a cell that a grid trained"
        )
    if cell.utility is None or not cell.utility.training or size is None:
        raise ExportError(
            f"cell {cell.id!r} has no utility model, which is trained on the whole train split; expected a cell that a "
            f"grid trained; choose another --cell"
        )
    return cell, cell.utility.training, size


def chosen_cell(finished: FinishedRun, pattern: str | None) -> Cell:
    """The finished cell that `pattern` means, or the only one where it is None; raises ExportError otherwise."""
    done = {cell.id: cell for cell in finished.results.cells if cell.status == "done"}
    if not done:
        raise ExportError(f"the run in {finished.folder} has no finished cell; run its grid again")
    if pattern is None:
        if len(done) > 1:
            raise ExportError(
                f"the run in {finished.folder} has {len(done)} finished cells; expected --cell with the id of one, "
                f"such as {next(iter(done))!r}"
            )
        return next(iter(done.values()))
    found = [pattern] if pattern in done else [name for name in done if fnmatchcase(name, pattern)]
    if len(found) == 1:
        return done[found[0]]
    raise ExportError(_not_one(pattern, found, finished, list(done)))


def _not_one(pattern: str, found: Sequence[str], finished: FinishedRun, done: Sequence[str]) -> str:
    unfinished = next((cell for cell in finished.results.cells if cell.id == pattern), None)
    if unfinished is not None:
        return f"cell {pattern!r} is {unfinished.status} and has no model; expected a finished cell; run its grid again"
    if found:
        told = ", ".join(map(repr, found[:_NEAREST]))
        rest = f" and {len(found) - _NEAREST} more" if len(found) > _NEAREST else ""
        return f"--cell {pattern!r} matches {len(found)} cells: {told}{rest}; expected exactly one"
    near = ", ".join(map(repr, difflib.get_close_matches(pattern, done, n=_NEAREST, cutoff=0.0)))
    return (
        f"--cell {pattern!r} matches none of the {len(done)} finished cells; expected an id or a pattern such as "
        f"'*/seed0'; the nearest ids are {near}"
    )


def grid_plugins(finished: FinishedRun) -> list[Path]:
    """The plug-in folders that the run's grid names, as far as they are still there."""
    if finished.record is None or not finished.record.grid_file or is_bundle(finished.folder):
        return []
    try:
        grid = yaml.safe_load(finished.results.provenance.grid_text)
    except yaml.YAMLError:
        return []
    named = grid.get("plugins") if isinstance(grid, dict) else None
    base = Path(finished.record.grid_file).parent
    folders = [base / str(name) for name in named] if isinstance(named, list) else []
    # A run that somebody sent brings no code along: what lies in its own folder is never imported.
    inside = finished.folder.resolve()
    return [folder for folder in folders if folder.is_dir() and not folder.resolve().is_relative_to(inside)]
