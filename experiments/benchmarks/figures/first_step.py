"""How long one waits for the first step."""

from __future__ import annotations

import side
from settings import BATCH, Settings
from table import Measured, below, heading, note, show

from figures.worker import WORKER_ENVIRONMENT, spec_of

SIZE = 48


def first_step(settings: Settings) -> None:
    """Seconds to the end of the first step, against plain Keras."""
    spec = spec_of(SIZE)
    ours, engine, keras = side.interleaved(
        settings.repeats,
        lambda: side.run("ours.program:first_step", WORKER_ENVIRONMENT, spec=spec),
        lambda: side.run("ours.trainings:first_step", size=SIZE),
        lambda: side.run("baselines.keras_fit:first_step", size=SIZE),
    )
    mine, theirs = (
        [Measured([one[n] for one in found], "s") for n in ("after_import", "from_start")] for found in (ours, keras)
    )
    heading(f"Time to the end of the first step, GhostFace, {SIZE} px, batch {BATCH}, AdamW")
    show(
        [
            ("", "fer-audit, 1 thread", "plain Keras, all cores"),
            (
                "from TensorFlow imported",
                mine[0],
                theirs[0],
                f"{theirs[0].median / mine[0].median:.1f}x",
                below(mine[0].median, 8, "s"),
            ),
            ("from the start of the process", mine[1], theirs[1], f"{theirs[1].median / mine[1].median:.1f}x"),
            ("from the start of the engine", Measured([one["from_engine"] for one in engine], "s")),
        ]
    )
    note("fer-audit has traced its inference by then too; Keras traces its own at the first predict.")
