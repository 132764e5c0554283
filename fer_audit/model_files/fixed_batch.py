"""Models that were saved for one number of images, asked about any."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fer_audit.model_files.opened import Inputs, Outputs

Ask = Callable[[Inputs], Outputs]


def in_fixed_batches(ask: Ask, rows: int | None) -> Ask:
    """`ask` itself where it takes any number of `rows`; else in parts of as many, the last filled up with its last."""
    if rows is None:
        return ask

    def parts(images: Inputs) -> Outputs:
        starts = range(0, len(images), rows)
        return np.concatenate([ask(filled(images[start : start + rows], rows)) for start in starts])[: len(images)]

    return parts


def filled(images: Inputs, rows: int) -> Inputs:
    """`images` with the last one repeated until they are `rows`."""
    missing = rows - len(images)
    return np.concatenate([images, np.repeat(images[-1:], missing, axis=0)]) if missing > 0 else images
