"""What all tidy frames share: the cell in front, estimates with their ends, and one kind of value in a column."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from fer_audit.results import Cell, Confusion, Cost, Estimate, LayerCost, PluginRecord

Observation = tuple[Any, ...]  #: a row or a part of one, in the order of its columns

#: What a row is about, in front of every frame of cells.
IDENTITY = ("cell", "model", "augmentation", "defence", "label_attack", "noise_rate", "seed", "status")

ATTACK = ("attack", "attack_params")

COUNTS = tuple(Confusion.model_fields)

_TEXT = {
    *("cell", "model", "augmentation", "defence", "label_attack", "status", "error", "invalid", "baseline", "metric"),
    *("attack", "attack_params", "threat_model", "unit", "epsilon_unit", "correction", "family", "group", "record"),
    *("class", "true", "predicted", "label", "kind", "measure", "better", "layer", "output_shape"),
    *("training", "accountant", "sampling", "audit", "below", "above"),
    *("model_file", "model_format", "model_sha256", "model_outputs", "model_references", "model_warnings"),
    *("input_shape", "colour", "scaling", "layout", "classes"),
}
_INTEGERS = {
    *(set(Cost.model_fields) | set(LayerCost.model_fields)) - {"model", "layers", "name", "kind", "output_shape"},
    *COUNTS,
    *("seed", "seeds", "references", "rows", "target", "epoch", "rank", "severity", "steps", "batch", "runs", "empty"),
    *("member_targets", "true_positives", "suspected", "corrupted_rows", "models", "place"),
    *("model_bytes", "model_checkpoint", "size", "calibration_members", "calibration_nonmembers"),
    *("group_images", "batch_size", "epochs", "count", "included", "copies", "guesses", "correct", "decisions"),
}
_TRUTHS = {
    "corrupted",
    "batch_invariant",
    "refuted",
    "canary_promise_refuted",
    "many_run_promise_refuted",
    "model_trusted",
}


def frame(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> pd.DataFrame:
    """A frame whose columns are there, and of their kind, also where there is no row.

    Text is `str`, counts `Int64`, truths `boolean`, all else `float64`; what is unknown is missing.
    """
    made = pd.DataFrame(list(rows), columns=list(columns))
    return made.astype({name: _kind(name) for name in columns})


def _kind(column: str) -> str:
    if column in _TEXT:
        return "str"
    if column in _TRUTHS:
        return "boolean"
    return "Int64" if column in _INTEGERS else "float64"


def identity(cell: Cell) -> Observation:
    """The values of `IDENTITY`."""
    return tuple(cell.id if name == "cell" else getattr(cell, name) for name in IDENTITY)


def plugin(attack: PluginRecord | None) -> Observation:
    """The values of `ATTACK`, as results.csv has them."""
    return (attack.name, json.dumps(attack.params, sort_keys=True)) if attack else (None, None)


def counts(confusion: Confusion | None) -> Observation:
    """The values of `COUNTS`."""
    return tuple(getattr(confusion, name) if confusion else None for name in COUNTS)


def spread(name: str) -> tuple[str, str, str]:
    """The columns of an estimate: its value, and the ends of its interval."""
    return name, f"{name}_low", f"{name}_high"


def ends(estimate: Estimate | None) -> Observation:
    """The values of `spread`."""
    return (estimate.value, estimate.low, estimate.high) if estimate else (None, None, None)
