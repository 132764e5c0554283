"""The audit of one training of a cell by its canaries, with a csv of them that is begun before anything is trained."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fer_audit.attacks.probabilities import phi
from fer_audit.canary_section import Canaries
from fer_audit.data.canaries import Planted
from fer_audit.metrics.canary_audit import one_run_audit
from fer_audit.results import CanaryAudit, Guarantee, write_text
from fer_audit.runner.privacy import DELTA, read_answers
from fer_audit.specs import TrainingJob
from fer_audit.store import Store

#: Folder of the csv files with all canaries, one a cell in the order of the grid.
CANARIES = "canaries"

_GUESSES = {1: "in", -1: "out", 0: ""}


def canary_file(place: int) -> str:
    """The csv of the cell at `place` in the grid, relative to the folder of results.json."""
    return f"{CANARIES}/{place}.csv"


def log_canaries(path: Path, planted: Planted, classes: Sequence[str]) -> None:
    """Writes a line for each canary: its name, the row of the pool that it is made from, its label and its coin."""
    _write(path, planted, classes, {})


def audit_canaries(
    store: Store,
    job: TrainingJob,
    planted: Planted,
    *,
    section: Canaries,
    guarantee: Guarantee | None,
    confidence: float,
    folder: Path,
    file: str,
) -> CanaryAudit:
    """What the training of `job` on the rows of `planted` shows of its canaries, beside what it promises.

    The score of a canary is the logit-scaled confidence in its label (Carlini et al. 2022), mean over queries. Where
    canaries are there several times, `guarantee` is to have the group of as many images. Scores and guesses are
    added to `file` in `folder`.
    """
    scores, delta = _scores(store, job, planted), guarantee.delta if guarantee else DELTA
    audit = one_run_audit(scores, planted.included, delta=delta, confidence=confidence)
    found = {"score": scores.tolist(), "guess": [_GUESSES[guess] for guess in audit.guesses.tolist()]}
    _write(folder / file, planted, planted.data.classes, found)
    promised = _promised(guarantee, section.repeats)
    return CanaryAudit(
        training=job.training.key,
        kind=section.kind,
        count=section.count,
        included=int(np.count_nonzero(planted.included)),
        copies=section.repeats,
        auc=audit.auc,
        guesses=audit.guessed,
        correct=audit.correct,
        lower_bound=audit.lower_bound,
        cap=audit.cap,
        delta=delta,
        confidence=audit.confidence,
        unit="image" if section.repeats == 1 else "group",
        promised=promised,
        broken=promised is not None and audit.lower_bound > promised,
        guarantee=guarantee,
        method=audit.method,
        file=file,
    )


def _scores(store: Store, job: TrainingJob, planted: Planted) -> npt.NDArray[np.float64]:
    """(count,), larger for canaries that are rather among the rows."""
    count = len(planted.included)
    logits = read_answers(store, [job], "pool")[0, -count:]
    return np.asarray(phi(logits, planted.labels[-count:]).mean(axis=1), np.float64)


def _promised(guarantee: Guarantee | None, copies: int) -> float | None:
    """The epsilon that hides whether `copies` images that are there together are there; None where nothing does."""
    if guarantee is None or copies == 1:
        return guarantee.epsilon if guarantee else None
    group = guarantee.group
    return group.epsilon if group and group.images >= copies else None


def _write(path: Path, planted: Planted, classes: Sequence[str], found: Mapping[str, Sequence[Any]]) -> None:
    count = len(planted.included)
    columns: dict[str, Sequence[Any]] = {
        "id": planted.data.pool.names[-count:],
        "source": ["" if row < 0 else row for row in planted.source.tolist()],
        "label": [_tame(classes[label]) for label in planted.labels[-count:].tolist()],
        "included": planted.included.tolist(),
        **found,
    }
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text.getvalue())


def _tame(name: str) -> str:
    """A class name that a spreadsheet would run as a formula, kept from it by an apostrophe."""
    return f"'{name}" if name.startswith(("=", "+", "-", "@", "\t", "\r")) else name
