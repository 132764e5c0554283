"""Probabilities from logits, without overflow and without rounding confident answers to equal ones."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def softmax(logits: Floats) -> Floats:
    """Probabilities (..., C)."""
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=-1, keepdims=True), np.float64)


def phi(logits: Floats, labels: npt.NDArray[np.int64]) -> Floats:
    """Logit-scaled confidence z_y - log sum_{j != y} exp z_j = log p_y / (1 - p_y) (Carlini et al. 2022, section IV).

    Args:
        logits: (N, ..., C).
        labels: (N,), y.

    Returns:
        (N, ...).
    """
    chosen = np.arange(logits.shape[-1]) == labels.reshape(-1, *[1] * (logits.ndim - 1))
    own = np.sum(np.where(chosen, logits, 0.0), axis=-1)
    others = np.where(chosen, -np.inf, logits)
    top = others.max(axis=-1, keepdims=True)
    rest = top[..., 0] + np.log(np.exp(others - top).sum(axis=-1))
    return np.asarray(own - rest, np.float64)


def log_probability(logits: Floats, labels: npt.NDArray[np.int64]) -> Floats:
    """Logarithm of p_y (N, ...) for `logits` (N, ..., C): the negative loss, exact where p_y rounds to 1."""
    return np.asarray(-np.logaddexp(0.0, -phi(logits, labels)), np.float64)
