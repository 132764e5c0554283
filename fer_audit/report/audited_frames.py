"""Tidy frames of models that were audited as they were given."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd

from fer_audit.report.charts.checkpoints import checkpoints as followed
from fer_audit.report.frame import ATTACK, IDENTITY, ends, frame, identity, plugin, spread
from fer_audit.report.tidy import file_columns
from fer_audit.results import AuditedFile, Results

_DECLARED = ("size", "colour", "scaling", "layout", "classes")


def models(results: Results) -> pd.DataFrame:
    """Files and what was declared of them: a row per audited model; shapes such as `48x48x3`."""
    rows = (
        (*identity(cell), *file_columns(one).values(), _shape(one), *(_declared(one, name) for name in _DECLARED))
        for cell in results.cells
        if (one := cell.audited)
    )
    return frame((*IDENTITY, *file_columns(None), "input_shape", *_DECLARED), rows)


def checkpoints(results: Results) -> pd.DataFrame:
    """Leakage over training time: a row per checkpoint and attack; none where there are fewer than two checkpoints."""
    rows = (
        (
            *(*identity(cell), cell.audited.checkpoint if cell.audited else None, *plugin(attack.attack)),
            *(*ends(attack.auc), *ends(cell.privacy.member_accuracy), *ends(cell.privacy.nonmember_accuracy)),
        )
        for cell in followed(results)
        if cell.privacy
        for attack in cell.privacy.attacks
    )
    measures = (*spread("auc"), *spread("member_accuracy"), *spread("nonmember_accuracy"))
    return frame((*IDENTITY, "model_checkpoint", *ATTACK, *measures), rows)


def _shape(one: AuditedFile) -> str | None:
    if one.input_shape is None:
        return None
    return "x".join("?" if length is None else str(length) for length in one.input_shape)


def _declared(one: AuditedFile, name: str) -> Any:
    """As it was declared; what is no plain text or number as JSON."""
    value = one.preprocessing.get(name)
    return value if value is None or isinstance(value, str | int) else json.dumps(value)
