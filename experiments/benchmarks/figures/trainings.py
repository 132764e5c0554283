"""Several trainings of one program: what fer-audit was made for, and what is left beyond the steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import side
from settings import BATCH, Settings
from table import Measured, at_least, below, heading, note, ratio, show

SIZE, WORKERS = 48, 2

#: Laps in which a worker makes results rather than keeps its house.
RESULTS = ("follow", "answers")

#: fer-audit's runs of this process, so that `overhead` after `trainings` repeats none.
_known: list[dict[str, Any]] = []


def trainings(settings: Settings) -> None:
    """Wall time of the trainings, against plain Keras."""
    ours, theirs = side.interleaved(
        settings.trainings_repeats, lambda: _ours(settings), lambda: _run("baselines.keras_fit:trainings", settings)
    )
    _known.append(ours[-1])
    mine = Measured([one["wall"] for one in ours], "s")
    keras = Measured([one["wall"] for one in theirs], "s", 0)
    faster = ratio(keras, mine)
    heading(f"Wall time of {_what(settings)}")
    show(
        [
            ("fer-audit, 2 workers, one thread each", mine),
            ("plain Keras: build, compile, fit; all cores", keras, f"{faster:.1f}x", at_least(faster, 5)),
            ("  of which one training", Measured(_all(theirs, "seconds"), "s")),
            ("  one training of fer-audit", Measured(_all(ours, "seconds"), "s")),
            ("  its program, once a worker", Measured(_all(ours, "starts") or [0.0], "s")),
        ]
    )
    note(
        "fer-audit: from the start of the engine to the last artefact, with the signals of all rows; Keras: fit alone."
    )


def overhead(settings: Settings) -> None:
    """Seconds of a training that are not its steps."""
    laps = (_known[-1] if _known else _ours(settings))["laps"]
    heading(f"Overhead of a training beyond its steps, in {_what(settings)}")
    names = list(dict.fromkeys(name for training in laps for name in training))
    beyond = _sums(laps, [name for name in names if name not in ("steps", *RESULTS)])
    with_results = _sums(laps, [name for name in names if name != "steps"])
    show(
        [
            *((name, _sums(laps, [name])) for name in names),
            ("all but the steps and the results", beyond, below(beyond.median, 1, "s")),
            ("all but the steps", with_results),
        ]
    )
    note(f"laps of the worker, {WORKERS} busy; results are {' and '.join(RESULTS)}: what is asked of a network beside")
    note("its training, the signals of all rows and the test split after every epoch.")


def _sums(laps: list[dict[str, float]], names: Sequence[str]) -> Measured:
    return Measured([sum(training.get(name, 0.0) for name in names) for training in laps], "s", 2)


def _ours(settings: Settings) -> dict[str, Any]:
    return _run("ours.trainings:trainings", settings, workers=WORKERS)


def _run(function: str, settings: Settings, **options: Any) -> dict[str, Any]:
    return side.run(
        function,
        count=settings.trainings,
        rows=settings.trainings_rows,
        size=SIZE,
        epochs=settings.trainings_epochs,
        **options,
    )


def _what(settings: Settings) -> str:
    return (
        f"{settings.trainings} trainings of GhostFace, {SIZE} px, {settings.trainings_rows:,} rows, "
        f"{settings.trainings_epochs} epochs, batch {BATCH}, AdamW"
    )


def _all(results: list[dict[str, Any]], name: str) -> list[float]:
    return [value for one in results for value in one[name]]
