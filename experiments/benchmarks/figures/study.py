"""What the full study on data of RAF-DB's size would take on this machine."""

from __future__ import annotations

import side
from settings import BATCH, Settings
from table import Measured, heading, note, show

from figures.signals import logits_rates
from figures.worker import spec_of

SIZE, WORKERS = 100, 2
ROWS, TEST_ROWS = 12271, 3068
REFERENCES, EPOCHS = 64, 40


def study(settings: Settings) -> None:
    """Hours of one cell, from rates measured here and now."""
    runs = [
        side.run(
            "ours.trainings:steady",
            rows=settings.study_rows,
            size=SIZE,
            epochs=settings.study_epochs,
            workers=WORKERS,
        )
        for _ in range(settings.repeats)
    ]
    steps = Measured([run["rate"] for run in runs], "images/s", 0)
    rows = max(512, settings.signal_rows // 2)
    answers = Measured(logits_rates(spec_of(SIZE), rows=rows, passes=3, workers=WORKERS), "images/s", 0)
    trained = EPOCHS * (ROWS + REFERENCES * ROWS / 2)
    # The utility model also answers for the test split after every epoch.
    asked = (REFERENCES + 1) * (ROWS + TEST_ROWS) + EPOCHS * TEST_ROWS
    hours = [trained / steps.median / 3600, asked / answers.median / 3600]
    heading(
        f"Estimate of one cell of the full study: {ROWS:,} rows, {SIZE} px, {REFERENCES} references, {EPOCHS} epochs"
    )
    show(
        [
            (f"steps, {WORKERS} workers", steps, f"{trained:,.0f} images", f"{hours[0]:.1f} h"),
            (f"signals, {WORKERS} workers", answers, f"{asked:,.0f} images", f"{hours[1]:.2f} h"),
            ("one cell", "", "", f"{sum(hours):.1f} h = {sum(hours) / 24:.1f} days"),
            ("with label noise beside clean labels", "", "", f"{2 * sum(hours) / 24:.1f} days"),
        ]
    )
    note(f"measured: both rates, on {settings.study_rows:,} drawn faces, batch {BATCH}, no augmentation.")
    note("extrapolated: that the rates hold for days, for more rows (the dataset stays in memory) and to the last")
    note("training, when one worker may be idle; writing and reset (about a second a training) are left out.")
