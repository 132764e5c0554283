"""The peak memory of a worker."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

from ours.engine import engine_for, grid, planned, train

#: A dataset whose size is that of RAF-DB; every row has a place in the file that workers map.
_RANDOM_FACES = '''
import numpy as np

from fer_audit.data.dataset import EXPRESSIONS, Dataset, FaceData, Rows
from fer_audit.plugins import Parameters


class RandomFaces(Dataset):
    """Random pixels; source: none."""

    name = "random-faces"

    class Params(Parameters):
        """How many rows."""

        rows: int
        test_rows: int

    params: Params

    def read(self, size, base):
        """Draws both splits."""
        splits = {"pool": self.params.rows, "test": self.params.test_rows, "population": 0}
        rows = {name: _rows(count, size, name) for name, count in splits.items()}
        return FaceData(classes=EXPRESSIONS, drawn=True, **rows)


def _rows(count, size, name):
    rng = np.random.default_rng(count)
    images = rng.integers(0, 256, (count, size, size, 3), np.uint8)
    return Rows(images=images, labels=np.arange(count) % 7, names=tuple(f"{name}-{i}" for i in range(count)))
'''


def peak(rows: int, test_rows: int, size: int) -> dict[str, Any]:
    """Peak resident memory of the one worker that trains an epoch on all rows, then on half of them."""
    content = grid(
        rows,
        size,
        1,
        dataset={"name": "random-faces", "params": {"rows": rows, "test_rows": test_rows}},
        attacks={"membership": ["loss-threshold"]},
        privacy={"references": 4, "queries": ["identity", "flip"]},
    )
    with planned(content, plugin=_RANDOM_FACES) as (plan, store):
        cell = plan.cells[0]
        utility, reference = plan.trainings[cell.utility], plan.trainings[cell.privacy[0]]
        found: dict[str, Any] = {}
        with engine_for(plan, store, 1) as engine:
            for name, training in (("utility", utility), ("reference", reference)):
                train(engine, [training])
                # The worker is alive and waits: its high-water mark is that of all it has done.
                found[name] = [_peak_bytes(process) for process in _workers()]
    return found


def _workers() -> list[int]:
    """The worker processes below this one, with what they started themselves."""
    below = [os.getpid()]
    for process in below:
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{process}/task").iterdir():
                below += [int(child) for child in (task / "children").read_text(encoding="utf-8").split()]
    return below[1:]


def _peak_bytes(process: int) -> int:
    for line in Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0
