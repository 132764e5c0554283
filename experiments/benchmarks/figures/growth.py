"""How the cost grows with reference models and with rows."""

from __future__ import annotations

import side
from settings import Settings
from table import Measured, heading, note, show

SIZE, WORKERS = 48, 2


def growth(settings: Settings) -> None:
    """Time per training over the number of references, and over the number of rows."""
    _references(settings)
    _rows(settings)


def _references(settings: Settings) -> None:
    epochs = settings.growth_epochs
    heading(f"Growth with reference models: {SIZE} px, a pool of {settings.reference_rows:,} rows, {epochs} epochs")
    lines: list[tuple[object, ...]] = [
        ("references", "wall, s", "wall per training, s", "in its worker, s", "rows each")
    ]
    for count in settings.references:
        options = {"count": count, "rows": settings.reference_rows, "size": SIZE, "epochs": epochs, "workers": WORKERS}
        runs = [side.run("ours.trainings:references", **options) for _ in range(settings.repeats)]
        wall = Measured([run["wall"] for run in runs])
        each = Measured([run["wall"] / count for run in runs], digits=2)
        inside = Measured([seconds for run in runs for seconds in run["seconds"]], digits=2)
        lines.append((count, wall, each, inside, runs[0]["rows"]))
    show(lines)
    note("wall: from the start of the engine, so that importing and tracing are spread over more and more trainings.")


def _rows(settings: Settings) -> None:
    epochs = settings.growth_epochs
    heading(f"Growth with rows: {SIZE} px, {epochs} epochs, {WORKERS} workers busy, after the start")
    lines: list[tuple[object, ...]] = [("rows", "s per training", "ms per row", "ms per row and epoch")]
    for rows in settings.growth_rows:
        options = {"rows": rows, "size": SIZE, "epochs": epochs, "workers": WORKERS}
        runs = [side.run("ours.trainings:of_rows", **options) for _ in range(settings.repeats)]
        seconds = Measured([value for run in runs for value in run["seconds"]], digits=2)
        per_row = 1000 * seconds.median / rows
        lines.append((f"{rows:,}", seconds, f"{per_row:.2f}", f"{per_row / epochs:.2f}"))
    show(lines)
    note("a training's signals on all its rows and its writing included.")
