"""The weights of a finished training, read from the store."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from fer_audit.errors import StoreError
from fer_audit.store import Store

#: All weights of a network by their place and path, in the network's order.
Weights = dict[str, npt.NDArray[Any]]


def read_weights(store: Store, training: str) -> Weights:
    """The weights of the training with that key."""
    with np.load(store.path("trainings", training) / "weights.npz", allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def require_training(store: Store, training: str) -> None:
    """Raises StoreError where the store has no training with that key."""
    if not store.has("trainings", training):
        raise StoreError(
            f"the store {store.address} has no training {training[:12]}; name the store of the run with --store, or "
            f"run the grid again"
        )
