"""How fast signals are taken, against `predict`."""

from __future__ import annotations

import itertools
from typing import Any

import side
from overlap import summed_rate
from settings import Settings
from table import Measured, at_least, heading, note, ratio, show

from figures.worker import WORKER_ENVIRONMENT, spec_of

SIZE = 48


def signals(settings: Settings) -> None:
    """Images/s of `Program.logits` and of `predict`, like threads against like threads."""
    work = {"rows": settings.signal_rows, "passes": settings.signal_passes}
    spec = spec_of(SIZE)
    one, two, single, everything = side.interleaved(
        settings.repeats,
        lambda: {"rates": logits_rates(spec, workers=1, **work)},
        lambda: {"rates": logits_rates(spec, workers=2, **work)},
        lambda: side.run("baselines.keras_fit:predict", size=SIZE, threads=1, **work),
        lambda: side.run("baselines.keras_fit:predict", size=SIZE, threads=0, **work),
    )
    ours, machine, theirs, cores = (
        Measured([rate for result in found for rate in result["rates"]], digits=0)
        for found in (one, two, single, everything)
    )
    heading(f"Signals, GhostFace, {SIZE} px, {settings.signal_rows:,} rows, images/s")
    show(
        [
            ("", "fer-audit", "Keras predict(batch_size=128)"),
            ("1 thread", ours, theirs, f"{ratio(ours, theirs):.2f}x", at_least(ratio(ours, theirs), 1.5)),
            ("all cores", machine, cores, f"{ratio(machine, cores):.2f}x", at_least(ratio(machine, cores), 1.5)),
            ("1 thread against all cores", ours, cores, f"{ratio(ours, cores):.2f}x"),
        ]
    )
    note(
        "all cores: two workers of one thread each at once, summed, against one predict with TensorFlow's own threads."
    )


def logits_rates(spec: dict[str, Any], rows: int, passes: int, workers: int) -> list[float]:
    """Images/s of each pass of `Program.logits`, or of all passes of `workers` processes at once, summed."""
    found = side.at_once(workers, "ours.program:logits", WORKER_ENVIRONMENT, spec=spec, rows=rows, passes=passes)
    ends = [one["ends"] for one in found]
    if workers == 1:
        return [rows / (end - begin) for begin, end in itertools.pairwise(ends[0])]
    return [summed_rate(ends, rows)]
