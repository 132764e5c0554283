"""Tidy frames of what private training promises, of audits of it, and of cells against it at equal accuracy."""

from __future__ import annotations

import pandas as pd

from fer_audit.report.audited import audited
from fer_audit.report.frame import ATTACK, IDENTITY, ends, frame, identity, plugin, spread
from fer_audit.report.guarantees import guarantees as promised
from fer_audit.results import CanaryAudit, Guarantee, Results

_GUARANTEE = tuple(name for name in Guarantee.model_fields if name != "group")
_BOUND = ("lower_bound", "cap", "promised", "delta", "confidence")
_CANARIES = ("kind", "count", "included", "copies", "guesses", "correct", "unit", *_BOUND)


def guarantees(results: Results) -> pd.DataFrame:
    """What is promised: a row per cell and kind of training; the group is a person with that many images."""
    rows = (
        (
            *(*identity(cell), training),
            *(getattr(one, name) for name in _GUARANTEE),
            *((one.group.images, one.group.epsilon) if one.group else (None, None)),
        )
        for cell in results.cells
        for training, one in promised(cell)
    )
    return frame((*IDENTITY, "training", *_GUARANTEE, "group_images", "group_epsilon"), rows)


def audits(results: Results) -> pd.DataFrame:
    """Lower bounds on epsilon: a row per cell and audit, `one run` by canaries or `many runs` by an attack."""
    rows = (
        (
            *(*identity(one.cell), "one run" if isinstance(one.audit, CanaryAudit) else "many runs"),
            *plugin(None if isinstance(one.audit, CanaryAudit) else one.audit.attack),
            *(
                one.audit.unit,
                *(getattr(one.audit, name) for name in _BOUND),
                one.refuted if one.could_refute else None,
            ),
            None if isinstance(one.audit, CanaryAudit) else one.audit.decisions,
        )
        for one in audited(results)
    )
    return frame((*IDENTITY, "audit", *ATTACK, "unit", *_BOUND, "refuted", "decisions"), rows)


def canaries(results: Results) -> pd.DataFrame:
    """Canaries of one training: a row per cell that has them."""
    rows = (
        (
            *identity(cell),
            *(getattr(one, name) for name in _CANARIES),
            *ends(one.auc),
            one.broken if one.promised is not None else None,
        )
        for cell in results.cells
        if (one := cell.canaries)
    )
    return frame((*IDENTITY, *_CANARIES, *spread("auc"), "refuted"), rows)


def matched(results: Results) -> pd.DataFrame:
    """Cells against private training of their accuracy: a row per cell and attack."""
    known = {cell.id: identity(cell) for cell in results.cells}
    columns = ("metric", *ATTACK, "accuracy", "below", "above", "share", "reference", *spread("difference"))
    rows = (
        (
            *known.get(one.cell, (one.cell, *[None] * (len(IDENTITY) - 1))),
            *(one.metric, *plugin(one.attack), one.accuracy, one.below, one.above, one.share, one.reference),
            *ends(one.difference),
        )
        for one in results.matched
    )
    return frame((*IDENTITY, *columns), rows)
