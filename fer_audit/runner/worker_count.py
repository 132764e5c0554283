"""How many worker processes a machine runs."""

from __future__ import annotations

import os

from fer_audit.errors import GridError
from fer_audit.grid import Resources


def worker_count(resources: Resources, asked: int | None = None) -> int:
    """Worker processes: `asked`, or those of `resources`, or one a core; raises GridError."""
    wanted = asked if asked is not None else resources.workers
    if wanted == "auto":
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if wanted < 1:
        raise GridError(f"--workers must be at least 1, received {wanted}")
    return wanted
