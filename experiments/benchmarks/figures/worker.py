"""What sides on a program alone need from the driver: the program as a plan makes it, and a worker's environment."""

from __future__ import annotations

from typing import Any

from ours.engine import grid, planned
from settings import BATCH

from fer_audit.runner.engines.worker_process import SETTINGS as WORKER_ENVIRONMENT

__all__ = ["WORKER_ENVIRONMENT", "spec_of"]


def spec_of(size: int, **optimizer: Any) -> dict[str, Any]:
    """The program of a grid at `size` pixels, as JSON."""
    content = grid(BATCH, size, 1)
    content["training"]["optimizer"] |= optimizer
    with planned(content) as (plan, _):
        found: dict[str, Any] = plan.missing[0].spec.program.model_dump(mode="json")
    return found
