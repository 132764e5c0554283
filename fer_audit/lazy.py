"""Modules that are imported when they are first used, so that commands that need no TensorFlow never pay for it."""

from __future__ import annotations

import importlib
from typing import Any


class LazyModule:
    """Stands for a module until one of its attributes is asked for, and imports it then."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(importlib.import_module(self._name), attribute)

    def __repr__(self) -> str:
        return f"LazyModule({self._name!r})"


# Keras needs several seconds to import; listing and planning only need the names of the models.
keras: Any = LazyModule("keras")
