from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fer_audit.attacks import Signals, create
from fer_audit.metrics.membership import auc


@pytest.mark.parametrize("classifier", ["logistic-regression", "random-forest"])
def test_the_auc_is_within_the_golden_band(classifier: str, expected: dict[str, Any], golden_signals: Signals) -> None:
    band = expected["shadow_attack_band"]["results"][classifier.replace("-", "_")]["accept_auc"]
    # Half of the references are enough for the forest, which takes its time.
    references = range(1, 17) if classifier == "logistic-regression" else range(1, 9)
    scores = create("shadow-mia", classifier=classifier, queries=[0]).score(golden_signals, references=references)
    members = golden_signals.keep[0]
    assert band[0] <= auc(scores[members], scores[~members]) <= band[1]


def test_a_class_with_few_rows_is_scored_by_all_classes_and_noted(world: Callable[..., Signals]) -> None:
    signals = world(1, models=4, rows=200)
    labels = np.where(signals.labels == 2, 0, signals.labels)
    labels[:3] = 2
    rare = Signals(signals.logits, signals.keep, labels, signals.subjects)
    scored = create("shadow-mia", min_rows=10).scored(rare, references=[2, 3])
    assert len(scored.notes) == 1
    assert "class 2: only 3 reference outputs" in scored.notes[0]
    everything = create("shadow-mia", min_rows=10**6).scored(rare, references=[2, 3])
    assert len(everything.notes) == 3
    np.testing.assert_array_equal(scored.scores[:3], everything.scores[:3])
    assert np.any(scored.scores[3:] != everything.scores[3:])


def test_each_class_learns_from_its_own_rows(world: Callable[..., Signals]) -> None:
    signals = world(2, models=4, rows=200)
    logits = signals.logits.copy()
    logits[:, signals.labels == 0] *= 3
    changed = Signals(logits, signals.keep, signals.labels, signals.subjects)
    attack, others = create("shadow-mia", min_rows=1), signals.labels != 0
    np.testing.assert_array_equal(attack.score(signals)[others], attack.score(changed)[others])


def test_the_forest_follows_its_seed(world: Callable[..., Signals]) -> None:
    signals = world(2, models=4, rows=200, leak=1)
    one, again, other = (create("shadow-mia", classifier="random-forest", seed=s).score(signals) for s in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert np.any(one != other)
