"""Whether the interval that is predicted from a few references is the one that an audit of more then has."""

import numpy as np
import pytest

from fer_audit.attacks import Signals, audit, create
from fer_audit.attacks.audit import stretch_of
from fer_audit.cli.auc_so_far import read_auc
from fer_audit.metrics.expected_interval import assumed_auc_variance

ROWS, WORLDS = 200, 2


def world(seed, models, leak):
    """Answers of models that know rows which they were trained on by `leak`, unevenly; each row is a person."""
    rng = np.random.default_rng(seed)
    halves = np.stack([rng.permutation(ROWS) < ROWS // 2 for _ in range(models // 2)])
    keep = np.stack((halves, ~halves), axis=1).reshape(models, ROWS)
    labels = rng.integers(0, 3, ROWS)
    logits = rng.normal(0, 1, (1, ROWS, 1, 3)) + rng.normal(0, 0.7, (models, ROWS, 1, 3))
    known = keep * leak * np.exp(leak * rng.normal(0, 1, ROWS))
    logits[:, np.arange(ROWS), :, labels] += (2 + rng.normal(0, 2, ROWS) + known).T[:, :, None]
    return Signals(logits.astype(np.float32), keep, labels)


def half_width(signals, attack):
    estimate = audit(signals, [attack])[0].auc
    return (estimate.high - estimate.low) / 2


def first(signals, models):
    return Signals(signals.logits[:models], signals.keep[:models], signals.labels)


#: Greatest mean relative error at 16 targets of what is predicted from 8. Those of 8 worlds with 200 rows, without a
#: leak and with one: loss-threshold 2 % and 2 %, attack-r 8 % and 13 %, lira-online 4 % and 25 %, whose references then
#: are a better attack, with a narrower interval. Single predictions are off by up to 25 % more.
ERRORS = {("loss-threshold", 0): 0.2, ("loss-threshold", 1): 0.1, ("lira-online", 0): 0.3, ("lira-online", 1): 0.4}


@pytest.mark.parametrize(("name", "leak"), ERRORS)
def test_the_interval_of_more_targets_is_predicted_from_a_few(name, leak):
    attack, errors = create(name), []
    for seed in range(WORLDS):
        signals = world(seed, 16, leak)
        area, variance = read_auc(first(signals, 8), attack)
        now, then = half_width(first(signals, 8), attack), half_width(signals, attack)
        # At as many targets it is the same variance, taken without resampling, of which 1000 have an error of 3 %.
        assert variance.half_width(8) == pytest.approx(now, rel=0.15)
        assert (area > 0.55) == bool(leak)
        errors.append(variance.half_width(16) / then - 1)
    assert abs(np.mean(errors)) < ERRORS[name, leak]


def test_what_is_assumed_before_anything_is_trained_holds_where_nothing_leaks():
    attack = create("lira-online")
    assumed = assumed_auc_variance(ROWS, learns=True, stretch=stretch_of(attack, 8))
    found = np.mean([half_width(world(seed, 8, 0), attack) for seed in range(WORLDS)])
    assert assumed.half_width(8) == pytest.approx(found, rel=0.25)


def test_references_of_one_another_are_not_taken_for_persons_that_leak_more():
    """Without a leak no part may stay; the products of all pairs, references of one another, would say a seventh."""
    attack = create("lira-online")
    shares = []
    for seed in range(6):
        _, variance = read_auc(world(seed, 16, 0), attack)
        shares.append(variance.shared / (variance.shared + variance.own / 8))
    assert np.mean(shares) < 0.25


def test_with_two_pairs_none_can_be_spared_and_nothing_is_taken_as_shared():
    _, variance = read_auc(world(0, 4, 1), create("lira-online"))
    assert variance.shared == 0
    assert variance.half_width(4) > 0
