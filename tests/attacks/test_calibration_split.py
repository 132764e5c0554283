from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from fer_audit.attacks import Signals, create
from fer_audit.attacks.audit import audited
from fer_audit.errors import SignalsError
from fer_audit.metrics.membership import auc, best_threshold

World = Callable[..., Signals]


def alone(signals: Signals) -> Signals:
    """The first model without the others, as a file from elsewhere comes."""
    return signals.take([0])


def every_other(signals: Signals) -> np.ndarray:
    return np.arange(signals.rows) % 2 == 0


def test_thresholds_come_from_the_calibration_rows_and_all_else_from_the_others(world: World) -> None:
    signals = alone(world(models=4, rows=400, leak=1.5))
    held = every_other(signals)
    attack = create("loss-threshold")
    scores, keep = attack.score(signals), signals.keep[0]
    result = audited(signals, [attack], calibration=held)[0].result
    threshold = best_threshold(scores[held & keep], scores[held & ~keep])
    assert result.targets[0].threshold == threshold
    assert result.auc.value == pytest.approx(auc(scores[~held & keep], scores[~held & ~keep]))
    flagged = scores >= threshold
    assert result.confusion.tp == (flagged & keep & ~held).sum()
    assert result.confusion.fp == (flagged & ~keep & ~held).sum()
    assert result.confusion.tp + result.confusion.fn == (keep & ~held).sum()


def test_membership_of_scored_rows_moves_no_threshold(world: World) -> None:
    signals = alone(world(models=4, rows=400, leak=1.0))
    held = every_other(signals)
    keep = signals.keep.copy()
    keep[0, ~held] = np.random.default_rng(0).permutation(keep[0, ~held])
    shuffled = Signals(signals.logits, keep, signals.labels)
    attack = create("entropy")
    one, other = (audited(each, [attack], calibration=held)[0].result for each in (signals, shuffled))
    assert one.targets[0].threshold == other.targets[0].threshold
    assert one.auc.value != other.auc.value


def test_thresholds_by_class_are_of_the_calibration_rows(world: World) -> None:
    signals = alone(world(models=4, rows=600, leak=1.0))
    held = every_other(signals)
    attack = create("modified-entropy")
    scores, keep, labels = attack.score(signals), signals.keep[0], signals.labels
    found = audited(signals, [attack], calibration=held)[0].result.targets[0].class_thresholds
    assert found is not None
    for label, threshold in enumerate(found):
        rows = held & (labels == label)
        assert threshold == best_threshold(scores[rows & keep], scores[rows & ~keep])


@pytest.mark.parametrize("name", ["loss-threshold", "gap", "entropy", "attack-p"])
def test_a_null_world_is_seldom_accused(name: str, world: World) -> None:
    """TPR less FPR at the calibrated threshold is covered by its interval about as often as it says."""
    covered = []
    for seed in range(60):
        signals = alone(world(models=4, rows=240, leak=0.0, seed=seed))
        result = audited(signals, [create(name)], calibration=every_other(signals), resamples=100)[0].result
        low, high = result.advantage.low, result.advantage.high
        assert low is not None
        assert high is not None
        covered.append(low <= 0 <= high)
    assert np.mean(covered) >= 0.85  # 60 draws of .95 are below this with a chance of .3 %


def test_slices_and_records_are_of_the_scored_rows(world: World) -> None:
    signals = alone(world(models=4, rows=400, leak=1.0))
    held = every_other(signals)
    groups = np.where(np.arange(signals.rows) < 200, "first", "second").tolist()
    one = audited(signals, [create("loss-threshold")], calibration=held, slices={"half": groups})[0]
    sizes = {part.group: part.rows for part in one.result.slices if part.family == "half"}
    assert sizes == {"first": 100, "second": 100}
    assert len(one.records.first) == 200


def test_without_references_attacks_that_learn_from_them_say_so(world: World) -> None:
    signals = alone(world(models=4, rows=200))
    with pytest.raises(SignalsError, match="reference"):
        audited(signals, [create("rmia")], calibration=every_other(signals))


def test_a_calibration_without_non_members_is_refused(world: World) -> None:
    signals = alone(world(models=4, rows=200))
    with pytest.raises(SignalsError, match="members and non-members"):
        audited(signals, [create("loss-threshold")], calibration=signals.keep[0] & every_other(signals))


def test_rows_are_taken_as_bool(world: World) -> None:
    with pytest.raises(SignalsError, match="bool"):
        world().take_rows(np.array([0, 1]))


def test_what_the_attacker_knows_is_said_without_references(world: World) -> None:
    signals = alone(world(models=4, rows=400))
    result = audited(signals, [create("loss-threshold")], calibration=every_other(signals))[0].result
    assert result.threat_model.endswith("; no reference models, thresholds from rows of known membership")
    assert "of the calibration split" in result.transferred["0.001"].fpr.note
