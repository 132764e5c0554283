"""What a trained network answers: the signals that membership attacks read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from fer_audit.data.dataset import FaceData
from fer_audit.errors import FerAuditError
from fer_audit.training.program import Program
from fer_audit.training.queries import QUERIES

Logits = npt.NDArray[np.float32]


class DivergedError(FerAuditError):
    """A training whose numbers are no longer finite."""


def answer(program: Program, data: FaceData, query: str) -> dict[str, Logits]:
    """Logits float32 (N, C) of `pool` and (Z, C) of `population` under `query`; raises DivergedError."""
    ask = QUERIES[query]
    return {
        "pool": finite_logits(program, ask(data.pool.images)),
        "population": finite_logits(program, ask(data.population.images)),
    }


def finite_logits(program: Program, images: npt.NDArray[np.uint8]) -> Logits:
    """Logits float32 (K, C) of `images`; raises DivergedError where one is not finite."""
    logits = program.logits(images)
    if not np.isfinite(logits).all():
        raise DivergedError("the trained network answers with logits that are not finite; lower learning_rate")
    return logits


def cross_entropy(logits: Logits, labels: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Loss (K,) of `logits` (K, C) against `labels` (K,), in nats: logsumexp(z) - z_y."""
    wide = logits.astype(np.float64)
    shifted = wide - wide.max(axis=1, keepdims=True)
    return np.asarray(np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(labels)), labels])


def save_arrays(folder: Path, arrays: dict[str, npt.NDArray[np.float32]]) -> None:
    """Writes each array to `<name>.npy`."""
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array, allow_pickle=False)
