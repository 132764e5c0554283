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


def centred_logit(logits: npt.NDArray[np.float32] | Floats, labels: npt.NDArray[np.int64]) -> Floats:
    """Logit of the label less the mean of the other classes' logits, z_y - mean_{j != y} z_j (N, ...).

    Where noise is spread over all classes it holds less of it than `phi`, which follows the largest other class.
    """
    classes = logits.shape[-1]
    ordered = np.array(np.moveaxis(logits, -1, 0), np.float64, order="C")
    own = ordered[(labels, np.arange(len(labels)))]
    return np.asarray((classes * own - ordered.sum(axis=0)) / (classes - 1), np.float64)


def log_probability(phi: Floats) -> Floats:
    """Logarithm of p_y, the negative loss, from `phi` (...): exact where p_y rounds to 1."""
    return np.asarray(np.minimum(phi, 0.0) - np.log1p(np.exp(-np.abs(phi))), np.float64)


def taylor_log_probability(
    logits: Floats, labels: npt.NDArray[np.int64], order: int = 4, margin: float = 0.6
) -> Floats:
    """Logarithm of the soft-margin Taylor softmax of the label (N, ...) for `logits` (N, ..., C).

    t(z_y - m) / (t(z_y - m) + sum_{j != y} t(z_j)) with t(z) = sum_{k <= order} z^k / k!, positive for even orders
    (Zarifzadeh et al. 2024, appendix A; Banerjee et al. 2020). Logits are not shifted: t is no exponential.
    """
    chosen = np.arange(logits.shape[-1]) == labels.reshape(-1, *[1] * (logits.ndim - 1))
    shifted = np.where(chosen, logits - margin, logits)
    terms = np.ones_like(shifted)
    total = np.ones_like(shifted)
    for power in range(1, order + 1):
        terms = terms * shifted / power
        total = total + terms
    own = np.where(chosen, total, 0.0).sum(axis=-1)
    return np.asarray(np.log(own) - np.log(total.sum(axis=-1)), np.float64)


def expit(phi: Floats) -> Floats:
    """Probability of the label p_y from `phi` (...)."""
    return np.asarray(np.exp(log_probability(phi)), np.float64)


def log_softmax(logits: Floats) -> Floats:
    """Logarithms of the probabilities (..., C)."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)), np.float64)


def negative_entropy(logits: Floats) -> Floats:
    """sum_j p_j log p_j (...) for `logits` (..., C), in nats; 0 log 0 is 0."""
    logs = log_softmax(logits)
    return np.asarray((np.exp(logs) * logs).sum(axis=-1), np.float64)


def negative_modified_entropy(logits: Floats, labels: npt.NDArray[np.int64], own: Floats) -> Floats:
    """(1 - p_y) log p_y + sum_{j != y} p_j log(1 - p_j) (Song and Mittal 2021, equation 7, negated).

    Args:
        logits: (N, Q, C).
        labels: (N,).
        own: (N, Q), `phi` of the label. Every class j has its own odds, so that neither p nor 1 - p is found by
            subtraction: log p_j = -log1p(exp(-phi_j)) and log(1 - p_j) = -log1p(exp(phi_j)).
    """
    total = np.exp(log_probability(-own)) * log_probability(own)
    for label in range(logits.shape[-1]):
        odds = phi(logits, np.full(len(labels), label))
        term = np.exp(log_probability(odds)) * log_probability(-odds)
        total += np.where((labels == label)[:, None], 0.0, term)
    return np.asarray(total, np.float64)


def is_correct(logits: Floats, labels: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Whether no other class has a larger logit than the label (N, ...), for `logits` (N, ..., C).

    An answer with several largest logits is correct for each of them, so that the order of classes does not matter.
    """
    chosen = labels.reshape(-1, *[1] * (logits.ndim - 1))
    own = np.take_along_axis(logits, np.broadcast_to(chosen, (*logits.shape[:-1], 1)), axis=-1)[..., 0]
    return np.asarray(own >= logits.max(axis=-1), np.bool_)
