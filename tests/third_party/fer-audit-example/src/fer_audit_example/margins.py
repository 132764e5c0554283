"""How far the given label lies above the best other one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def margins(logits: npt.NDArray[np.float32], labels: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Logit of the label less the largest of the others, float64 (N,), from logits (N, C) and labels (N,)."""
    rows = np.arange(len(labels))
    others = logits.astype(np.float64)
    own = others[rows, labels].copy()
    others[rows, labels] = -np.inf
    return own - others.max(axis=1)
