from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from fer_audit.attacks import Signals, create
from fer_audit.errors import SignalsError

World = Callable[..., Signals]


@pytest.mark.parametrize("classifier", ["logistic-regression", "count"])
def test_only_predicted_labels_are_seen(world: World, classifier: str) -> None:
    signals = world(0, models=4, rows=200, queries=3, leak=1.0)
    winner = signals.logits == signals.logits.max(axis=-1, keepdims=True)
    hard = replace(signals, logits=winner.astype(np.float32))
    attack = create("label-only", classifier=classifier)
    np.testing.assert_array_equal(attack.score(signals), attack.score(hard))


def test_count_is_the_share_of_agreeing_queries(world: World) -> None:
    signals = world(0, models=4, rows=200, queries=3)
    right = signals.logits[0].argmax(axis=-1) == signals.labels[:, None]
    np.testing.assert_array_equal(create("label-only", classifier="count").score(signals), right.mean(axis=1))


def test_one_query_is_not_enough(world: World) -> None:
    with pytest.raises(SignalsError, match="needs at least 2 queries, has 1"):
        create("label-only").score(world(0, models=4, rows=50))
