"""The peak memory of a worker at the size of RAF-DB."""

from __future__ import annotations

import side
from settings import BATCH, Settings
from table import below, heading, note, show

GIB = 1 << 30

#: Rows of RAF-DB's test split.
TEST_ROWS = 3068


def memory(settings: Settings) -> None:
    """Peak resident memory after a utility and a reference model, all queries answered."""
    rows, size = settings.memory_rows, settings.memory_size
    found = side.run("ours.memory:peak", rows=rows, test_rows=TEST_ROWS, size=size)
    heading(f"Peak memory of a worker: GhostFace, {rows:,} rows of {size}x{size}x3, batch {BATCH}, one epoch")
    peaks = {name: sum(processes) / GIB for name, processes in found.items()}
    show(
        [
            ("after one epoch on all rows", f"{peaks['utility']:.2f} GiB", below(peaks["utility"], 2, "GiB")),
            (
                "after a reference model, identity and flip",
                f"{peaks['reference']:.2f} GiB",
                below(peaks["reference"], 2, "GiB"),
            ),
        ]
    )
    note(f"VmHWM, the pages of the mapped dataset included ({rows * size * size * 3 / GIB:.2f} GiB if all were held);")
    note(f"{len(found['reference'])} process(es), those that a worker starts counted with it.")
