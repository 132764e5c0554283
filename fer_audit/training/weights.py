"""The weights of a finished training, read from the store."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from fer_audit.store import Store


def read_weights(store: Store, training: str) -> dict[str, npt.NDArray[Any]]:
    """All weights of the training with that key, by their place and path, in the network's order."""
    with np.load(store.path("trainings", training) / "weights.npz", allow_pickle=False) as file:
        return {name: file[name] for name in file.files}
