"""What [randaug, mixup] costs a training."""

from __future__ import annotations

import side
from settings import BATCH, Settings
from table import Measured, at_most, heading, note, show

SIZE = 48


def augmentation(settings: Settings) -> None:
    """Slow-down of whole trainings by [randaug, mixup], with one worker busy and with two."""
    heading(f"Slow-down by [randaug, mixup], GhostFace, {SIZE} px, batch {BATCH}: whole trainings")
    rows: list[tuple[object, ...]] = [("", "none, images/s", "augmented", "slow-down", "", "steps alone")]
    for workers, label in ((1, "1 worker alone on the machine"), (2, "2 workers busy, summed")):
        rows.append((label, *_slow_down(settings, workers)))
    show(rows)
    note("none and augmented take turns in the same workers; a training's reset, signals and writing count too.")


def _slow_down(settings: Settings, workers: int) -> tuple[object, ...]:
    found = side.run(
        "ours.trainings:augmented",
        rows=settings.augmented_rows,
        size=SIZE,
        epochs=settings.augmented_epochs,
        workers=workers,
        repeats=max(settings.repeats, 2),
    )
    none, augmented = (
        Measured([workers * found["images"] / seconds for seconds in found[name]["seconds"]], digits=0)
        for name in ("none", "augmented")
    )
    slower = 100 * (none.median / augmented.median - 1)
    steps = [Measured(found[name]["rate"]).median for name in ("none", "augmented")]
    verdict = at_most(slower, 15, " %") if workers == 1 else ""
    return none, augmented, f"{slower:.0f} %", verdict, f"{100 * (steps[0] / steps[1] - 1):.0f} %"
