"""How fast synthface draws, in images/s on one thread, by image size; medians of several draws.

Target: 2,000 images/s at 48 px.  Run it with: python experiments/benchmarks/synthface.py
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import cv2

from fer_audit.data.synthface import Synthface

ROWS, RUNS = 1000, 5


def images_per_second(size: int) -> float:
    """Pool and test rows drawn in a second of wall time."""
    dataset = Synthface(rows=ROWS, test_rows=ROWS)
    began = time.perf_counter()
    dataset.load(size, Path())
    return 2 * ROWS / (time.perf_counter() - began)


def main() -> None:
    """Prints one line a size."""
    cv2.setNumThreads(1)
    images_per_second(48)  # warm-up
    for size in (32, 48, 96):
        rate = statistics.median(images_per_second(size) for _ in range(RUNS))
        print(f"{size:4d} px  {rate:7.0f} images/s{'  (target: 2,000)' if size == 48 else ''}")


if __name__ == "__main__":
    main()
