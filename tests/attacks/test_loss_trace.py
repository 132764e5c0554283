from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from fer_audit.attacks import Signals, create
from fer_audit.errors import SignalsError

World = Callable[..., Signals]


def test_the_score_is_the_interquartile_range(world: World) -> None:
    signals = world(0, models=4, rows=50)
    trace = np.zeros((4, 50, 5))
    trace[0] = np.array([8.0, 4.0, 2.0, 1.0, 0.0])  # quartiles 1 and 4
    trace[0, 7] = [np.inf, np.inf, 1.0, 1.0, 1.0]
    scores = create("loss-trace").score(replace(signals, loss_trace=trace))
    assert scores[0] == 3.0
    assert np.isfinite(scores[7])
    assert scores[7] > 1e30


def test_without_losses_nothing_can_be_said(world: World) -> None:
    with pytest.raises(SignalsError, match="'loss-trace' needs loss_trace"):
        create("loss-trace").score(replace(world(0, models=4, rows=50), loss_trace=None))
