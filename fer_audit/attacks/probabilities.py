"""Probabilities from logits, without overflow and without rounding confident answers to equal ones."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def softmax(logits: Floats) -> Floats:
    """Probabilities (..., C)."""
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=-1, keepdims=True), np.float64)


def phi(logits: npt.NDArray[np.float32] | Floats, labels: npt.NDArray[np.int64]) -> Floats:
    """Logit-scaled confidence z_y - log sum_{j != y} exp z_j = log p_y / (1 - p_y) (Carlini et al. 2022, section IV).

    Args:
        logits: (K, ..., C); computed with in float64.
        labels: (K,), y.

    Returns:
        (K, ...).
    """
    # Classes first: sums over a short last axis are slow.
    others = np.array(np.moveaxis(logits, -1, 0), np.float64, order="C")
    own_class = (labels, np.arange(len(labels)))
    own = others[own_class].copy()
    others[own_class] = -np.inf
    top = others.max(axis=0)
    others -= top
    np.exp(others, out=others)
    rest = np.log(others.sum(axis=0))
    return np.asarray(own - (top + rest), np.float64)


def log_probability(phi: Floats) -> Floats:
    """Logarithm of p_y, the negative loss, from `phi` (...): exact where p_y rounds to 1."""
    return np.asarray(-np.logaddexp(0.0, -phi), np.float64)
