"""The table of models that were audited as they were given."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from fer_audit.report.finding import counted
from fer_audit.report.naming import cell_name, several_seeds
from fer_audit.report.numbers import UNKNOWN, short
from fer_audit.report.table import Column, Entry, Table, field, identified, without, words
from fer_audit.results import AuditedFile, Results

_CHECKPOINT = "Epochs"

_COLUMNS = (
    Column("Model", numeric=False),
    Column(_CHECKPOINT, "that this checkpoint was trained for"),
    Column("File", numeric=False),
    Column("Warnings", "what speaks against what was declared", numeric=False),
    Column("Format", numeric=False),
    Column("Bytes"),
    Column("SHA-256", "of the file, or of all files of a folder; results.csv has all of its digits", numeric=False),
    Column("Input", "an image as the file takes it", numeric=False),
    Column("Preprocessing", "as it was declared", numeric=False),
    Column("Answers", numeric=False),
    Column("References", "models like it, with which it was attacked", numeric=False),
    Column("Calibration members", "set the thresholds, and were not scored"),
    Column("Calibration non-members", "set the thresholds, and were not scored"),
)


def audited_models_table(results: Results) -> Table:
    """Each file with what was declared of it, and what it was attacked with."""
    seeds = several_seeds(results)
    rows = [(identified(cell, seeds), *_entries(cell.audited)) for cell in results.cells if cell.audited is not None]
    table = Table("audited_models", "Models that were audited as they were given", _COLUMNS, tuple(rows), tools=True)
    checkpoints = any(cell.audited and cell.audited.checkpoint is not None for cell in results.cells)
    return table if checkpoints else without(table, _CHECKPOINT)


def _entries(one: AuditedFile) -> tuple[Entry, ...]:
    size = "any" if one.input_shape is None else " \u00d7 ".join(str(axis or "any") for axis in one.input_shape)
    file = replace(words(one.file), note="may run code of its own" if one.trusted else "")
    return (
        field(one, "checkpoint"),
        file,
        Entry(_warned(one), sort=_warned(one), note="\n".join(one.warnings), tone="bad" if one.warnings else ""),
        words(one.format),
        field(one, "bytes", short),
        Entry(one.sha256[:12], sort=one.sha256),
        words(size if one.format != "answers" else UNKNOWN),
        words(declared_text(one) or "nothing declared"),
        words(one.outputs),
        words(one.references or "none"),
        *(field(one.calibration, side) for side in ("members", "nonmembers")),
    )


def declared_text(one: AuditedFile) -> str:
    """What was said of images and outputs, such as `colour rgb, scaling -1..1`; empty where nothing was."""
    return ", ".join(_declared(one.preprocessing))


def _warned(one: AuditedFile) -> str:
    return counted(len(one.warnings), "warning") if one.warnings else "none"


def _declared(preprocessing: dict[str, Any]) -> Iterator[str]:
    """What was said of images and outputs, but for what is left to the file."""
    for name, value in preprocessing.items():
        if value in (None, "auto"):
            continue
        text = value if isinstance(value, str) else " ".join(value) if _names(value) else json.dumps(value)
        yield f"{name} {text}"


def _names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def references_trained(results: Results) -> bool:
    """Whether the run trained reference models, by the recipe of its grid."""
    return any(cell.audited and "trained by" in cell.audited.references for cell in results.cells)


def calibration_words(results: Results) -> str:
    """On how many rows thresholds were chosen; empty where the models have several such splits, or none."""
    held = [cell.audited.calibration for cell in results.cells if cell.audited and cell.audited.calibration]
    if not held or any(one != held[0] for one in held):
        return ""
    return f"{held[0].members:,} members and {held[0].nonmembers:,} non-members"


def declared_wrong(results: Results) -> list[tuple[str, str]]:
    """What speaks against the preprocessing, or the order of classes, that was declared: model, and warning."""
    seeds = several_seeds(results)
    return [
        (cell_name(cell, seeds), warning)
        for cell in results.cells
        if cell.audited is not None
        for warning in cell.audited.warnings
    ]
