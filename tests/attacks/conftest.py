from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fer_audit.attacks import Signals
from fer_audit.testing import toy_signals


@pytest.fixture(scope="session")
def golden_signals(golden: Path) -> Signals:
    with np.load(golden / "world.npz") as world:
        return Signals(
            world["logits"],
            world["keep"],
            world["labels"],
            world["subjects"],
            world["population_logits"][:, :, None],
            world["population_labels"],
        )


@pytest.fixture(scope="session")
def world() -> Callable[..., Signals]:
    return toy_signals
