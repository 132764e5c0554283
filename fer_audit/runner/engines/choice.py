"""The engines by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fer_audit.grid import Resources
from fer_audit.runner.engines.engine import Engine
from fer_audit.runner.engines.local import LocalEngine
from fer_audit.runner.worker_count import worker_count
from fer_audit.store import Store


def open_engine(
    name: str, store: Store, plugin_folders: Sequence[Path], resources: Resources, workers: int | None = None
) -> Engine:
    """The engine with that name, `local` or `ray`, to be entered; `workers` take the place of those of `resources`."""
    if name == "local":
        return local_engine(store, plugin_folders, resources, workers)
    from fer_audit.runner.engines.ray import RayEngine

    most = workers if workers is not None else resources.workers
    limit = None if most == "auto" else worker_count(resources, workers)
    return RayEngine(store, plugin_folders, resources, limit)


def local_engine(
    store: Store, plugin_folders: Sequence[Path], resources: Resources, workers: int | None = None
) -> LocalEngine:
    """Worker processes of this machine."""
    silence = None if resources.timeout_minutes is None else 60 * resources.timeout_minutes
    return LocalEngine(store, plugin_folders, worker_count(resources, workers), silence)
