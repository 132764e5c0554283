"""The only place that imports imgaug: it needs names that NumPy has removed since imgaug's last release."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np


def imgaug_augmenters() -> Any:
    """The module `imgaug.augmenters`, imported with NumPy's removed aliases put back."""
    for alias, target in (("bool", bool), ("complex", complex), ("float", float), ("int", int), ("object", object)):
        if alias not in vars(np):
            setattr(np, alias, target)
    with warnings.catch_warnings():
        # Deprecations inside imgaug 0.4.0 (2020) are not for our users to act on.
        warnings.simplefilter("ignore")
        import imgaug.augmenters as augmenters
    return augmenters
