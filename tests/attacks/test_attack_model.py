from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from fer_audit.attacks import Signals, create
from fer_audit.metrics.membership import auc

World = Callable[..., Signals]


@pytest.mark.parametrize("name", ["shadow-mia", "ml-leaks", "label-only"])
def test_thinned_outputs_teach_the_same_whatever_their_order(world: World, name: str) -> None:
    signals = world(0, models=8, rows=1000, queries=2, leak=2.0)
    attack = create(name, max_rows=300)
    scores = attack.score(signals)
    order = np.random.default_rng(0).permutation(1000)
    moved = replace(
        signals,
        logits=signals.logits[:, order],
        keep=signals.keep[:, order],
        labels=signals.labels[order],
        subjects=signals.subjects[order],
        loss_trace=None,
    )
    np.testing.assert_allclose(scores[order], attack.score(moved), atol=1e-9)
    np.testing.assert_allclose(scores, attack.score(signals.take([0, 5, 3, 1, 7, 6, 4, 2])), atol=1e-9)
    keep = signals.keep[0]
    full = create(name).score(signals)
    assert auc(scores[keep], scores[~keep]) > auc(full[keep], full[~keep]) - 0.05


def test_without_labels_the_largest_probability_is_what_is_seen(world: World) -> None:
    signals = world(0, models=4, rows=100)
    odds = np.exp(signals.logits[0, :, 0].astype(np.float64))
    wanted = (odds / odds.sum(axis=1, keepdims=True)).max(axis=1)
    np.testing.assert_allclose(create("ml-leaks", adversary=3).score(signals), wanted)
    relabelled = replace(signals, labels=(signals.labels + 1) % 3, loss_trace=None)
    for adversary in (1, 3):
        attack = create("ml-leaks", adversary=adversary)
        scores = attack.score(signals)
        np.testing.assert_allclose(scores, attack.score(relabelled))
